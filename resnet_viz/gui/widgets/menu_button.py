"""A button of the bar that opens a menu; a long name on it ends in an ellipsis where the room is too small."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QKeySequence, QPaintEvent
from PyQt6.QtWidgets import QMenu, QSizePolicy, QStyle, QStyleOptionToolButton, QStylePainter, QToolButton, QWidget

LEAST_EM = 7
"""Least width of a button with a name, in heights of its text: some letters, the ellipsis and the arrow."""


class MenuButton(QToolButton):
    """Gives way before the buttons beside it are pushed out of the bar.

    Args:
        text: the name on it; empty for an icon alone.
        tip: what it is for.
    """

    def __init__(self, text: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setMenu(QMenu(self))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setText(self, text: str | None) -> None:
        """Show a name; an ampersand in it is one, and makes no letter a key."""
        super().setText(text)
        self.setShortcut(QKeySequence())

    def minimumSizeHint(self) -> QSize:
        needed = self.sizeHint()
        return needed.boundedTo(QSize(LEAST_EM * self.fontMetrics().height(), needed.height()))

    def shown(self) -> str:
        """Return the name as it is on screen."""
        if self.width() >= self.sizeHint().width():
            return self.text()
        room = self.fontMetrics().horizontalAdvance(self.text()) - (self.sizeHint().width() - self.width())
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, max(0, room))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        if self.text():
            option.text = self.shown().replace("&", "&&")
        QStylePainter(self).drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
