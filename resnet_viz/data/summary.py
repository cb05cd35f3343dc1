"""What a person looks at before training: how many pictures of what, a few of each, their mean and spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from resnet_viz.core.errors import DataError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import F64, I64, Normalization

from .datasets import ArraySet

LEAST_STD = 1e-3
"""Smallest standard deviation that is divided by: a channel of one value has none."""

_PIECE = 1 << 22  # values counted at once, so that the wide copies that counting makes stay small


@dataclass(frozen=True, slots=True, eq=False)
class DataSummary:
    """A labelled data set at a glance.

    Attributes:
        title: for people.
        classes: names by label.
        counts: pictures per class, int64 (C,).
        size: height and width of the pictures in pixels.
        mean: per channel (R, G, B) on the scale 0-1, float64 (3,); luma three times for one channel.
        std: standard deviation over all pixels (not of the pictures' means), float64 (3,).
        samples: indices of pictures for a grid, a row per class, spread over the class, int64 (C, S);
            -1 where a class has fewer.
        skipped: one sentence for each picture that could not be read.
    """

    title: str
    classes: tuple[str, ...]
    counts: I64
    size: tuple[int, int]
    mean: F64
    std: F64
    samples: I64
    skipped: tuple[str, ...] = ()

    @property
    def normalization(self) -> Normalization:
        """Mean and std as a net's input takes them, named "this data"; a channel of one value gets a small std."""
        red, green, blue = (float(value) for value in self.mean)
        spread = [max(float(value), LEAST_STD) for value in self.std]
        return Normalization("this data", (red, green, blue), (spread[0], spread[1], spread[2]))


def summarise(data: ArraySet, samples: int = 8, token: CancelToken = NEVER) -> DataSummary:
    """Count, measure and choose samples.

    Mean and spread come from whole numbers, the count of each of the 256 values, and are rounded
    once: they are exact, and nothing is copied as floats.

    Args:
        data: pictures of one size, uint8 (N, H, W, 3) or (N, H, W, 1).
        samples: how many pictures of each class stand in the grid.
        token: looked at every few million values.

    Raises:
        DataError: if there is no picture.
    """
    if not data.images.size:
        raise DataError(f"{data.title} has no pictures. Choose a data set with some.")
    moments = [_moments(data, channel, token) for channel in range(data.images.shape[3])]
    if len(moments) == 1:
        moments *= 3
    grid = np.full((len(data.classes), samples), -1, np.int64)
    for number in range(len(data.classes)):
        own = np.flatnonzero(data.labels == number)
        shown = min(samples, len(own))
        # whole numbers only: the same pictures on every machine
        grid[number, :shown] = own[np.arange(shown) * len(own) // max(shown, 1)]
    return DataSummary(
        title=data.title,
        classes=data.classes,
        counts=np.bincount(data.labels, minlength=len(data.classes)).astype(np.int64),
        size=(data.images.shape[1], data.images.shape[2]),
        mean=np.array([mean for mean, _ in moments]),
        std=np.array([std for _, std in moments]),
        samples=grid,
        skipped=data.skipped,
    )


def _moments(data: ArraySet, channel: int, token: CancelToken) -> tuple[float, float]:
    """Return mean and standard deviation of a channel on the scale 0-1."""
    pixels = data.images[..., channel]
    step = max(1, _PIECE // (pixels.shape[1] * pixels.shape[2]))
    counts = np.zeros(256, np.int64)
    for start in range(0, len(pixels), step):
        token.check()
        counts += np.bincount(pixels[start : start + step].reshape(-1), minlength=256)
    levels = [int(count) for count in counts]
    total = sum(levels)
    first = sum(value * count for value, count in enumerate(levels))
    second = sum(value * value * count for value, count in enumerate(levels))
    # Python's whole numbers have no limit: the variance loses nothing to cancellation
    return first / (255 * total), math.sqrt((second * total - first * first) / (255 * total) ** 2)
