"""A colour bar with numbers: no coloured picture without its scale."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, QEvent, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from resnet_viz.analysis.colormap import NAN_RGB, lut32
from resnet_viz.analysis.numerals import SUPERSCRIPT, number
from resnet_viz.gui import theme

from .images_qt import from_words

__all__ = ["SUPERSCRIPT", "ColorBar", "number"]


def _tr(text: str) -> str:
    return QCoreApplication.translate("ColorBar", text)


class ColorBar(QWidget):
    """A horizontal scale: number, colours, number, and a word on what the scale spans."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high, self._name, self._note = 0.0, 1.0, "viridis", ""
        self._ends: tuple[str, str] | None = None
        self._ready = self._missing = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(_tr("Colour scale"))

    def set_scale(
        self,
        low: float,
        high: float,
        name: str,
        note: str = "",
        ends: tuple[str, str] | None = None,
        *,
        missing: bool = False,
    ) -> None:
        """Show the scale from ``low`` to ``high`` in a colour map.

        Args:
            low: value of the first colour.
            high: value of the last colour.
            name: id of the colour map.
            note: what the scale spans, behind it.
            ends: words at the ends instead of numbers, where no number holds for all; zero is then
                marked where ``low`` and ``high`` put it.
            missing: whether some values are no number: the colour that they have is shown as well.
        """
        self._low, self._high, self._name, self._note, self._ready = low, high, name, note, True
        self._ends, self._missing = ends, missing
        said = [" – ".join(ends or (number(low), number(high))), note, _tr("magenta: not a number") if missing else ""]
        self.setAccessibleDescription(" ".join(part for part in said if part))
        self.update()

    def clear(self) -> None:
        """Show no scale."""
        self._ready = False
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, self.fontMetrics().height() + 8)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.updateGeometry()
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if not self._ready:
            return
        painter = QPainter(self)
        colours, metrics = theme.current(), self.fontMetrics()
        low, high = self._ends or (number(self._low), number(self._high))
        left, middle = metrics.horizontalAdvance(low) + 8, int(Qt.AlignmentFlag.AlignVCenter)
        patch = _tr("not a number") if self._missing else ""
        patch_w = metrics.horizontalAdvance(patch) + 28 if patch else 0
        note = metrics.elidedText(self._note, Qt.TextElideMode.ElideRight, max(0, self.width() - 200 - patch_w))
        after = metrics.horizontalAdvance(high) + 8 + patch_w
        right = after + (metrics.horizontalAdvance(note) + 16 if note else 0)
        bar = QRect(left, (self.height() - 10) // 2, max(40, min(320, self.width() - left - right)), 10)
        painter.drawImage(bar, from_words(lut32(self._name)[None, :256]))
        painter.setPen(QColor(colours.text))
        painter.drawText(QRect(0, 0, left, self.height()), middle, low)
        painter.drawText(QRect(bar.right() + 8, 0, right, self.height()), middle, high)
        if self._low < 0 < self._high:
            zero = bar.left() + round(bar.width() * -self._low / (self._high - self._low))
            painter.fillRect(QRect(zero, bar.top() - 3, 1, bar.height() + 6), QColor(colours.text))
        x = bar.right() + 8 + metrics.horizontalAdvance(high) + 12
        painter.setPen(QColor(colours.muted))
        if patch:  # next to the colours, before the note: what stands last is cut first
            painter.fillRect(QRect(x, bar.top(), 10, 10), QColor(*NAN_RGB))
            painter.drawText(QRect(x + 16, 0, patch_w, self.height()), middle, patch)
            x += patch_w
        if note:
            painter.drawText(QRect(x, 0, self.width() - x, self.height()), middle, note)
