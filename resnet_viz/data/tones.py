"""Pixel formats: whatever a file's values mean, here they become 8-bit RGB, and it is said how.

Pillow's ``convert("RGB")`` clips 16-bit grey to white and cuts float pictures to black, so
those are scaled here by rules that are stated in a note.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from resnet_viz.core.types import U8

GREY = 128
"""The grey (#808080) that lies under transparent parts and beside padded pictures."""

_SIXTEEN: U8 = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
# 0..65535 to 0..255, rounded; a table needs no 32-bit copy of a large picture


def to_rgb(image: ImageFile.ImageFile) -> tuple[U8, list[str]]:
    """Turn a loaded picture into RGB.

    Args:
        image: decoded, in any of Pillow's modes.

    Returns:
        uint8 (H, W, 3), and notes of what was done that a person should know.
    """
    if image.mode.startswith("I;16"):
        return _sixteen(image)
    if image.mode in ("I", "F"):
        grey, note = scale_values(np.asarray(image))
        return _grey_to_rgb(grey), [note]
    notes = []
    if _sixteen_per_channel(image):
        notes.append("16-bit colour, its upper 8 bits")
    if image.mode in ("CMYK", "LAB"):
        notes.append(f"converted from {image.mode}")
    if image.has_transparency_data:
        rgb, through = over_grey(image)
        return rgb, [*notes, "transparent parts over grey"] if through else notes
    return np.array(image.convert("RGB")), notes


def scale_values(values: NDArray[np.int32] | NDArray[np.float32]) -> tuple[U8, str]:
    """Scale 32-bit integer or float values (H, W) to bytes by the first rule that holds them all.

    Floats in 0..1 are multiplied by 255; values in 0..255 stay; integers in 0..65535 are 16-bit
    values; anything else is stretched from its smallest to its largest value. NaN becomes
    black, infinities the nearest end.

    Returns:
        uint8 (H, W), and the rule as a note.
    """
    whole = np.issubdtype(values.dtype, np.integer)
    finite = values if whole else values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low >= 0 and high <= 1 and not whole:
        limits, rule = (0.0, 1.0), "float values 0 to 1 scaled to 0 to 255"
    elif low >= 0 and high <= 255:
        limits, rule = (0.0, 255.0), f"{'32-bit' if whole else 'float'} values 0 to 255 as they are"
    elif low >= 0 and high <= 65535 and whole:
        limits, rule = (0.0, 65535.0), "16-bit values 0 to 65535 scaled to 0 to 255"
    else:
        limits, rule = (low, high), f"values {low:.6g} to {high:.6g} scaled to 0 to 255"
    span = (limits[1] - limits[0]) or 1.0
    grey = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), 64):
        # in double precision, which holds every 32-bit value, but only some rows at a time
        rows = values[start : start + 64].astype(np.float64)
        rows = np.nan_to_num(rows, nan=-np.inf, posinf=high, neginf=low)
        rows[rows == -np.inf] = limits[0]  # NaN
        grey[start : start + 64] = np.rint((rows - limits[0]) / span * 255.0).clip(0, 255)
    return grey, rule if finite.size == values.size else f"{rule}, values that are no numbers are black"


def _sixteen(image: Image.Image) -> tuple[U8, list[str]]:
    order = ">u2" if image.mode.endswith("B") else "<u2"
    values = np.asarray(image)
    if values.dtype != np.uint16:
        values = values.view(order).astype(np.uint16)
    rgb = _grey_to_rgb(_SIXTEEN[values])
    notes = ["16-bit values 0 to 65535 scaled to 0 to 255"]
    key = image.info.get("transparency")
    if isinstance(key, int) and (values == key).any():
        rgb[values == key] = GREY
        notes.append("transparent parts over grey")
    return rgb, notes


def _sixteen_per_channel(image: ImageFile.ImageFile) -> bool:
    """Whether the file held 16 bits per colour; Pillow keeps the upper 8 (at most 1 off)."""
    return bool(image.info.get(SIXTEEN_BIT))


SIXTEEN_BIT = "resnet_viz_16_bit"
"""Key in ``image.info`` that :func:`mark_depth` sets."""


def mark_depth(image: ImageFile.ImageFile) -> None:
    """Note in ``image.info`` whether the colours are 16-bit; only knowable before decoding."""
    raw = [str(part) for tile in image.tile for part in (tile.args if isinstance(tile.args, tuple) else (tile.args,))]
    if any(";16" in part and not part.startswith("I;16") for part in raw):
        image.info[SIXTEEN_BIT] = True


def over_grey(image: Image.Image) -> tuple[U8, bool]:
    """Lay the picture over grey; returns the result and whether anything was transparent."""
    key = image.info.get("transparency")
    if isinstance(key, tuple) and any(value > 255 for value in key):
        # the key colour of a 16-bit file; its pixels were cut to their upper bytes, so it is too
        image.info["transparency"] = tuple(value >> 8 for value in key)
    rgba = image.convert("RGBA")
    lowest, _ = rgba.getchannel("A").getextrema()
    if lowest == 255:
        return np.array(rgba.convert("RGB")), False
    ground = Image.new("RGBA", rgba.size, (GREY, GREY, GREY, 255))
    return np.array(Image.alpha_composite(ground, rgba).convert("RGB")), True


def _grey_to_rgb(grey: U8) -> U8:
    return np.repeat(grey[:, :, None], 3, axis=2)  # (H, W, 3)
