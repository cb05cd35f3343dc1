"""Printing: aligned columns for a person, strict JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

BAR_CHARS = 24


def print_json(value: object) -> None:
    """Print JSON; NaN and infinity must have been turned into null before.

    In UTF-8, or where stdout has another encoding, or a file's name is no text, in ASCII with escapes.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    encoding = str(getattr(sys.stdout, "encoding", None) or "utf-8")
    if encoding.lower().replace("-", "").replace("_", "") != "utf8" or printable(text) != text:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2)
    sys.stdout.write(text + "\n")


def printable(text: str) -> str:
    r"""Return text that can be written as UTF-8: a byte of a file's name that is no text becomes ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: float) -> float | None:
    """Return the number, None if it is NaN or infinite: JSON has neither."""
    return value if value == value and abs(value) != float("inf") else None


def print_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print rows as aligned columns, those in ``right`` flush right; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def bar(share: float) -> str:
    """Return a bar of text for a share 0-1."""
    full = round(BAR_CHARS * min(1.0, max(0.0, share)))
    done, left = "█·" if _has("█·") else "#."
    return done * full + left * (BAR_CHARS - full)


def _has(letters: str) -> bool:
    """Return whether stdout's encoding has these letters."""
    try:
        letters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
