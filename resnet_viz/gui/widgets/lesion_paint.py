"""Draws the chart of lesions: takes finished places and finished heights, decides nothing."""

from __future__ import annotations

import math
from typing import Literal

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPen

from resnet_viz.gui.theme import Theme

from .color_scale import format_value
from .lesion_plan import LesionChart, Places, axis_ticks, axis_top, ratio_top, thinned
from .map_geometry import Rect

DOT_PX = 3.0
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
CENTER = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter)


class LesionBarsPainter:
    """Paints one chart.

    Args:
        painter: where to.
        chart: what is shown.
        places: where it lies.
        font: of all texts.
        theme: colours.
        top: where the axis of errors ends at this moment, 0-1.
        words: short and long names of the whole net and of the one on the map.
    """

    def __init__(
        self,
        painter: QPainter,
        chart: LesionChart,
        places: Places,
        font: QFont,
        theme: Theme,
        top: float,
        words: tuple[str, str, str, str],
    ) -> None:
        self.p, self.chart, self.places, self.theme, self.top_error = painter, chart, places, theme, top
        self.words = words
        painter.setFont(font)
        self.metrics = QFontMetricsF(font)
        self.color = QColor(theme.plain if chart.plain else theme.residual)
        self.error = QColor(theme.error)

    def _y(self, error: float) -> float:
        plot = self.places.plot
        return plot.bottom - min(1.0, error / self.top_error) * plot.h

    def _text(self, rect: QRectF, flags: int, text: str, color: str) -> None:
        self.p.setPen(QColor(color))
        self.p.drawText(rect, flags, text)

    # ---- what lies behind ----

    def ground(self) -> None:
        """Draw the stages' bands, the grid and the numbers of the axis of errors."""
        plot, line = self.places.plot, self.metrics.height()
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(QColor(self.theme.panel))
        bottom = self.places.label_y - 2
        for left, right in self._bands():
            self.p.drawRoundedRect(QRectF(left + 1, plot.y - 4, right - left - 2, bottom - plot.y + 4), 5, 5)
        ticks = axis_ticks(axis_top(self.chart))
        stride = next((k for k in (1, 2) if k * plot.h >= 1.15 * line * (len(ticks) - 1)), len(ticks) - 1)
        for tick in ticks[::stride]:
            y = self._y(tick)
            if tick > self.top_error * 1.001:
                continue
            self.p.setPen(QPen(QColor(self.theme.line), 1))
            self.p.drawLine(QLineF(plot.x, y, plot.right, y))
            label = QRectF(0, y - line / 2, plot.x - 6, line)
            self._text(label, RIGHT, f"{100 * tick:g}", self.theme.muted)

    def _bands(self) -> list[tuple[float, float]]:
        """Return left and right edge of each stage."""
        found: list[tuple[float, float]] = []
        last = 0
        for bar, (left, wide) in zip(self.chart.bars, self.places.slots, strict=True):
            if bar.stage and bar.stage == last:
                found[-1] = (found[-1][0], left + wide)
            elif bar.stage:
                found.append((left, left + wide))
            last = bar.stage
        return found

    # ---- bars ----

    def end(self, rect: QRectF, slot: tuple[float, float], which: Literal["whole", "now"]) -> None:
        """Draw the bar of the net itself: grey the whole one, hatched the one on the map."""
        label = QRectF(slot[0] - 20, self.places.label_y, slot[1] + 40, self.metrics.height())
        text = self.words[0] if which == "whole" else self.words[1]
        self._text(label, CENTER, text, self.theme.muted if which == "whole" else self.theme.text)
        if rect.isEmpty():
            return
        radius = min(2.5, rect.width() / 3)
        if which == "whole":
            self.p.setPen(Qt.PenStyle.NoPen)
            self.p.setBrush(QColor(self.theme.muted))
            self.p.drawRoundedRect(rect, radius, radius)
        else:
            self._hatched(rect, radius)
        self._value(rect, slot, self.theme.text)

    def _hatched(self, rect: QRectF, radius: float) -> None:
        faint, hatch = QColor(self.color), QColor(self.color)
        faint.setAlphaF(0.25)
        self.p.setPen(QPen(self.color, 1.2))
        for brush in (QBrush(faint), QBrush(hatch, Qt.BrushStyle.BDiagPattern)):
            self.p.setBrush(brush)
            self.p.drawRoundedRect(rect, radius, radius)
            self.p.setPen(Qt.PenStyle.NoPen)

    def bar(self, rect: QRectF, index: int, pointed: bool) -> None:
        """Draw one bar; the one that is pointed at is brighter, with its column behind it."""
        slot, plot = self.places.slots[index], self.places.plot
        if pointed:
            behind = QColor(self.theme.text)
            behind.setAlphaF(0.07)
            bottom = self.places.strip.bottom if self.places.strip is not None else plot.bottom
            self.p.fillRect(QRectF(slot[0], plot.y - 4, slot[1], bottom - plot.y + 4), behind)
        if rect.isEmpty():
            return
        radius = min(2.5, rect.width() / 3)
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(self.color.lighter(125) if pointed else self.color)
        self.p.drawRoundedRect(rect, radius, radius)
        self._value(rect, slot, self.theme.text if pointed else self.theme.muted)

    def _value(self, rect: QRectF, slot: tuple[float, float], color: str) -> None:
        """Write a bar's error above it where its column has room."""
        error = (self.places.plot.bottom - rect.top()) / self.places.plot.h * self.top_error
        texts = (f"{100 * error:.1f}", f"{100 * error:.0f}")
        text = next((text for text in texts if self.metrics.horizontalAdvance(text) <= slot[1] - 4), "")
        if text:
            line = self.metrics.height()
            y = rect.top() - line - 1
            base = self._y(self.chart.base) if self.chart.base is not None else math.inf
            if y < base + 2 and rect.top() > base - 2:  # the line of the whole net would strike it through
                y = base - line - 1
            y = max(self.places.plot.y - 4, y)
            where = QRectF(slot[0] - 10, y, slot[1] + 20, line)
            chance = self.chart.chance
            if chance is not None and chance <= self.top_error and where.top() < self._y(chance) < where.bottom():
                wide = self.metrics.horizontalAdvance(text) + 6
                behind = QRectF(where.center().x() - wide / 2, y, wide, min(line, rect.top() - y))
                self.p.fillRect(behind, QColor(self.theme.panel))
            self._text(where, CENTER, text, color)

    def chance_line(self) -> None:
        """Draw the error of guessing, behind the bars."""
        chance, plot = self.chart.chance, self.places.plot
        if chance is not None and chance <= self.top_error:
            self.p.setPen(self._dots())
            self.p.drawLine(QLineF(plot.x, self._y(chance), plot.right, self._y(chance)))

    def _dots(self) -> QPen:
        return QPen(QColor(self.theme.muted), 1.4, Qt.PenStyle.DotLine)

    def base_line(self, base: float) -> None:
        """Draw the error of the whole net across all bars, over them."""
        plot = self.places.plot
        if math.isfinite(base):
            pen = QPen(QColor(self.theme.text), 1.3)
            pen.setDashPattern([5, 3])
            self.p.setPen(pen)
            self.p.drawLine(QLineF(plot.x, self._y(base), plot.right, self._y(base)))

    # ---- below ----

    def strip(self, at: int, words: str) -> None:
        """Draw the dots below the bars: ||F|| / ||x||, or which blocks a draw deleted.

        Args:
            at: index of the bar that is pointed at, -1 for none.
            words: what the marks of draws mean.
        """
        strip = self.places.strip
        if strip is None:
            return
        self.p.setPen(QPen(QColor(self.theme.line), 1))
        for y in (strip.y, strip.bottom):
            self.p.drawLine(QLineF(strip.x, y, strip.right, y))
        line = self.metrics.height()
        title = QRectF(strip.x + 2, strip.y - line - 2, strip.w, line)
        if self.chart.draws:
            self._text(title, LEFT, words, self.theme.muted)
            self._parts(strip, at)
            return
        changed = any(bar.now is not None for bar in self.chart.bars)
        name = "‖F‖ / ‖x‖"
        self._text(title, LEFT, name, self.theme.muted)
        if changed:
            self._key(title, strip.x + self.metrics.horizontalAdvance(name) + 16)
        top = ratio_top(self.chart)
        for value, y in ((top, strip.y), (0.0, strip.bottom)):
            label = QRectF(0, y - line / 2, strip.x - 6, line)
            self._text(label, RIGHT, format_value(value), self.theme.muted)
        for index, bar in enumerate(self.chart.bars):
            left, wide = self.places.slots[index]
            x, radius = left + wide / 2, min(DOT_PX, max(1.6, 0.32 * wide))
            if bar.now is not None and bar.whole is not None and bar.now != bar.whole:
                faint = QPen(QColor(self.theme.muted), 1)
                self.p.setPen(faint)
                self.p.drawLine(QLineF(x, self._ratio_y(strip, bar.whole, top), x, self._ratio_y(strip, bar.now, top)))
            if bar.whole is not None:
                self._dot(QPointF(x, self._ratio_y(strip, bar.whole, top)), radius, hollow=changed)
            if bar.now is not None:
                self._dot(QPointF(x, self._ratio_y(strip, bar.now, top)), radius, hollow=False)
                if math.isinf(bar.now):
                    self._text(QRectF(x - 20, strip.y, 40, line), CENTER, "∞", self.theme.text)

    def _key(self, title: QRectF, left: float) -> None:
        """Say what hollow and filled dots are, not further left than ``left``."""
        x = max(left, self.places.slots[0][0] if self.places.slots else left)
        y = title.center().y()
        for hollow, word in ((True, self.words[2]), (False, self.words[3])):
            self._dot(QPointF(x + DOT_PX, y), DOT_PX, hollow=hollow)
            wide = self.metrics.horizontalAdvance(word)
            self._text(QRectF(x + 4 * DOT_PX, title.y(), wide + 4, title.height()), LEFT, word, self.theme.muted)
            x += wide + 10 * DOT_PX

    def _ratio_y(self, strip: Rect, value: float, top: float) -> float:
        share = 1.0 if math.isinf(value) else min(1.0, value / top)
        return strip.bottom - share * strip.h

    def _dot(self, at: QPointF, radius: float, *, hollow: bool) -> None:
        self.p.setPen(QPen(self.color, 1.3) if hollow else Qt.PenStyle.NoPen)
        self.p.setBrush(QColor(self.theme.panel) if hollow else self.color)
        self.p.drawEllipse(at, radius, radius)

    def _parts(self, strip: Rect, at: int) -> None:
        self.p.setPen(Qt.PenStyle.NoPen)
        for index, bar in enumerate(self.chart.bars):
            left, wide = self.places.slots[index]
            self.p.setBrush(self.color.lighter(125) if index == at else self.color)
            for part in bar.parts:
                y = strip.y + 3 + part * (strip.h - 6)
                half = min(0.36 * wide, 14)
                self.p.drawRoundedRect(QRectF(left + wide / 2 - half, y - 1.2, 2 * half, 2.4), 1, 1)

    def labels(self, at: int) -> None:
        """Write titles of blocks, or numbers of draws, where there is room; always the one pointed at."""
        slots, y, line = self.places.slots, self.places.label_y, self.metrics.height()
        step = slots[0][1] if slots else 1.0
        chosen = thinned(self.chart, step, self.metrics.horizontalAdvance)
        changed = [index for index, bar in enumerate(self.chart.bars) if bar.changed]
        taken: list[tuple[float, float]] = []
        wanted = [index for index in (at, *changed, *chosen) if index >= 0]
        for index in dict.fromkeys(wanted):
            bar, (left, wide) = self.chart.bars[index], slots[index]
            half = self.metrics.horizontalAdvance(bar.label) / 2 + 2
            middle = left + wide / 2
            if any(middle - half < b and a < middle + half for a, b in taken):
                continue
            taken.append((middle - half, middle + half))
            color = self.theme.error if bar.changed else self.theme.text if index == at else self.theme.muted
            self._text(QRectF(middle - 40, y, 80, line), CENTER, bar.label, color)

    # ---- above ----

    def top(self, reading: str, legend: list[tuple[str, str]], unit: str) -> None:
        """Write the line above the bars: the unit, what is pointed at or else what the marks mean."""
        plot, line = self.places.plot, self.metrics.height()
        row = QRectF(5, self.places.legend_y, plot.right - 5, line)
        self._text(row, LEFT, unit, self.theme.muted)
        if reading:
            room = plot.right - self.metrics.horizontalAdvance(unit) - 12
            shown = self.metrics.elidedText(reading, Qt.TextElideMode.ElideRight, room)
            self._text(row, RIGHT, shown, self.theme.text)
            return
        x = plot.right
        for mark, text in reversed(legend):
            wide = self.metrics.horizontalAdvance(text)
            x -= wide + 2
            if x < self.metrics.horizontalAdvance(unit) + 30:
                return
            self._text(QRectF(x, row.y(), wide + 2, line), LEFT, text, self.theme.text)
            x -= 20
            y = row.center().y()
            if mark in ("line", "dots"):
                pen = QPen(QColor(self.theme.text), 1.3)
                pen.setDashPattern([3, 2])
                self.p.setPen(pen if mark == "line" else self._dots())
                self.p.drawLine(QLineF(x, y, x + 15, y))
            else:
                self._hatched(QRectF(x + 3, y - 5, 10, 10), 2)
            x -= 14

    def focus(self, rect: QRectF) -> None:
        """Outline the widget while it has the keyboard."""
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        self.p.setPen(QPen(QColor(self.theme.accent), 1))
        self.p.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
