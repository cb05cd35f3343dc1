"""The original picture with its crop box, and the small picture that the network sees."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from resnet_viz.core.types import U8, CropBox, ImageInput
from resnet_viz.data.images import shrink
from resnet_viz.data.transforms import clamp_box
from resnet_viz.gui import theme
from resnet_viz.session.pictures import PREVIEW_PX, Photograph

from .crop_geometry import Grip, dragged, grip_at, moved, scaled, stepped
from .images_qt import from_rgb
from .overlay_scale import Scale, paint_scale

FIELD = "#f7c948"
MOST_HEIGHT_PX = 160
CHANGES_PER_S = 30


def _tr(text: str) -> str:
    return QCoreApplication.translate("CropView", text)


class CropView(QWidget):
    """The picture with a box on it that can be dragged, resized and moved by keys.

    Signals:
        box_changed: the CropBox in pixels of the original, at most 30 times a second.
        reset_requested: a double click.
    """

    box_changed = pyqtSignal(object)
    reset_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: ImageInput | None = None
        self._small = QImage()
        self._pixmap = QPixmap()
        self._box: CropBox | None = None  # what the net gets, on whole pixels where a person drew it
        self._loose: CropBox | None = None  # where the mouse has it: small moves add up
        self._movable = True
        self._field: CropBox | None = None
        self._overlay: tuple[QImage, CropBox, CropBox, Scale] | None = None
        self._grip: Grip = ""
        self._last = QPointF()
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(1000 // CHANGES_PER_S)
        self._due.timeout.connect(self._emit)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(_tr("Picture with its crop box"))
        self.setToolTip(
            _tr(
                "Drag the box until the subject fills it. Its edges, the wheel or + − resize it, arrows move it, "
                "a double click resets it."
            )
        )

    def set_image(self, image: ImageInput | None) -> None:
        """Show another picture; a large one is painted from its preview."""
        self._image = image
        self._small = from_rgb(_preview(image)) if image is not None else QImage()
        self._pixmap = QPixmap()
        self._field = self._overlay = None
        self._due.stop()  # a box on the picture before says nothing of this one
        self._grip = ""
        self.updateGeometry()
        self.update()

    def set_box(self, box: CropBox | None, movable: bool) -> None:
        """Show the part that reaches the net; ``movable`` if dragging it makes sense."""
        self._due.stop()
        self._box = self._loose = box
        self._movable = movable
        if not movable:
            self.unsetCursor()
        self.update()

    def box(self) -> CropBox | None:
        """Return the box in pixels of the original."""
        return self._box

    def set_field(self, box: CropBox | None) -> None:
        """Draw a receptive field, in pixels of the original."""
        self._field = box
        self.update()

    def set_overlay(self, overlay: tuple[QImage, CropBox, CropBox, Scale] | None) -> None:
        """Lay a coloured map over a part of the original, with its scale at the lower edge.

        Args:
            overlay: the map, where it lies, the part that the net sees, beyond which nothing is drawn, and the scale.
        """
        self._overlay = overlay
        self.update()

    # ---- geometry ----

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        if self._image is None:
            return 120
        height, across = self._image.pixels.shape[:2]
        return int(max(60, min(MOST_HEIGHT_PX, round(width * height / across))))

    def sizeHint(self) -> QSize:
        return QSize(280, self.heightForWidth(280))

    def target(self) -> QRectF:
        """Return where the picture is drawn, with its aspect kept."""
        assert self._image is not None
        height, width = self._image.pixels.shape[:2]
        scale = min(self.width() / width, self.height() / height)
        w, h = max(1.0, width * scale), max(1.0, height * scale)  # a strip of pixels is a line, and not nothing
        return QRectF((self.width() - w) / 2, (self.height() - h) / 2, w, h)

    def _scale(self) -> float:
        """Return how many screen pixels one of the original is."""
        assert self._image is not None
        height, width = self._image.pixels.shape[:2]
        return float(min(self.width() / width, self.height() / height))

    def _to_widget(self, box: CropBox) -> QRectF:
        target, scale = self.target(), self._scale()
        left, top = target.x() + box.left * scale, target.y() + box.top * scale
        return QRectF(left, top, box.width * scale, box.height * scale)

    def _to_picture(self, at: QPointF) -> tuple[float, float, float]:
        """Return the point in pixels of the original, and how many of them one screen pixel is."""
        target, scale = self.target(), 1 / max(1e-6, self._scale())
        return (at.x() - target.x()) * scale, (at.y() - target.y()) * scale, scale

    # ---- painting ----

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self._image is None:
            return
        painter = QPainter(self)
        target = self.target()
        ratio = self.devicePixelRatioF()
        size = QSize(round(target.width() * ratio), round(target.height() * ratio))
        if self._pixmap.size() != size:
            # a picture of few pixels shows them, as the net's view beside it does
            few = size.width() >= 2 * self._small.width()
            how = Qt.TransformationMode.FastTransformation if few else Qt.TransformationMode.SmoothTransformation
            scaled_image = self._small.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, how)
            self._pixmap = QPixmap.fromImage(scaled_image)
        painter.drawPixmap(target.toRect(), self._pixmap)
        if self._box is not None:
            box = self._to_widget(self._box)
            shade = QColor(0, 0, 0, 110)
            for outside in (
                QRectF(target.left(), target.top(), target.width(), box.top() - target.top()),
                QRectF(target.left(), box.bottom(), target.width(), target.bottom() - box.bottom()),
                QRectF(target.left(), box.top(), box.left() - target.left(), box.height()),
                QRectF(box.right(), box.top(), target.right() - box.right(), box.height()),
            ):
                painter.fillRect(outside, shade)
        if self._overlay is not None:
            image, place, seen, _ = self._overlay
            painter.setOpacity(0.6)
            painter.setClipRect(self._to_widget(seen).intersected(target))
            painter.drawImage(self._to_widget(place), image)
            painter.setClipping(False)
            painter.setOpacity(1.0)
        if self._box is not None:
            self._paint_box(painter, self._to_widget(self._box))
        if self._field is not None:
            painter.setClipRect(target)
            _outline(painter, self._to_widget(self._field), FIELD)
            painter.setClipping(False)
        if self._overlay is not None:
            paint_scale(painter, target.toRect(), self._overlay[3])

    def _paint_box(self, painter: QPainter, box: QRectF) -> None:
        _outline(painter, box, theme.current().accent if self.hasFocus() else "#ffffff")
        if not self._movable:
            return
        painter.setPen(QPen(QColor(0, 0, 0, 160), 1))
        painter.setBrush(QColor("#ffffff"))
        for corner in (box.topLeft(), box.topRight(), box.bottomLeft(), box.bottomRight()):
            painter.drawRect(QRectF(corner.x() - 3.5, corner.y() - 3.5, 7, 7))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    # ---- mouse and keys ----

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or self._image is None or self._box is None or not self._movable:
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._loose = self._box
        x, y, scale = self._to_picture(event.position())
        self._grip = grip_at(self._box, x, y, 9 * scale)
        self._last = event.position()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None or self._image is None or self._box is None or not self._movable:
            return
        x, y, scale = self._to_picture(event.position())
        height, width = self._image.pixels.shape[:2]
        if not self._grip or not event.buttons() & Qt.MouseButton.LeftButton:
            self.setCursor(_CURSORS[grip_at(self._box, x, y, 9 * scale)])
            return
        assert self._loose is not None
        if self._grip == "move":
            delta = event.position() - self._last
            self._change(moved(self._loose, delta.x() * scale, delta.y() * scale, width, height))
        else:
            self._change(dragged(self._loose, self._grip, x, y, width, height))
        self._last = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        self._grip = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if self._movable and event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.reset_requested.emit()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is None:
            return
        if self._image is None or self._loose is None or not self._movable or not event.angleDelta().y():
            event.ignore()  # the column scrolls
            return
        height, width = self._image.pixels.shape[:2]
        self._change(scaled(self._loose, 1.1 ** (-event.angleDelta().y() / 120), width, height))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        if self._image is None or self._box is None or not self._movable:
            event.ignore()
            return
        self._loose = self._box
        height, width = self._image.pixels.shape[:2]
        far = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        step = max(1.0, self._box.width * (0.2 if far else 0.04))  # less would change nothing
        moves = {
            Qt.Key.Key_Left: (-step, 0.0),
            Qt.Key.Key_Right: (step, 0.0),
            Qt.Key.Key_Up: (0.0, -step),
            Qt.Key.Key_Down: (0.0, step),
        }
        key = event.key()
        if event.modifiers() & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier):
            event.ignore()
        elif key in moves:
            self._change(moved(self._box, *moves[Qt.Key(key)], width, height))
        elif event.text() in ("+", "="):
            self._change(stepped(self._box, 1.1, width, height))
        elif event.text() == "-":
            self._change(stepped(self._box, 1 / 1.1, width, height))
        else:
            event.ignore()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.update()

    def _change(self, box: CropBox) -> None:
        """Note where the box is wanted, and show the whole pixels that the net gets of it."""
        assert self._image is not None
        self._loose = box
        box = clamp_box(box, *self._image.pixels.shape[:2])
        if box != self._box:
            self._box = box
            self.update()
            if not self._due.isActive():
                self._due.start()

    def _emit(self) -> None:
        if self._box is not None:
            self.box_changed.emit(self._box)


_CURSORS: dict[Grip, Qt.CursorShape] = {
    "": Qt.CursorShape.ArrowCursor,
    "move": Qt.CursorShape.SizeAllCursor,
    "n": Qt.CursorShape.SizeVerCursor,
    "s": Qt.CursorShape.SizeVerCursor,
    "e": Qt.CursorShape.SizeHorCursor,
    "w": Qt.CursorShape.SizeHorCursor,
    "nw": Qt.CursorShape.SizeFDiagCursor,
    "se": Qt.CursorShape.SizeFDiagCursor,
    "ne": Qt.CursorShape.SizeBDiagCursor,
    "sw": Qt.CursorShape.SizeBDiagCursor,
}


def _preview(image: ImageInput) -> U8:
    """Return the whole picture, small enough to be scaled while the window waits: 24 million pixels take 0.3 s."""
    if isinstance(image, Photograph) and image.preview is not None:
        return image.preview
    return shrink(image.pixels, PREVIEW_PX)


def _outline(painter: QPainter, box: QRectF, colour: str) -> None:
    """Draw a frame that shows on any picture: a dark line around a bright one."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 4))
    painter.drawRect(box)
    painter.setPen(QPen(QColor(colour), 2))
    painter.drawRect(box)


class NetView(QWidget):
    """The picture exactly as the network sees it, in hard pixels, with a receptive field on it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._field: CropBox | None = None
        self._overlay: tuple[QImage, CropBox] | None = None
        self._stale = False
        self.setFixedSize(116, 116)
        self.setAccessibleName(_tr("The picture as the network sees it"))

    def set_pixels(self, pixels: U8 | None) -> None:
        """Show the net's input, uint8 (S, S, C)."""
        self._image = from_rgb(pixels) if pixels is not None else QImage()
        self._stale = False
        self.update()

    def set_stale(self, stale: bool) -> None:
        """Fade what is shown while the net has not seen the picture that is chosen."""
        if stale != self._stale:
            self._stale = stale
            self.update()

    def set_field(self, box: CropBox | None) -> None:
        """Draw a receptive field, in pixels of the net's input."""
        self._field = box
        self.update()

    def set_overlay(self, overlay: tuple[QImage, CropBox] | None) -> None:
        """Lay a coloured map over the picture, and say where in pixels of the net's input; None removes it."""
        self._overlay = overlay
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.fillRect(self.rect(), QColor(theme.current().raised))
            return
        area = QRect(0, 0, self.width(), self.height())
        smooth = self._image.width() > self.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.setOpacity(0.35 if self._stale else 1.0)
        painter.drawImage(area, self._image)
        painter.setOpacity(1.0)
        if self._stale:
            return
        painter.setClipRect(area)
        if self._overlay is not None:
            painter.setOpacity(0.6)
            painter.drawImage(self._on_view(self._overlay[1]), self._overlay[0])
            painter.setOpacity(1.0)
        if self._field is not None:
            inside = self._on_view(self._field)
            # a field larger than the picture is drawn along its edge, so that it is seen at all
            frame = QRectF(area).adjusted(1, 1, -1, -1)
            _outline(painter, inside.intersected(frame) if inside.intersects(frame) else frame, FIELD)

    def _on_view(self, box: CropBox) -> QRectF:
        """Return where a box of the net's input lies on screen."""
        scale = self.width() / self._image.width()
        return QRectF(box.left * scale, box.top * scale, box.width * scale, box.height * scale)
