"""The residual-block microscope: x, F(x), x + F(x) and the activation of it, side by side on one scale.

He et al. 2015, sec. 3.1: y = ReLU(x + F(x)). Where a block changes the shape, its skip carries S(x)
(sec. 3.2, eqn 2: W x). Other nets have another activation after the sum, or none. ||F|| / ||x|| says how far
the block moves what it was given; sec. 4.2 (fig. 7) argues that in deep ResNets it is small.
"""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPalette, QPen, QWheelEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from resnet_viz.core.types import F32, BlockParts
from resnet_viz.gui import theme

from .color_bar import ColorBar, number
from .images_qt import from_values
from .painted_scroll import PaintedScroll

COLORMAP = "signed"
FRAME_PX = 2
"""What a map's frame takes around it."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Microscope", text)


def shared_range(parts: BlockParts) -> float:
    """Return the greatest finite magnitude of all four parts: the end of the common scale."""
    most = 0.0
    for values in (parts.x, parts.f, parts.total, parts.out):
        finite = values[np.isfinite(values)]
        if finite.size:
            most = max(most, float(np.abs(finite).max()))
    return most


def ratio_sentence(parts: BlockParts, skip: str) -> str:
    """Return in words how large F(x) is beside what the skip connection carries.

    Args:
        parts: the block taken apart.
        skip: ``"identity"``, ``"A"`` or ``"B"``.
    """
    if np.isnan(parts.f_to_x):
        return _tr("Some of these values are no numbers (NaN): nothing can be compared.")
    carried = {
        "A": _tr("S(x), which shortcut A makes of x: every second position, new channels zero"),
        "B": _tr("S(x), which shortcut B makes of x by a 1×1 convolution"),
    }.get(skip, _tr("x, which the skip connection carries"))
    if not parts.x.any():
        return _tr("The skip connection carries nothing here: it is zero everywhere.")
    text = _tr("What the block computes, F(x), is {0} times as large as {1}:").format(number(parts.f_to_x), carried)
    if parts.f_to_x < 1:
        return text + " " + _tr("the block corrects it more than it replaces it.")
    return text + " " + _tr("the block replaces it more than it corrects it.")


def channel_ratios(parts: BlockParts) -> F32:
    """Return ||F|| / ||x|| of every channel (C,); inf where x is zero and F is not, 0 where both are."""
    f = np.linalg.norm(parts.f.reshape(len(parts.f), -1).astype(np.float64), axis=1)
    x = np.linalg.norm(parts.x.reshape(len(parts.x), -1).astype(np.float64), axis=1)
    ratios = np.where(x > 0, f / np.where(x > 0, x, 1), np.where(f > 0, np.inf, 0.0))
    return ratios.astype(np.float32)


class Microscope(QWidget):
    """One row per channel, the chosen channel first and large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._headline = QLabel()
        font = QFont(self._headline.font())
        font.setBold(True)
        self._headline.setFont(font)
        self._sentence = QLabel()
        self._sentence.setProperty("muted", True)
        self._sentence.setWordWrap(True)
        self.rows = _Rows()
        self._bar = ColorBar()
        below = QHBoxLayout()
        below.addWidget(self._bar, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._headline)
        layout.addWidget(self._sentence)
        layout.addWidget(self.rows, 1)
        layout.addLayout(below)

    def set_parts(self, parts: BlockParts | None, activation: str = "ReLU", skip: str = "identity") -> None:
        """Show a block taken apart; None says why there is nothing to show.

        Args:
            parts: the block's parts.
            activation: what follows the addition, empty where nothing does: the sum is the output then.
            skip: kind of the skip connection: ``"identity"``, ``"A"`` or ``"B"``.
        """
        carried = "x" if skip == "identity" else "S(x)"
        self.rows.set_parts(parts, activation, carried)
        if parts is None:
            self.set_message(_tr("This block has no skip connection: nothing is added."))
            return
        ratio = _tr("{0}:  ‖F(x)‖ / ‖{1}‖ = {2}")
        self._headline.setText(ratio.format(parts.block, carried, number(parts.f_to_x)))
        self._sentence.setText(ratio_sentence(parts, skip))
        most = shared_range(parts)
        missing = any(bool(np.isnan(values).any()) for values in (parts.x, parts.f, parts.total, parts.out))
        self._bar.set_scale(-most, most, COLORMAP, _tr("one scale for all of them; zero is white"), missing=missing)

    def set_message(self, text: str) -> None:
        """Say in words why there is nothing to show."""
        self._headline.setText("")
        self._sentence.setText(text)
        self._bar.clear()

    def set_channel(self, channel: int) -> None:
        """Put one channel at the top."""
        self.rows.set_channel(channel)


class _Rows(PaintedScroll):
    """Draws only the rows that are visible; every row is one channel as an equation of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: BlockParts | None = None
        self._ratios: F32 = np.zeros(0, np.float32)
        self._most = 1.0
        self._channel = 0
        self._activation, self._carried = "ReLU", "x"
        self.setFrameShape(PaintedScroll.Shape.NoFrame)
        self.setAccessibleName(_tr("x, F(x), x + F(x) and the result, channel by channel"))
        self._view().setBackgroundRole(QPalette.ColorRole.Window)
        self.setMinimumSize(200, 120)

    def set_parts(self, parts: BlockParts | None, activation: str, carried: str) -> None:
        self._parts, self._activation, self._carried = parts, activation, carried
        if parts is not None:
            self._ratios, self._most = channel_ratios(parts), shared_range(parts)
        self._relayout()

    def set_channel(self, channel: int) -> None:
        self._channel = channel
        self._bar().setValue(0)
        self._view().update()

    def _order(self) -> list[int]:
        count = 0 if self._parts is None else len(self._parts.x)
        return sorted(range(count), key=lambda channel: (channel != self._channel, channel))

    def _cell(self) -> int:
        """Return the side of one map: four of them, three signs and a label share the width."""
        width = self._view().width() - self._label_w() - 3 * self._sign_w() - 16
        return max(40, min(180, width // 4))

    def _label_w(self) -> int:
        return self.fontMetrics().horizontalAdvance("‖F‖/‖S(x)‖ = 0.00123  ")

    def _sign_w(self) -> int:
        return self.fontMetrics().horizontalAdvance(f" {self._activation or 'ReLU'} → ")

    def _row_h(self) -> int:
        return self._cell() + 8

    def _head_h(self) -> int:
        return self.fontMetrics().height() + 8

    def _top(self) -> int:
        """Return where the first row begins: its frame must not reach below the header."""
        return self._head_h() + FRAME_PX

    def _relayout(self) -> None:
        count = 0 if self._parts is None else len(self._parts.x)
        total = self._top() + count * self._row_h()
        self._bar().setRange(0, max(0, total - self._view().height()))
        self._bar().setPageStep(self._view().height())
        self._bar().setSingleStep(self._row_h())
        self._view().update()

    def resizeEvent(self, event: object) -> None:
        self._relayout()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self._relayout()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None:
            self._bar().setValue(self._bar().value() - event.angleDelta().y())
            event.accept()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._view().update()

    def _columns(self) -> list[int]:
        cell, sign = self._cell(), self._sign_w()
        return [self._label_w() + index * (cell + sign) for index in range(4 if self._activation else 3)]

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self._parts is None:
            return
        painter = QPainter(self._view())
        colours, cell, row_h, head = theme.current(), self._cell(), self._row_h(), self._head_h()
        top = self._bar().value()
        centre = int(Qt.AlignmentFlag.AlignCenter)
        sources = (self._parts.x, self._parts.f, self._parts.total, self._parts.out)
        columns = self._columns()
        for place, channel in enumerate(self._order()):
            y = self._top() + place * row_h - top
            if y > self._view().height():
                break
            if y + row_h < head:
                continue
            self._paint_label(painter, channel, y, cell)
            for column, values in zip(columns, sources, strict=False):
                image: QImage = from_values(values[channel], -self._most, self._most, COLORMAP)
                scale = min(cell / image.width(), cell / image.height())
                width, height = image.width() * scale, image.height() * scale
                target = QRectF(column + (cell - width) / 2, y + (cell - height) / 2, width, height)
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
                painter.fillRect(target.adjusted(-FRAME_PX, -FRAME_PX, FRAME_PX, FRAME_PX), QColor(colours.grid))
                painter.drawImage(target, image)
                if channel == self._channel:
                    painter.setPen(QPen(QColor(colours.accent), 2))
                    painter.drawRect(target.adjusted(-1, -1, 1, 1))
            painter.setPen(QColor(colours.muted))
            for column, sign in zip(columns[:-1], ("+", "=", f"{self._activation} →"), strict=False):
                painter.drawText(QRect(column + cell, y, self._sign_w(), cell), centre, sign)
        painter.fillRect(QRect(0, 0, self._view().width(), head), QColor(colours.window))
        painter.setPen(QColor(colours.text))
        names = (self._carried, "F(x)", f"{self._carried} + F(x)", _tr("output"))
        for column, name in zip(columns, names, strict=False):
            painter.drawText(QRect(column, 0, cell, head), centre, name)

    def _paint_label(self, painter: QPainter, channel: int, y: int, cell: int) -> None:
        colours, line = theme.current(), self.fontMetrics().height()
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.setPen(QColor(colours.text))
        middle = y + cell // 2
        painter.drawText(QRect(0, middle - line, self._label_w(), line), left, _tr("channel {0}").format(channel))
        painter.setPen(QColor(colours.muted))
        ratio = f"‖F‖/‖{self._carried}‖ = {number(float(self._ratios[channel]))}"
        painter.drawText(QRect(0, middle, self._label_w(), line), left, ratio)
