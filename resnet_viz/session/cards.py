"""What a ``card.json`` or the program's own ``state.json`` says, after a look at every field; no torch here.

Both may come from anywhere or be written by hand. A field that cannot be meant is left out and
named, so that one odd entry costs that entry and not the net.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from resnet_viz.core.types import Normalization

MAX_BYTES = 16 * 1024**2
"""Largest record that is read; a card with ImageNet's confusion matrix has four million."""

MAX_DEPTH = 32
"""Deepest nesting of lists and records; ours have three levels."""

MAX_TEXT, MAX_LABEL = 200, 80
"""Longest title and longest class name, in characters."""

MAX_CLASSES = 100_000
SMALLEST_PX, LARGEST_PX = 8, 1024
"""Sides of a net's input that a card may name, in pixels."""


class Unsound(ValueError):  # noqa: N818 - carries half a sentence for the user
    """A field, or a whole file, that cannot be meant."""


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one record.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON, too long, nested too deeply, or holds no record.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unsound(f"it is longer than {MAX_BYTES // 1024**2} MiB")
    try:
        record = json.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise Unsound("it is nested too deeply") from error
    if not isinstance(record, dict):
        raise Unsound("it holds no record")
    finite(record)  # refuses what is nested so deeply that it could not be written again
    return record


def finite(value: Any, depth: int = 0) -> Any:
    """Return a value of a JSON file, what is no finite number replaced by None.

    Raises:
        ValueError: if it is nested deeper than :data:`MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise Unsound("it is nested too deeply")
    if isinstance(value, dict):
        return {key: finite(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item, depth + 1) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sound(card: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Check the fields of a card that the program reads; in all others only NaN and infinity become null.

    Returns:
        The card without fields that are null or cannot be meant, and one warning that names
        the latter, or none.
    """
    kept: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in card.items():
        if name not in _CHECKS:
            kept[name] = finite(value)
        elif value is not None:
            try:
                kept[name] = _CHECKS[name](value)
            except Unsound as error:
                wrong.append(f"{name} {error}")
    return kept, (left_out(wrong),) if wrong else ()


def left_out(wrong: list[str]) -> str:
    """Return the warning for fields that were left out, each given as ``"title is no text"``."""
    entry, them = ("An entry", "it") if len(wrong) == 1 else ("Entries", "them")
    return f"{entry} of the run's card.json cannot be used ({'; '.join(wrong)}). Correct {them} there."


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text without control characters, cut to ``limit`` characters."""
    # cut before and after: a title of a gigabyte need not be looked through
    plain = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * limit])
    plain = " ".join(plain.split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def normalization_of(entry: object) -> Normalization:
    """Return the mean and std of a record ``{"title", "mean", "std"}``, on the scale 0-1.

    Raises:
        ValueError: what is wrong with it, such as "has no std of 3 numbers above zero".
    """
    if not isinstance(entry, Mapping):
        raise Unsound("is no record of mean and std")
    mean, std = _three(entry.get("mean"), "mean"), _three(entry.get("std"), "std")
    if min(std) <= 0:
        raise Unsound("has a std that is not above zero")
    title = entry.get("title")
    return Normalization(clean(title) if isinstance(title, str) and clean(title) else "own", mean, std)


def _three(value: object, name: str) -> tuple[float, float, float]:
    numbers = [_number(one) for one in value] if isinstance(value, list | tuple) and len(value) == 3 else []
    if len(numbers) != 3 or any(one is None or abs(one) >= 1e6 for one in numbers):
        raise Unsound(f"has no {name} of 3 numbers")
    red, green, blue = (float(one) for one in numbers if one is not None)
    return red, green, blue


def _number(value: object) -> float | None:
    """Return a finite number, None for all else; true and false are none, though Python says so."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _text(value: object) -> str:
    text = clean(value) if isinstance(value, str) else ""
    if not isinstance(value, str) or (value and not text):
        raise Unsound("is no text")
    return text


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise Unsound("is no whole number")
    return value


def _share(value: object) -> float | int:
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise Unsound("is no share from 0 to 1")
    return value  # type: ignore[return-value]


def _side(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not SMALLEST_PX <= value <= LARGEST_PX:
        raise Unsound(f"is no side from {SMALLEST_PX} to {LARGEST_PX} pixels")
    return value


def _classes(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_CLASSES:
        raise Unsound("is no list of names")
    if not all(isinstance(name, str) or (isinstance(name, int) and not isinstance(name, bool)) for name in value):
        raise Unsound("is no list of names")
    # a name of nothing but control characters still needs one, for its place in the list
    return [clean(str(name), MAX_LABEL) or f"class {index}" for index, name in enumerate(value)]


def _record(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unsound("is no record")
    return value


def _normalization(value: object) -> Mapping[str, Any]:
    normalization = normalization_of(value)
    assert isinstance(value, Mapping)
    return {**value, "title": normalization.title}


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "id": _text,
    "title": _text,
    "arch": _text,
    "options": _record,
    "dataset": _text,
    "classes": _classes,
    "input_size": _side,
    "normalization": _normalization,
    "params": _whole,
    "test_error": _share,
}
