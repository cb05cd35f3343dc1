"""What scroll areas that paint their contents themselves have in common."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QFocusEvent
from PyQt6.QtWidgets import QAbstractScrollArea, QScrollBar, QWidget


class PaintedScroll(QAbstractScrollArea):
    """Has one scroll bar that counts, and is painted anew when it gets or loses the focus.

    Args:
        along: which way it scrolls.
    """

    def __init__(self, parent: QWidget | None = None, along: Qt.Orientation = Qt.Orientation.Vertical) -> None:
        super().__init__(parent)
        self._along = along

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        super().focusInEvent(event)
        self._view().update()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._view().update()

    def _view(self) -> QWidget:
        viewport = self.viewport()
        assert viewport is not None
        return viewport

    def _bar(self) -> QScrollBar:
        upright = self._along == Qt.Orientation.Vertical
        bar = self.verticalScrollBar() if upright else self.horizontalScrollBar()
        assert bar is not None
        return bar
