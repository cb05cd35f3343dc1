"""Wrong answers under many lesions at once, with the work before each lesion done once.

A net with one block deleted computes what the whole net computes up to that block. So a batch
walks through an own net block by block, and at each block only the rest is run without it: half
the work for all blocks together. The values are the same to the last bit. Whether a net's blocks,
run one after the other, give its answers is tried out before; if not, whole passes are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resnet_viz.core.errors import DataError, UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import I64, U8, Normalization
from resnet_viz.data.batches import normalise
from resnet_viz.hooks.intervene import intervene, watch_additions
from resnet_viz.hooks.state import borrow

Progress = Callable[[float], None]

BATCH = 250
PIXELS = BATCH * 1024
"""Pictures per batch, and pixels: fewer pictures where they are large."""


@dataclass(frozen=True, slots=True)
class Lesion:
    """Names of deleted blocks and of blocks with cut skips; none is the whole net."""

    deleted: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A net and what it is asked.

    Attributes:
        net: maps normalised pictures to logits (N, classes).
        images: uint8 (N, H, W, C).
        labels: int64 (N,).
        normalization: what the net was trained with.
        batch: pictures per pass, None for a fitting number.
    """

    net: nn.Module
    images: U8
    labels: I64
    normalization: Normalization
    batch: int | None = None

    def size(self) -> int:
        """Return the number of pictures in a batch."""
        return self.batch or self.most(self.images.shape[1] * self.images.shape[2])

    @staticmethod
    def most(pixels: int) -> int:
        """Return how many pictures of so many pixels each a pass takes at most."""
        return min(BATCH, max(8, PIXELS // max(1, pixels)))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What was counted so far.

    Attributes:
        wrong: int64 (L,), wrong answers by lesion.
        n: pictures so far.
        f_to_x: by watched block, the mean of ||F(x)|| / ||x|| in the whole net.
    """

    wrong: I64
    n: int
    f_to_x: dict[str, float] = field(default_factory=dict)


def count_wrong(
    pictures: Pictures,
    lesions: Sequence[Lesion],
    watched: Collection[str],
    token: CancelToken,
    progress: Progress | None = None,
    *,
    reuse: bool = True,
) -> Iterator[Counts]:
    """Count the wrong answers under each lesion; yield after each batch.

    Args:
        pictures: net, images and labels; the net is as it was whenever something is yielded.
        lesions: what is done to it, each in turn; the whole net must be among them if ``watched``.
        watched: residual blocks whose ||F(x)|| / ||x|| is wanted.
        token: looked at before each block, or pass where no work is shared.
        progress: called with the share done, 0-1.
        reuse: whether the work before a lesion may be shared.

    Raises:
        DataError: if there are no pictures, or a label the net cannot answer.
        UserError: as :func:`.intervene.intervene`, or if the net returns no (N, classes) tensor.
    """
    count = len(pictures.labels)
    if not count:
        raise DataError("There are no pictures to evaluate on. Choose another data set.")
    images = torch.from_numpy(pictures.images).permute(0, 3, 1, 2)
    steps: list[_Step] | None = None
    wrong = np.zeros(len(lesions), np.int64)
    sums = dict.fromkeys(watched, 0.0)
    size = pictures.size()
    for start in range(0, count, size):
        token.check()
        labels = torch.from_numpy(pictures.labels[start : start + size])
        with borrow(pictures.net, training=False), torch.inference_mode():
            x = normalise(images[start : start + size], pictures.normalization)
            if start == 0 and reuse:
                steps = _steps(pictures.net, x[:8])
            walk = _Walk(pictures.net, steps, lesions, sums)
            for done, (index, logits) in enumerate(walk.run(x, token), start=1):
                wrong[index] += _wrong(logits, labels)
                if progress is not None:
                    progress((start + len(labels) * done / len(lesions)) / count)
        n = start + len(labels)
        yield Counts(wrong.copy(), n, {name: total / n for name, total in sums.items()})


def _wrong(logits: Any, labels: Tensor) -> int:
    """Return how many of the labels (n,) the logits (n, classes) do not name."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(labels):
        raise UserError("The net returns no (N, classes) tensor. Choose a classifier.")
    outside = labels[(labels < 0) | (labels >= logits.shape[1])]
    if len(outside):
        raise DataError(
            f"The data set has class {int(outside[0])}, the net has {logits.shape[1]} classes. Choose another one."
        )
    return int((logits.argmax(1) != labels).sum())


@dataclass(frozen=True, slots=True)
class _Step:
    """One block of an own net, and the modules that it calls in order."""

    name: str
    modules: tuple[nn.Module, ...]

    def __call__(self, x: Tensor) -> Tensor:
        for module in self.modules:
            if isinstance(module, nn.Linear) and x.ndim > 2:
                x = x.flatten(1)  # own nets do so without a module
            x = module(x)
        return x


def _steps(net: nn.Module, x: Tensor) -> list[_Step] | None:
    """Return an own net's blocks in order, None if they do not answer exactly as the net does."""
    specs = getattr(net, "block_specs", None)
    if not callable(specs):
        return None
    modules = dict(net.named_modules())
    steps = []
    for spec in specs():
        called = (spec.name,) if spec.kind in ("residual", "plain") else spec.layers
        steps.append(_Step(spec.name, tuple(modules[name] for name in called)))
    value = x
    try:
        for step in steps:
            value = step(value)
    except (RuntimeError, TypeError):  # they do not even fit together
        return None
    return steps if torch.equal(value, net(x)) else None


class _Walk:
    """One batch under all lesions."""

    def __init__(
        self, net: nn.Module, steps: list[_Step] | None, lesions: Sequence[Lesion], sums: dict[str, float]
    ) -> None:
        self._net, self._steps, self._lesions, self._sums = net, steps, lesions, sums

    def run(self, x: Tensor, token: CancelToken) -> Iterator[tuple[int, Any]]:
        """Yield each lesion's index and the logits (N, classes) under it, for x (N, C, H, W)."""
        if self._steps is None:
            for index, lesion in enumerate(self._lesions):
                token.check()
                yield index, self._under(lesion, self._net, x)
            return
        order = {step.name: place for place, step in enumerate(self._steps)}
        # unknown names come first, so that their message is the first thing to be heard
        first = [
            min((order.get(name, 0) for name in (*lesion.deleted, *lesion.cut)), default=len(order))
            for lesion in self._lesions
        ]
        for place, step in enumerate(self._steps):
            for index in (index for index, begins in enumerate(first) if begins == place):
                token.check()
                yield index, self._under(self._lesions[index], self._rest(place, token), x)
            if any(begins > place for begins in first):
                token.check()
                x = self._watching([step.name] if step.name in self._sums else [], step, x)
        for index in (index for index, begins in enumerate(first) if begins == len(order)):
            yield index, x

    def _rest(self, place: int, token: CancelToken) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            assert self._steps is not None
            for step in self._steps[place:]:
                token.check()
                x = step(x)
            return x

        return run

    def _under(self, lesion: Lesion, run: Callable[[Tensor], Any], x: Tensor) -> Any:
        if not lesion.deleted and not lesion.cut:
            return self._watching(list(self._sums), run, x)
        with intervene(self._net, lesion.deleted, lesion.cut):
            return run(x)

    def _watching(self, names: list[str], run: Callable[[Tensor], Any], x: Tensor) -> Any:
        if not names:
            return run(x)
        with watch_additions(self._net, names, self._add):
            return run(x)

    def _add(self, name: str, branch: Tensor, shortcut: Tensor) -> None:
        across = tuple(range(1, branch.ndim))
        f, x = (torch.linalg.vector_norm(value.double(), dim=across) for value in (branch, shortcut))  # (N,)
        self._sums[name] += float(torch.where(x > 0, f / x, torch.inf).sum())
