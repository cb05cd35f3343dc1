"""Printing: aligned columns for a person, strict JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

BAR_CHARS = 24


def print_json(value: object) -> None:
    """Print JSON; NaN and infinity must have been turned into null before."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


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
    return "█" * full + "·" * (BAR_CHARS - full)
