"""The right column of the Gradients workspace: the ratio as one number, coherence, the block that is looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PyQt6.QtCore import QCoreApplication, QEvent, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from resnet_viz.gui import theme
from resnet_viz.gui.widgets.color_bar import SUPERSCRIPT


def _tr(text: str) -> str:
    return QCoreApplication.translate("GradientSide", text)


def big_number(value: float | None) -> str:
    """Return a ratio with two digits, as a power of ten where it is far from one: ``"1.3 × 10³"``."""
    if value is None or not math.isfinite(value):
        return _tr("no ratio")
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(value) + 1e-12)
    if -2 <= exponent < 3:
        return f"{value:.0f}" if value >= 100 else f"{value:.2g}"
    lead = value / 10.0**exponent
    if f"{lead:.1f}" == "10.0":
        lead, exponent = 1.0, exponent + 1
    return f"{lead:.1f} × 10{str(exponent).translate(SUPERSCRIPT)}"


def hundredths(value: float) -> str:
    """Return a cosine with two digits; what rounds to zero has no sign."""
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


class RatioCard(QFrame):
    """One net's first block / last block, with what it means."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ratio-card")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._colour = ""
        self._coloured: theme.Theme | None = None
        self.title, self.ratio, self.note = QLabel(), QLabel(), QLabel()
        self.note.setWordWrap(True)
        self.note.setProperty("muted", True)
        for label in (self.title, self.ratio, self.note):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(2)
        for label in (self.title, self.ratio, self.note):
            column.addWidget(label)

    def show_ratio(self, title: str, colour: str, ratio: float | None, note: str) -> None:
        """Show one net.

        Args:
            title: of the net.
            colour: of its curve.
            ratio: first block / last block, None where there is none.
            note: one line below it.
        """
        self.title.setText(title)
        self.ratio.setText(big_number(ratio))
        self.note.setText(note)
        self.setAccessibleName(f"{title}: {self.ratio.text()}, {note}")
        self._colour = colour
        self._paint()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._coloured = None
            self._paint()
        elif event is not None and event.type() == QEvent.Type.PaletteChange and self._coloured is not theme.current():
            self._paint()

    def _paint(self) -> None:
        colours = self._coloured = theme.current()
        self.setStyleSheet(f"#ratio-card {{ background: {colours.panel}; border: none; border-radius: 8px; }}")
        self.title.setStyleSheet(f"color: {self._colour or colours.text}; font-weight: 600;")
        px = round(2.0 * self.fontInfo().pixelSize())
        self.ratio.setStyleSheet(f"font-size: {px}px; font-weight: 600; color: {colours.text};")


class CoherenceBars(QWidget):
    """One bar a net, 0 to 1, with its number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[tuple[str, str, float | None], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(_tr("Coherence of the input gradient"))

    def set_rows(self, rows: Sequence[tuple[str, str, float | None]]) -> None:
        """Show (title, colour, coherence or None) of each net."""
        self._rows = tuple(rows)
        words = [f"{title}: {'–' if value is None else hundredths(value)}" for title, _, value in self._rows]
        self.setAccessibleDescription(", ".join(words))
        self.updateGeometry()
        self.update()

    def _row_px(self) -> int:
        return self.fontMetrics().height() + 6

    def sizeHint(self) -> QSize:
        return QSize(200, max(1, len(self._rows)) * self._row_px())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, metrics = theme.current(), self.fontMetrics()
        tall = self._row_px()
        left = min(self.width() // 2, max((metrics.horizontalAdvance(t) for t, _, _ in self._rows), default=0) + 10)
        right = metrics.horizontalAdvance("−0.00") + 8
        for index, (title, colour, value) in enumerate(self._rows):
            y = index * tall
            painter.setPen(QColor(colours.text))
            text = metrics.elidedText(title, Qt.TextElideMode.ElideRight, left - 6)
            painter.drawText(QRectF(0, y, left, tall), int(Qt.AlignmentFlag.AlignVCenter), text)
            track = QRectF(left, y + 5, max(10, self.width() - left - right), tall - 10)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.line))
            painter.drawRoundedRect(track, 3, 3)
            if value is not None and value > 0:
                painter.setBrush(QColor(colour))
                painter.drawRoundedRect(
                    QRectF(track.x(), track.y(), max(2, track.width() * value), track.height()), 3, 3
                )
            painter.setPen(QColor(colours.muted))
            shown = "–" if value is None else hundredths(value)
            where = QRectF(track.right(), y, right, tall)
            painter.drawText(where, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), shown)


class GradientSide(QWidget):
    """Numbers beside the curves.

    Signals:
        python_requested, save_requested: the buttons at the bottom.
    """

    python_requested = pyqtSignal()
    save_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(_heading(_tr("First block ÷ last block")))
        self._hint = _muted(
            _tr("One number for each net appears here: how many times the first block's gradient is the last one's.")
        )
        column.addWidget(self._hint)
        self.cards: list[RatioCard] = []
        self._cards = QVBoxLayout()
        self._cards.setSpacing(8)
        column.addLayout(self._cards)
        column.addSpacing(8)
        column.addWidget(_heading(_tr("Coherence of the input gradient")))
        self.coherence = CoherenceBars()
        column.addWidget(self.coherence)
        column.addWidget(
            _muted(
                _tr(
                    "Cosine between the gradients at x and at x + 1 % noise: "
                    "how far the direction of one step can be trusted."
                )
            )
        )
        column.addSpacing(8)
        self.block_title = _heading("")
        column.addWidget(self.block_title)
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(12)
        self._facts.setVerticalSpacing(4)
        column.addLayout(self._facts)
        self.python_button = QPushButton(_tr("Copy as Python"))
        self.python_button.setToolTip(_tr("Copy a short script that prints these numbers"))
        self.python_button.clicked.connect(self.python_requested)
        self.save_button = QPushButton(_tr("Save chart or numbers…"))
        self.save_button.setToolTip(_tr("Save the chart as PNG, SVG or PDF, or the numbers as CSV"))
        self.save_button.clicked.connect(self.save_requested)
        column.addSpacing(8)
        column.addWidget(self.python_button)
        column.addWidget(self.save_button)
        column.addStretch(1)

    def show_ratios(self, rows: Sequence[tuple[str, str, float | None, str]]) -> None:
        """Show (title, colour, ratio or None, note) of each net."""
        self._hint.setVisible(not rows)
        while len(self.cards) < len(rows):
            card = RatioCard()
            self.cards.append(card)
            self._cards.addWidget(card)
        for card in self.cards[len(rows) :]:
            card.hide()
        for card, row in zip(self.cards, rows, strict=False):
            card.show_ratio(*row)
            card.show()

    def show_block(self, title: str, rows: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]) -> None:
        """Show what is known of one block.

        Args:
            title: of the block.
            rows: for each net its title, its colour, and (name, value) pairs.
        """
        self.block_title.setText(title)
        while (entry := self._facts.takeAt(0)) is not None:
            if (old := entry.widget()) is not None:
                old.hide()
                old.deleteLater()
        at = 0
        for net, colour, facts in rows:
            head = QLabel(net)
            head.setStyleSheet(f"color: {colour}; font-weight: 600;")
            self._facts.addWidget(head, at, 0, 1, 2)
            at += 1
            for name, value in facts:
                self._facts.addWidget(_muted(name), at, 0)
                shown = QLabel(value)
                shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                self._facts.addWidget(shown, at, 1)
                at += 1


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("heading", True)
    label.setWordWrap(True)
    return label


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("muted", True)
    label.setWordWrap(True)
    return label
