"""The workspaces, one at a time, and how much room the one on screen needs."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, pyqtSignal
from PyQt6.QtGui import QFontInfo
from PyQt6.QtWidgets import QStackedWidget, QWidget

LEAST_PX = 400
"""Least height: below it the layouts still hold, but the maps are too small to be looked at."""

MOST_PX, MOST_EM = 900, 64
"""Most width that is asked for, the larger of pixels and sizes of the text: a page with more columns, as Train in a
wide window, says what these need, but moves one into a tab once there is less room."""

AROUND_PX = 140
"""Kept of the screen's height for the title, the bars above and below, and a panel of the desktop."""


class Workspaces(QStackedWidget):
    """A stack that needs no more room than the page on show, and never more than the screen has.

    The window takes its least size from this one: QStackedWidget itself would ask for the largest of all pages.

    Signals:
        switched: another page is on show.
    """

    switched = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts: dict[QWidget, str] = {}

    def setCurrentIndex(self, index: int) -> None:
        super().setCurrentIndex(index)
        self.updateGeometry()
        # not by currentChanged: that one comes while the pages are destroyed, too
        self.switched.emit()

    def note(self, page: QWidget, text: str) -> None:
        """Keep what a page says in the status line."""
        self._texts[page] = text

    def noted(self) -> str:
        """Return what the page on show has said last, empty for nothing."""
        page = self.currentWidget()
        return self._texts.get(page, "") if page is not None else ""

    def minimumSizeHint(self) -> QSize:
        page = self.currentWidget()
        if page is None:
            return super().minimumSizeHint()
        needed = page.minimumSizeHint().expandedTo(page.minimumSize()).expandedTo(QSize(0, LEAST_PX))
        most = max(MOST_PX, MOST_EM * QFontInfo(self.font()).pixelSize())
        needed = needed.boundedTo(QSize(most, needed.height()))
        screen = self.screen()
        if screen is None:
            return needed
        room = screen.availableSize()
        return needed.boundedTo(QSize(room.width(), max(0, room.height() - AROUND_PX)))

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self.updateGeometry()
