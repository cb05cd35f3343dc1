"""stdout and stderr as a program may find them: closed, full, or unable to write every letter."""

from __future__ import annotations

import errno
import os
import sys

LOSSLESS = ("replace", "backslashreplace", "xmlcharrefreplace", "namereplace")
_UNWRITABLE = {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT if hasattr(errno, "EDQUOT") else -1}


def steady() -> None:
    """Let no print fail: a letter that the encoding lacks becomes ``?``, a closed stream swallows what it gets."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # `>&-`; else the next file to be opened would take its number, and our prints
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives
        elif hasattr(stream, "reconfigure") and stream.errors not in LOSSLESS:
            stream.reconfigure(errors="replace")


def of_stdout(error: OSError) -> bool:
    """Return whether an error is that of a stream that takes no more: it names no file."""
    return error.filename is None and error.errno in _UNWRITABLE


def give_up_stdout() -> None:
    """Drop what stdout still holds, so that the exit, which writes it out, stays quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
