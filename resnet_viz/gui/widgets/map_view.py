"""Scrolling, zooming, and the blocks that grow so that their layers can be read."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QWidget

from .map_growth import Growth
from .map_layout import affordable, content_width
from .map_picture import MapPicture

ZOOM_STEP = 1.25
MAX_ZOOM = 12.0


class MapView(MapPicture):
    """The network map with a part of it in sight and some of its blocks in focus."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._follow: int | None = None  # the column to be kept in sight while blocks grow
        self._growth = Growth(self)
        self._growth.changed.connect(self._on_growth)

    def wishes(self) -> list[int]:
        """Return the columns that should be in focus, most important first."""
        return list(self._columns) if len(self._columns) == 1 else []

    def _refocus(self) -> None:
        plan, wanted = self.plan(), self.wishes()
        if plan is not None:
            wanted = affordable(plan, wanted, self._view().width())
        self._growth.go(dict.fromkeys(wanted, 1.0), at_once=not self.isVisible())

    def _on_growth(self, amounts: object) -> None:
        assert isinstance(amounts, dict)
        self._focus = amounts
        self._forget_layout()
        if self._follow is not None:
            self._reveal(self._follow)

    def finish_animation(self) -> None:
        """Go to the end of a running animation at once."""
        self._growth.finish()

    # ---- scrolling and zooming ----

    def _reveal(self, index: int) -> None:
        """Scroll so that a block is in sight, now and while it grows."""
        self._follow = index
        layout = self.map_layout()
        if layout is None or not self.scroll_bar.isVisibleTo(self):
            return
        slot, view = layout.columns[index].slot, self._view().width()
        margin = min(4 * self._em(), max(0.0, (view - slot.w) / 2))
        if slot.x - margin < self.offset():
            self.scroll_bar.setValue(round(slot.x - margin))
        elif slot.right + margin > self.offset() + view:
            self.scroll_bar.setValue(round(slot.right + margin - view))

    def zoom(self) -> float:
        """Return the zoom; 1 fits the net into the width."""
        return self._zoom

    def set_zoom(self, zoom: float, at: float | None = None) -> None:
        """Zoom, keeping in place what lies at ``at`` pixels from the left edge (else the selected block)."""
        plan, layout = self.plan(), self.map_layout()
        if plan is None or layout is None:
            return
        view = self._view()
        least = min(1.0, view.width() / content_width(plan, view.width()))
        if at is None:
            index = self._columns[0] if self._columns else None
            at = layout.columns[index].slot.cx - self.offset() if index is not None else view.width() / 2
            at = max(0.0, min(at, view.width()))
        else:
            at -= view.x()
        share = (self.offset() + at) / layout.width
        self._zoom = max(least, min(MAX_ZOOM, zoom))
        self._forget_layout()
        after = self.map_layout()
        if after is not None:
            self.scroll_bar.setValue(round(share * after.width - at))

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is None:
            return
        delta = event.angleDelta()
        self._follow = None
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_zoom(self._zoom * ZOOM_STEP ** (delta.y() / 120), event.position().x())
        elif self.scroll_bar.isVisibleTo(self):
            step = delta.x() if abs(delta.x()) > abs(delta.y()) else delta.y()
            self.scroll_bar.setValue(self.scroll_bar.value() - round(step * self.scroll_bar.singleStep() / 60))
        else:
            event.ignore()
            return
        event.accept()
