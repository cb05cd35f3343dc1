"""The controls above the grid: order, scale, colours, zoom."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import QCoreApplication, QEvent, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QWidget

from resnet_viz.analysis.montage import COLORMAPS, SCALES, SORTS, GridOptions, ranges, with_percentiles

from .feature_grid import FeatureGrid
from .flow_layout import FlowLayout
from .scale_box import ScaleBox


def _tr(text: str) -> str:
    return QCoreApplication.translate("GridToolbar", text)


class GridToolbar(QWidget):
    """Bound to one grid; every control changes its options at once.

    Signals:
        options_changed: the GridOptions.
    """

    options_changed = pyqtSignal(object)

    def __init__(self, grid: FeatureGrid, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = grid
        sorts = (_tr("number"), _tr("mean"), _tr("max"), _tr("std"), _tr("zeros"))
        self.sort = self._combo(_tr("Sort: {0}"), dict(zip(SORTS, sorts, strict=True)), _tr("Order of the channels"))
        scales = (_tr("layer"), _tr("channel"), _tr("fixed"))
        self.scale = self._combo(
            _tr("Scale: {0}"), dict(zip(SCALES, scales, strict=True)), _tr("What the colours span from dark to bright")
        )
        names = (_tr("viridis"), _tr("magma"), _tr("grey"), _tr("signed"))
        self.colors = self._combo(
            _tr("Colours: {0}"),
            dict(zip(COLORMAPS, names, strict=True)),
            _tr("Colour map; “signed” shows negative values blue, zero white and positive values red"),
        )
        self.direction = self._button("↓", _tr("Largest first, or smallest first"), self._turn)
        self.pins = self._button(_tr("Pins first"), _tr("Show the pinned channels before all others"), self._emit)
        self.pins.setCheckable(True)
        self.low, self.high = self._box(_tr("Lower end of the scale")), self._box(_tr("Upper end of the scale"))
        self.clip = self._button(
            _tr("1–99 %"), _tr("Set the range so that it leaves out one value in a hundred at either end"), self._clip
        )
        self.out = self._button("−", _tr("Smaller maps (−, or Ctrl + wheel)"), grid.zoom_out)
        self.level = self._button("", _tr("Fit all maps into the window (0)"), grid.fit)
        self.into = self._button("+", _tr("Larger maps (+, or Ctrl + wheel)"), grid.zoom_in)
        row = FlowLayout(4, self)
        for widget in (
            self.sort,
            self.direction,
            self.scale,
            self.low,
            self.high,
            self.clip,
            self.colors,
            self.pins,
        ):
            row.addWidget(widget)
        zoom = QWidget()  # in one piece: a plus sign alone in a row of its own says nothing
        trio = QHBoxLayout(zoom)
        trio.setContentsMargins(0, 0, 0, 0)
        trio.setSpacing(4)
        for widget in (self.out, self.level, self.into):
            trio.addWidget(widget)
        row.addWidget(zoom)
        for combo in (self.sort, self.scale, self.colors):
            combo.currentIndexChanged.connect(self._emit)
        for box in (self.low, self.high):
            box.valueChanged.connect(self._typed)
        grid.zoom_changed.connect(self._show_zoom)
        self._show_zoom(grid.zoom())
        self._show_controls()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._keep_height()

    def event(self, event: QEvent | None) -> bool:
        done = super().event(event)
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._keep_height()  # other controls or another text size break the rows elsewhere, at the same width
        return done

    def _keep_height(self) -> None:
        """Ask for the height that the rows take: a layout inside stacked pages is never asked at a width."""
        layout = self.layout()
        if layout is not None:
            self.setFixedHeight(layout.heightForWidth(self.width()))

    def _combo(self, pattern: str, entries: dict[str, str], tip: str) -> QComboBox:
        combo = QComboBox()
        for key, text in entries.items():
            combo.addItem(pattern.format(text), key)
        combo.setToolTip(tip)
        combo.setAccessibleName(tip)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        return combo

    def _button(self, text: str, tip: str, clicked: object) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        assert callable(clicked)
        button.clicked.connect(lambda _checked=False: clicked())
        return button

    def _box(self, tip: str) -> ScaleBox:
        box = ScaleBox(self.scale)
        box.setToolTip(_tr("{0}; ↑ and ↓ change it").format(tip))
        box.setAccessibleName(tip)
        return box

    def _turn(self) -> None:
        self.direction.setText("↑" if self.direction.text() == "↓" else "↓")
        self._emit()

    def _clip(self) -> None:
        activation = self._grid.activation()
        if activation is not None:
            self._set_range(*with_percentiles(activation.maps, self._grid.options()).fixed)
            self._emit()

    def _typed(self, value: float) -> None:
        if self.colors.currentData() == "signed":  # zero stays in the middle: the other end goes along
            self._set_range(-abs(value), abs(value))
        self._emit()

    def _set_range(self, low: float, high: float) -> None:
        for box, value in ((self.low, low), (self.high, high)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
            box.set_span(high - low)

    def _emit(self) -> None:
        old, scale = self._grid.options(), self.scale.currentData()
        stats = self._grid.stats()
        if scale == "fixed" and old.normalize != "fixed" and stats is not None:
            low, high = ranges(stats, replace(old, normalize="layer"))
            self._set_range(float(low[0]), float(high[0]))  # start from what was on screen
        else:  # ends that were typed the wrong way round change places, where everybody sees it
            self._set_range(*sorted((self.low.value(), self.high.value())))
        if scale == "fixed" and self.colors.currentData() == "signed":
            most = max(abs(self.low.value()), abs(self.high.value()))
            self._set_range(-most, most)
        options = replace(
            old,
            sort=self.sort.currentData(),
            descending=self.direction.text() == "↓",
            normalize=scale,
            fixed=(self.low.value(), self.high.value()),
            colormap=self.colors.currentData(),
            pinned_first=self.pins.isChecked(),
        )
        self._show_controls()
        self._grid.set_options(options)
        self.options_changed.emit(options)

    def set_options(self, options: GridOptions) -> None:
        """Show and apply other options."""
        for combo, key in ((self.sort, options.sort), (self.scale, options.normalize), (self.colors, options.colormap)):
            combo.blockSignals(True)
            combo.setCurrentIndex(max(0, combo.findData(key)))
            combo.blockSignals(False)
        self.direction.setText("↓" if options.descending else "↑")
        self.pins.setChecked(options.pinned_first)
        if options.normalize == "fixed" and options.colormap == "signed":
            most = max(map(abs, options.fixed))
            options = replace(options, fixed=(-most, most))
        self._set_range(*options.fixed)
        self._grid.set_options(options)
        self._show_controls()
        self.options_changed.emit(options)

    def _show_controls(self) -> None:
        for widget in (self.low, self.high, self.clip):
            widget.setVisible(self.scale.currentData() == "fixed")
        self.resizeEvent(None)
        self.direction.setEnabled(self.sort.currentData() != "index")

    def _show_zoom(self, zoom: float) -> None:
        self.level.setText(f"{zoom:.0f}×" if zoom >= 10 else f"{zoom:.2g}×")
        self.resizeEvent(None)
