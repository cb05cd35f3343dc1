"""Test pictures with the net's answers, right ones green and wrong ones red."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from resnet_viz.core.types import I64

from .answered import Answered
from .gallery_view import GalleryView

__all__ = ["Answered", "PictureGallery"]


def _tr(text: str) -> str:
    return QCoreApplication.translate("PictureGallery", text)


class PictureGallery(QWidget):
    """A heading with switches, and the grid.

    Signals:
        picked: index of the picture that was clicked or entered.
    """

    picked = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data: Answered | None = None
        self._pair: tuple[int, int] | None = None
        self.title, self.count = QLabel(), QLabel()
        self.title.setProperty("heading", True)
        self.count.setProperty("muted", True)
        self.count.setMinimumWidth(20)
        self.pair_button = QToolButton()
        self.pair_button.clicked.connect(lambda: self.set_pair(None))
        self.only_wrong = QCheckBox()
        self.only_wrong.toggled.connect(self._refresh)
        self.view = GalleryView()
        self.view.picked.connect(self.picked)
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        for widget in (self.title, self.count):
            self.head.addWidget(widget)
        self.head.addStretch(1)
        self.head.addWidget(self.pair_button)
        self.head.addWidget(self.only_wrong)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(self.head)
        layout.addWidget(self.view, 1)
        self._retranslate()

    def set_pictures(self, data: Answered | None) -> None:
        """Show these pictures, or none; "only the wrong ones" stays as it is."""
        self._data, self._pair = data, None
        self._refresh()

    def set_only_wrong(self, on: bool) -> None:
        """Show the wrong ones alone, or all."""
        self.only_wrong.setChecked(on)

    def set_pair(self, pair: tuple[int, int] | None) -> None:
        """Show only pictures of one true class with one answer, as a cell of the confusion matrix counts them."""
        self._pair = pair
        self._refresh()

    def pair(self) -> tuple[int, int] | None:
        """Return the true class and answer that are shown alone, None for all."""
        return self._pair

    def shown(self) -> I64:
        """Return the indices of the pictures that pass the switches."""
        if self._data is None:
            return np.zeros(0, np.int64)
        wanted = np.ones(len(self._data.truth), bool)
        if self._pair is not None:  # a cell of the diagonal holds right ones only
            wanted &= (self._data.truth == self._pair[0]) & (self._data.answers == self._pair[1])
        elif self.only_wrong.isChecked():
            wanted &= ~self._data.right()
        return np.flatnonzero(wanted).astype(np.int64)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.title.setText(_tr("Test pictures"))
        self.only_wrong.setText(_tr("Only the wrong ones"))
        self.only_wrong.setToolTip(_tr("Hide the pictures that the net answers rightly"))
        self.only_wrong.setAccessibleName(self.only_wrong.text())
        self.pair_button.setToolTip(_tr("Show the other classes again"))
        self._refresh()

    def _refresh(self) -> None:
        shown = self.shown()
        data = self._data
        self.pair_button.setVisible(self._pair is not None and data is not None)
        self.only_wrong.setEnabled(data is not None and self._pair is None)
        if data is None:
            self.count.clear()
            self.view.note = _tr("Press “Answer all test pictures” to see what the chosen run answers to each.")
        else:
            wrong = int((~data.right()).sum())
            text = _tr("{0:,} of {1:,} wrong ({2} %)")
            share = f"{100 * wrong / max(1, len(data.truth)):.2f}"
            self.count.setText(text.format(wrong, len(data.truth), share))
            self.view.note = _tr("No picture is left. Every one of them was answered rightly.")
            if self._pair is not None:
                names = (data.name(self._pair[0]), data.name(self._pair[1]))
                self.pair_button.setText(f"{names[0]} → {names[1]}  ✕")
                self.pair_button.setAccessibleName(self.pair_button.toolTip())
                self.view.note = _tr("No picture of {0} was answered {1}.").format(*names)
        self.view.set_data(data, shown)
        self.view.setFocusPolicy(Qt.FocusPolicy.StrongFocus if len(shown) else Qt.FocusPolicy.NoFocus)
