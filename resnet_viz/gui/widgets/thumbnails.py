"""A few small pictures in rows, without smoothing, each with a name under the mouse."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QRect, QSize
from PyQt6.QtGui import QHelpEvent, QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from resnet_viz.core.types import U8

from .images_qt import from_rgb

GAP_PX = 3


class Thumbnails(QWidget):
    """Pictures of one size in rows.

    Args:
        columns: pictures per row.
        tip: what they are.
    """

    def __init__(self, columns: int, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns, self._tip = columns, tip
        self._images: list[QImage] = []
        self._names: list[str] = []
        self._faded = False
        self.setAccessibleName(tip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    def set_pictures(self, pictures: U8, names: Sequence[str] = (), columns: int = 0) -> None:
        """Show pictures uint8 (N, H, W, 3), with their names and perhaps another number per row; none hides it."""
        self._columns = columns or self._columns
        self._images = [from_rgb(picture) for picture in pictures]
        self._names = list(names)
        self.setVisible(bool(self._images))
        self.updateGeometry()
        self.update()

    def set_faded(self, faded: bool) -> None:
        """Show that the pictures are about to change."""
        self._faded = faded
        self.update()

    def _rect(self, index: int) -> QRect:
        side = self._side()
        row, column = divmod(index, self._columns)
        return QRect(column * (side + GAP_PX), row * (side + GAP_PX), side, side)

    def _side(self) -> int:
        return max(8, (self.width() - (self._columns - 1) * GAP_PX) // self._columns)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        side = max(8, (width - (self._columns - 1) * GAP_PX) // self._columns)
        rows = -(-len(self._images) // self._columns)
        return max(1, rows * (side + GAP_PX) - GAP_PX)

    def sizeHint(self) -> QSize:
        return QSize(260, self.heightForWidth(max(self.width(), 100)))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.heightForWidth(max(self.width(), 100)))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setOpacity(0.4 if self._faded else 1.0)
        # small pictures keep their pixels, larger ones are shrunk smoothly
        side = self._side()
        for index, image in enumerate(self._images):
            smooth = image.width() > side
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            painter.drawImage(self._rect(index), image)

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            for index, name in enumerate(self._names):
                if self._rect(index).contains(event.pos()):
                    QToolTip.showText(event.globalPos(), name, self)
                    return True
            QToolTip.showText(event.globalPos(), self._tip, self)
            return True
        return super().event(event)
