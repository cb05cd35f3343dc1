"""A line of text that ends in an ellipsis where the room is too small, and says the rest under the mouse."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

LEAST_PX = 24


class ElidedLabel(QLabel):
    """Gives way before its neighbours do; its tool tip is its own.

    Args:
        text: the whole text; one line, no markup.
        asks: for the room that the whole text takes; else it takes what its neighbours leave.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None, *, asks: bool = True) -> None:
        super().__init__(text, parent)
        self._asks = asks
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setText(self, text: str | None) -> None:
        super().setText(text)
        self._tell()

    def shown(self) -> str:
        """Return what is on screen; of what is left to it, a label that does not ask leaves a crumb empty."""
        if not self._asks and self.width() < 4 * self.fontMetrics().height():
            return ""
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())

    def sizeHint(self) -> QSize:
        return super().sizeHint() if self._asks else self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST_PX, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._tell()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment()), self.shown())

    def _tell(self) -> None:
        self.setToolTip(self.text() if self.shown() != self.text() else "")
