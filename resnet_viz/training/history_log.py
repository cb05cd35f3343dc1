"""What a run's ``events.jsonl`` says, line by line, in bounded memory; no line can make it raise."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

State = Literal["new", "waiting", "running", "paused", "stopped", "failed", "finished"]

MAX_POINTS = 4000
"""Points kept of steps and of epochs: more than a screen has pixels."""

MAX_RECORDS = 2000
"""Records of gradient norms kept."""

RECENT = 20
"""Step events over which the speed is averaged."""

EPOCH_COLUMNS = ("epoch", "train_loss", "train_error", "val_loss", "val_error", "lr", "elapsed_s")
STEP_COLUMNS = ("step", "loss", "lr", "images_per_s", "epoch")


def number(value: object) -> float:
    """Return a finite number, NaN for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def whole(value: object, default: int = 0) -> int:
    """Return a count, ``default`` for everything that is none."""
    found = number(value)
    return int(found) if 0 <= found < 2**53 else default


def text(value: object, default: str = "") -> str:
    """Return a string, ``default`` for everything that is none."""
    return value if isinstance(value, str) else default


class Series:
    """Rows in rising order of their first column, thinned evenly to at most ``limit``.

    The first and the last row are always there; what is left out between them is every second
    row, every fourth, and so on, never an average.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit - 1  # room for the last row
        self._rows: list[tuple[Any, ...]] = []
        self._last: tuple[Any, ...] | None = None
        self._stride, self._count = 1, 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row; rows at or after its key are forgotten, as a run that goes on repeats them."""
        if self._last is not None and row[0] <= self._last[0]:
            del self._rows[bisect_left(self._rows, row[0], key=lambda kept: kept[0]) :]
            self._count = len(self._rows) * self._stride
        if self._count % self._stride == 0:
            self._rows.append(row)
        self._count += 1
        self._last = row
        if len(self._rows) > self._limit:
            self._rows = self._rows[::2]
            self._stride *= 2

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows that were kept."""
        if self._last is None or (self._rows and self._rows[-1] is self._last):
            return list(self._rows)
        return [*self._rows, self._last]

    def columns(self, count: int) -> tuple[F64, ...]:
        """Return the rows as ``count`` arrays (N,)."""
        return tuple(np.array(self.rows(), np.float64).reshape(-1, count).T.copy())


@dataclass
class LogState:
    """Everything that the lines so far have said; ``feed`` one line after the other.

    Attributes:
        batch: pictures per step, by which a rate becomes a time.
    """

    batch: int = 128
    model: str = ""
    params: int = 0
    epochs_planned: int = 0
    total_steps: int = 0
    steps_per_epoch: int = 0
    train_pictures: int = 0
    val_pictures: int = 0
    state: State = "new"
    reason: str = ""
    diverged: bool = False
    step: int = 0
    epochs_done: int = 0
    best_val_error: float = math.nan
    epoch_end_s: float = 0.0
    since_epoch_s: float = 0.0
    blocks: tuple[str, ...] = ()
    epochs: Series = field(default_factory=lambda: Series(MAX_POINTS))
    steps: Series = field(default_factory=lambda: Series(MAX_POINTS))
    gradients: Series = field(default_factory=lambda: Series(MAX_RECORDS))
    rates: list[float] = field(default_factory=list)

    def feed(self, line: bytes) -> bool:
        """Take in one line; returns whether it was a whole event, damaged ones change nothing."""
        if not line.strip():
            return False
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(event, dict):
            return False
        take = {
            "started": self._started,
            "step": self._step,
            "gradients": self._gradients,
            "epoch": self._epoch,
            "failed": self._failed,
            "finished": self._finished,
            "paused": self._paused,
        }.get(text(event.get("event")))
        if take is not None:
            take(event)
        return True

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far, waiting not counted."""
        return self.epoch_end_s + self.since_epoch_s

    @property
    def images_per_s(self) -> float:
        """Pictures per second, the median of the last few; NaN before the first."""
        return float(np.median(self.rates)) if self.rates else math.nan

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at the present speed, None where nothing can be said."""
        left = self.total_steps - self.step
        if self.state not in ("running", "paused") or self.total_steps <= 0 or left < 0:
            return None
        if self.images_per_s > 0:
            return left * self.batch / self.images_per_s
        return left * self.elapsed_s / self.step if self.step and self.elapsed_s > 0 else None

    def _forget(self) -> None:
        self.epochs, self.steps, self.gradients = Series(MAX_POINTS), Series(MAX_POINTS), Series(MAX_RECORDS)
        self.epochs_done, self.best_val_error = 0, math.nan
        self.epoch_end_s = self.since_epoch_s = 0.0

    def _started(self, event: dict[str, Any]) -> None:
        self.model = text(event.get("model"), self.model)
        self.params = whole(event.get("params"), self.params)
        self.train_pictures = whole(event.get("train_pictures"), self.train_pictures)
        self.val_pictures = whole(event.get("val_pictures"), self.val_pictures)
        self.epochs_planned = whole(event.get("epochs"), self.epochs_planned)
        self.steps_per_epoch = whole(event.get("steps_per_epoch"), self.steps_per_epoch)
        # older logs lack the total
        self.total_steps = whole(event.get("total_steps")) or self.steps_per_epoch * self.epochs_planned
        if event.get("step") == 0:  # from the very beginning; older logs do not say where they go on
            self._forget()
        self.step = whole(event.get("step"), self.step)
        self.state, self.reason, self.diverged = "running", "", False
        self.rates.clear()  # another machine, perhaps

    def _step(self, event: dict[str, Any]) -> None:
        step = whole(event.get("step"), -1)
        if step < 0:
            return
        rate = number(event.get("images_per_s"))
        if rate > 0:
            self.since_epoch_s += max(0, step - self.step) * self.batch / rate
            self.rates = [*self.rates[1 - RECENT :], rate]
        self.steps.add((step, number(event.get("loss")), number(event.get("lr")), rate, number(event.get("epoch"))))
        self.step = step
        if self.state in ("new", "paused"):
            self.state = "running"

    def _gradients(self, event: dict[str, Any]) -> None:
        step, blocks = whole(event.get("step"), -1), event.get("blocks")
        if step < 0 or not isinstance(blocks, list) or not blocks:
            return
        names = tuple(text(block) for block in blocks)
        weight, act = _norms(event.get("weight_norm"), len(names)), _norms(event.get("act_norm"), len(names))
        if weight is None:
            return
        if names != self.blocks:
            self.blocks, self.gradients = names, Series(MAX_RECORDS)
        self.gradients.add((step, weight, act, number(event.get("coherence")), number(event.get("loss"))))

    def _epoch(self, event: dict[str, Any]) -> None:
        epoch = whole(event.get("epoch"), -1)
        if epoch < 0:
            return
        train, val = 1 - number(event.get("train_acc")), 1 - number(event.get("val_acc"))
        elapsed = number(event.get("elapsed_s"))
        losses = number(event.get("train_loss")), number(event.get("val_loss"))
        self.epochs.add((epoch, losses[0], train, losses[1], val, number(event.get("lr")), elapsed))
        self.epochs_done = epoch
        self.best_val_error = float(np.fmin(self.best_val_error, val))
        if elapsed >= 0:
            self.epoch_end_s, self.since_epoch_s = elapsed, 0.0
        if self.steps_per_epoch:
            self.step = max(self.step, min(epoch * self.steps_per_epoch, self.total_steps))
        if self.state == "new":
            self.state = "running"

    def _failed(self, event: dict[str, Any]) -> None:
        self.state, self.reason, self.diverged = "failed", text(event.get("reason")), event.get("diverged") is True

    def _finished(self, event: dict[str, Any]) -> None:
        self.state = "stopped" if event.get("stopped") is True else "finished"
        elapsed = number(event.get("elapsed_s"))
        if elapsed > 0:
            self.epoch_end_s, self.since_epoch_s = elapsed, 0.0

    def _paused(self, event: dict[str, Any]) -> None:
        self.state = "running" if event.get("paused") is False else "paused"


def _norms(values: object, count: int) -> tuple[float, ...] | None:
    if not isinstance(values, list) or len(values) != count:
        return None
    return tuple(number(value) for value in values)
