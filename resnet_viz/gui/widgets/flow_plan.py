"""What the charts of the gradient lab show, as arrays and words: by block, over time, over depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PyQt6.QtCore import QCoreApplication

from resnet_viz.core.gradient_types import FlowBand, spread
from resnet_viz.core.types import F64
from resnet_viz.gui.theme import Theme
from resnet_viz.session.gradient_requests import Recording, SweepPoint

from .color_bar import number
from .curve_plan import Band, Line, Plan, family_styles, thin

Quantity = Literal["weights", "activations", "split", "response", "f_to_x", "update"]
"""What is drawn over the blocks."""

TimeQuantity = Literal["ratio", "first", "coherence", "loss"]
"""What is drawn over the steps of a training."""

DASHED = (4.0, 2.5)


def _tr(text: str) -> str:
    return QCoreApplication.translate("FlowChart", text)


def quantity_titles() -> dict[Quantity, tuple[str, str]]:
    """Return heading and explanation of each quantity."""
    return {
        "weights": (_tr("Gradient norm of each block"), _tr("of its weights, L2, log scale")),
        "activations": (_tr("Gradient norm at each block's output"), _tr("L2, log scale")),
        "split": (
            _tr("Gradient through the two ways of each block"),
            _tr("solid: through the identity, dashed: through F"),
        ),
        "response": (
            _tr("Response of each block"),
            _tr("standard deviation after its last batch norm (He et al. 2015, fig. 7)"),
        ),
        "f_to_x": (_tr("‖F(x)‖ / ‖x‖ at each addition"), _tr("how much a block adds to what passes it by")),
        "update": (_tr("Length of one step / length of the weights"), _tr("for the chosen optimizer, log scale")),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One net on show: its values over the blocks, B of them.

    Attributes:
        title: for the legend.
        plain: whether it has no skip connections.
        labels: short titles of its blocks, (B,).
        band: the measurement behind it.
    """

    title: str
    plain: bool
    labels: tuple[str, ...]
    band: FlowBand


def values_of(band: FlowBand, quantity: Quantity) -> list[tuple[F64, F64, F64]]:
    """Return geometric mean, smallest and largest over the seeds, each (B,); two of them for ``"split"``."""
    if quantity == "weights":
        return [(band.mean, band.low, band.high)]
    if quantity == "activations":
        return [band.of("act_norm")]
    names = {
        "split": ("split_identity", "split_f"),
        "response": ("response_std",),
        "f_to_x": ("f_to_x",),
        "update": ("update_ratio",),
    }[quantity]
    found = []
    for name in names:
        known = [values for flow in band.flows if (values := getattr(flow, name)) is not None]
        if known:
            found.append(spread(known))
    return found


def flow_plan(nets: Sequence[Shown], quantity: Quantity, theme: Theme, cursor: float | None = None) -> Plan:
    """Return the chart of one quantity over the blocks.

    Args:
        nets: in the order of the legend.
        quantity: which.
        theme: colours.
        cursor: number of the block that is looked at, from 1.
    """
    lines: list[Line] = []
    bands: list[Band] = []
    legend: list[tuple[str, str, float, tuple[float, ...]]] = []
    log = quantity not in ("response", "f_to_x")
    for net, (colour, dash) in zip(nets, family_styles([net.plain for net in nets], theme.dark), strict=True):
        drawn = False
        for way, (mean, low, high) in enumerate(values_of(net.band, quantity)):
            x = np.arange(1, len(mean) + 1, dtype=np.float64)
            y = np.where(np.isfinite(mean), mean, np.nan)
            if not np.isfinite(y).any():
                continue
            several = len(net.band.flows) > 1
            if several:
                shown_low = np.where((low > 0) | (not log), low, np.nan)
                bands.append(Band(x, np.where(np.isfinite(y), shown_low, np.nan), high, colour))
            series = ("", _tr("through F"))[way] if quantity == "split" and way else ""
            if quantity == "split" and not way:
                series = _tr("through the identity")
            texts = tuple(
                _reading(
                    net.title,
                    _tr("block {0}").format(label),
                    series,
                    float(mean[i]),
                    float(low[i]),
                    float(high[i]),
                    several,
                )
                for i, label in enumerate(net.labels)
            )
            stroke = DASHED if way else dash
            lines.append(Line(x, y, net.title, series, x, colour, 2.2, stroke, marked=True, texts=texts))
            drawn = True
        if drawn:
            legend.append((net.title, colour, 2.4, dash))
    most = max((len(net.labels) for net in nets), default=1)
    same = len({net.labels for net in nets}) == 1
    ticks = [(float(i + 1), label) for i, label in enumerate(nets[0].labels)] if same and nets else []
    ticks = ticks or [(float(i), str(i)) for i in range(1, most + 1)]
    return Plan(
        quantity,
        _tr("block, input → output"),
        "",
        log,
        tuple(lines),
        tuple(bands),
        (),
        tuple(legend),
        note="" if lines else _nothing(nets, quantity),
        x_ticks=tuple(ticks),
        x_range=(0.5, most + 0.5),
        cursor=cursor,
    )


def _nothing(nets: Sequence[Shown], quantity: Quantity) -> str:
    if not nets:
        return _tr("The gradients appear here once they are measured.")
    if quantity in ("split", "f_to_x"):
        return _tr("These nets have no additions. Add a net with skip connections.")
    return _tr("A recording holds norms alone. Choose “weights” or “activations”, or measure now.")


def _reading(title: str, where: str, series: str, mean: float, low: float, high: float, several: bool) -> str:
    shown = _tr("0 to float precision") if mean == 0 else _tr("no number") if not math.isfinite(mean) else number(mean)
    words = [title, where, *([series] if series else []), shown]
    text = " · ".join(words)
    if several and high > low and math.isfinite(high):
        text += _tr(" (seeds {0} to {1})").format(number(low), number(high))
    return text


def ratios_of(recording: Recording) -> F64:
    """Return first block / last block at each record, (K,); 0 where the first vanishes, NaN without a last."""
    first, last = (recording.weight_norm[:, index] for index in recording.core)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: F64 = np.where(last > 0, first / last, np.nan)
    return ratio


def time_titles() -> dict[TimeQuantity, str]:
    """Return what each quantity over time is called."""
    return {
        "ratio": _tr("First block / last block"),
        "first": _tr("Norm of the first block"),
        "coherence": _tr("Coherence"),
        "loss": _tr("Loss"),
    }


def time_plan(
    recordings: Sequence[Recording], quantity: TimeQuantity, theme: Theme, cursor: float | None = None
) -> Plan:
    """Return the chart of one quantity over the steps of trainings.

    Args:
        recordings: in the order of the legend.
        quantity: which.
        theme: colours.
        cursor: step that is looked at.
    """
    lines: list[Line] = []
    legend: list[tuple[str, str, float, tuple[float, ...]]] = []
    styles = family_styles([one.plain for one in recordings], theme.dark)
    for one, (colour, dash) in zip(recordings, styles, strict=True):
        values = {
            "ratio": ratios_of(one) if quantity == "ratio" else one.loss,
            "first": one.weight_norm[:, one.core[0]],
            "coherence": one.coherence,
            "loss": one.loss,
        }[quantity]
        y = np.where(np.isfinite(values), values, np.nan)
        if not np.isfinite(y).any():
            continue
        # coherence costs a second pass, so not every record has one: the line joins those that do
        known = np.flatnonzero(np.isfinite(y)) if quantity == "coherence" else np.arange(len(y))
        keep = known[thin(len(known))]
        steps = one.steps[keep]
        texts = tuple(
            _tr("{0} · step {1:,} · {2}").format(one.title, int(step), number(float(value)))
            for step, value in zip(steps, y[keep], strict=True)
        )
        marked = len(steps) <= 80
        lines.append(Line(steps, y[keep], one.title, quantity, steps, colour, 2.0, dash, marked=marked, texts=texts))
        legend.append((one.title, colour, 2.4, dash))
    ends = [float(one.steps[0]) for one in recordings if len(one.steps)]
    lasts = [float(one.steps[-1]) for one in recordings if len(one.steps)]
    first, last = (min(ends), max(lasts)) if ends else (0.0, 1.0)
    return Plan(
        quantity,
        _tr("step"),
        time_titles()[quantity],
        quantity in ("ratio", "first"),
        tuple(lines),
        legend=tuple(legend),
        note="" if lines else _tr("Nothing was recorded. Choose another recording, or train some steps now."),
        x_range=(min(0.0, first), max(last * 1.01, first + 1)),
        y_range=(min(0.0, _least(lines)), 1.0) if quantity == "coherence" else None,
        cursor=cursor,
    )


def _least(lines: Sequence[Line]) -> float:
    return min((float(np.nanmin(line.y)) for line in lines), default=0.0)


def family_title(family: str) -> str:
    """Return what a family of nets is called."""
    return {"plain": _tr("plain"), "resnet": _tr("ResNet")}.get(family, family)


def depth_plan(points: Sequence[SweepPoint], quantity: Literal["ratio", "coherence"], theme: Theme) -> Plan:
    """Return ratio or coherence against depth, one line for each family, its seeds as an area."""
    families = list(dict.fromkeys(point.family for point in points))
    lines: list[Line] = []
    bands: list[Band] = []
    legend: list[tuple[str, str, float, tuple[float, ...]]] = []
    log = quantity == "ratio"
    styles = family_styles([family == "plain" for family in families], theme.dark)
    for family, (colour, dash) in zip(families, styles, strict=True):
        own = sorted((point for point in points if point.family == family), key=lambda point: point.depth)
        x = np.array([point.depth for point in own], np.float64)
        rows = [point.ratios if log else point.coherences for point in own]
        mean = np.array([_centre(row, log) for row in rows])
        low = np.array([_edge(row, np.nanmin) for row in rows])
        high = np.array([_edge(row, np.nanmax) for row in rows])
        if not np.isfinite(mean).any():
            continue
        title = family_title(family)
        texts = tuple(
            _reading(title, _tr("{0} layers").format(int(depth)), "", float(m), float(a), float(b), len(row) > 1)
            for depth, m, a, b, row in zip(x, mean, low, high, rows, strict=True)
        )
        bands.append(Band(x, np.where((low > 0) | (not log), low, np.nan), high, colour))
        lines.append(Line(x, mean, title, "", x, colour, 2.2, dash, marked=True, texts=texts))
        legend.append((title, colour, 2.4, dash))
    depths = sorted({point.depth for point in points})
    return Plan(
        quantity,
        _tr("layers"),
        _tr("first block / last block") if log else _tr("coherence"),
        log,
        tuple(lines),
        tuple(bands),
        legend=tuple(legend),
        note="" if lines else _tr("Press “Measure all depths” to see ratio and coherence against depth."),
        x_ticks=tuple((float(depth), str(depth)) for depth in depths),
        x_range=(depths[0] - 4.0, depths[-1] + 4.0) if depths else None,
        y_range=None if log else (min(0.0, _least(lines)), 1.0),
    )


def _centre(row: F64, log: bool) -> float:
    known = row[np.isfinite(row)]
    if not len(known):
        return math.nan
    if not log:
        return float(known.mean())
    return 0.0 if (known == 0).any() else float(np.exp(np.log(known).mean()))


def _edge(row: F64, pick: object) -> float:
    known = row[np.isfinite(row)]
    return float(pick(known)) if len(known) else math.nan  # type: ignore[operator]
