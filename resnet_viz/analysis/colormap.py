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
    low = np.asarray(low, np.float32)
    span = np.asarray(high, np.float32) - low
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.where(span > 0, np.float32(255) / span, np.float32(0)).astype(np.float32)
        # one pass per line over one buffer: this runs with every click
        if low.ndim == 0 and low == 0:  # after a ReLU there is nothing to subtract
            scaled = values * factor
        else:
            scaled = values - low
            scaled *= factor
        scaled += np.float32(0.5)
        np.clip(scaled, 0, 255, out=scaled)
        result: NDArray[np.uint16] = scaled.astype(np.uint16)  # undefined where NaN; mended below
    missing = np.isnan(scaled)
    if missing.any():
        # inf - inf and 0 x inf are NaN as well; only a value that is NaN itself has no colour
        result[missing] = np.where(np.isnan(values[missing]), 256, np.where(values[missing] > 0, 255, 0))
    return result


def apply(values: F32, name: str) -> U8:
    """Colour values on the scale 0-1; returns uint8 (..., 3), NaN in magenta."""
    table = np.vstack([lut(name), np.array([NAN_RGB], np.uint8)])
    coloured: U8 = table[indices(np.asarray(values, np.float32), 0.0, 1.0)]
    return coloured
