"""The middle of the Gradients workspace: the maps above each other, the chart, the sentence, the replay."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QCoreApplication, QEvent, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.types import ModelCard
from resnet_viz.gui import theme
from resnet_viz.gui.icons import icon
from resnet_viz.gui.widgets.elided_label import ElidedLabel
from resnet_viz.gui.widgets.flow_layout import FlowLayout
from resnet_viz.gui.widgets.network_map import NetworkMap
from resnet_viz.gui.widgets.plan_chart import PlanChart
from resnet_viz.gui.widgets.segmented import Segmented

PLAY_MS = 60


def _tr(text: str) -> str:
    return QCoreApplication.translate("GradientCenter", text)


class Replay(QWidget):
    """Play, a slider over the records of a training, and where they come from.

    Signals:
        moved: number of the record on show.
        source_chosen: index of the source; 0 is the present measurement.
        train_requested: the person wants some steps trained now.
        cancel_requested: the person wants that to stop.
    """

    moved = pyqtSignal(int)
    source_chosen = pyqtSignal(int)
    train_requested = pyqtSignal()
    cancel_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(PLAY_MS)
        self._timer.timeout.connect(self._advance)
        self.source = QComboBox()
        self.source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.source.setMinimumContentsLength(5)  # where there is more room it takes more
        self.source.setToolTip(_tr("What is on show: the nets as they are now, or a training step by step"))
        self.source.setAccessibleName(_tr("Measurement or recording"))
        self.source.activated.connect(self.source_chosen)
        self.play_button = QToolButton()
        self.play_button.setCheckable(True)
        self.play_button.setToolTip(_tr("Play the training (Space)"))
        self.play_button.setAccessibleName(_tr("Play the training"))
        self.play_button.toggled.connect(self._on_play)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(_tr("The step on show; the arrow keys go from record to record"))
        self.slider.setAccessibleName(_tr("Step of the training"))
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.setMinimumWidth(30)
        self.at = QLabel()
        self.at.setProperty("muted", True)
        self.train_button = QPushButton(_tr("Train 50 steps"))
        self.train_button.setToolTip(_tr("Train copies of these nets for 50 steps now, and watch their gradients"))
        self.train_button.clicked.connect(self._on_train)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.source, 1)
        row.addWidget(self.play_button)
        row.addWidget(self.slider, 2)
        row.addWidget(self.at)
        row.addWidget(self.train_button)
        self._training = False
        self._icons()
        self.set_records(0)

    def set_sources(self, titles: Sequence[str], chosen: int) -> None:
        """List what can be shown; the first is the present measurement."""
        self.source.clear()
        self.source.addItems(list(titles))
        self.source.setCurrentIndex(chosen)

    def set_records(self, count: int, at: int = 0) -> None:
        """Show how many records there are, 0 for a measurement, which has no time."""
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, count - 1))
        self.slider.setValue(at)
        self.slider.blockSignals(False)
        for widget in (self.play_button, self.slider):
            widget.setEnabled(count > 1)
        if count < 2:
            self.play_button.setChecked(False)

    def set_training(self, on: bool) -> None:
        """Show that steps are being trained, which the same button stops."""
        self._training = on
        self.train_button.setText(_tr("Stop") if on else _tr("Train 50 steps"))

    def _on_train(self) -> None:
        (self.cancel_requested if self._training else self.train_requested).emit()

    def _on_play(self, on: bool) -> None:
        if on and self.slider.value() == self.slider.maximum():
            self.slider.setValue(0)
        self._timer.start() if on else self._timer.stop()
        self._icons()

    def _advance(self) -> None:
        # a long recording plays in about ten seconds
        step = max(1, round(self.slider.maximum() / 160))
        self.slider.setValue(min(self.slider.maximum(), self.slider.value() + step))
        if self.slider.value() == self.slider.maximum():
            self.play_button.setChecked(False)

    def _on_slider(self, index: int) -> None:
        self.moved.emit(index)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._icons()

    def _icons(self) -> None:
        self.play_button.setIcon(icon("mdi6.pause" if self.play_button.isChecked() else "mdi6.play"))


class Sentence(QFrame):
    """What is measured, in plain words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sentence")
        self._coloured: theme.Theme | None = None
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setMinimumSize(1, 1)  # or the text would ask for the height that it takes in its narrowest width
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.addWidget(self.label)
        self._texts: tuple[str, str] = ("", "")
        self._colour()

    def show_text(self, measured: str, aside: str) -> None:
        """Show what was measured, and an aside in a quieter colour."""
        self._texts = (measured, aside)
        self._colour()
        self.setVisible(bool(measured))

    def text(self) -> str:
        """Return what is shown, without colours."""
        return " ".join(part for part in self._texts if part)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and self._coloured is not theme.current():
            self._colour()

    def _colour(self) -> None:
        colours = self._coloured = theme.current()
        measured, aside = (text.replace("&", "&amp;").replace("<", "&lt;") for text in self._texts)
        self.label.setText(f"{measured} <span style='color:{colours.muted}'>{aside}</span>")
        ground = "#223042" if colours.dark else "#e3effa"
        self.setStyleSheet(
            f"#sentence {{ background: {ground}; border: none; border-left: 3px solid {colours.residual};"
            " border-radius: 4px; }"
        )


class GradientCenter(QWidget):
    """Maps, chart, sentence, replay.

    Signals:
        block_chosen: number of the net and name of the block that was clicked on a map.
        chart_chosen: the person wants another chart: ``"blocks"``, ``"time"`` or ``"depth"``.
        time_chosen: the person wants another quantity over time.
        sweep_requested, cancel_requested: the button of the depth chart.
    """

    block_chosen = pyqtSignal(int, str)
    chart_chosen = pyqtSignal()
    time_chosen = pyqtSignal()
    sweep_requested = pyqtSignal()
    cancel_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.maps: list[NetworkMap] = []
        self._maps = QVBoxLayout()
        self._maps.setSpacing(0)
        self.charts = Segmented(
            (
                ("blocks", _tr("By block"), _tr("One measurement, block by block from input to output")),
                ("time", _tr("Over time"), _tr("How it moves while a net is trained")),
                ("depth", _tr("Over depth"), _tr("Ratio and coherence of shallow and deep nets")),
            ),
            _tr("Chart"),
        )
        self.charts.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.charts.changed.connect(self.chart_chosen)
        self.times = Segmented(
            (
                ("ratio", _tr("ratio"), _tr("First block / last block")),
                ("first", _tr("first block"), _tr("Gradient norm of the first block")),
                ("coherence", _tr("coherence"), _tr("Cosine of the input gradients at x and x + 1 % noise")),
                ("loss", _tr("loss"), _tr("Cross-entropy of the batch")),
            ),
            _tr("Over time"),
        )
        self.times.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.times.changed.connect(self.time_chosen)
        self.depths = Segmented(
            (
                ("ratio", _tr("ratio"), _tr("First block / last block")),
                ("coherence", _tr("coherence"), _tr("Cosine of the input gradients at x and x + 1 % noise")),
            ),
            _tr("Over depth"),
        )
        self.depths.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.depths.changed.connect(self.time_chosen)
        self.sweep_button = QPushButton(_tr("Measure all depths"))
        self.sweep_button.setToolTip(_tr("Measure plain and residual nets of 20 to 110 layers in the background"))
        self.sweep_button.clicked.connect(self._on_sweep)
        self._sweeping = False
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(_tr("Progress of the measurement"))
        keep = self.progress.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(keep)
        self.heading = QLabel()
        self.heading.setProperty("heading", True)
        self.sub = ElidedLabel()
        self.sub.setProperty("muted", True)
        self.sub.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.chart = PlanChart(_tr("Chart of the gradients"))
        self.chart.setMinimumHeight(200)  # in a low window the column scrolls
        self.sentence = Sentence()
        self.replay = Replay()
        self._lay_out()

    def _lay_out(self) -> None:
        switches = FlowLayout(spacing=8)  # a narrow window breaks the row
        for widget in (self.charts, self.times, self.depths, self.sweep_button):
            switches.addWidget(widget)
        titles = QHBoxLayout()
        titles.setSpacing(8)
        titles.addWidget(self.heading)
        titles.addWidget(self.sub, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(8)
        column.addLayout(self._maps)
        column.addLayout(switches)
        column.addLayout(titles)
        column.addWidget(self.progress)
        column.addWidget(self.chart, 1)
        column.addWidget(self.sentence)
        column.addWidget(self.replay)

    def show_cards(self, cards: Sequence[ModelCard], titles: Sequence[str]) -> None:
        """Show one network map for each net, its title above it."""
        while len(self.maps) < len(cards):
            made = NetworkMap()
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            index = len(self.maps)
            made.layer_selected.connect(lambda layer, index=index: self.block_chosen.emit(index, layer))
            self.maps.append(made)
            self._maps.addWidget(made)
        for index, shown in enumerate(self.maps):
            shown.setVisible(index < len(cards))
        em = self.fontInfo().pixelSize()
        for shown, card, title in zip(self.maps, cards, titles, strict=False):
            if shown.card() != card:
                shown.set_card(card)
            shown.set_caption(title)
            # two nets have room; three or four share what there is
            shown.setFixedHeight(round((9.6 if len(cards) < 3 else 7.6) * em))

    def set_sweeping(self, on: bool) -> None:
        """Show that the depths are being measured, which the same button stops."""
        self._sweeping = on
        self.sweep_button.setText(_tr("Stop") if on else _tr("Measure all depths"))

    def set_progress(self, share: float | None) -> None:
        """Show how far the running measurement is, None for none."""
        self.progress.setVisible(share is not None)
        self.progress.setValue(round(1000 * (share or 0.0)))

    def show_chart(self, kind: str) -> None:
        """Show the switches that belong to a chart."""
        self.charts.set_values(kind)
        self.times.setVisible(kind == "time")
        self.depths.setVisible(kind == "depth")
        self.sweep_button.setVisible(kind == "depth")

    def _on_sweep(self) -> None:
        (self.cancel_requested if self._sweeping else self.sweep_requested).emit()
