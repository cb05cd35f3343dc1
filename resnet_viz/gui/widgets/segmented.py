"""A row of buttons of which one is chosen, or of which some are; and a slider that stops at values."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from resnet_viz.gui import theme


class Segmented(QWidget):
    """Choices side by side.

    Args:
        choices: key, text and tooltip of each.
        name: for screen readers.
        several: whether any number of them, at least one, may be chosen.

    Signals:
        changed: the person chose otherwise.
    """

    changed = pyqtSignal()

    def __init__(
        self, choices: Sequence[tuple[str, str, str]], name: str, several: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("segmented")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._several = several
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(not several)
        self._coloured: theme.Theme | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(2)
        for key, text, tip in choices:
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleName(f"{name}: {text}")
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _on, key=key: self._on_clicked(key))
            self._group.addButton(button)
            row.addWidget(button, 1)
            self.buttons[key] = button
        first = next(iter(self.buttons.values()))
        first.setChecked(True)
        self.setFocusProxy(first)
        self._colour()

    def value(self) -> str:
        """Return the key of the first chosen one."""
        return next(key for key, button in self.buttons.items() if button.isChecked())

    def values(self) -> tuple[str, ...]:
        """Return the keys of all that are chosen."""
        return tuple(key for key, button in self.buttons.items() if button.isChecked())

    def set_values(self, *keys: str) -> None:
        """Choose without a signal."""
        for key, button in self.buttons.items():
            if key in keys:
                button.setChecked(True)
        for key, button in self.buttons.items():
            if self._several and key not in keys:
                button.setChecked(False)

    def _on_clicked(self, key: str) -> None:
        if self._several and not self.values():
            self.buttons[key].setChecked(True)  # something must be on show
            return
        self.changed.emit()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and self._coloured is not theme.current():
            self._colour()

    def _colour(self) -> None:
        colours = self._coloured = theme.current()
        ground = colours.window if colours.dark else colours.raised
        self.setStyleSheet(
            f"#segmented {{ background: {ground}; border: 1px solid {colours.line}; border-radius: 6px; }}"
            f"#segmented QToolButton {{ background: transparent; border: 1px solid transparent; padding: 3px 4px;"
            f" border-radius: 4px; color: {colours.muted}; }}"
            f"#segmented QToolButton:checked {{ background: {colours.selection}; color: {colours.text}; }}"
            f"#segmented QToolButton:hover {{ color: {colours.text}; }}"
            f"#segmented QToolButton:focus {{ border-color: {colours.accent}; }}"
            f"#segmented QToolButton:disabled {{ color: {colours.line}; }}"
        )


class StopSlider(QWidget):
    """A slider that stops at given values, which are written below it.

    Signals:
        changed: the person chose another value.
    """

    changed = pyqtSignal()

    def __init__(self, stops: Sequence[int], name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stops = tuple(stops)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(self.stops) - 1)
        self.slider.setPageStep(1)
        self.slider.setAccessibleName(name)
        self.slider.setToolTip(tip)
        self.slider.valueChanged.connect(self._on_changed)
        self._labels = _Labels(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.slider)
        column.addWidget(self._labels)
        self.setFocusProxy(self.slider)

    def value(self) -> int:
        """Return the value at which it stands."""
        return self.stops[self.slider.value()]

    def set_value(self, value: int) -> None:
        """Move to a value without a signal."""
        self.slider.blockSignals(True)
        self.slider.setValue(self.stops.index(value))
        self.slider.blockSignals(False)
        self._labels.update()

    def _on_changed(self, _index: int) -> None:
        self._labels.update()
        self.changed.emit()


class _Labels(QWidget):
    """The values below the slider; a click on one goes there."""

    def __init__(self, owner: StopSlider) -> None:
        super().__init__(owner)
        self._owner = owner
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(120, self.fontMetrics().height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.fontMetrics().height() + 2)

    def _place(self, index: int) -> QRect:
        # the handle of the style is about as wide as the text is high
        inset = 8
        room = self.width() - 2 * inset
        x = inset + round(room * index / max(1, len(self._owner.stops) - 1))
        width = 40
        left = min(max(0, x - width // 2), self.width() - width)
        return QRect(left, 0, width, self.height())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        for index in range(len(self._owner.stops)):
            if event is not None and self._place(index).contains(event.position().toPoint()):
                self._owner.slider.setValue(index)
                return

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        colours = theme.current()
        last = len(self._owner.stops) - 1
        for index, stop in enumerate(self._owner.stops):
            chosen = index == self._owner.slider.value()
            painter.setPen(QColor(colours.text if chosen else colours.muted))
            side = (
                Qt.AlignmentFlag.AlignLeft
                if index == 0
                else Qt.AlignmentFlag.AlignRight
                if index == last
                else Qt.AlignmentFlag.AlignHCenter
            )
            painter.drawText(self._place(index), int(side), str(stop))
