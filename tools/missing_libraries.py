"""Print the Debian packages of the shared libraries that Qt and OpenCV load and this system lacks.

Qt aborts the process where one is missing, so they are tried here first. The names are Debian's and
Ubuntu's; releases that append ``t64`` to one are the caller's business.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping

BASE = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
}
"""What ``import`` and drawing without a screen need."""

WINDOW = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""What a window on an X11 screen needs besides."""

WAYLAND = {"libwayland-cursor.so.0": "libwayland-cursor0"}
"""What a window on a Wayland screen needs besides."""


def libraries(what: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the libraries needed, with their packages.

    Args:
        what: ``"base"`` for work without a screen; anything else includes windows.
        environment: of the process; tells a Wayland screen.
    """
    if what == "base":
        return BASE
    return BASE | WINDOW | (WAYLAND if environment.get("WAYLAND_DISPLAY") else {})


def missing(needed: Mapping[str, str]) -> Iterator[str]:
    """Yield the package of each library in ``needed`` that cannot be loaded."""
    for library, package in needed.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            yield package


if __name__ == "__main__":
    for name in missing(libraries(sys.argv[1] if len(sys.argv) > 1 else "base", os.environ)):
        print(name)
