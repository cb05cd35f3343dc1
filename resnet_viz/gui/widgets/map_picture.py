"""The network map as a picture: on screen, as an image, as a drawing."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPaintEvent, QPixmap

from resnet_viz.core.errors import OutputError

from .map_canvas import MapCanvas
from .map_layout import content_width, make_layout
from .map_legend import legend_height, paint_legend
from .map_marks import Marks, paint_marks
from .map_paint import ScenePainter
from .map_shapes import Look
from .map_text import tr

EXPORT_MIN_PX = 960


class MapPicture(MapCanvas):
    """Paints what ``MapCanvas`` holds: the scene once, then only what is chosen and pointed at."""

    # ---- painting ----

    def marks(self) -> Marks:
        """Return what is outlined."""
        return Marks(self._selected, self._columns)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        look = self.look()
        painter.fillRect(self.rect(), QColor(look.theme.window))
        layout, plan = self.map_layout(), self.plan()
        if layout is None or plan is None:
            painter.setPen(QColor(look.theme.muted))
            text = tr("Open a net to see its map") if self._card is None else tr("This net has no blocks to draw")
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), text)
            return
        view = self._view()
        ratio = self.devicePixelRatioF()
        size = QSize(round(view.width() * ratio), round(view.height() * ratio))
        if self._scene is None or self._scene.size() != size:
            self._scene = QPixmap(size)
            self._scene.setDevicePixelRatio(ratio)
            self._scene.fill(QColor(look.theme.window))
            inner = QPainter(self._scene)
            inner.translate(-self.offset(), 0)
            ScenePainter(inner, plan, layout, look).paint(self.offset(), self.offset() + view.width())
            inner.end()
        painter.drawPixmap(view.topLeft(), self._scene)
        painter.save()
        painter.setClipRect(view)
        painter.translate(view.x() - self.offset(), view.y())
        paint_marks(painter, plan, layout, look, self.marks())
        painter.restore()
        self._paint_rest(painter, look, QRectF(self.rect()), self.pointed_value())

    def pointed_value(self) -> float | None:
        """Return the value to be marked on the colour bar."""
        return self.value_of(self._selected) if self._selected else None

    def _paint_rest(self, painter: QPainter, look: Look, area: QRectF, value: float | None) -> None:
        """Paint the caption and the legend."""
        em = self._em()
        painter.setFont(look.font)
        if self._caption:
            font = QFont(look.font)
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(QColor(look.theme.text))
            line = QRectF(area.x() + 0.6 * em, area.y() + 0.2 * em, area.width() - 1.2 * em, self._header_px())
            align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading
            painter.drawText(line, int(align), self._caption)
        legend = self._legend_px()
        if not legend:
            return
        kinds, line_px = self._legend_kinds(), QFontMetricsF(look.font).height()
        tall = legend_height(line_px, kinds, look.scale is not None)
        room = area.height() - self._header_px()
        top = area.y() + self._header_px() + max(3.0, (room - tall) / 2)
        left = area.x() + 0.8 * em if self._mirrored() else area.right() - legend + 0.8 * em
        box = QRectF(left, top, legend - 1.6 * em, area.bottom() - top - 2)
        paint_legend(painter, box, look, kinds, self._legend_title(), value)

    # ---- export ----

    def _paint_export(self, painter: QPainter, width: float, height: float) -> None:
        plan = self.plan()
        look = self.look()
        painter.fillRect(QRectF(0, 0, width, height), QColor(look.theme.window))
        if plan is None:
            return
        head, legend = self._header_px(), self._legend_px()
        room = width - legend
        layout = make_layout(plan, room, height - head, focus=self._export_focus(), mirrored=self._mirrored())
        painter.save()
        painter.translate(legend if self._mirrored() else 0, head)
        ScenePainter(painter, plan, layout, look).paint(0, layout.width)
        paint_marks(painter, plan, layout, look, Marks(self._selected, self._columns))
        painter.restore()
        self._paint_rest(painter, look, QRectF(0, 0, width, height), self.pointed_value())

    def _export_focus(self) -> dict[int, float]:
        return {index: 1.0 for index in self._columns} if len(self._columns) == 1 else {}

    def _export_size(self) -> tuple[int, int]:
        """Return the size in which everything has room, also a net that scrolls on screen."""
        plan = self.plan()
        whole = content_width(plan, 1.0) + self._legend_px() if plan is not None else 0.0
        return max(EXPORT_MIN_PX, self.width(), round(whole)), self.sizeHint().height()

    def to_image(self, width: int) -> QImage:
        """Return the whole map as a picture ``width`` pixels wide, texts scaled with it."""
        logical, height = self._export_size()
        ratio = max(1, width) / logical
        image = QImage(max(1, width), max(1, round(height * ratio)), QImage.Format.Format_RGB32)
        painter = QPainter(image)
        painter.scale(ratio, ratio)
        self._paint_export(painter, logical, height)
        painter.end()
        return image

    def to_svg(self, path: str) -> None:
        """Write the whole map as a drawing.

        Raises:
            OutputError: if the file cannot be written.
        """
        from PyQt6.QtSvg import QSvgGenerator

        width, height = self._export_size()
        generator = QSvgGenerator()
        generator.setFileName(path)
        generator.setSize(QSize(width, height))
        generator.setViewBox(QRect(0, 0, width, height))
        generator.setTitle(self._card.title if self._card is not None else "")
        generator.setDescription(self._title)
        painter = QPainter()
        if not painter.begin(generator):
            raise OutputError(f"{path} cannot be written. Choose another folder or free some space.")
        self._paint_export(painter, width, height)
        painter.end()
