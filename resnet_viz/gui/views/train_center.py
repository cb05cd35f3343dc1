"""The middle of the Train workspace: what runs now, its curves, and the runs, pictures and log below."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.types import ModelCard
from resnet_viz.gui.widgets.curve_chart import CurveChart
from resnet_viz.gui.widgets.elided_label import ElidedLabel
from resnet_viz.gui.widgets.network_map import NetworkMap
from resnet_viz.gui.widgets.picture_gallery import PictureGallery
from resnet_viz.gui.widgets.run_table import RunTable
from resnet_viz.training.history_record import RunHistory

from .train_form import duration
from .train_options import net_title

MAP_FROM_PX = 560
"""How high the middle is at least where the network map has a place above the curves."""


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
        self._chose = False
        self.chart.kind_changed.connect(self._on_kind)
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
        self._has_net = False
        self.map.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(self._make_header())
        column.addWidget(self.progress)
        column.addWidget(self.split, 1)

    def _make_header(self) -> QHBoxLayout:
        self.title = ElidedLabel(_tr("No run yet"))
        self.title.setProperty("heading", True)
        self.state = ElidedLabel(_tr("Choose a net and press Start, or choose a run below"))
        self.state.setProperty("muted", True)
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

    def show_run(self, run: RunHistory | None, ours: bool, alive: bool, before: int | None, paused: bool) -> None:
        """Show a run's state in the header.

        Args:
            run: the run, None for none.
            ours: whether this window trains it.
            alive: whether any process trains it.
            before: how many runs it waits for, None if it does not wait.
            paused: whether it is held.
        """
        going = ours or alive
        self.pause_button.setVisible(run is not None and going)
        self.stop_button.setVisible(run is not None and (going or before is not None))
        self.pause_button.setEnabled(ours and not (run is not None and _is_measured(run)))
        self.pause_button.setText(_tr("Go on") if paused else _tr("Pause"))
        self.stop_button.setText(_tr("Stop") if before is None else _tr("Do not start"))
        self.stop_button.setToolTip(
            _tr("Save the run and end it; it can be resumed at any time")
            if before is None
            else _tr("Take the run out of the queue; it can be started later with Resume")
        )
        self.progress.setVisible(run is not None)
        if run is None:
            return
        known = run.title if run.title != run.model else f"{net_title(run.model)} · {Path(run.data).name}"
        self.title.setText(known)
        self.progress.setValue(round(1000 * run.progress))
        self.state.setText(_going_text(run, paused) if going else _state_text(run, before))

    def show_net(self, card: ModelCard) -> None:
        """Show the run's net on the map, where there is room for it."""
        self.map.set_card(card)
        self._has_net = True
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.map.setVisible(self._has_net and self.height() >= MAP_FROM_PX)

    def show_gallery(self, run: str) -> None:
        """Bring the test pictures to the front, named after the run that answered them."""
        self.tabs.setTabText(self.tabs.indexOf(self.gallery), _tr("Test pictures · {0}").format(run))
        self.tabs.setCurrentWidget(self.gallery)

    def show_newest(self, run: RunHistory | None, going: bool) -> None:
        """Show the first steps' loss while no epoch is over, errors from then on, unless the person chose a chart."""
        if run is not None and not self._chose:
            self.chart.set_kind("loss" if not len(run.epoch) and (going or len(run.steps)) else "error")

    def _on_kind(self) -> None:
        self._chose = True


def _is_measured(run: RunHistory) -> bool:
    """Return whether all steps of a run that goes on are done: its test pictures are being answered."""
    return 0 < run.total_steps <= run.step


def _going_text(run: RunHistory, paused: bool) -> str:
    epoch = _tr("epoch {0} of {1}").format(min(run.epochs_done + 1, run.epochs_planned), run.epochs_planned)
    if paused:
        return f"{epoch} · {_tr('paused')}"
    if not run.total_steps:
        return _tr("starting: reading the pictures")
    if _is_measured(run):
        return _tr("measuring the test pictures")
    if not run.images_per_s > 0:
        return f"{epoch} · {_tr('first steps')}"
    words = [epoch, _tr("{0:,.0f} pictures/s").format(run.images_per_s)]
    if run.eta_s is not None:
        words.append(_tr("{0} left").format(duration(run.eta_s)))
    return " · ".join(words)


def _state_text(run: RunHistory, before: int | None) -> str:
    if before is not None:
        return _tr("waiting for {0} others").format(before) if before > 1 else _tr("waiting for another one")
    if run.state == "finished":
        once = run.epochs_done == 1
        text = _tr("finished, 1 epoch") if once else _tr("finished, {0} epochs").format(run.epochs_done)
        if run.test_error is None:
            return f"{text} · " + _tr("test error not measured")
        return f"{text} · " + _tr("test error {0:.2f} %").format(run.test_error * 100)
    if run.state == "failed":
        return _tr("failed: {0}").format(run.reason)
    if run.state == "new":
        return _tr("not started: press Resume")
    return _tr("stopped after {0} of {1} epochs").format(run.epochs_done, run.epochs_planned)
