"""The panels of the Inspect workspace and where they stand (DESIGN section 2)."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.channel_inspector import ChannelInspector
from resnet_viz.gui.widgets.column_scroll import ColumnScroll
from resnet_viz.gui.widgets.confidences import Confidences
from resnet_viz.gui.widgets.film_strip import FilmStrip
from resnet_viz.gui.widgets.layer_tree import LayerTree
from resnet_viz.gui.widgets.network_map import NetworkMap
from resnet_viz.gui.widgets.picture_panel import PicturePanel

from .inspect_center import InspectCenter


class InspectPanels(QWidget):
    """Map above; layers, maps and what belongs to the picture side by side; the strip below.

    Attributes:
        map, tree, center, picture, confidences, inspector, banner, strip: the panels.
        columns, rows: the splitters between them, whose sizes the window remembers.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map = NetworkMap()
        self.tree = LayerTree()
        self.center = InspectCenter()
        self.picture = PicturePanel()
        self.confidences = Confidences()
        self.inspector = ChannelInspector()
        self.banner = Banner()
        self.strip = FilmStrip()
        self.strip.hide()

        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(16)
        column.addWidget(self.picture)
        column.addWidget(self.confidences)
        column.addWidget(self.inspector)
        column.addStretch(1)
        scroll = self._scroll = ColumnScroll(right, least_px=308)

        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("inspect-columns")
        self.columns.setChildrenCollapsible(False)
        for widget, stretch in ((self.tree, 0), (self.center, 1), (scroll, 0)):
            self.columns.addWidget(widget)
            self.columns.setStretchFactor(self.columns.count() - 1, stretch)
        self.columns.setSizes([230, 700, 350])
        self.rows = QSplitter(Qt.Orientation.Vertical)
        self.rows.setObjectName("inspect-rows")
        self.rows.setChildrenCollapsible(False)
        self.rows.addWidget(self.map)
        self.rows.addWidget(self.columns)
        self.rows.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addWidget(self.rows, 1)
        layout.addWidget(self.strip)

    def reveal_inspector(self) -> None:
        """Scroll the right column until the channel inspector is seen."""
        self._scroll.ensureWidgetVisible(self.inspector, 0, 8)
