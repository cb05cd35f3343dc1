"""Mean/std as people write them on the command line and in forms."""

from __future__ import annotations

from resnet_viz.core.errors import UserError
from resnet_viz.core.types import Normalization
from resnet_viz.data.presets import presets


def parse_normalization(text: str) -> Normalization:
    """Return the preset called ``text``, or the numbers of ``"R,G,B/R,G,B"`` (mean/std on 0-1).

    Raises:
        UserError: if it is neither, or a std is not above zero.
    """
    if text in presets:
        return presets.get(text)
    known = ", ".join(presets.ids())
    try:
        mean, std = ([float(part) for part in side.split(",")] for side in text.split("/"))
    except ValueError:
        mean, std = [], []
    if len(mean) != 3 or len(std) != 3 or not all(0 < value < 1e6 for value in std):
        raise UserError(
            f"'{text}' is no mean and standard deviation. Give {known}, or numbers as in 0.5,0.5,0.5/0.25,0.25,0.25."
        )
    return Normalization("own", (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
