"""The legend of the network map: the colour bar with its numbers, and what the arcs mean."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPainterPath, QPen, QPolygonF

from resnet_viz.core.types import ModelCard

from .color_scale import ColorScale
from .map_shapes import Look
from .map_text import tr


def skip_kinds(card: ModelCard) -> tuple[str, ...]:
    """Return the kinds of connection that occur in a net, in the legend's order."""
    kinds = {block.skip for block in card.blocks if block.skip}
    if any(block.kind == "plain" for block in card.blocks):
        kinds.add("plain")
    return tuple(kind for kind in ("identity", "A", "B", "plain") if kind in kinds)


def kind_label(kind: str) -> str:
    """Return the legend's words for a kind of connection."""
    return {
        "identity": tr("identity skip"),
        "A": tr("A: zero-padded"),
        "B": tr("B: 1×1 conv"),
        "plain": tr("no skip (plain)"),
    }[kind]


def legend_width(metrics: QFontMetricsF, kinds: tuple[str, ...], scale: ColorScale | None, title: str) -> float:
    """Return the width that the legend needs, 0 where there is nothing to explain."""
    line = metrics.height()
    widths = [metrics.horizontalAdvance(kind_label(kind)) + 2.2 * line for kind in kinds]
    if scale is not None:
        numbers = sum(metrics.horizontalAdvance(text) for at, text in scale.ticks() if at in (0.0, 0.5, 1.0))
        widths += [metrics.horizontalAdvance(title), numbers + 2 * line, 7 * line]
    return max(widths) if widths else 0.0


def paint_legend(
    painter: QPainter,
    area: QRectF,
    look: Look,
    kinds: tuple[str, ...],
    title: str,
    value: float | None = None,
) -> None:
    """Paint the legend from the top of ``area``; lines without room are left out.

    Args:
        painter: where to.
        area: its place.
        look: colours and scale.
        kinds: connections to explain.
        title: what the colours mean.
        value: marked on the bar, None for no mark.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(look.font)
    metrics = QFontMetricsF(look.font)
    line = metrics.height()
    y = area.top()
    if look.scale is not None:
        painter.setPen(QColor(look.theme.muted))
        painter.drawText(
            QRectF(area.left(), y, area.width(), line),
            int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter),
            metrics.elidedText(title, Qt.TextElideMode.ElideRight, area.width()),
        )
        bar = QRectF(area.left(), y + line + 3, area.width(), max(7.0, 0.6 * line))
        paint_bar(painter, bar, look, value)
        y = bar.bottom() + line + 10
    for kind in kinds:
        if y + line > area.bottom() + 1:
            break
        _sample(painter, QRectF(area.left(), y, 1.7 * line, line), kind, look)
        painter.setPen(QColor(look.theme.muted))
        painter.drawText(
            QRectF(area.left() + 2.2 * line, y, area.width(), line),
            int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter),
            kind_label(kind),
        )
        y += line + 2


def legend_height(line: float, kinds: tuple[str, ...], has_scale: bool) -> float:
    """Return the height of the whole legend."""
    bar = line + 3 + max(7.0, 0.6 * line) + line + 10 if has_scale else 0.0
    return bar + len(kinds) * (line + 2)


def paint_bar(painter: QPainter, bar: QRectF, look: Look, value: float | None = None) -> None:
    """Paint a colour bar with the numbers of its ends, and of what fits between them, below it."""
    scale = look.scale
    if scale is None:
        return
    image = QImage(256, 1, QImage.Format.Format_RGB32)
    for i, (r, g, b) in enumerate(scale.colors):
        image.setPixel(i, 0, 0xFF000000 | r << 16 | g << 8 | b)
    clip = QPainterPath()
    clip.addRoundedRect(bar, 3, 3)
    painter.save()
    painter.setClipPath(clip)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(bar, image)
    painter.restore()
    painter.setPen(QPen(QColor(look.theme.line), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(clip)
    metrics = QFontMetricsF(look.font)
    muted = QColor(look.theme.muted)
    taken: list[tuple[float, float]] = []
    ticks = sorted(scale.ticks(), key=lambda tick: tick[0] not in (0.0, 1.0))
    for at, text in ticks:
        width = metrics.horizontalAdvance(text)
        x = bar.left() + at * bar.width()
        left = min(max(bar.left(), x - width / 2), bar.right() - width)
        painter.setPen(QPen(muted, 1))
        if 0 < at < 1:
            painter.drawLine(QPointF(x, bar.bottom()), QPointF(x, bar.bottom() + 3))
        if all(left > b + 10 or left + width < a - 10 for a, b in taken):
            taken.append((left, left + width))
            painter.drawText(
                QRectF(left - 20, bar.bottom() + 2, width + 40, metrics.height()),
                int(Qt.AlignmentFlag.AlignCenter),
                text,
            )
    place = scale.fraction(value) if value is not None else None
    if place is not None:
        x = bar.left() + place * bar.width()
        painter.setPen(QPen(QColor(look.theme.window), 1))
        painter.setBrush(QColor(look.theme.text))
        painter.drawPolygon(
            QPolygonF([QPointF(x - 4, bar.top() - 3), QPointF(x + 4, bar.top() - 3), QPointF(x, bar.top() + 4)])
        )


def _sample(painter: QPainter, area: QRectF, kind: str, look: Look) -> None:
    """Draw a small specimen of a connection."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if kind == "plain":
        painter.setPen(QPen(QColor(look.theme.plain), 1.4))
        painter.drawRoundedRect(area.adjusted(3, 2, -3, -2), 3, 3)
        return
    color = QColor(look.theme.residual)
    pen = QPen(color, 1.6)
    if kind == "A":
        pen.setStyle(Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([2.6, 1.8])
    painter.setPen(pen)
    top, base = area.top() + 3, area.bottom() - 2
    path = QPainterPath(QPointF(area.left() + 1, base))
    path.cubicTo(area.left() + 2, top - 2, area.right() - 2, top - 2, area.right() - 1, base)
    painter.drawPath(path)
    if kind != "identity":
        painter.setPen(QPen(color, 1.2))
        painter.setBrush(QColor(look.theme.window))
        painter.drawRoundedRect(QRectF(area.center().x() - 3, area.top() + 1, 6, 6), 1.5, 1.5)
