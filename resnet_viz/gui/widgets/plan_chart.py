"""A chart of any plan: drawn at most five times a second, read by mouse and keys, saved as it is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QEvent, QSize, QTimer, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from resnet_viz.gui import theme

from . import curve_figure
from .curve_canvas import CurveCanvas
from .curve_plan import Plan

REDRAW_MS = 60


class _Canvas(CurveCanvas):
    """A canvas whose points can be chosen."""

    clicked = pyqtSignal(int, int)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        super().mousePressEvent(event)
        if self._at is not None:
            self.clicked.emit(*self._at)


class PlanChart(QWidget):
    """Shows what a function of the theme plans, again whenever size, text size or scheme change.

    Signals:
        clicked: line and index of the point that was clicked.
    """

    clicked = pyqtSignal(int, int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make: Callable[[theme.Theme], Plan] | None = None
        self._wanted = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)
        self.canvas = _Canvas()
        self.canvas.setAccessibleName(name)
        self.canvas.clicked.connect(self.clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusProxy(self.canvas)

    def show_plan(self, make: Callable[[theme.Theme], Plan]) -> None:
        """Show what ``make`` plans for the colours in use."""
        self._make = make
        self._later()

    def plan(self) -> Plan | None:
        """Return what is on show, None for nothing yet."""
        return self._make(theme.current()) if self._make is not None else None

    def settled(self) -> bool:
        """Return whether what is on screen is up to date."""
        return not self._wanted

    def save(self, path: Path) -> None:
        """Write the chart as it is on screen to a .png, .svg or .pdf file.

        Raises:
            OutputError: if the ending is another one or the file cannot be written.
        """
        plan = self.plan()
        assert plan is not None
        curve_figure.write(plan, self._look(), path)

    def sizeHint(self) -> QSize:
        return QSize(480, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 150)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self._later()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._later()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._later()

    def _look(self) -> curve_figure.Look:
        size = self.canvas.size()
        font_px = max(11, self.fontInfo().pixelSize() - 1)
        return curve_figure.Look(size.width(), size.height(), font_px, theme.current(), self.devicePixelRatioF())

    def _later(self) -> None:
        if self._make is None or not self.isVisible():
            return
        self._wanted = True
        if not self._timer.isActive():
            self._timer.start(0)

    def _draw(self) -> None:
        plan = self.plan()
        if not self._wanted or plan is None:
            return
        self._wanted = False
        if plan.note:
            self.canvas.show_note(plan.note)
        else:
            self.canvas.show_drawn(*curve_figure.draw(plan, self._look()))
        self._timer.start(REDRAW_MS)
