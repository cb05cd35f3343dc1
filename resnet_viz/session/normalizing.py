"""Mean/std as people write them on the command line and in forms, and read them there."""

from __future__ import annotations

from resnet_viz.core.errors import UserError
from resnet_viz.core.types import Normalization
from resnet_viz.data.presets import presets

MAX_MEAN = 1e3
STDS = (1e-6, 1e3)
"""What no net was ever trained beyond, on pixels of 0-1; NaN and infinity lie beyond too."""


def in_words(normalization: Normalization) -> str:
    """Return a preset's title, else the six numbers: ``"0.1 0.2 0.3 / 0.4 0.5 0.6"``."""
    if normalization in list(presets):
        return normalization.title
    mean, std = (" ".join(f"{value:.3g}" for value in side) for side in (normalization.mean, normalization.std))
    return f"{mean} / {std}"


def as_text(normalization: Normalization) -> str:
    """Return what :func:`parse_normalization` reads as this very mean/std."""
    for name in presets.ids():
        if presets.get(name) == normalization:
            return name
    return "/".join(",".join(map(repr, side)) for side in (normalization.mean, normalization.std))


def parse_normalization(text: str) -> Normalization:
    """Return the preset called ``text``, or the numbers of ``"R,G,B/R,G,B"`` (mean/std on 0-1).

    Raises:
        UserError: if it is neither, or a number lies beyond :data:`MAX_MEAN` or :data:`STDS`.
    """
    if text in presets:
        return presets.get(text)
    known = ", ".join(presets.ids())
    try:
        mean, std = ([float(part) for part in side.split(",")] for side in text.split("/"))
    except ValueError:
        mean, std = [], []
    if len(mean) != 3 or len(std) != 3:
        raise UserError(
            f"'{text}' is no mean and standard deviation. Give {known}, or numbers as in 0.5,0.5,0.5/0.25,0.25,0.25."
        )
    low, high = STDS
    if not (all(abs(value) <= MAX_MEAN for value in mean) and all(low <= value <= high for value in std)):
        raise UserError(
            f"'{text}' fits no pictures: pixels are 0 to 1. Give {known}, or means from -{MAX_MEAN:g} to {MAX_MEAN:g} "
            f"and standard deviations from {low:g} to {high:g}."
        )
    return Normalization("own", (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
