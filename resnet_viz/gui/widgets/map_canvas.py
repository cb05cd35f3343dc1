"""The network map without a mouse: what it shows, how it is laid out, painted once and kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PyQt6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QFont, QFontInfo, QFontMetricsF, QImage, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QScrollBar, QSizePolicy, QWidget

from resnet_viz.core.types import U8, ModelCard
from resnet_viz.gui import theme

from .color_scale import ColorScale, make_scale
from .map_cursor import locate
from .map_geometry import MapLayout
from .map_layout import content_width, make_layout
from .map_legend import legend_width, skip_kinds
from .map_plan import Metrics, Plan, make_plan
from .map_shapes import Look
from .map_text import group_captions, tr

BAR_PX = 10
MIN_TEXT_PX = 11
EXPORT_MIN_PX = 960


class MapCanvas(QWidget):
    """Draws a net with its values and its selection; see ``NetworkMap`` for what a person can do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._card: ModelCard | None = None
        self._plan: Plan | None = None
        self._values: dict[str, float] = {}
        self._title = ""
        self._caption = ""
        self._scale: ColorScale | None = None
        self._selected: str | None = None
        self._columns: tuple[int, ...] = ()
        self._cut: frozenset[str] = frozenset()
        self._deleted: frozenset[str] = frozenset()
        self._source: QImage | None = None
        self._zoom = 1.0
        self._focus: dict[int, float] = {}
        self._layout: MapLayout | None = None
        self._scene: QPixmap | None = None
        self._look: Look | None = None
        self.scroll_bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self.scroll_bar.hide()
        self.scroll_bar.valueChanged.connect(self._forget_scene)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setSizePolicy(policy)

    # ---- what to show ----

    def set_card(self, card: ModelCard | None) -> None:
        """Show another net, fitted to the width; values, selection, cuts and deletions of the old one go."""
        self._card = card
        self._values, self._scale, self._title = {}, None, ""
        self._selected, self._columns, self._focus = None, (), {}
        self._cut = self._deleted = frozenset()
        self._zoom = 1.0
        self._forget_plan()
        self.scroll_bar.setValue(0)

    def card(self) -> ModelCard | None:
        """Return the net on show."""
        return self._card

    def set_values(
        self,
        values: Mapping[str, float] | None,
        title: str,
        *,
        vmin: float | None = None,
        vmax: float | None = None,
        colormap: str = "viridis",
        log: bool = False,
    ) -> None:
        """Colour blocks and layers.

        Args:
            values: by block or layer name; a block without an entry takes its output layer's.
                What has none, or none that is finite, stays neutral. None removes all colour.
            title: what the numbers are, for the colour bar, for example ``"mean |activation|"``.
            vmin: lower end of the colour bar; None: zero, or the smallest value.
            vmax: upper end; None: the largest value.
            colormap: ``"viridis"``, ``"magma"``, ``"grey"`` or ``"signed"``.
            log: logarithmic colours.
        """
        before = self._legend_px()
        self._values = dict(values or {})
        self._title = title if values else ""
        self._scale = make_scale(self._values.values(), vmin, vmax, log=log, colormap=colormap) if values else None
        if abs(self._legend_px() - before) > 0.5:
            self._forget_layout()
        self._forget_look()

    def set_selected(self, layer: str | None) -> None:
        """Outline a layer and its block; a stage's name outlines all its blocks."""
        self._selected = layer
        self._columns = self._find(layer)
        self._forget_look()

    def selected(self) -> str | None:
        """Return the selected layer's name."""
        return self._selected

    def set_cut(self, blocks: frozenset[str]) -> None:
        """Draw the skip connections of these blocks as cut."""
        self._cut = frozenset(blocks)
        self._forget_look()

    def set_deleted(self, blocks: frozenset[str]) -> None:
        """Draw these blocks as deleted: outlines that nothing flows through."""
        self._deleted = frozenset(blocks)
        self._forget_look()

    def set_lesions(self, deleted: frozenset[str], cut: frozenset[str]) -> None:
        """Draw some blocks as deleted and the skip connections of others as cut, in one step."""
        self._deleted, self._cut = frozenset(deleted), frozenset(cut)
        self._forget_look()

    def set_input(self, picture: U8 | None) -> None:
        """Show the picture as the net sees it, uint8 (H, W, C), where it enters; None: a symbol."""
        self._source = None
        if picture is not None:
            rgb = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
            height, width = rgb.shape[:2]
            self._source = QImage(rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self._forget_look()

    def set_caption(self, text: str) -> None:
        """Write the net's name above the map, for views that show several maps; empty for none."""
        self._caption = text
        self.updateGeometry()
        self._forget_layout()

    def value_of(self, name: str) -> float | None:
        """Return the value that colours a layer or block, None if it has none."""
        if name in self._values:
            return self._values[name]
        for block in self._card.blocks if self._card else ():
            # the last layer of such a block puts out what the block puts out
            last = block.layers[-1:] if block.kind in ("residual", "plain") else ()
            if name in (block.name, block.out, *last):
                return self._values.get(block.name, self._values.get(block.out))
        return None

    def _legend_title(self) -> str:
        return tr("{0} (log)").format(self._title) if self._scale is not None and self._scale.log else self._title

    def _find(self, layer: str | None) -> tuple[int, ...]:
        plan = self.plan()
        if plan is None or self._card is None:
            return ()
        block = next((info.block for info in self._card.layers if info.name == layer), "")
        return locate(plan, layer, block)

    # ---- sizes ----

    def small_font(self) -> QFont:
        """Return the font of all texts on the map: 0.85 of the application's, at least 11 px."""
        font = QFont(self.font())
        font.setPixelSize(max(MIN_TEXT_PX, round(0.85 * QFontInfo(self.font()).pixelSize())))
        return font

    def _em(self) -> float:
        return float(max(MIN_TEXT_PX, QFontInfo(self.font()).pixelSize()))

    def _header_px(self) -> float:
        return 1.5 * self._em() if self._caption else 0.0

    def sizeHint(self) -> QSize:
        return QSize(round(70 * self._em()), round(8.8 * self._em() + self._header_px()))

    def minimumSizeHint(self) -> QSize:
        return QSize(round(24 * self._em()), round(6.5 * self._em() + self._header_px()))

    def _legend_kinds(self) -> tuple[str, ...]:
        roomy = self.width() >= 50 * self._em()
        return skip_kinds(self._card) if self._card is not None and roomy else ()

    def _legend_px(self) -> float:
        if self._card is None:
            return 0.0
        width = legend_width(QFontMetricsF(self.small_font()), self._legend_kinds(), self._scale, self._legend_title())
        return min(width + 1.6 * self._em(), 0.3 * self.width()) if width else 0.0

    def _view(self) -> QRectF:
        """Return the part of the widget in which the net is drawn."""
        legend = self._legend_px()
        left = legend if self._mirrored() else 0.0
        bar = BAR_PX if self.scroll_bar.isVisibleTo(self) else 0
        top = self._header_px()
        return QRectF(left, top, max(1.0, self.width() - legend), max(1.0, self.height() - top - bar))

    def _mirrored(self) -> bool:
        return self.layoutDirection() == Qt.LayoutDirection.RightToLeft

    # ---- layout, made when it is needed ----

    def plan(self) -> Plan | None:
        """Return what is to be drawn of the net, None without one."""
        if self._plan is None and self._card is not None and self._card.blocks:
            small = QFontMetricsF(self.small_font())
            metrics = Metrics(self._em(), small.height(), small.horizontalAdvance)
            self._plan = make_plan(self._card.blocks, self._card.layers, metrics, group_captions, tr("input"))
        return self._plan

    def map_layout(self) -> MapLayout | None:
        """Return where everything lies now, in pixels of the scene (see ``offset``)."""
        plan = self.plan()
        if self._layout is None and plan is not None:
            view = self._view()
            self.scroll_bar.setVisible(content_width(plan, view.width(), self._zoom) > view.width() + 1)
            self._layout = self._made(plan)
            view = self._view()
            if self._layout.width > view.width() + 1 and not self.scroll_bar.isVisibleTo(self):
                # a block in focus that needs more than there is
                self.scroll_bar.setVisible(True)
                self._layout, view = self._made(plan), self._view()
            self._place_scroll_bar(view, self._layout.width)
        return self._layout

    def _made(self, plan: Plan) -> MapLayout:
        view = self._view()
        return make_layout(
            plan, view.width(), view.height(), zoom=self._zoom, focus=self._focus, mirrored=self._mirrored()
        )

    def _place_scroll_bar(self, view: QRectF, scene: float) -> None:
        bar = self.scroll_bar
        bar.setGeometry(QRect(round(view.x()), self.height() - BAR_PX, round(view.width()), BAR_PX))
        bar.blockSignals(True)
        bar.setPageStep(round(view.width()))
        bar.setSingleStep(round(4 * self._em()))
        bar.setRange(0, max(0, round(scene - view.width())))
        bar.blockSignals(False)

    def offset(self) -> float:
        """Return the x of the scene at the left edge of the view."""
        return float(self.scroll_bar.value())

    def _forget_plan(self) -> None:
        self._plan = None
        self._forget_layout()

    def _forget_layout(self) -> None:
        self._layout = None
        self._forget_look()

    def _forget_look(self) -> None:
        self._look = None
        self._forget_scene()

    def _forget_scene(self) -> None:
        self._scene = None
        self.update()

    def look(self) -> Look:
        """Return the colours and texts in use."""
        if self._look is None or self._look.theme is not theme.current():
            self._look = Look(
                theme=theme.current(),
                font=self.small_font(),
                scale=self._scale,
                values=self._values,
                cut=self._cut,
                deleted=self._deleted,
                source=self._source,
                focused=frozenset({index for index, amount in self._focus.items() if amount > 0} | set(self._columns)),
            )
            self._scene = None
        return self._look

    # ---- changes from outside ----

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._forget_layout()
        self.map_layout()  # now, so that the scroll bar does not come and go while painting
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        if event is not None:
            if event.type() in (QEvent.Type.FontChange, QEvent.Type.LanguageChange):
                self._forget_plan()
                self.updateGeometry()
            elif event.type() == QEvent.Type.LayoutDirectionChange:
                self._forget_layout()
            elif event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
                self._forget_look()
        super().changeEvent(event)
