"""Saving and copying what is on screen; files are written by the file worker, each in one step."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, pyqtSignal
from PyQt6.QtWidgets import QApplication, QFileDialog, QWidget

from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.pictures import Draw

from .context import Context
from .views.inspect import InspectView
from .widgets.images_qt import from_rgb
from .writing import FileWriter, with_ending

COPY = "copy the grid"
"""The kind of a request to draw the grid for the clipboard."""

SUFFIXES = (".png", ".svg", ".npz", ".csv")
"""Endings that a grid can be saved with; :data:`resnet_viz.analysis.export.SUFFIXES` without its imports."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Saving", text)


class Saver(QObject):
    """Writes the Inspect workspace's grid, maps, statistics and network map.

    Signals:
        said: a sentence of what was written or copied.
        failed: a sentence with a next step.
    """

    said = pyqtSignal(str)
    failed = pyqtSignal(str)

    def __init__(self, context: Context, view: InspectView, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._view = view
        self._window = parent
        self._writer = FileWriter(context.files, self)
        self._writer.said.connect(self.said)
        self._writer.failed.connect(self.failed)
        context.files.arrived.connect(self._on_arrived)

    def save_grid(self) -> None:
        """Ask for a file name and save the grid (.png, .svg), the maps (.npz) or the statistics (.csv)."""
        if self._view.looked is None:
            self.failed.emit(_tr("There is nothing to save yet. Open a net and a picture first."))
            return
        filters = ";;".join(
            (
                _tr("Picture of the grid (*.png)"),
                _tr("Drawing of the grid (*.svg)"),
                _tr("Maps as NumPy arrays (*.npz)"),
                _tr("Statistics of each channel (*.csv)"),
            )
        )
        start = str(self._context.settings.value("save_folder", "", type=str))
        suggestion = str(Path(start) / f"{self._view.layer.replace('.', '-')}.png")
        path, chosen = QFileDialog.getSaveFileName(self._window, _tr("Save"), suggestion, filters)
        path = with_ending(path, chosen, SUFFIXES, self._window)
        if path:
            self._context.settings.setValue("save_folder", str(Path(path).parent))
            self.write_grid(path)

    def write_grid(self, path: str) -> None:
        """Save to ``path``; its ending says what."""
        looked = self._view.looked
        if looked is None or looked.activation is None or looked.stats is None:
            self.failed.emit(_tr("There is nothing to save yet. Open a net and a picture first."))
            return
        activation, stats = looked.activation, looked.stats
        options, pinned = self._view.center.grid.options(), self._view.center.grid.pinned()
        provenance = self._view.provenance()
        target = Path(path)

        def write() -> None:
            from resnet_viz.analysis.export import write_activation

            write_activation(target, activation, stats, options, provenance, pinned=pinned)

        self._writer.write(target, write)

    def save_map(self) -> None:
        """Ask for a file name and save the network map as SVG or PNG."""
        if self._view.card is None:
            self.failed.emit(_tr("There is no net to draw. Open one first."))
            return
        filters = f"{_tr('Drawing')} (*.svg);;{_tr('Picture')} (*.png)"
        title = _tr("Save the network map")
        path, chosen = QFileDialog.getSaveFileName(self._window, title, "network.svg", filters)
        path = with_ending(path, chosen, (".svg", ".png"), self._window)
        if path:
            self.write_map(path)

    def write_map(self, path: str) -> None:
        """Save the network map; drawn here, since painting belongs to the window's thread."""
        target = Path(path)
        try:
            with atomic_path(target) as temporary:
                if target.suffix.lower() == ".png":
                    self._view.map.to_image(2400).save(str(temporary), "PNG")
                else:
                    self._view.map.to_svg(str(temporary))
        except OutputError as error:
            self.failed.emit(str(error))
            return
        self.said.emit(_tr("{0} is written.").format(target.name))

    def copy_picture(self) -> None:
        """Copy the grid as it is on screen, with its numbers, its scale and where it comes from."""
        clipboard = QApplication.clipboard()
        draw = self._view.center.grid.whole(self._view.provenance()) if self._view.looked is not None else None
        if clipboard is None or draw is None:
            self.failed.emit(_tr("There is nothing to copy yet. Open a net and a picture first."))
            return
        self._context.files.ask(COPY, Draw(draw))

    def copy_python(self) -> None:
        """Copy a script that reproduces the numbers on screen."""
        look = self._view.request()
        clipboard = QApplication.clipboard()
        if look is None or self._view.looked is None or self._view.card is None or clipboard is None:
            self.failed.emit(_tr("There is nothing to copy yet. Open a net and a picture first."))
            return
        from resnet_viz.session.snippets import python_script

        clipboard.setText(python_script(self._view.card, look))
        self.said.emit(_tr("A Python script that reproduces these numbers is in the clipboard."))

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.progress is not None or outcome.kind != COPY:
            return
        if outcome.error is not None:
            self.failed.emit(str(outcome.error))
        else:
            self._into_clipboard(outcome.value)

    def _into_clipboard(self, drawn: object) -> None:
        import numpy as np

        clipboard = QApplication.clipboard()
        if clipboard is not None and isinstance(drawn, np.ndarray):
            clipboard.setImage(from_rgb(drawn))
            self.said.emit(_tr("The grid is in the clipboard."))
