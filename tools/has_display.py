"""Exit 0 where a window can be opened; else say why not in one line and exit 1."""

from __future__ import annotations

import os
import sys

from resnet_viz.gui.display import problem

if __name__ == "__main__":
    found = problem(os.environ)
    if found:
        print(found)
        sys.exit(1)
