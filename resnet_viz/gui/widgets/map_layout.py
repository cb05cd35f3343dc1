"""Where everything on the network map lies, and what lies under a point. No Qt, no torch.

Blocks stand on a trunk line from input to output. Their height tells the resolution, their
width hints at the channels. A skip connection leaves the trunk before its block, arches over
it and comes down on the addition behind it; what follows the addition (the last ReLU) stands
behind that, where it is computed. Blocks in focus are as wide as their layers' labels need;
the others share the rest. All numbers are pixels, y grows downwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .map_captions import block_labels, group_captions
from .map_geometry import Arc, Caption, Cell, Column, Hit, MapLayout, Rect, hit_test, mirror
from .map_plan import CellPlan, ColumnPlan, Plan

__all__ = ["Arc", "Caption", "Cell", "Column", "Hit", "MapLayout", "Rect", "content_width", "hit_test", "make_layout"]

MIN_PITCH_EM = 0.7
"""Narrowest block in a view that fits the window; longer nets scroll."""
LEAST_PITCH_EM = 0.25
"""Narrowest block beside one in focus."""
FOCUS_SHARE = 0.55
"""Blocks in focus never take more than this share of the view."""
CLICKABLE_EM = 0.5
"""Layers drawn narrower than this are marks only; a click there means the block."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The horizontal bands of the map."""

    trunk: float
    high: float
    low: float
    arch: float
    label: float
    caption: float | None
    cell_min: float


def _clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def _rows(plan: Plan, height: float) -> _Rows:
    em, line = plan.metrics.em, plan.metrics.line
    over = 0.5 * line + 2  # half of a label that sits on an arc
    arch = _clamp(0.13 * height, 0.8 * em, 2.2 * em)
    texts = 2 * line + 0.45 * em
    caption = height - over - arch - texts >= 1.5 * line + 0.6 * em
    if not caption:
        texts = line + 0.2 * em
    high = _clamp(height - over - arch - texts - 0.7 * em, 1.2 * line, 6.5 * em)
    low = max(min(high, line + 0.5 * em), 0.4 * high)
    top = max(0.0, (height - (over + arch + high + 0.4 * em + texts)) / 2)
    bottom = top + over + arch + high
    label = bottom + 0.3 * em
    return _Rows(
        trunk=bottom - high / 2,
        high=high,
        low=low,
        arch=arch,
        label=label,
        caption=label + line + 0.2 * em if caption else None,
        cell_min=line + 1,
    )


def content_width(plan: Plan, view: float, zoom: float = 1.0) -> float:
    """Return the width of the scene: the view's, or more for very long nets; times the zoom."""
    em = plan.metrics.em
    mean = sum(column.weight for column in plan.columns) / max(1, len(plan.columns))
    least = sum(max(column.weight / mean * MIN_PITCH_EM * em, column.minimum_px) for column in plan.columns)
    return max(view, least + _source_width(plan) + 2 * em) * zoom


def affordable(plan: Plan, columns: Sequence[int], view: float) -> list[int]:
    """Return those of ``columns``, most important first, that can be in focus together; always the first."""
    chosen: list[int] = []
    for index in columns:
        together = sum(plan.columns[i].need_px for i in {*chosen, index})
        if index not in chosen and (not chosen or together <= FOCUS_SHARE * view):
            chosen.append(index)
    return chosen


def _source_width(plan: Plan) -> float:
    texts = (plan.source_title, plan.source_shape)
    return max(plan.metrics.measure(text) for text in texts) + 0.8 * plan.metrics.em


def _widths(plan: Plan, room: float, view: float, zoom: float, focus: Mapping[int, float]) -> tuple[list[float], float]:
    """Share ``room`` among the columns; return their widths and that of one unit of weight."""
    em = plan.metrics.em
    wanted = sum(amount * plan.columns[index].need_px for index, amount in focus.items())
    least = LEAST_PITCH_EM * em
    squeeze = min(1.0, FOCUS_SHARE * view / wanted) if wanted else 1.0

    def widths(unit: float) -> list[float]:
        result: list[float] = []
        for index, column in enumerate(plan.columns):
            cap = max(1.15 * column.need_px, (6.5 if column.cells else 4.5) * em) * zoom
            width = min(max(unit * column.weight, column.minimum_px), max(cap, column.minimum_px))
            amount = focus.get(index, 0.0)
            if amount:
                width += amount * max(0.0, squeeze * column.need_px - width)
            result.append(width)
        return result

    low, high = least, max(room, least)
    if sum(widths(low)) > room:  # labels of the outer blocks alone are too wide: let it scroll
        return widths(low), low
    for _ in range(30):
        middle = (low + high) / 2
        if sum(widths(middle)) > room:
            high = middle
        else:
            low = middle
    return widths(low), low


def _body_cells(cells: tuple[CellPlan, ...], room: Rect, rows: _Rows, em: float) -> tuple[Cell, ...]:
    """Place a row of layers side by side in ``room``; leave out what would be invisible."""
    if not cells:
        return ()
    gap = _clamp(0.012 * room.w, 1.0, 0.2 * em)
    needs = sum(cell.need_px for cell in cells)
    flexible = room.w - gap * (len(cells) - 1)
    if flexible < 2.4 * len(cells):
        heavy = tuple(cell for cell in cells if cell.weight >= 2)
        if len(heavy) in (0, len(cells)) or room.w < 3.2 * len(heavy):
            return ()
        return _body_cells(heavy, room, rows, em)
    weights = sum(cell.weight for cell in cells)
    # from "convolutions stand out" to "every label fits", without a jump
    share = _clamp((flexible - 0.35 * needs) / (0.65 * needs), 0.0, 1.0)
    height = room.h
    placed: list[Cell] = []
    x = room.x
    for cell in cells:
        readable = cell.need_px + max(0.0, flexible - needs) * cell.weight / weights
        if flexible < needs:
            readable = flexible * cell.need_px / needs
        width = (1 - share) * flexible * cell.weight / weights + share * readable
        rect = Rect(x, room.cy - height / 2, width, height)
        text = cell.label if width >= cell.need_px - 0.5 * em and height >= rows.cell_min - 2 else ""
        placed.append(Cell(cell.layer, text, cell.place, rect, width >= CLICKABLE_EM * em, cell.weight >= 2))
        x += width + gap
    if all(cell.text for cell in placed):
        return tuple(placed)
    # some labels without the others would look like a mistake: the convolutions' or none
    heavy_fit = all(cell.text for cell in placed if cell.heavy)
    return tuple(cell if cell.heavy and heavy_fit else replace(cell, text="") for cell in placed)


def _column(plan: ColumnPlan, index: int, x: float, width: float, rows: _Rows, em: float, bottom: float) -> Column:
    high = rows.low + plan.level * (rows.high - rows.low)
    if plan.shape == "funnel":
        high = 0.75 * rows.low  # its narrow end
    lead = _clamp(0.075 * width, 0.6, 0.8 * em)
    left = x + lead
    trail = 0.6 * lead
    cells: dict[str, Cell] = {}
    arc: Arc | None = None
    right = x + width - lead
    if plan.forks:
        radius = _clamp(0.11 * width, 1.0, 0.5 * em)
        near = 0.45 * radius + 0.3
        tail_cells = plan.at("tail")
        tail = 0.0
        if tail_cells and width >= 4 * em:
            share = _clamp(width / max(plan.need_px, 1), 0.25, 1.0)
            tail = sum(max(0.55 * em, cell.need_px * share**2) for cell in tail_cells)
        node_x = x + width - trail - (tail + near if tail else 0.0) - radius
        right = node_x - radius - near
        if tail:
            room = Rect(node_x + radius + near, rows.trunk - rows.low * 0.4, tail, rows.low * 0.8)
            cells |= {cell.layer: cell for cell in _body_cells(tail_cells, room, rows, em)}
        node = Rect(node_x - radius, rows.trunk - radius, 2 * radius, 2 * radius)
        cells |= {cell.layer: Cell(cell.layer, "+", "add", node, True) for cell in plan.at("add")}
        if plan.block.skip is not None:
            top = rows.trunk - high / 2
            start = x + 0.45 * lead
            arc = Arc(start, node_x, rows.trunk, top, top - rows.arch, plan.block.skip)
            cells |= {cell.layer: cell for cell in _skip_cells(plan, arc, rows, em)}
    body = Rect(left, rows.trunk - high / 2, max(1.0, right - left), high)
    pad = _clamp(0.05 * width, 1.0, 0.35 * em)
    share = 0.5 + 0.3 * _clamp(width / max(plan.need_px, 1), 0.0, 1.0)
    tall = min(high - 2, max(share * high, min(rows.cell_min, high - 4)))
    inside = Rect(body.x + pad, body.cy - tall / 2, body.w - 2 * pad, tall)
    cells |= {cell.layer: cell for cell in _body_cells(plan.at("body"), inside, rows, em)}
    ordered = tuple(cells[cell.layer] for cell in plan.cells if cell.layer in cells)
    slot = Rect(x, 0.0, width, bottom)
    return Column(index, plan.block.name, slot, body, plan.shape, None, ordered, arc)


def _skip_cells(plan: ColumnPlan, arc: Arc, rows: _Rows, em: float) -> tuple[Cell, ...]:
    """Place the layers of a shortcut on top of its arc: all with labels, or one node for them."""
    cells = plan.at("skip")
    if not cells:
        return ()
    middle = (arc.start + arc.end) / 2
    need = sum(cell.need_px for cell in cells) + 0.2 * em * (len(cells) - 1)
    if need <= 0.6 * (arc.end - arc.start):
        room = Rect(middle - need / 2, arc.top - rows.cell_min / 2, need, rows.cell_min)
        return _body_cells(cells, room, rows, em)
    side = _clamp(0.2 * (arc.end - arc.start), 4.5, 0.7 * em)
    last = cells[-1]
    return (Cell(last.layer, "", "skip", Rect(middle - side / 2, arc.top - side / 2, side, side), True),)


def make_layout(
    plan: Plan,
    width: float,
    height: float,
    *,
    zoom: float = 1.0,
    focus: Mapping[int, float] | None = None,
    mirrored: bool = False,
) -> MapLayout:
    """Return where everything lies.

    Args:
        plan: what is to be shown.
        width: of the view.
        height: of the view.
        zoom: 1 fits the net into the view; content may be wider then for very long nets.
        focus: by column, how much it is in focus, 0-1; in between while it grows.
        mirrored: input at the right, for languages that run from right to left.
    """
    em = plan.metrics.em
    focus = {index: amount for index, amount in (focus or {}).items() if 0 <= index < len(plan.columns)}
    rows = _rows(plan, height)
    scene = content_width(plan, width, zoom)
    source_w = _source_width(plan)
    edge = 0.6 * em
    widths, pitch = _widths(plan, scene - source_w - 2 * edge, width, zoom, focus)
    total = source_w + sum(widths) + 2 * edge
    scene = max(scene, total)
    x = edge + (scene - total) / 2
    side = 0.85 * rows.high
    source = Rect(x + (source_w - side) / 2, rows.trunk - side / 2, side, side)
    if side > source_w:
        source = Rect(x, rows.trunk - source_w / 2, source_w, source_w)
    x += source_w
    bottom = (rows.caption if rows.caption is not None else rows.label) + plan.metrics.line
    columns: list[Column] = []
    for index, (column, share) in enumerate(zip(plan.columns, widths, strict=True)):
        made = _column(column, index, x, share, rows, em, bottom)
        if made.shape == "funnel":
            before = columns[-1].body.h if columns else source.h
            before = max(made.body.h, min(before, rows.high))
            made = replace(made, before=before)
        columns.append(made)
        x += share
    layout = MapLayout(
        width=scene,
        height=height,
        trunk_y=rows.trunk,
        source=source,
        columns=tuple(columns),
        labels=block_labels(plan, columns, focus, scene),
        captions=group_captions(plan, columns) if rows.caption is not None else (),
        label_y=rows.label,
        caption_y=rows.caption,
        pitch=pitch,
        source_caption=plan.source_shape,
    )
    return mirror(layout) if mirrored else layout
