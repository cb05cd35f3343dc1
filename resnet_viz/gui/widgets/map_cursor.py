"""Where the arrow keys lead on the network map. No Qt."""

from __future__ import annotations

from typing import Literal

from .map_plan import Plan

Step = Literal["forward", "back", "in", "out", "first", "last"]
Cursor = tuple[int, str]
"""A column, and the name of a layer in it; the name is empty on the block as a whole."""


def move(plan: Plan, cursor: Cursor, step: Step) -> Cursor:
    """Return where a step leads: the same place where there is nothing further.

    On a block, forward and back go to the neighbouring blocks; on a layer, to the
    neighbouring layers, across the borders of blocks. In goes from a block to its first
    layer, out from a layer to its block.
    """
    index, layer = cursor
    if not plan.columns:
        return cursor
    index = max(0, min(index, len(plan.columns) - 1))
    names = [cell.layer for cell in plan.columns[index].cells]
    if layer not in names:
        layer = ""
    if step == "in":
        return (index, layer or names[0]) if names else (index, "")
    if step == "out":
        return index, ""
    if not layer:
        target = {"forward": index + 1, "back": index - 1, "first": 0, "last": len(plan.columns) - 1}[step]
        return max(0, min(target, len(plan.columns) - 1)), ""
    places = [(at, cell.layer) for at, column in enumerate(plan.columns) for cell in column.cells]
    here = places.index((index, layer))
    there = {"forward": here + 1, "back": here - 1, "first": 0, "last": len(places) - 1}[step]
    return places[max(0, min(there, len(places) - 1))]


def locate(plan: Plan, layer: str | None, block: str = "") -> tuple[int, ...]:
    """Return the columns that a layer's name means.

    That is the block it belongs to; for a container of blocks, such as a stage, all of them.

    Args:
        plan: the net.
        layer: a layer's, block's or container's name.
        block: the block it is known to belong to, if any.
    """
    if not layer:
        return ()
    for wanted in (layer, block):
        for index, column in enumerate(plan.columns):
            info = column.block
            if wanted and wanted in (info.name, info.out, *info.layers):
                return (index,)
    inside = f"{layer}."
    return tuple(
        index
        for index, column in enumerate(plan.columns)
        if column.block.name.startswith(inside) or any(name.startswith(inside) for name in column.block.layers)
    )
