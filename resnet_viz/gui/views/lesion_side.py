"""The right column of the lesion board: the error before and after, the confidences, what was done."""

from __future__ import annotations

import math

from PyQt6.QtCore import QCoreApplication, QEvent, Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from resnet_viz.core.types import ImageInput, Prediction
from resnet_viz.gui import theme
from resnet_viz.gui.widgets.confidences import Confidences
from resnet_viz.session.gradient_requests import LesionMeasured
from resnet_viz.session.normalizing import in_words

from .lesion_words import half_width, percent


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionSide", text)


class ErrorCard(QFrame):
    """The error as one number, that of the whole net below it, and over how many pictures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("error-card")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._coloured: theme.Theme | None = None
        self._worse = False
        self.error, self.base, self.evidence = QLabel(), QLabel(), QLabel()
        self.evidence.setProperty("muted", True)
        self.evidence.setWordWrap(True)
        self.evidence.setToolTip(_tr("Half of the 95 % interval (Wilson) of an error over so many pictures"))
        self.progress = thin_bar(_tr("Progress of the error"))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(2)
        for label in (self.error, self.base, self.evidence):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(label)
        column.addWidget(self.progress)
        self.show_errors(None, None, 0, 0, "")
        self._colour()

    def show_errors(self, error: float | None, base: float | None, n: int, wanted: int, data: str) -> None:
        """Show what is known.

        Args:
            error: of the net on the map, 0-1; None while it is not known.
            base: of the whole net on the same pictures.
            n: pictures that both are over.
            wanted: pictures asked for, 0 for all there are.
            data: what the pictures are, and the mean/std that they are seen with.
        """
        changed = error is not None and base is not None and error != base
        self.error.setText("…" if error is None else percent(error))
        if base is None:
            self.base.setText(_tr("whole net …"))
        elif error is None or not changed:
            self.base.setText(_tr("whole net {0}").format(percent(base)))
        else:
            more = f"{100 * (error - base):+.1f}".replace("-", "−")
            self.base.setText(_tr("whole net {0}, now {1} points").format(percent(base), more))
        lines = []
        if n and error is not None:
            count = _tr("n = {0:,} of {1:,}").format(n, wanted) if n < wanted else _tr("n = {0:,}").format(n)
            lines.append(_tr("{0} · ± {1:.1f} points").format(count, 100 * half_width(error, n)))
        self.evidence.setText("\n".join([*lines, *([data] if data else [])]))
        self.setAccessibleName(f"{self.error.text()}, {self.base.text()}. {self.evidence.text()}")
        self._worse = changed and (error or 0.0) > (base or 0.0)
        self._colour()

    def set_progress(self, share: float | None) -> None:
        """Show how far the measurement is; None hides it."""
        show_share(self.progress, share)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is None:
            return
        if event.type() == QEvent.Type.FontChange or (
            event.type() == QEvent.Type.PaletteChange and self._coloured is not theme.current()
        ):
            self._colour()

    def _colour(self) -> None:
        colours = self._coloured = theme.current()
        self.setStyleSheet(f"#error-card {{ background: {colours.panel}; border: none; border-radius: 8px; }}")
        size = round(2.0 * self.fontInfo().pixelSize())
        colour = colours.error if self._worse else colours.text
        self.error.setStyleSheet(f"font-size: {size}px; font-weight: 600; color: {colour};")


class LesionSide(QWidget):
    """Numbers beside the map.

    Signals:
        restore_requested, save_requested, python_requested: the buttons.
    """

    restore_requested = pyqtSignal()
    save_requested = pyqtSignal()
    python_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = ErrorCard()
        self.done = QLabel()
        self.done.setWordWrap(True)
        self.restore_button = _button(
            _tr("Restore all"), _tr("Put all deleted blocks and cut skips back"), self.restore_requested
        )
        self.confidences = Confidences()
        self.picture = QLabel()
        self.picture.setWordWrap(True)
        self.picture.setProperty("muted", True)
        self.python_button = _button(
            _tr("Copy as Python"), _tr("Copy a short script that measures the same"), self.python_requested
        )
        self.save_button = _button(
            _tr("Save…"),
            _tr("Save the bars as PNG, SVG or PDF, or the numbers as CSV"),
            self.save_requested,
        )
        heading = QLabel(_tr("Test error of the net on the map"))
        heading.setProperty("heading", True)
        heading.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(8)
        for widget in (heading, self.card, self.done, self.restore_button):
            column.addWidget(widget)
        column.addSpacing(4)
        column.addWidget(self.confidences)
        column.addWidget(self.picture)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.python_button, 1)
        buttons.addWidget(self.save_button, 1)
        column.addLayout(buttons)
        self._image: ImageInput | None = None
        self.show_picture(None)
        self.show_changes("")

    def show_changes(self, text: str) -> None:
        """Say what was done to the net; empty for nothing."""
        self.done.setText(text or _tr("Nothing is deleted or cut."))
        self.done.setProperty("muted", not text)
        style = self.done.style()
        if style is not None:
            style.polish(self.done)
        self.restore_button.setEnabled(bool(text))

    def show_picture(self, image: ImageInput | None) -> None:
        """Say whose confidences these are."""
        self._image = image
        self.confidences.setVisible(image is not None)
        self.confidences.set_true_label(image.label if image is not None else None)
        self._caption(False)

    def _caption(self, changed: bool) -> None:
        if self._image is None:
            text = _tr("Open a picture at the top to see how its confidences change.")
        else:
            text = _tr("Of {0}. Outlined: the whole net.") if changed else _tr("Of {0}.")
            text = text.format(self._image.source)
        self.picture.setText(text)

    def show_measured(self, measured: LesionMeasured | None, wanted: int, changed: bool) -> None:
        """Show what is known of the net on the map.

        Args:
            measured: the answer, or what there is of it.
            wanted: pictures asked for, 0 for all.
            changed: whether anything is deleted or cut.
        """
        if measured is None:
            self.card.show_errors(None, None, 0, 0, "")
            self._show_predictions(None, None)
            return
        seen_with = _tr("mean/std {0}").format(in_words(measured.card.normalization))
        data = f"{measured.data}\n{seen_with}" if measured.data else seen_with
        self.card.show_errors(measured.error, measured.base_error, measured.n, wanted, data)
        self._show_predictions(measured.prediction, measured.base_prediction if changed else None)

    def _show_predictions(self, now: Prediction | None, before: Prediction | None) -> None:
        self.confidences.set_stale(False)
        self._caption(before is not None)
        self.confidences.set_before(before)
        self.confidences.set_prediction(now)

    def set_waiting(self) -> None:
        """Show that the numbers are of a moment ago."""
        self.confidences.set_stale(True)
        self.card.set_progress(0.0)


def thin_bar(name: str) -> QProgressBar:
    """Return a progress bar of a few pixels that keeps its place while it is hidden."""
    bar = QProgressBar()
    bar.setTextVisible(False)
    bar.setFixedHeight(4)
    bar.setRange(0, 1000)
    bar.setAccessibleName(name)
    keep = bar.sizePolicy()
    keep.setRetainSizeWhenHidden(True)
    bar.setSizePolicy(keep)
    bar.hide()
    return bar


def show_share(bar: QProgressBar, share: float | None) -> None:
    """Show a share 0-1 on a bar; None hides it."""
    bar.setVisible(share is not None)
    if share is not None and math.isfinite(share):
        bar.setValue(round(1000 * share))


def _button(text: str, tip: str, signal: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _checked=False: signal.emit())  # type: ignore[attr-defined]
    return button
