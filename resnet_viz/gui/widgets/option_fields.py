"""Editors of single options: each shows one value of a run's configuration and says when it changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QSizePolicy, QSpinBox, QWidget


def _tr(text: str) -> str:
    return QCoreApplication.translate("OptionFields", text)


class OptionField(QWidget):
    """The common face of all editors.

    Signals:
        changed: the person gave another value.
    """

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)

    def value(self) -> object:
        """Return the value on show; an editor of text may return a string that is no number."""
        raise NotImplementedError

    def set_value(self, value: object) -> None:
        """Show a value without saying that it changed."""
        raise NotImplementedError

    def _hold(self, widget: QWidget) -> None:
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._row.addWidget(widget)
        self.setFocusProxy(widget)


class WholeField(OptionField):
    """A whole number."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__()
        self.spin = QSpinBox()
        self.spin.setRange(least, min(most, 2**31 - 1))
        self.spin.setGroupSeparatorShown(True)
        self.spin.valueChanged.connect(lambda _value: self.changed.emit())
        self._hold(self.spin)

    def value(self) -> int:
        return self.spin.value()

    def set_value(self, value: object) -> None:
        self.spin.blockSignals(True)
        self.spin.setValue(int(value))  # type: ignore[call-overload]
        self.spin.blockSignals(False)


class NumberField(OptionField):
    """A number of any size, written as people write it: 0.1, 1e-4."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.editingFinished.connect(self._finished)
        self._shown = ""
        self._hold(self.line)

    def _finished(self) -> None:
        if self.line.text() != self._shown:
            self._shown = self.line.text()
            self.changed.emit()

    def value(self) -> float | str:
        """Return the number, or the text where it is none."""
        text = self.line.text().strip().replace(",", ".")
        try:
            return float(text)
        except ValueError:
            return text

    def set_value(self, value: object) -> None:
        self._shown = f"{value:g}"
        self.line.setText(self._shown)


class SwitchField(OptionField):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__()
        self.box = QCheckBox()
        self.box.toggled.connect(lambda _on: self.changed.emit())
        self._hold(self.box)
        self._row.addStretch(1)

    def value(self) -> bool:
        return self.box.isChecked()

    def set_value(self, value: object) -> None:
        self.box.blockSignals(True)
        self.box.setChecked(bool(value))
        self.box.blockSignals(False)


class ChoiceField(OptionField):
    """One of several, each with a text for people; ``free`` lets the person write another."""

    def __init__(self, choices: Sequence[tuple[str, str]], free: bool = False) -> None:
        super().__init__()
        self.combo = QComboBox()
        self.combo.setEditable(free)
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(8)
        for key, text in choices:
            self.combo.addItem(text, key)
        self.combo.currentIndexChanged.connect(lambda _index: self.changed.emit())
        if free and (line := self.combo.lineEdit()) is not None:
            line.editingFinished.connect(self.changed)
        self._hold(self.combo)

    def value(self) -> str:
        if self.combo.isEditable() and self.combo.currentText() != self.combo.itemText(self.combo.currentIndex()):
            return self.combo.currentText().strip()
        return str(self.combo.currentData())

    def set_value(self, value: object) -> None:
        self.combo.blockSignals(True)
        index = self.combo.findData(value)
        if index < 0:  # a folder that was chosen by hand
            index = self.combo.count()
            self.combo.addItem(Path(str(value)).name or str(value), value)
            self.combo.setItemData(index, str(value), Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(index)
        self.combo.blockSignals(False)


class ListField(OptionField):
    """Whole numbers with spaces between them."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setPlaceholderText(_tr("for example 32000 48000"))
        self.line.editingFinished.connect(self.changed)
        self._hold(self.line)

    def value(self) -> tuple[object, ...]:
        words = self.line.text().replace(",", " ").split()
        return tuple(int(word) if word.isdigit() else word for word in words)

    def set_value(self, value: object) -> None:
        assert isinstance(value, (tuple, list))
        self.line.setText(" ".join(str(item) for item in value))
