"""A convolution's kernels: the first layer's as colour pictures, others as slices of one output channel."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from resnet_viz.analysis.colormap import NAN_RGB, rgb_words
from resnet_viz.analysis.montage import GridHover, GridOptions, Words, ranges
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.types import F32, U8, Activation, Filters

from .color_bar import ColorBar, number
from .feature_grid import FeatureGrid


def _tr(text: str) -> str:
    return QCoreApplication.translate("FilterView", text)


def rgb_kernels(weights: F32) -> tuple[U8, float]:
    """Return kernels as pictures: grey is 0, and one scale for all of them; NaN in a colour of its own.

    Args:
        weights: float32 (O, 3, kH, kW).

    Returns:
        uint8 (O, kH, kW, 3), and the magnitude that a fully bright or dark colour stands for.
    """
    most = float(np.abs(np.where(np.isfinite(weights), weights, 0)).max())
    share = np.nan_to_num(np.clip(weights / most, -1, 1)) if most else np.zeros_like(weights)
    pictures: U8 = np.clip(np.rint(127.5 + 127.5 * share), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    pictures[np.isnan(weights).any(axis=1)] = NAN_RGB
    return pictures, most


class FilterView(QWidget):
    """Shows :class:`Filters`; the spin box chooses the output channel whose slices are shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filters: Filters | None = None
        self._sentence = QLabel()
        self._sentence.setProperty("muted", True)
        self._sentence.setWordWrap(True)
        self._spin_label = QLabel(_tr("Output channel"))
        self.spin = QSpinBox()
        self.spin.setToolTip(_tr("Whose kernel is shown, one slice for each input channel"))
        self.spin.setAccessibleName(_tr("Output channel"))
        self.grid = _KernelGrid()
        self.bar = ColorBar()
        self.here = QLabel()
        self.here.setProperty("muted", True)
        head = QHBoxLayout()
        head.addWidget(self._sentence, 1)
        head.addWidget(self._spin_label)
        head.addWidget(self.spin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.grid, 1)
        below = QHBoxLayout()
        below.addWidget(self.bar, 1)
        below.addWidget(self.here)
        layout.addLayout(below)
        self.grid.hovered.connect(self._on_hover)
        self.spin.valueChanged.connect(self._show)

    def set_filters(self, filters: Filters | None, output_channel: int = 0) -> None:
        """Show a layer's kernels, those of ``output_channel`` where one must be chosen."""
        self._filters = filters
        self.spin.blockSignals(True)
        if filters is not None:
            self.spin.setRange(0, len(filters.weights) - 1)
            self.spin.setValue(output_channel)
        self.spin.blockSignals(False)
        self._show()

    def _show(self) -> None:
        filters = self._filters
        self._on_hover(None)
        # of one slice for each kernel, as on a grey picture, all stand side by side
        choose = filters is not None and not filters.rgb and filters.weights.shape[1] > 1
        self.spin.setVisible(choose)
        self._spin_label.setVisible(choose)
        if filters is None:
            self.grid.set_activation(None, None)
            self.bar.clear()
            return
        count, inputs, height, width = filters.weights.shape
        missing = bool(np.isnan(filters.weights).any())
        if filters.rgb:
            pictures, most = rgb_kernels(filters.weights)
            self.grid.set_kernels(filters.layer, np.abs(filters.weights).max(axis=1), rgb_words(pictures))
            self.bar.set_scale(-most, most, "grey", _tr("per colour; grey is 0"), missing=missing)
            text = _tr("{0} kernels of {2} × {3} over red, green and blue: each is what one channel looks for.")
        else:
            slices = np.ascontiguousarray(filters.weights[self.spin.value()] if choose else filters.weights[:, 0])
            self.grid.set_kernels(filters.layer, slices, None)
            stats = self.grid.stats()
            assert stats is not None
            most = float(ranges(stats, self.grid.options())[1][0])
            note = _tr("blue negative, white 0, red positive")
            self.bar.set_scale(-most, most, "signed", note, missing=missing)
            text = _tr("{0} kernels of {2} × {3}, each with {1} slices, one for every input channel.")
            if not choose:
                text = _tr("{0} kernels of {2} × {3}, each of one input channel.")
        self._sentence.setText(text.format(count, inputs, height, width))
        self.bar.setToolTip(_tr("largest magnitude {0}").format(number(most)))

    def _on_hover(self, hover: object) -> None:
        """Say which weight lies under the mouse."""
        filters = self._filters
        if filters is None or not isinstance(hover, GridHover):
            self.here.setText("")
            return
        at = (slice(None), hover.row, hover.column)
        if filters.rgb:
            red, green, blue = (number(float(value)) for value in filters.weights[hover.channel][at])
            text = _tr("kernel {0} ({1}, {2}): red {3}, green {4}, blue {5}")
            self.here.setText(text.format(hover.channel, hover.row, hover.column, red, green, blue))
        elif filters.weights.shape[1] > 1:
            text = _tr("kernel {0}, input channel {1} ({2}, {3}) = {4}")
            value = number(hover.value)
            self.here.setText(text.format(self.spin.value(), hover.channel, hover.row, hover.column, value))
        else:
            text = _tr("kernel {0} ({1}, {2}) = {3}")
            self.here.setText(text.format(hover.channel, hover.row, hover.column, number(hover.value)))


class _KernelGrid(FeatureGrid):
    """The feature grid, given kernels; colours of its own where they are pictures."""

    def set_kernels(self, layer: str, values: F32, words: Words | None) -> None:
        self.set_options(GridOptions(colormap="signed"))
        self.set_activation(Activation(layer, 0, values), channel_stats(values))
        if words is not None:
            self.set_pictures(words)
        self.setAccessibleName(_tr("Convolution kernels"))
