"""Nets compared on one batch, and families of nets over depth: measured part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from torch import nn

from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.analysis.update_rules import UpdateRule
from resnet_viz.core.errors import UserError
from resnet_viz.core.gradient_types import GradientFlow, band
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import ModelCard
from resnet_viz.jobs.cache import ByteLRU
from resnet_viz.jobs.latest import Progress

from .batches_of import Batch, Pictures, fit_batch
from .gradient_cost import Cost, measure_cost
from .gradient_nets import Shelf
from .gradient_requests import (
    DepthsSwept,
    FlowMeasured,
    MeasureFlow,
    NetChoice,
    SweepDepths,
    SweepPoint,
)
from .pace import Pace

MAX_NETS = 8
MAX_SEEDS = 100
FLOWS = 2000
COST_S = 2.0
"""Seconds that finding out what the norms cost may take."""


class FlowMeter:
    """Measures flows and remembers them; belongs to one thread.

    Args:
        shelf: where nets and pictures come from.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._flows: ByteLRU[GradientFlow] = ByteLRU(FLOWS)  # counted, not weighed: each is a few kilobytes
        self._costs: ByteLRU[Cost] = ByteLRU(FLOWS)

    # ---- nets side by side ----

    def measure(self, request: MeasureFlow, token: CancelToken, progress: Progress) -> FlowMeasured:
        """Measure some nets; the first seed of every net comes first, so that all are soon to be seen.

        Raises:
            UserError: if a net, the pictures or a number makes no sense.
            Cancelled: if the token was set; it is looked at at every block.
        """
        if not 1 <= len(request.nets) <= MAX_NETS:
            raise UserError(f"{len(request.nets)} nets cannot be compared. Choose from 1 to {MAX_NETS}.")
        _check_seeds(request.seeds)
        rule = UpdateRule(request.optimizer, request.lr)
        keys = [self._shelf.key(choice) for choice in request.nets]
        pictures = self._shelf.pictures(request.batch, token)
        cards: list[ModelCard] = []
        flows: list[list[GradientFlow]] = [[] for _ in request.nets]
        titles: list[str] = []
        notes: dict[str, None] = {}
        todo = [
            (index, seed)
            for number, seed in enumerate(request.seeds)
            for index, choice in enumerate(request.nets)
            if choice.untrained or number == 0
        ]

        def answer(cost: Cost = Cost()) -> FlowMeasured:  # noqa: B008 - frozen
            bands = tuple(band(some, title) for some, title in zip(flows, titles, strict=False) if some)
            return FlowMeasured(bands, tuple(cards), pictures.title, tuple(notes), cost.pass_s, cost.measured_s)

        pace = Pace(progress)
        for done, (index, seed) in enumerate(todo, start=1):
            choice = request.nets[index]
            net, card = self._shelf.net(choice, seed, token)
            if len(cards) == index:
                cards.append(card)
                titles = self._shelf.titles(request.nets[: index + 1], cards)
                notes |= dict.fromkeys(_notes(choice, card, request.train_mode))
            batch = fit_batch(pictures, card)
            notes |= dict.fromkeys([batch.note] if batch.note else [])
            key = (
                keys[index], seed, request.batch, pictures.title, request.train_mode, request.weights, request.per, rule
            )  # fmt: skip
            flow = self._flow(
                key, net, batch, seed, token, titles[index],
                details=True, train_mode=request.train_mode, weights=request.weights, per=request.per, rule=rule,
            )  # fmt: skip
            flows[index].append(flow)
            pace(done / len(todo), answer)
        progress(1.0, answer())
        return answer(self._cost(request, keys, pictures, token))

    def _flow(
        self, key: Hashable, net: nn.Module, batch: Batch, seed: int, token: CancelToken, title: str, **how: object
    ) -> GradientFlow:
        found = self._flows.get(key)
        if found is None:
            with np.errstate(all="ignore"):  # a net that leaves float range is measured as that
                found = gradient_flow(
                    net, batch.images, batch.labels, title=title, seed=seed, token=token, **how  # type: ignore[arg-type]
                )  # fmt: skip
            self._flows.put(key, found, 1)
        return found

    def _cost(self, request: MeasureFlow, keys: Sequence[Hashable], pictures: Pictures, token: CancelToken) -> Cost:
        """Return what the norms cost over all nets, one seed of each."""
        key = (*keys, request.batch, request.train_mode, request.weights, request.per)
        found = self._costs.get(key)
        if found is None:
            nets = []
            for choice in request.nets:
                net, card = self._shelf.net(choice, request.seeds[0], token)
                nets.append((net, fit_batch(pictures, card)))
            found = measure_cost(nets, request.train_mode, request.weights, COST_S, token)
            self._costs.put(key, found, 1)
        return found

    # ---- over depth ----

    def sweep(self, request: SweepDepths, token: CancelToken, progress: Progress) -> DepthsSwept:
        """Measure families of nets over depth, the shallow ones first.

        Raises:
            UserError, Cancelled: as :meth:`measure`.
        """
        _check_seeds(request.seeds)
        if not request.families or not request.depths:
            raise UserError("There is nothing to sweep over. Choose a family of nets and a depth.")
        choices = {
            (family, depth): NetChoice(f"{family}{depth}", True, request.options)
            for depth in sorted(set(request.depths))
            for family in dict.fromkeys(request.families)
        }
        keys = {place: self._shelf.key(choice) for place, choice in choices.items()}
        pictures = self._shelf.pictures(request.batch, token)
        points: dict[tuple[str, int], SweepPoint] = {}
        # a pass takes as long as the net is deep
        total = len(request.seeds) * sum(depth for _, depth in choices)
        done, pace = 0, Pace(progress)
        for (family, depth), choice in choices.items():
            flows: list[GradientFlow] = []
            for seed in request.seeds:
                net, card = self._shelf.net(choice, seed, token)
                key = (keys[family, depth], seed, request.batch, pictures.title, request.train_mode, request.weights)
                flows.append(
                    self._flow(
                        key, net, fit_batch(pictures, card), seed, token, card.title,
                        details=False, train_mode=request.train_mode, weights=request.weights,
                    )
                )  # fmt: skip
                points[family, depth] = _point(family, depth, flows)
                done += depth
                pace(done / total, lambda: DepthsSwept(tuple(points.values()), pictures.title))
        return DepthsSwept(tuple(points.values()), pictures.title)


def _point(family: str, depth: int, flows: Sequence[GradientFlow]) -> SweepPoint:
    def column(read: Callable[[GradientFlow], float | None]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        values = [read(flow) for flow in flows]
        return np.array([math.nan if value is None else value for value in values], np.float64)

    return SweepPoint(
        family,
        depth,
        column(lambda flow: flow.first_to_last),
        column(lambda flow: flow.first_to_last_act),
        column(lambda flow: flow.coherence),
    )


def _check_seeds(seeds: Sequence[int]) -> None:
    if not 1 <= len(seeds) <= MAX_SEEDS:
        raise UserError(f"{len(seeds)} seeds make no measurement. Give from 1 to {MAX_SEEDS}.")


def _notes(choice: NetChoice, card: ModelCard, train_mode: bool) -> list[str]:
    """Return what a person should read about one net."""
    notes = list(card.warnings)
    if choice.untrained and not train_mode and any(layer.kind == "BatchNorm2d" for layer in card.layers):
        notes.append("In evaluation an untrained net's batch norm has seen no picture yet: it passes on what it gets.")
    if not card.normalization_known:
        notes.append(
            f"{choice.title or card.title} does not say which mean and std it was trained with; "
            f"those of {card.normalization.title} are used."
        )
    return notes
