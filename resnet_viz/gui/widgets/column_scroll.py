"""A column that scrolls up and down, and is as wide as what is in it."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, QSize
from PyQt6.QtWidgets import QFrame, QScrollArea, QWidget


class ColumnScroll(QScrollArea):
    """Asks for its content's width: a plain scroll area would cut it off at the right.

    Where the screen is too small for that it scrolls sideways, too.

    Args:
        content: the column.
        least_px: its least width, whatever is in it.
    """

    def __init__(self, content: QWidget, least_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._least_px = least_px
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        content, bar = self.widget(), self.verticalScrollBar()
        least = self._least_px
        if content is not None and bar is not None:
            least = max(least, content.minimumSizeHint().width() + bar.sizeHint().width())
        return QSize(least, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.LayoutRequest and watched is self.widget():
            self.updateGeometry()
        return super().eventFilter(watched, event)
