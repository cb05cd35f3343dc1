"""One changed net over ever more pictures: wrong answers, and ||F(x)|| / ||x|| as the change leaves it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from resnet_viz.core.errors import DataError, UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import F32, I64, U8, BlockInfo, Normalization
from resnet_viz.data.batches import normalise
from resnet_viz.hooks.intervene import has_skip, intervene, watch_additions
from resnet_viz.hooks.state import borrow

from .lesion_walk import Pictures

FIRST = (50, 100)
"""Pictures of the first batches: few, so that a first answer comes at once."""


@dataclass(frozen=True, slots=True)
class LesionCount:
    """What was counted over some pictures; two of them can be added.

    Attributes:
        wrong: wrong answers.
        n: pictures.
        sums: by residual block the sum of ||F(x)|| / ||x|| over the pictures.
    """

    wrong: int = 0
    n: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: LesionCount) -> LesionCount:
        """Return the count over the pictures of both."""
        names = self.sums or other.sums
        sums = {name: self.sums.get(name, 0.0) + other.sums.get(name, 0.0) for name in names}
        return LesionCount(self.wrong + other.wrong, self.n + other.n, sums)

    @property
    def error(self) -> float:
        """Share of wrong answers, 0-1; NaN over no pictures."""
        return self.wrong / self.n if self.n else math.nan

    @property
    def f_to_x(self) -> dict[str, float]:
        """||F(x)|| / ||x|| by block, the mean over pictures; 0 for a deleted block, inf for a cut skip."""
        return {name: value / self.n for name, value in self.sums.items()} if self.n else {}


def slices(count: int, side: int) -> list[slice]:
    """Return the batches in which pictures are taken: the first ones small, none too large for the memory.

    Args:
        count: pictures in all.
        side: of each, in pixels.
    """
    largest = Pictures.most(side * side)
    found: list[slice] = []
    start = 0
    while start < count:
        size = min(FIRST[len(found)] if len(found) < len(FIRST) else largest, largest)
        found.append(slice(start, min(count, start + size)))
        start += size
    return found


def lesion_now(
    net: nn.Module,
    images: U8,
    labels: I64,
    normalization: Normalization,
    *,
    blocks: Sequence[BlockInfo],
    deleted: Collection[str] = (),
    cut: Collection[str] = (),
    token: CancelToken = NEVER,
) -> Iterator[LesionCount]:
    """Yield the count over ever more pictures, the last one over all.

    Args:
        net: maps normalised pictures to logits (N, classes); given back as it was between two counts.
        images: uint8 (N, S, S, C), of the net's input size.
        labels: int64 (N,), indices into the net's classes.
        normalization: what the net was trained with.
        blocks: of the net; of those with a skip ||F(x)|| / ||x|| is taken.
        deleted: names of blocks, see :func:`.intervene.intervene`.
        cut: names of blocks whose skips carry nothing.
        token: looked at at each block.

    Raises:
        DataError: if there are no pictures, or a label the net cannot answer.
        UserError: as :func:`.intervene.intervene`.
    """
    if not len(labels):
        raise DataError("There are no pictures to evaluate on. Choose another data set.")
    total = LesionCount()
    for part in slices(len(labels), images.shape[1]):
        total += count_batch(
            net, images[part], labels[part], normalization, blocks=blocks, deleted=deleted, cut=cut, token=token
        )
        yield total


def count_batch(
    net: nn.Module,
    images: U8,
    labels: I64,
    normalization: Normalization,
    *,
    blocks: Sequence[BlockInfo],
    deleted: Collection[str] = (),
    cut: Collection[str] = (),
    token: CancelToken = NEVER,
) -> LesionCount:
    """Count over pictures that fit into one pass; arguments and errors as for :func:`lesion_now`."""
    x = normalise(torch.from_numpy(images).permute(0, 3, 1, 2), normalization)
    skips = [block.name for block in blocks if has_skip(net, block)]
    sums = {name: 0.0 if name in deleted else math.inf if name in cut else math.nan for name in skips}
    watched = [name for name in skips if name not in deleted and name not in cut]

    def add(name: str, branch: Tensor, shortcut: Tensor) -> None:
        across = tuple(range(1, branch.ndim))
        f, carried = (torch.linalg.vector_norm(value.double(), dim=across) for value in (branch, shortcut))  # (N,)
        sums[name] = float(torch.where(carried > 0, f / carried, torch.inf).sum())

    with ExitStack() as stack:
        stack.enter_context(intervene(net, deleted, cut))
        stack.enter_context(watch_additions(net, watched, add))
        logits = _answers(net, x, blocks, token)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise DataError(
            f"The data set has class {int(labels.max())}, the net has {logits.shape[1]} classes. Choose another one."
        )
    wrong = int((logits.argmax(1) != torch.from_numpy(labels)).sum())
    return LesionCount(wrong, len(labels), sums)


def logits_without(
    net: nn.Module,
    x: Tensor,
    *,
    blocks: Sequence[BlockInfo],
    deleted: Collection[str] = (),
    cut: Collection[str] = (),
    token: CancelToken = NEVER,
) -> F32:
    """Return the logits (N, classes) of normalised pictures (N, C, H, W) without some blocks or skips."""
    with intervene(net, deleted, cut):
        found: F32 = _answers(net, x, blocks, token).numpy()
    return found


def _answers(net: nn.Module, x: Tensor, blocks: Sequence[BlockInfo], token: CancelToken) -> Tensor:
    """Return the logits (N, classes) in eval mode, float32; the token is looked at behind each block."""
    modules = dict(net.named_modules())

    def check(*_: Any) -> None:
        token.check()

    handles = [modules[block.out].register_forward_hook(check) for block in blocks if block.out in modules]
    try:
        token.check()
        with borrow(net, training=False), torch.inference_mode():
            logits = net(x)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        raise UserError("The net returns no (N, classes) tensor. Choose a classifier.")
    return logits.float()
