"""The picture of a chart with a readout: the nearest point under the mouse or the arrow keys."""

from __future__ import annotations

import math

import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from resnet_viz.core.types import F32
from resnet_viz.gui import theme

from .color_bar import number
from .curve_figure import Drawn
from .curve_plan import Line, Plan

REACH_PX = 60.0


def _tr(text: str) -> str:
    return QCoreApplication.translate("CurveChart", text)


def nearest_point(points: tuple[F32, ...], x: float, y: float, reach_px: float = REACH_PX) -> tuple[int, int] | None:
    """Return line and index of the point nearest to (x, y), None where none is within reach.

    Args:
        points: for each line (N, 2) in pixels, NaN where there is nothing.
        x: pixels from the left.
        y: pixels from the top.
        reach_px: how far away a point is still meant.
    """
    best: tuple[int, int] | None = None
    least = reach_px**2
    for line, spots in enumerate(points):
        if not len(spots):
            continue
        distance = (spots[:, 0] - x) ** 2 + (spots[:, 1] - y) ** 2
        distance = np.where(np.isnan(distance), np.inf, distance)
        index = int(distance.argmin())
        if distance[index] < least:
            least, best = float(distance[index]), (line, index)
    return best


def readout(plan: Plan, line: Line, index: int) -> str:
    """Return run, epoch and value of a point as one line, or what the line itself says of it."""
    if line.texts:
        return line.texts[index]
    value, epoch = float(line.y[index]), float(line.epoch[index])
    shown = f"{value:.2f} %" if plan.kind == "error" else number(value)
    at = f"{epoch:.0f}" if epoch == round(epoch) else f"{epoch:.2f}"
    return _tr("{0} · epoch {1} · {2} {3}").format(line.label, at, line.series, shown)


class CurveCanvas(QWidget):
    """Paints what was drawn, and the readout over it.

    Signals:
        zoomed: factor by which the shown height changes; 0 shows everything again.
        pointed: line and index of the point that is read, (-1, -1) for none.
    """

    zoomed = pyqtSignal(float)
    pointed = pyqtSignal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawn: Drawn | None = None
        self._image: QImage | None = None
        self._note = ""
        self._at: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(200, 120))
        self.setAccessibleName(_tr("Curves of the runs"))
        self.setWhatsThis(
            _tr(
                "Point at a curve to read it, or use the arrow keys: left and right along a curve, up and down "
                "between curves. The mouse wheel, + and − zoom towards zero; 0 shows everything."
            )
        )

    def show_drawn(self, drawn: Drawn, image: QImage) -> None:
        """Show a finished drawing."""
        old, at = self._drawn, self._at
        self._drawn, self._image, self._note = drawn, image, ""
        # a run that grows keeps the point that is being read
        same = old is not None and old.plan.kind == drawn.plan.kind and len(old.points) <= len(drawn.points)
        if at is not None and not (same and at[0] < len(drawn.points) and at[1] < len(drawn.points[at[0]])):
            self._at = None
        self.setAccessibleDescription(", ".join(entry[0] for entry in drawn.plan.legend))
        self.update()

    def show_note(self, note: str) -> None:
        """Show a sentence instead of a drawing."""
        self._drawn, self._image, self._at, self._note = None, None, None, note
        self.setAccessibleDescription(note)
        self.update()

    def drawn(self) -> Drawn | None:
        """Return the drawing on show."""
        return self._drawn

    def note(self) -> str:
        """Return the sentence on show, empty where a drawing is."""
        return self._note

    def spot(self, line: int, index: int) -> QPointF:
        """Return where a point lies."""
        assert self._drawn is not None
        x, y = self._drawn.points[line][index]
        return QPointF(float(x), float(y))

    def reading(self) -> str:
        """Return the readout on show, empty for none."""
        if self._drawn is None or self._at is None:
            return ""
        return readout(self._drawn.plan, self._drawn.plan.lines[self._at[0]], self._at[1])

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and self._drawn is not None:
            self._point(nearest_point(self._drawn.points, event.position().x(), event.position().y()))

    def leaveEvent(self, event: QEvent | None) -> None:
        self._point(None)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._point(None)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None and self._drawn is not None and not self._drawn.plan.log:
            self.zoomed.emit(0.8 ** (event.angleDelta().y() / 120))
            event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        self.zoomed.emit(0.0)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        key = event.key()
        zooms = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25, Qt.Key.Key_0: 0.0}
        moves = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Home: (0, -(10**9)),
            Qt.Key.Key_End: (0, 10**9),
        }
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            event.ignore()
        elif key in zooms:
            self.zoomed.emit(zooms[Qt.Key(key)])
        elif key in moves and self._drawn is not None and self._drawn.points:
            self._step(*moves[Qt.Key(key)])
        else:
            event.ignore()

    def _step(self, lines: int, points: int) -> None:
        assert self._drawn is not None
        spots = self._drawn.points
        if self._at is None:
            line = len(spots) - 1
            self._point((line, len(spots[line]) - 1))
            return
        line = (self._at[0] + lines) % len(spots)
        index = self._at[1] + points
        if lines:  # stay at the same place of the horizontal axis
            x = spots[self._at[0]][self._at[1], 0]
            index = int(np.abs(spots[line][:, 0] - x).argmin())
        self._point((line, max(0, min(len(spots[line]) - 1, index))))

    def _point(self, at: tuple[int, int] | None) -> None:
        if at == self._at:
            return
        self._at = at
        self.pointed.emit(*(at or (-1, -1)))
        self.setAccessibleDescription(self.reading())
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.current()
        painter.fillRect(self.rect(), QColor(colours.window))
        if self._note:
            painter.setPen(QColor(colours.muted))
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect().adjusted(24, 8, -24, -8), flags, self._note)
        if self._image is not None and self._drawn is not None:
            painter.drawImage(0, 0, self._image)
            self._paint_reading(painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _paint_reading(self, painter: QPainter) -> None:
        text = self.reading()
        if not text or self._at is None or self._drawn is None:
            return
        colours, metrics = theme.current(), self.fontMetrics()
        line, spot = self._drawn.plan.lines[self._at[0]], self.spot(*self._at)
        if math.isnan(spot.x()) or math.isnan(spot.y()):
            return
        top, bottom = self._drawn.area.top(), self._drawn.area.bottom()
        painter.setPen(QPen(QColor(colours.muted), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(spot.x(), top), QPointF(spot.x(), bottom))
        painter.setPen(QPen(QColor(colours.window), 2))
        painter.setBrush(QColor(line.colour))
        painter.drawEllipse(spot, 5, 5)
        width, height = metrics.horizontalAdvance(text) + 30, metrics.height() + 10
        x = min(max(4.0, spot.x() - width / 2), max(4.0, self.width() - width - 4))
        y = spot.y() - height - 10
        if y < 2:
            y = spot.y() + 12
        box = QRectF(x, y, width, height)
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(line.colour))
        painter.drawEllipse(QPointF(x + 12, y + height / 2), 4, 4)
        painter.setPen(QColor(colours.text))
        painter.drawText(box.adjusted(22, 0, -4, 0), int(Qt.AlignmentFlag.AlignVCenter), text)
