"""The grid of all feature maps of a layer: one finished picture per paint, only what is visible."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PyQt6.QtCore import QCoreApplication, QEvent, QPoint, QRect, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from resnet_viz.analysis import montage as grids
from resnet_viz.analysis.montage import GridHover, GridOptions
from resnet_viz.core.types import U8, Activation, ChannelStats
from resnet_viz.gui import theme

from .grid_paint import GridPainter, number_width
from .grid_scroll import GAP_PX, LEAST_CELL_PX, GridScroll


def _tr(text: str) -> str:
    return QCoreApplication.translate("FeatureGrid", text)


class FeatureGrid(GridScroll):
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
    options_changed = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._activation: Activation | None = None
        self._stats: ChannelStats | None = None
        self._options = GridOptions()
        self._cells = GridPainter()
        self._busy = False
        self._waiting = ""
        self._value_px = 0
        # a pass takes milliseconds: dimming at once would only flicker
        self._dim = QTimer(self)
        self._dim.setSingleShot(True)
        self._dim.setInterval(150)
        self._dim.timeout.connect(self._update)
        # a mean costs as much as painting: said once the maps are on screen
        self._say = QTimer(self)
        self._say.setSingleShot(True)
        self._say.setInterval(0)
        self._say.timeout.connect(self._describe)
        # a mouse that rests has other values below it after scrolling, sorting or another layer; nothing says so
        self._mouse: QPoint | None = None
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(0)
        self._again.timeout.connect(lambda: self.hovered.emit(self.hit(self._mouse) if self._mouse else None))
        self.setAccessibleName(_tr("Feature maps"))

    # ---- what is shown ----

    def set_activation(
        self, activation: Activation | None, stats: ChannelStats | None, coloured: grids.Coloured | None = None
    ) -> None:
        """Show a layer's maps; position and zoom stay where the shape is the same.

        Args:
            activation: the maps, None for nothing.
            stats: their statistics.
            coloured: the maps as pictures if they are known already; others are made where the options differ.
        """
        self._activation, self._stats = activation, stats
        changed = self._set_shape(None if activation is None else _shape(activation))
        self._rebuild(coloured)
        value_px, self._value_px = self._value_px, self._cells.value_width(self.fontMetrics())
        if changed or value_px != self._value_px:
            self._relayout()

    def set_pictures(self, coloured: grids.Words) -> None:
        """Draw these pictures, uint32 (C, H, W), in place of the maps' own colours."""
        self._cells.set_words(coloured)
        self._update()

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
        self._cells.selected = channel
        self._say.start()
        self._update()

    def set_pinned(self, channels: frozenset[int]) -> None:
        """Mark channels as pinned."""
        self._cells.pinned = channels
        if self._options.pinned_first:
            self._reorder()
        self._update()

    def pinned(self) -> frozenset[int]:
        """Return the channels that are marked as pinned."""
        return self._cells.pinned

    def set_waiting(self, text: str) -> None:
        """Say what is being computed while there is nothing to show; an empty text for nothing."""
        if text != self._waiting:
            self._waiting = text
            self._say.start()
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

    def whole(self, provenance: Mapping[str, str]) -> Callable[[], U8] | None:
        """Return what draws the whole grid as it is now, at its full resolution, on any thread; None without maps.

        Args:
            provenance: model, image and the like, written below.

        Returns:
            A function that returns uint8 (H, W, 3), with numbers, marks and scale. It takes a second or two for
            thousands of channels.
        """
        if self._activation is None or self._stats is None:
            return None
        activation, stats, options, pinned = self._activation, self._stats, self._options, self.pinned()

        def draw() -> U8:
            from resnet_viz.analysis.export_sheet import sheet, to_rgb  # Pillow, which painting does without

            return to_rgb(sheet(activation, stats, options, provenance, pinned))

        return draw

    # ---- building and painting ----

    def _least(self, count: int) -> int:
        # room for four digits whatever the layer, so that most layers of a net are laid out alike
        return max(LEAST_CELL_PX, self._value_px, number_width(self.fontMetrics(), max(count, 1001)))

    def _rebuild(self, coloured: grids.Coloured | None = None) -> None:
        words = coloured[1] if coloured is not None and coloured[0] == self._options else None
        self._cells.set_maps(self._activation, self._stats, self._options, words)
        self._reorder()
        self._say.start()
        self._update()

    def _reorder(self) -> None:
        stats = self._stats
        self._cells.shown = None if stats is None else grids.order(stats, self._options, self._cells.pinned)
        self._cells.forget_frame()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self._viewport())
        view = self._viewport().rect()
        colours, window = theme.current(), self.palette().window()
        if not self._cells.ready():
            painter.fillRect(view, window)
            painter.setPen(QColor(colours.muted))
            text = self._waiting or _tr("Open a net and a picture: the feature maps of the chosen layer appear here.")
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(view.adjusted(16, 16, -16, -16), int(flags), text)
            return
        covered = self._cells.paint(painter, self._layout, self._visible_rows(), self._origin(), self.zoom())
        for around in _around(covered, view):
            painter.fillRect(around, window)
        if self._busy and not self._dim.isActive():
            veil = QColor(colours.window)
            veil.setAlphaF(0.55)
            painter.fillRect(view, veil)

    # ---- mouse and keys ----

    def hit(self, at: QPoint) -> GridHover | None:
        """Return what lies at a point of the viewport."""
        if self._activation is None or self._cells.shown is None:
            return None
        inside = at - self._origin()
        # what is painted at a pixel is the value below its middle, at any zoom, and of two that meet there the first
        found = self._layout.hit(inside.x() + 0.499, inside.y() + 0.499)
        if found is None:
            return None
        position, across, down = found
        channel = int(self._cells.shown[position])
        _, height, width = self._activation.maps.shape
        row, column = min(height - 1, int(down * height)), min(width - 1, int(across * width))
        return GridHover(channel, row, column, float(self._activation.maps[channel, row, column]))

    def cell_rect(self, channel: int) -> QRect:
        """Return where a channel stands in the viewport; empty if it is not shown."""
        if self._cells.shown is None or channel not in self._cells.shown:
            return QRect()
        return self._place(int((self._cells.shown == channel).argmax()))

    def point_again(self) -> None:
        """Say once more, a moment later, what lies under a mouse that rests here."""
        if self._mouse is not None:
            self._again.start()

    def _update(self) -> None:
        super()._update()
        self.point_again()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            self._mouse = event.position().toPoint()
            self._again.stop()
            self.hovered.emit(self.hit(self._mouse))

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
            self._mouse = None
            self._again.stop()
            self.hovered.emit(None)
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None or self._cells.shown is None:
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
        elif key == Qt.Key.Key_Space and self._cells.selected is not None:
            self.pin_toggled.emit(self._cells.selected)
        elif event.text() in ("+", "="):
            self.zoom_in()
        elif event.text() == "-":
            self.zoom_out()
        elif event.text() == "0":
            self.fit()
        else:
            event.ignore()

    def _move(self, step: int) -> None:
        shown, selected = self._cells.shown, self._cells.selected
        assert shown is not None
        here = int((shown == selected).argmax()) if selected is not None else 0
        channel = int(shown[max(0, min(self._layout.count - 1, here + step))])
        self.set_selected(channel)
        self._scroll_to(self.cell_rect(channel))
        self.channel_clicked.emit(channel)

    # ---- Qt ----

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._cells.forget_labels()
            self._value_px = self._cells.value_width(self.fontMetrics())
            self._relayout()

    def _describe(self) -> None:
        """Say in words what is selected, for screen readers."""
        stats, at = self._stats, self._cells.selected
        if stats is None or at is None or at >= len(stats.min):
            self.setAccessibleDescription(self._waiting if stats is None else "")
            return
        text = _tr("channel {0} of {1}, mean {2:.3g}, maximum {3:.3g}")
        self.setAccessibleDescription(text.format(at, len(stats.min), stats.mean[at], stats.max[at]))


def _shape(activation: Activation) -> tuple[int, int, int]:
    count, height, width = activation.maps.shape
    return count, height, width


def _around(inner: QRect, outer: QRect) -> tuple[QRect, QRect, QRect]:
    """Return what a grid leaves of the view: left of it, right of it, and below it."""
    height = outer.height()
    left = QRect(0, 0, inner.left(), height)
    right = QRect(inner.right() + 1, 0, outer.width() - inner.right() - 1, height)
    return left, right, QRect(inner.left(), inner.bottom() + 1, inner.width(), height - inner.bottom() - 1)
