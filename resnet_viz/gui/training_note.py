"""What is being trained, in the status line of every workspace; a click leads there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtWidgets import QToolButton, QWidget

from resnet_viz.core.paths import runs_dir
from resnet_viz.training.alive import is_alive

from .run_book import RunBook
from .widgets.run_columns import state_title


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainingNote", text)


class TrainingNote(QToolButton):
    """Name and time left of the run that is being trained, hidden while there is none.

    Args:
        book: the runs that the window knows.
        own: returns the run that this window trains, if any.
        parent: the window.
    """

    def __init__(self, book: RunBook, own: Callable[[], Path | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._book, self._own = book, own
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setAutoRaise(True)
        self.setToolTip(_tr("Show the run that is being trained"))
        for signal in (book.listed, book.changed, book.ended):
            signal.connect(self.refresh)
        self.hide()

    def look(self) -> None:
        """Find out whether a run goes on that another window, or this one before, has begun."""
        try:
            going = any(is_alive(run) for run in runs_dir().iterdir())
        except OSError:
            return
        if going:
            self._book.read()

    def refresh(self, *_: object) -> None:
        """Tell what is being trained now."""
        own = self._own()
        runs = [own, *(run for run in sorted(self._book.alive) if run != own)] if own else sorted(self._book.alive)
        known = [history for run in runs if (history := self._book.get(run)) is not None]
        if known:
            text = _tr("Training {0}: {1}").format(known[0].name, state_title(known[0]))
            more = _tr("{0} and {1} more").format(text, len(known) - 1) if len(known) > 1 else text
            self.setText(more)
            self.setAccessibleName(more)
        self.setVisible(bool(known))
