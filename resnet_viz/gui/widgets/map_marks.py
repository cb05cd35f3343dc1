"""Draws what is chosen and pointed at over the finished network map."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QBrush, QColor, QPainter, QPen

from .map_geometry import Cell, Column, MapLayout
from .map_plan import Plan
from .map_shapes import Look, arc_path, body_path, qrect


@dataclass(frozen=True)
class Marks:
    """What is chosen and pointed at: drawn over the finished scene.

    Attributes:
        layer: the selected layer's name, or None.
        columns: columns of the selected layer (several for a stage).
        hover: column and layer under the mouse, or None.
        cursor: column and layer of the keyboard, None without the focus.
        arc: column whose arc is under the mouse, or None.
    """

    layer: str | None = None
    columns: tuple[int, ...] = ()
    hover: tuple[int, str] | None = None
    cursor: tuple[int, str] | None = None
    arc: int | None = None


def paint_marks(painter: QPainter, plan: Plan, layout: MapLayout, look: Look, marks: Marks) -> None:
    """Outline the selected block and layer, what is hovered, and the keyboard's place."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    text, window = QColor(look.theme.text), QColor(look.theme.window)
    if marks.arc is not None:
        pointed = layout.columns[marks.arc]
        if pointed.arc is not None:
            pen = QPen(QColor(look.theme.residual), 3.2)
            if pointed.block in look.cut:  # how it would be mended, without hiding that it is cut
                pen = QPen(QColor(look.theme.residual), 1.2, Qt.PenStyle.DotLine)
            painter.setPen(pen)
            painter.drawPath(arc_path(pointed.arc))
    for index in marks.columns:
        column = layout.columns[index]
        path = body_path(column, 2.0)
        cell = _find(column, marks.layer)
        whole = cell is None or marks.layer == plan.columns[index].block.out
        painter.setPen(QPen(text, 2.0 if whole else 1.2))
        painter.drawPath(path)
        if cell is not None:
            _ring(painter, cell, text, window, 2.0)
    if marks.hover is not None:
        column = layout.columns[marks.hover[0]]
        cell = _find(column, marks.hover[1])
        faint = QColor(text)
        faint.setAlphaF(0.75)
        if cell is not None:
            _ring(painter, cell, faint, window, 1.4)
        elif marks.arc is None:
            painter.setPen(QPen(faint, 1.2))
            painter.drawPath(body_path(column, 1.2))
    if marks.cursor is not None:
        column = layout.columns[marks.cursor[0]]
        cell = _find(column, marks.cursor[1])
        pen = QPen(QColor(look.theme.accent), 2.0)
        painter.setPen(pen)
        if cell is not None:
            painter.drawRoundedRect(qrect(cell.rect, 3.5), 4, 4)
        else:
            painter.drawPath(body_path(column, 4.5))


def _find(column: Column, layer: str | None) -> Cell | None:
    return next((cell for cell in column.cells if cell.layer == layer), None)


def _ring(painter: QPainter, cell: Cell, color: QColor, gap: QColor, width: float) -> None:
    """Outline a cell so that it shows on any colour: a line in text colour, a gap within it."""
    round_ = cell.place == "add"
    for grow, pen in ((0.2, QPen(gap, 1.6)), (1.4, QPen(color, width))):
        painter.setPen(pen)
        painter.setBrush(QBrush(Qt.BrushStyle.NoBrush))
        rect = qrect(cell.rect, grow)
        if round_:
            painter.drawEllipse(rect)
        else:
            painter.drawRoundedRect(rect, 3, 3)
