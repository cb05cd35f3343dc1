"""Pictures with answers in a grid; only what is in view is painted."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from resnet_viz.core.types import I64
from resnet_viz.gui import theme

from .answered import Answered
from .images_qt import from_rgb
from .painted_scroll import PaintedScroll

__all__ = ["Answered", "GalleryView"]

SIDE_PX, LEAST_PX, MOST_PX = 72, 40, 320
GAP_PX = 8


def _tr(text: str) -> str:
    return QCoreApplication.translate("PictureGallery", text)


class GalleryView(PaintedScroll):
    """The grid.

    Signals:
        picked: index of the picture that was clicked or entered.
    """

    picked = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data: Answered | None = None
        self._shown: I64 = np.zeros(0, np.int64)
        self._side = SIDE_PX
        self._current = 0  # place in the grid, not the picture's index
        self.note = ""
        self.setFrameShape(PaintedScroll.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(_tr("Test pictures with the net's answers"))
        self.setWhatsThis(
            _tr(
                "Arrow keys walk through the pictures, Enter opens one; + and −, "
                "or Ctrl and the wheel, change their size."
            )
        )

    def set_data(self, data: Answered | None, shown: I64) -> None:
        """Show the pictures ``shown`` (indices) of ``data``."""
        old = self.current()
        self._data, self._shown = data, shown
        places = np.flatnonzero(shown == old)
        self._current = int(places[0]) if len(places) else 0
        self._relayout()
        self._reveal()

    def current(self) -> int:
        """Return the index of the chosen picture, -1 for none."""
        return int(self._shown[self._current]) if self._current < len(self._shown) else -1

    def side(self) -> int:
        """Return the pictures' size in pixels."""
        return self._side

    def set_side(self, side: int) -> None:
        """Make the pictures larger or smaller; the chosen one stays in view."""
        self._side = max(LEAST_PX, min(MOST_PX, side))
        self._relayout()
        self._reveal()

    def cell_rect(self, place: int) -> QRect:
        """Return where the ``place``-th picture stands in the view, with its title."""
        height, columns = self._cell()[1], self._columns()
        spread = self._view().width() // columns
        return QRect(place % columns * spread, place // columns * height - self._bar().value(), spread, height)

    def visible(self) -> range:
        """Return the places that are in view."""
        height, top = self._cell()[1], self._bar().value()
        columns = self._columns()
        last = -(-(top + self._view().height()) // height) * columns
        return range(top // height * columns, min(len(self._shown), last))

    def sizeHint(self) -> QSize:
        return QSize(420, 300)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._cell()[0] + 20, self._cell()[1])

    def _cell(self) -> tuple[int, int]:
        metrics = self._metrics()
        width = max(self._side, metrics.horizontalAdvance("✗ automobile →")) + GAP_PX
        return width, self._side + 2 * metrics.height() + GAP_PX + 6

    def _metrics(self) -> QFontMetrics:
        return self.fontMetrics()

    def _columns(self) -> int:
        return max(1, self._view().width() // self._cell()[0])

    def _relayout(self) -> None:
        rows = -(-len(self._shown) // self._columns())
        height, bar = self._cell()[1], self._bar()
        bar.setRange(0, max(0, rows * height - self._view().height()))
        bar.setPageStep(self._view().height())
        bar.setSingleStep(height // 2)
        self._view().update()

    def _reveal(self) -> None:
        cell, bar = self.cell_rect(self._current), self._bar()
        if cell.top() < 0:
            bar.setValue(bar.value() + cell.top())
        elif cell.bottom() > self._view().height():
            bar.setValue(bar.value() + cell.bottom() - self._view().height())
        self._describe()
        self._view().update()

    def _describe(self) -> None:
        self.setAccessibleDescription(self.reading(self._current))

    def reading(self, place: int) -> str:
        """Return a sentence on the ``place``-th picture."""
        if self._data is None or not 0 <= place < len(self._shown):
            return ""
        index = int(self._shown[place])
        truth, answer = int(self._data.truth[index]), int(self._data.answers[index])
        text = _tr("Picture {0}: {1}, answered right, {3} % sure")
        if truth != answer:
            text = _tr("Picture {0}: {1}, taken for {2}, {3} % sure")
        sure = f"{100 * float(self._data.probs[index]):.1f}"
        return text.format(index, self._data.name(truth), self._data.name(answer), sure)

    def _place_at(self, spot: QPoint) -> int:
        columns, spread = self._columns(), self._view().width() // self._columns()
        place = (spot.y() + self._bar().value()) // self._cell()[1] * columns + spot.x() // spread
        return place if spot.x() // spread < columns and 0 <= place < len(self._shown) else -1

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self._view())
        colours = theme.current()
        painter.fillRect(self._view().rect(), QColor(colours.window))
        if self._data is None or not len(self._shown):
            painter.setPen(QColor(colours.muted))
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(self._view().rect().adjusted(16, 8, -16, -8), flags, self.note)
            return
        # an enlarged small picture shows its pixels, a reduced one is smoothed
        small = 2 * max(self._data.images.shape[1:3]) <= self._side
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not small)
        for place in self.visible():
            self._paint_cell(painter, place, self._data)

    def _paint_cell(self, painter: QPainter, place: int, data: Answered) -> None:
        colours, metrics = theme.current(), self._metrics()
        cell, index = self.cell_rect(place), int(self._shown[place])
        if place == self._current:
            painter.setPen(QPen(QColor(colours.accent if self.hasFocus() else colours.line), 2))
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(cell.adjusted(2, 1, -2, -2), 6, 6)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        image = from_rgb(data.images[index])
        box = QRect(cell.center().x() - self._side // 2, cell.top() + GAP_PX // 2 + 1, self._side, self._side)
        size = image.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
        spot = QRect(QPoint(0, 0), size)
        spot.moveCenter(box.center())
        painter.drawImage(spot, image)
        right = data.truth[index] == data.answers[index]
        colour = QColor(colours.ok if right else colours.error)
        painter.setPen(QPen(colour, 2))
        painter.drawRect(spot.adjusted(-1, -1, 0, 0))
        painter.setPen(colour)
        first, second = data.title(index)
        room, line = cell.width() - 4, metrics.height()
        both = f"{first} {second}".strip()
        if metrics.horizontalAdvance(both) + 4 <= room:  # eliding asks for a little more
            first, second = both, ""
        elide, centre = Qt.TextElideMode.ElideMiddle, int(Qt.AlignmentFlag.AlignHCenter)
        for number, text in enumerate((first, second)):
            row = QRect(cell.left() + 2, box.bottom() + 4 + number * line, room, line)
            painter.drawText(row, centre, metrics.elidedText(text, elide, room))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        place = self._place_at(event.position().toPoint())
        if place >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._current = place
            self._reveal()
            self.picked.emit(self.current())

    def viewportEvent(self, event: QEvent | None) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.reading(self._place_at(event.pos())), self)
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        columns, last = self._columns(), len(self._shown) - 1
        page = max(1, self._view().height() // self._cell()[1]) * columns
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -columns,
            Qt.Key.Key_Down: columns,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -last,
            Qt.Key.Key_End: last,
        }
        key = event.key()
        if event.modifiers() & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier) or last < 0:
            event.ignore()
        elif key in moves:
            wanted = self._current + moves[Qt.Key(key)]
            if 0 <= wanted <= last or key not in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                self._current = max(0, min(last, wanted))
            self._reveal()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.picked.emit(self.current())
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus, Qt.Key.Key_0):
            factor = {Qt.Key.Key_Minus: 1 / 1.25, Qt.Key.Key_0: SIDE_PX / self._side}.get(Qt.Key(key), 1.25)
            self.set_side(round(self._side * factor))
        else:
            event.ignore()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_side(round(self._side * 1.25 ** (event.angleDelta().y() / 120)))
            event.accept()
        else:
            super().wheelEvent(event)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._view().update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._relayout()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self._relayout()
