"""A gradient norm per block as bars on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QCoreApplication, QEvent, QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from resnet_viz.gui import theme

from .color_bar import number
from .curve_axes import power

F64 = NDArray[np.float64]


def _tr(text: str) -> str:
    return QCoreApplication.translate("BlockBars", text)


def log_range(values: F64) -> tuple[float, float]:
    """Return the ends of a logarithmic axis as exponents of ten: whole decades around the positive values.

    At least one decade, so that equal norms do not look like a catastrophe, and a little room below
    the smallest, so that it has a bar; (-1, 0) where nothing is positive.
    """
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return -1.0, 0.0
    low, high = math.floor(math.log10(known.min()) - 0.1), math.ceil(math.log10(known.max()))
    return float(low), float(max(high, low + 1))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return the values that are written at the axis: at most ``most`` decades, evenly apart."""
    span = round(high - low)
    stride = max(1, -(-span // max(1, most - 1)))
    return [10.0**exponent for exponent in range(round(low), round(high) + 1, stride)]


class BlockBars(QWidget):
    """The bars; the input side stands at the left.

    Signals:
        block_clicked: name of the block.
    """

    block_clicked = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._blocks: tuple[str, ...] = ()
        self._values: F64 = np.zeros(0)
        self._plain = False
        self._range: tuple[float, float] | None = None
        self._at = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(_tr("Gradient norm of each block"))
        self.setToolTip(_tr("Norm of the gradient of each block's first weights, input side left"))

    def set_norms(
        self,
        blocks: Sequence[str],
        norms: Sequence[float] | F64,
        plain: bool = False,
        exponents: tuple[float, float] | None = None,
    ) -> None:
        """Show one norm per block.

        Args:
            blocks: names, input side first.
            norms: as many; NaN and 0 have no bar.
            plain: whether the net has no skip connections, which decides the colour.
            exponents: ends of the axis as powers of ten, to compare charts; by default from the values.
        """
        self._blocks, self._values = tuple(blocks), np.asarray(norms, np.float64)
        self._plain, self._range = plain, exponents
        if len(self._blocks) != len(self._values):
            raise ValueError(f"{len(self._blocks)} blocks, {len(self._values)} norms")
        self._at = min(self._at, len(self._blocks) - 1)
        self._describe()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.set_norms((), ())

    def exponents(self) -> tuple[float, float]:
        """Return the ends of the axis as powers of ten."""
        return self._range or log_range(self._values)

    def reading(self) -> str:
        """Return block and norm under the mouse or the keys, empty for none."""
        if not 0 <= self._at < len(self._blocks):
            return ""
        value = float(self._values[self._at])
        if math.isnan(value):
            shown = _tr("no number")
        elif value == 0:
            shown = _tr("0: the gradient has vanished")
        else:
            shown = number(value)
        return f"{self._blocks[self._at]}: {shown}"

    def bar_rect(self, index: int) -> QRectF:
        """Return where a block's bar is, empty where it has none."""
        area, (low, high) = self._area(), self.exponents()
        value = float(self._values[index])
        if not value > 0 or not math.isfinite(value):
            return QRectF()
        share = min(1.0, max(0.0, (math.log10(value) - low) / (high - low)))
        step = area.width() / len(self._values)
        gap = min(2.0, step * 0.2)
        tall = max(2.0, share * area.height())
        return QRectF(area.left() + index * step + gap / 2, area.bottom() - tall, step - gap, tall)

    def sizeHint(self) -> QSize:
        return QSize(300, 9 * self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 7 * self.fontMetrics().height())

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.updateGeometry()
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            self._point(self._index_at(event.position()))
            QToolTip.showText(event.globalPosition().toPoint(), self.reading(), self)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and (index := self._index_at(event.position())) >= 0:
            self._point(index)
            self.block_clicked.emit(self._blocks[index])

    def leaveEvent(self, event: QEvent | None) -> None:
        self._point(-1)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._point(-1)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        last = len(self._blocks) - 1
        wanted = {
            Qt.Key.Key_Left: self._at - 1 if self._at >= 0 else last,
            Qt.Key.Key_Right: self._at + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if event.key() in wanted and last >= 0 and not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._point(max(0, min(last, wanted[Qt.Key(event.key())])))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._at >= 0:
            self.block_clicked.emit(self._blocks[self._at])
        else:
            event.ignore()

    def _point(self, index: int) -> None:
        if index != self._at:
            self._at = index
            self._describe()
            self.update()

    def _describe(self) -> None:
        self.setAccessibleDescription(self.reading() or ", ".join(self._blocks[:1] + self._blocks[-1:]))

    def _index_at(self, spot: QPointF) -> int:
        area = self._area()
        if not len(self._values) or not area.adjusted(0, -20, 0, 40).contains(spot):
            return -1
        return min(len(self._values) - 1, int((spot.x() - area.left()) / area.width() * len(self._values)))

    def _area(self) -> QRectF:
        metrics = self.fontMetrics()
        left = max(metrics.horizontalAdvance(power(10.0**end)) for end in self._ends()) + 8
        top, bottom = metrics.height() / 2 + 2, metrics.height() + 6
        return QRectF(left, top, max(10.0, self.width() - left - 4), max(10.0, self.height() - top - bottom))

    def _ends(self) -> list[float]:
        low, high = self.exponents()
        return [math.log10(value) for value in ticks(low, high, 4)]

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, metrics = theme.current(), self.fontMetrics()
        if not len(self._values):
            painter.setPen(QColor(colours.muted))
            flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect(), flags, _tr("They appear with the run's first steps."))
            return
        area, (low, high) = self._area(), self.exponents()
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for exponent in self._ends():
            y = area.bottom() - (exponent - low) / (high - low) * area.height()
            painter.setPen(QPen(QColor(colours.line), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(colours.muted))
            label = QRectF(0, y - metrics.height() / 2, area.left() - 6, metrics.height())
            painter.drawText(label, right, power(10.0**exponent))
        colour = QColor(colours.plain if self._plain else colours.residual)
        for index in range(len(self._values)):
            bar = self.bar_rect(index)
            painter.setPen(Qt.PenStyle.NoPen)
            if bar.isEmpty():  # no bar is not a small bar
                self._paint_missing(painter, area, index)
                continue
            painter.setBrush(colour.lighter(135) if index == self._at else colour)
            painter.drawRoundedRect(bar, min(2.0, bar.width() / 3), min(2.0, bar.width() / 3))
        self._paint_caption(painter, area)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _paint_missing(self, painter: QPainter, area: QRectF, index: int) -> None:
        step = area.width() / len(self._values)
        x = area.left() + (index + 0.5) * step
        painter.setPen(QPen(QColor(theme.current().error), 1.5))
        size = min(4.0, step / 3)
        for sign in (-1, 1):
            start, end = (
                QPointF(x - size, area.bottom() - 6 - sign * size),
                QPointF(x + size, area.bottom() - 6 + sign * size),
            )
            painter.drawLine(start, end)

    def _paint_caption(self, painter: QPainter, area: QRectF) -> None:
        colours, metrics = theme.current(), self.fontMetrics()
        row = QRect(round(area.left()), round(area.bottom()) + 3, round(area.width()), metrics.height())
        reading = self.reading()
        painter.setPen(QColor(colours.text if reading else colours.muted))
        if reading:
            shown = metrics.elidedText(reading, Qt.TextElideMode.ElideRight, row.width())
            painter.drawText(row, int(Qt.AlignmentFlag.AlignHCenter), shown)
            return
        half = row.width() // 2 - 4
        first = metrics.elidedText(self._blocks[0], Qt.TextElideMode.ElideRight, half)
        painter.drawText(row, int(Qt.AlignmentFlag.AlignLeft), first)
        if len(self._blocks) > 1:
            last = metrics.elidedText(self._blocks[-1], Qt.TextElideMode.ElideRight, half)
            painter.drawText(row, int(Qt.AlignmentFlag.AlignRight), last)
