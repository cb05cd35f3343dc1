"""The grid as a sheet to keep: all maps, their numbers and marks, the scale, and where it comes from.

What stands where is worked out once; a picture of pixels and a drawing in SVG are made of the same
parts. Numbers stand above the maps and frames around them: no value of a map is covered or resampled.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw

from resnet_viz.core.types import U8, Activation, ChannelStats

from .colormap import NAN_RGB, lut
from .export_text import text_width, wrap, write
from .montage import GridOptions, Montage, holds_nan, montage
from .numerals import number

GROUND = 0xFF3C3F46
"""Colour between the maps: darker than white and lighter than black, which both are values."""

PAPER, INK, FAINT, LIGHT, PINNED = "#ffffff", "#1d2026", "#5c616d", "#e8e9ed", "#f7c948"
MARGIN_PX, GAP_PX, FRAME_PX = 12, 6, 3
LABEL_PX = 11
LEAST_WIDTH_PX = 420
DEAD_SIGN = "†"
"""Stands for "dead" where the word does not fit beside the number."""


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    base: float
    text: str
    px: int
    colour: str


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    x: int
    y: int
    pixels: U8  # (h, w, 3)


_Part = _Text | _Box | _Dot | _Picture


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A grid with its legend, not yet drawn.

    Attributes:
        grid: the maps, their order and scale.
        corners: left and top edge of each map in the picture (C, 2), in the order of display.
        width, height: pixels.
        parts: what to draw, the lowest first.
    """

    grid: Montage
    corners: tuple[tuple[int, int], ...]
    width: int
    height: int
    parts: tuple[_Part, ...]


def sheet(
    activation: Activation,
    stats: ChannelStats,
    options: GridOptions,
    provenance: Mapping[str, str],
    pinned: frozenset[int] = frozenset(),
) -> Sheet:
    """Lay out a layer's maps as on screen, each value one pixel or a whole multiple.

    Args:
        activation: the maps.
        stats: of these maps.
        options: order, scale and colours.
        provenance: model, image, program and the like, written below.
        pinned: channels that are marked, and come first where the options say so.
    """
    maps = activation.maps
    count, map_h, map_w = maps.shape
    values = [number(float(value)) for value in maps[:, 0, 0]] if (map_h, map_w) == (1, 1) else []
    # a map of one value is as large as its value needs to be read
    zoom = max(64, *(int(text_width(text, LABEL_PX)) + 6 for text in values)) if values else None
    grid = montage(maps, stats, options, zoom=zoom, gap=GAP_PX, background=GROUND, pinned=pinned)
    labels = grid.layout.cell_w >= text_width(str(count - 1), LABEL_PX) + 2
    # a frame that lies outside of its map must not reach the number either
    strip = (LABEL_PX + 4) * (1 + bool(values)) + (FRAME_PX if pinned else 0) if labels else 0
    pixels, corners = _spread(grid, strip)
    parts: list[_Part] = [_Picture(MARGIN_PX, MARGIN_PX, pixels)]
    for (x, y), channel in zip(corners, grid.shown.tolist(), strict=True):
        if channel in pinned:
            parts += _frame(x, y, grid.layout.cell_w, grid.layout.cell_h)
        if labels:
            parts += _label(x, y - strip, channel, stats, grid.layout.cell_w, channel in pinned)
        if labels and values:
            text = values[channel]
            middle = x + (grid.layout.cell_w - text_width(text, LABEL_PX)) / 2
            parts.append(_Text(middle, y - strip + 2 * LABEL_PX + 4, text, LABEL_PX, LIGHT))
    width = max(LEAST_WIDTH_PX, pixels.shape[1] + 2 * MARGIN_PX)
    notes = _notes(stats, options, pinned, parts)
    below = _legend(2 * MARGIN_PX + len(pixels), width, grid, options, notes, _origin(activation, provenance))
    height = max(_bottom(part) for part in below) + MARGIN_PX
    return Sheet(grid, tuple(corners), width, int(np.ceil(height)), (*parts, *below))


def _spread(grid: Montage, strip: int) -> tuple[U8, list[tuple[int, int]]]:
    """Return the montage with ``strip`` pixels of room above each row, and where each map stands on the sheet."""
    layout = grid.layout
    step = layout.cell_h + layout.gap
    pixels = np.empty((layout.rows * (step + strip) + layout.gap, layout.width, 3), np.uint8)
    pixels[:] = [(GROUND >> shift) & 0xFF for shift in (16, 8, 0)]
    for row in range(layout.rows):
        top = row * (step + strip) + layout.gap + strip
        pixels[top : top + layout.cell_h] = grid.image[row * step + layout.gap : (row + 1) * step]
    places = [layout.cell(position) for position in range(layout.count)]
    corners = [
        (MARGIN_PX + x, MARGIN_PX + y + (position // layout.columns + 1) * strip)
        for position, (x, y) in enumerate(places)
    ]
    return pixels, corners


def _frame(x: int, y: int, width: int, height: int) -> list[_Box]:
    """Return a frame around a map, outside of it."""
    across = width + 2 * FRAME_PX
    return [
        _Box(x - FRAME_PX, y - FRAME_PX, across, FRAME_PX, PINNED),
        _Box(x - FRAME_PX, y + height, across, FRAME_PX, PINNED),
        _Box(x - FRAME_PX, y, FRAME_PX, height, PINNED),
        _Box(x + width, y, FRAME_PX, height, PINNED),
    ]


def _label(x: int, top: int, channel: int, stats: ChannelStats, cell_w: int, is_pinned: bool) -> list[_Text | _Dot]:
    """Return a channel's number with its marks; a pinned one has a dot as well, since not all see the colour."""
    parts: list[_Text | _Dot] = []
    room = cell_w
    if is_pinned:
        parts.append(_Dot(x + cell_w - 4, top + 7.5, 3, PINNED))
        room -= 10
    text = str(channel)
    if stats.dead[channel]:
        words = (f"{channel} dead", f"{channel} {DEAD_SIGN}", f"{channel}{DEAD_SIGN}")
        text = next((longer for longer in words if text_width(longer, LABEL_PX) <= room), text)
    return [_Text(x, top + LABEL_PX, text, LABEL_PX, LIGHT), *parts]


def scale_note(options: GridOptions) -> str:
    """Return what the colours span, in words."""
    if options.normalize == "channel" and options.colormap == "signed":
        return "each channel to its own largest magnitude; zero is white"
    if options.normalize == "channel":
        return "each channel from its own least to its own greatest value"
    return "one scale for the layer" if options.normalize == "layer" else "fixed scale"


def _notes(
    stats: ChannelStats, options: GridOptions, pinned: frozenset[int], parts: list[_Part]
) -> list[tuple[str, str]]:
    """Return what stands behind the colour bar: the colour of a patch, or none, and words."""
    notes = [("", scale_note(options))]
    if holds_nan(stats):
        notes.append(("#{:02x}{:02x}{:02x}".format(*NAN_RGB), "not a number"))
    if pinned:
        notes.append((PINNED, "pinned"))
    if any(isinstance(part, _Text) and part.text.endswith(DEAD_SIGN) for part in parts):
        notes.append(("", f"{DEAD_SIGN} dead"))
    return notes


def _origin(activation: Activation, provenance: Mapping[str, str]) -> str:
    """Return where the maps come from: net, layer, shape, picture, program."""
    count, map_h, map_w = activation.maps.shape
    shape = f"{count} values" if (map_h, map_w) == (1, 1) else f"{count} channels of {map_h} × {map_w}"
    model, *others = (provenance.get(key, "") for key in ("model", "found", "image", "program"))
    text = " · ".join(part for part in (model, activation.layer, shape, *others) if part)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)  # file names may hold anything


def _legend(
    top: int, width: int, grid: Montage, options: GridOptions, notes: list[tuple[str, str]], origin: str
) -> list[_Part]:
    """Return the colour bar with its numbers, what marks mean, and the origin, wrapped to the sheet's width."""
    px = max(12, min(24, width // 75))  # a large sheet is looked at from further away
    line, right, base = round(px * 1.5), width - MARGIN_PX, top + px
    parts, x = _bar(base, px, grid, options)
    for colour, text in notes:
        mark_w = px * 1.2 if colour else 0.0
        if x + mark_w + text_width(text, px) > right:
            x, base = MARGIN_PX, base + line
        if colour:
            parts.append(_Box(x, base - px + 2, px - 2, px - 2, colour))
        for at, piece in enumerate(wrap(text, px, right - MARGIN_PX - mark_w)):
            base += line if at else 0
            parts.append(_Text(x + mark_w, base, piece, px, FAINT))
        x += mark_w + text_width(text, px) + px
    for piece in wrap(origin, px, right - MARGIN_PX):
        base += line
        parts.append(_Text(MARGIN_PX, base, piece, px, INK))
    return parts


def _bar(base: int, px: int, grid: Montage, options: GridOptions) -> tuple[list[_Part], float]:
    """Return number, colours, number, with a mark at zero, and where they end."""
    low, high, each = float(grid.low[0]), float(grid.high[0]), options.normalize == "channel"
    # each channel has ends of its own, so numbers would be nobody's
    signed = options.colormap == "signed"
    words = ("−max", "+max") if signed else ("min", "max")
    first, last = words if each else (number(low), number(high))
    if each:
        low, high = (-1.0, 1.0) if signed else (0.0, 1.0)
    left, width, height = round(MARGIN_PX + text_width(first, px) + px / 2), 16 * px, px - 2
    table = lut(options.colormap)[np.arange(width) * 256 // width]
    parts: list[_Part] = [
        _Text(MARGIN_PX, base, first, px, INK),
        _Picture(left, base - height, np.repeat(table[None], height, axis=0)),
        _Text(left + width + px / 2, base, last, px, INK),
    ]
    if low < 0 < high:
        parts.append(_Box(left + round(-low / (high - low) * (width - 1)), base - height - 3, 1, height + 6, INK))
    return parts, left + width + px * 1.5 + text_width(last, px)


def _bottom(part: _Part) -> float:
    if isinstance(part, _Text):
        return part.base + part.px * 0.3
    if isinstance(part, _Picture):
        return part.y + len(part.pixels)
    return part.y + (part.radius if isinstance(part, _Dot) else part.height)


def to_rgb(made: Sheet) -> U8:
    """Return the sheet as pixels, uint8 (h, w, 3)."""
    image = Image.new("RGB", (made.width, made.height), PAPER)
    draw = ImageDraw.Draw(image)
    for part in made.parts:
        if isinstance(part, _Picture):
            image.paste(Image.fromarray(np.ascontiguousarray(part.pixels)), (part.x, part.y))
        elif isinstance(part, _Text):
            write(draw, part.x, part.base, part.text, part.px, part.colour)
        elif isinstance(part, _Dot):
            r = part.radius
            draw.ellipse((part.x - r, part.y - r, part.x + r, part.y + r), fill=part.colour)
        else:
            draw.rectangle((part.x, part.y, part.x + part.width - 1, part.y + part.height - 1), fill=part.colour)
    return np.asarray(image)


def to_svg(made: Sheet, metadata: str) -> str:
    """Return the sheet as a drawing; the maps are in it losslessly, all text is text.

    Args:
        made: the sheet.
        metadata: is put into the file unseen.
    """
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{made.width}" '
        f'height="{made.height}" viewBox="0 0 {made.width} {made.height}" '
        'font-family="DejaVu Sans, Verdana, Noto Sans CJK KR, sans-serif">',
        f"<metadata>{escape(metadata)}</metadata>",
        f'<rect width="{made.width}" height="{made.height}" fill="{PAPER}"/>',
    ]
    for part in made.parts:
        if isinstance(part, _Picture):
            height, width = part.pixels.shape[:2]
            lines.append(
                f'<image x="{part.x}" y="{part.y}" width="{width}" height="{height}" '
                f'style="image-rendering:pixelated" xlink:href="{_data_uri(part.pixels)}"/>'
            )
        elif isinstance(part, _Text):
            # as wide as it was measured, whatever font there is: nothing runs over an edge
            wide = text_width(part.text, part.px)
            lines.append(
                f'<text x="{part.x:g}" y="{part.base:g}" font-size="{part.px}" fill="{part.colour}" '
                f'textLength="{wide:.1f}" lengthAdjust="spacingAndGlyphs">{escape(part.text)}</text>'
            )
        elif isinstance(part, _Dot):
            lines.append(f'<circle cx="{part.x:g}" cy="{part.y:g}" r="{part.radius:g}" fill="{part.colour}"/>')
        else:
            lines.append(
                f'<rect x="{part.x:g}" y="{part.y:g}" width="{part.width:g}" height="{part.height:g}" '
                f'fill="{part.colour}"/>'
            )
    return "\n".join([*lines, "</svg>"])


def _data_uri(pixels: U8) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
