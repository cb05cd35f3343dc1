"""Colours for values: sequential maps, and one that diverges about zero; NumPy only."""

from __future__ import annotations

import base64
import sys
from functools import cache

import numpy as np
from numpy.typing import NDArray

from resnet_viz.core.registry import Registry
from resnet_viz.core.types import F32, U8

from .luts import TABLES

colormaps: Registry[U8] = Registry("colour map")
"""Tables uint8 (256, 3) by id."""

NAN_RGB = (255, 0, 255)
"""What is no number is drawn in a colour that no map has."""

CHUNK = 32_768
"""Values that are coloured at a time, or one map of more; with their indices they fill 384 KiB."""

for _name, _text in TABLES.items():
    colormaps.add(_name, np.frombuffer(base64.b64decode(_text), np.uint8).reshape(256, 3))
colormaps.add("grey", np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))


def lut(name: str) -> U8:
    """Return the table uint8 (256, 3) of a colour map."""
    return colormaps.get(name)


@cache
def lut32(name: str) -> NDArray[np.uint32]:
    """Return the table as 257 words 0xffRRGGBB, the last one for NaN: what Qt's RGB32 images hold."""
    return rgb_words(np.vstack([lut(name), np.array([NAN_RGB], np.uint8)]))


def rgb_words(pixels: U8) -> NDArray[np.uint32]:
    """Return uint8 (..., 3) RGB as words 0xffRRGGBB."""
    bgra = np.full((*pixels.shape[:-1], 4), 255, np.uint8)
    bgra[..., :3] = pixels[..., ::-1]
    words: NDArray[np.uint32] = bgra.view(np.uint32 if sys.byteorder == "little" else ">u4")[..., 0]
    return words


def indices(values: F32, low: F32 | float, high: F32 | float) -> NDArray[np.uint16]:
    """Return table indices: 0 at ``low``, 255 at ``high``, clipped; 256 where a value is NaN.

    ``low`` and ``high`` broadcast against ``values``. An empty range (a constant map) gives the
    lowest colour, so that "all zero" looks dark and not bright.
    """
    low, factor = _scale(low, high)
    scaled = np.empty(np.broadcast_shapes(values.shape, low.shape, factor.shape), np.float32)
    result = np.empty(scaled.shape, np.uint16)
    _index(values, low, factor, scaled, result)
    return result


def words(values: F32, low: F32 | float, high: F32 | float, name: str, *, within: bool = False) -> NDArray[np.uint32]:
    """Return the colours of maps as words 0xffRRGGBB: ``lut32(name)[indices(values, low, high)]``.

    Some maps at a time, so that what lies between value and colour stays in the processor's
    cache; this runs with every click.

    Args:
        values: float32 (C, H, W).
        low: the scale's lower end: a number, or (C, 1, 1).
        high: its upper end, likewise.
        name: of the colour map.
        within: whether all values are known to be finite and none lies outside of the scale.
    """
    low, factor = _scale(low, high)
    table, count = lut32(name), max(1, CHUNK // max(1, values[:1].size))
    with np.errstate(over="ignore"):  # ends so far or so near that finite values do not stay finite on the way
        within = within and bool((np.isfinite(high - low) & np.isfinite(factor)).all())
    result = np.empty(values.shape, np.uint32)
    scaled = np.empty((min(count, len(values)), *values.shape[1:]), np.float32)
    index = np.empty(scaled.shape, np.intp)  # what ``take`` would make of any other
    each = factor.ndim > 0
    if each:
        low = np.broadcast_to(low, factor.shape)
    for begin in range(0, len(values), count):
        some = slice(begin, begin + count)
        here, ends = values[some], (low[some], factor[some]) if each else (low, factor)
        at = index[: len(here)]
        _index(here, *ends, scaled[: len(here)], at, within=within)
        # indices are 0-256 by construction; "clip" spares the check, half of the time
        table.take(at, mode="clip", out=result[some])
    return result


def _scale(low: F32 | float, high: F32 | float) -> tuple[F32, F32]:
    """Return a scale's lower end, and what its values above that are multiplied by to span 0-255."""
    low = np.asarray(low, np.float32)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        span = np.asarray(high, np.float32) - low
        return low, np.where(span > 0, np.float32(255) / span, np.float32(0)).astype(np.float32)


def _index(
    values: F32,
    low: F32,
    factor: F32,
    scaled: F32,
    result: NDArray[np.uint16] | NDArray[np.intp],
    *,
    within: bool = False,
) -> None:
    """Write the table indices of values to ``result``; ``scaled`` is room to work in."""
    with np.errstate(invalid="ignore", over="ignore"):
        if low.ndim == 0 and low == 0:  # after a ReLU there is nothing to subtract
            np.multiply(values, factor, out=scaled)
        else:
            np.subtract(values, low, out=scaled)
            scaled *= factor
        scaled += np.float32(0.5)
        if not within:
            np.clip(scaled, 0, 255, out=scaled)
        np.copyto(result, scaled, casting="unsafe")  # undefined where NaN; mended below
    if within:
        return
    missing = np.isnan(scaled)
    if missing.any():
        # inf - inf and 0 x inf are NaN as well; only a value that is NaN itself has no colour
        values = np.broadcast_to(values, scaled.shape)
        result[missing] = np.where(np.isnan(values[missing]), 256, np.where(values[missing] > 0, 255, 0))


def apply(values: F32, name: str) -> U8:
    """Colour values on the scale 0-1; returns uint8 (..., 3), NaN in magenta."""
    table = np.vstack([lut(name), np.array([NAN_RGB], np.uint8)])
    coloured: U8 = table[indices(np.asarray(values, np.float32), 0.0, 1.0)]
    return coloured
