"""The error without each block as bars, the error of the whole net as a line, ||F|| / ||x|| below."""

from __future__ import annotations

import math

import numpy as np
from PyQt6.QtCore import (
    QAbstractAnimation,
    QCoreApplication,
    QEasingCurve,
    QEvent,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QVariantAnimation,
    pyqtSignal,
)
from PyQt6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PyQt6.QtWidgets import QApplication, QSizePolicy, QStyle, QToolTip, QWidget

from resnet_viz.core.types import F64
from resnet_viz.gui import theme

from .color_scale import format_value
from .lesion_paint import LesionBarsPainter
from .lesion_plan import LesionChart, Places, axis_top, place

GROW_MS = 180
MIN_TEXT_PX = 11


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionBars", text)


def _words() -> tuple[str, str, str, str]:
    return _tr("whole"), _tr("now"), _tr("whole net"), _tr("net on the map")


def percent(error: float) -> str:
    """Return a share for people: ``"22.4 %"``."""
    return f"{100 * error:.1f} %"


class LesionBars(QWidget):
    """The chart; the input side stands at the left.

    Arrow keys go along the bars and read them, Enter is a click.

    Signals:
        block_clicked: name of the block.
        draw_clicked: number of the draw, from 0.
    """

    block_clicked = pyqtSignal(str)
    draw_clicked = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart = LesionChart()
        self._hint = ""
        self._at = -1
        self._from: F64 = np.zeros(0)
        self._to: F64 = np.zeros(0)
        self._shown: F64 = np.zeros(0)  # top of the axis, whole net, changed net, bars
        self._growing = QVariantAnimation(self)
        self._growing.setStartValue(0.0)
        self._growing.setEndValue(1.0)
        self._growing.setDuration(GROW_MS)
        self._growing.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._growing.valueChanged.connect(self._grow)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(_tr("Error without each block"))
        self.setWhatsThis(_tr("Arrow keys read the bars, Enter does on the map what a click does."))

    # ---- what is shown ----

    def set_chart(self, chart: LesionChart) -> None:
        """Show a chart; bars move to where they belong."""
        same = [bar.key for bar in chart.bars] == [bar.key for bar in self._chart.bars]
        same = same and chart.draws == self._chart.draws
        self._chart = chart
        self._at = min(self._at, len(chart.bars) - 1) if same else -1
        none = math.nan
        errors = [none if bar.error is None else bar.error for bar in chart.bars]
        ends = [none if value is None else value for value in (chart.base, chart.now)]
        wanted = np.array([axis_top(chart), *ends, *errors])
        start = self._shown if same and len(self._shown) == len(wanted) else np.zeros(len(wanted))
        self._to = wanted
        # what was not there grows from nothing; the axis of another net is its own at once
        self._from = np.where(np.isfinite(start), start, 0.0)
        if not same or not len(self._shown):
            self._from[0] = wanted[0]
        self._growing.stop()
        style = QApplication.style()
        hint = QStyle.StyleHint.SH_Widget_Animation_Duration
        if not self.isVisible() or style is None or style.styleHint(hint) == 0:
            self._grow(1.0)
        else:
            self._grow(0.0)
            self._growing.start()
        self._describe()

    def chart(self) -> LesionChart:
        """Return what is shown."""
        return self._chart

    def set_hint(self, text: str) -> None:
        """Say what to do while no bar has a value; empty for nothing."""
        self._hint = text
        self.update()

    def finish_animation(self) -> None:
        """Go to the end of a running movement."""
        if self._growing.state() == QAbstractAnimation.State.Running:
            self._growing.stop()
            self._grow(1.0)

    def _grow(self, share: float) -> None:
        self._shown = (1 - share) * self._from + share * self._to
        self.update()

    # ---- geometry ----

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(max(MIN_TEXT_PX, round(0.88 * QFontInfo(self.font()).pixelSize())))
        return font

    def places(self) -> Places:
        """Return where everything lies, in pixels of the widget."""
        metrics = QFontMetricsF(self._small_font())
        width, height = self.width() - 6, self.height() - 4
        return place(self._chart, width, height, metrics.height(), metrics.horizontalAdvance, _words()[:2])

    def bar_rect(self, index: int) -> QRectF:
        """Return where a bar is now, empty where it has none."""
        places = self.places()
        return self._rect(places, places.slots[index], float(self._shown[3 + index]))

    def _rect(self, places: Places, slot: tuple[float, float], error: float) -> QRectF:
        if not math.isfinite(error):
            return QRectF()
        plot, gap = places.plot, min(0.5 * slot[1], max(1.0, 0.22 * slot[1]))
        tall = max(1.5, min(1.0, error / float(self._shown[0])) * plot.h)
        return QRectF(slot[0] + gap / 2, plot.bottom - tall, slot[1] - gap, tall)

    def sizeHint(self) -> QSize:
        return QSize(640, 22 * self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 11 * self.fontMetrics().height())

    # ---- reading ----

    def reading(self) -> str:
        """Return the bar under the mouse or the keys in words, empty for none."""
        if not 0 <= self._at < len(self._chart.bars):
            return ""
        bar, chart = self._chart.bars[self._at], self._chart
        name = _tr("draw {0}").format(bar.label) if chart.draws else bar.key
        parts = [name]
        if bar.error is not None:
            parts.append(_tr("error {0}").format(percent(bar.error)))
            if chart.base is not None:
                more = f"{100 * (bar.error - chart.base):+.1f}".replace("-", "−")
                parts.append(_tr("{0} points").format(more))
        if bar.whole is not None:
            parts.append(f"‖F‖/‖x‖ {format_value(bar.whole)}")
        if bar.now is not None and bar.now != bar.whole:
            parts.append(_tr("now {0}").format(format_value(bar.now)))
        return " · ".join(parts)

    def _describe(self) -> None:
        text = self.reading()
        if not text:
            known = [bar for bar in self._chart.bars if bar.error is not None]
            text = _tr("{0} bars.").format(len(known))
            if self._chart.base is not None:
                text += " " + _tr("Whole net: {0}.").format(percent(self._chart.base))
        self.setAccessibleDescription(text)

    def pointed(self) -> int:
        """Return the index of the bar that is read, -1 for none."""
        return self._at

    def _point(self, index: int) -> None:
        if index != self._at:
            self._at = index
            self._describe()
            self.update()

    # ---- mouse and keys ----

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        self._point(self.places().slot_at(event.position().x(), event.position().y()))
        self.setCursor(Qt.CursorShape.PointingHandCursor if self._at >= 0 else Qt.CursorShape.ArrowCursor)
        QToolTip.showText(event.globalPosition().toPoint(), self.reading(), self)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._point(self.places().slot_at(event.position().x(), event.position().y()))
        self._choose()

    def _choose(self) -> None:
        if self._at < 0:
            return
        if self._chart.draws:
            self.draw_clicked.emit(self._at)
        else:
            self.block_clicked.emit(self._chart.bars[self._at].key)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        last = len(self._chart.bars) - 1
        wanted = {
            Qt.Key.Key_Left: self._at - 1 if self._at >= 0 else last,
            Qt.Key.Key_Right: self._at + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if event.key() in wanted and last >= 0 and not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._point(max(0, min(last, wanted[Qt.Key(event.key())])))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._at >= 0:
            self._choose()
        else:
            event.ignore()

    def leaveEvent(self, event: QEvent | None) -> None:
        self._point(-1)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._point(-1)
        self.update()

    def hideEvent(self, event: QHideEvent | None) -> None:
        self.finish_animation()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.updateGeometry()
        self.update()

    # ---- painting ----

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not len(self._shown):
            return
        places, shown = self.places(), self._shown.tolist()
        made = LesionBarsPainter(
            painter, self._chart, places, self._small_font(), theme.current(), shown[0] or 1.0, _words()
        )
        made.ground()
        made.chance_line()
        made.end(self._rect(places, places.whole, shown[1]), places.whole, "whole")
        if places.now is not None:
            made.end(self._rect(places, places.now, shown[2]), places.now, "now")
        for index, slot in enumerate(places.slots):
            made.bar(self._rect(places, slot, shown[3 + index]), index, index == self._at)
        made.base_line(shown[1])
        made.strip(self._at, _tr("which blocks: input at the top, output at the bottom"))
        made.labels(self._at)
        made.top(self.reading(), self._legend(), _tr("error, %"))
        if self._hint and all(bar.error is None for bar in self._chart.bars):
            plot = places.plot
            left = places.slots[0][0] if places.slots else plot.x
            painter.setPen(QColor(theme.current().muted))
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(QRectF(left + 8, plot.y, plot.right - left - 16, plot.h), flags, self._hint)
        if self.hasFocus():
            made.focus(QRectF(self.rect()))

    def _legend(self) -> list[tuple[str, str]]:
        """Return what the marks mean: kind of mark and words."""
        chart, found = self._chart, []
        if chart.chance is not None and chart.chance <= axis_top(chart):
            found.append(("dots", _tr("chance {0}").format(percent(chart.chance))))
        if chart.base is not None:
            found.append(("line", _tr("whole net {0}").format(percent(chart.base))))
        if chart.now is not None:
            found.append(("hatch", _tr("net on the map {0}").format(percent(chart.now))))
        return found

    def spot_of(self, index: int) -> QPointF:
        """Return a point of the widget inside a bar's column, for whoever points at it."""
        places = self.places()
        left, wide = places.slots[index]
        return QPointF(left + wide / 2, places.plot.bottom - 3)
