"""One channel: its large map, its histogram, its statistics, and what it looks like on the picture."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from resnet_viz.analysis.colormap import lut
from resnet_viz.analysis.montage import GridHover, GridOptions, ranges
from resnet_viz.analysis.numerals import share
from resnet_viz.analysis.statistics import histogram
from resnet_viz.core.types import F32, U8, Activation, ChannelStats
from resnet_viz.gui import theme

from .color_bar import number
from .images_qt import from_values

BINS = 32


def _tr(text: str) -> str:
    return QCoreApplication.translate("ChannelInspector", text)


class ChannelInspector(QWidget):
    """Looks closer at one channel of the layer on show.

    Signals:
        overlay_toggled: whether the channel is laid over the picture.
    """

    overlay_toggled = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel()
        self._title.setProperty("heading", True)
        self.overlay = QCheckBox(_tr("on the picture"))
        self.overlay.setToolTip(_tr("Lay this channel over the picture"))
        self._map = _MapView()
        self._facts: dict[str, QLabel] = {}
        numbers = QGridLayout()
        numbers.setHorizontalSpacing(8)
        numbers.setVerticalSpacing(2)
        for row, (key, text) in enumerate(
            (
                ("mean", _tr("mean")),
                ("std", _tr("std")),
                ("min", _tr("min")),
                ("max", _tr("max")),
                ("zeros", _tr("zeros")),
                ("here", _tr("here")),
            )
        ):
            name = QLabel(text)
            name.setProperty("muted", True)
            value = QLabel()
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            numbers.addWidget(name, row, 0)
            numbers.addWidget(value, row, 1)
            self._facts[key] = value
        numbers.setColumnStretch(1, 1)
        numbers.setRowStretch(6, 1)
        self._histogram = _Histogram()
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self.overlay)
        middle = QHBoxLayout()
        middle.setSpacing(8)
        middle.addWidget(self._map, 0, Qt.AlignmentFlag.AlignTop)
        middle.addLayout(numbers, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addLayout(middle)
        layout.addWidget(self._histogram)
        self.overlay.toggled.connect(self.overlay_toggled)
        self.set_channel(None, None, 0, None, GridOptions())

    def set_channel(
        self,
        activation: Activation | None,
        stats: ChannelStats | None,
        channel: int,
        net_view: U8 | None,
        options: GridOptions,
    ) -> None:
        """Show one channel with the colours and the scale of the grid.

        Args:
            activation: the layer's maps; None hides everything.
            stats: of these maps.
            channel: its number.
            net_view: the picture as the net sees it, for its size.
            options: of the grid.
        """
        self.setVisible(activation is not None)
        if activation is None or stats is None or channel >= len(activation.maps):
            return
        self._title.setText(_tr("Channel {0}").format(channel))
        values = activation.maps[channel]
        low, high = ranges(stats, options)
        self._map.set_values(values, float(low[channel]), float(high[channel]), options.colormap)
        self._histogram.set_values(values, float(low[channel]), float(high[channel]), options.colormap)
        for key, source in (("mean", stats.mean), ("std", stats.std), ("min", stats.min), ("max", stats.max)):
            self._facts[key].setText(number(float(source[channel])))
        zeros = share(float(stats.zeros[channel]))
        self._facts["zeros"].setText(zeros + (f" · {_tr('dead')}" if stats.dead[channel] else ""))
        self.overlay.setEnabled(values.size > 1)
        self.set_position(None)

    def set_position(self, hover: GridHover | None) -> None:
        """Show the value under the mouse, of whichever channel that is."""
        if hover is None:
            self._facts["here"].setText("–")
            return
        text = _tr("ch {0} ({1}, {2}) = {3}")
        self._facts["here"].setText(text.format(hover.channel, hover.row, hover.column, number(hover.value)))

    def overlay_on(self) -> bool:
        """Whether the channel is to be laid over the picture."""
        return self.overlay.isChecked() and self.overlay.isEnabled()


class _MapView(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setFixedSize(132, 132)
        self.setAccessibleName(_tr("The channel's map, enlarged"))

    def set_values(self, values: F32, low: float, high: float, name: str) -> None:
        self._image = from_values(values, low, high, name)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.current().grid))
        if self._image.isNull():
            return
        scale = min(self.width() / self._image.width(), self.height() / self._image.height())
        width, height = self._image.width() * scale, self._image.height() * scale
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
        target = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        painter.drawImage(target, self._image)


class _Histogram(QWidget):
    """Counts of the values that are not zero; zeros are so many after a ReLU that they stand in the text."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = np.zeros(0, np.int64)
        self._edges = np.zeros(0)
        self._scale = (0.0, 1.0)
        self._name = "viridis"
        self._zeros = self._odd = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(_tr("Histogram of the channel's values"))

    def set_values(self, values: F32, low: float, high: float, name: str) -> None:
        others = values[(values != 0) & np.isfinite(values)]
        self._zeros = int((values == 0).sum())
        self._odd = values.size - self._zeros - others.size
        self._counts, self._edges = histogram(others, BINS) if others.size else (np.zeros(0, np.int64), np.zeros(0))
        self._scale, self._name = (low, high), name
        text = _tr("values other than zero: {0}; zeros: {1}")
        text = text.format(others.size, self._zeros)
        if self._odd:
            text += "; " + _tr("NaN or infinite: {0}").format(self._odd)
        self.setToolTip(text)
        self.setVisible(values.size > 1)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, 64 + self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.updateGeometry()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        colours, metrics = theme.current(), self.fontMetrics()
        text_h = metrics.height()
        painter.setPen(QColor(colours.muted))
        if not len(self._counts):
            text = _tr("All values are zero.") if not self._odd else _tr("No value other than zero is a finite number.")
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap), text)
            return
        area = QRectF(0, 0, self.width(), self.height() - text_h)
        step = area.width() / len(self._counts)
        table = lut(self._name)
        low, high = self._scale
        most = max(1, int(self._counts.max()))
        for index, count in enumerate(self._counts):
            centre = (self._edges[index] + self._edges[index + 1]) / 2
            place = (centre - low) / (high - low) if high > low else 0.0
            red, green, blue = (int(part) for part in table[int(np.clip(place, 0, 1) * 255 + 0.5)])
            height = area.height() * int(count) / most
            bar = QRectF(index * step, area.height() - height, max(1.0, step - 1), height)
            painter.fillRect(bar, QColor(red, green, blue))
        base = QRectF(0, area.height(), self.width(), text_h)
        painter.drawText(base, int(Qt.AlignmentFlag.AlignLeft), number(float(self._edges[0])))
        painter.drawText(base, int(Qt.AlignmentFlag.AlignRight), number(float(self._edges[-1])))
        note = _tr("without {0} zeros").format(self._zeros) if self._zeros else ""
        painter.drawText(base, int(Qt.AlignmentFlag.AlignHCenter), note)
