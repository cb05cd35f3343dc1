"""Draws what was done to a net on its map: blocks that are deleted, skip connections that are cut."""

from __future__ import annotations

import math

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPolygonF

from .color_scale import RGB
from .map_geometry import Arc, Column
from .map_shapes import Look, arc_path, body_path, qrect

SCISSORS_EM = 2.6
"""Arcs at least this wide are cut by scissors, narrower ones by a cross."""
SAMPLES = 16


class LesionPainter:
    """Paints blocks that nothing flows through, and skips that carry nothing.

    Args:
        painter: where to; in the scene's pixels.
        look: colours.
        em: size of the application's font in pixels.
        trunk_y: y of the line that everything stands on.
        colors: of a block without a value, and of the trunk.
    """

    def __init__(self, painter: QPainter, look: Look, em: float, trunk_y: float, colors: tuple[RGB, QColor]) -> None:
        self.p, self.look, self.em, self.trunk_y = painter, look, em, trunk_y
        self.neutral, self.trunk = QColor(*colors[0]), colors[1]
        self.residual, self.error = QColor(look.theme.residual), QColor(look.theme.error)

    def ghost(self, column: Column, staged: bool, resized: bool) -> None:
        """Draw a deleted block: hatched, off the line; without a skip, what passes it by is drawn as well.

        Args:
            column: the block.
            staged: whether it stands on a stage's band.
            resized: whether its output has another shape than its input.
        """
        body = qrect(column.body)
        behind = QPen(QColor(self.look.theme.panel if staged else self.look.theme.window), 4)
        behind.setCapStyle(Qt.PenCapStyle.FlatCap)
        left, right = self._gap(column)
        self.p.setPen(behind)
        self.p.drawLine(QLineF(left, self.trunk_y, right, self.trunk_y))
        path = body_path(column)
        muted = QColor(self.look.theme.muted)
        pen = QPen(muted, 1.2, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([2.5, 2.5])
        faint, hatch = QColor(self.neutral), QColor(muted)
        faint.setAlphaF(0.35)
        hatch.setAlphaF(0.45)
        self.p.setPen(Qt.PenStyle.NoPen)
        for brush in (QBrush(faint), QBrush(hatch, Qt.BrushStyle.BDiagPattern)):
            self.p.setBrush(brush)
            self.p.drawPath(path)
        self.p.setPen(pen)
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        self.p.drawPath(path)
        self.cross(body.center(), max(2.2, min(6.5, 0.2 * min(body.width(), body.height()))))
        if column.arc is None:
            self._pass_by(column, resized)

    def _gap(self, column: Column) -> tuple[float, float]:
        """Return between which x nothing flows: from where the skip leaves up to the addition."""
        body = qrect(column.body)
        ends = [body.left() - 1, body.right() + 1]
        if column.arc is not None:
            add = next((cell.rect for cell in column.cells if cell.place == "add"), None)
            radius = add.w / 2 if add is not None else 0.0
            inward = radius if column.arc.end > column.arc.start else -radius
            ends += [column.arc.start, column.arc.end - inward]
        return min(ends), max(ends)

    def _pass_by(self, column: Column, resized: bool) -> None:
        """Draw how the input gets past a deleted block that has no skip of its own."""
        body = qrect(column.body)
        rise = min(1.1 * self.em, max(3.0, body.top() - 3))
        left, right = body.left() - 1, body.right() + 1
        if column.mirrored:
            left, right = right, left
        arc = Arc(left, right, self.trunk_y, body.top(), body.top() - rise, "A" if resized else "identity")
        pen = QPen(self.trunk, 2.2)
        if resized:  # what passes is thinned out and padded with zeros, as in shortcut A
            pen.setDashPattern([2.6, 1.8])
        self.p.setPen(pen)
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        self.p.drawPath(arc_path(arc))
        self.arrow(arc, self.trunk)

    def arrow(self, arc: Arc, color: QColor) -> None:
        """Draw on top of an arc in which direction the signal goes; left out where the arc is narrow."""
        wide = abs(arc.end - arc.start)
        if wide < 2.2 * self.em:
            return
        size = min(5.0, 0.07 * wide)
        forward = 1 if arc.end > arc.start else -1
        # not in the middle, where a shortcut's layers stand
        path, at = arc_path(arc), 0.66
        tip, before = path.pointAtPercent(at), path.pointAtPercent(at - 0.02)
        angle = math.atan2(tip.y() - before.y(), tip.x() - before.x())
        across = QPointF(-math.sin(angle), math.cos(angle)) * size * forward
        along = QPointF(math.cos(angle), math.sin(angle)) * size
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(color)
        self.p.drawPolygon(QPolygonF([tip + along, tip - along + across, tip - along - across]))

    def cut(self, column: Column, staged: bool) -> None:
        """Draw a skip connection that is cut: what is left of it, and the gap in between."""
        arc = column.arc
        if arc is None:
            return
        wide = abs(arc.end - arc.start)
        add = next((cell.rect for cell in column.cells if cell.place == "add"), None)
        path = arc_path(arc, add.h / 2 if add is not None else 0)
        middle = 0.74 if any(cell.place == "skip" for cell in column.cells) else 0.5
        length = path.length() or 1.0
        size = max(2.4, min(6.0, 0.11 * wide))
        half = min(0.22, 1.7 * size / length)
        faint = QColor(self.residual)
        faint.setAlphaF(0.55)
        pen = QPen(faint, 1.6 if wide >= 2 * self.em else 1.36)
        if arc.skip == "A":
            pen.setDashPattern([4, 2.5] if wide >= 2 * self.em else [2.2, 1.6])
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        self.p.setPen(pen)
        for first, last in ((0.0, middle - half), (middle + half, 1.0)):
            self.p.drawPath(_part(path, first, last))
        at = path.pointAtPercent(middle)
        if wide < SCISSORS_EM * self.em:
            self.p.setPen(Qt.PenStyle.NoPen)
            self.p.setBrush(QColor(self.look.theme.panel if staged else self.look.theme.window))
            self.p.drawEllipse(at, 1.8 * size, 1.8 * size)
            self.cross(at, size)
            return
        end = QPen(self.error, 2.0)
        end.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.p.setPen(end)
        for place in (middle - half, middle + half):
            here, near = path.pointAtPercent(place), path.pointAtPercent(min(1.0, place + 0.01))
            angle = math.atan2(near.y() - here.y(), near.x() - here.x())
            across = QPointF(-math.sin(angle), math.cos(angle)) * 0.7 * size
            self.p.drawLine(here - across, here + across)
        self._scissors(at, size)

    def _scissors(self, at: QPointF, size: float) -> None:
        """Draw a pair of scissors that cuts upwards, two ``size`` high."""
        pen = QPen(self.error, 1.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.p.setPen(pen)
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        ring = 0.3 * size
        for side in (-1, 1):
            handle = QPointF(at.x() + side * 0.42 * size, at.y() + 0.72 * size)
            self.p.drawEllipse(handle, ring, ring)
            start = QPointF(handle.x() - side * 0.1 * size, handle.y() - ring)
            self.p.drawLine(start, QPointF(at.x() - side * 0.42 * size, at.y() - size))

    def cross(self, at: QPointF, size: float) -> None:
        """Draw a cross in the colour of errors, two ``size`` wide."""
        pen = QPen(self.error, max(1.6, min(2.4, 0.45 * size)))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.p.setPen(pen)
        box = QRectF(at.x() - size, at.y() - size, 2 * size, 2 * size)
        self.p.drawLine(QLineF(box.topLeft(), box.bottomRight()))
        self.p.drawLine(QLineF(box.bottomLeft(), box.topRight()))


def _part(path: QPainterPath, first: float, last: float) -> QPainterPath:
    """Return a piece of a path between two shares of its length, 0-1."""
    made = QPainterPath(path.pointAtPercent(first))
    for step in range(1, SAMPLES + 1):
        made.lineTo(path.pointAtPercent(min(1.0, first + (last - first) * step / SAMPLES)))
    return made
