"""The middle of the Train workspace: what runs now, its curves, and the runs, pictures and log below."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.gui.widgets.curve_chart import CurveChart
from resnet_viz.gui.widgets.network_map import NetworkMap
from resnet_viz.gui.widgets.picture_gallery import PictureGallery
from resnet_viz.gui.widgets.run_table import RunTable
from resnet_viz.training.history_record import RunHistory

from .train_form import duration


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainCenter", text)


class TrainCenter(QWidget):
    """Header with progress, network map, curves, table.

    Signals:
        pause_requested, stop_requested: buttons of the run on show.
        resume_requested, inspect_requested, export_requested: buttons above the table.
    """

    pause_requested = pyqtSignal()
    stop_requested = pyqtSignal()
    resume_requested = pyqtSignal()
    inspect_requested = pyqtSignal()
    export_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map = NetworkMap()
        self.chart = CurveChart()
        self.table = RunTable()
        self.gallery = PictureGallery()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(2000)
        self.log.setPlaceholderText(_tr("What the training process says besides its events appears here."))
        self.log.setAccessibleName(_tr("Log of the training process"))
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self._with_buttons(), _tr("Runs"))
        self.tabs.addTab(self.gallery, _tr("Test pictures"))
        self.tabs.addTab(self.log, _tr("Log"))
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setObjectName("train-rows")
        self.split.setChildrenCollapsible(False)
        for widget, stretch in ((self.map, 0), (self.chart, 3), (self.tabs, 2)):
            self.split.addWidget(widget)
            self.split.setStretchFactor(self.split.count() - 1, stretch)
        self.map.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(self._make_header())
        column.addWidget(self.progress)
        column.addWidget(self.split, 1)

    def _make_header(self) -> QHBoxLayout:
        self.title = QLabel(_tr("No run yet"))
        self.title.setProperty("heading", True)
        self.state = QLabel(_tr("Choose a net and press Start, or choose a run below"))
        self.state.setProperty("muted", True)
        self.state.setMinimumWidth(1)
        self.pause_button = QPushButton(_tr("Pause"))
        self.pause_button.setToolTip(_tr("Hold the run; it is saved first"))
        self.pause_button.clicked.connect(self.pause_requested)
        self.stop_button = QPushButton(_tr("Stop"))
        self.stop_button.setToolTip(_tr("Save the run and end it; it can be resumed at any time"))
        self.stop_button.clicked.connect(self.stop_requested)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(_tr("Progress of the run"))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.title)
        row.addWidget(self.state, 1)
        row.addWidget(self.pause_button)
        row.addWidget(self.stop_button)
        return row

    def _with_buttons(self) -> QWidget:
        self.resume_button = QToolButton()
        self.resume_button.setText(_tr("Resume"))
        self.resume_button.setToolTip(_tr("Go on with the chosen run from its last checkpoint"))
        self.resume_button.clicked.connect(self.resume_requested)
        self.inspect_button = QToolButton()
        self.inspect_button.setText(_tr("Open in Inspect"))
        self.inspect_button.setToolTip(_tr("Show the chosen run's best weights in Inspect (Enter)"))
        self.inspect_button.clicked.connect(self.inspect_requested)
        self.export_button = QToolButton()
        self.export_button.setText(_tr("Export…"))
        self.export_button.setToolTip(_tr("Save the table as CSV or Markdown"))
        self.export_button.clicked.connect(self.export_requested)
        for button in (self.resume_button, self.inspect_button, self.export_button):
            self.table.head.addWidget(button)
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.table)
        return holder

    def show_run(self, run: RunHistory | None, ours: bool, alive: bool, waiting: int, paused: bool) -> None:
        """Show a run's state in the header.

        Args:
            run: the run, None for none.
            ours: whether this window trains it.
            alive: whether any process trains it.
            waiting: how many runs wait.
            paused: whether it is held.
        """
        for button in (self.pause_button, self.stop_button):
            button.setVisible(run is not None and (ours or alive))
        self.pause_button.setEnabled(ours)
        self.pause_button.setText(_tr("Go on") if paused else _tr("Pause"))
        self.progress.setVisible(run is not None)
        if run is None:
            return
        self.title.setText(run.title)
        self.progress.setValue(round(1000 * run.progress))
        words = [_tr("epoch {0} of {1}").format(min(run.epochs_done + 1, run.epochs_planned), run.epochs_planned)]
        if ours or alive:
            words.append(_tr("paused") if paused else _tr("{0:,.0f} pictures/s").format(run.images_per_s))
            if run.eta_s is not None and not paused:
                words.append(_tr("{0} left").format(duration(run.eta_s)))
            if waiting:
                words.append(_tr("{0} waiting").format(waiting))
        else:
            words = [_state_text(run)]
        self.state.setText(" · ".join(words))
        self.state.setToolTip(run.reason)


def _state_text(run: RunHistory) -> str:
    if run.state == "finished":
        text = _tr("finished, {0} epochs").format(run.epochs_done)
        return (
            text if run.test_error is None else f"{text} · " + _tr("test error {0:.2f} %").format(run.test_error * 100)
        )
    if run.state == "failed":
        return _tr("failed: {0}").format(run.reason)
    if run.state == "new":
        return _tr("waiting")
    return _tr("stopped after {0} of {1} epochs").format(run.epochs_done, run.epochs_planned)
