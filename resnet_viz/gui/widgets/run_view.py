"""The view of a table of runs, and how wide its columns are."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from resnet_viz.gui import theme

ARROW_PX = 14


def fit_widths(
    natural: Sequence[int],
    least: Sequence[int],
    shares: Sequence[int],
    shown: Sequence[int],
    drops: Sequence[int],
    room: int,
) -> dict[int, int]:
    """Return the widths of the columns that stay, by place.

    Args:
        natural: width of each column's content in pixels.
        least: how narrow each may become.
        shares: how gladly each takes room that is left over.
        shown: places of the columns that are wanted.
        drops: places that may go where the room is too small, first to go first.
        room: pixels there are.
    """
    kept = list(shown)
    for place in drops:
        if sum(least[i] for i in kept) <= room:
            break
        if place in kept:
            kept.remove(place)
    widths = {i: least[i] for i in kept}
    spare = room - sum(widths.values())
    wishes = {i: natural[i] - least[i] for i in kept}
    if spare > 0 and any(wishes.values()):
        part = min(1.0, spare / sum(wishes.values()))
        widths = {i: least[i] + int(wishes[i] * part) for i in kept}
    left, total = room - sum(widths.values()), sum(shares[i] for i in kept)
    if left > 0 and total:
        widths = {i: width + left * shares[i] // total for i, width in widths.items()}
    return widths


class RunView(QTableView):
    """The table proper.

    Attributes:
        note: what stands in its place while it has no rows.

    Signals:
        resized: the room for the columns is another.
        copied: Ctrl+C.
    """

    resized = pyqtSignal()
    copied = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.note = ""
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSortingEnabled(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        header, rows = self.header(), self.verticalHeader()
        assert rows is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._style_header()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._style_header()

    def _style_header(self) -> None:
        colours = theme.current()
        sheet = (
            f"QHeaderView {{ background: {colours.window}; border: none; }}"
            f"QHeaderView::section {{ background: {colours.window}; color: {colours.muted}; border: none; "
            f"border-bottom: 1px solid {colours.line}; padding: 5px 8px; font-weight: 600; }}"
            f"QHeaderView::section:hover {{ color: {colours.text}; }}"
        )
        if self.header().styleSheet() != sheet:  # setting it is itself a change of style
            self.header().setStyleSheet(sheet)

    def header(self) -> QHeaderView:
        """Return the headings."""
        header = self.horizontalHeader()
        assert header is not None
        return header

    def title_px(self, title: str) -> int:
        """Return how wide a heading is, with room for the sort arrow; the view says 0 of a hidden one."""
        font = self.header().font()
        font.setWeight(QFont.Weight.DemiBold)
        return QFontMetrics(font).horizontalAdvance(title) + 16 + ARROW_PX

    def surface(self) -> QWidget:
        """Return what the rows are painted on."""
        viewport = self.viewport()
        assert viewport is not None
        return viewport

    def sizeHint(self) -> QSize:
        return QSize(700, 220)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.copied.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        model = self.model()
        if model is not None and model.rowCount() == 0:
            painter = QPainter(self.surface())
            painter.setPen(QColor(theme.current().muted))
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.surface().rect().adjusted(16, 8, -16, -8), flags, self.note)
