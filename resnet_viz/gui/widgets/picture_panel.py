"""The picture with its crop box, and beside it the picture exactly as the network sees it."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QCoreApplication, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from resnet_viz.core.types import F32, U8, CropBox, Fit, ImageInput, Normalization
from resnet_viz.data.transforms import crop_box, resampling, to_original
from resnet_viz.gui.plain import tip

from .crop_view import CropView, NetView
from .elided_label import ElidedLabel
from .images_qt import from_values
from .normalization_picker import NormalizationPicker
from .overlay_scale import Scale

LATE_MS = 150
"""How long the net may take before what it saw last is faded: a shorter time would flicker."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("PicturePanel", text)


class PicturePanel(QWidget):
    """Shows a picture, how it reaches the net, and lets a person change that.

    Signals:
        fit_changed: the Fit; at most 30 times a second while the box is dragged.
        normalization_changed: the Normalization that the person chose.
        open_requested: the button of the empty panel.
    """

    fit_changed = pyqtSignal(object)
    normalization_changed = pyqtSignal(object)
    open_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: ImageInput | None = None
        self._fit = Fit()
        self._size, self._kind = 32, "square"
        self._has_net = False
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(LATE_MS)
        title = QLabel(_tr("Picture"))
        title.setProperty("heading", True)
        self._name = ElidedLabel()
        self._name.setProperty("muted", True)
        self._name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.crop = CropView()
        self.net_view = NetView()
        self._seen = QLabel()
        self._seen.setProperty("muted", True)
        self._seen.setWordWrap(True)
        self.mode = QComboBox()
        for mode, text in (("crop", _tr("Crop")), ("pad", _tr("Pad with grey")), ("squash", _tr("Squash"))):
            self.mode.addItem(text, mode)
        self.mode.setToolTip(_tr("How a picture that is not square becomes one"))
        self.mode.setAccessibleName(self.mode.toolTip())
        self.mode.setMinimumContentsLength(6)
        self.mode.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.picker = NormalizationPicker()
        self._empty = QLabel(_tr("Drop a picture here, paste one with Ctrl+V, or choose a sample at the top."))
        self._empty.setWordWrap(True)
        self._empty.setProperty("muted", True)
        self._no_net = QLabel(_tr("Open a net: beside the picture you then see what the net sees of it."))
        self._no_net.setWordWrap(True)
        self._no_net.setProperty("muted", True)
        self._open = QPushButton(_tr("Open a picture…"))
        self._open.setToolTip(_tr("Choose a picture file (Ctrl+O)"))

        head = QHBoxLayout()
        head.addWidget(title)
        head.addWidget(self._name, 1)
        side = QVBoxLayout()
        side.setSpacing(4)
        side.addWidget(self._seen)
        side.addWidget(self.mode)
        side.addWidget(self.picker)
        side.addStretch(1)
        self._below = QWidget()
        below = QHBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(8)
        below.addWidget(self.net_view, 0, Qt.AlignmentFlag.AlignTop)
        below.addLayout(side, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.crop)
        layout.addWidget(self._empty)
        layout.addWidget(self._open, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._below)
        layout.addWidget(self._no_net)
        self._late.timeout.connect(lambda: self.net_view.set_stale(True))
        self.crop.box_changed.connect(self._on_box)
        self.crop.reset_requested.connect(lambda: self._change(Fit(self._fit.mode)))
        self.mode.activated.connect(lambda _index: self._change(Fit(self.mode.currentData(), self._fit.box)))
        self.picker.changed.connect(self.normalization_changed)
        self._open.clicked.connect(self.open_requested)
        self._show()

    def set_picture(self, image: ImageInput | None) -> None:
        """Show another picture."""
        self._image = image
        self.crop.set_image(image)
        self._await()
        self._show()

    def set_model(self, size: int, kind: str, normalization: Normalization, known: bool) -> None:
        """Fit the picture to another net: its input side in pixels, its default crop and its mean/std."""
        self._size, self._kind = size, kind
        self._has_net = True
        self._await()
        self.picker.set_normalization(normalization, known)
        self._show()

    def set_fit(self, fit: Fit) -> None:
        """Show another crop; emits nothing."""
        self._fit = fit
        self._show()

    def set_net_view(self, pixels: U8 | None) -> None:
        """Show what the net sees, uint8 (S, S, C)."""
        self._late.stop()
        self.net_view.set_pixels(pixels)

    def set_receptive_field(self, box: CropBox | None) -> None:
        """Draw a receptive field, given in pixels of the net's input, on both pictures."""
        self.net_view.set_field(box)
        self.crop.set_field(self._on_original(box) if box is not None else None)

    def set_overlay(self, values: F32 | None, place: CropBox | None = None) -> None:
        """Lay a channel (h, w) over both pictures, in viridis from its least to its greatest value.

        Args:
            values: the channel; None takes it away.
            place: where it lies, in pixels of the net's input; None for all of it.
        """
        if values is None or self._image is None:
            self.net_view.set_overlay(None)
            self.crop.set_overlay(None)
            return
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        image = from_values(values, low, high, "viridis")
        whole = CropBox(0, 0, self._size, self._size)
        place = place or whole
        self.net_view.set_overlay((image, place))
        seen = self._on_original(whole)
        self.crop.set_overlay((image, self._on_original(place), seen, Scale(low, high, "viridis")))

    def _on_original(self, box: CropBox) -> CropBox:
        assert self._image is not None
        height, width = self._image.pixels.shape[:2]
        return to_original(box, height, width, self._fit, self._size, self._kind)

    def _on_box(self, box: CropBox) -> None:
        self._fit = Fit("crop", box)
        self._await()
        self._show_seen()
        self.fit_changed.emit(self._fit)

    def _change(self, fit: Fit) -> None:
        self._fit = fit
        self._await()
        self._show()
        self.fit_changed.emit(fit)

    def _await(self) -> None:
        """Fade what the net saw last, unless it has soon seen what is chosen now."""
        if self._has_net and not self._late.isActive():
            self._late.start()

    def _show(self) -> None:
        has = self._image is not None
        self.crop.setVisible(has)
        self._below.setVisible(has and self._has_net)
        self._no_net.setVisible(has and not self._has_net)
        for widget in (self._empty, self._open):
            widget.setVisible(not has)
        self.mode.setCurrentIndex(self.mode.findData(self._fit.mode))
        if self._image is None:
            self._name.setText("")
            return
        height, width = self._image.pixels.shape[:2]
        facts = [f"{width} × {height}"]
        if self._image.note:
            facts.append(self._image.note)
        if self._image.label:
            facts.append(self._image.label)
        text = " · ".join(facts)
        self._name.setText(text)
        self._name.setToolTip(tip(f"{self._image.source}\n{text}"))
        if not self._has_net:
            self.crop.set_box(None, False)  # how much of it is cut is the net's affair
            return
        self.crop.set_box(crop_box(height, width, self._fit, self._size, self._kind), self._fit.mode == "crop")
        self._show_seen()

    def _show_seen(self) -> None:
        if self._image is None:
            return
        height, width = self._image.pixels.shape[:2]
        how = resampling(height, width, self._fit, self._size, self._kind)
        text = _tr("As the net sees it: {0}\u00a0×\u00a0{0}\u00a0px")
        self._seen.setText(text.format(self._size))
        self._seen.setToolTip(_tr("Resampled by: {0}").format(how))
