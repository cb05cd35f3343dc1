"""ResNet Viz: see what a convolutional network does.

The package is light to import: torch and PyQt6 are loaded only by the modules that need them.
"""

__version__ = "0.1.0"
