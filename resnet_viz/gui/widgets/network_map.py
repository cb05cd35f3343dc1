"""The network map: the one picture of the net that every workspace shows (DESIGN section 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from PyQt6.QtCore import (
    QEvent,
    QPointF,
    Qt,
    QTimer,
    pyqtSignal,
)
from PyQt6.QtGui import (
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
)
from PyQt6.QtWidgets import QApplication, QToolTip, QWidget

from resnet_viz.core.types import ModelCard

from .map_cursor import Cursor, Step, move
from .map_geometry import Hit, hit_test
from .map_marks import Marks
from .map_text import arc_tip, block_tip, click_words, how_to_use, layer_tip, lesion_words, spoken, tr
from .map_view import ZOOM_STEP, MapView

DWELL_MS = 140
HOLD_MS = 40
"""How long what a click changed on the map waits to be painted: what was asked for by it goes first."""

NARROW_EM = 4.5


class NetworkMap(MapView):
    """Shows a net from input to output; click, hover, scroll, zoom, or use the keys.

    A click on a layer selects it, on a block its output, on an addition the addition. Left and
    right go along the blocks, down into a block's layers, up out of them, Enter selects; plus,
    minus and 0 zoom, as do Ctrl + wheel and pinching. The selected block, and in a long net the
    one under the mouse, is drawn wide enough to read its layers.

    While it can be operated on (see ``set_operable``) nothing is selected: a click anywhere in a
    block, Enter or Delete means the block, a click on an arc or a shortcut's layer, X or
    Shift + Delete its skip connection.

    Signals:
        layer_selected: name of the layer that a person chose.
        block_clicked: name of the block whose body was clicked; ``layer_selected`` follows.
        arc_clicked: name of the block whose skip connection was clicked; nothing is selected.
        layer_pointed: name of the layer that a click here would select, as the mouse moves over it;
            empty where it would select none.
        layer_pressed: likewise, as the button goes down; it may turn out to be no click.
    """

    layer_selected = pyqtSignal(str)
    block_clicked = pyqtSignal(str)
    arc_clicked = pyqtSignal(str)
    layer_pointed = pyqtSignal(str)
    layer_pressed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._hit: Hit | None = None
        self._near: int | None = None  # the narrow block that the mouse rests on
        self._cursor: Cursor | None = None
        self._pressed: QPointF | None = None
        self._panned = False
        self._keys = False  # the keyboard's ring shows once a key was used, not after a click
        self._moved = False  # whether the mouse was moved since the last key
        self._operable: tuple[frozenset[str], frozenset[str]] | None = None
        self._dwell = QTimer(self)
        self._dwell.setSingleShot(True)
        self._dwell.setInterval(DWELL_MS)
        self._dwell.timeout.connect(self._on_dwell)
        self._hold = QTimer(self)
        self._hold.setSingleShot(True)
        self._hold.setInterval(HOLD_MS)
        self._hold.timeout.connect(self.update)
        self._retranslate()

    def _retranslate(self) -> None:
        self.setWhatsThis(how_to_use(self._operable is not None))
        self._describe()

    # ---- what to show ----

    def set_card(self, card: ModelCard | None) -> None:
        self._growth.forget()
        self._dwell.stop()
        self._hit = self._near = self._cursor = self._follow = None
        super().set_card(card)
        self.map_layout()
        self._describe()

    def set_operable(self, deletable: Iterable[str] | None, cuttable: Iterable[str] = ()) -> None:
        """Let a person delete blocks and cut skip connections: clicks say which, and nothing is selected.

        Args:
            deletable: names of the blocks that can be deleted; None ends it.
            cuttable: names of the blocks whose skip can be cut.
        """
        self._operable = None if deletable is None else (frozenset(deletable), frozenset(cuttable))
        self._point_at(None)
        self._retranslate()

    def set_lesions(self, deleted: frozenset[str], cut: frozenset[str]) -> None:
        super().set_lesions(deleted, cut)
        self._describe()

    def update(self, *area: object) -> None:
        """Ask to be painted; after a click a moment later, see ``HOLD_MS``."""
        if not self._hold.isActive():
            super().update(*area)

    def set_selected(self, layer: str | None) -> None:
        self._hold.stop()
        self._select(layer)

    def _select(self, layer: str | None) -> None:
        super().set_selected(layer)
        if self._columns:
            self._cursor = (self._columns[0], self._cursor_layer(layer))
        self._refocus()
        if self._columns:
            self._reveal(self._columns[0])
        self._describe()

    def _cursor_layer(self, layer: str | None) -> str:
        plan = self.plan()
        if plan is None or not layer:
            return ""
        column = plan.columns[self._columns[0]]
        inside = any(cell.layer == layer for cell in column.cells)
        return layer if inside and layer != column.block.out else ""

    def marks(self) -> Marks:
        hit = self._hit
        return Marks(
            layer=self._selected,
            columns=self._columns,
            hover=(hit.index, "" if self._operable else hit.layer) if hit is not None and hit.kind != "arc" else None,
            cursor=self._cursor if self.hasFocus() and self._keys else None,
            arc=hit.index if hit is not None and hit.kind == "arc" else None,
        )

    def pointed_value(self) -> float | None:
        if self._hit is not None:
            return self.value_of(self._hit.layer or self._hit.block)
        return super().pointed_value()

    def _describe(self) -> None:
        """Say in words what is shown, for screen readers."""
        name = tr("Network map")
        value = self.value_of(self._selected) if self._selected else None
        text = spoken(self._card, self._selected, value, self._title) + lesion_words(self._deleted, self._cut)
        plan = self.plan()
        if plan is not None and self._cursor is not None and self._keys:
            text += " " + tr("Keyboard at {0}.").format(self._cursor[1] or plan.columns[self._cursor[0]].block.name)
        if (name, text) != (self.accessibleName(), self.accessibleDescription()):
            self.setAccessibleName(name)
            self.setAccessibleDescription(text)

    # ---- focus: the blocks that are drawn wide ----

    def wishes(self) -> list[int]:
        wanted = [] if self._near is None else [self._near]
        if self._cursor is not None and self.hasFocus() and self._keys:
            wanted.append(self._cursor[0])
        return wanted + super().wishes()

    def _on_dwell(self) -> None:
        layout = self.map_layout()
        if layout is None or self._hit is None or self._hit.index == self._near:
            return
        self._follow = None
        slot = layout.columns[self._hit.index].slot
        self._near = self._hit.index if slot.w < NARROW_EM * self._em() else None
        self._refocus()

    # ---- mouse ----

    def hit(self, position: QPointF) -> Hit | None:
        """Return what lies at a point of the widget."""
        layout, view = self.map_layout(), self._view()
        if layout is None or not view.contains(position):
            return None
        return hit_test(layout, position.x() - view.x() + self.offset(), position.y() - view.y())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._pressed, self._panned = event.position(), False
            self._keys = False
            if event.button() == Qt.MouseButton.LeftButton and (layer := self._meant(self.hit(event.position()))):
                self.layer_pressed.emit(layer)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        if self._pressed is not None and self.scroll_bar.isVisibleTo(self):
            moved = event.position().x() - self._pressed.x()
            if self._panned or abs(moved) >= QApplication.startDragDistance():
                self._panned, self._follow = True, None
                self.scroll_bar.setValue(self.scroll_bar.value() - round(moved))
                self._pressed = event.position()
            return
        self._moved = True
        self._point_at(self.hit(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        if event is None or self._pressed is None:
            return
        panned, self._pressed = self._panned, None
        if not panned and event.button() == Qt.MouseButton.LeftButton:
            hit = self.hit(event.position())
            if hit is not None:
                self._choose(hit)

    def leaveEvent(self, event: QEvent | None) -> None:
        self._dwell.stop()
        self._near = self._follow = None
        self._point_at(None)
        self._refocus()

    def hideEvent(self, event: QHideEvent | None) -> None:
        self._dwell.stop()
        self.finish_animation()
        super().hideEvent(event)

    def _point_at(self, hit: Hit | None) -> None:
        if hit == self._hit:
            return
        self._hit = hit
        hand = hit is not None and (self._operable is None or self._operation(hit) is not None)
        self.setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)
        if hit is not None:
            self._dwell.start()
        self.layer_pointed.emit(self._meant(hit))
        self.update()

    def _meant(self, hit: Hit | None) -> str:
        """Return the layer that a click there would select, empty if it selects none."""
        plan = self.plan()
        if hit is None or plan is None or hit.kind == "arc" or self._operable is not None:
            return ""
        return hit.layer or plan.columns[hit.index].block.out

    def _operation(self, hit: Hit) -> Literal["delete", "cut"] | None:
        """Return what a click there does to the net, None for nothing."""
        deletable, cuttable = self._operable or (frozenset(), frozenset())
        plan = self.plan()
        on_skip = plan is not None and any(cell.layer == hit.layer for cell in plan.columns[hit.index].at("skip"))
        if hit.kind == "arc" or on_skip:
            return "cut" if hit.block in cuttable else None
        return "delete" if hit.block in deletable else None

    def _operate(self, hit: Hit) -> None:
        what = self._operation(hit)
        self._cursor = (hit.index, "")  # the keys go on from here
        if what is not None:
            (self.block_clicked if what == "delete" else self.arc_clicked).emit(hit.block)

    def _choose(self, hit: Hit) -> None:
        if self._operable is not None:
            return self._operate(hit)
        if hit.kind == "arc":
            self.arc_clicked.emit(hit.block)
            return
        layer = self._meant(hit)
        if not layer:
            return
        self._hold.start()
        self._select(layer)
        if not hit.layer:
            self.block_clicked.emit(hit.block)
        self.layer_selected.emit(layer)

    def tip(self, hit: Hit) -> str:
        """Return the tooltip of what lies under the mouse, as rich text."""
        card = self._card
        if card is None:
            return ""
        block = card.blocks[hit.index]
        cut, deleted = block.name in self._cut, block.name in self._deleted
        if self._operable is not None:
            what = self._operation(hit)
            does = click_words(what, cut, deleted)
            if what == "cut" or hit.kind == "arc":
                return arc_tip(block, cut) + does
            return block_tip(block, self.value_of(block.name), self._title, cut, deleted) + does
        if hit.kind == "arc":
            return arc_tip(block, cut)
        layer = next((info for info in card.layers if hit.layer and info.name == hit.layer), None)
        if layer is not None:
            return layer_tip(layer, self.value_of(layer.name), self._title)
        return block_tip(block, self.value_of(block.name), self._title, cut, deleted)

    def event(self, event: QEvent | None) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            hit = self.hit(QPointF(event.pos()))
            if hit is None:
                QToolTip.hideText()
                event.ignore()
            else:
                QToolTip.showText(event.globalPos(), self.tip(hit), self)
            return True
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.set_zoom(self._zoom * (1 + event.value()), event.position().x())
            return True
        return super().event(event)

    # ---- keyboard ----

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        plan = self.plan()
        if event is None or plan is None:
            return super().keyPressEvent(event)
        key = Qt.Key(event.key())
        forward, back = Qt.Key.Key_Right, Qt.Key.Key_Left
        if self._mirrored():
            forward, back = back, forward
        steps: dict[Qt.Key, Step] = {
            forward: "forward",
            back: "back",
            Qt.Key.Key_Down: "in",
            Qt.Key.Key_Up: "out",
            Qt.Key.Key_Home: "first",
            Qt.Key.Key_End: "last",
        }
        free = not event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier)
        if not free:
            return super().keyPressEvent(event)
        pointed = self._hit if self._moved else None  # the mouse was used last
        self._keys, self._moved = True, False
        cutting = key == Qt.Key.Key_X or bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if self._operable is not None and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_X):
            index = pointed.index if pointed is not None else (self._cursor or (0, ""))[0]
            self._operate(Hit("arc" if cutting else "block", index, plan.columns[index].block.name))
        elif key in steps:
            self._step(move(plan, self._cursor or (0, ""), steps[key]))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            index, layer = self._cursor or (0, "")
            self._choose(Hit("layer" if layer else "block", index, plan.columns[index].block.name, layer))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_zoom(self._zoom * ZOOM_STEP)
        elif key == Qt.Key.Key_Minus:
            self.set_zoom(self._zoom / ZOOM_STEP)
        elif key == Qt.Key.Key_0:
            self.set_zoom(1.0)
        else:
            return super().keyPressEvent(event)
        event.accept()
        return None

    def cursor_place(self) -> Cursor | None:
        """Return the keyboard's place: a column and a layer's name, empty on the block itself."""
        return self._cursor

    def _step(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._refocus()
        self._reveal(cursor[0])
        self._describe()
        self.update()

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        super().focusInEvent(event)
        if event is not None and event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._cursor, self._keys = self._cursor or (0, ""), True
        self._refocus()
        self.update()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._refocus()
        self.update()
