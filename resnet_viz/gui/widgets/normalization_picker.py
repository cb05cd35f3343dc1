"""Which mean and standard deviation a net was trained with: a choice, asked where the file does not say."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.types import Normalization
from resnet_viz.data.presets import presets
from resnet_viz.gui import theme
from resnet_viz.session.normalizing import in_words


def _tr(text: str) -> str:
    return QCoreApplication.translate("NormalizationPicker", text)


class NormalizationPicker(QWidget):
    """A combo box of presets with "own…", and a line that asks while nothing is known.

    Signals:
        changed: the Normalization that the person chose.
    """

    changed = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ask = QLabel(_tr("Which mean/std was it trained with?"))
        self._ask.setWordWrap(True)
        self.combo = QComboBox()
        self.combo.setToolTip(_tr("Mean and standard deviation that the net was trained with"))
        self.combo.setAccessibleName(self.combo.toolTip())
        self.combo.setMinimumContentsLength(8)
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._current: Normalization | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._ask)
        layout.addWidget(self.combo)
        self.combo.activated.connect(self._on_activated)
        self._ask.hide()

    def set_normalization(self, normalization: Normalization, known: bool) -> None:
        """Show what is in use; ``known`` False asks the person to choose."""
        self._current = normalization
        self.combo.blockSignals(True)
        self.combo.clear()
        for preset in presets:
            self.combo.addItem(preset.title, preset)
        if normalization not in list(presets):
            self.combo.addItem(in_words(normalization), normalization)
        self.combo.addItem(_tr("own…"), None)
        entries = [self.combo.itemData(index) for index in range(self.combo.count())]
        self.combo.setCurrentIndex(entries.index(normalization))
        self.combo.blockSignals(False)
        self._ask.setVisible(not known)
        self._ask.setStyleSheet(f"color: {theme.current().warn}; font-weight: 600;")

    def _on_activated(self, index: int) -> None:
        chosen = self.combo.itemData(index)
        if isinstance(chosen, Normalization):
            self._choose(chosen)
            return
        dialog = _OwnNumbers(self._current, self)
        dialog.accepted.connect(lambda: self._choose(dialog.normalization()))
        dialog.rejected.connect(self._undo)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _undo(self) -> None:
        if self._current is not None:
            self.set_normalization(self._current, not self._ask.isVisibleTo(self))

    def _choose(self, normalization: Normalization) -> None:
        self.set_normalization(normalization, True)
        self.changed.emit(normalization)


class _OwnNumbers(QDialog):
    """Six numbers: mean and standard deviation for red, green and blue, on the scale 0-1."""

    def __init__(self, start: Normalization | None, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(_tr("Own mean and standard deviation"))
        grid = QGridLayout()
        for column, name in enumerate((_tr("red"), _tr("green"), _tr("blue")), start=1):
            grid.addWidget(QLabel(name), 0, column)
        rows = ((_tr("mean"), start.mean if start else (0.5,) * 3), (_tr("std"), start.std if start else (0.25,) * 3))
        self._spins: list[list[QDoubleSpinBox]] = []
        for row, (name, values) in enumerate(rows, start=1):
            grid.addWidget(QLabel(name), row, 0)
            spins = []
            for column, value in enumerate(values, start=1):
                spin = QDoubleSpinBox()
                spin.setRange(-10.0 if row == 1 else 0.001, 255.0)
                spin.setDecimals(4)
                spin.setSingleStep(0.01)
                spin.setValue(value)
                spin.setAccessibleName(f"{name} {column}")
                grid.addWidget(spin, row, column)
                spins.append(spin)
            self._spins.append(spins)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(_tr("On the scale 0–1: a pixel x becomes (x − mean) / std.")))
        layout.addLayout(grid)
        layout.addWidget(buttons)

    def normalization(self) -> Normalization:
        """Return the six numbers."""
        (r, g, b), (sr, sg, sb) = ([spin.value() for spin in spins] for spins in self._spins)
        return Normalization("own", (r, g, b), (sr, sg, sb))
