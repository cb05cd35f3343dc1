"""A scrolled grid of equal cells: layout, zoom and what lies where, whatever is drawn in the cells."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QPalette, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QAbstractScrollArea, QScrollBar, QWidget

from resnet_viz.analysis import montage as grids
from resnet_viz.analysis.montage import GridLayout

GAP_PX = 3
LEAST_CELL_PX = 30
ZOOM_STEP = 1.25
MAX_ZOOM = 64.0
EMPTY = GridLayout(0, 1, 1, 1, GAP_PX)


class GridScroll(QAbstractScrollArea):
    """Cells in rows as wide as the view; wheel scrolls, Ctrl + wheel zooms at the mouse.

    Signals:
        zoom_changed: pixels per value.
    """

    zoom_changed = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape: tuple[int, int, int] | None = None
        self._layout = EMPTY
        self._zoom: float | None = None  # None: fitted
        self._told = 0.0
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 80)
        viewport = self._viewport()
        viewport.setMouseTracking(True)
        viewport.setBackgroundRole(QPalette.ColorRole.Window)
        # the cells and what lies around them are painted whole: nothing has to be cleared before
        viewport.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def _set_shape(self, shape: tuple[int, int, int] | None) -> bool:
        """Take the shape (count, height, width) of other values; position and zoom stay where it is the same.

        Returns:
            Whether room has to be made: :meth:`_relayout` is then due.
        """
        changed = shape != self._shape or shape is None
        if changed:
            self._shape, self._zoom = shape, None
            self._bar().setValue(0)
        return changed

    # ---- zoom ----

    def zoom(self) -> float:
        """Return pixels per value."""
        return self._fitted() if self._zoom is None else self._zoom

    def set_zoom(self, zoom: float | None, at: QPoint | None = None) -> None:
        """Zoom to ``zoom`` pixels per value, None to fit; what is at ``at`` stays near it."""
        if self._shape is None:
            return
        bar, view = self._bar(), self._viewport()
        at = at or view.rect().center()
        share = (bar.value() + at.y()) / max(1, self._layout.height)
        least = 8 / max(self._shape[1:])
        self._zoom = None if zoom is None else max(least, min(self._most(*self._shape), zoom))
        self._relayout()
        bar.setValue(round(share * self._layout.height - at.y()))

    def zoom_in(self) -> None:
        """Enlarge the maps."""
        self.set_zoom(self.zoom() * ZOOM_STEP)

    def zoom_out(self) -> None:
        """Reduce the maps."""
        self.set_zoom(self.zoom() / ZOOM_STEP)

    def fit(self) -> None:
        """Fit all maps into the view, as far as they stay readable."""
        self.set_zoom(None)

    def _most(self, _count: int, height: int, width: int) -> float:
        """Return the largest zoom: one map fills the view."""
        view = self._viewport()
        whole = min((view.width() - 2 * GAP_PX) / width, (view.height() - 2 * GAP_PX) / height)
        return float(max(1.0, min(whole, MAX_ZOOM) if width > 1 else whole))

    def _least(self, _count: int) -> int:
        """Return how wide a fitted cell is at least, in pixels."""
        return LEAST_CELL_PX

    def _fitted(self) -> float:
        if self._shape is None:
            return 1.0
        count, height, width = self._shape
        view = self._viewport()
        return grids.fit(count, width, height, view.width(), view.height(), GAP_PX, self._least(count))

    # ---- layout ----

    def _relayout(self) -> None:
        bar, view = self._bar(), self._viewport()
        zoom = self.zoom()
        if self._shape is None:
            self._layout = EMPTY
            bar.setRange(0, 0)
        else:
            count, height, width = self._shape
            self._layout = grids.arrange(count, width, height, view.width(), zoom, GAP_PX)
            bar.setRange(0, max(0, self._layout.height - view.height()))
            bar.setPageStep(view.height())
            bar.setSingleStep(self._layout.cell_h + GAP_PX)
            zoom = self.zoom()  # the scroll bar may have come or gone, and the view with it
        if zoom != self._told:
            self._told = zoom
            self.zoom_changed.emit(zoom)
        self._update()

    def _left(self) -> int:
        """Return the space left of the grid, which stands in the middle of a wider view."""
        return max(0, (self._viewport().width() - self._layout.width) // 2)

    def _origin(self) -> QPoint:
        """Return where the grid's corner stands in the viewport."""
        return QPoint(self._left(), -self._bar().value())

    def _visible_rows(self) -> range:
        layout, top = self._layout, self._bar().value()
        step = layout.cell_h + layout.gap
        last = (top + self._viewport().height()) // step + 1
        return range(max(0, (top - layout.gap) // step), min(layout.rows, last))

    def _place(self, position: int) -> QRect:
        """Return where the cell at a position of the order stands in the viewport."""
        return QRect(QPoint(*self._layout.cell(position)) + self._origin(), self._cell_size())

    def _cell_size(self) -> QSize:
        return QSize(self._layout.cell_w, self._layout.cell_h)

    def _scroll_to(self, cell: QRect) -> None:
        bar, height = self._bar(), self._viewport().height()
        if cell.top() < 0:
            bar.setValue(bar.value() + cell.top() - GAP_PX)
        elif cell.bottom() > height:
            bar.setValue(bar.value() + cell.bottom() - height + GAP_PX)

    # ---- Qt ----

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = ZOOM_STEP ** (event.angleDelta().y() / 120)
            self.set_zoom(self.zoom() * factor, event.position().toPoint())
        else:
            bar = self._bar()
            bar.setValue(bar.value() - event.angleDelta().y())
        event.accept()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._relayout()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._update()

    def _viewport(self) -> QWidget:
        viewport = self.viewport()
        assert viewport is not None
        return viewport

    def _bar(self) -> QScrollBar:
        bar = self.verticalScrollBar()
        assert bar is not None
        return bar

    def _update(self) -> None:
        self._viewport().update()
