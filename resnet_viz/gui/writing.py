"""Files that a view has written: named by a person, written by the file worker, each in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, pyqtSignal
from PyQt6.QtWidgets import QMessageBox, QWidget

from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.pictures import Write, Written

from .bridge import Bridge


def _tr(text: str) -> str:
    return QCoreApplication.translate("Writing", text)


class FileWriter(QObject):
    """Has files written, and says what came of those that it asked for itself.

    Args:
        files: the worker that writes.
        parent: owns it.

    Signals:
        said: a sentence of what was written.
        failed: a sentence with a next step.
    """

    said = pyqtSignal(str)
    failed = pyqtSignal(str)

    def __init__(self, files: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self._files = files
        self._tickets: dict[str, int] = {}
        files.arrived.connect(self._on_arrived)

    def write(self, target: Path, write: Callable[[], object]) -> None:
        """Let the worker call ``write``, which writes ``target``; the window's end waits for it."""
        said = _tr("{0} is written.").format(target.name)

        def job() -> str:
            write()
            return said

        # of one kind only the newest is answered: every file is a kind of its own
        kind = f"write {target.absolute()}"
        self._tickets[kind] = self._files.ask(kind, Write(job), due=True)

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.progress is not None or self._tickets.get(outcome.kind) != outcome.ticket:
            return
        del self._tickets[outcome.kind]
        if outcome.error is not None:
            self.failed.emit(str(outcome.error))
        elif isinstance(outcome.value, Written):
            self.said.emit(outcome.value.message)


def with_ending(path: str, chosen: str, known: Sequence[str], parent: QWidget) -> str:
    """Return a path with an ending that can be written, the chosen filter's unless it has one; empty for none.

    Args:
        path: what a file dialog returned.
        chosen: the filter that was chosen in it.
        known: endings that can be written.
        parent: the widget that a question belongs to.
    """
    if not path or Path(path).suffix.lower() in known:
        return path
    # ".0" of "layer1.0" is no ending
    path += chosen[chosen.rindex("*") + 1 : -1] if "*" in chosen else known[0]
    name = Path(path).name
    if Path(path).exists():  # the dialog has asked about a name without the ending
        text = _tr("{0} exists already. Replace it?").format(name)
        answer = QMessageBox.question(parent, _tr("Save"), text)
        return path if answer == QMessageBox.StandardButton.Yes else ""
    return path
