"""Whether a window can be opened here; asked before Qt is, which aborts the process where none can.

``DISPLAY`` alone proves nothing: it outlives its screen in containers and over SSH.
"""

from __future__ import annotations

import ctypes
import socket
import sys
from collections.abc import Mapping
from pathlib import Path


def problem(environment: Mapping[str, str], system: str = sys.platform) -> str | None:
    """Return why no window can be opened, or None where one can.

    Args:
        environment: of the process.
        system: as ``sys.platform``; only Linux is asked, others always have a screen.
    """
    if not system.startswith("linux"):
        return None
    wayland, display = environment.get("WAYLAND_DISPLAY"), environment.get("DISPLAY")
    if wayland and _wayland_answers(wayland, environment.get("XDG_RUNTIME_DIR", "")):
        return None
    if display and _x11_answers(display):
        return None
    if display or wayland:
        return f"nothing answers at the display {display or wayland}"
    return "there is no display here"


def _wayland_answers(name: str, folder: str) -> bool:
    path = Path(folder) / name  # an absolute name stays as it is
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
    except OSError:
        return False
    return True


def _x11_answers(display: str) -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # cannot tell; it comes with the libraries that a window needs
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not failed
