"""The desktop app. Nothing here imports torch: the window paints before torch is loaded."""
