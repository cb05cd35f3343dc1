"""What the network map has to show of a net, before anyone knows how much room there is.

No Qt and no torch: texts are measured by a function that the caller brings along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from resnet_viz.core.types import BlockInfo, LayerInfo

Place = Literal["body", "tail", "skip", "add"]
Shape = Literal["box", "funnel", "capsule"]

SHORTCUT_NAMES = ("downsample", "shortcut", "skip")
ACTIVATION_KINDS = ("ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "ELU", "Softmax", "Hardswish")
KIND_LABELS = {"Conv": "conv", "BatchNorm": "bn", "Linear": "fc", "Dropout": "drop", "Pool": "pool", "Identity": "id"}
FEW_OUTSIDE = 10
"""Up to this many blocks outside the stages (stem, pool, head) always have room for their label."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Sizes of the texts in pixels; everything else on the map is a multiple of them.

    Attributes:
        em: size of the application's font.
        line: height of a line in the small font.
        measure: width of a text in the small font.
    """

    em: float
    line: float
    measure: Callable[[str], float]


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One layer inside a block.

    Attributes:
        layer: its name.
        label: short text inside the cell.
        place: ``"body"`` on the branch, ``"tail"`` after the addition, ``"skip"`` on the arc,
            ``"add"`` the addition itself.
        weight: share of the width while there is no room for labels: convolutions stand out.
        need_px: width at which the label can be read.
    """

    layer: str
    label: str
    place: Place
    weight: float
    need_px: float


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One block.

    Attributes:
        block: the block.
        shape: how its body is drawn: a box, a funnel (pooling), a capsule (vectors).
        cells: its layers in forward order.
        level: height 0-1, from the resolution of its output.
        weight: share of the width, from its channels.
        minimum_px: width that it always has.
        need_px: width at which all its labels can be read.
        group: index of its group.
    """

    block: BlockInfo
    shape: Shape
    cells: tuple[CellPlan, ...]
    level: float
    weight: float
    minimum_px: float
    need_px: float
    group: int

    def at(self, place: Place) -> tuple[CellPlan, ...]:
        """Return the cells that stand at ``place``."""
        return tuple(cell for cell in self.cells if cell.place == place)

    @property
    def forks(self) -> bool:
        """Whether room for an addition is kept: residual blocks, and plain ones so that twins align."""
        return self.block.kind in ("residual", "plain")


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Neighbours that share a caption: a stage, or equal blocks outside the stages.

    Attributes:
        first, last: indices of its columns, both included.
        texts: captions, longest first; the first that fits is drawn.
        stage: number of the stage, 0 outside the stages.
    """

    first: int
    last: int
    texts: tuple[str, ...]
    stage: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All columns and groups of a net, and the two lines below the picture that enters it."""

    columns: tuple[ColumnPlan, ...]
    groups: tuple[GroupPlan, ...]
    source_title: str
    source_shape: str
    metrics: Metrics


def group_texts(stage: int, kind: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return English captions of a group, longest first; the window brings a translated one."""
    del kind
    if len(shape) == 3 and shape[1] * shape[2] > 1:
        size = f"{shape[1]}×{shape[2]}"
        short = (f"{size} · {shape[0]:,}", size)
        if stage:
            return (f"stage {stage} · {size} · {shape[0]:,} channels", f"{size} · {shape[0]:,} channels", *short)
        return short
    return (f"{shape[0]:,}",) if shape else ()


def make_plan(
    blocks: Sequence[BlockInfo],
    layers: Sequence[LayerInfo],
    metrics: Metrics,
    texts: Callable[[int, str, tuple[int, ...]], tuple[str, ...]] = group_texts,
    source_title: str = "input",
) -> Plan:
    """Return what is to be drawn of a net.

    Args:
        blocks: from input to output.
        layers: of the whole net; layers that a block names but that are missing are left out.
        metrics: sizes of the texts.
        texts: captions of a group by stage, kind and output shape.
        source_title: label of the picture that enters the net.
    """
    known = {layer.name: layer for layer in layers}
    levels = _levels(blocks)
    widest = [math.log2(max(1, block.out_shape[0])) for block in blocks if block.out_shape]
    least = min(widest, default=0.0)
    keys = [_group_key(block) for block in blocks]
    groups: list[GroupPlan] = []
    columns: list[ColumnPlan] = []
    few = sum(block.stage == 0 for block in blocks) <= FEW_OUTSIDE
    for key, members in groupby(enumerate(blocks), key=lambda item: keys[item[0]]):
        indices = [index for index, _ in members]
        # a pool that ends a stage belongs to it, but the stage is known by the maps its blocks make
        shown = [blocks[index] for index in indices if blocks[index].kind != "pool"] or [blocks[indices[-1]]]
        captions = texts(key[0], shown[-1].kind, shown[-1].out_shape)
        for index in indices:
            block = blocks[index]
            cells = _cells(block, known, metrics)
            minimum = 0.0
            if few and block.stage == 0:
                minimum = max(metrics.measure(text) for text in (block.title, *captions[-1:])) + 0.7 * metrics.em
            columns.append(
                ColumnPlan(
                    block=block,
                    shape=_shape(block),
                    cells=cells,
                    level=levels[index],
                    weight=_weight(block, least),
                    minimum_px=minimum,
                    need_px=max(minimum, _need(block, cells, metrics)),
                    group=len(groups),
                )
            )
        groups.append(GroupPlan(indices[0], indices[-1], captions, key[0]))
    entering = texts(0, "input", blocks[0].in_shape) if blocks else ()
    return Plan(tuple(columns), tuple(groups), source_title, "".join(entering[-1:]), metrics)


def _group_key(block: BlockInfo) -> tuple[int, str, tuple[int, ...]]:
    return (block.stage, "", ()) if block.stage else (0, block.kind, block.out_shape)


def _side(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 3 else 1


def _levels(blocks: Sequence[BlockInfo]) -> list[float]:
    """Return heights 0-1: equal steps for each halving of the resolution."""
    sides = [math.log2(_side(block.out_shape)) if _side(block.out_shape) > 1 else None for block in blocks]
    spatial = [side for side in sides if side is not None]
    low, high = min(spatial, default=0.0), max(spatial, default=0.0)
    # a picture of 2x2 next to one of 1x1 should not look like the whole way from 224 to 7
    span = max(high - low, 1.0)
    vectors = [math.log2(max(2, b.out_shape[0] if b.out_shape else 1)) for b in blocks if _side(b.out_shape) <= 1]
    most = max(vectors, default=1.0)
    levels: list[float] = []
    for block, side in zip(blocks, sides, strict=True):
        if side is not None:
            levels.append(1.0 - (high - side) / span * 0.95)
        elif len(vectors) > 2 and block.out_shape:
            # dense layers have no resolution: their height is the number of values
            levels.append((0.3 if spatial else 0.8) * math.log2(max(2, block.out_shape[0])) / most)
        else:
            levels.append(0.0)
    return levels


def _shape(block: BlockInfo) -> Shape:
    if block.kind == "pool":
        return "funnel"
    return "capsule" if block.kind in ("head", "dense") or len(block.out_shape) < 3 else "box"


def _weight(block: BlockInfo, least: float) -> float:
    base = {"pool": 0.5, "head": 0.6, "dense": 0.7, "stem": 0.9}.get(block.kind, 1.0)
    channels = math.log2(max(1, block.out_shape[0])) if block.out_shape else least
    return base * (1.0 + 0.08 * (channels - least))


def _relative(name: str, block: str) -> str:
    return name[len(block) + 1 :] if name.startswith(f"{block}.") else name


def _kind_weight(kind: str) -> float:
    if "Conv" in kind or kind == "Linear":
        return 3.0
    return 1.5 if "Pool" in kind else 1.0


def cell_label(name: str, block: str, kind: str) -> str:
    """Return the short text of a layer: the end of its name, or its kind where that is a number."""
    last = _relative(name, block).rsplit(".", 1)[-1]
    if not last.isdigit():
        return last
    if kind.startswith("Conv") and "downsample" in name:
        return "1×1"
    return next((label for part, label in KIND_LABELS.items() if part in kind), kind.lower())


def _cells(block: BlockInfo, known: Mapping[str, LayerInfo], metrics: Metrics) -> tuple[CellPlan, ...]:
    names = [name for name in block.layers if name in known]
    # a container beside its own children would show every layer twice
    names = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    if len(names) == 1 and names[0] == block.out and block.kind != "residual":
        return ()
    cells: list[CellPlan] = []
    added = False
    for position, name in enumerate(names):
        kind = known[name].kind
        place: Place = "body"
        if name == block.add:
            place, added = "add", True
        elif known[name].role == "shortcut" or _relative(name, block.name).split(".")[0] in SHORTCUT_NAMES:
            place = "skip"
        elif added:
            place = "tail"
        elif block.kind == "plain" and position == len(names) - 1 and kind in ACTIVATION_KINDS:
            place = "tail"  # where the residual twin has it
        label = "+" if place == "add" else cell_label(name, block.name, kind)
        need = metrics.measure(label) + 0.75 * metrics.em
        cells.append(CellPlan(name, label, place, _kind_weight(kind), need))
    return tuple(cells)


def _need(block: BlockInfo, cells: Sequence[CellPlan], metrics: Metrics) -> float:
    """Return the width at which every cell of a block has room for its label."""
    if not cells:
        return 0.0
    em = metrics.em
    body = sum(cell.need_px + 0.2 * em for cell in cells if cell.place == "body")
    tail = sum(cell.need_px + 0.2 * em for cell in cells if cell.place == "tail")
    skip = sum(cell.need_px + 0.2 * em for cell in cells if cell.place == "skip")
    around = (3.6 if block.kind in ("residual", "plain") else 1.6) * em
    return max(body + tail, skip + 2 * em) + around + (0.6 * em if tail else 0.0)
