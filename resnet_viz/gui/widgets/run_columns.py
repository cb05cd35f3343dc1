"""What is said of a run in a table: what each column shows, sorts by and writes to a file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QCoreApplication

from resnet_viz.core.types import F64
from resnet_viz.training.history import RunHistory

_DROPS = (
    "data",
    "depth",
    "bn",
    "shortcut",
    "params",
    "time",
    "optimizer",
    "net",
    "best_train_error",
    "last_val_error",
    "epochs",
    "train_error",
    "test_error",
)

Value = str | float | None


def _tr(text: str) -> str:
    return QCoreApplication.translate("RunTable", text)


def duration(seconds: float) -> str:
    """Return a time for people: ``"41 s"``, ``"21 min"``, ``"2 h 51 min"``, ``"3 d 4 h"``."""
    if not math.isfinite(seconds) or seconds <= 0:
        return ""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return _tr("{0} s").format(max(1, round(seconds)))
    if minutes < 60:
        return _tr("{0} min").format(minutes)
    if minutes < 24 * 60:
        return _tr("{0} h {1:02d} min").format(*divmod(minutes, 60))
    return _tr("{0} d {1} h").format(*divmod(round(minutes / 60), 24))


def longest_time_left() -> str:
    """Return the widest text that :func:`state_title` gives a run that goes on."""
    return _tr("{0} left").format(duration(23 * 3600 + 48 * 60))


def state_title(run: RunHistory) -> str:
    """Return the state for people, with the time left while it runs."""
    if run.state == "running" and run.eta_s is not None:
        return _tr("{0} left").format(duration(max(1.0, run.eta_s)))
    return {
        "new": _tr("not started"),
        "waiting": _tr("waiting"),
        "running": _tr("running"),
        "paused": _tr("paused"),
        "stopped": _tr("stopped"),
        "failed": _tr("failed"),
        "finished": _tr("finished"),
    }[run.state]


def state_tip(run: RunHistory) -> str:
    """Return one or two sentences on how far the run is."""
    lines = [state_title(run)]
    if run.total_steps:
        lines.append(_tr("step {0:,} of {1:,} ({2:.0f} %)").format(run.step, run.total_steps, 100 * run.progress))
    if run.state == "running" and run.images_per_s > 0:
        lines.append(_tr("{0:,.0f} images/s").format(run.images_per_s))
    if run.reason:
        lines.append(run.reason)
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        id: for files and settings.
        title: its heading.
        tip: what it means.
        value: what it sorts by and what files hold; errors in %, times in seconds.
        text: what is shown.
        right: whether it is a number, which stands at the right.
        share: how gladly it takes room that is left over.
        least_px: how narrow it may become; 0 keeps the width of its content.
    """

    id: str
    title: str
    tip: str
    value: Callable[[RunHistory], Value]
    text: Callable[[RunHistory], str]
    right: bool = False
    share: int = 0
    least_px: int = 0


def _percent(share: float | None) -> float | None:
    return None if share is None or math.isnan(share) else 100 * share


def _best(shares: F64) -> float | None:
    known = shares[~np.isnan(shares)]
    return float(known.min()) if len(known) else None


def _last(shares: F64) -> float | None:
    return float(shares[-1]) if len(shares) else None


def _error(share: float | None) -> str:
    value = _percent(share)
    return "" if value is None else f"{value:.2f}"


def columns() -> tuple[Column, ...]:
    """Return all columns in order; titles are translated at the time of the call."""
    t = _tr
    epochs = t("{0} / {1}")

    def plain(get: Callable[[RunHistory], str]) -> tuple[Callable[[RunHistory], Value], Callable[[RunHistory], str]]:
        return get, get

    return (
        Column("run", t("Run"), t("Name of the run's folder"), *plain(lambda run: run.name), share=3, least_px=150),
        Column("net", t("Net"), t("Architecture"), *plain(lambda run: run.model), share=1, least_px=76),
        Column(
            "data", t("Data"), t("Data set or folder"), *plain(lambda run: Path(run.data).name), share=1, least_px=76
        ),
        Column(
            "depth",
            t("Depth"),
            t("Layers with weights, as the net's name counts them"),
            lambda run: run.depth or None,
            lambda run: str(run.depth or ""),
            right=True,
        ),
        Column(
            "shortcut",
            t("Shortcut"),
            t("A: identity padded with zeros, B: 1×1 convolution, none: plain net"),
            *plain(lambda run: run.shortcut),
        ),
        Column(
            "bn", t("BN"), t("With batch normalisation or without"), *plain(lambda run: "✓" if run.batch_norm else "–")
        ),
        Column("optimizer", t("Optimizer"), t("How the weights are changed"), *plain(lambda run: run.optimizer)),
        Column(
            "params",
            t("Parameters"),
            t("Numbers that are learnt"),
            lambda run: run.params or None,
            lambda run: f"{run.params:,}" if run.params else "",
            right=True,
        ),
        Column(
            "epochs",
            t("Epochs"),
            t("Passes over the data: done / planned"),
            lambda run: run.epochs_done,
            lambda run: epochs.format(run.epochs_done, run.epochs_planned),
            right=True,
        ),
        Column(
            "train_error",
            t("Train error %"),
            t("Share of wrong answers in the last epoch's training"),
            lambda run: _percent(run.last_train_error),
            lambda run: _error(run.last_train_error),
            right=True,
        ),
        Column(
            "val_error",
            t("Val. error %"),
            t("Smallest share of wrong answers on the pictures held out for validation"),
            lambda run: _percent(run.best_val_error),
            lambda run: _error(run.best_val_error),
            right=True,
        ),
        Column(
            "best_train_error",
            t("Best train %"),
            t("Smallest share of wrong answers of any epoch's training"),
            lambda run: _percent(_best(run.train_error)),
            lambda run: _error(_best(run.train_error)),
            right=True,
        ),
        Column(
            "last_val_error",
            t("Last val. %"),
            t("Share of wrong answers on the pictures held out after the last epoch"),
            lambda run: _percent(_last(run.val_error)),
            lambda run: _error(_last(run.val_error)),
            right=True,
        ),
        Column(
            "test_error",
            t("Test error %"),
            t("Share of wrong answers on the test set, measured when the run has finished"),
            lambda run: _percent(run.test_error),
            lambda run: _error(run.test_error),
            right=True,
        ),
        Column(
            "time",
            t("Time"),
            t("Time spent training, waiting not counted"),
            lambda run: run.total_s or None,
            lambda run: duration(run.total_s),
            right=True,
        ),
        Column("state", t("State"), t("How far the run is"), lambda run: run.progress, state_title),
    )


def drop_order(runs: Sequence[RunHistory]) -> list[int]:
    """Return the places of the columns that may go where the room is too small, first to go first.

    Those that tell no run from another go before all others; errors are what the table is for,
    even while they are all empty.
    """
    known = columns()
    places = {column.id: place for place, column in enumerate(known)}
    order = [places[name] for name in _DROPS]
    same = [place for place in order if runs and len({known[place].text(run) for run in runs}) == 1]
    same = [place for place in same if not known[place].id.endswith("error")]
    return same + [place for place in order if place not in same]


def to_csv(runs: Sequence[RunHistory]) -> str:
    """Return the runs as CSV with raw values: errors in %, times in seconds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = {"train_error": "train_error_percent", "val_error": "val_error_percent", "test_error": "test_error_percent"}
    head |= {"best_train_error": "best_train_error_percent", "last_val_error": "last_val_error_percent"}
    head |= {"time": "time_s", "epochs": "epochs_done", "bn": "batch_norm"}
    shown = [column for column in columns() if column.id != "state"]
    extra = ["epochs_planned", "seed", "recipe", "state", "path"]
    writer.writerow([*(head.get(column.id, column.id) for column in shown), *extra])
    for run in runs:
        values: list[object] = [run.batch_norm if column.id == "bn" else column.value(run) for column in shown]
        values = [round(value, 4) if isinstance(value, float) else value for value in values]
        writer.writerow([*values, run.epochs_planned, run.seed, run.recipe, run.state, str(run.path)])
    return out.getvalue()


def to_markdown(runs: Sequence[RunHistory]) -> str:
    """Return the runs as a Markdown table, as they are shown."""
    shown = columns()

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    rows = [
        line([column.title for column in shown]),
        "|" + "|".join(" ---: " if column.right else " --- " for column in shown) + "|",
    ]
    rows += [line([column.text(run) for column in shown]) for run in runs]
    return "\n".join(rows) + "\n"
