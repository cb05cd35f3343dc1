"""What the chart of lesions shows and where its bars and dots lie; no Qt and no torch in here."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from resnet_viz.core.lesion_types import LesionStudy, RandomLesion
from resnet_viz.core.types import BlockInfo

from .map_geometry import Rect

TOPS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the axis of errors may end; each is divided evenly by a round step."""
STEPS = {0.02: 0.005, 0.05: 0.01, 0.1: 0.02, 0.15: 0.05, 0.25: 0.05, 0.3: 0.1, 0.6: 0.2}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, and what stands below it.

    Attributes:
        key: name of the block, or number of the draw from 1.
        label: short text at the axis.
        error: share of wrong answers, None while it is not known.
        stage: of the block, 0 for draws.
        whole: ||F|| / ||x|| in the whole net, None where there is none.
        now: the same in the net as it is on the map.
        changed: whether the block is deleted, or its skip cut, on the map.
        parts: of a draw, where the deleted blocks lie between input 0 and output 1.
    """

    key: str
    label: str
    error: float | None = None
    stage: int = 0
    whole: float | None = None
    now: float | None = None
    changed: bool = False
    parts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LesionChart:
    """All that is on show.

    Attributes:
        bars: one for each block or draw.
        base: error of the whole net, None while it is not known.
        now: error of the net as it is on the map, None where nothing is changed or known.
        chance: error of guessing, None to leave it out.
        plain: whether the net has no skip connections.
        draws: whether the bars are draws of several blocks.
    """

    bars: tuple[Bar, ...] = ()
    base: float | None = None
    now: float | None = None
    chance: float | None = None
    plain: bool = False
    draws: bool = False

    @property
    def ratios(self) -> tuple[float, ...]:
        """All finite ||F|| / ||x||."""
        both = [value for bar in self.bars for value in (bar.whole, bar.now)]
        return tuple(value for value in both if value is not None and math.isfinite(value))

    @property
    def has_strip(self) -> bool:
        """Whether anything stands below the bars."""
        known = any(bar.whole is not None or bar.now is not None for bar in self.bars)
        return known or any(bar.parts for bar in self.bars)


def study_chart(
    blocks: Sequence[BlockInfo],
    study: LesionStudy | None,
    *,
    base: float | None = None,
    now: float | None = None,
    chance: float | None = None,
    plain: bool = False,
    whole: Mapping[str, float] | None = None,
    ratios: Mapping[str, float] | None = None,
    changed: Collection[str] = (),
) -> LesionChart:
    """Return the chart of every block in turn, also before there is a study.

    Args:
        blocks: those that can be deleted or whose skip can be cut, from input to output.
        study: what is known; its base error and ratios count before ``base`` and ``whole``.
        base: error of the whole net, measured otherwise.
        now: error of the net on the map.
        chance: error of guessing.
        plain: whether the net has no skip connections.
        whole: ||F|| / ||x|| by block in the whole net.
        ratios: the same in the net on the map; None where nothing is changed.
        changed: blocks that are deleted or cut on the map.
    """
    errors = {one.block: one.error for one in study.blocks} if study is not None else {}
    known = dict(whole or {})
    if study is not None:
        known |= {one.block: one.f_to_x for one in study.blocks if one.f_to_x is not None}
        base = study.base_error
    bars = tuple(
        Bar(
            block.name,
            block.title,
            errors.get(block.name),
            block.stage,
            _known(known.get(block.name)),
            _known(ratios.get(block.name)) if ratios is not None else None,
            block.name in changed,
        )
        for block in blocks
    )
    return LesionChart(bars, base, now, chance, plain)


def _known(ratio: float | None) -> float | None:
    return None if ratio is None or math.isnan(ratio) else ratio


def draws_chart(
    blocks: Sequence[BlockInfo],
    result: RandomLesion,
    *,
    now: float | None = None,
    chance: float | None = None,
    plain: bool = False,
    changed: Collection[str] = (),
) -> LesionChart:
    """Return the chart of several blocks at random.

    Args:
        blocks: those that were drawn from, from input to output.
        result: what is known.
        now: error of the net on the map.
        chance: error of guessing.
        plain: whether the net has no skip connections.
        changed: blocks that are deleted on the map.
    """
    places = {block.name: index / max(1, len(blocks) - 1) for index, block in enumerate(blocks)}
    bars = tuple(
        Bar(
            str(draw),
            str(draw),
            float(error),
            changed=bool(some) and set(some) == set(changed),
            parts=tuple(places[name] for name in some if name in places),
        )
        for draw, (error, some) in enumerate(zip(result.errors, result.deleted, strict=True), start=1)
    )
    return LesionChart(bars, result.base_error, now, chance, plain, draws=True)


def axis_top(chart: LesionChart) -> float:
    """Return where the axis of errors ends, 0-1: above every bar; chance is drawn where it is near."""
    errors = [bar.error for bar in chart.bars if bar.error is not None]
    most = max([*errors, *(value for value in (chart.base, chart.now) if value is not None)], default=0.0)
    if chart.chance is not None and most > 0.6 * chart.chance:
        most = max(most, chart.chance)
    return next((top for top in TOPS if 1.06 * most <= top), 1.0)


def axis_ticks(top: float) -> list[float]:
    """Return the errors that are written at an axis that ends at ``top``, 0-1."""
    step = STEPS.get(top, top / 4 if top in (0.4, 0.8) else top / 5)
    return [round(count * step, 6) for count in range(round(top / step) + 1)]


def ratio_top(chart: LesionChart) -> float:
    """Return where the axis of ||F|| / ||x|| ends: a round number above all of them."""
    most = max(chart.ratios, default=0.0)
    if most <= 0:
        return 1.0
    base = 10.0 ** math.floor(math.log10(most))
    return next(factor * base for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if factor * base >= 1.02 * most)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie, in pixels.

    Attributes:
        plot: of the bars.
        strip: of the dots, None without.
        slots: left edge and width of each bar's column.
        whole, now: columns of the two bars of the net itself; ``now`` is None where nothing is changed.
        label_y: top of the labels.
        legend_y: top of the line above.
    """

    plot: Rect
    strip: Rect | None
    slots: tuple[tuple[float, float], ...]
    whole: tuple[float, float]
    now: tuple[float, float] | None
    label_y: float
    legend_y: float

    def slot_at(self, x: float, y: float) -> int:
        """Return the index of the bar whose column holds a point, -1 for none."""
        bottom = self.label_y + 40
        if not (self.plot.y - 6 <= y <= bottom):
            return -1
        return next((index for index, (left, wide) in enumerate(self.slots) if left <= x < left + wide), -1)


def place(
    chart: LesionChart, width: float, height: float, line: float, measure: Callable[[str], float], words: Sequence[str]
) -> Places:
    """Return where everything lies.

    Args:
        chart: what is shown.
        width: of the room, in pixels.
        height: of the room, in pixels.
        line: height of a line of text.
        measure: width of a text.
        words: labels of the whole net's bar and of the changed net's.
    """
    numbers = [f"{100 * tick:g}" for tick in axis_ticks(axis_top(chart))] + ["0.25"]
    left = max(measure(text) for text in numbers) + 14
    legend_y, top = 0.0, 1.35 * line
    label_y = height - 1.15 * line
    strip: Rect | None = None
    bottom = label_y - 0.25 * line
    room = max(30.0, width - left - 6)
    if chart.has_strip and bottom - top > 7 * line:
        tall = max(2.0 * line, min(0.26 * (bottom - top), 6 * line))
        strip = Rect(left, bottom - tall, room, tall)
        bottom = strip.y - 1.35 * line
    plot = Rect(left, top, room, max(20.0, bottom - top))
    ends = [max(measure(word) + 0.7 * line, 1.4 * line) for word in words]
    own = ends[0] + (ends[1] if chart.now is not None else 0.0)
    own = min(own, 0.3 * room)
    share = own / (ends[0] + (ends[1] if chart.now is not None else 0.0))
    whole = (left, ends[0] * share)
    now = (left + whole[1], ends[1] * share) if chart.now is not None else None
    start = left + own + 0.5 * line
    step = min((left + room - start) / max(1, len(chart.bars)), 7 * line)
    slots = tuple((start + index * step, step) for index in range(len(chart.bars)))
    return Places(plot, strip, slots, whole, now, label_y, legend_y)


def thinned(chart: LesionChart, step_px: float, measure: Callable[[str], float]) -> list[int]:
    """Return which bars have room for their label: each stage's first one, then every k-th.

    Args:
        chart: what is shown.
        step_px: width of a bar's column.
        measure: width of a text.
    """
    if not chart.bars:
        return []
    need = max(measure(bar.label) for bar in chart.bars) + 6
    every = next((k for k in (1, 2, 3, 5, 10, 20, 50) if k * step_px >= need), 100)
    chosen: list[int] = []
    first = 0
    for index, bar in enumerate(chart.bars):
        if index and bar.stage != chart.bars[index - 1].stage:
            first = index
            chosen = [other for other in chosen if (index - other) * step_px >= need]
        if (index - first) % every == 0:
            chosen.append(index)
    return chosen
