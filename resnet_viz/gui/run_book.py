"""The runs that the window knows: read once, then followed while somebody trains them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from resnet_viz.core.paths import runs_dir, trained_dir
from resnet_viz.gui.bridge import Bridge
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.training_requests import ListRuns, RunList
from resnet_viz.training.alive import is_alive
from resnet_viz.training.history import Follower
from resnet_viz.training.history_record import RunHistory

FOLLOW_MS = 500


class RunBook(QObject):
    """Histories by folder.

    Signals:
        listed: all runs were read anew.
        changed: folder of a run whose log has grown, or that is new.
        ended: folder of a run that no process trains any more.
    """

    listed = pyqtSignal()
    changed = pyqtSignal(object)
    ended = pyqtSignal(object)

    def __init__(self, desk: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.histories: dict[Path, RunHistory] = {}
        """What is known of each run; a run that nobody trains any more is not called running."""
        self.alive: set[Path] = set()
        self._told: dict[Path, RunHistory] = {}
        self._followers: dict[Path, Follower] = {}
        self._own: Path | None = None
        self._waiting: frozenset[Path] = frozenset()
        self._timer = QTimer(self)
        self._timer.setInterval(FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        desk.arrived.connect(self._on_arrived)

    def read(self) -> None:
        """Read the list of runs anew, the user's and those that ship."""
        self._desk.ask("runs", ListRuns((runs_dir(), trained_dir())))
        self._timer.start()

    def get(self, run: Path | None) -> RunHistory | None:
        """Return what is known of a run."""
        return None if run is None else self.histories.get(run)

    def set_queue(self, own: Path | None, waiting: Iterable[Path]) -> None:
        """Say which run this window trains, and which wait for it."""
        if (own, waiting := frozenset(waiting)) == (self._own, self._waiting):
            return
        self._own, self._waiting = own, waiting
        self._timer.start()
        for run in list(self._told):
            self._settle(run)

    def refresh(self, run: Path) -> None:
        """Read what a run has added to its log."""
        found = self._followers.setdefault(run, Follower(run)).poll()
        if found is not None:
            self._told[run] = found
            self.histories[run] = self._as_it_is(found)
            self.changed.emit(run)

    def _settle(self, run: Path) -> None:
        """Look whether what the log says last is still so."""
        now = self._as_it_is(self._told[run])
        if now.state != self.histories[run].state:
            self.histories[run] = now
            self.changed.emit(run)

    def _as_it_is(self, run: RunHistory) -> RunHistory:
        if run.state == "new" and run.path in self._waiting:
            return dataclasses.replace(run, state="waiting")
        if run.state == "new" and run.path == self._own:
            return dataclasses.replace(run, state="running")  # its process reads the pictures first
        if run.state in ("running", "paused") and run.path != self._own and not is_alive(run.path):
            return dataclasses.replace(run, state="stopped", eta_s=None)  # killed: its log has no end
        return run

    def _follow(self) -> None:
        going = [path for path, run in self.histories.items() if run.state in ("running", "paused")]
        for run in {*going, *self.alive, *([self._own] if self._own else [])}:
            self.refresh(run)
            if run in self._told:
                self._settle(run)
            if run in self.alive and not is_alive(run):
                self.alive.discard(run)
                self.ended.emit(run)

    def _on_arrived(self, outcome: Outcome) -> None:
        if isinstance(outcome.value, RunList):
            self.alive = set(outcome.value.alive)
            self._told = {run.path: run for run in outcome.value.runs}
            self.histories = {path: self._as_it_is(run) for path, run in self._told.items()}
            self._followers = {}
            for run in {*self._waiting, *([self._own] if self._own else [])} - self._told.keys():
                self.refresh(run)  # it was queued while the list was read
            self.listed.emit()
