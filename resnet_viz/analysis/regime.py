"""What a gradient ratio means, in one plain sentence; no torch here.

The number is first block / last block: the norm of the weights' (or the outputs') gradient of the
first residual or plain block over that of the last. Where it is far from one, the first layers
learn at another speed than the last: not at all (vanishing) or in leaps (exploding).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from resnet_viz.core.gradient_types import FLOAT_ZERO, FlowBand, GradientFlow

Kind = Literal["vanishing", "exploding", "healthy", "uneven", "huge", "overflow", "silent"]

HEALTHY = (0.1, 20.0)
"""Between these a ratio is called healthy: ResNets at initialisation, 0.2 to 13, lie inside."""

FAR = (1e-2, 1e2)
"""Beyond these it is called vanishing or exploding; between the two it is uneven."""

HUGE = 1e3
"""A norm above this is huge: with a rate of 0.1 one step is ten times as long as a block's weights, 6 to 11."""

PAPER_NOTE = (
    "He et al. 2015 (sec. 4.1) trained their plain nets with batch norm, saw healthy norms in the backward pass, "
    "and concluded that vanishing gradients are unlikely to be what makes such nets hard to train."
)
"""What the paper says of plain nets with batch norm, in our words."""


@dataclass(frozen=True, slots=True)
class Regime:
    """What was measured of one net.

    Attributes:
        kind: ``"vanishing"``, ``"exploding"`` (towards the input), ``"healthy"``, ``"uneven"``
            (between), ``"huge"`` (in the first and in the last block alike), ``"overflow"`` (no
            finite number), ``"silent"`` (no gradient at all).
        word: the kind for people.
        sentence: what was measured, with its number and what it means.
    """

    kind: Kind
    word: str
    sentence: str


_WORDS: dict[Kind, str] = {
    "vanishing": "vanishing towards the input",
    "exploding": "exploding towards the input",
    "healthy": "healthy",
    "uneven": "uneven",
    "huge": "huge everywhere",
    "overflow": "beyond float range",
    "silent": "no gradient",
}


def regime(flow: FlowBand | GradientFlow, title: str = "", setting: str = "") -> Regime:
    """Say what the gradients of one net are like.

    Args:
        flow: one measurement, or several seeds; of several the geometric mean counts.
        title: of the net, for example ``"plain-56"``; empty takes the measurement's.
        setting: what matters about it, for example ``"no batch norm, default init"``; may be empty.
    """
    one = flow.flows[0] if isinstance(flow, FlowBand) else flow
    weights = flow.mean if isinstance(flow, FlowBand) else flow.weight_norm
    value = flow.ratio if isinstance(flow, FlowBand) else flow.first_to_last
    first, last = float(weights[one.core[0]]), float(weights[one.core[1]])
    kind = kind_of(value, first, last)
    name = title or flow.title or "The net"
    head = f"{name}, {setting}:" if setting else f"{name}:"
    return Regime(kind, _WORDS[kind], f"{head} {_measured(flow, kind, value, first, last)}")


def _measured(flow: FlowBand | GradientFlow, kind: Kind, value: float | None, first: float, last: float) -> str:
    if kind == "overflow":
        return "the gradient is no finite number: it left the range of 32-bit floats."
    if kind == "silent":
        return "the gradients of the first and of the last block are 0 to float precision: nothing can learn."
    if value is None:
        return f"the last block's gradient is 0 to float precision, the first block's {size(first)}: {_meaning(kind)}."
    if value == 0:
        zero = int((flow.ratios == 0).sum()) if isinstance(flow, FlowBand) else 1
        count = len(flow.ratios) if isinstance(flow, FlowBand) else 1
        seeds = f" in {zero} of {count} seeds" if zero < count else ""
        return f"the gradient of the first block is 0 to float precision{seeds}: vanishing."
    if kind == "huge":
        return (
            f"the gradients are huge in the first block ({size(first)}) and in the last ({size(last)}): "
            "one step along them would throw the weights far away."
        )
    return f"the first block's gradient is {times(value)} the last block's: {_meaning(kind)}."


def kind_of(ratio: float | None, first: float, last: float) -> Kind:
    """Return the kind of a ratio of two norms.

    Args:
        ratio: first / last, None where there is none (see :func:`resnet_viz.core.gradient_types.ratio`).
        first: norm of the first block.
        last: norm of the last block.
    """
    if not (math.isfinite(first) and math.isfinite(last)):
        return "overflow"
    if ratio is None:
        return "silent" if first < FLOAT_ZERO else "exploding"
    if ratio < FAR[0]:
        return "vanishing"
    if ratio > FAR[1]:
        return "exploding"
    if min(first, last) > HUGE:
        return "huge"
    return "healthy" if HEALTHY[0] <= ratio <= HEALTHY[1] else "uneven"


def times(value: float) -> str:
    """Return a ratio above 0 in words: ``"1,300 times"``, ``"0.14 of"``, ``"2·10⁻⁷ of"``."""
    return f"{size(value)} times" if value >= 0.995 else f"{size(value)} of"


def size(value: float) -> str:
    """Return a number of 0 or more with two digits, such as ``"1,300"``, ``"4.8"``, ``"2·10⁻⁷"``."""
    if value >= 1e6 or 0 < value < 1e-3:
        return _power(value)
    if value >= 10:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def _power(value: float) -> str:
    lead, exponent = f"{value:.1e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{lead.removesuffix('.0')}·10{power}"


def _meaning(kind: Kind) -> str:
    return {
        "vanishing": "it vanishes on the way to the input",
        "exploding": "it explodes towards the input, it does not vanish",
        "uneven": "uneven, but neither gone nor out of hand",
    }.get(kind, kind)
