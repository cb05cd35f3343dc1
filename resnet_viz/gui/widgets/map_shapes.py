"""The network map's shapes as Qt paths, and everything that decides its colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QColor, QFont, QImage, QPainterPath, QPolygonF

from resnet_viz.gui.theme import Theme

from .color_scale import RGB, ColorScale
from .map_geometry import Arc, Column, Rect

RADIUS = 6.0
ARCH = 0.72
"""How square the arch is: 0.55 is an ellipse, 1 a rectangle with round corners."""


def rgb_of(color: str) -> RGB:
    """Return a theme colour as three numbers."""
    value = QColor(color)
    return value.red(), value.green(), value.blue()


def qrect(rect: Rect, grow: float = 0.0) -> QRectF:
    """Return a Qt rectangle, ``grow`` larger on every side."""
    return QRectF(rect.x - grow, rect.y - grow, rect.w + 2 * grow, rect.h + 2 * grow)


def arc_path(arc: Arc, gap: float = 0.0) -> QPainterPath:
    """Return the line of a skip connection, ending ``gap`` above the trunk."""
    middle = (arc.start + arc.end) / 2
    rise = ARCH * (arc.spring - arc.top)
    path = QPainterPath(QPointF(arc.start, arc.base))
    path.lineTo(arc.start, arc.spring)
    path.cubicTo(arc.start, arc.spring - rise, middle + (arc.start - middle) * (1 - ARCH), arc.top, middle, arc.top)
    path.cubicTo(middle + (arc.end - middle) * (1 - ARCH), arc.top, arc.end, arc.spring - rise, arc.end, arc.spring)
    path.lineTo(arc.end, arc.base - gap)
    return path


def body_path(column: Column, grow: float = 0.0) -> QPainterPath:
    """Return the outline of a block's body."""
    path = QPainterPath()
    rect = qrect(column.body, grow)
    if column.shape == "funnel" and column.before is not None:
        tall = column.before / 2 + grow
        low = rect.height() / 2
        y = rect.center().y()
        at_left, at_right = (tall, low) if not column.mirrored else (low, tall)
        path.addPolygon(
            QPolygonF(
                [
                    QPointF(rect.left(), y - at_left),
                    QPointF(rect.right(), y - at_right),
                    QPointF(rect.right(), y + at_right),
                    QPointF(rect.left(), y + at_left),
                ]
            )
        )
        path.closeSubpath()
        return path
    radius = min(RADIUS, 0.3 * min(rect.width(), rect.height())) + grow
    if column.shape == "capsule":
        radius = min(rect.width(), rect.height()) / 2
    path.addRoundedRect(rect, radius, radius)
    return path


@dataclass(frozen=True)
class Look:
    """Everything that decides colours and texts.

    Attributes:
        theme: the colours in use.
        font: the small font.
        scale: how values become colours, None without values.
        values: by block or layer name.
        cut, deleted: names of blocks.
        source: the input picture, None for a symbol.
        focused: columns whose label is drawn strongly.
    """

    theme: Theme
    font: QFont
    scale: ColorScale | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    cut: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    source: QImage | None = None
    focused: frozenset[int] = frozenset()
