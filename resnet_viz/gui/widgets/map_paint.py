"""Draws the network map: takes finished geometry and finished colours, decides nothing."""

from __future__ import annotations

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from .color_scale import RGB, ink, mix
from .map_geometry import Cell, Column, MapLayout
from .map_lesions import LesionPainter
from .map_plan import Plan
from .map_shapes import Look, arc_path, body_path, qrect, rgb_of


class ScenePainter:
    """Paints one layout with one look."""

    def __init__(self, painter: QPainter, plan: Plan, layout: MapLayout, look: Look) -> None:
        self.p = painter
        self.plan = plan
        self.layout = layout
        self.look = look
        theme = look.theme
        self.window = rgb_of(theme.window)
        self.text = rgb_of(theme.text)
        self.neutral = mix(rgb_of(theme.raised), rgb_of(theme.panel), 0.15)
        self.residual = QColor(theme.residual)
        self.plain = QColor(theme.plain)
        self.trunk = QColor(*mix(rgb_of(theme.line), rgb_of(theme.muted), 0.5))
        self.lesions = LesionPainter(painter, look, plan.metrics.em, layout.trunk_y, (self.neutral, self.trunk))

    def paint(self, left: float, right: float) -> None:
        """Paint what lies between two x of the scene."""
        painter = self.p
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.look.font)
        shown = [column for column in self.layout.columns if column.slot.right >= left and column.slot.x <= right]
        self._bands(left, right)
        self._trunk()
        self._source()
        for column in shown:
            self._body(column)
        self._arcs(shown)
        for column in shown:
            for cell in column.cells:
                if cell.place == "skip":
                    self._cell(cell, self.neutral)
        self._adds([cell for column in shown for cell in column.cells if cell.place == "add"])
        self._texts(left, right)

    # ---- background ----

    def _bands(self, left: float, right: float) -> None:
        """Give each stage a band of its own behind its blocks."""
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(QColor(self.look.theme.panel))
        bottom = (self.layout.caption_y or self.layout.label_y) + self.plan.metrics.line + 2
        for group, caption in zip(self.plan.groups, self._extents(), strict=True):
            if group.stage and caption[1] >= left and caption[0] <= right:
                self.p.drawRoundedRect(QRectF(caption[0] + 1, 1, caption[1] - caption[0] - 2, bottom - 1), 6, 6)

    def _extents(self) -> list[tuple[float, float]]:
        columns = self.layout.columns
        ends = [(columns[group.first].slot, columns[group.last].slot) for group in self.plan.groups]
        return [(min(a.x, b.x), max(a.right, b.right)) for a, b in ends]

    def _trunk(self) -> None:
        if not self.layout.columns:
            return
        y = self.layout.trunk_y
        self.p.setPen(QPen(self.trunk, 1.5))
        self.p.drawLine(QLineF(self.layout.source.cx, y, self.layout.columns[-1].body.cx, y))

    def _source(self) -> None:
        rect = qrect(self.layout.source)
        clip = QPainterPath()
        clip.addRoundedRect(rect, 3, 3)
        image = self.look.source
        self.p.setPen(QPen(self.trunk, 1))
        self.p.setBrush(QColor(*self.neutral))
        self.p.drawPath(clip)
        if image is not None:
            self.p.save()
            self.p.setClipPath(clip)
            self.p.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, image.width() > rect.width())
            self.p.drawImage(rect, image)
            self.p.restore()
            return
        muted = QColor(self.look.theme.muted)
        w, h = rect.width(), rect.height()
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(muted)
        self.p.drawEllipse(QPointF(rect.left() + 0.7 * w, rect.top() + 0.3 * h), 0.09 * w, 0.09 * w)
        hills = ((0.1, 0.85), (0.36, 0.45), (0.56, 0.7), (0.68, 0.58), (0.9, 0.85))
        self.p.drawPolygon(QPolygonF([QPointF(rect.left() + a * w, rect.top() + b * h) for a, b in hills]))

    # ---- blocks ----

    def value(self, name: str, other: str = "") -> float | None:
        """Return the value of a layer or block, None if there is none."""
        values = self.look.values
        return values.get(name, values.get(other)) if other else values.get(name)

    def fill(self, value: float | None) -> RGB | None:
        """Return the colour of a value, None where it has none."""
        return self.look.scale.rgb(value) if self.look.scale is not None else None

    def _body(self, column: Column) -> None:
        block = self.plan.columns[column.index].block
        fill = self.fill(self.value(block.name, block.out)) or self.neutral
        if column.block in self.look.deleted:
            self.lesions.ghost(column, block.stage > 0, block.in_shape != block.out_shape)
            for cell in column.cells:
                if cell.place == "tail":  # what follows the addition is still computed
                    self._cell(cell, self.neutral)
            return
        if block.kind == "plain":
            self.p.setPen(QPen(self.plain, 1.4))
        else:
            self.p.setPen(QColor(*mix(fill, self.text, 0.3)))
        self.p.setBrush(QColor(*fill))
        self.p.drawPath(body_path(column))
        for cell in column.cells:
            if cell.place in ("body", "tail"):
                self._cell(cell, fill)

    def _arcs(self, columns: list[Column]) -> None:
        """Draw all skip connections, those with the same pen one after the other."""
        strokes: dict[tuple[bool, bool, bool], list[QPainterPath]] = {}
        dots: list[tuple[QPointF, bool]] = []
        for column in columns:
            arc = column.arc
            if arc is None:
                continue
            cut, strong = column.block in self.look.cut, column.block in self.look.deleted
            narrow = abs(arc.end - arc.start) < 2 * self.plan.metrics.em
            if not narrow:
                dots.append((QPointF(arc.start, arc.base), cut))
            if cut:
                self.lesions.cut(column, self.plan.columns[column.index].block.stage > 0)
                continue
            add = next((cell.rect for cell in column.cells if cell.place == "add"), None)
            path = arc_path(arc, add.h / 2 if add is not None else 0)
            strokes.setdefault((arc.skip == "A", narrow, strong), []).append(path)
            if strong:
                self.lesions.arrow(arc, self.residual)
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        for (dashed, narrow, strong), paths in strokes.items():
            pen = QPen(self.residual, (2.6 if strong else 1.6) * (0.85 if narrow else 1.0))
            if dashed:
                pen.setDashPattern([2.2, 1.6] if narrow else [4, 2.5])
            self.p.setPen(pen)
            for path in paths:  # one by one: a single path of them all takes twice as long
                self.p.drawPath(path)
        faint = QColor(self.residual)
        faint.setAlphaF(0.55)
        self.p.setPen(Qt.PenStyle.NoPen)
        for at, cut in dots:
            self.p.setBrush(faint if cut else self.residual)
            self.p.drawEllipse(at, 2.2, 2.2)

    def _adds(self, cells: list[Cell]) -> None:
        """Draw the additions: a plus in a circle."""
        circles: list[QRectF] = []
        arms: list[QLineF] = []
        for cell in cells:
            rect = qrect(cell.rect)
            value = self.fill(self.value(cell.layer))
            arm = 0.24 * rect.width()
            middle = rect.center()
            plus = [
                QLineF(middle.x() - arm, middle.y(), middle.x() + arm, middle.y()),
                QLineF(middle.x(), middle.y() - arm, middle.x(), middle.y() + arm),
            ]
            if value is None:
                circles.append(rect)
                arms += plus if arm >= 0.9 else []
                continue
            self.p.setPen(QPen(self.residual, 1.4))
            self.p.setBrush(QColor(*value))
            self.p.drawEllipse(rect)
            if arm >= 0.9:
                self.p.setPen(QPen(QColor(*ink(value)), 1.4))
                self.p.drawLines(*plus)
        self.p.setPen(QPen(self.residual, 1.4))
        self.p.setBrush(QColor(*self.window))
        for circle in circles:
            self.p.drawEllipse(circle)
        if arms:
            self.p.drawLines(*arms)

    def _cell(self, cell: Cell, body: RGB) -> None:
        own = self.fill(self.value(cell.layer))
        if own is not None:
            fill = own
        elif cell.place == "body":
            # convolutions stand out from what only rescales or clips
            fill = mix(body, ink(body), 0.24 if cell.heavy else 0.13)
        else:
            # what follows the addition puts out what the block puts out
            fill = body if cell.place == "tail" else self.neutral
        outline = self.residual if cell.place == "skip" else QColor(*mix(fill, ink(fill), 0.35))
        rect = qrect(cell.rect)
        radius = min(3.0, 0.25 * min(rect.width(), rect.height()))
        narrow = rect.width() < 5
        if cell.place == "skip":
            self.p.setPen(QPen(outline, 1.4))
        elif narrow or (own is None and cell.place == "body"):
            self.p.setPen(Qt.PenStyle.NoPen)
        else:
            self.p.setPen(QPen(outline, 1.0))
        self.p.setBrush(QColor(*fill))
        self.p.drawRoundedRect(rect, radius, radius)
        if cell.text:
            self._write(rect, cell.text, ink(fill))

    # ---- texts ----

    def _write(self, rect: QRectF, text: str, color: RGB) -> None:
        self.p.setPen(QColor(*color))
        self.p.drawText(rect.adjusted(-4, -4, 4, 4), int(Qt.AlignmentFlag.AlignCenter), text)

    def _texts(self, left: float, right: float) -> None:
        layout, line = self.layout, self.plan.metrics.line
        muted, strong = QColor(self.look.theme.muted), QColor(self.look.theme.text)
        center = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        for label in layout.labels:
            if label.right >= left - 60 and label.left <= right + 60:
                self.p.setPen(strong if label.index in self.look.focused else muted)
                self.p.drawText(QRectF(label.x - 300, layout.label_y, 600, line + 2), center, label.text)
        self.p.setPen(muted)
        source = layout.source
        self.p.drawText(QRectF(source.cx - 300, layout.label_y, 600, line + 2), center, self.plan.source_title)
        if layout.caption_y is None:
            return
        for caption in layout.captions:
            if caption.text and caption.right >= left and caption.left <= right:
                # a wide stage keeps its caption in sight while it is scrolled
                x = caption.x
                if caption.right - caption.left > right - left:
                    x = (max(left, caption.left) + min(right, caption.right)) / 2
                self.p.drawText(QRectF(x - 300, layout.caption_y, 600, line + 2), center, caption.text)
        if layout.source_caption:
            self.p.drawText(QRectF(source.cx - 300, layout.caption_y, 600, line + 2), center, layout.source_caption)
