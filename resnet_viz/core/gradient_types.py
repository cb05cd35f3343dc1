"""What a gradient measurement says: frozen records of NumPy arrays, without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .types import F64

WeightChoice = Literal["first", "convs", "all"]
"""Which weights of a block count: of its first convolution, of all its convolutions, or all its parameters."""

NormName = Literal["weight_norm", "act_norm"]
"""The two norms that can be drawn over the blocks."""

FLOAT_ZERO = math.sqrt(float(np.finfo(np.float32).tiny))
"""1.1e-19: a norm below this is 0 to float precision, since its square is no normal float32 number."""


def ratio(first: float, last: float) -> float | None:
    """Return first / last, two norms.

    Returns:
        Exactly 0.0 where the first is 0 to float precision (:data:`FLOAT_ZERO`) and the last is
        not; None where the last is, or where one of them is not finite.
    """
    if not (math.isfinite(first) and math.isfinite(last)) or last < FLOAT_ZERO:
        return None
    return 0.0 if first < FLOAT_ZERO else first / last


def geometric_mean(values: F64) -> F64:
    """Return the geometric mean over the first axis: (S, ...) to (...); 0 where one value is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: F64 = np.exp(np.log(np.asarray(values, np.float64)).mean(axis=0))
    return mean


def numbers(values: F64) -> list[float | None]:
    """Return an array as a list for JSON, which has neither NaN nor infinity: None in their place."""
    return [float(value) if math.isfinite(value) else None for value in values]


@dataclass(frozen=True, slots=True, eq=False)
class GradientFlow:
    """Gradients of one loss of one batch, block by block from the input side.

    Norms are exact: they are added up in double precision, so that a gradient of 1e-23 is shown
    as that, and 0 means that every single value is 0.

    Attributes:
        title: what was measured, for people.
        blocks: names, (B,). Blocks without weights, such as pools, have no row.
        labels: short titles for an axis, (B,), for example ``"2.3"``.
        act_norm: L2 norm of the gradient at each block's output, (B,).
        weight_norm: L2 norm of the gradient of each block's weights, (B,).
        loss: mean cross-entropy of the batch.
        first_to_last: weight norm of the first residual or plain block over that of the last; stem
            and classifier do not count. None where there is no ratio, see :func:`ratio`.
        first_to_last_act: the same of the activation gradients.
        coherence: mean cosine between a picture's input gradients at x and at x + 1 % noise; None
            where it was not asked for or no picture has a gradient.
        split_identity: L2 norm of the gradient that arrives at the block's input through the
            skip, (B,); NaN for blocks without one.
        split_f: the same through F, (B,).
        response_std: standard deviation of the response after the last batch norm of each block,
            before addition and activation (He et al. 2015, fig. 7), (B,).
        f_to_x: ||F(x)|| / ||x|| at each addition, over the whole batch, x as the skip delivers
            it, (B,); NaN for blocks without one.
        update_ratio: length of one optimizer step over that of the weights, (B,).
        train_mode: whether batch norm used the batch's own statistics.
        weights: which weights ``weight_norm`` is of.
        core: first and last index, both included, of the blocks that the ratios compare.
    """

    title: str
    blocks: tuple[str, ...]
    labels: tuple[str, ...]
    act_norm: F64
    weight_norm: F64
    loss: float
    first_to_last: float | None
    first_to_last_act: float | None
    coherence: float | None
    split_identity: F64 | None
    split_f: F64 | None
    response_std: F64 | None
    f_to_x: F64 | None
    update_ratio: F64 | None
    train_mode: bool
    weights: WeightChoice = "first"
    core: tuple[int, int] = (0, 0)

    def record(self) -> dict[str, object]:
        """Return what ``resnet-viz gradients --json`` prints; NaN and infinity are None."""
        return {
            "blocks": list(self.blocks),
            "act_norm": numbers(self.act_norm),
            "weight_norm": numbers(self.weight_norm),
            "loss": self.loss if math.isfinite(self.loss) else None,
            "first_to_last": self.first_to_last,
            "first_to_last_act": self.first_to_last_act,
            "coherence": self.coherence,
        }


@dataclass(frozen=True, slots=True, eq=False)
class FlowBand:
    """The same measurement over several seeds, S of them.

    Means of norms and ratios are geometric, because they are drawn on a log axis and scatter by
    factors; losses and coherences are averaged as they are.

    Attributes:
        title, blocks, labels: as of each flow.
        mean: geometric mean of ``weight_norm`` over the seeds, (B,).
        low, high: smallest and largest of them, (B,).
        ratios: ``first_to_last`` of each seed, (S,); NaN where there is none.
        ratio: geometric mean of ``ratios``; None where one of them is missing.
        coherences: of each seed, (S,); NaN where there is none.
        flows: the measurements themselves, one for each seed.
    """

    title: str
    blocks: tuple[str, ...]
    labels: tuple[str, ...]
    mean: F64
    low: F64
    high: F64
    ratios: F64
    ratio: float | None
    coherences: F64
    flows: tuple[GradientFlow, ...]

    @property
    def coherence(self) -> float | None:
        """Mean over the seeds that have one, None if none has."""
        known = self.coherences[np.isfinite(self.coherences)]
        return float(known.mean()) if len(known) else None

    @property
    def loss(self) -> float:
        """Mean over the seeds."""
        return float(np.mean([flow.loss for flow in self.flows]))

    def of(self, name: NormName) -> tuple[F64, F64, F64]:
        """Return geometric mean, smallest and largest of one norm over the seeds, each (B,)."""
        return spread([getattr(flow, name) for flow in self.flows])

    def record(self) -> dict[str, object]:
        """Return the keys of :meth:`GradientFlow.record`, as means, and what the seeds scatter."""
        act, act_low, act_high = self.of("act_norm")
        first = [flow.first_to_last_act for flow in self.flows]
        loss = self.loss
        return {
            "blocks": list(self.blocks),
            "act_norm": numbers(act),
            "weight_norm": numbers(self.mean),
            "loss": loss if math.isfinite(loss) else None,
            "first_to_last": self.ratio,
            "first_to_last_act": mean_ratio(first),
            "coherence": self.coherence,
            "seeds": len(self.flows),
            "act_norm_low": numbers(act_low),
            "act_norm_high": numbers(act_high),
            "weight_norm_low": numbers(self.low),
            "weight_norm_high": numbers(self.high),
            "first_to_last_of_seeds": numbers(self.ratios),
        }


def mean_ratio(ratios: list[float | None]) -> float | None:
    """Return the geometric mean of ratios; None where one is missing, 0.0 where one is 0."""
    known = [value for value in ratios if value is not None]
    if not known or len(known) < len(ratios):
        return None
    return float(geometric_mean(np.array(known)))


def spread(values: list[F64]) -> tuple[F64, F64, F64]:
    """Return geometric mean, smallest and largest over a list of arrays, each of their shape."""
    stacked = np.stack(values)  # (S, B)
    return geometric_mean(stacked), stacked.min(axis=0), stacked.max(axis=0)


def band(flows: list[GradientFlow], title: str = "") -> FlowBand:
    """Put measurements of one net under several seeds together.

    Raises:
        ValueError: if there are none, or their blocks differ.
    """
    if not flows or any(flow.blocks != flows[0].blocks for flow in flows):
        raise ValueError("a band needs measurements of the same blocks")
    mean, low, high = spread([flow.weight_norm for flow in flows])
    return FlowBand(
        title=title or flows[0].title,
        blocks=flows[0].blocks,
        labels=flows[0].labels,
        mean=mean,
        low=low,
        high=high,
        ratios=_or_nan([flow.first_to_last for flow in flows]),
        ratio=mean_ratio([flow.first_to_last for flow in flows]),
        coherences=_or_nan([flow.coherence for flow in flows]),
        flows=tuple(flows),
    )


def _or_nan(values: list[float | None]) -> F64:
    return np.array([math.nan if value is None else value for value in values], np.float64)
