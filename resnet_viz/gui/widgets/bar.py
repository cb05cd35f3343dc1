"""The bar at the top of the window; none of its buttons is pushed out of sight."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtWidgets import QToolBar, QToolButton, QWidget


class Bar(QToolBar):
    """Asks for the width that its buttons need at least: a plain bar would hide the last ones behind an arrow.

    Args:
        title: its name.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.setMovable(False)
        self.setFloatable(False)

    def minimumSizeHint(self) -> QSize:
        needed, layout = super().minimumSizeHint(), self.layout()
        if layout is None:
            return needed
        items = [item for item in map(layout.itemAt, range(layout.count())) if item is not None]
        shown = [item.minimumSize().width() for item in items if not item.isEmpty()]
        margins, gaps = layout.contentsMargins(), max(0, len(shown) - 1) * layout.spacing()
        width = sum(shown) + gaps + margins.left() + margins.right()
        screen = self.screen()
        if screen is not None:
            width = min(width, screen.availableSize().width())
        return needed.expandedTo(QSize(width, 0))

    def event(self, event: QEvent | None) -> bool:
        done = super().event(event)
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        if event is not None and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self._hide_the_arrow()
        return done

    def _hide_the_arrow(self) -> None:
        """Hide Qt's arrow where Qt has left it half hidden.

        When the text grows, Qt shows the arrow as long as the window is too narrow; showing it makes the window lay
        itself out and grow, which hides the arrow again before it is shown. It then counts as hidden, and is on screen.
        """
        arrow = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if arrow is not None and arrow.isHidden() and arrow.isVisible():
            arrow.setAttribute(Qt.WidgetAttribute.WA_WState_Hidden, False)  # show() would start the same again
            arrow.hide()
