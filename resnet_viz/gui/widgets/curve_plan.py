"""What a chart of runs shows, as arrays and words: no drawing, so that it can be tested as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QCoreApplication

from resnet_viz.gui.theme import Theme
from resnet_viz.training.history import RunHistory
from resnet_viz.training.history_log import F64

Kind = Literal["error", "loss", "learning rate", "gradients"]
KINDS: tuple[Kind, ...] = ("error", "loss", "learning rate", "gradients")

MAX_POINTS = 400
"""Points of a line that are drawn: one for every second pixel of a usual chart."""

PAPER_ERROR = {"resnet20": 8.75, "resnet32": 7.51, "resnet44": 7.17, "resnet56": 6.97, "resnet110": 6.43}
"""CIFAR-10 test error in % (He et al. 2015, table 6)."""

RESIDUAL_DARK = ("#56B4E9", "#A9DBF7", "#2F86CF", "#7FA6FF", "#4CC9D6")
RESIDUAL_LIGHT = ("#0072B2", "#55A9DC", "#003C6B", "#4B62CF", "#0A8A9E")
PLAIN_DARK = ("#D55E00", "#FFA566", "#F2C9A0", "#E8552F", "#B98A4A")
PLAIN_LIGHT = ("#D55E00", "#8A3B00", "#F0954A", "#B0281A", "#9C7A2E")
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
"""Patterns in units of the line's width, for the sixth run of a family and on."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("CurveChart", text)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line: ``x`` and ``y`` (N,) in the units of the axes, NaN where there is nothing.

    Attributes:
        label: the run, as the legend calls it.
        series: what of the run: "training", "validation", the name of a block.
        epoch: (N,) which epoch a point belongs to, for the readout.
        width: in pixels.
        alpha: opacity 0-1.
        probed: whether pointing at it reads its values.
        marked: whether each point has a dot; on a log axis zeros then have a cross at the bottom.
        texts: what pointing at each point says, (N,); empty leaves it to the canvas.
    """

    x: F64
    y: F64
    label: str
    series: str
    epoch: F64
    colour: str
    width: float
    dash: tuple[float, ...] = ()
    alpha: float = 1.0
    probed: bool = True
    marked: bool = False
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The area between two lines."""

    x: F64
    low: F64
    high: F64
    colour: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A published value, drawn dashed over the whole width."""

    value: float
    label: str
    colour: str


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A whole chart.

    Attributes:
        legend: label, colour, width and dashes of each entry.
        zoom: share of the full height that a linear axis shows, from 0 up.
        note: what to say where there is nothing to draw.
        x_ticks: values and texts at the horizontal axis; those without room are left out. Empty
            for round numbers from 0 up.
        x_range, y_range: ends of the axes; None finds them.
        cursor: where a vertical line stands, None for none.
    """

    kind: str
    x_label: str
    y_label: str
    log: bool
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    references: tuple[Reference, ...] = ()
    legend: tuple[tuple[str, str, float, tuple[float, ...]], ...] = ()
    zoom: float = 1.0
    note: str = ""
    x_ticks: tuple[tuple[float, str], ...] = ()
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    cursor: float | None = None


@dataclass(frozen=True, slots=True)
class ChartOptions:
    """How the runs are shown.

    Attributes:
        by_step: whether the horizontal axis counts steps, not epochs.
        log: whether the vertical axis is logarithmic; gradient norms always are.
        zoom: see :class:`Plan`.
    """

    kind: Kind = "error"
    by_step: bool = False
    log: bool = False
    zoom: float = 1.0


def kind_titles() -> dict[Kind, str]:
    """Return what each kind is called."""
    return {
        "error": _tr("Error"),
        "loss": _tr("Loss"),
        "learning rate": _tr("Learning rate"),
        "gradients": _tr("Gradients"),
    }


def run_labels(runs: Sequence[RunHistory]) -> list[str]:
    """Return a name for each run: its title, with the folder's name where titles repeat."""
    titles = Counter(run.title for run in runs)
    return [run.title if titles[run.title] == 1 else f"{run.title} ({run.name})" for run in runs]


def run_styles(runs: Sequence[RunHistory], dark: bool) -> list[tuple[str, tuple[float, ...]]]:
    """Return a colour and a dash pattern for each run, see :func:`family_styles`."""
    return family_styles([run.plain for run in runs], dark)


def family_styles(plain: Sequence[bool], dark: bool) -> list[tuple[str, tuple[float, ...]]]:
    """Return a colour and a dash pattern for each net: shades of blue with skips, of vermillion without."""
    palettes = {True: PLAIN_DARK if dark else PLAIN_LIGHT, False: RESIDUAL_DARK if dark else RESIDUAL_LIGHT}
    seen: Counter[bool] = Counter()
    styles = []
    for one in plain:
        turn, shade = divmod(seen[one], len(palettes[one]))
        styles.append((palettes[one][shade], DASHES[turn % len(DASHES)]))
        seen[one] += 1
    return styles


@dataclass(slots=True)
class _Sheet:
    """Collects lines while a plan is made."""

    options: ChartOptions
    most: int
    lines: list[Line] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)

    def add(self, run: RunHistory, x: F64, y: F64, line: tuple[str, str, str, float, tuple[float, ...]]) -> None:
        """Add a line over epochs ``x``; empty ones are left out."""
        label, series, colour, width, dash = line
        known = np.isfinite(y)
        if not known.any():
            return
        keep = thin(len(x), self.most)
        faint = width < 1
        self.lines.append(
            Line(
                self.at(run, x)[keep],
                y[keep],
                label,
                series,
                x[keep],
                colour,
                max(width, 1.0),
                dash,
                0.35 if faint else 1,
            )
        )

    def at(self, run: RunHistory, epochs: F64) -> F64:
        """Return where epochs lie on the horizontal axis."""
        return epochs * run.steps_per_epoch if self.options.by_step and run.steps_per_epoch else epochs


def thin(count: int, most: int = MAX_POINTS) -> slice:
    """Return a slice that leaves at most ``most`` of ``count`` points, the last one among them."""
    stride = -(-count // most) or 1
    return slice((count - 1) % stride if count else 0, None, stride)


def make_plan(runs: Sequence[RunHistory], options: ChartOptions, theme: Theme) -> Plan:
    """Return what the chart of ``runs`` shows."""
    # many runs share the time that a drawing may take
    sheet = _Sheet(options, max(120, min(MAX_POINTS, 4 * MAX_POINTS // max(1, len(runs)))))
    labels, styles = run_labels(runs), run_styles(runs, theme.dark)
    draw = {"error": _error, "loss": _loss, "learning rate": _rate, "gradients": _gradients}[options.kind]
    for run, label, (colour, dash) in zip(runs, labels, styles, strict=True):
        draw(sheet, run, label, colour, dash)
    drawn = {line.label for line in sheet.lines}
    legend = [
        (label, colour, 2.4, dash) for label, (colour, dash) in zip(labels, styles, strict=True) if label in drawn
    ]
    if legend:
        legend += [(name, theme.muted, width, ()) for name, width in _key(options.kind)]
    y_label = {
        "error": _tr("error in %"),
        "loss": _tr("loss"),
        "learning rate": _tr("learning rate"),
        "gradients": _tr("norm of the weights' gradient"),
    }[options.kind]
    return Plan(
        options.kind,
        _tr("step") if options.by_step else _tr("epoch"),
        y_label,
        options.log or options.kind == "gradients",
        tuple(sheet.lines),
        tuple(sheet.bands),
        tuple(sheet.references),
        tuple(legend),
        options.zoom,
        "" if sheet.lines else _note(runs, options.kind),
    )


def _note(runs: Sequence[RunHistory], kind: Kind) -> str:
    if not runs:
        return _tr("Start a run or choose one in the table.")
    if kind == "error":
        return _tr("No epoch is over yet. “Loss” shows the first steps.")
    if kind == "gradients":
        return _tr("No gradient norms were recorded. Start a run with “Record gradients” on.")
    return _tr("The run has not made a step yet.")


def _key(kind: Kind) -> list[tuple[str, float]]:
    if kind in ("error", "loss"):
        return [(_tr("validation"), 2.4), (_tr("training"), 1.0)]
    if kind == "gradients":
        return [(_tr("first block"), 2.4), (_tr("last block"), 1.0)]
    return []


def _error(sheet: _Sheet, run: RunHistory, label: str, colour: str, dash: tuple[float, ...]) -> None:
    sheet.add(run, run.epoch, 100 * run.train_error, (label, _tr("training error"), colour, 1.0, dash))
    sheet.add(run, run.epoch, 100 * run.val_error, (label, _tr("validation error"), colour, 2.4, dash))
    paper = PAPER_ERROR.get(run.model)
    known = {reference.value for reference in sheet.references}
    if paper is not None and run.data == "cifar10" and not run.plain and paper not in known and len(run.epoch):
        text = _tr("paper: ResNet-{0} {1} %").format(run.depth, paper)
        sheet.references.append(Reference(paper, text, colour))


def _loss(sheet: _Sheet, run: RunHistory, label: str, colour: str, dash: tuple[float, ...]) -> None:
    width = 0.5 if len(run.epoch) else 1.2  # faint behind the epochs' curves, plain while there are none
    sheet.add(run, run.epochs_at(run.steps), run.step_loss, (label, _tr("loss of one batch"), colour, width, ()))
    sheet.add(run, run.epoch, run.train_loss, (label, _tr("training loss"), colour, 1.0, dash))
    sheet.add(run, run.epoch, run.val_loss, (label, _tr("validation loss"), colour, 2.4, dash))


def _rate(sheet: _Sheet, run: RunHistory, label: str, colour: str, dash: tuple[float, ...]) -> None:
    x, y = (run.epochs_at(run.steps), run.step_lr) if len(run.steps) else (run.epoch, run.lr)
    sheet.add(run, x, y, (label, _tr("learning rate"), colour, 1.8, dash))


def _gradients(sheet: _Sheet, run: RunHistory, label: str, colour: str, dash: tuple[float, ...]) -> None:
    if not len(run.gradient_steps):
        return
    x, last = run.epochs_at(run.gradient_steps), last_block(run.blocks)
    norms = np.where(run.weight_norm > 0, run.weight_norm, np.nan)  # (K, B); 0 has no place on a log axis
    keep = thin(len(x), sheet.most)
    if last > 1:
        shown = norms[keep, : last + 1]
        empty: NDArray[np.bool_] = np.all(np.isnan(shown), axis=1)  # (K,)
        low = np.where(empty, np.nan, np.nanmin(np.where(empty[:, None], 0, shown), axis=1))
        high = np.where(empty, np.nan, np.nanmax(np.where(empty[:, None], 0, shown), axis=1))
        sheet.bands.append(Band(sheet.at(run, x[keep]), low, high, colour))
    sheet.add(run, x, norms[:, last], (label, run.blocks[last], colour, 1.0, dash))
    sheet.add(run, x, norms[:, 0], (label, run.blocks[0], colour, 2.4, dash))


def last_block(blocks: Sequence[str]) -> int:
    """Return the last block that is not the head; its gradient does not pass through any block."""
    heads = {"fc", "linear", "head", "classifier"}
    inner = [index for index, name in enumerate(blocks) if name.split(".")[0] not in heads]
    return inner[-1] if inner else len(blocks) - 1
