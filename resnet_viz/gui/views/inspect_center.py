"""The middle of the Inspect workspace: heading, the grid with its controls, the block taken apart, the kernels."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.analysis.montage import Coloured, holds_nan, ranges
from resnet_viz.core.types import Activation, ChannelStats, LayerInfo
from resnet_viz.gui.widgets.color_bar import ColorBar
from resnet_viz.gui.widgets.elided_label import ElidedLabel
from resnet_viz.gui.widgets.feature_grid import FeatureGrid
from resnet_viz.gui.widgets.filter_view import FilterView
from resnet_viz.gui.widgets.grid_toolbar import GridToolbar
from resnet_viz.gui.widgets.microscope import Microscope

MODES = ("maps", "parts", "filters")


def _tr(text: str) -> str:
    return QCoreApplication.translate("Inspect", text)


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as a person reads it: ``"32 channels · 16 × 16"`` or ``"10 values"``."""
    if len(shape) == 3:
        return _tr("{0} channels · {1} × {2}").format(*shape)
    return _tr("{0} values").format(shape[0] if shape else 1)


class InspectCenter(QWidget):
    """Shows one layer in one of three ways; what to show comes from the view that owns it.

    Signals:
        mode_changed: ``"maps"``, ``"parts"`` or ``"filters"``.
        save_requested, python_requested: the buttons below the grid.
        unpin_requested: the pins of this layer are to be removed.
    """

    mode_changed = pyqtSignal(str)
    save_requested = pyqtSignal()
    python_requested = pyqtSignal()
    unpin_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = FeatureGrid()
        self._note = ""
        self.toolbar = GridToolbar(self.grid)
        self.microscope = Microscope()
        self.filters = FilterView()
        self.color_bar = ColorBar()
        self._title = QLabel()
        self._title.setProperty("heading", True)
        self._facts = ElidedLabel()
        self._facts.setProperty("muted", True)
        self._hint = QLabel()
        self._hint.setProperty("hint", True)
        self._hint.setWordWrap(True)
        self._hint.setTextFormat(Qt.TextFormat.RichText)
        self._pins = QPushButton()
        self._pins.setFlat(True)
        self._pins.clicked.connect(self.unpin_requested)
        self.save_button = QPushButton()
        self.save_button.clicked.connect(self.save_requested)
        self.python_button = QPushButton()
        self.python_button.clicked.connect(self.python_requested)
        self.grid.options_changed.connect(lambda _options: self.show_scale())
        self._group = QButtonGroup(self)
        self._modes: dict[str, QPushButton] = {}
        for mode in MODES:
            button = QPushButton()
            button.setCheckable(True)
            button.clicked.connect(lambda _checked, mode=mode: self.set_mode(mode))
            self._group.addButton(button)
            self._modes[mode] = button
        self._stack = QStackedWidget()
        self._stack.addWidget(self._maps_page())
        self._stack.addWidget(self.microscope)
        self._stack.addWidget(self.filters)

        self._facts.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._switch = QWidget()
        switch = QHBoxLayout(self._switch)
        switch.setContentsMargins(0, 0, 0, 0)
        switch.setSpacing(4)
        for button in self._modes.values():
            switch.addWidget(button)
        self._heading = heading = QGridLayout()
        heading.setSpacing(8)
        heading.addWidget(self._title, 0, 0)
        heading.addWidget(self._facts, 0, 1)
        heading.addWidget(self._switch, 0, 2)
        heading.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(8)
        layout.addLayout(heading)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self._hint)
        self._modes["maps"].setChecked(True)
        self.retranslate()
        self.set_pin_count(0)
        self.set_layer(None)
        self.clear()

    def _maps_page(self) -> QWidget:
        page = QWidget()
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self.color_bar, 1)
        below.addWidget(self._pins)
        below.addWidget(self.python_button)
        below.addWidget(self.save_button)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.toolbar)
        layout.addWidget(self.grid, 1)
        layout.addLayout(below)
        return page

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        # one row or two by the width alone: a longer layer name must not move the maps below it
        narrow = self.width() < self._switch.sizeHint().width() + 20 * self.fontMetrics().averageCharWidth()
        self._heading.addWidget(self._switch, int(narrow), 0 if narrow else 2, 1, 3 if narrow else 1)
        # in a small window the maps are worth more than the sentence below them
        self._hint.setVisible(self.mode == "maps" and self.height() > 28 * self.fontMetrics().height())

    def retranslate(self) -> None:
        """Set every text anew, after a change of language."""
        texts = {
            "maps": (_tr("Feature maps"), _tr("Everything the layer puts out, one map per channel (Ctrl+1)")),
            "parts": (_tr("x · F(x) · sum"), _tr("Take the residual block apart (Ctrl+2)")),
            "filters": (_tr("Filters"), _tr("The layer's convolution kernels (Ctrl+3)")),
        }
        for mode, (text, tip) in texts.items():
            self._modes[mode].setText(text)
            self._modes[mode].setToolTip(tip)
            self._modes[mode].setAccessibleName(text)
        self.save_button.setText(_tr("Save…"))
        self.save_button.setToolTip(_tr("Save the grid as PNG or SVG, the maps as NPZ, the statistics as CSV (Ctrl+S)"))
        self.python_button.setText(_tr("Copy as Python"))
        self.python_button.setToolTip(_tr("Copy a short script that reproduces these numbers"))

    @property
    def mode(self) -> str:
        """The way the layer is shown now."""
        return MODES[self._stack.currentIndex()]

    def set_mode(self, mode: str) -> None:
        """Show feature maps, the block's parts or the kernels."""
        changed = mode != self.mode
        self._modes[mode].setChecked(True)
        self._stack.setCurrentIndex(MODES.index(mode))
        self._hint.setVisible(mode == "maps" and self.height() > 28 * self.fontMetrics().height())
        if changed:
            self.mode_changed.emit(mode)

    def try_mode(self, mode: str) -> None:
        """Show the layer this way if it can be shown so; else nothing happens."""
        if self._modes[mode].isEnabled():
            self.set_mode(mode)

    def set_layer(self, layer: LayerInfo | None, has_parts: bool = False) -> None:
        """Show what is known of a layer before its maps arrive.

        Args:
            layer: the chosen layer, None while no net is open.
            has_parts: whether it belongs to a block with a skip connection.
        """
        self._title.setText(layer.name if layer else "")
        facts = [shape_text(layer.out_shape), layer.kind] if layer else []
        if layer and layer.role:
            facts.append(layer.role)
        if layer and layer.calls > 1:  # a module that the net uses again puts out something else each time
            facts.append(_tr("first of {0} calls").format(layer.calls))
        self._facts.setText(" · ".join(facts))
        self._modes["parts"].setEnabled(has_parts)
        self._modes["filters"].setEnabled(bool(layer and layer.has_filters))
        if not self._modes[self.mode].isEnabled():
            self.set_mode("maps")

    def set_activation(
        self, activation: Activation | None, stats: ChannelStats | None, coloured: Coloured | None = None
    ) -> None:
        """Show a layer's maps at once; :meth:`show_scale` follows a moment later."""
        self.grid.set_activation(activation, stats, coloured)
        self._savable(activation is not None)
        self.set_note("")
        self.grid.paint_now()  # the maps are what the click was for: all else that has changed would be painted first

    def clear(self, why: str = "") -> None:
        """Show no maps, no parts and no scale, and where they would stand, why; nothing can be saved then."""
        self.grid.set_activation(None, None)
        self.color_bar.clear()
        self.set_hint("")
        self._savable(False)
        self.set_note(why)
        if why:
            self.microscope.set_parts(None)
            self.microscope.set_message(why)

    def set_note(self, text: str) -> None:
        """Say where the maps would stand why there are none; empty for the grid's own words."""
        self._note = text
        self.grid.set_waiting(text)

    def note(self) -> str:
        """Return what is said in place of the maps."""
        return self._note

    def _savable(self, can: bool) -> None:
        for button in (self.save_button, self.python_button):
            button.setEnabled(can)

    def show_scale(self) -> None:
        """Draw the scale of the grid, and say what it spans."""
        stats, options = self.grid.stats(), self.grid.options()
        if stats is None or self.grid.activation() is None:
            self.color_bar.clear()
            return
        (low, high), missing = ranges(stats, options), holds_nan(stats)
        if options.normalize == "channel":
            # each channel has ends of its own, so numbers here would be nobody's
            least, ends = 0.0, (_tr("min"), _tr("max"))
            note = _tr("each channel from its own least to its own greatest value")
            if options.colormap == "signed":
                least, ends = -1.0, (_tr("−max"), _tr("+max"))
                note = _tr("each channel to its own largest magnitude; zero is white")
            self.color_bar.set_scale(least, 1.0, options.colormap, note, ends, missing=missing)
        else:
            note = _tr("one scale for the layer") if options.normalize == "layer" else _tr("fixed scale")
            self.color_bar.set_scale(float(low[0]), float(high[0]), options.colormap, note, missing=missing)

    def set_pin_count(self, count: int) -> None:
        """Say how many channels of this layer are pinned; clicking the text unpins them."""
        self._pins.setVisible(count > 0)
        self._pins.setText(_tr("{0} pinned ×").format(count))
        self._pins.setToolTip(_tr("Unpin all channels of this layer (Ctrl+U)"))
        self._pins.setAccessibleName(self._pins.toolTip())

    def set_hint(self, html: str) -> None:
        """Show one or two sentences below the grid."""
        self._hint.setText(html)
