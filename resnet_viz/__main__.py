"""``resnet-viz``: alone it opens the app, with a command it does that one job."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the program and return its exit status: 0 done, 2 bad input."""
    if sys.platform == "win32":
        # torch's DLLs fail to load on Windows once PyQt6 is in the process
        import torch  # noqa: F401
    from resnet_viz.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
