"""The shapes on the network map, and what lies under a point. No Qt, no torch.

All numbers are pixels, y grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .map_plan import Place, Shape


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle: left, top, width, height."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + self.h

    @property
    def cx(self) -> float:
        """Middle, horizontally."""
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        """Middle, vertically."""
        return self.y + self.h / 2

    def contains(self, x: float, y: float, slack: float = 0.0) -> bool:
        """Whether a point lies inside, or at most ``slack`` outside."""
        return self.x - slack <= x <= self.right + slack and self.y - slack <= y <= self.bottom + slack

    def mirrored(self, width: float) -> Rect:
        """Return the rectangle as seen in a mirror of a scene ``width`` wide."""
        return replace(self, x=width - self.right)


@dataclass(frozen=True, slots=True)
class Cell:
    """One layer as drawn.

    Attributes:
        layer: its name.
        text: its label, empty where there is no room.
        place: where in the block it stands.
        rect: where on the map.
        clickable: whether it is wide enough to be pointed at.
        heavy: whether it is a convolution or the like.
    """

    layer: str
    text: str
    place: Place
    rect: Rect
    clickable: bool
    heavy: bool = True


@dataclass(frozen=True, slots=True)
class Arc:
    """A skip connection: up from the trunk at ``start``, over the block, down at ``end`` on the addition.

    Attributes:
        start, end: x of its two feet; ``end`` is the left one in a mirrored layout.
        base: y of the trunk.
        spring: y at which its sides begin to bend.
        top: y of its highest point.
        skip: ``"identity"``, ``"A"`` or ``"B"``.
    """

    start: float
    end: float
    base: float
    spring: float
    top: float
    skip: str


@dataclass(frozen=True, slots=True)
class Column:
    """One block as drawn.

    Attributes:
        index: its place from the input.
        block: its name.
        slot: everything that belongs to it, labels included.
        body: the block itself.
        shape: how the body is drawn.
        before: height of a funnel's wide end, towards the input; None for other shapes.
        cells: its layers, in forward order.
        arc: its skip connection, if any.
        mirrored: whether the input is at the right.
    """

    index: int
    block: str
    slot: Rect
    body: Rect
    shape: Shape
    before: float | None
    cells: tuple[Cell, ...]
    arc: Arc | None
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Caption:
    """A text centred at ``x``; ``left`` to ``right`` is what it speaks of."""

    text: str
    x: float
    left: float
    right: float
    index: int


@dataclass(frozen=True, slots=True)
class MapLayout:
    """The finished geometry.

    Attributes:
        width, height: of the whole scene; the width may exceed the view's.
        trunk_y: y of the trunk line.
        source: the input picture's place.
        columns: one per block.
        labels: titles below blocks; thinned out where there is no room.
        captions: of groups; ``index`` is the group's.
        label_y, caption_y: tops of the two lines of text; ``caption_y`` is None without room.
        pitch: width of a block that is not in focus.
        source_caption: shape of the input.
    """

    width: float
    height: float
    trunk_y: float
    source: Rect
    columns: tuple[Column, ...]
    labels: tuple[Caption, ...]
    captions: tuple[Caption, ...]
    label_y: float
    caption_y: float | None
    pitch: float
    source_caption: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """What lies under a point: a layer's cell, the addition, a skip's arc, or a block."""

    kind: Literal["layer", "add", "arc", "block"]
    index: int
    block: str
    layer: str = ""


def mirror(layout: MapLayout) -> MapLayout:
    """Return the layout with the input at the right."""
    width = layout.width

    def column(old: Column) -> Column:
        arc = old.arc and replace(old.arc, start=width - old.arc.start, end=width - old.arc.end)
        cells = tuple(replace(cell, rect=cell.rect.mirrored(width)) for cell in old.cells)
        return replace(
            old, slot=old.slot.mirrored(width), body=old.body.mirrored(width), cells=cells, arc=arc, mirrored=True
        )

    def caption(old: Caption) -> Caption:
        return replace(old, x=width - old.x, left=width - old.right, right=width - old.left)

    return replace(
        layout,
        source=layout.source.mirrored(width),
        columns=tuple(column(old) for old in layout.columns),
        labels=tuple(caption(old) for old in layout.labels),
        captions=tuple(caption(old) for old in layout.captions),
    )


def hit_test(layout: MapLayout, x: float, y: float, slack: float = 3.0) -> Hit | None:
    """Return what lies at a point of the scene, None beside the net.

    The addition and the layers on a shortcut come first, then layers, the block's body, its
    arc with all the room above the body, and the rest of the block's column.
    """
    for column in layout.columns:
        if not column.slot.contains(x, y):
            continue
        small = [cell for cell in column.cells if cell.place in ("add", "skip") and cell.clickable]
        for cell in small:
            if cell.rect.contains(x, y, slack):
                return Hit("add" if cell.place == "add" else "layer", column.index, column.block, cell.layer)
        for cell in column.cells:
            if cell.clickable and cell.rect.contains(x, y):
                return Hit("layer", column.index, column.block, cell.layer)
        if not column.body.contains(x, y) and column.arc is not None and _on_arc(column, column.arc, x, y, slack):
            return Hit("arc", column.index, column.block)
        return Hit("block", column.index, column.block)
    return None


def _on_arc(column: Column, arc: Arc, x: float, y: float, slack: float) -> bool:
    left, right = min(arc.start, arc.end), max(arc.start, arc.end)
    if not (left - slack <= x <= right + slack and arc.top - 2 * slack <= y <= arc.base):
        return False
    return y <= column.body.y or abs(x - left) <= slack or abs(x - right) <= slack
