"""The painted matrix of a confusion: a cell for each pair of classes, read by mouse and keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFocusEvent, QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from resnet_viz.analysis.colormap import lut
from resnet_viz.core.types import F32, I64
from resnet_viz.gui import theme

from .images_qt import from_values

MAP = "viridis"
NAMES_UP_TO = 24
"""Classes whose names are written; of more the rows are too low."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("ConfusionView", text)


def row_shares(counts: I64) -> F32:
    """Return each count as a share of its row (K, K); NaN in the row of a class without pictures."""
    totals = counts.sum(axis=1, keepdims=True)
    shares: F32 = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan).astype(np.float32)
    return shares


def most_confused(counts: I64) -> tuple[int, int, float] | None:
    """Return the two classes taken for each other most, and the share of both classes' pictures that were.

    The pair counts in both directions; None where no picture was wrong.
    """
    if len(counts) < 2:
        return None
    wrong = counts + counts.T
    both = counts.sum(axis=1)[:, None] + counts.sum(axis=1)[None, :]
    share: NDArray[np.float64] = np.where(both > 0, wrong / np.maximum(both, 1), 0.0)
    share[np.tril_indices(len(counts))] = 0  # each pair once, the diagonal never
    first, second = np.unravel_index(int(share.argmax()), share.shape)
    best = float(share[first, second])
    return (int(first), int(second), best) if best > 0 else None


def best_and_worst(counts: I64) -> tuple[int, int] | None:
    """Return the class that is answered rightly most often and the one least often, None if all are alike."""
    shares = row_shares(counts).diagonal()
    if not np.isfinite(shares).any() or np.nanmax(shares) == np.nanmin(shares):
        return None
    return int(np.nanargmax(shares)), int(np.nanargmin(shares))


class ConfusionMatrix(QWidget):
    """The matrix alone; arrow keys walk through it."""

    cell_clicked = pyqtSignal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self._counts: I64 | None = None
        self._shares: F32 = np.zeros((0, 0), np.float32)
        self._classes: tuple[str, ...] = ()
        self._image: QImage | None = None
        self._at: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(_tr("Confusion matrix"))
        self.setToolTip(_tr("Rows: the true class; columns: the net's answer. Click a cell to see its pictures."))

    def set_counts(self, counts: I64 | None, classes: Sequence[str]) -> None:
        """Show counts (K, K), or nothing."""
        if counts is not None and (counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not len(counts)):
            raise ValueError(f"a confusion matrix is square, not {counts.shape}")
        self._counts, self._classes = counts, tuple(classes)
        self._shares = row_shares(counts) if counts is not None else np.zeros((0, 0), np.float32)
        self._image = from_values(self._shares, 0.0, 1.0, MAP) if counts is not None else None
        if self._at is not None and max(self._at) >= len(self._shares):
            self._at = None
        self.updateGeometry()
        self.update()

    def counts(self) -> I64 | None:
        """Return the counts on show."""
        return self._counts

    def classes(self) -> tuple[str, ...]:
        """Return the names."""
        return self._classes

    def class_name(self, index: int) -> str:
        """Return a class's name, its number where it has none."""
        return self._classes[index] if index < len(self._classes) else str(index)

    def reading(self) -> str:
        """Return what the cell under the mouse or the keys says, empty for none."""
        if self._at is None or self._counts is None:
            return ""
        true, answer = self._at
        count, total = int(self._counts[true, answer]), int(self._counts[true].sum())
        names = self.class_name(true), self.class_name(answer)
        if not total:
            return _tr("{0}: no pictures").format(names[0])
        share = f"{100 * count / total:.1f}"
        if true == answer:
            return _tr("{0}: {1} of {2} right ({3} %)").format(names[0], count, total, share)
        return _tr("{0} taken for {1}: {2} of {3} ({4} %)").format(*names, count, total, share)

    def cell_rect(self, true: int, answer: int) -> QRectF:
        """Return where a cell is."""
        area = self._area()
        side = area.width() / max(1, len(self._shares))
        return QRectF(area.left() + answer * side, area.top() + true * side, side, side)

    def most_px(self, width: int) -> int:
        """Return how high the matrix can be at a width; more would stay empty."""
        count, line = len(self._shares), self.fontMetrics().height()
        left = self._label_px(width) if 0 < count <= NAMES_UP_TO else line + 4
        return max(self.minimumSizeHint().height(), width - left - 2 + line + 6)

    def sizeHint(self) -> QSize:
        return QSize(280, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 140)

    def hasHeightForWidth(self) -> bool:
        return False

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            self._point(self._cell_at(event.position()))
            QToolTip.showText(event.globalPosition().toPoint(), self.reading(), self)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and (cell := self._cell_at(event.position())) is not None:
            self._point(cell)
            self.cell_clicked.emit(*cell)

    def leaveEvent(self, event: QEvent | None) -> None:
        self._point(None)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._point(None)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None or self._counts is None:
            return
        moves = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        if event.key() in moves and not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            row, column = self._at or (0, 0)
            if self._at is not None:
                down, right = moves[Qt.Key(event.key())]
                last = len(self._counts) - 1
                row, column = max(0, min(last, row + down)), max(0, min(last, column + right))
            self._point((row, column))
            centre = self.cell_rect(row, column).center().toPoint()
            QToolTip.showText(self.mapToGlobal(centre + QPoint(8, 8)), self.reading(), self)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._at is not None:
            self.cell_clicked.emit(*self._at)
        else:
            event.ignore()

    def _point(self, cell: tuple[int, int] | None) -> None:
        if cell != self._at:
            self._at = cell
            self.setAccessibleDescription(self.reading())
            self.update()

    def _cell_at(self, spot: QPointF) -> tuple[int, int] | None:
        area, count = self._area(), len(self._shares)
        if not count or not area.contains(spot):
            return None
        side = area.width() / count
        true, answer = int((spot.y() - area.top()) / side), int((spot.x() - area.left()) / side)
        return min(count - 1, true), min(count - 1, answer)

    def _named(self) -> bool:
        """Return whether the names are written: where there are few and a row is as high as a letter."""
        count = len(self._shares)
        return 0 < count <= NAMES_UP_TO and self.height() / count >= self.fontMetrics().height() - 1

    def _label_px(self, width: int) -> int:
        widest = max(self.fontMetrics().horizontalAdvance(self.class_name(i)) for i in range(len(self._shares)))
        return min(widest + 8, width // 3)

    def _area(self) -> QRectF:
        line = self.fontMetrics().height()
        left = self._label_px(self.width()) if self._named() else line + 4
        side = max(20, min(self.width() - left - 2, self.height() - line - 6))
        return QRectF(left, 2, side, side)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        colours = theme.current()
        if self._image is None:
            painter.setPen(QColor(colours.muted))
            flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect(), flags, _tr("It appears when a run has been measured on the test set."))
            return
        area = self._area()
        side = area.width() / len(self._shares)
        painter.drawImage(area, self._image)
        if side >= 8:
            painter.setPen(QPen(QColor(colours.window), 1))
            for index in range(len(self._shares) + 1):
                x, y = area.left() + index * side, area.top() + index * side
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        self._paint_numbers(painter, side)
        self._paint_names(painter, area, side)
        if self._at is not None:
            for colour, width in (("#000000", 4), ("#ffffff", 2)):  # seen on every colour of the map
                painter.setPen(QPen(QColor(colour), width))
                painter.drawRect(self.cell_rect(*self._at).adjusted(1, 1, -1, -1))
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.drawRect(area.adjusted(-1, -1, 1, 1))

    def _paint_numbers(self, painter: QPainter, side: float) -> None:
        """Write whole percents where they fit; what rounds to 0 stays empty."""
        font = QFont(self.font())
        font.setPixelSize(max(11, self.fontInfo().pixelSize() - 2))
        painter.save()
        painter.setFont(font)
        metrics, table = painter.fontMetrics(), lut(MAP)
        if side >= metrics.horizontalAdvance("88") + 3 and side >= metrics.height() - 2:
            for true, answer in np.argwhere(np.nan_to_num(self._shares) >= 0.005):
                share = float(self._shares[true, answer])
                text = f"{100 * share:.0f}"
                if metrics.horizontalAdvance(text) > side:
                    continue
                red, green, blue = (int(part) for part in table[round(255 * share)])
                dark = 0.3 * red + 0.59 * green + 0.11 * blue < 140
                painter.setPen(QColor("#ffffff" if dark else "#000000"))
                painter.drawText(self.cell_rect(true, answer), int(Qt.AlignmentFlag.AlignCenter), text)
        painter.restore()

    def _paint_names(self, painter: QPainter, area: QRectF, side: float) -> None:
        colours, metrics = theme.current(), self.fontMetrics()
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        elide = Qt.TextElideMode.ElideRight
        if self._named():
            room = self._label_px(self.width()) - 6
            for index in range(len(self._shares)):
                strong = self._at is not None and index == self._at[0]
                painter.setPen(QColor(colours.text if strong else colours.muted))
                name = metrics.elidedText(self.class_name(index), elide, room)
                painter.drawText(QRectF(0, area.top() + index * side, room, side), right, name)
        else:
            painter.setPen(QColor(colours.muted))
            painter.save()
            painter.translate(0, area.bottom())
            painter.rotate(-90)
            title = QRectF(0, 0, area.height(), metrics.height())
            painter.drawText(title, int(Qt.AlignmentFlag.AlignHCenter), _tr("true class"))
            painter.restore()
        painter.setPen(QColor(colours.muted))
        row = QRectF(area.left(), area.bottom() + 3, self.width() - area.left(), metrics.height())
        painter.drawText(
            row, int(Qt.AlignmentFlag.AlignLeft), metrics.elidedText(self._caption(), elide, int(row.width()))
        )

    def _caption(self) -> str:
        if self._at is not None:
            return _tr("answer: {0}").format(self.class_name(self._at[1]))
        return _tr("answer, in the same order →")
