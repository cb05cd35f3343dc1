"""What the net believes: the classes with the highest probability as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PyQt6.QtCore import QCoreApplication, QEvent, QLineF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QApplication, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from resnet_viz.core.types import ClassScore, Prediction
from resnet_viz.data.labels import plain
from resnet_viz.gui import theme

from .color_bar import number


def _tr(text: str) -> str:
    return QCoreApplication.translate("Confidences", text)


def percent(prob: float) -> str:
    """Return a probability for people: ``"86.1 %"``."""
    return f"{100 * prob:.1f} %"


def rows_of(prediction: Prediction | None, before: Prediction | None) -> tuple[ClassScore, ...]:
    """Return the classes to show: the best ones, and among them the one that was best before a change."""
    scores = prediction.top if prediction is not None else ()
    if prediction is None or before is None or not before.top or not scores:
        return scores
    first = before.top[0]
    if any(score.index == first.index for score in scores) or not first.index < len(prediction.probs):
        return scores
    prob, logit = float(prediction.probs[first.index]), float(prediction.logits[first.index])
    return (*scores[:-1], ClassScore(first.index, first.label, prob, logit))


def logit_text(logit: float, digits: int = 2) -> str:
    """Return a net's raw output for people: in full where that is short, else as ``"2.78·10⁸"``."""
    return number(logit) if abs(logit) >= 1e5 else f"{logit:.{digits}f}".replace("-", "−")


def truth_text(label: str, prediction: Prediction | None, classes: Sequence[str]) -> tuple[str, bool | None]:
    """Return the line about the class that is right.

    Args:
        label: that class, as the data set calls it.
        prediction: what the net believes of this very picture, None while that is not known.
        classes: what the net can answer, empty while that is not known.

    Returns:
        The line; and whether the net is right, None where that cannot be said.
    """
    if classes and not any(plain(name) == plain(label) for name in classes):
        if all(name == f"class {index}" for index, name in enumerate(classes)):
            return _tr("true label: {0} (the net's classes have no names)").format(label), None
        return _tr("true label: {0} (no class of this net)").format(label), None
    if prediction is None or not prediction.top or math.isnan(prediction.top[0].prob):
        return _tr("true label: {0}").format(label), None
    right = plain(prediction.top[0].label) == plain(label)
    return (_tr("✓ right: it is “{0}”") if right else _tr("✗ wrong: it is “{0}”")).format(label), right


def logit_ends(logits: Sequence[float]) -> tuple[float, float]:
    """Return least and greatest end of the bars of logits: zero is always among them, as it is what they start at."""
    finite = [logit for logit in logits if math.isfinite(logit)]
    low, high = min(0.0, *finite, 0.0), max(0.0, *finite, 0.0)
    return (low, high) if high > low else (0.0, 1.0)


class Confidences(QWidget):
    """A heading, a switch for logits, and the bars.

    Signals:
        class_clicked: index of the class.
    """

    class_clicked = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel(_tr("Confidences"))
        title.setProperty("heading", True)
        self.logits = QToolButton()
        self.logits.setText(_tr("Logits"))
        self.logits.setCheckable(True)
        self.logits.setToolTip(_tr("Show the net's raw outputs instead of probabilities"))
        self._truth = QLabel()
        self._truth.setWordWrap(True)
        self.bars = _Bars()
        self.bars.clicked.connect(self.class_clicked)
        self.logits.toggled.connect(self.bars.set_logits)
        head = QHBoxLayout()
        head.addWidget(title)
        head.addStretch(1)
        head.addWidget(self.logits)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._truth)
        layout.addWidget(self.bars)
        self._label: str | None = None
        self._classes: Sequence[str] = ()
        self._judged = False
        self._coloured = theme.current()
        self._prediction: Prediction | None = None
        self._before: Prediction | None = None
        self._truth.hide()

    def set_prediction(self, prediction: Prediction | None) -> None:
        """Show a prediction of the picture whose true label was set last, None for none."""
        self._prediction, self._judged = prediction, prediction is not None
        self.bars.set_scores(rows_of(prediction, self._before))
        self._show_truth()

    def set_before(self, before: Prediction | None) -> None:
        """Show beside each bar what it was before the net was changed; None ends that."""
        self._before = before
        self.bars.set_before(before)
        self.bars.set_scores(rows_of(self._prediction, before))

    def set_stale(self, stale: bool) -> None:
        """Dim the bars while the picture has changed and the answer is not there yet."""
        self.bars.set_stale(stale)

    def set_true_label(self, label: str | None) -> None:
        """Say which class is right for another picture, where that is known; the next prediction is judged by it."""
        self._label, self._judged = label, False
        self._show_truth()

    def set_classes(self, classes: Sequence[str]) -> None:
        """Say what the net can answer: a true label that is none of these makes no answer wrong."""
        self._classes = classes
        self._show_truth()

    def _show_truth(self) -> None:
        self._truth.setVisible(self._label is not None)
        # bars of the picture before have no class that is right for this one
        self.bars.set_true_label(self._label if self._judged else None)
        if self._label is None:
            return
        text, right = truth_text(self._label, self._prediction if self._judged else None, self._classes)
        self._truth.setText(text)
        colours = self._coloured = theme.current()
        colour = colours.muted if right is None else colours.ok if right else colours.error
        self._truth.setStyleSheet(f"color: {colour};")

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        # a style sheet of its own changes the palette again: only another theme is worth a new one
        if event is not None and event.type() == QEvent.Type.PaletteChange and self._coloured is not theme.current():
            self._show_truth()

    def as_text(self) -> str:
        """Return what is shown as lines of label, probability and logit, separated by tabs."""
        scores = self._prediction.top if self._prediction else ()
        return "\n".join(f"{score.label}\t{score.prob:.6f}\t{score.logit:.6g}" for score in scores)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        clipboard = QApplication.clipboard()
        if event is not None and event.matches(QKeySequence.StandardKey.Copy) and clipboard is not None:
            clipboard.setText(self.as_text())
        else:
            super().keyPressEvent(event)


class _Bars(QWidget):
    clicked = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self._scores: tuple[ClassScore, ...] = ()
        self._before: Prediction | None = None
        self._logits = False
        self._stale = False
        self._true: str | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(_tr("Confidences"))

    def set_scores(self, scores: tuple[ClassScore, ...]) -> None:
        self._scores = scores
        self._describe()
        self.updateGeometry()
        self.update()

    def _describe(self) -> None:
        words = [f"{score.label} {self._value(score)}" for score in self._scores]
        self.setAccessibleDescription(", ".join(words))

    def set_before(self, before: Prediction | None) -> None:
        self._before = before
        self.update()

    def _was(self, score: ClassScore) -> tuple[float, float] | None:
        """Return probability and logit before the change, None if there was none."""
        if self._before is None or not score.index < len(self._before.probs):
            return None
        return float(self._before.probs[score.index]), float(self._before.logits[score.index])

    def _value(self, score: ClassScore) -> str:
        was = self._was(score)
        if self._logits:
            if was is None:
                return logit_text(score.logit)
            return f"{logit_text(was[1], 1)} → {logit_text(score.logit, 1)}"
        return percent(score.prob) if was is None else f"{100 * was[0]:.1f} → {percent(score.prob)}"

    def set_logits(self, on: bool) -> None:
        self._logits = on
        self._describe()
        self.update()

    def set_stale(self, stale: bool) -> None:
        if stale != self._stale:
            self._stale = stale
            self.update()

    def set_true_label(self, label: str | None) -> None:
        self._true = label
        self.update()

    def value_width(self) -> int:
        """Return the width of the column of values: of the widest, and never less than usual, so that bars stay."""
        usual = "−100.00 " if self._before is None else "100.0 → 100.0 %"
        advance = self.fontMetrics().horizontalAdvance
        return max(advance(text) for text in (usual, *map(self._value, self._scores))) + 4

    def _row(self) -> int:
        return self.fontMetrics().height() + 5

    def sizeHint(self) -> QSize:
        return QSize(260, max(2, len(self._scores)) * self._row())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        self.updateGeometry()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None:
            row = int(event.position().y()) // self._row()
            if 0 <= row < len(self._scores):
                self.clicked.emit(self._scores[row].index)

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            row = self.mapFromGlobal(self.cursor().pos()).y() // self._row()
            if 0 <= row < len(self._scores):
                score = self._scores[row]
                tip = _tr("{0} (class {1}): probability {2:.4f}, logit {3:.3f}")
                self.setToolTip(tip.format(score.label, score.index, score.prob, score.logit))
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, metrics, row = theme.current(), self.fontMetrics(), self._row()
        if not self._scores:
            painter.setPen(QColor(colours.muted))
            flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect(), flags, _tr("They appear as soon as a net sees a picture."))
            return
        if any(math.isnan(score.prob) for score in self._scores):
            painter.setPen(QColor(colours.error))
            flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
            text = _tr("The net put out NaN, so it believes nothing. Its weights are damaged, or the input is.")
            painter.drawText(self.rect(), flags, text)
            return
        painter.setOpacity(0.55 if self._stale else 1.0)
        widest = max(metrics.horizontalAdvance(score.label) for score in self._scores)
        label_w = min(widest + 24, int(self.width() * 0.4))
        value_w = self.value_width()
        low, high = logit_ends([score.logit for score in self._scores]) if self._logits else (0.0, 1.0)
        bar_x, bar_w = label_w + 8, max(20, self.width() - label_w - value_w - 16)
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for index, score in enumerate(self._scores):
            y = index * row
            mark = "✓ " if self._true is not None and plain(score.label) == plain(self._true) else ""
            painter.setPen(QColor(colours.ok if mark else colours.text))
            text = metrics.elidedText(mark + score.label, Qt.TextElideMode.ElideRight, label_w)
            painter.drawText(QRect(0, y, label_w, row), left, text)
            track = QRectF(bar_x, y + row / 2 - 6, bar_w, 12)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(track, 4, 4)
            value = score.logit if self._logits else score.prob
            painter.setBrush(QColor(colours.residual))
            bar = _bar(track, value, low, high)
            if bar.width() >= 1:
                bar.setWidth(max(3.0, bar.width()))
                painter.drawRoundedRect(bar, 4, 4)
            if low < 0:  # bars to the left of this line are below zero
                zero = track.x() - low / (high - low) * bar_w
                painter.fillRect(QRectF(zero - 0.5, y + 1.0, 1, row - 2), QColor(colours.muted))
            was = self._was(score)
            if was is not None:  # an outline: what it was
                painter.setPen(QPen(QColor(colours.text), 1.2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                before = was[1] if self._logits else was[0]
                outline = _bar(track, before, low, high).adjusted(0, -1, 0, 1)
                if outline.width() >= 8:
                    painter.drawRoundedRect(outline, 4, 4)
                elif outline.width() >= 1:
                    edge = outline.right() if before > 0 else outline.left()
                    painter.drawLine(QLineF(edge, outline.top(), edge, outline.bottom()))
            painter.setPen(QColor(colours.text if index == 0 else colours.muted))
            painter.drawText(QRect(self.width() - value_w - 4, y, value_w, row), right, self._value(score))


def _bar(track: QRectF, value: float, low: float, high: float) -> QRectF:
    """Return the part of a track that spans from ``low`` to ``high`` which lies between zero and a value."""
    value = 0.0 if math.isnan(value) else value  # which is no share of anything
    ends = sorted(max(low, min(high, end)) for end in (0.0, value))
    left, right = (track.x() + (end - low) / (high - low) * track.width() for end in ends)
    return QRectF(left, track.y(), right - left, track.height())
