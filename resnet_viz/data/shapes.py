"""The data set ``shapes``: ten figures on a ground, drawn by the program itself, no network needed.

Each picture is a figure given by its signed distance, that is, by minima and maxima of lines
and circles, in a random place, size and turn, in two colours of different lightness, under
uneven light and with a little noise. The distance in pixels is also the antialiasing.

The same picture comes out on every machine, to the last bit. The raw stream of PCG64 is what
NumPy promises to keep; turns are rounded, so that the last digit of a sine does not matter;
and pixels use only the operations that IEEE 754 defines exactly: + - * / sqrt min max.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.random import PCG64, SeedSequence

from resnet_viz.core.errors import DataError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import F32, I64, U8, ImageInput

from . import labels as names
from .images import shrink

ID = "shapes"
SIDE_PX = 32
COUNTS = {"train": 10_000, "test": 2_000}
"""Pictures in each part; every class has a tenth of them."""

_SEEDS = {"train": 20151210, "test": 20160127}
_NUMBERS = 16
_RAW = _NUMBERS + SIDE_PX * SIDE_PX * 3 // 8
# 64-bit draws per picture: its numbers, then 8 bytes of noise each; picture i starts at draw i * _RAW
_PIECE = 1000
# pictures drawn at once: few enough to stay in the cache, many enough that Python's share is nothing

_RADIUS_PX = (7.0, 12.5)
_LUMA_GAP = (0.3, 0.5)
_LIGHT = 0.07  # most that uneven light adds or takes at the border
_NOISE = 0.05  # most noise, peak


def draw(split: str, start: int = 0, stop: int | None = None, token: CancelToken = NEVER) -> U8:
    """Draw pictures of one part.

    Args:
        split: ``"train"`` or ``"test"``; no picture is in both.
        start: first picture.
        stop: picture after the last one, all by default; each picture is the same whichever range it is drawn in.
        token: looked at every 1,000 pictures.

    Returns:
        uint8 (stop - start, 32, 32, 3).

    Raises:
        DataError: if there is no such part.
        IndexError: if the part has no such pictures.
    """
    if split not in COUNTS:
        raise DataError(f"There is no part '{split}' of {ID}. Choose test or train.")
    stop = COUNTS[split] if stop is None else stop
    if not 0 <= start <= stop <= COUNTS[split]:
        raise IndexError(f"pictures {start} to {stop} of {COUNTS[split]}")
    stream = PCG64(SeedSequence(_SEEDS[split]))
    stream.advance(start * _RAW)
    images = np.empty((stop - start, SIDE_PX, SIDE_PX, 3), np.uint8)
    for first in range(start, stop, _PIECE):
        token.check()
        count = min(_PIECE, stop - first)
        raw = stream.random_raw(count * _RAW).reshape(count, _RAW)
        images[first - start : first - start + count] = _draw(raw, np.arange(first, first + count) % len(_FIGURES))
    return images


def labels_of(split: str) -> I64:
    """Return a part's labels, int64 (N,): one of each class, then the next of each."""
    return np.arange(COUNTS[split], dtype=np.int64) % len(_FIGURES)


class ShapesSource:
    """One part of the data set, picture by picture; see :class:`.layouts.Source`."""

    skipped: tuple[str, ...] = ()

    def __init__(self, split: str) -> None:
        self.title, self.part = "Shapes", split
        self.classes = tuple(_FIGURES)
        self.labels = labels_of(split)

    def item(self, index: int) -> ImageInput:
        """Draw one picture."""
        pixels = draw(self.part, index, index + 1)[0]
        return ImageInput(pixels, self.name(index), label=self.classes[int(self.labels[index])])

    def thumbnail(self, index: int, side: int) -> U8:
        """Draw one picture, at most ``side`` pixels long."""
        return shrink(self.item(index).pixels, side)

    def name(self, index: int) -> str:
        """Return what one picture is called."""
        return f"{self.classes[int(self.labels[index])]} {index // len(self.classes):04d}"

    def stack(self, token: CancelToken) -> U8:
        """Draw all pictures, (N, 32, 32, 3)."""
        return draw(self.part, token=token)


# ---- figures: signed distance, below zero inside, of points in units of the figure's radius ----


def _line(x: F32, y: F32, degrees: float, offset: float) -> F32:
    """Return the distance from a half-plane, its edge ``offset`` from the origin, its normal at ``degrees``."""
    angle = math.radians(degrees)
    # rounded, so that every machine's sine gives the same number
    across, down = np.float32(round(math.cos(angle), 6)), np.float32(round(math.sin(angle), 6))
    return x * across + y * down - np.float32(offset)


def _disc(x: F32, y: F32, radius: float, at_x: float = 0.0, at_y: float = 0.0) -> F32:
    x, y = x - np.float32(at_x), y - np.float32(at_y)
    return np.sqrt(x * x + y * y) - np.float32(radius)


def _box(x: F32, y: F32, half_w: float, half_h: float) -> F32:
    return np.maximum(np.abs(x) - np.float32(half_w), np.abs(y) - np.float32(half_h))


def _all_of(*parts: F32) -> F32:
    return reduce(np.maximum, parts)


def _any_of(*parts: F32) -> F32:
    return reduce(np.minimum, parts)


def _circle(x: F32, y: F32) -> F32:
    return _disc(x, y, 0.9)


def _ring(x: F32, y: F32) -> F32:
    return np.abs(_disc(x, y, 0.72)) - np.float32(0.24)


def _triangle(x: F32, y: F32) -> F32:
    return _all_of(*(_line(x, y, degrees, 0.5) for degrees in (90, 210, 330)))


def _square(x: F32, y: F32) -> F32:
    return _box(x, y, 0.7, 0.7)


def _star(x: F32, y: F32) -> F32:
    # a pentagram is where at least four of its five lines have the point inside: the second largest distance
    most = _line(x, y, 90, 0.31)
    second = np.full_like(most, -np.inf)
    for degrees in (162, 234, 306, 18):
        line = _line(x, y, degrees, 0.31)
        second = np.maximum(second, np.minimum(most, line))
        most = np.maximum(most, line)
    return second


def _cross(x: F32, y: F32) -> F32:
    return _any_of(_box(x, y, 0.95, 0.27), _box(x, y, 0.27, 0.95))


def _heart(x: F32, y: F32) -> F32:
    half = 0.52
    corner = half / math.sqrt(2)  # the two discs lie on the upper sides of a square on its corner
    y = y - np.float32(0.12)
    tip = _all_of(*(_line(x, y, degrees, half) for degrees in (45, 135, 225, 315)))
    return _any_of(tip, _disc(x, y, half, -corner, -corner), _disc(x, y, half, corner, -corner))


def _crescent(x: F32, y: F32) -> F32:
    return _all_of(_disc(x, y, 0.95), -_disc(x, y, 0.78, 0.46))


def _arrow(x: F32, y: F32) -> F32:
    head = _all_of(_line(x, y, 180, 0.0), _line(x, y, 45, 0.68), _line(x, y, -45, 0.68))
    shaft = _box(x + np.float32(0.45), y, 0.5, 0.24)
    return _any_of(head, shaft)


def _bolt(x: F32, y: F32) -> F32:
    # the upper of two wedges; the lower one is the same turned by half a turn
    def wedge(x: F32, y: F32) -> F32:
        return _all_of(_line(x, y, 90, 0.16), _line(x, y, 210, 0.44), _line(x, y, -15, 0.3))

    return _any_of(wedge(x, y), wedge(-x, -y))


_FIGURES: dict[str, Callable[[F32, F32], F32]] = dict(
    zip(
        names.known(ID) or (),
        (_circle, _ring, _triangle, _square, _star, _cross, _heart, _crescent, _arrow, _bolt),
        strict=True,
    )
)


# ---- from numbers to pixels ----


def _draw(raw: np.ndarray[tuple[int, ...], np.dtype[np.uint64]], figures: I64) -> U8:
    """Draw pictures from their 64-bit draws (N, _RAW): uint8 (N, 32, 32, 3)."""
    numbers = (raw[:, :_NUMBERS] >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)  # (N, 16) in 0-1, exact
    column = [numbers[:, index, None, None] for index in range(_NUMBERS)]  # (N, 1, 1) each
    low, high = (np.float32(limit) for limit in _RADIUS_PX)
    radius = low + (high - low) * column[0]
    room = np.float32(SIDE_PX / 2) - radius - np.float32(0.5)  # the whole figure is in the picture
    centre_x = np.float32(SIDE_PX / 2) + room * (2 * column[1] - 1)
    centre_y = np.float32(SIDE_PX / 2) + room * (2 * column[2] - 1)
    turn_x, turn_y = _unit(column[3])

    pixel = np.arange(SIDE_PX, dtype=np.float32) + np.float32(0.5)
    right, down = pixel[None, None, :] - centre_x, pixel[None, :, None] - centre_y
    x = (right * turn_x + down * turn_y) / radius  # (N, 32, 32)
    y = (down * turn_x - right * turn_y) / radius
    cover = np.empty_like(x)
    for number, figure in enumerate(_FIGURES.values()):
        chosen = figures == number
        if chosen.any():
            cover[chosen] = figure(x[chosen], y[chosen])
    cover = np.clip(np.float32(0.5) - cover * radius, 0, 1)  # share of the pixel that the figure covers

    ground_luma = np.float32(0.08) + np.float32(0.84) * column[4]
    gap = np.float32(_LUMA_GAP[0]) + np.float32(_LUMA_GAP[1] - _LUMA_GAP[0]) * column[5]
    lighter = np.where(ground_luma < gap, 1, np.where(ground_luma > 1 - gap, 0, column[6] < np.float32(0.5)))
    ground = _colour(column[7], column[8], ground_luma)
    figure_colour = _colour(column[9], column[10], np.where(lighter == 1, ground_luma + gap, ground_luma - gap))
    light_x, light_y = _unit(column[11])
    middle = (pixel - np.float32(SIDE_PX / 2)) * np.float32(1 / (SIDE_PX / 2))  # -1 to 1
    light = column[12] * np.float32(_LIGHT) * (middle[None, None, :] * light_x + middle[None, :, None] * light_y)

    noise = np.ascontiguousarray(raw[:, _NUMBERS:]).astype("<u8").view(np.uint8).astype(np.float32)
    noise = noise.reshape(-1, SIDE_PX, SIDE_PX, 3) * np.float32(2 / 255) - 1
    strength = (column[13] * column[13] * np.float32(_NOISE))[..., None]
    values = ground + (figure_colour - ground) * cover[..., None]
    values += light[..., None]
    values += noise * strength
    pixels: U8 = (np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return pixels


def _unit(share: F32) -> tuple[F32, F32]:
    """Return cosine and sine of a share of the full turn, rounded: the same on every machine."""
    angle = share.astype(np.float64) * (2 * math.pi)
    return np.round(np.cos(angle), 6).astype(np.float32), np.round(np.sin(angle), 6).astype(np.float32)


def _colour(hue: F32, saturation: F32, luma: F32) -> F32:
    """Return the colour (N, 1, 1, 3) of a hue and saturation, mixed with black or white until it has ``luma``."""
    wheel = np.abs((hue[..., None] * 6 + np.array([0, 4, 2], np.float32)) % 6 - 3) - 1  # red, yellow, green ...
    vivid = np.clip(wheel, 0, 1)
    vivid = 1 + (vivid - 1) * (np.float32(0.25) + np.float32(0.75) * saturation[..., None])
    own = (vivid[..., 0] * np.float32(0.299) + vivid[..., 1] * np.float32(0.587) + vivid[..., 2] * np.float32(0.114))[
        ..., None
    ]
    wanted = luma[..., None]
    darker = vivid * (wanted / own)
    lighter = 1 - (1 - vivid) * ((1 - wanted) / np.maximum(1 - own, np.float32(1e-6)))
    colour: F32 = np.where(own > wanted, darker, lighter)
    return colour
