"""Taking the lesion board's numbers along: a chart, a table, a script."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, QSettings, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QFileDialog, QWidget

from resnet_viz.gui.bridge import Bridge
from resnet_viz.gui.writing import FileWriter, with_ending
from resnet_viz.session.gradient_requests import LesionEach, LesionRandom, LesionsMeasured, MeasureLesion

ENDINGS = (".png", ".svg", ".pdf", ".csv")


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
        self._settings, self._window = settings, parent
        self._writer = FileWriter(files, self)
        self._writer.said.connect(self.said)
        self._writer.failed.connect(self.failed)

    def ask_save(self, study: LesionsMeasured | None) -> None:
        """Ask for a file name and save the bars or their numbers."""
        if study is None:
            self.failed.emit(_tr("There are no bars to save yet. Measure each block in turn first."))
            return
        titles = (_tr("Picture"), _tr("Drawing"), _tr("Document"), _tr("Numbers"))
        filters = ";;".join(f"{title} (*{ending})" for title, ending in zip(titles, ENDINGS, strict=True))
        start = Path(str(self._settings.value("save_folder", "", type=str))) / "lesions.png"
        path, chosen = QFileDialog.getSaveFileName(self._window, _tr("Save the bars"), str(start), filters)
        path = with_ending(path, chosen, ENDINGS, self._window)
        if not path:
            return
        self._settings.setValue("save_folder", str(Path(path).parent))
        self.write(path, study)

    def write(self, path: str, study: LesionsMeasured) -> None:
        """Save the bars; the ending says how: PNG, SVG, PDF, or CSV for the numbers."""
        target = Path(path)

        def write() -> None:
            from resnet_viz.analysis.lesion_export import write_lesion

            write_lesion(target, study.result, study.title, plain=study.plain)

        self._writer.write(target, write)

    def copy_python(self, request: MeasureLesion | LesionEach | LesionRandom | None) -> None:
        """Copy a script that asks the same."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is None or request is None:
            self.failed.emit(_tr("There is nothing to copy yet. Choose a net first."))
            return
        from resnet_viz.session.gradient_snippets import lesion_script

        clipboard.setText(lesion_script(request))
        self.said.emit(_tr("A Python script that measures this is in the clipboard."))
