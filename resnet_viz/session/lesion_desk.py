"""The lesion board's questions: a net without some blocks or skips, every block in turn, blocks at random."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from resnet_viz.analysis.lesion import delete_at_random, final, lesion_blocks, lesion_each
from resnet_viz.analysis.lesion_now import LesionCount, count_batch, logits_without, slices
from resnet_viz.analysis.predictions import prediction
from resnet_viz.core.lesion_types import LesionStudy, RandomLesion
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import Fit, ImageInput, ModelCard, Prediction
from resnet_viz.data.batches import normalise
from resnet_viz.data.transforms import prepare
from resnet_viz.hooks.intervene import can_delete, has_skip
from resnet_viz.jobs.cache import ByteLRU
from resnet_viz.jobs.latest import Progress

from .gradient_nets import Shelf
from .gradient_requests import (
    LesionEach,
    LesionMeasured,
    LesionRandom,
    LesionsMeasured,
    MeasureLesion,
    NetChoice,
)
from .lesion_pictures import Labelled, pick_labelled, source_for
from .pace import Pace

PICTURE_BYTES = 300_000_000
COUNTS = 500
TOP = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Net:
    """An open net and what can be done to it."""

    key: Hashable
    net: nn.Module
    card: ModelCard
    can_delete: tuple[str, ...]
    can_cut: tuple[str, ...]


class LesionDesk:
    """Answers requests; belongs to one thread. What was counted is kept, so that a block put back costs nothing.

    Args:
        shelf: where nets and data sets come from.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._pictures: ByteLRU[Labelled] = ByteLRU(PICTURE_BYTES)
        # by net, pictures and lesion: one count for each batch so far; counted, not weighed
        self._counts: ByteLRU[list[LesionCount]] = ByteLRU(COUNTS)
        self._belief: tuple[Hashable, ImageInput, Fit, Prediction] | None = None

    def measure(self, request: MeasureLesion, token: CancelToken, progress: Progress) -> LesionMeasured:
        """Measure a changed net: confidences first, then the error over ever more pictures.

        Raises:
            UserError: if the net, a block or the pictures are at fault.
            Cancelled: if the token was set; it is looked at at every block.
        """
        opened = self._open(request.model, token)
        card, net = opened.card, opened.net
        now, before = self._believe(request, opened, token)
        known = LesionMeasured(card, None, None, 0, {}, now, before, opened.can_delete, opened.can_cut, "")
        pace = Pace(progress)
        pace(0.0, lambda: known)
        key, pictures = self._labelled(request, card, token, pace)
        known = replace(known, data=pictures.title)
        change = (request.deleted, request.cut)
        parts = slices(len(pictures.labels), card.input_size)
        whole, changed = (self._counted(opened.key, key, *lesion) for lesion in ((frozenset(), frozenset()), change))
        if len(whole) == len(parts):
            known = replace(known, base_error=_sum(whole).error)  # what is known is not taken back

        def answer() -> LesionMeasured:
            count = len(changed)
            done, base = _sum(changed), _sum(whole[:count])
            if not done.n:
                return known
            return replace(known, error=done.error, base_error=base.error, n=done.n, f_to_x=done.f_to_x)

        pace(0.0, answer)
        for index, part in enumerate(parts):
            for counts, (deleted, cut) in ((whole, (frozenset[str](), frozenset[str]())), (changed, change)):
                if len(counts) == index:
                    counts.append(
                        count_batch(
                            net, pictures.images[part], pictures.labels[part], card.normalization,
                            blocks=card.blocks, deleted=deleted, cut=cut, token=token,
                        )
                    )  # fmt: skip
            pace((index + 1) / len(parts), answer)
        return answer()

    def each(self, request: LesionEach, token: CancelToken, progress: Progress) -> LesionsMeasured:
        """Delete every block, or cut every skip, in turn, over ever more pictures; errors as :meth:`measure`."""
        opened = self._open(request.model, token)
        card = opened.card
        blocks = lesion_blocks(opened.net, (card.in_channels, card.input_size, card.input_size), request.kind)

        def study(pictures: Labelled, inner: Callable[[float], None]) -> LesionStudy:
            return final(
                lesion_each(
                    opened.net, pictures.images, pictures.labels, card.normalization,
                    kind=request.kind, blocks=blocks, batch=len(pictures.labels), token=token, progress=inner,
                )
            )  # fmt: skip

        return self._piecewise(request, opened, study, token, progress)

    def random(self, request: LesionRandom, token: CancelToken, progress: Progress) -> LesionsMeasured:
        """Delete some blocks at random, several times, over ever more pictures; errors as :meth:`measure`."""
        opened = self._open(request.model, token)
        card = opened.card
        blocks = lesion_blocks(opened.net, (card.in_channels, card.input_size, card.input_size))

        def study(pictures: Labelled, inner: Callable[[float], None]) -> RandomLesion:
            return final(
                delete_at_random(
                    opened.net, pictures.images, pictures.labels, card.normalization,
                    k=request.k, repeats=request.repeats, seed=request.seed, blocks=blocks,
                    batch=len(pictures.labels), token=token, progress=inner,
                )
            )  # fmt: skip

        return self._piecewise(request, opened, study, token, progress)

    def _piecewise(
        self,
        request: LesionEach | LesionRandom,
        opened: _Net,
        study: Callable[[Labelled, Callable[[float], None]], LesionStudy | RandomLesion],
        token: CancelToken,
        progress: Progress,
    ) -> LesionsMeasured:
        card = opened.card
        pace = Pace(progress)
        _, pictures = self._labelled(request, card, token, pace)
        plain = not opened.can_cut
        parts = slices(len(pictures.labels), card.input_size)
        total: LesionStudy | RandomLesion | None = None

        def answer() -> LesionsMeasured | None:
            return None if total is None else LesionsMeasured(card.title, plain, total, pictures.title)

        for part in parts:
            some = Labelled(pictures.images[part], pictures.labels[part], pictures.title)

            def inner(share: float, part: slice = part) -> None:
                pace((part.start + share * (part.stop - part.start)) / len(pictures.labels))

            total = merged(total, study(some, inner))
            progress(part.stop / len(pictures.labels), answer())
        found = answer()
        assert found is not None  # there is at least one picture
        return found

    # ---- what is kept ----

    def _open(self, choice: NetChoice, token: CancelToken) -> _Net:
        net, card = self._shelf.net(choice, choice.seed, token)
        return _Net(
            (self._shelf.key(choice), choice.seed),
            net,
            card,
            tuple(block.name for block in card.blocks if can_delete(net, block)),
            tuple(block.name for block in card.blocks if has_skip(net, block)),
        )

    def _labelled(
        self, request: MeasureLesion | LesionEach | LesionRandom, card: ModelCard, token: CancelToken, pace: Pace
    ) -> tuple[Hashable, Labelled]:
        """Return the pictures, and what tells them apart from others."""
        data = source_for(request.data, card)
        key = (
            self._shelf.pool_key(data, request.split), request.pictures, request.seed,
            card.input_size, card.in_channels, card.fit, card.classes,
        )  # fmt: skip
        found = self._pictures.get(key)
        if found is None:
            found = pick_labelled(
                data,
                card,
                split=request.split,
                count=request.pictures,
                seed=request.seed,
                pool=self._shelf.pool(data, request.split, token),
                token=token,
                progress=lambda _share: pace(0.0),
            )
            self._pictures.put(key, found, found.images.nbytes)
        return key, found

    def _counted(
        self, net: Hashable, pictures: Hashable, deleted: frozenset[str], cut: frozenset[str]
    ) -> list[LesionCount]:
        """Return the list that holds what was counted under a lesion; whoever counts on, adds to it."""
        key = (net, pictures, deleted, cut)
        found = self._counts.get(key)
        if found is None:
            found = []
            self._counts.put(key, found, 1)
        return found

    def _believe(
        self, request: MeasureLesion, opened: _Net, token: CancelToken
    ) -> tuple[Prediction | None, Prediction | None]:
        """Return what the changed net and the whole one say of the picture."""
        if request.image is None:
            return None, None
        card = opened.card
        view = prepare(request.image, request.fit, size=card.input_size, kind=card.fit, channels=card.in_channels)
        x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], card.normalization)  # (1, C, S, S)

        def ask(deleted: frozenset[str], cut: frozenset[str]) -> Prediction:
            logits = logits_without(opened.net, x, blocks=card.blocks, deleted=deleted, cut=cut, token=token)
            with np.errstate(invalid="ignore"):
                return prediction(logits[0], card.classes, TOP)

        kept = self._belief
        if kept is None or kept[0] != opened.key or kept[1] is not request.image or kept[2] != request.fit:
            kept = self._belief = (opened.key, request.image, request.fit, ask(frozenset(), frozenset()))
        changed = bool(request.deleted or request.cut)
        return (ask(request.deleted, request.cut) if changed else kept[3]), kept[3]


def _sum(counts: list[LesionCount]) -> LesionCount:
    total = LesionCount()
    for count in counts:
        total += count
    return total


def merged(total: LesionStudy | RandomLesion | None, new: LesionStudy | RandomLesion) -> LesionStudy | RandomLesion:
    """Return a study over the pictures of two, each weighed by how many it is over."""
    if total is None:
        return new
    n = total.n + new.n

    def error(one: float, other: float) -> float:
        return (round(one * total.n) + round(other * new.n)) / n  # of whole numbers of wrong answers

    base = error(total.base_error, new.base_error)
    if isinstance(total, LesionStudy) and isinstance(new, LesionStudy):
        blocks = []
        for one, other in zip(total.blocks, new.blocks, strict=True):
            ratio = None
            if one.f_to_x is not None and other.f_to_x is not None:
                ratio = (one.f_to_x * total.n + other.f_to_x * new.n) / n
            blocks.append(replace(one, error=error(one.error, other.error), f_to_x=ratio))
        return replace(total, base_error=base, n=n, blocks=tuple(blocks))
    assert isinstance(total, RandomLesion) and isinstance(new, RandomLesion) and total.deleted == new.deleted
    errors = np.array([error(one, other) for one, other in zip(total.errors, new.errors, strict=True)])
    return replace(total, base_error=base, n=n, errors=errors)
