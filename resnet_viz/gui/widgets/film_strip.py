"""A row of thumbnails: a folder or a data set, moved along with the arrow keys.

Only thumbnails that come into view are asked for, the next one when the last has come, so that a
folder of ten thousand photographs opens as quickly as one of ten, and whoever decodes them is
soon free for something else.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from PyQt6.QtCore import QCoreApplication, QEvent, QRect, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.types import U8
from resnet_viz.gui import theme
from resnet_viz.gui.plain import one_line, tip

from .elided_label import ElidedLabel
from .images_qt import from_rgb
from .painted_scroll import PaintedScroll

THUMB_PX = 64
DECODED_PX = 2 * THUMB_PX
"""Longer side of a thumbnail that is asked for: as many pixels as a screen of twice the density has."""
KEPT = 600
HEAD_EM = 9
"""Width of what stands beside the pictures, in heights of its text."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("FilmStrip", text)


class Source(Protocol):
    """What a strip shows: a number of pictures with names and, perhaps, labels."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what it is called."""

    def label(self, index: int) -> str | None:
        """Return its true class, if that is known."""


class FilmStrip(PaintedScroll):
    """Thumbnails side by side, and before them what they are, how many, and a button that puts the strip away.

    Signals:
        closed: the strip is not wanted any more.
        picked: index of the picture that the person chose.
        thumbnail_wanted: index of a picture in view; answered by :meth:`set_thumbnail`, before which no
            other is asked for unless this one is not in view any more.
        thumbnail_unwanted: the one that was asked for last is not needed any more.
    """

    closed = pyqtSignal()
    picked = pyqtSignal(int)
    thumbnail_wanted = pyqtSignal(int)
    thumbnail_unwanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.Orientation.Horizontal)
        self._source: Source | None = None
        self._current = 0
        self._last = 0  # from where keys go on
        self._thumbs: OrderedDict[int, QImage | None] = OrderedDict()
        self._asked: int | None = None
        self._asker = QTimer(self)
        self._asker.setSingleShot(True)
        self._asker.setInterval(0)
        self._asker.timeout.connect(self._ask_one)
        self.setFrameShape(PaintedScroll.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(_tr("Pictures of the folder"))
        self._head = QWidget(self)
        self._title = ElidedLabel()
        self._place = QLabel()
        self._place.setProperty("muted", True)
        self._close = QToolButton()
        self._close.setText("✕")
        self._close.setToolTip(_tr("Put the strip away; the picture on show stays"))
        self._close.setAccessibleName(_tr("Put the strip away"))
        self._close.setAutoRaise(True)
        self._close.setStyleSheet(
            "QToolButton { border: none; background: transparent; padding: 4px 8px; }"
            "QToolButton:hover, QToolButton:focus { background: palette(button); }"
        )
        self._close.clicked.connect(self.closed)
        below = QHBoxLayout()
        below.setSpacing(2)
        below.addWidget(self._place, 1)
        below.addWidget(self._close)
        layout = QVBoxLayout(self._head)
        layout.setContentsMargins(8, 6, 4, 4)
        layout.setSpacing(0)
        layout.addWidget(self._title)
        layout.addLayout(below)
        layout.addStretch(1)

    def set_source(self, source: Source | None, title: str = "") -> None:
        """Show another folder or data set, and what it is called."""
        self._source = source
        self._current = self._last = 0
        self._title.setText(one_line(title))
        self._show_place()
        self._thumbs.clear()
        self._forget_asked()
        self._bar().setValue(0)
        self._relayout()

    def set_current(self, index: int, then: int | None = None) -> None:
        """Mark a picture as the one on show and bring it into view; emits nothing.

        Args:
            index: the picture, -1 for none.
            then: from where keys go on, None for there.
        """
        self._current = index
        if then is not None or index >= 0:
            self._last = index if then is None else then
        self._reveal()
        known = self._source is not None and 0 <= index < len(self._source)
        self.setAccessibleDescription(self._words(index) if known else "")
        self._show_place()
        self._wake()

    def _reveal(self) -> None:
        """Bring the picture on show into view; where none of these is, everything stays where it was."""
        if self._current < 0:
            return
        step, bar, width = self._step(), self._bar(), self._view().width()
        left = self._current * step
        if left < bar.value():
            bar.setValue(left)
        elif left + step > bar.value() + width:
            bar.setValue(left + step - width)

    def _words(self, index: int) -> str:
        """Return everything that is known of one picture before it is decoded."""
        assert self._source is not None
        facts = [one_line(self._source.name(index)), self._source.label(index) or ""]
        return " · ".join(fact for fact in (*facts, self._numbered(index)) if fact)

    def _numbered(self, index: int) -> str:
        return _tr("{0:,} of {1:,}").format(index + 1, self._count())

    def _show_place(self) -> None:
        count = self._count()
        one = 0 <= self._current < count
        pictures = _tr("{0:,} pictures") if count != 1 else _tr("{0:,} picture")
        self._place.setText(self._numbered(self._current) if one else pictures.format(count))

    def current(self) -> int:
        """Return the index of the picture on show, -1 for none."""
        return self._current

    def set_thumbnail(self, index: int, pixels: U8 | None) -> None:
        """Show a picture small, uint8 (H, W, 3); None draws it as broken."""
        self._thumbs[index] = from_rgb(pixels) if pixels is not None else None
        while len(self._thumbs) > KEPT:
            self._thumbs.popitem(last=False)
        if index == self._asked:
            self._asked = None
        self._wake()

    def set_readable(self, index: int, readable: bool) -> None:
        """Say what came of opening a picture: its file may have gone, or come back, since it was drawn small."""
        if not readable:
            self._thumbs[index] = None
        elif self._thumbs.get(index, self) is None:
            del self._thumbs[index]  # and is asked for anew
        self._wake()

    def sizeHint(self) -> QSize:
        return QSize(600, THUMB_PX + 2 * self.fontMetrics().height() + 26)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, self.sizeHint().height())

    def _step(self) -> int:
        return max(THUMB_PX + 16, self.fontMetrics().horizontalAdvance("automobile") + 12)

    def _count(self) -> int:
        return len(self._source) if self._source is not None else 0

    def _relayout(self) -> None:
        head = HEAD_EM * self.fontMetrics().height()
        self.setViewportMargins(head, 0, 0, 0)
        self._head.setGeometry(0, 0, head, self.height())
        bar = self._bar()
        bar.setRange(0, max(0, self._count() * self._step() - self._view().width()))
        bar.setPageStep(self._view().width())
        bar.setSingleStep(self._step())
        self._wake()

    def _visible(self) -> range:
        step, left = self._step(), self._bar().value()
        return range(left // step, min(self._count(), (left + self._view().width()) // step + 1))

    def _wake(self) -> None:
        self._view().update()
        if self._missing():
            self._asker.start()

    def _missing(self) -> list[int]:
        return [index for index in self._visible() if index not in self._thumbs]

    def _ask_one(self) -> None:
        if self._asked is not None and self._asked not in self._visible():
            self._forget_asked()
        missing = self._missing()
        if self._asked is None and missing and self.isVisible():
            self._asked = missing[0]
            self.thumbnail_wanted.emit(missing[0])

    def _forget_asked(self) -> None:
        if self._asked is not None:
            self._asked = None
            self.thumbnail_unwanted.emit()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._wake()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self._view())
        colours, metrics, step = theme.current(), self.fontMetrics(), self._step()
        painter.fillRect(self._view().rect(), QColor(colours.panel))
        if self._source is None:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        centre = int(Qt.AlignmentFlag.AlignCenter)
        for index in self._visible():
            x = index * step - self._bar().value()
            if index == self._current:
                place = QRect(x, 0, step, self._view().height())
                painter.fillRect(place, QColor(colours.selection))
                if self.hasFocus():
                    painter.setPen(QPen(QColor(colours.accent), 2))
                    painter.drawRect(place.adjusted(1, 1, -1, -1))
            area = QRect(x + (step - THUMB_PX) // 2, 6, THUMB_PX, THUMB_PX)
            image = self._thumbs.get(index)
            if image is not None:
                size = image.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
                spot = QRect(
                    area.x() + (THUMB_PX - size.width()) // 2,
                    area.y() + (THUMB_PX - size.height()) // 2,
                    size.width(),
                    size.height(),
                )
                painter.drawImage(spot, image)
            else:
                painter.fillRect(area, QColor(colours.raised))
                if index in self._thumbs:
                    painter.setPen(QPen(QColor(colours.error), 1))
                    painter.drawText(area, centre | int(Qt.TextFlag.TextWordWrap), _tr("not readable"))
            name = one_line(self._source.name(index))
            name = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, step - 6)
            painter.setPen(QColor(colours.text if index == self._current else colours.muted))
            painter.drawText(QRect(x, area.bottom() + 2, step, metrics.height()), centre, name)
            label = self._source.label(index)
            if label:
                painter.setPen(QColor(colours.text))
                text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, step - 6)
                painter.drawText(QRect(x, area.bottom() + 2 + metrics.height(), step, metrics.height()), centre, text)

    def _at(self, x: float) -> int | None:
        """Return which picture lies at x of the viewport, None beyond the last."""
        index = (int(x) + self._bar().value()) // self._step()
        return index if 0 <= index < self._count() else None

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        index = self._at(event.position().x())
        if index is not None:
            self.picked.emit(index)

    def viewportEvent(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self._at(event.pos().x())
            if index is None:
                QToolTip.hideText()
            else:
                keys = _tr("Alt+Left and Alt+Right go to the picture before and after")
                QToolTip.showText(event.globalPos(), tip(f"{self._words(index)}\n{keys}"), self)
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        page = max(1, self._view().width() // self._step())
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -(10**9),
            Qt.Key.Key_End: 10**9,
        }
        if event.key() in moves and not event.modifiers() & Qt.KeyboardModifier.AltModifier and self._count():
            wanted = max(0, min(self._count() - 1, self._last + moves[Qt.Key(event.key())]))
            if wanted != self._current:
                self.picked.emit(wanted)
        else:
            event.ignore()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None:
            delta = event.angleDelta().y() or event.angleDelta().x()
            self._bar().setValue(self._bar().value() - delta)
            event.accept()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self._wake()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._relayout()
        self._reveal()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.updateGeometry()
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._relayout()  # larger letters make wider places
            self._reveal()
