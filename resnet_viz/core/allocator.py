"""Telling glibc to keep memory: freshly mapped pages cost more than the arithmetic that fills them.

A forward pass that keeps its feature maps needs new memory for each. By default glibc maps
every block above 128 KiB anew and gives it back when it is freed, so each pass pays for
thousands of page faults. Kept memory is bounded by the largest pass so far.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Parameter numbers of mallopt(3)."""

MMAP_BYTES = 32 * 1024**2
"""The largest threshold that glibc before 2.35 accepts."""

MOST_BYTES = 2**31 - 1
"""The largest value that mallopt can be given."""


def keep_memory(largest: int = MMAP_BYTES) -> bool:
    """Ask glibc not to give memory back; returns whether it will. Elsewhere nothing happens.

    Args:
        largest: blocks above this many bytes are mapped and given back all the same. Training
            asks for ``MOST_BYTES``, as its every step needs the same large blocks again.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library, such as musl
    kept = bool(mallopt(M_MMAP_THRESHOLD, largest)) or bool(mallopt(M_MMAP_THRESHOLD, MMAP_BYTES))
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:  # a child's environment says more than mallopt can
        return kept
    wanted = ((M_TRIM_THRESHOLD, MOST_BYTES), (M_TOP_PAD, 64 * 1024**2))
    return all([kept, *(bool(mallopt(name, value)) for name, value in wanted)])
