"""What each block is worth: the error without it (Veit, Wilber and Belongie 2016, section 4).

Differs from the paper: errors are shares of the pictures asked for, single view, in eval mode;
the statistics of batch norm stay those of the whole net, as there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.random import PCG64, SeedSequence
from torch import nn

from resnet_viz.core.errors import UserError
from resnet_viz.core.lesion_types import BlockLesion, LesionKind, LesionStudy, RandomLesion
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, BlockInfo, Normalization
from resnet_viz.hooks.intervene import can_delete, has_skip
from resnet_viz.models.describe import describe

from .lesion_walk import Lesion, Pictures, Progress, count_wrong

T = TypeVar("T")


def lesion_blocks(net: nn.Module, input_shape: tuple[int, int, int], kind: LesionKind = "delete") -> list[BlockInfo]:
    """Return the blocks that can be deleted, or whose skip can be cut, from input to output.

    Args:
        net: any net; given back as it was.
        input_shape: (C, H, W) of the pictures.
        kind: which of the two.

    Raises:
        UserError: if there are none.
    """
    able = can_delete if kind == "delete" else has_skip
    found = [block for block in describe(net, input_shape)[1] if able(net, block)]
    if not found:
        what = "block that can be deleted" if kind == "delete" else "skip connection that can be cut"
        raise UserError(f"The net has no {what}. Choose a residual net, such as resnet20-cifar10.")
    return found


def pick_evenly(labels: I64, count: int, seed: int = 0) -> I64:
    """Choose pictures evenly from the classes, in an order in which every beginning is even too.

    Args:
        labels: int64 (N,).
        count: how many; N if there are no more. Classes too small for their share give all.
        seed: not negative; another one draws other pictures.

    Returns:
        int64 (count,), indices into ``labels``; as many of each class to within one picture.
    """
    keys = PCG64(SeedSequence(seed)).random_raw(len(labels))
    order = np.lexsort((keys, labels))  # by class, shuffled within
    sizes = np.unique(labels, return_counts=True)[1]
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.arange(len(labels)) - starts  # which of its class
    chosen: I64 = order[np.lexsort((keys[order], rank))][:count].astype(np.int64)
    return chosen


def error_of(
    net: nn.Module,
    images: U8,
    labels: I64,
    normalization: Normalization,
    *,
    deleted: Collection[str] = (),
    cut: Collection[str] = (),
    batch: int | None = None,
    token: CancelToken = NEVER,
    progress: Progress | None = None,
) -> tuple[float, int]:
    """Return the share of wrong answers without some blocks or skips, and the number of pictures.

    Args:
        net: maps normalised pictures to logits (N, classes); given back as it was.
        images: uint8 (N, H, W, C), of the net's input size.
        labels: int64 (N,), indices into the net's classes.
        normalization: what the net was trained with.
        deleted: names of blocks, see :func:`.intervene.intervene`.
        cut: names of blocks whose skips carry nothing.
        batch: pictures per pass; None chooses by their size.
        token: looked at before each pass.
        progress: called with the share done, 0-1.

    Raises:
        DataError: if there are no pictures, or a label the net cannot answer.
        UserError: as :func:`.intervene.intervene`.
    """
    lesions = [Lesion(frozenset(deleted), frozenset(cut))]
    count = final(count_wrong(Pictures(net, images, labels, normalization, batch), lesions, (), token, progress))
    return int(count.wrong[0]) / count.n, count.n


def lesion_each(
    net: nn.Module,
    images: U8,
    labels: I64,
    normalization: Normalization,
    *,
    kind: LesionKind = "delete",
    blocks: Sequence[BlockInfo] | None = None,
    batch: int | None = None,
    token: CancelToken = NEVER,
    progress: Progress | None = None,
) -> Iterator[LesionStudy]:
    """Delete every block in turn, or cut every skip; yield the study over ever more pictures.

    Between two studies the net is as it was, so a consumer may use it, or stop.

    Args:
        net: maps normalised pictures to logits; given back as it was.
        images: uint8 (N, H, W, C); in the order of :func:`pick_evenly` the first studies are good estimates.
        labels: int64 (N,).
        normalization: what the net was trained with.
        kind: what is done to each block.
        blocks: which ones; None takes all of :func:`lesion_blocks`.
        batch: pictures per study.
        token: looked at before each pass.
        progress: called with the share done, 0-1.

    Yields:
        After each batch a LesionStudy of all pictures so far; the last is of all.

    Raises:
        DataError, UserError: as :func:`error_of`; UserError too if there is nothing to change.
    """
    chosen = list(blocks) if blocks is not None else lesion_blocks(net, _shape(images), kind)
    skips = [block.name for block in chosen if has_skip(net, block)]
    whole = Lesion()
    one = [Lesion(**{"deleted" if kind == "delete" else "cut": frozenset([block.name])}) for block in chosen]
    for count in count_wrong(
        Pictures(net, images, labels, normalization, batch), [whole, *one], skips, token, progress
    ):
        errors = count.wrong / count.n
        yield LesionStudy(
            kind,
            float(errors[0]),
            count.n,
            tuple(
                BlockLesion(block.name, block.title, float(error), count.f_to_x.get(block.name))
                for block, error in zip(chosen, errors[1:], strict=True)
            ),
        )


def delete_at_random(
    net: nn.Module,
    images: U8,
    labels: I64,
    normalization: Normalization,
    *,
    k: int,
    repeats: int = 10,
    seed: int = 0,
    blocks: Sequence[BlockInfo] | None = None,
    batch: int | None = None,
    token: CancelToken = NEVER,
    progress: Progress | None = None,
) -> Iterator[RandomLesion]:
    """Delete k blocks drawn at random, several times (sec. 4.2, fig. 5a); yield as :func:`lesion_each`.

    Args:
        net: maps normalised pictures to logits; given back as it was.
        images: uint8 (N, H, W, C).
        labels: int64 (N,).
        normalization: what the net was trained with.
        k: blocks deleted at once, 1 up to all.
        repeats: draws S, each without putting back; the same set may come twice.
        seed: not negative; the same one draws the same sets on every machine.
        blocks: to draw from; None takes all of :func:`lesion_blocks`.
        batch: pictures per result.
        token: looked at before each pass.
        progress: called with the share done, 0-1.

    Raises:
        DataError, UserError: as :func:`error_of`; UserError too for a k or S that cannot be.
    """
    chosen = blocks if blocks is not None else lesion_blocks(net, _shape(images))
    names = [block.name for block in chosen]
    if not 1 <= k <= len(names):
        raise UserError(f"{k} blocks cannot be deleted, the net has {len(names)}. Choose a number from 1 up to that.")
    if repeats < 1:
        raise UserError(f"{repeats} draws give no result. Choose 1 or more.")
    keys = PCG64(SeedSequence(seed)).random_raw(repeats * len(names)).reshape(repeats, len(names))
    drawn = [tuple(names[i] for i in sorted(np.argsort(row, kind="stable")[:k])) for row in keys]
    lesions = [Lesion(), *(Lesion(frozenset(some)) for some in drawn)]
    for count in count_wrong(Pictures(net, images, labels, normalization, batch), lesions, (), token, progress):
        errors = count.wrong / count.n
        yield RandomLesion(k, seed, float(errors[0]), errors[1:], tuple(drawn), count.n)


def f_to_x(
    net: nn.Module,
    images: U8,
    normalization: Normalization,
    *,
    blocks: Sequence[BlockInfo] | None = None,
    batch: int | None = None,
    token: CancelToken = NEVER,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Return ||F(x)|| / ||x|| by block, the mean over pictures, with x what the skip carries to the addition.

    Args:
        net: maps normalised pictures to logits; given back as it was.
        images: uint8 (N, H, W, C).
        normalization: what the net was trained with.
        blocks: which ones; those without a skip are left out. None takes all.
        batch: pictures per pass.
        token: looked at before each pass.
        progress: called with the share done, 0-1.

    Returns:
        By name, input side first; inf where x is zero.
    """
    chosen = list(blocks) if blocks is not None else lesion_blocks(net, _shape(images), "cut")
    skips = [block.name for block in chosen if has_skip(net, block)]
    labels = np.zeros(len(images), np.int64)
    pictures = Pictures(net, images, labels, normalization, batch)
    return final(count_wrong(pictures, [Lesion()], skips, token, progress)).f_to_x


def final(results: Iterator[T]) -> T:
    """Return the last of the results, the one over all pictures."""
    return deque(results, maxlen=1)[0]


def _shape(images: U8) -> tuple[int, int, int]:
    """Return (C, H, W) of pictures (N, H, W, C)."""
    return images.shape[3], images.shape[1], images.shape[2]
