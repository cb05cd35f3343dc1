"""All layers of a net as a tree with their part in the block and their shape."""

from __future__ import annotations

from PyQt6.QtCore import (
    QCoreApplication,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    pyqtSignal,
)
from PyQt6.QtGui import QColor, QPainter, QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.types import LayerInfo, ModelCard
from resnet_viz.gui import theme

NAME_ROLE = int(Qt.ItemDataRole.UserRole) + 1
NOTE_ROLE = NAME_ROLE + 1
SHAPE_ROLE = NAME_ROLE + 2
MANY_LAYERS = 120


def _tr(text: str) -> str:
    return QCoreApplication.translate("LayerTree", text)


def shape_label(shape: tuple[int, ...]) -> str:
    """Return ``"32×16×16"``."""
    return "×".join(str(size) for size in shape)


class LayerTree(QWidget):
    """A filter and the tree; arrow keys and clicks choose a layer.

    Signals:
        layer_selected: the layer's name, when the person chose it.
        layer_pointed: the layer's name, as the mouse comes over it; empty as it leaves.
    """

    layer_selected = pyqtSignal(str)
    layer_pointed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel(_tr("Layers"))
        title.setProperty("heading", True)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(_tr("Find a layer…"))
        self.filter.setToolTip(_tr("Type part of a layer's name or kind (Ctrl+F)"))
        self.filter.setAccessibleName(_tr("Find a layer"))
        self.filter.setClearButtonEnabled(True)
        self._model = QStandardItemModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setRecursiveFilteringEnabled(True)
        self._proxy.setAutoAcceptChildRows(True)
        self._proxy.setFilterRole(NOTE_ROLE + 10)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.view = QTreeView()
        self.view.setModel(self._proxy)
        self.view.setHeaderHidden(True)
        self.view.setUniformRowHeights(True)  # 600 layers scroll as quickly as 20
        self.view.setIndentation(12)
        self.view.setItemDelegate(_Delegate(self.view))
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName(_tr("Layers"))
        header = self.view.header()
        assert header is not None
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._items: dict[str, QStandardItem] = {}
        self._quiet = False
        self._large = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(title)
        layout.addWidget(self.filter)
        layout.addWidget(self.view, 1)
        self.setMinimumWidth(170)
        self.filter.textChanged.connect(self._on_filter)
        selection = self.view.selectionModel()
        assert selection is not None
        selection.currentChanged.connect(self._on_current)
        self.view.setMouseTracking(True)
        self.view.entered.connect(self._on_entered)
        self.view.viewportEntered.connect(lambda: self.layer_pointed.emit(""))  # the empty part below

    def set_card(self, card: ModelCard | None) -> None:
        """Show another net's layers; stages of a deep net start closed."""
        self._quiet = True
        self._model.clear()
        self._items.clear()
        layers = card.layers if card else ()
        children: dict[str, int] = {}
        for layer in layers:
            parent = layer.name.rpartition(".")[0]
            children[parent] = children.get(parent, 0) + 1
        groups = {layer.name.rpartition(".")[0] for layer in layers if layer.container}
        for layer in layers:
            item = self._item(layer, children.get(layer.name, 0), layer.name in groups)
            parent = layer.name.rpartition(".")[0]
            owner = self._items.get(parent)
            (owner or self._model.invisibleRootItem()).appendRow(item)  # type: ignore[union-attr]
            self._items[layer.name] = item
        self._large = len(layers) > MANY_LAYERS
        if self._large:
            self.view.collapseAll()
        else:
            self.view.expandToDepth(0)
        self._quiet = False

    def set_selected(self, name: str) -> None:
        """Show ``name`` as chosen, its branch open; emits nothing."""
        item = self._items.get(name)
        selection = self.view.selectionModel()
        if item is None or selection is None:
            return
        self._quiet = True
        index = self._proxy.mapFromSource(item.index())
        if not index.isValid() and self.filter.text():
            self.filter.clear()  # what is chosen must be visible
            index = self._proxy.mapFromSource(item.index())
        above = index.parent()
        while above.isValid():
            self.view.expand(above)
            above = above.parent()
        flags = QItemSelectionModel.SelectionFlag
        selection.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.view.scrollTo(index)
        self._quiet = False

    def selected(self) -> str:
        """Return the chosen layer's name, empty if there is none."""
        value = self.view.currentIndex().data(NAME_ROLE)
        return str(value) if value else ""

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def _item(self, layer: LayerInfo, children: int, named: bool) -> QStandardItem:
        short = layer.name.rpartition(".")[2]
        if layer.container and short.isdigit():
            # "2.0" says which block it is where "0" alone would not
            short = ".".join(layer.name.split(".")[-2:]).removeprefix("layer")
        item = QStandardItem(short)
        shape = shape_label(layer.out_shape)
        if layer.container and layer.block == "":
            shape = (_tr("{0} blocks") if named else _tr("{0} layers")).format(children)
        item.setData(layer.name, NAME_ROLE)
        note = f"= {layer.role}" if layer.role else ""
        if not note and short.isdigit():
            note = layer.kind  # "3" alone says nothing of what it is
        item.setData(note, NOTE_ROLE)
        item.setData(shape, SHAPE_ROLE)
        item.setData(f"{layer.name} {layer.kind} {layer.role}", NOTE_ROLE + 10)
        item.setToolTip(_tip(layer))
        item.setAccessibleText(f"{layer.name}, {layer.kind}, {shape}")
        return item

    def _on_filter(self, text: str) -> None:
        self._proxy.setFilterFixedString(text)
        if text:
            self.view.expandAll()

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        name = current.data(NAME_ROLE)
        if name and not self._quiet:
            self.layer_selected.emit(str(name))

    def leaveEvent(self, event: QEvent | None) -> None:
        self.layer_pointed.emit("")
        super().leaveEvent(event)

    def _on_entered(self, index: QModelIndex) -> None:
        if name := index.data(NAME_ROLE):
            self.layer_pointed.emit(str(name))


def _tip(layer: LayerInfo) -> str:
    lines = [f"{layer.name}: {layer.kind}", shape_label(layer.out_shape)]
    if layer.params:
        lines.append(_tr("{0:,} parameters").format(layer.params))
    field = layer.receptive_field
    if field is not None:
        seen = _tr("sees the whole picture") if field.whole else _tr("sees {0} × {1} px, padding included")
        lines.append(seen.format(field.size_y, field.size_x))
    return "\n".join(lines)


class _Delegate(QStyledItemDelegate):
    """Name at the left, its part in the block muted behind it, the shape at the right."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        style = option.widget.style() if option.widget is not None else None
        if style is not None:
            style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        colours, metrics = theme.current(), option.fontMetrics
        rect = option.rect.adjusted(4, 0, -4, 0)
        if isinstance(option.widget, QTreeView) and (viewport := option.widget.viewport()) is not None:
            # a hidden header is not told of the scroll bar, so the column may reach below it
            rect.setRight(min(rect.right(), viewport.width() - 4))
        shape = str(index.data(SHAPE_ROLE) or "")
        note = str(index.data(NOTE_ROLE) or "")
        shape_w = metrics.horizontalAdvance(shape)
        painter.save()
        room = rect.width()
        name_w = metrics.horizontalAdvance(text)
        with_shape = name_w + shape_w + 12 <= room
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.setPen(QColor(colours.text))
        painter.drawText(rect, left, metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room))
        painter.setPen(QColor(colours.muted))
        if with_shape:
            painter.drawText(rect, right, shape)
        free = room - name_w - 8 - (shape_w + 12 if with_shape else 0)
        if note and free > 24:
            shown = metrics.elidedText(note, Qt.TextElideMode.ElideRight, free)
            painter.drawText(rect.adjusted(name_w + 8, 0, 0, 0), left, shown)
        painter.restore()
