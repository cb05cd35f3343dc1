"""The bars of the lesion board with what starts them: every block, every skip, some at random."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from resnet_viz.gui.widgets.flow_layout import FlowLayout
from resnet_viz.gui.widgets.lesion_bars import LesionBars
from resnet_viz.gui.widgets.option_fields import WholeField

from .gradient_center import Sentence
from .lesion_side import show_share, thin_bar

MAX_DRAWS, MAX_SEED = 100, 9999


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionCenter", text)


class LesionCenter(QWidget):
    """Buttons, bars, and what they come to in words.

    Signals:
        each_requested: ``"delete"`` every block, or ``"cut"`` every skip, in turn.
        random_requested: blocks at a time, draws, seed.
        stop_requested: the running measurement shall end.
    """

    each_requested = pyqtSignal(str)
    random_requested = pyqtSignal(int, int, int)
    stop_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.blocks_button = QPushButton(_tr("Each block in turn"))
        self.blocks_button.setToolTip(_tr("Delete every block by itself and measure the error, in the background"))
        self.blocks_button.clicked.connect(lambda: self.each_requested.emit("delete"))
        self.skips_button = QPushButton(_tr("Each skip in turn"))
        self.skips_button.clicked.connect(lambda: self.each_requested.emit("cut"))
        self.random_button = QPushButton(_tr("At random"))
        self.random_button.setToolTip(_tr("Delete several blocks drawn at random, several times, in the background"))
        self.random_button.clicked.connect(self._on_random)
        self.k, self.draws, self.seed = WholeField(1, 1), WholeField(1, MAX_DRAWS), WholeField(0, MAX_SEED)
        self.draws.set_value(10)
        self.stop_button = QPushButton(_tr("Stop"))
        self.stop_button.setToolTip(_tr("Give up the measurement; what is known stays"))
        self.stop_button.clicked.connect(self.stop_requested)
        self.heading, self.sub = QLabel(), QLabel()
        self.heading.setProperty("heading", True)
        self.sub.setProperty("muted", True)
        self.sub.setMinimumWidth(1)
        self.sub.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.progress = thin_bar(_tr("Progress of the measurement"))
        self.bars = LesionBars()
        self.sentence = Sentence()
        self._lay_out()
        self.set_limits(0, 0)
        self.set_running(None)

    def _lay_out(self) -> None:
        row = FlowLayout(6)
        for button in (self.blocks_button, self.skips_button):
            row.addWidget(button)
        group = QWidget()
        inside = QHBoxLayout(group)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(4)
        inside.addWidget(self.random_button)
        for label, field, tip in (
            (_tr("blocks"), self.k, _tr("How many blocks are deleted at once")),
            (_tr("draws"), self.draws, _tr("How many times blocks are drawn")),
            (_tr("seed"), self.seed, _tr("Another one draws other blocks, and picks other pictures")),
        ):
            name = QLabel(label)
            name.setProperty("muted", True)
            name.setBuddy(field)
            field.setToolTip(tip)
            field.spin.setAccessibleName(tip)
            field.setFixedWidth(4 * self.fontMetrics().averageCharWidth() + 32)
            inside.addWidget(name)
            inside.addWidget(field)
        row.addWidget(group)
        keep = self.stop_button.sizePolicy()
        keep.setRetainSizeWhenHidden(True)  # nothing moves when it comes and goes
        self.stop_button.setSizePolicy(keep)
        titles = QHBoxLayout()
        titles.setSpacing(8)
        titles.addWidget(self.heading)
        titles.addWidget(self.sub, 1)
        titles.addWidget(self.stop_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addLayout(row)
        column.addLayout(titles)
        column.addWidget(self.progress)
        column.addWidget(self.bars, 1)
        column.addWidget(self.sentence)

    def set_limits(self, blocks: int, skips: int) -> None:
        """Say how many blocks can be deleted and how many skips cut; 0 switches the buttons off."""
        for widget in (self.blocks_button, self.random_button, self.k, self.draws, self.seed):
            widget.setEnabled(blocks > 0)
        self.skips_button.setEnabled(skips > 0)
        self.skips_button.setToolTip(
            _tr("Cut every skip connection by itself and measure the error, in the background")
            if skips or not blocks
            else _tr("This net has no skip connection to cut.")
        )
        self.k.spin.blockSignals(True)
        self.k.spin.setMaximum(max(1, blocks))
        self.k.spin.blockSignals(False)

    def show_sentence(self, measured: str, aside: str, roomy: bool) -> None:
        """Show what it comes to; where there is little room, the aside is the tooltip."""
        self.sentence.show_text(measured, aside if roomy else "")
        self.sentence.setToolTip("" if roomy else aside)

    def set_running(self, share: float | None) -> None:
        """Show how far the running measurement is, None for none."""
        self.stop_button.setVisible(share is not None)
        show_share(self.progress, share)

    def _on_random(self) -> None:
        self.random_requested.emit(self.k.value(), self.draws.value(), self.seed.value())
