"""NumPy pixels as Qt images. RGB32 everywhere: Qt paints other formats scaled three times slower."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QImage

from resnet_viz.analysis.colormap import indices, lut32, rgb_words
from resnet_viz.core.types import F32, U8


def borrow_words(words: NDArray[np.uint32]) -> QImage:
    """Return an image that looks at ``words`` (h, w), 0xffRRGGBB; the array must outlive the image."""
    height, width = words.shape
    # the stubs ask for bytes; the binding takes any buffer and copies nothing
    return QImage(cast(bytes, words.data), width, height, 4 * width, QImage.Format.Format_RGB32)


def from_words(words: NDArray[np.uint32]) -> QImage:
    """Return an image of its own from words (h, w), 0xffRRGGBB."""
    return borrow_words(np.ascontiguousarray(words)).copy()


def from_rgb(pixels: U8) -> QImage:
    """Return an image from uint8 (H, W, 3) RGB, or (H, W, 1) grey."""
    return from_words(rgb_words(pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)))


def from_values(values: F32, low: float, high: float, name: str) -> QImage:
    """Return values (h, w) in colour."""
    return from_words(lut32(name)[indices(values, low, high)])
