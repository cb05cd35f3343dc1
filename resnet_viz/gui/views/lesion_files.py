"""Taking the lesion board's numbers along: a chart, a table, a script."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, QSettings, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QFileDialog, QWidget

from resnet_viz.gui.bridge import Bridge
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.gradient_requests import LesionEach, LesionRandom, LesionsMeasured, MeasureLesion
from resnet_viz.session.pictures import Write, Written

KIND = "write-lesions "
"""What the kind of a request to write begins with; the path follows: no file is overtaken by another."""

ENDINGS = ("png", "svg", "pdf", "csv")


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionFiles", text)


class LesionFiles(QObject):
    """Writes bars by the file worker, and scripts into the clipboard.

    Args:
        files: the worker that writes.
        settings: remember the folder.
        parent: the widget that dialogs belong to.

    Signals:
        said: a sentence of what was written or copied.
        failed: a sentence with a next step.
    """

    said = pyqtSignal(str)
    failed = pyqtSignal(str)

    def __init__(self, files: Bridge, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._files, self._settings, self._window = files, settings, parent
        self._tickets: dict[str, int] = {}
        files.arrived.connect(self._on_arrived)

    def ask_save(self, study: LesionsMeasured | None) -> None:
        """Ask for a file name and save the bars or their numbers."""
        if study is None:
            self.failed.emit(_tr("There are no bars to save yet. Measure each block in turn first."))
            return
        titles = (_tr("Picture"), _tr("Drawing"), _tr("Document"), _tr("Numbers"))
        filters = ";;".join(f"{title} (*.{ending})" for title, ending in zip(titles, ENDINGS, strict=True))
        start = Path(str(self._settings.value("save_folder", "", type=str))) / "lesions.png"
        path, chosen = QFileDialog.getSaveFileName(self._window, _tr("Save the bars"), str(start), filters)
        if not path:
            return
        if not Path(path).suffix:
            path += chosen[chosen.rindex("*") + 1 : -1]
        self._settings.setValue("save_folder", str(Path(path).parent))
        self.write(path, study)

    def write(self, path: str, study: LesionsMeasured) -> None:
        """Save the bars; the ending says how: PNG, SVG, PDF, or CSV for the numbers."""
        target = Path(path)
        said = _tr("{0} is written.").format(target.name)

        def job() -> str:
            from resnet_viz.analysis.lesion_export import write_lesion

            write_lesion(target, study.result, study.title, plain=study.plain)
            return said

        kind = f"{KIND}{target.absolute()}"
        self._tickets[kind] = self._files.ask(kind, Write(job), due=True)

    def copy_python(self, request: MeasureLesion | LesionEach | LesionRandom | None) -> None:
        """Copy a script that asks the same."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is None or request is None:
            self.failed.emit(_tr("There is nothing to copy yet. Choose a net first."))
            return
        from resnet_viz.session.gradient_snippets import lesion_script

        clipboard.setText(lesion_script(request))
        self.said.emit(_tr("A Python script that measures this is in the clipboard."))

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.progress is not None or self._tickets.get(outcome.kind) != outcome.ticket:
            return
        del self._tickets[outcome.kind]
        if outcome.error is not None:
            self.failed.emit(str(outcome.error))
        elif isinstance(outcome.value, Written):
            self.said.emit(outcome.value.message)
