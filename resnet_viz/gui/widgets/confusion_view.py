"""A confusion matrix: which class was taken for which, as shares of the true class."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QCoreApplication, QEvent, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from resnet_viz.core.types import I64
from resnet_viz.gui import theme

from .color_bar import ColorBar
from .confusion_matrix import MAP, ConfusionMatrix, best_and_worst, most_confused, row_shares


def _tr(text: str) -> str:
    return QCoreApplication.translate("ConfusionView", text)


class ConfusionView(QWidget):
    """The matrix, its colour bar, and a sentence on the pair that is confused most.

    Signals:
        cell_clicked: true class and answer of a cell.
        wrong_ones_wanted: true class and answer of the pair that is confused most, when the
            sentence's link is followed.
    """

    cell_clicked = pyqtSignal(int, int)
    wrong_ones_wanted = pyqtSignal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix = ConfusionMatrix()
        self.matrix.cell_clicked.connect(self.cell_clicked)
        self.bar = ColorBar()
        self.bar.set_scale(0, 100, MAP, _tr("% of class"))
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setProperty("muted", True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)
        self.sentence.setTextInteractionFlags(
            self.sentence.textInteractionFlags() | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.sentence.linkActivated.connect(lambda _: self._on_link())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.matrix, 100)
        layout.addWidget(self.bar)
        layout.addWidget(self.sentence)
        layout.addStretch(1)  # takes what the matrix leaves over
        self.set_counts(None, ())

    def set_counts(self, counts: I64 | None, classes: Sequence[str]) -> None:
        """Show counts (K, K), rows the true class, columns the answer; None for nothing."""
        self.matrix.set_counts(counts, classes)
        self._fit()
        self.bar.setVisible(counts is not None)
        self.sentence.setVisible(counts is not None)
        if counts is None:
            return
        pair = most_confused(counts)
        if pair is None:
            self.sentence.setText(_tr("No picture was answered wrongly."))
            return
        first, second, share = pair
        text = _tr("Most confused: {0} ↔ {1}, {2} % of their pictures.")
        names = self.matrix.class_name(first), self.matrix.class_name(second)
        shown = self._best_and_worst(counts) + text.format(*(_escape(name) for name in names), f"{100 * share:.1f}")
        link = f'<a href="#" style="color: {theme.current().residual};">{_tr("Show the wrong ones")}</a>'
        self.sentence.setText(f"{shown} {link}")

    def _best_and_worst(self, counts: I64) -> str:
        found = best_and_worst(counts)
        if found is None:
            return ""
        rates = row_shares(counts).diagonal()
        (best, worst), text = found, _tr("Right most often: {0}, {1} %; least often: {2}, {3} %.")
        words = [(_escape(self.matrix.class_name(one)), f"{100 * float(rates[one]):.1f}") for one in (best, worst)]
        return text.format(*words[0], *words[1]) + "<br>"

    def _fit(self) -> None:
        """Keep the colour bar below the matrix, which is a square."""
        self.matrix.setMaximumHeight(self.matrix.most_px(self.width()))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self.set_counts(self.matrix.counts(), self.matrix.classes())
        elif event is not None and event.type() == QEvent.Type.FontChange:
            self._fit()

    def _on_link(self) -> None:
        counts = self.matrix.counts()
        pair = most_confused(counts) if counts is not None else None
        if pair is not None and counts is not None:
            first, second, _ = pair
            more = counts[first, second] >= counts[second, first]
            self.wrong_ones_wanted.emit(*((first, second) if more else (second, first)))


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
