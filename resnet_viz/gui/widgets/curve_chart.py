"""Curves of one or more runs: error, loss, learning rate and gradient norms.

A drawing takes a few milliseconds and happens at most five times a second; the readout under
the mouse is painted over the finished picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QEvent, QPointF, QSize, QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QButtonGroup, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from resnet_viz.gui import theme
from resnet_viz.training.history import RunHistory

from . import curve_figure
from .curve_canvas import CurveCanvas
from .curve_plan import KINDS, ChartOptions, Kind, Plan, kind_titles, make_plan, run_styles
from .flow_layout import FlowLayout

REDRAW_MS = 200


def _tr(text: str) -> str:
    return QCoreApplication.translate("CurveChart", text)


class CurveChart(QWidget):
    """Switches above, the chart below.

    Signals:
        kind_changed: the kind on show, when the person chose another one.
        save_requested: the person wants the chart as a file; answer with :meth:`save`.
    """

    kind_changed = pyqtSignal(str)
    save_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[RunHistory, ...] = ()
        self._options = ChartOptions()
        self._wanted = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)
        self.canvas = CurveCanvas()
        self.canvas.zoomed.connect(self._on_zoom)
        self.buttons: dict[Kind, QToolButton] = {}
        group = QButtonGroup(self)
        head = FlowLayout(spacing=8)  # large text must not make the window wider
        for kind in KINDS:
            button = QToolButton()
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, kind=kind: self._choose(kind))
            group.addButton(button)
            head.addWidget(button)
            self.buttons[kind] = button
        self.log_button, self.step_button, self.save_button = QToolButton(), QToolButton(), QToolButton()
        for button in (self.log_button, self.step_button):
            button.setCheckable(True)
        for button in (self.log_button, self.step_button, self.save_button):
            head.addWidget(button)
        self.log_button.toggled.connect(lambda on: self._set(log=on))
        self.step_button.toggled.connect(lambda on: self._set(by_step=on))
        self.save_button.clicked.connect(self.save_requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.canvas, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._retranslate()
        self._reflect()

    def set_runs(self, runs: Sequence[RunHistory]) -> None:
        """Show these runs, the first one in the plainest colour; cheap enough for every new event."""
        self._runs = tuple(runs)
        self._later()

    def runs(self) -> tuple[RunHistory, ...]:
        """Return the runs on show."""
        return self._runs

    def colours(self) -> dict[Path, str]:
        """Return the colour of each run's curve by its folder, for a table's dots."""
        styles = run_styles(self._runs, theme.current().dark)
        return {run.path: colour for run, (colour, _) in zip(self._runs, styles, strict=True)}

    def options(self) -> ChartOptions:
        """Return how they are shown."""
        return self._options

    def set_kind(self, kind: Kind) -> None:
        """Show another quantity; emits nothing."""
        if kind != self._options.kind:
            self._options = replace(self._options, kind=kind, zoom=1.0)
            self._reflect()
            self._later()

    def set_log(self, on: bool) -> None:
        """Use a logarithmic vertical axis or a linear one from zero."""
        self.log_button.setChecked(on)

    def set_by_step(self, on: bool) -> None:
        """Count steps on the horizontal axis instead of epochs."""
        self.step_button.setChecked(on)

    def save(self, path: Path) -> None:
        """Write the chart as it is on screen to a .png, .svg or .pdf file.

        Raises:
            OutputError: if the ending is another one or the file cannot be written.
        """
        curve_figure.write(self.plan(), self._look(), path)

    def plan(self) -> Plan:
        """Return what is on show as arrays and words."""
        return make_plan(self._runs, self._options, theme.current())

    def settled(self) -> bool:
        """Return whether what is on screen is up to date."""
        return not self._wanted

    def sizeHint(self) -> QSize:
        return QSize(640, 340)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 180)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        self._later()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._later()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self._wanted = False

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._later()

    def _retranslate(self) -> None:
        tips = {
            "error": _tr("Training error (thin) and validation error (bold) of each epoch"),
            "loss": _tr("Training loss (thin) and validation loss (bold); faint: the loss of single batches"),
            "learning rate": _tr("The learning rate of each step"),
            "gradients": _tr("Gradient norms of the first block (bold), the last (thin) and all between (area)"),
        }
        for kind, title in kind_titles().items():
            self.buttons[kind].setText(title)
            self.buttons[kind].setToolTip(tips[kind])
        self.log_button.setText(_tr("Log"))
        self.log_button.setToolTip(_tr("Logarithmic vertical axis: equal ratios are equally high"))
        self.step_button.setText(_tr("Steps"))
        self.step_button.setToolTip(_tr("Count optimizer steps instead of epochs"))
        self.save_button.setText(_tr("Save…"))
        self.save_button.setToolTip(_tr("Save this chart as PNG, SVG or PDF"))
        for button in (*self.buttons.values(), self.log_button, self.step_button, self.save_button):
            button.setAccessibleName(button.text())

    def _choose(self, kind: Kind) -> None:
        if kind != self._options.kind:
            self.set_kind(kind)
            self.kind_changed.emit(kind)

    def _set(self, log: bool | None = None, by_step: bool | None = None) -> None:
        options = self._options
        self._options = replace(
            options,
            log=options.log if log is None else log,
            by_step=options.by_step if by_step is None else by_step,
        )
        self._later()

    def _on_zoom(self, factor: float) -> None:
        zoom = 1.0 if factor == 0 else min(1.0, max(0.02, self._options.zoom * factor))
        if zoom != self._options.zoom:
            self._options = replace(self._options, zoom=zoom)
            self._later()

    def _reflect(self) -> None:
        self.buttons[self._options.kind].setChecked(True)
        self.log_button.setEnabled(self._options.kind != "gradients")

    def _look(self) -> curve_figure.Look:
        size = self.canvas.size()
        font_px = max(11, self.fontInfo().pixelSize() - 1)
        return curve_figure.Look(size.width(), size.height(), font_px, theme.current(), self.devicePixelRatioF())

    def _later(self) -> None:
        """Draw soon: at once after a pause, else five times a second at most."""
        if not self._runs:
            self.canvas.show_note(self.plan().note)
            self._wanted = False
            return
        if not self.isVisible():
            return
        self._wanted = True
        if not self._timer.isActive():
            self._timer.start(0)

    def _draw(self) -> None:
        if not self._wanted:
            return
        self._wanted = False
        plan = self.plan()
        if plan.note:
            self.canvas.show_note(plan.note)
        else:
            self.canvas.show_drawn(*curve_figure.draw(plan, self._look()))
        self._timer.start(REDRAW_MS)

    def point(self, line: int, index: int) -> QPointF:
        """Return where a point of a line lies on the canvas."""
        return self.canvas.spot(line, index)
