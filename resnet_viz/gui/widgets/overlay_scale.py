"""The scale of a map that lies over a picture, drawn on the picture itself."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QPainter

from resnet_viz.analysis.colormap import lut32

from .color_bar import number
from .images_qt import from_words

BAR_PX, LEAST_BAR_PX, MOST_BAR_PX = 8, 24, 64
PAD_PX = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """Values of the first and the last colour of a colour map, by its id."""

    low: float
    high: float
    name: str


def paint_scale(painter: QPainter, area: QRect, scale: Scale) -> QRect:
    """Draw numbers and colours on a dark ground at the lower edge; return what they cover.

    Where ``area`` is too narrow for the colours between the numbers the numbers stand alone, and
    where it is too narrow for these, nothing is drawn.
    """
    metrics = painter.fontMetrics()
    low, high = number(scale.low), number(scale.high)
    texts = metrics.horizontalAdvance(low) + metrics.horizontalAdvance(high) + 4 * PAD_PX
    height = metrics.height() + 2
    if texts > area.width() or height > area.height():
        return QRect()
    bar_w = min(MOST_BAR_PX, area.width() - texts)
    if bar_w < LEAST_BAR_PX:
        bar_w = 0
    width = texts + bar_w
    # in the middle, for in the corners stand the handles of the crop box
    ground = QRect(area.left() + (area.width() - width) // 2, area.bottom() + 1 - height, width, height)
    painter.fillRect(ground, QColor(0, 0, 0, 170))
    painter.setPen(QColor("#ffffff"))
    inner = ground.adjusted(PAD_PX, 0, -PAD_PX, 0)
    painter.drawText(inner, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), low)
    painter.drawText(inner, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), high)
    if bar_w:
        left = inner.left() + metrics.horizontalAdvance(low) + PAD_PX
        bar = QRect(left, ground.top() + (height - BAR_PX) // 2, bar_w, BAR_PX)
        painter.drawImage(bar, from_words(lut32(scale.name)[None, :256]))
    return ground
