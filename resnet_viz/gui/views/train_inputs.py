"""What goes into a run: choosing its data and weights, looking at the data, measuring the cost, fetching a set."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QWidget

from resnet_viz.core.errors import UserError
from resnet_viz.gui.context import Context
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.session.training_requests import (
    Cost,
    DataFacts,
    DescribeData,
    Downloaded,
    DownloadOffered,
    DownloadSet,
    EstimateCost,
    OfferDownload,
)

from .train_form import TrainForm


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainInputs", text)


class TrainInputs(QObject):
    """Asks for what the form needs to know.

    Args:
        context: workers and settings.
        form: the form.
        banner: where it is said what is wrong.
        parent: the view; nothing is looked at while it is hidden.

    Signals:
        status: a sentence for the status line.
    """

    status = pyqtSignal(str)

    def __init__(self, context: Context, form: TrainForm, banner: Banner, parent: QWidget) -> None:
        super().__init__(parent)
        self._view, self._context, self._form, self._banner = parent, context, form, banner
        self._asked = False
        form.look_requested.connect(self.look)
        form.folder_requested.connect(self._ask_folder)
        form.table_requested.connect(self._ask_table)
        form.weights_requested.connect(self._ask_weights)

    def look(self) -> None:
        """Look at the data and measure what the run would cost."""
        if not self._view.isVisible():
            return
        try:
            config = self._form.config()
        except UserError as error:
            self._form.show_cost(None, _tr("The cost is measured when the form is complete."))
            self._say(str(error), "info")
            return
        if self._asked:  # what was said of the choices before no longer holds
            self._asked = False
            self._banner.clear()
        self._form.show_cost(None)
        self._context.desk.ask("data", DescribeData(config))
        self._context.costs.ask("cost", EstimateCost(config))

    def take(self, value: object) -> bool:
        """Show an answer; returns whether it was one for the form."""
        if isinstance(value, DataFacts):
            self._form.show_facts(value)
        elif isinstance(value, Cost):
            self._form.show_cost(value)
        elif isinstance(value, DownloadOffered):
            self._offer(value)
        elif isinstance(value, Downloaded):
            self._banner.clear()
            self.look()
        else:
            return False
        return True

    def no_data(self, error: str) -> None:
        """Say why the data cannot be used, and ask what a download would be where there is one."""
        from resnet_viz.data.download import downloadable

        self._form.show_facts(None)
        self._say(error, "error")
        data = str(self._form.fields["data"].value())
        if data in downloadable():
            self._context.desk.ask("offer", OfferDownload(data))

    def _say(self, text: str, kind: str) -> None:
        self._asked = True
        self._banner.show_message(text, "info" if kind == "info" else "error")

    # ---- files ----

    def _ask_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self._view, _tr("Choose a folder of class folders"), self._last()):
            self._take_data(path)

    def _ask_table(self) -> None:
        filters = _tr("Tables") + " (*.csv)"
        path, _ = QFileDialog.getOpenFileName(self._view, _tr("Choose a CSV file"), self._last(), filters)
        if path:
            self._take_data(path)

    def _ask_weights(self) -> None:
        start = str(self._context.settings.value("start-folder", "", type=str))
        filters = _tr("Checkpoints") + " (*.safetensors *.pt *.pth *.th)"
        path, _ = QFileDialog.getOpenFileName(self._view, _tr("Choose a checkpoint"), start, filters)
        if path:
            self._context.settings.setValue("start-folder", str(Path(path).parent))
            self._form.set_start(path)

    def _last(self) -> str:
        return str(self._context.settings.value("data-folder", "", type=str))

    def _take_data(self, path: str) -> None:
        self._context.settings.setValue("data-folder", path)
        self._form.set_data(path)

    # ---- downloads ----

    def _offer(self, offered: DownloadOffered) -> None:
        if offered.data != self._form.fields["data"].value():
            return
        text = _tr("{0} is not on this machine. Download {1:.0f} MB from {2} into {3}?").format(
            offered.title, offered.megabytes, ", ".join(offered.hosts), offered.folder
        )
        self._banner.show_message(text, "warn", [(_tr("Download"), lambda: self._download(offered.data))])

    def _download(self, data: str) -> None:
        self._context.desk.ask("download", DownloadSet(data))
        self._banner.show_message(_tr("Downloading…"), "info", [(_tr("Cancel"), self._cancel)])

    def _cancel(self) -> None:
        self._context.desk.cancel("download")
        self.status.emit("")
        self._banner.show_message(_tr("The download was stopped. Asked for again, it goes on from there."), "info")
