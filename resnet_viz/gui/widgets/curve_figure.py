"""A plan drawn: on the screen, or into a PNG, SVG or PDF file, by the same strokes.

Painted by Qt: a drawing takes a few milliseconds. (Matplotlib's took 20 to 80 on the same
curves, and its cyclic garbage cost a collection of 100 ms every few seconds.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QMarginsF, QPointF, QRect, QRectF, QSize, QSizeF, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QImage,
    QPageSize,
    QPainter,
    QPdfWriter,
    QPen,
    QPolygonF,
)

from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path
from resnet_viz.core.types import F32
from resnet_viz.gui.theme import Theme

from .curve_axes import Axis, linear_ticks, log_ticks, plain_number, power, vertical_range
from .curve_plan import Line, Plan

FORMATS = (".png", ".svg", ".pdf")
KEY_PX = 20


@dataclass(frozen=True, slots=True)
class Look:
    """Size, text size and colours; all in logical pixels, ``ratio`` device pixels to one of them."""

    width_px: int
    height_px: int
    font_px: int
    theme: Theme
    ratio: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What is needed to point at a drawing.

    Attributes:
        area: of the curves, in logical pixels.
        points: for each line of the plan (N, 2) x and y in logical pixels, NaN where nothing is.
    """

    plan: Plan
    look: Look
    area: QRectF
    points: tuple[F32, ...]


def draw(plan: Plan, look: Look) -> tuple[Drawn, QImage]:
    """Draw a plan as a picture."""
    size = QSize(max(1, round(look.width_px * look.ratio)), max(1, round(look.height_px * look.ratio)))
    image = QImage(size, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(look.ratio)
    painter = QPainter(image)
    try:
        return paint(painter, plan, look), image
    finally:
        painter.end()


def write(plan: Plan, look: Look, path: Path) -> None:
    """Save a plan; the file's ending says how: PNG (at twice the size), SVG or PDF.

    Raises:
        OutputError: if the ending is another one or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise OutputError(f"A chart cannot be saved as '{path.name}'. Choose a name ending in .png, .svg or .pdf.")
    with atomic_path(path) as temporary:
        if ending == ".png":
            _, image = draw(plan, Look(look.width_px, look.height_px, look.font_px, look.theme, 2.0))
            done = image.save(str(temporary), "PNG")
        elif ending == ".svg":
            done = _write_svg(plan, look, temporary)
        else:
            done = _write_pdf(plan, look, temporary)
        if not done:
            raise OutputError(f"{path} cannot be written. Choose another folder or free some space.")


def _write_svg(plan: Plan, look: Look, path: Path) -> bool:
    from PyQt6.QtSvg import QSvgGenerator  # only here: it need not be loaded to look at curves

    device = QSvgGenerator()
    device.setFileName(str(path))
    device.setSize(QSize(look.width_px, look.height_px))
    device.setResolution(96)  # so that its millimetres are as many pixels
    device.setViewBox(QRect(0, 0, look.width_px, look.height_px))
    device.setTitle(plan.y_label)
    painter = QPainter()
    if not painter.begin(device):
        return False
    paint(painter, plan, look)
    return painter.end()


def _write_pdf(plan: Plan, look: Look, path: Path) -> bool:
    device = QPdfWriter(str(path))
    device.setResolution(72)  # a logical pixel is a point
    device.setPageSize(QPageSize(QSizeF(look.width_px, look.height_px), QPageSize.Unit.Point))
    device.setPageMargins(QMarginsF(0, 0, 0, 0))
    device.setTitle(plan.y_label)
    painter = QPainter()
    if not painter.begin(device):
        return False
    paint(painter, plan, look)
    return painter.end()


def paint(painter: QPainter, plan: Plan, look: Look) -> Drawn:
    """Paint a plan at the origin of a painter."""
    theme, px = look.theme, look.font_px
    font = QFont(QGuiApplication.font())
    font.setPixelSize(px)
    painter.setFont(font)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRectF(0, 0, look.width_px, look.height_px), QColor(theme.window))
    metrics = QFontMetricsF(font, painter.device()) if painter.device() is not None else QFontMetricsF(font)
    low, high = vertical_range(plan)
    top = _legend(painter, plan, look, metrics)
    bottom = look.height_px - 2.4 * metrics.height()
    rows = max(2, int((bottom - top) / (2.2 * metrics.height())))
    ticks = log_ticks(low, high, rows) if plan.log else linear_ticks(low, high, min(8, rows))
    texts = [power(value) if plan.log else plain_number(value) for value in ticks]
    left = max((metrics.horizontalAdvance(text) for text in texts), default=0) + 14
    area = QRectF(left, top, max(20.0, look.width_px - left - 14), max(20.0, bottom - top))
    vertical = Axis(low, high, area.bottom(), area.top(), plan.log)
    last = max((float(np.nanmax(line.x)) for line in plan.lines), default=1.0)
    first, last = plan.x_range or (0.0, last * 1.01 or 1.0)
    horizontal = Axis(first, last, area.left(), area.right())
    right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    for y, text in zip(vertical.pixels(np.array(ticks)), texts, strict=True):
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(0, y - metrics.height() / 2, left - 8, metrics.height()), right, text)
    _horizontal(painter, plan, look, area, horizontal)
    painter.save()
    painter.setClipRect(area.adjusted(-4, -4, 4, 4))
    for band in plan.bands:
        _band(painter, horizontal.pixels(band.x), vertical.pixels(band.low), vertical.pixels(band.high), band.colour)
    points = []
    for line in plan.lines:
        spots = np.column_stack([horizontal.pixels(line.x), vertical.pixels(line.y)])
        _line(painter, line, spots)
        if line.marked:
            spots = _marks(painter, plan, line, spots, area)
        points.append(spots.astype(np.float32))
    if plan.cursor is not None:
        x = float(horizontal.pixels(np.array([plan.cursor]))[0])
        painter.setPen(QPen(QColor(theme.text), 1.2))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    painter.restore()
    _references(painter, plan, look, area, vertical)
    return Drawn(plan, look, area, tuple(points))


def _horizontal(painter: QPainter, plan: Plan, look: Look, area: QRectF, axis: Axis) -> None:
    metrics = painter.fontMetrics()
    painter.setPen(QPen(QColor(look.theme.line), 1))
    painter.drawLine(area.bottomLeft(), area.bottomRight())
    painter.setPen(QColor(look.theme.muted))
    centre = int(Qt.AlignmentFlag.AlignHCenter)
    for value, text in _x_ticks(plan, axis, area, metrics.horizontalAdvance):
        x = float(axis.pixels(np.array([value]))[0])
        painter.drawText(QRectF(x - 60, area.bottom() + 3, 120, metrics.height()), centre, text)
    row = QRectF(area.left(), area.bottom() + 3 + metrics.height(), area.width(), metrics.height())
    painter.drawText(row, int(Qt.AlignmentFlag.AlignRight), plan.x_label)


def _x_ticks(plan: Plan, axis: Axis, area: QRectF, width_px: Callable[[str], int]) -> list[tuple[float, str]]:
    """Return values and texts at the horizontal axis that do not touch each other."""
    if not plan.x_ticks:
        widest = width_px(plain_number(round(axis.high))) + 24
        whole = axis.high - axis.low >= 1  # in the first epoch only its parts can be told
        most = max(2, min(10 if whole else 5, int(area.width() / widest)))
        values = linear_ticks(axis.low, axis.high, most, whole=whole)
        return [(value, plain_number(value)) for value in values]
    chosen: list[tuple[float, str]] = []
    end = -np.inf
    last_at, last_text = plan.x_ticks[-1]
    room = float(axis.pixels(np.array([last_at]))[0]) - width_px(last_text) / 2 - 8  # the last one is always written
    for at, text in plan.x_ticks[:-1]:
        x, half = float(axis.pixels(np.array([at]))[0]), width_px(text) / 2
        if x - half > end + 8 and x + half < room:
            chosen.append((at, text))
            end = x + half
    return [*chosen, (last_at, last_text)]


def _marks(painter: QPainter, plan: Plan, line: Line, spots: np.ndarray, area: QRectF) -> np.ndarray:
    """Draw a dot at each point, and a cross at the bottom for a zero, which a log axis has no place for.

    Returns:
        Where the points lie, (N, 2), the crosses among them.
    """
    spots = spots.copy()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(line.colour))
    radius = 2.6 if len(spots) < 80 else 1.8
    for x, y in spots[np.isfinite(spots).all(axis=1)].tolist():
        painter.drawEllipse(QPointF(x, y), radius, radius)
    if plan.log:
        zero = line.y == 0
        spots[zero, 1] = area.bottom() - 6
        painter.setPen(QPen(QColor(line.colour), 1.6))
        for x, y in spots[zero].tolist():
            painter.drawLine(QPointF(x - 3.5, y - 3.5), QPointF(x + 3.5, y + 3.5))
            painter.drawLine(QPointF(x - 3.5, y + 3.5), QPointF(x + 3.5, y - 3.5))
    return spots


def _line(painter: QPainter, line: Line, spots: np.ndarray) -> None:
    colour = QColor(line.colour)
    colour.setAlphaF(line.alpha)
    pen = QPen(colour, line.width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin if len(spots) < 100 else Qt.PenJoinStyle.BevelJoin)
    if line.dash:
        pen.setDashPattern(list(line.dash))
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    for part in _parts(spots):
        if len(part) < 3:  # two epochs are points, not yet a curve
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            for x, y in part:
                painter.drawEllipse(QPointF(x, y), 1 + line.width, 1 + line.width)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in part.tolist()]))


def _parts(spots: np.ndarray) -> list[np.ndarray]:
    """Return the pieces between points that are not there."""
    there = np.isfinite(spots).all(axis=1)
    edges = np.flatnonzero(np.diff(there)) + 1
    return [piece for piece in np.split(spots, edges) if len(piece) and np.isfinite(piece[0]).all()]


def _band(painter: QPainter, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    fill = QColor(colour)
    fill.setAlphaF(0.13)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(fill)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # its edge is faint, and this is half the time
    for part in _parts(np.column_stack([x, low, high])):
        edge = np.concatenate([part[:, :2], part[::-1][:, [0, 2]]])
        painter.drawPolygon(QPolygonF([QPointF(at, y) for at, y in edge.tolist()]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _references(painter: QPainter, plan: Plan, look: Look, area: QRectF, axis: Axis) -> None:
    """Draw published values; their labels stand at the left, side by side, where error curves are still high."""
    metrics = painter.fontMetrics()
    shown = sorted((one for one in plan.references if axis.low <= one.value <= axis.high), key=lambda one: one.value)
    left = area.left() + 4
    for index, reference in enumerate(shown):
        y = float(axis.pixels(np.array([reference.value]))[0])
        pen = QPen(QColor(reference.colour), 1.2)
        pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        width = metrics.horizontalAdvance(reference.label) + 8
        below = index == 0 and len(shown) > 1 and y + metrics.height() + 2 < area.bottom()
        if left + width > area.right():
            left = area.left() + 4
        box = QRectF(left, y + 2 if below else y - metrics.height() - 2, width, metrics.height())
        ground = QColor(look.theme.window)
        ground.setAlphaF(0.75)
        painter.fillRect(box, ground)
        painter.setPen(QColor(look.theme.text))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), reference.label)
        left += width + 12


def _legend(painter: QPainter, plan: Plan, look: Look, metrics: QFontMetricsF) -> float:
    """Write the axis' title at the left and the legend at the right of it, above the curves, where it hides nothing.

    Returns:
        Where the curves may begin.
    """
    row_px, title_px = metrics.height() + 3, metrics.horizontalAdvance(plan.y_label) + 24
    rows: list[list[tuple[str, str, float, tuple[float, ...]]]] = [[]]
    used = 0.0
    for entry in plan.legend:
        need = KEY_PX + 8 + metrics.horizontalAdvance(entry[0]) + 16
        if rows[-1] and used + need > look.width_px - 16 - (title_px if len(rows) == 1 else 0):
            rows.append([])
            used = 0.0
        rows[-1].append(entry)
        used += need
    y = 2.0
    painter.setPen(QColor(look.theme.muted))
    painter.drawText(QPointF(6, y + metrics.ascent()), plan.y_label)
    for row in rows:
        x = look.width_px - 14 - sum(KEY_PX + 8 + metrics.horizontalAdvance(entry[0]) + 16 for entry in row) + 16
        for label, colour, thick, dash in row:
            pen = QPen(QColor(colour), thick)
            if dash:
                pen.setDashPattern(list(dash))
            painter.setPen(pen)
            middle = y + metrics.height() / 2
            painter.drawLine(QPointF(x, middle), QPointF(x + KEY_PX, middle))
            painter.setPen(QColor(look.theme.text))
            painter.drawText(QPointF(x + KEY_PX + 8, y + metrics.ascent()), label)
            x += KEY_PX + 8 + metrics.horizontalAdvance(label) + 16
        y += row_px
    return y + 0.5 * metrics.height()
