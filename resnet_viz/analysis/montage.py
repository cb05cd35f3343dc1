"""The grid of all feature maps: order, scale, geometry and one finished picture; NumPy only.

Everything here is a function on arrays, so that the widget only paints and the exporters and
the command line draw the same picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from resnet_viz.core.types import F32, I64, ChannelStats

from .colormap import words

SortKey = Literal["index", "mean", "max", "std", "sparsity"]
Scale = Literal["layer", "channel", "fixed"]

SORTS: tuple[SortKey, ...] = ("index", "mean", "max", "std", "sparsity")
SCALES: tuple[Scale, ...] = ("layer", "channel", "fixed")
COLORMAPS = ("viridis", "magma", "grey", "signed")
MAX_CELL_PX = 240
"""No cell is fitted larger than this: ten values need no screen each."""

Words = NDArray[np.uint32]
"""Pixels as 0xffRRGGBB."""


@dataclass(frozen=True, slots=True)
class GridOptions:
    """How the grid is shown.

    Attributes:
        sort: by channel number, or by a statistic; sparsity is the share of exact zeros.
        descending: largest first; numbers always ascend.
        normalize: one scale for the layer, one per channel, or a fixed one.
        fixed: the fixed scale's ends.
        colormap: ``"signed"`` diverges about zero, so its scale is made symmetric.
        pinned_first: whether pinned channels come before all others.
    """

    sort: SortKey = "index"
    descending: bool = True
    normalize: Scale = "layer"
    fixed: tuple[float, float] = (0.0, 1.0)
    colormap: str = "viridis"
    pinned_first: bool = False


Coloured = tuple[GridOptions, Words]
"""A layer's maps in colour, uint32 (C, H, W), and the options they were coloured by."""


@dataclass(frozen=True, slots=True)
class GridHover:
    """The value under the mouse: channel, row and column in the map, and what stands there."""

    channel: int
    row: int
    column: int
    value: float


def order(stats: ChannelStats, options: GridOptions, pinned: frozenset[int] = frozenset()) -> I64:
    """Return channel numbers in the order of display (C,); equal ones by number, NaN last."""
    ranks = np.arange(len(stats.min), dtype=np.float64)
    if options.sort != "index":
        values: F32 = getattr(stats, {"sparsity": "zeros"}.get(options.sort, options.sort))
        ranks = values.astype(np.float64) * (-1 if options.descending else 1)
    result = np.argsort(ranks, kind="stable")
    if options.pinned_first and pinned:
        is_pinned = np.isin(result, list(pinned))
        result = np.concatenate([result[is_pinned], result[~is_pinned]])
    return result.astype(np.int64)


def layer_range(stats: ChannelStats) -> tuple[float, float]:
    """Return the least and the greatest finite value of the layer; (0, 0) if there is none."""
    low, high = stats.least[np.isfinite(stats.least)], stats.greatest[np.isfinite(stats.greatest)]
    return (float(low.min()), float(high.max())) if len(low) and len(high) else (0.0, 0.0)


def holds_nan(stats: ChannelStats) -> bool:
    """Return whether any value of the layer is no number, which is drawn in magenta."""
    return bool(np.isnan(stats.min).any())  # the least of values one of which is NaN is NaN


def ranges(stats: ChannelStats, options: GridOptions) -> tuple[F32, F32]:
    """Return each channel's scale, two arrays (C,).

    A scale that starts above zero is never stretched to look as if it started there; it
    starts at the least value, and the colour bar says so. ``"signed"`` makes both ends equal, also of
    a fixed scale: its white is zero, whatever the ends. Values that are not finite stretch no scale.
    """
    count = len(stats.min)
    if options.normalize == "channel":
        low, high = np.nan_to_num(stats.least), np.nan_to_num(stats.greatest)
    else:
        ends = options.fixed if options.normalize == "fixed" else layer_range(stats)
        low, high = np.full(count, ends[0], np.float32), np.full(count, ends[1], np.float32)
    if options.colormap == "signed":
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    return low.astype(np.float32), high.astype(np.float32)


def colour(maps: F32, stats: ChannelStats, options: GridOptions) -> Words:
    """Return every map in colour, uint32 (C, H, W)."""
    low, high = (ends[:, None, None] for ends in ranges(stats, options))
    if options.normalize != "channel":
        low, high = low[0, 0, 0], high[0, 0, 0]  # one scale for all is quicker than as many equal ones
    # a scale that spans the layer or the channel leaves nothing out, unless some values are not finite
    within = options.normalize != "fixed" and bool(np.isfinite(stats.min).all() and np.isfinite(stats.max).all())
    return words(maps, low, high, options.colormap, within=within)


@dataclass(frozen=True, slots=True)
class GridLayout:
    """Where the cells stand, in pixels. ``cell_*`` is the map itself, ``gap`` lies between two."""

    count: int
    columns: int
    cell_w: int
    cell_h: int
    gap: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return -(-self.count // self.columns)

    @property
    def width(self) -> int:
        """Width of all cells with a gap around them."""
        return self.columns * (self.cell_w + self.gap) + self.gap

    @property
    def height(self) -> int:
        """Height of all cells with a gap around them."""
        return self.rows * (self.cell_h + self.gap) + self.gap

    def cell(self, position: int) -> tuple[int, int]:
        """Return the left and top edge of the cell at ``position`` of the order."""
        row, column = divmod(position, self.columns)
        return self.gap + column * (self.cell_w + self.gap), self.gap + row * (self.cell_h + self.gap)

    def hit(self, x: float, y: float) -> tuple[int, float, float] | None:
        """Return position and the place inside the cell (0-1 across, 0-1 down), None on a gap."""
        column, dx = divmod(x - self.gap, self.cell_w + self.gap)
        row, dy = divmod(y - self.gap, self.cell_h + self.gap)
        position = int(row) * self.columns + int(column)
        inside = 0 <= column < self.columns and 0 <= row < self.rows and position < self.count
        if not inside or dx >= self.cell_w or dy >= self.cell_h:
            return None
        return position, dx / self.cell_w, dy / self.cell_h


@lru_cache(maxsize=64)  # asked at every paint and every click, mostly with the same shape and view
def fit(count: int, map_w: int, map_h: int, width: int, height: int, gap: int, least: int) -> float:
    """Return the zoom at which all cells fit into ``width`` x ``height``, but no cell under ``least`` pixels wide."""
    best = 0.0
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        across = (width - gap) / columns - gap
        down = (height - gap) / rows - gap
        best = max(best, min(across / map_w, down / map_h))
        if across < least:
            break
    zoom = min(max(best, least / map_w), max(MAX_CELL_PX / map_w, 1.0))
    if zoom < 4:
        return zoom
    # whole multiples keep pixels square and equal; between them a small map would look uneven
    whole = math.floor(zoom)
    return whole if whole * map_w >= least else math.ceil(zoom)


def arrange(count: int, map_w: int, map_h: int, width: int, zoom: float, gap: int) -> GridLayout:
    """Return the layout at a zoom, with as many columns as fit into ``width``."""
    # rounded down: a cell one pixel wider than planned would cost a whole column
    cell_w, cell_h = max(1, int(map_w * zoom + 1e-6)), max(1, int(map_h * zoom + 1e-6))
    columns = max(1, min(count, (width - gap) // (cell_w + gap)))
    return GridLayout(count, columns, cell_w, cell_h, gap)


def draw(coloured: Words, shown: I64, layout: GridLayout, rows: range, background: int) -> Words:
    """Return the finished picture of some rows of the grid, uint32 (h, w), gaps included.

    Enlarged maps are drawn with hard pixels; reduced ones are averaged over the area, in
    colour, so that a single bright value still shows.

    Args:
        coloured: all maps (C, H, W).
        shown: channel numbers in display order.
        layout: where the cells stand.
        rows: which rows of cells.
        background: colour of the gaps as 0xffRRGGBB.
    """
    first, last = rows.start * layout.columns, min(rows.stop * layout.columns, layout.count)
    chosen = shown[first:last]
    step_w, step_h = layout.cell_w + layout.gap, layout.cell_h + layout.gap
    canvas = np.full((len(rows) * step_h + layout.gap, layout.columns * step_w + layout.gap), background, np.uint32)
    if len(chosen) == 0:
        return canvas
    cells = _resize(coloured[chosen], layout.cell_w, layout.cell_h)  # (n, h, w)
    # a view of the canvas cell by cell, so that every map is written once, where it stands
    places = canvas[: len(rows) * step_h, : layout.columns * step_w]
    places = places.reshape(len(rows), step_h, layout.columns, step_w).swapaxes(1, 2)
    places = places[:, :, layout.gap :, layout.gap :]  # (rows, columns, h, w)
    full, rest = divmod(len(cells), layout.columns)
    whole = cells[: full * layout.columns]
    places[:full] = whole.reshape(full, layout.columns, layout.cell_h, layout.cell_w)
    if rest:
        places[full, :rest] = cells[full * layout.columns :]
    return canvas


def _resize(maps: Words, width: int, height: int) -> Words:
    count, map_h, map_w = maps.shape
    if width >= map_w and height >= map_h:
        # the value below a pixel's middle, as Qt draws it and as the mouse finds it; of two that meet there the first
        down = ((2 * np.arange(height) + 1) * map_h - 1) // (2 * height)
        across = ((2 * np.arange(width) + 1) * map_w - 1) // (2 * width)
        # columns first, on the few rows there are; repeating rows afterwards copies whole lines
        larger: Words = np.take(np.take(maps, across, axis=2), down, axis=1)
        return larger
    import cv2  # 90 ms that only a reduced grid needs

    pixels = maps.view(np.uint8).reshape(count, map_h, map_w, 4)
    small = np.empty((count, height, width, 4), np.uint8)
    for index in range(count):
        cv2.resize(pixels[index], (width, height), dst=small[index], interpolation=cv2.INTER_AREA)
    return small.view(np.uint32)[..., 0]


@dataclass(frozen=True, slots=True, eq=False)
class Montage:
    """A whole grid as one picture.

    Attributes:
        image: uint8 (h, w, 3) RGB.
        shown: channel numbers in display order (C,).
        layout: where the cells stand.
        low, high: each channel's scale (C,).
    """

    image: NDArray[np.uint8]
    shown: I64
    layout: GridLayout
    low: F32
    high: F32


def montage(
    maps: F32,
    stats: ChannelStats,
    options: GridOptions,
    *,
    zoom: int | None = None,
    columns: int | None = None,
    gap: int = 2,
    background: int = 0xFF3C3F46,
    pinned: frozenset[int] = frozenset(),
) -> Montage:
    """Draw all channels at full resolution: every value at least one pixel.

    Args:
        maps: float32 (C, H, W).
        stats: of these maps.
        options: order, scale and colours.
        zoom: pixels per value; None chooses about 64 pixels per cell.
        columns: None for a picture about as wide as high.
        gap: pixels between cells.
        background: colour of the gaps.
        pinned: channels that come first where the options say so.
    """
    count, height, width = maps.shape
    zoom = zoom or max(1, round(64 / width))
    columns = columns or max(1, math.ceil(math.sqrt(count * height / width)))
    layout = GridLayout(count, min(columns, count), width * zoom, height * zoom, gap)
    shown = order(stats, options, pinned)
    words = draw(colour(maps, stats, options), shown, layout, range(layout.rows), background)
    image = words.astype("<u4", copy=False).view(np.uint8).reshape(*words.shape, 4)[..., 2::-1]  # blue lies first
    low, high = ranges(stats, options)
    return Montage(np.ascontiguousarray(image), shown, layout, low, high)


def with_percentiles(maps: F32, options: GridOptions, low: float = 1.0, high: float = 99.0) -> GridOptions:
    """Return options with a fixed scale between two percentiles of all finite values.

    Where nearly all values are one and the same, as zero after a sparse ReLU, the scale spans all values
    instead: between two equal ends there is no colour to tell. ``"signed"`` has its zero in the middle.
    """
    finite = maps[np.isfinite(maps)]
    if not len(finite):
        return options
    ends = np.percentile(finite, [low, high])
    if ends[0] == ends[1]:
        ends = np.array([finite.min(), finite.max()])
    if options.colormap == "signed":
        most = float(np.abs(ends).max())
        ends = np.array([-most, most])
    return replace(options, normalize="fixed", fixed=(float(ends[0]), float(ends[1])))
