"""The grid of all feature maps of a layer: one finished picture per paint, only what is visible."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, QPoint, QRect, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QStaticText,
    QWheelEvent,
)
from PyQt6.QtWidgets import QAbstractScrollArea, QScrollBar, QWidget

from resnet_viz.analysis import montage as grids
from resnet_viz.analysis.montage import GridHover, GridLayout, GridOptions
from resnet_viz.core.types import I64, Activation, ChannelStats
from resnet_viz.gui import theme

from .images_qt import borrow_words, from_rgb

GAP_PX = 3
LEAST_CELL_PX = 30
PINNED = "#f7c948"
ZOOM_STEP = 1.25
MAX_ZOOM = 64.0
MANY_CELLS = 500
MOST_ROWS = 32_000
"""Cells above which one mosaic is quicker than single pictures, and rows that an image may have."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("FeatureGrid", text)


class FeatureGrid(QAbstractScrollArea):
    """All channels of a layer; only the visible rows are drawn, whatever the layer's size.

    Wheel scrolls, Ctrl + wheel zooms at the mouse, ``+ - 0`` zoom, arrows move the selection,
    Space pins it.

    Signals:
        hovered: a GridHover, or None when the mouse is over no map.
        channel_clicked, pin_toggled: the channel's number.
        zoom_changed: pixels per value.
        options_changed: the GridOptions.
    """

    hovered = pyqtSignal(object)
    channel_clicked = pyqtSignal(int)
    pin_toggled = pyqtSignal(int)
    zoom_changed = pyqtSignal(float)
    options_changed = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._activation: Activation | None = None
        self._stats: ChannelStats | None = None
        self._options = GridOptions()
        self._shown: I64 | None = None
        self._coloured: grids.Words | None = None
        self._layout = GridLayout(0, 1, 1, 1, GAP_PX)
        self._zoom: float | None = None  # None: fitted
        self._told = 0.0
        self._labels: dict[str, QStaticText] = {}
        self._selected: int | None = None
        self._pinned: frozenset[int] = frozenset()
        self._busy = False
        self._frame: tuple[tuple[object, ...], QImage] | None = None
        self._stack: QImage | None = None
        # a pass takes milliseconds: dimming at once would only flicker
        self._dim = QTimer(self)
        self._dim.setSingleShot(True)
        self._dim.setInterval(150)
        self._dim.timeout.connect(self._update)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(_tr("Feature maps"))
        self.setMinimumSize(120, 80)
        viewport = self._viewport()
        viewport.setMouseTracking(True)
        viewport.setBackgroundRole(QPalette.ColorRole.Window)
        viewport.installEventFilter(self)

    # ---- what is shown ----

    def set_activation(self, activation: Activation | None, stats: ChannelStats | None) -> None:
        """Show a layer's maps; position and zoom stay where the shape is the same."""
        old = self._activation.maps.shape if self._activation is not None else None
        self._activation, self._stats = activation, stats
        if activation is None or activation.maps.shape != old:
            self._zoom = None
            self._bar().setValue(0)
        self._rebuild()

    def set_options(self, options: GridOptions) -> None:
        """Sort, scale and colour differently."""
        if options != self._options:
            self._options = options
            self._rebuild()
            self.options_changed.emit(options)

    def options(self) -> GridOptions:
        """Return how the grid is shown."""
        return self._options

    def activation(self) -> Activation | None:
        """Return what is shown."""
        return self._activation

    def stats(self) -> ChannelStats | None:
        """Return the statistics of what is shown."""
        return self._stats

    def set_selected(self, channel: int | None) -> None:
        """Outline one channel."""
        self._selected = channel
        self._describe()
        self._update()

    def set_pinned(self, channels: frozenset[int]) -> None:
        """Mark channels as pinned."""
        self._pinned = channels
        if self._options.pinned_first:
            self._reorder()
        self._update()

    def set_busy(self, busy: bool) -> None:
        """Dim the maps if the next ones are long in coming."""
        self._busy = busy
        if busy:
            self._dim.start()
        else:
            self._dim.stop()
            self._update()

    def paint_now(self) -> None:
        """Paint at once instead of with the next turn of the event loop."""
        if self.isVisible():
            self._viewport().repaint()

    def full_image(self) -> QImage:
        """Return the whole grid, visible or not, at its full resolution."""
        if self._activation is None or self._stats is None:
            return QImage()
        return from_rgb(grids.montage(self._activation.maps, self._stats, self._options).image)

    # ---- zoom ----

    def zoom(self) -> float:
        """Return pixels per value."""
        return self._fitted() if self._zoom is None else self._zoom

    def set_zoom(self, zoom: float | None, at: QPoint | None = None) -> None:
        """Zoom to ``zoom`` pixels per value, None to fit; what is at ``at`` stays near it."""
        if self._activation is None:
            return
        bar, view = self._bar(), self._viewport()
        at = at or view.rect().center()
        share = (bar.value() + at.y()) / max(1, self._layout.height)
        least = 8 / max(self._activation.maps.shape[1:])
        self._zoom = None if zoom is None else max(least, min(self._most(), zoom))
        self._relayout()
        bar.setValue(round(share * self._layout.height - at.y()))

    def _most(self) -> float:
        """Return the largest zoom: one map fills the view."""
        assert self._activation is not None
        _, height, width = self._activation.maps.shape
        view = self._viewport()
        whole = min((view.width() - 2 * GAP_PX) / width, (view.height() - 2 * GAP_PX) / height)
        return float(max(1.0, min(whole, MAX_ZOOM) if width > 1 else whole))

    def zoom_in(self) -> None:
        """Enlarge the maps."""
        self.set_zoom(self.zoom() * ZOOM_STEP)

    def zoom_out(self) -> None:
        """Reduce the maps."""
        self.set_zoom(self.zoom() / ZOOM_STEP)

    def fit(self) -> None:
        """Fit all maps into the view, as far as they stay readable."""
        self.set_zoom(None)

    def _fitted(self) -> float:
        if self._activation is None:
            return 1.0
        count, height, width = self._activation.maps.shape
        view = self._viewport()
        return grids.fit(count, width, height, view.width(), view.height(), GAP_PX, self._least_cell())

    def _least_cell(self) -> int:
        return max(LEAST_CELL_PX, self.fontMetrics().horizontalAdvance("0000") + 8)

    # ---- building ----

    def _rebuild(self) -> None:
        if self._activation is None or self._stats is None:
            self._coloured, self._shown = None, None
        else:
            self._coloured = grids.colour(self._activation.maps, self._stats, self._options)
        self._restack()
        self._reorder()
        self._relayout()
        self._describe()

    def _restack(self) -> None:
        """Lay all coloured maps below each other in one image, if Qt can address one so high."""
        self._stack = None
        if self._coloured is not None:
            count, height, width = self._coloured.shape
            if count * height <= MOST_ROWS:
                self._coloured = np.ascontiguousarray(self._coloured)
                self._stack = borrow_words(self._coloured.reshape(count * height, width))

    def _reorder(self) -> None:
        self._shown = None if self._stats is None else grids.order(self._stats, self._options, self._pinned)
        self._frame = None

    def _relayout(self) -> None:
        self._frame = None
        bar, view = self._bar(), self._viewport()
        if self._activation is None:
            self._layout = GridLayout(0, 1, 1, 1, GAP_PX)
            bar.setRange(0, 0)
        else:
            count, height, width = self._activation.maps.shape
            self._layout = grids.arrange(count, width, height, view.width(), self.zoom(), GAP_PX)
            bar.setRange(0, max(0, self._layout.height - view.height()))
            bar.setPageStep(view.height())
            bar.setSingleStep(self._layout.cell_h + GAP_PX)
        zoom = self.zoom()
        if zoom != self._told:
            self._told = zoom
            self.zoom_changed.emit(zoom)
        self._update()

    def _left(self) -> int:
        """Return the space left of the grid, which stands in the middle of a wider view."""
        return max(0, (self._viewport().width() - self._layout.width) // 2)

    # ---- painting ----

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self._viewport())
        view = self._viewport().rect()
        colours = theme.current()
        if self._coloured is None or self._shown is None:
            painter.setPen(QColor(colours.muted))
            text = _tr("Open a net and a picture: the feature maps of the chosen layer appear here.")
            painter.drawText(view.adjusted(16, 16, -16, -16), int(_CENTRE | Qt.TextFlag.TextWordWrap), text)
            return
        layout, top = self._layout, self._bar().value()
        step = layout.cell_h + layout.gap
        rows = range(max(0, (top - layout.gap) // step), min(layout.rows, (top + view.height()) // step + 1))
        left = self._left()
        target = QRect(left, rows.start * step - top, layout.width, len(rows) * step + layout.gap)
        if self._stack is not None and len(rows) * layout.columns <= MANY_CELLS and self.zoom() >= 0.5:
            painter.fillRect(target, QColor(colours.grid))
            # down to half its size, interpolating sees every value; below that areas must be averaged
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom() < 1)
            self._paint_cells(painter, rows, left, top)
        else:
            background = 0xFF000000 | int(colours.grid[1:], 16)
            ratio = self.devicePixelRatioF()
            key = (rows.start, rows.stop, background, ratio)
            if self._frame is None or self._frame[0] != key:
                self._frame = (key, self._render(rows, background, ratio))
            painter.drawImage(target, self._frame[1])
        self._paint_marks(painter, rows, left, top)
        if self._busy and not self._dim.isActive():
            veil = QColor(colours.window)
            veil.setAlphaF(0.55)
            painter.fillRect(view, veil)

    def _paint_cells(self, painter: QPainter, rows: range, left: int, top: int) -> None:
        """Draw each visible map straight from the stack of all: the quickest way while there are few."""
        assert self._stack is not None and self._shown is not None and self._activation is not None
        layout = self._layout
        _, map_h, map_w = self._activation.maps.shape
        first, last = rows.start * layout.columns, min(rows.stop * layout.columns, layout.count)
        for position, channel in enumerate(self._shown[first:last].tolist(), start=first):
            x, y = layout.cell(position)
            cell = QRect(left + x, y - top, layout.cell_w, layout.cell_h)
            painter.drawImage(cell, self._stack, QRect(0, channel * map_h, map_w, map_h))

    def _render(self, rows: range, background: int, ratio: float) -> QImage:
        """Draw some rows at the screen's real resolution."""
        assert self._coloured is not None and self._shown is not None
        layout = self._layout
        if ratio != 1.0:
            cell_w, cell_h, gap = (round(size * ratio) for size in (layout.cell_w, layout.cell_h, layout.gap))
            layout = GridLayout(layout.count, layout.columns, cell_w, cell_h, gap)
        # the image looks at the array, which must live as long as it does
        self._words = grids.draw(self._coloured, self._shown, layout, rows, background)
        return borrow_words(self._words)

    def _paint_marks(self, painter: QPainter, rows: range, left: int, top: int) -> None:
        assert self._shown is not None and self._stats is not None and self._activation is not None
        layout = self._layout
        metrics = painter.fontMetrics()
        chip_h = metrics.height()
        with_text = layout.cell_w >= metrics.horizontalAdvance("000") + 8 and layout.cell_h >= chip_h + 4
        single = self._activation.maps.shape[1:] == (1, 1)
        chip, white = QColor(0, 0, 0, 150), QColor("#ffffff")
        widths = [metrics.horizontalAdvance("0" * digits) + 6 for digits in range(6)]
        for position in range(rows.start * layout.columns, min(rows.stop * layout.columns, layout.count)):
            channel = int(self._shown[position])
            x, y = layout.cell(position)
            cell = QRect(left + x, y - top, layout.cell_w, layout.cell_h)
            dead = bool(self._stats.dead[channel])
            if dead:
                painter.setPen(QPen(QColor(255, 255, 255, 90), 1))
                painter.drawLine(cell.bottomLeft(), cell.topRight())
            if with_text:
                text = str(channel)
                width = widths[len(text)]
                if dead and layout.cell_w > metrics.horizontalAdvance(f"{text} {_tr('dead')}") + 8:
                    text = f"{text} {_tr('dead')}"
                    width = metrics.horizontalAdvance(text) + 6
                box = QRect(cell.left(), cell.top(), width, chip_h)
                painter.fillRect(box, chip)
                painter.setPen(white)
                painter.drawStaticText(box.left() + 3, box.top(), self._label(text, painter))
                if single and cell.height() > 2.2 * chip_h:
                    value = f"{self._activation.maps[channel, 0, 0]:.3g}"
                    under = QRect(cell.left(), cell.bottom() - chip_h, cell.width(), chip_h)
                    painter.fillRect(under, chip)
                    painter.drawText(under, int(_CENTRE), value)
            if channel in self._pinned:
                painter.setPen(QPen(QColor(PINNED), 3))
                painter.drawRect(cell.adjusted(-1, -1, 1, 1))
                painter.setBrush(QColor(PINNED))
                painter.setPen(Qt.PenStyle.NoPen)
                painter.drawEllipse(cell.right() - 8, cell.top() + 3, 6, 6)  # not by colour alone
                painter.setBrush(Qt.BrushStyle.NoBrush)
            if channel == self._selected:
                painter.setPen(QPen(QColor("#000000"), 4))
                painter.drawRect(cell.adjusted(-1, -1, 1, 1))
                painter.setPen(QPen(QColor("#ffffff"), 2))
                painter.drawRect(cell.adjusted(-1, -1, 1, 1))

    def _label(self, text: str, painter: QPainter) -> QStaticText:
        """Return a number laid out once; shaping it anew takes longer than drawing its map."""
        label = self._labels.get(text)
        if label is None:
            label = self._labels[text] = QStaticText(text)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.prepare(font=painter.font())
        return label

    # ---- mouse and keys ----

    def hit(self, at: QPoint) -> GridHover | None:
        """Return what lies at a point of the viewport."""
        if self._activation is None or self._shown is None:
            return None
        found = self._layout.hit(at.x() - self._left(), at.y() + self._bar().value())
        if found is None:
            return None
        position, across, down = found
        channel = int(self._shown[position])
        _, height, width = self._activation.maps.shape
        row, column = min(height - 1, int(down * height)), min(width - 1, int(across * width))
        return GridHover(channel, row, column, float(self._activation.maps[channel, row, column]))

    def cell_rect(self, channel: int) -> QRect:
        """Return where a channel stands in the viewport; empty if it is not shown."""
        if self._shown is None or channel not in self._shown:
            return QRect()
        position = int((self._shown == channel).argmax())
        x, y = self._layout.cell(position)
        return QRect(self._left() + x, y - self._bar().value(), self._layout.cell_w, self._layout.cell_h)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            self.hovered.emit(self.hit(event.position().toPoint()))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        found = self.hit(event.position().toPoint())
        if found is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.pin_toggled.emit(found.channel)
        self.set_selected(found.channel)
        self.channel_clicked.emit(found.channel)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        # the second of two quick clicks comes as a double click; it pins or chooses like any other
        self.mousePressEvent(event)

    def viewportEvent(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.Leave:
            self.hovered.emit(None)
        return super().viewportEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = ZOOM_STEP ** (event.angleDelta().y() / 120)
            self.set_zoom(self.zoom() * factor, event.position().toPoint())
            event.accept()
        else:
            bar = self._bar()
            bar.setValue(bar.value() - event.angleDelta().y())
            event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None or self._shown is None:
            return
        key, columns, count = event.key(), self._layout.columns, self._layout.count
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -columns,
            Qt.Key.Key_Down: columns,
            Qt.Key.Key_PageUp: -columns * max(1, self._viewport().height() // (self._layout.cell_h + GAP_PX)),
            Qt.Key.Key_PageDown: columns * max(1, self._viewport().height() // (self._layout.cell_h + GAP_PX)),
            Qt.Key.Key_Home: -count,
            Qt.Key.Key_End: count,
        }
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            event.ignore()
        elif key in moves:
            self._move(moves[Qt.Key(key)])
        elif key == Qt.Key.Key_Space and self._selected is not None:
            self.pin_toggled.emit(self._selected)
        elif event.text() in ("+", "="):
            self.zoom_in()
        elif event.text() == "-":
            self.zoom_out()
        elif event.text() == "0":
            self.fit()
        else:
            event.ignore()

    def _move(self, step: int) -> None:
        assert self._shown is not None
        here = int((self._shown == self._selected).argmax()) if self._selected is not None else 0
        channel = int(self._shown[max(0, min(self._layout.count - 1, here + step))])
        self.set_selected(channel)
        cell = self.cell_rect(channel)
        bar, height = self._bar(), self._viewport().height()
        if cell.top() < 0:
            bar.setValue(bar.value() + cell.top() - GAP_PX)
        elif cell.bottom() > height:
            bar.setValue(bar.value() + cell.bottom() - height + GAP_PX)
        self.channel_clicked.emit(channel)

    # ---- Qt ----

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._relayout()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._labels.clear()
            self._relayout()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._update()

    def _describe(self) -> None:
        """Say in words what is selected, for screen readers."""
        if self._stats is None or self._selected is None or self._selected >= len(self._stats.mean):
            self.setAccessibleDescription("")
            return
        text = _tr("channel {0} of {1}, mean {2:.3g}, maximum {3:.3g}")
        stats, at = self._stats, self._selected
        self.setAccessibleDescription(text.format(at, len(stats.mean), stats.mean[at], stats.max[at]))

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


_CENTRE = Qt.AlignmentFlag.AlignCenter
