"""The right column of the Train workspace: gradients, maps of the picture, confusion."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from resnet_viz.analysis.montage import holds_nan, ranges
from resnet_viz.core.types import I64
from resnet_viz.gui.widgets.block_bars import BlockBars
from resnet_viz.gui.widgets.color_bar import ColorBar
from resnet_viz.gui.widgets.confusion_view import ConfusionView
from resnet_viz.gui.widgets.elided_label import ElidedLabel
from resnet_viz.gui.widgets.feature_grid import FeatureGrid
from resnet_viz.session.training_requests import MapsWatched
from resnet_viz.training.history_record import RunHistory


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainSide", text)


class TrainSide(QWidget):
    """What a run looks like from the inside.

    Signals:
        judge_requested: the person wants every test picture answered.
    """

    judge_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars = BlockBars()
        self.bars.setFixedHeight(140)
        self.maps_title = _heading(_tr("Feature maps"))
        self.grid = FeatureGrid()
        self.grid.setMinimumHeight(150)
        self.scale = ColorBar()
        self.confusion_title = _heading(_tr("Confusion, test pictures"))
        self.confusion = ConfusionView()
        self.confusion.setMinimumHeight(300)
        self.judge_button = QPushButton(_tr("Answer all test pictures"))
        self.judge_button.setToolTip(_tr("Run the best weights on the whole test part, and list the pictures"))
        self.judge_button.clicked.connect(self.judge_requested)
        self.maps_note = QLabel(_tr("While a run is trained, a layer's maps of the open picture appear here."))
        self.maps_note.setWordWrap(True)
        self.maps_note.setProperty("muted", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        self.bars_title = _heading(_tr("Gradient norm by block"))
        for widget in (
            self.bars_title,
            self.bars,
            self.maps_title,
            self.maps_note,
            self.grid,
            self.scale,
            self.confusion_title,
        ):
            column.addWidget(widget)
        column.addWidget(self.confusion, 1)
        row = QHBoxLayout()
        row.addWidget(self.judge_button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch()  # takes what is left over, so that headings stay with what is below them
        self.grid.hide()
        self.scale.hide()

    def show_run(self, run: RunHistory | None, layer: str) -> None:
        """Show a run's last gradients and its confusion matrix, where it has one."""
        has = run is not None and len(run.gradient_steps) > 0
        for widget in (self.bars_title, self.bars):
            widget.setVisible(has)
        if run is not None and has:
            step = int(run.gradient_steps[-1])
            self.bars_title.setText(_tr("Gradient norm by block, step {0:,}").format(step))
            self.bars.set_norms(run.blocks, run.weight_norm[-1], plain=run.plain)
        self.show_confusion(None if run is None else run.confusion, () if run is None else run.classes)
        self.judge_button.setEnabled(run is not None and (run.path / "weights.safetensors").is_file())

    def show_confusion(self, counts: I64 | None, classes: tuple[str, ...]) -> None:
        """Show which class was taken for which on the test pictures; None for nothing."""
        self.confusion.setVisible(counts is not None)
        self.confusion_title.setVisible(counts is not None)
        if counts is not None:
            self.confusion.set_counts(counts, classes)

    def show_maps(self, watched: MapsWatched | None, picture: str) -> None:
        """Show a layer's maps with the weights of the last checkpoint."""
        self.grid.setVisible(watched is not None)
        self.scale.setVisible(watched is not None)
        self.maps_note.setVisible(watched is None)
        if watched is None:
            self.maps_title.setText(_tr("Feature maps"))
            return
        layer = watched.activation.layer
        self.maps_title.setText(_tr("{0} through {1}, epoch {2}").format(picture, layer, watched.epoch))
        self.grid.set_activation(watched.activation, watched.stats)
        options, missing = self.grid.options(), holds_nan(watched.stats)
        if options.normalize == "channel":
            ends = (_tr("min"), _tr("max"))
            self.scale.set_scale(0.0, 1.0, options.colormap, _tr("own scales"), ends, missing=missing)
            self.scale.setToolTip(_tr("Each channel is coloured by its own range"))
        else:
            low, high = ranges(watched.stats, options)
            note = _tr("one scale")
            self.scale.set_scale(float(low[0]), float(high[0]), options.colormap, note, missing=missing)
            self.scale.setToolTip(_tr("All channels are coloured by one range"))


def _heading(text: str) -> ElidedLabel:
    label = ElidedLabel(text)
    label.setProperty("heading", True)
    return label
