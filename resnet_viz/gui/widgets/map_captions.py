"""Which labels and captions have room below the network map. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .map_geometry import Caption, Column
from .map_plan import Plan


def block_labels(
    plan: Plan, columns: Sequence[Column], focus: Mapping[int, float], width: float
) -> tuple[Caption, ...]:
    """Return the block titles that have room: focus first, then each group's first, then every k-th."""
    measure, em = plan.metrics.measure, plan.metrics.em
    sizes = [measure(column.block.title) for column in plan.columns]
    pitches = sorted(column.slot.w for column in columns)
    pitch = pitches[len(pitches) // 2] if pitches else 1.0
    room = (sorted(sizes)[int(0.75 * len(sizes))] if sizes else 0.0) + 0.6 * em
    step = next((k for k in (1, 2, 3, 5, 10, 20, 50, 100) if k * pitch >= room), 200)

    def rank(index: int) -> int:
        if focus.get(index, 0.0) > 0.5:
            return 0
        inside = index - plan.groups[plan.columns[index].group].first
        if inside % step == 0:
            return 1 if inside == 0 else 2
        return 9 if plan.columns[index].block.stage else 3  # outside the stages names do not count on

    taken: list[tuple[float, float]] = []
    labels: list[Caption] = []
    for index in sorted(range(len(columns)), key=rank):
        if rank(index) == 9:
            break
        slot = columns[index].slot
        middle = min(columns[index].body.cx, width - 2 - sizes[index] / 2)
        left, right = middle - sizes[index] / 2, middle + sizes[index] / 2
        if all(right + 0.3 * em <= a or b + 0.3 * em <= left for a, b in taken):
            taken.append((left, right))
            labels.append(Caption(plan.columns[index].block.title, middle, slot.x, slot.right, index))
    return tuple(sorted(labels, key=lambda label: label.index))


def group_captions(plan: Plan, columns: Sequence[Column]) -> tuple[Caption, ...]:
    """Return for each group the longest caption that fits below it; empty where none does."""
    captions: list[Caption] = []
    for index, group in enumerate(plan.groups):
        left, right = columns[group.first].slot.x, columns[group.last].slot.right
        text = next((text for text in group.texts if plan.metrics.measure(text) <= right - left - 2), "")
        alone = group.first == group.last
        middle = columns[group.first].body.cx if alone else (left + right) / 2
        captions.append(Caption(text, middle, left, right, index))
    return tuple(captions)
