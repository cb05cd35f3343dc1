"""The runs that the window knows: read once, then followed while somebody trains them."""

from __future__ import annotations

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
        self.alive: set[Path] = set()
        self._followers: dict[Path, Follower] = {}
        self._own: Path | None = None
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

    def set_own(self, run: Path | None) -> None:
        """Follow the run that this window trains."""
        self._own = run
        if run is not None:
            self._timer.start()

    def refresh(self, run: Path) -> None:
        """Read what a run has added to its log."""
        found = self._followers.setdefault(run, Follower(run)).poll()
        if found is not None:
            self.histories[run] = found
            self.changed.emit(run)

    def _follow(self) -> None:
        for run in {*self.alive, *([self._own] if self._own else [])}:
            self.refresh(run)
            if run in self.alive and not is_alive(run):
                self.alive.discard(run)
                self.ended.emit(run)

    def _on_arrived(self, outcome: Outcome) -> None:
        if isinstance(outcome.value, RunList):
            self.histories = {run.path: run for run in outcome.value.runs}
            self.alive = set(outcome.value.alive)
            self._followers = {}
            self.listed.emit()
