"""Telling glibc to keep memory: freshly mapped pages cost more than the arithmetic that fills them.

A forward pass that keeps its feature maps needs new memory for each. By default glibc maps
every block above 128 KiB anew and gives it back when it is freed, so each pass pays for
thousands of page faults. Kept memory is bounded by the largest pass so far.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Parameter numbers of mallopt(3)."""

MMAP_BYTES = 32 * 1024**2
"""The largest threshold that glibc accepts."""


def keep_memory() -> bool:
    """Ask glibc not to give memory back; returns whether it will. Elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library, such as musl
    wanted = ((M_MMAP_THRESHOLD, MMAP_BYTES), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 * 1024**2))
    return all(bool(mallopt(name, value)) for name, value in wanted)
