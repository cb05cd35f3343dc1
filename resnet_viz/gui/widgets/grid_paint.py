"""Painting the grid of feature maps: cells, numbers, pins and the selection; no events, no widget."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, QLine, QPoint, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPen, QPixmap

from resnet_viz.analysis import montage as grids
from resnet_viz.analysis.montage import GridLayout, GridOptions
from resnet_viz.analysis.numerals import number
from resnet_viz.core.types import I64, Activation, ChannelStats
from resnet_viz.gui import theme

from .images_qt import borrow_words

PINNED = "#f7c948"
MANY_CELLS = 500
MOST_ROWS = 32_000
"""Cells above which one mosaic is quicker than single pictures, and rows that an image may have."""
VALUE_STEP_PX = 12
"""What the width of cells that hold a value grows by."""

Cells = list[tuple[int, QRect]]
"""Channels and where they stand in the viewport."""

_CENTRE = Qt.AlignmentFlag.AlignCenter


def _tr(text: str) -> str:
    return QCoreApplication.translate("FeatureGrid", text)


def number_width(metrics: QFontMetrics, count: int) -> int:
    """Return how wide a cell must be for the number of any of ``count`` channels, at least of three digits."""
    return metrics.horizontalAdvance("0" * max(3, len(str(count - 1)))) + 8


class GridPainter:
    """Holds a layer's maps in colour and draws the visible ones.

    Attributes:
        shown: channel numbers in display order (C,), None while there is nothing to show.
        pinned: channels that are marked as pinned.
        selected: the outlined channel.
        texts: each channel's value in words where the maps are single values; else none.
    """

    def __init__(self) -> None:
        self.shown: I64 | None = None
        self.pinned: frozenset[int] = frozenset()
        self.selected: int | None = None
        self.texts: list[str] = []
        self._maps: Activation | None = None
        self._stats: ChannelStats | None = None
        self._coloured: grids.Words | None = None
        self._stack: QImage | None = None
        self._frame: tuple[tuple[object, ...], grids.Words, QImage] | None = None
        self._chips: dict[tuple[str, float], QPixmap] = {}
        self._places: tuple[tuple[object, ...], Cells] = ((), [])
        self._labels: tuple[tuple[object, ...], list[tuple[QPoint, QPixmap]]] = ((), [])

    # ---- what is drawn ----

    def set_maps(
        self,
        activation: Activation | None,
        stats: ChannelStats | None,
        options: GridOptions,
        words: grids.Words | None = None,
    ) -> None:
        """Take a layer's maps, and colour them unless ``words`` are their pictures already."""
        self._maps, self._stats = activation, stats
        single = activation is not None and activation.maps.shape[1:] == (1, 1)
        self.texts = [number(value) for value in activation.maps.ravel().tolist()] if activation and single else []
        if activation is None or stats is None:
            self._coloured, self._stack, self.shown = None, None, None
            self.forget_frame()
        else:
            self.set_words(grids.colour(activation.maps, stats, options) if words is None else words)

    def set_words(self, coloured: grids.Words) -> None:
        """Draw these pictures, uint32 (C, H, W), in place of the maps' own colours."""
        self._coloured, self._stack = np.ascontiguousarray(coloured), None
        count, height, width = coloured.shape
        if count * height <= MOST_ROWS:  # all below each other in one image, if Qt can address one so high
            self._stack = borrow_words(self._coloured.reshape(count * height, width))
        self.forget_frame()

    def forget_frame(self) -> None:
        """Draw the next mosaic anew: order or layout have changed."""
        self._frame = None

    def forget_labels(self) -> None:
        """Write the numbers anew: the font has changed."""
        self._chips.clear()
        self._labels = ((), [])

    def ready(self) -> bool:
        """Whether there is something to draw."""
        return self._coloured is not None and self.shown is not None

    def value_width(self, metrics: QFontMetrics) -> int:
        """Return how wide a cell must be for any value; in steps, so that other values seldom move the cells."""
        most = max(map(len, self.texts), default=0)  # measuring all 2,048 takes longer than painting them
        widest = max((metrics.horizontalAdvance(text) for text in self.texts if len(text) >= most - 1), default=0)
        return -(-(widest + 4) // VALUE_STEP_PX) * VALUE_STEP_PX

    # ---- drawing ----

    def paint(self, painter: QPainter, layout: GridLayout, rows: range, origin: QPoint, zoom: float) -> QRect:
        """Draw some rows and return what they cover.

        Args:
            painter: on the viewport.
            layout: where the cells stand.
            rows: which rows of cells.
            origin: where the grid's corner stands.
            zoom: pixels per value.
        """
        assert self.shown is not None
        colours = theme.current()
        step = layout.cell_h + layout.gap
        size = QSize(layout.width, len(rows) * step + layout.gap)
        target = QRect(origin + QPoint(0, rows.start * step), size)
        cells = self._cells(layout, rows, origin)
        if self._stack is not None and len(rows) * layout.columns <= MANY_CELLS and zoom >= 0.5:
            painter.fillRect(target, QColor(colours.grid))
            # down to half its size, interpolating sees every value; below that areas must be averaged
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom < 1)
            self._paint_cells(painter, cells)
        else:
            background = 0xFF000000 | int(colours.grid[1:], 16)
            painter.drawImage(target, self._mosaic(layout, rows, background, painter.device().devicePixelRatioF()))  # type: ignore[union-attr]
        self._paint_labels(painter, layout, cells)
        self._paint_marks(painter, cells)
        return target

    def _cells(self, layout: GridLayout, rows: range, origin: QPoint) -> Cells:
        """Return the visible channels and where they stand; kept, as layers of one shape share them."""
        assert self.shown is not None
        first, last = rows.start * layout.columns, min(rows.stop * layout.columns, layout.count)
        shown = self.shown[first:last]
        key = (layout, first, last, origin.x(), origin.y(), shown.tobytes())
        if self._places[0] != key:
            places = [layout.cell(position) for position in range(first, last)]
            cells = [
                (channel, QRect(origin.x() + x, origin.y() + y, layout.cell_w, layout.cell_h))
                for channel, (x, y) in zip(shown.tolist(), places, strict=True)
            ]
            self._places = (key, cells)
        return self._places[1]

    def _paint_cells(self, painter: QPainter, cells: Cells) -> None:
        """Draw each visible map straight from the stack of all: the quickest way while there are few."""
        assert self._stack is not None and self._coloured is not None
        _, height, width = self._coloured.shape
        stack, draw = self._stack, painter.drawImage
        for channel, cell in cells:
            draw(cell, stack, QRect(0, channel * height, width, height))

    def _mosaic(self, layout: GridLayout, rows: range, background: int, ratio: float) -> QImage:
        """Return some rows as one picture at the screen's real resolution; the last one is kept."""
        assert self._coloured is not None and self.shown is not None
        key = (layout, rows.start, rows.stop, background, ratio)
        if self._frame is None or self._frame[0] != key:
            if ratio != 1.0:
                cell_w, cell_h, gap = (round(size * ratio) for size in (layout.cell_w, layout.cell_h, layout.gap))
                layout = GridLayout(layout.count, layout.columns, cell_w, cell_h, gap)
            words = grids.draw(self._coloured, self.shown, layout, rows, background)
            # the image looks at the array, which must live as long as it does
            self._frame = (key, words, borrow_words(words))
        return self._frame[2]

    def _paint_labels(self, painter: QPainter, layout: GridLayout, cells: Cells) -> None:
        """Write each channel's number, a dead one's state, and the value of maps that are single values."""
        assert self._stats is not None and self._maps is not None
        metrics = painter.fontMetrics()
        chip_h = metrics.height()
        dead = set(self._stats.dead.nonzero()[0].tolist())
        struck = (
            [QLine(cell.bottomLeft(), cell.topRight()) for channel, cell in cells if channel in dead] if dead else []
        )
        if struck:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for colour, pen_px in _STRUCK:
                painter.setPen(QPen(colour, pen_px))
                painter.drawLines(*struck)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if layout.cell_w < number_width(metrics, layout.count) or layout.cell_h < chip_h + 4:
            return
        for corner, chip in self._numbers(painter, layout, cells, dead):
            painter.drawPixmap(corner, chip)
        if self.texts and layout.cell_h > 2.2 * chip_h:
            painter.setPen(QColor("#ffffff"))
            for channel, cell in cells:
                text = self.texts[channel]
                if metrics.horizontalAdvance(text) + 2 <= cell.width():  # cut off it would be another number
                    under = QRect(cell.left(), cell.bottom() - chip_h + 1, cell.width(), chip_h)
                    painter.fillRect(under, _CHIP)
                    painter.drawText(under, int(_CENTRE), text)

    def _numbers(
        self, painter: QPainter, layout: GridLayout, cells: Cells, dead: set[int]
    ) -> list[tuple[QPoint, QPixmap]]:
        """Return each visible channel's number and where it stands; the last ones are kept."""
        metrics, word = painter.fontMetrics(), _tr("dead")
        key = (*self._places[0], frozenset(dead), painter.device().devicePixelRatioF(), word)  # type: ignore[union-attr]
        if self._labels[0] != key:
            labels = []
            for channel, cell in cells:
                text = str(channel)
                if channel in dead and layout.cell_w > metrics.horizontalAdvance(f"{text} {word}") + 8:
                    text = f"{text} {word}"
                labels.append((cell.topLeft(), self._chip(text, painter, metrics)))
            self._labels = (key, labels)
        return self._labels[1]

    def _chip(self, text: str, painter: QPainter, metrics: QFontMetrics) -> QPixmap:
        """Return a number on its dark ground, drawn once: writing it anew takes longer than drawing its map."""
        ratio = painter.device().devicePixelRatioF()  # type: ignore[union-attr]
        chip = self._chips.get((text, ratio))
        if chip is None:
            # a number is as wide as its digits at their widest, so that the chips do not vary with them
            width = metrics.horizontalAdvance("0" * len(text) if text.isdigit() else text) + 6
            chip = QPixmap(QSize(width, metrics.height()) * ratio)
            chip.setDevicePixelRatio(ratio)
            chip.fill(_CHIP)
            inner = QPainter(chip)
            inner.setFont(painter.font())
            inner.setPen(QColor("#ffffff"))
            inner.drawText(QPoint(3, metrics.ascent()), text)
            inner.end()
            self._chips[text, ratio] = chip
        return chip

    def _paint_marks(self, painter: QPainter, cells: Cells) -> None:
        """Frame what is pinned and what is selected."""
        for channel, cell in cells:
            if channel in self.pinned:
                painter.setPen(QPen(QColor(PINNED), 3))
                painter.drawRect(cell.adjusted(-1, -1, 1, 1))
                painter.setBrush(QColor(PINNED))
                painter.setPen(Qt.PenStyle.NoPen)
                painter.drawEllipse(cell.right() - 8, cell.top() + 3, 6, 6)  # not by colour alone
                painter.setBrush(Qt.BrushStyle.NoBrush)
            if channel == self.selected:
                for colour, pen_px in (("#000000", 4), ("#ffffff", 2)):
                    painter.setPen(QPen(QColor(colour), pen_px))
                    painter.drawRect(cell.adjusted(-1, -1, 1, 1))


_CHIP = QColor(0, 0, 0, 150)
_STRUCK = ((QColor(0, 0, 0, 170), 3.0), (QColor(255, 255, 255, 200), 1.2))
"""What a dead channel is struck through with: a light line in a dark one is seen on any colour."""
