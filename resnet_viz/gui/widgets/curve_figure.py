"""A plan as a matplotlib figure: pixels for the screen, files for everything else.

Matplotlib is imported with the first drawing, on the thread that draws; one lock lets one
figure be drawn at a time, because its font cache is shared.
"""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path
from resnet_viz.core.types import F32, U8
from resnet_viz.gui.theme import Theme

from .curve_plan import Plan

FAMILIES = ("DejaVu Sans", "Noto Sans CJK KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")
FORMATS = (".png", ".svg", ".pdf")

_drawing = threading.Lock()
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Look:
    """Size and colours. All sizes in logical pixels; ``ratio`` device pixels to one of them."""

    width_px: int
    height_px: int
    font_px: int
    theme: Theme
    ratio: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A figure as pixels, with what is needed to point at it.

    Attributes:
        pixels: uint8 (H, W, 4) RGBA in device pixels.
        area: left, top, right, bottom of the axes in logical pixels.
        points: for each line of the plan (N, 2) x and y in logical pixels, NaN where nothing is.
    """

    plan: Plan
    look: Look
    pixels: U8
    area: tuple[float, float, float, float]
    points: tuple[F32, ...]


def draw(plan: Plan, look: Look) -> Drawn:
    """Draw a plan as pixels."""
    with _drawing:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure, axes = _figure(plan, look)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.array(canvas.buffer_rgba(), np.uint8)
        box = axes.get_window_extent()
        ratio, height = look.ratio, figure.bbox.height
        points = []
        for line in plan.lines:
            spots = axes.transData.transform(np.column_stack([line.x, _positive(line.y, plan.log)]))
            spots[:, 1] = height - spots[:, 1]
            points.append((spots / ratio).astype(np.float32))
        area = (box.x0 / ratio, (height - box.y1) / ratio, box.x1 / ratio, (height - box.y0) / ratio)
        return Drawn(plan, look, pixels, area, tuple(points))


def write(plan: Plan, look: Look, path: Path) -> None:
    """Save a plan; the file's ending says how: PNG (at twice the size), SVG or PDF.

    Raises:
        OutputError: if the ending is another one or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise OutputError(f"A chart cannot be saved as '{path.name}'. Choose a name ending in .png, .svg or .pdf.")
    with _drawing:
        figure, _ = _figure(plan, look)
        try:
            with atomic_path(path) as temporary:
                dpi = 144 if ending == ".png" else 72
                figure.savefig(temporary, format=ending[1:], dpi=dpi, facecolor=figure.get_facecolor())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OutputError(f"{path} cannot be written ({reason}). Choose another folder.") from error


def _figure(plan: Plan, look: Look) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    theme, px = look.theme, look.font_px
    width, height = max(look.width_px, 120), max(look.height_px, 90)
    # 72 points an inch: one point is one logical pixel
    figure = Figure(figsize=(width / 72, height / 72), dpi=72 * look.ratio, facecolor=theme.window)
    legend_px = _legend(figure, plan, look, width, height)
    left, bottom, right = 4.6 * px, 3.4 * px, 1.2 * px
    top = legend_px + 0.8 * px
    box = (left / width, bottom / height, max(0.1, 1 - (left + right) / width), max(0.1, 1 - (top + bottom) / height))
    axes: Any = figure.add_axes(box, facecolor="none")
    axes.grid(axis="y", color=theme.line, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.line)
    axes.tick_params(which="both", length=0, labelsize=px, labelcolor=theme.muted, pad=0.4 * px)
    font: dict[str, Any] = {"fontsize": px, "family": list(_families()), "color": theme.muted}
    axes.set_xlabel(_printable(plan.x_label), loc="right", labelpad=0.2 * px, **font)
    axes.set_ylabel(_printable(plan.y_label), loc="top", labelpad=0.3 * px, **font)
    for band in plan.bands:
        axes.fill_between(band.x, band.low, band.high, color=band.colour, alpha=0.13, linewidth=0)
    for line in plan.lines:
        alone = int(np.isfinite(line.y).sum()) < 3
        style: dict[str, Any] = {"marker": "o", "markersize": 3 + line.width} if alone else {}
        y = _positive(line.y, plan.log)
        (drawn,) = axes.plot(line.x, y, color=line.colour, linewidth=line.width, alpha=line.alpha, **style)
        if line.dash:
            drawn.set_dashes(line.dash)
    _scales(axes, plan, height / (2.6 * px), (width - left - right) / (6 * px))
    _references(axes, plan, look, width - left - right)
    return figure, axes


def _scales(axes: Any, plan: Plan, rows: float, columns: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.xaxis.set_major_locator(MaxNLocator(max(2, min(10, int(columns))), integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    last = max((float(line.x[-1]) for line in plan.lines), default=1.0)
    axes.set_xlim(0, last * 1.01 or 1)
    values = [_positive(line.y, plan.log) for line in plan.lines]
    known = np.concatenate([value[np.isfinite(value)] for value in values]) if values else np.array([])
    if plan.log and len(known):
        low, high = float(known.min()), float(known.max())
        for band in plan.bands:
            low, high = min(low, float(np.nanmin(band.low))), max(high, float(np.nanmax(band.high)))
        for reference in plan.references:
            low = min(low, reference.value)
        axes.set_yscale("log")
        axes.set_ylim(low / 1.2, high * 1.2)
        subs = (1.0,) if high / low > 300 else (1.0, 2.0, 5.0) if high / low > 8 else tuple(range(1, 10))
        axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=max(3, int(rows))))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
    elif len(known):
        axes.set_ylim(0, (float(known.max()) * 1.04 or 1.0) * plan.zoom)
        axes.yaxis.set_major_locator(MaxNLocator(max(2, min(8, int(rows))), steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))


def _references(axes: Any, plan: Plan, look: Look, width: float) -> None:
    """Draw published values; labels of values that lie close stand beside each other."""
    low, high = axes.get_ylim()
    shown = [reference for reference in plan.references if low <= reference.value <= high]
    for index, reference in enumerate(sorted(shown, key=lambda one: one.value)):
        below = index == 0 and len(shown) > 1
        axes.axhline(reference.value, color=reference.colour, linewidth=1.2, dashes=(5, 4), alpha=0.8)
        room = 0.62 * look.font_px * (len(reference.label) + 2) / width
        axes.annotate(
            _printable(reference.label),
            (max(1 - index * room, room), reference.value),
            xycoords=("axes fraction", "data"),
            xytext=(0, (-0.3 if below else 0.3) * look.font_px),
            textcoords="offset points",
            ha="right",
            va="top" if below else "bottom",
            bbox={"facecolor": look.theme.window, "alpha": 0.7, "linewidth": 0, "pad": 1},
            fontsize=max(11, look.font_px - 1),
            family=list(_families()),
            color=look.theme.text,
        )


def _legend(figure: Any, plan: Plan, look: Look, width: float, height: float) -> float:
    """Put the legend above the axes, where it hides nothing; returns the pixels it takes."""
    from matplotlib.lines import Line2D

    px = look.font_px
    if not plan.legend:
        return 0.0
    shown = list(plan.legend)
    handles = []
    for _, colour, thick, dash in shown:
        handle = Line2D([], [], color=colour, linewidth=thick)
        if dash:
            handle.set_dashes(dash)
        handles.append(handle)
    widest = max(_text_em(label) for label, *_ in shown) * px + 3.6 * px
    columns = max(1, min(len(shown), int((width - 2 * px) / widest)))
    rows = -(-len(shown) // columns)
    # matplotlib fills columns first; the eye reads rows first
    order = [row * columns + column for column in range(columns) for row in range(rows)]
    order = [index for index in order if index < len(shown)]
    figure.legend(
        [handles[index] for index in order],
        [_printable(shown[index][0]) for index in order],
        loc="upper right",
        bbox_to_anchor=(1 - 0.6 * px / width, 1 - 0.2 * px / height),
        ncols=columns,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.5,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=0.35,
        labelcolor=look.theme.text,
        prop={"family": list(_families()), "size": px},
    )
    return rows * 1.55 * px + 0.4 * px


def power(value: float) -> str:
    """Return a number of a log axis: 0.01 to 1000 as they are, others as a power of ten."""
    if value <= 0:
        return ""
    exponent = int(np.floor(np.log10(value) + 1e-9))
    if -3 < exponent < 4:
        return f"{value:g}"
    factor = value / 10.0**exponent
    lead = "" if abs(factor - 1) < 1e-6 else f"{factor:g}·"
    return f"{lead}10{str(exponent).translate(_SUPERSCRIPT)}"


def _positive(values: Any, log: bool) -> Any:
    return np.where(values > 0, values, np.nan) if log else values


def _text_em(text: str) -> float:
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in text)


@cache
def _families() -> tuple[str, ...]:
    """Return the families that are there; naming an absent one makes matplotlib complain."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return tuple(family for family in FAMILIES if family in there) or ("sans-serif",)


@cache
def _printable(text: str) -> str:
    """Return the text with a box for each letter that no font here has, and without formulas."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    fonts = [FT2Font(findfont(FontProperties(family=[family]))) for family in _families()]
    kept = "".join(letter if any(font.get_char_index(ord(letter)) for font in fonts) else "□" for letter in text)
    return kept.replace("$", r"\$")
