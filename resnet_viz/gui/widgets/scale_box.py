"""A field for one end of a scale: any finite number, kept exactly until somebody types another."""

from __future__ import annotations

import math

import numpy as np
from PyQt6.QtCore import QEvent, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QValidator, QWheelEvent
from PyQt6.QtWidgets import QLineEdit, QWidget

MOST = float(np.finfo(np.float32).max)
"""Maps are float32: no scale can end beyond."""


def text_of(value: float) -> str:
    """Return a value with six significant digits, as it can be typed again.

    >>> [text_of(v) for v in (0.0022, -1.66e9, 0.1 + 0.2)]
    ['0.0022', '−1.66e+09', '0.3']
    """
    return f"{value:.6g}".replace("-", "−", 1 if value < 0 else 0)


def value_of(text: str) -> float | None:
    """Return the number that a text says, None if it is none or is not finite; a decimal comma will do."""
    plain = text.strip().replace("−", "-").replace("·10^", "e")
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        value = float(plain)
    except ValueError:
        return None
    return max(-MOST, min(MOST, value)) if math.isfinite(value) else None


def stepped(value: float, span: float, steps: int) -> float:
    """Return a value some steps further, on a round number; a step is a hundredth to a tenth of ``span``."""
    size = max(abs(span), 1e-4 * abs(value)) or 1.0  # a step too small for six digits would not be seen
    exponent = max(-300, math.floor(math.log10(size)) - 1)
    # a power of ten below one has no exact float, its reciprocal has
    at = value * 10.0**-exponent if exponent < 0 else value / 10.0**exponent
    # the next round number first: 1.66 goes to 1.7 or to 1.6
    nth = (math.floor(at + 1e-6) if steps > 0 else math.ceil(at - 1e-6)) + steps
    moved = nth / 10.0**-exponent if exponent < 0 else nth * 10.0**exponent
    return max(-MOST, min(MOST, moved))


class _Number(QValidator):
    """Lets anything be typed that may become a number; what has not when it is left gives way to the last one."""

    def __init__(self, box: ScaleBox) -> None:
        super().__init__(box)
        self._box = box

    def fixup(self, text: str | None) -> str:
        return text_of(self._box.value())

    def validate(self, text: str | None, at: int) -> tuple[QValidator.State, str, int]:
        text = text or ""
        if value_of(text) is not None:
            return QValidator.State.Acceptable, text, at
        may = all(letter in "0123456789.,eE+-−· ^" for letter in text)
        return (QValidator.State.Intermediate if may else QValidator.State.Invalid), text, at


class ScaleBox(QLineEdit):
    """Arrow keys, page keys and the wheel step by round amounts that suit the scale.

    Args:
        beside: the control that it stands beside, and is as high as.

    Signals:
        valueChanged: the number that somebody has typed or stepped to.
    """

    valueChanged = pyqtSignal(float)  # noqa: N815 - named as Qt's own boxes name it

    def __init__(self, beside: QWidget | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._beside = beside
        self._value, self._span = 0.0, 1.0
        self.setValidator(_Number(self))
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.editingFinished.connect(self._take)
        self._show()

    def value(self) -> float:
        """Return the number, exactly as it was given or typed."""
        return self._value

    def setValue(self, value: float) -> None:
        """Show another number and say so."""
        if math.isfinite(value) and value != self._value:
            self._value = value
            self.valueChanged.emit(value)
        self._show()

    def set_span(self, span: float) -> None:
        """Step by amounts that suit a scale as long as this."""
        self._span = span if math.isfinite(span) else MOST

    def _show(self) -> None:
        self.setText(text_of(self._value))
        self.setCursorPosition(0)  # of a number that is too long the first digits matter

    def _take(self) -> None:
        """Take what was typed; a text that was not touched stands for all digits of its number."""
        value = value_of(self.text())
        if value is None or self.text() == text_of(self._value):
            self._show()
        else:
            self.setValue(value)

    def step(self, steps: int) -> None:
        """Go some steps up or down."""
        self._take()
        self.setValue(stepped(self._value, self._span, steps))

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance("−0.00000e+00") + 26)
        if self._beside is not None:
            hint.setHeight(self._beside.sizeHint().height())
        return hint

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        if event.key() in steps:
            self.step(steps[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Escape and self.text() != text_of(self._value):
            self._show()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is None:
            return
        if self.hasFocus() and event.angleDelta().y():
            self.step(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:  # a page that is scrolled past must not change the scale
            event.ignore()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self.updateGeometry()
