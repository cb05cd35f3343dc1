"""A table of runs: sort, filter, choose several to compare, copy as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QEvent, QItemSelectionModel, QModelIndex, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.training.history import RunHistory

from .elided_label import ElidedLabel
from .run_columns import Column, drop_order, longest_time_left, to_csv, to_markdown
from .run_model import RUN_ROLE, RunModel, RunProxy
from .run_paint import BAR_PX, RunDelegate
from .run_view import RunView, fit_widths


def _tr(text: str) -> str:
    return QCoreApplication.translate("RunTable", text)


Menu = Callable[[QMenu, list[Path]], None]


class RunTable(QWidget):
    """A heading with a filter, and the table.

    Attributes:
        head: layout of the heading's row, for buttons of the workspace.
        menu: fills the menu of the chosen runs; without it there is none.

    Signals:
        chosen: folders of the chosen runs, top first, whenever they change.
        activated_run: folder of the run that was double-clicked or entered.
    """

    chosen = pyqtSignal(list)
    activated_run = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.menu: Menu | None = None
        self._choice: dict[str, bool] = {}
        self._last: list[Path] = []
        self._hinted = True
        self.model = RunModel(self)
        self.proxy = RunProxy(self)
        self.proxy.setSourceModel(self.model)
        self.title, self.count = QLabel(), ElidedLabel()
        self.title.setProperty("heading", True)
        self.count.setProperty("muted", True)
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.filter.setMinimumWidth(100)
        self.filter.setMaximumWidth(240)
        self.filter.textChanged.connect(self._on_filter)
        self.view = RunView()
        self.view.setModel(self.proxy)
        self.delegate = RunDelegate(self.view)
        self.view.setItemDelegate(self.delegate)
        self.view.resized.connect(self._on_resized)
        self.view.copied.connect(self.copy)
        self.view.activated.connect(self._on_activated)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        self.head.addWidget(self.title)
        self.head.addWidget(self.count)
        self.head.addStretch(1)
        self.head.addWidget(self.filter, 1)
        self.columns_button = QToolButton()
        self.columns_button.clicked.connect(self._on_columns)
        self.head.addWidget(self.columns_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(self.head)
        layout.addWidget(self.view, 1)
        header = self.view.header()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_header_menu)
        selection = self.view.selectionModel()
        assert selection is not None
        selection.selectionChanged.connect(lambda *_: self._on_selection())
        self.proxy.rowsRemoved.connect(lambda *_: self._on_selection())
        self._retranslate()

    # --- what is shown

    def set_runs(self, runs: Sequence[RunHistory]) -> None:
        """Show these runs; what is chosen and how it is sorted stays."""
        self.model.set_runs(runs)
        self._recount()
        self.fit()

    def update_run(self, run: RunHistory) -> None:
        """Show one run's newer history, or add the run."""
        row = self.model.row_of(run.path)
        before = self.model.run_at(row).state if row >= 0 else ""
        self.model.update_run(run)
        self._recount()
        if run.state != before:
            self.fit()

    def runs(self) -> list[RunHistory]:
        """Return the runs that pass the filter, in the order on screen."""
        return [self.proxy.index(row, 0).data(RUN_ROLE) for row in range(self.proxy.rowCount())]

    def set_colours(self, colours: Mapping[Path, str]) -> None:
        """Mark runs with the colour of their curve."""
        self.delegate.colours = dict(colours)
        self.view.surface().update()

    # --- what is chosen

    def selected(self) -> list[Path]:
        """Return the folders of the chosen runs, top first."""
        selection = self.view.selectionModel()
        assert selection is not None
        rows = sorted(index.row() for index in selection.selectedRows())
        return [self.proxy.index(row, 0).data(RUN_ROLE).path for row in rows]

    def select(self, paths: Sequence[Path]) -> None:
        """Choose these runs; those that the filter hides cannot be chosen."""
        selection = self.view.selectionModel()
        assert selection is not None
        flags = QItemSelectionModel.SelectionFlag
        blocked = selection.blockSignals(True)
        selection.clearSelection()
        for path in paths:
            row = self.model.row_of(path)
            index = self.proxy.mapFromSource(self.model.index(row, 0)) if row >= 0 else QModelIndex()
            if index.isValid():
                selection.select(index, flags.Select | flags.Rows)
                selection.setCurrentIndex(index, flags.NoUpdate)
                self.view.scrollTo(index)
        selection.blockSignals(blocked)
        self.view.surface().update()
        self._on_selection()

    # --- as text

    def to_csv(self) -> str:
        """Return the runs on screen as CSV with raw values."""
        return to_csv(self.runs())

    def to_markdown(self) -> str:
        """Return the runs on screen as a Markdown table."""
        return to_markdown(self.runs())

    def copy(self) -> None:
        """Put the chosen runs, or all, as a Markdown table into the clipboard."""
        chosen = set(self.selected())
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(to_markdown([run for run in self.runs() if not chosen or run.path in chosen]))

    # --- columns

    def column_choice(self) -> dict[str, bool]:
        """Return which columns the person switched on or off; the others follow the room."""
        return dict(self._choice)

    def set_column_choice(self, choice: Mapping[str, bool]) -> None:
        """Show and hide columns as chosen; an empty choice lets the room decide."""
        known = {column.id for column in self.model.columns}
        self._choice = {name: bool(on) for name, on in choice.items() if name in known and name != "run"}
        self.fit()

    def shown_columns(self) -> list[str]:
        """Return the ids of the columns on screen."""
        shown = enumerate(self.model.columns)
        return [column.id for place, column in shown if not self.view.isColumnHidden(place)]

    def fit(self) -> None:
        """Give each column its width; where the room is too small, columns that tell least go."""
        columns = self.model.columns
        natural = [self._natural_px(column) for column in columns]
        shown = [place for place, column in enumerate(columns) if self._choice.get(column.id, True)]
        drops = [place for place in drop_order(self.model.runs()) if columns[place].id not in self._choice]
        least = [min(px, column.least_px or px) for px, column in zip(natural, columns, strict=True)]
        shares = [column.share for column in columns]
        widths = fit_widths(natural, least, shares, shown, drops, self.view.surface().width())
        for place in range(len(columns)):
            self.view.setColumnHidden(place, place not in widths)
            if place in widths:
                self.view.setColumnWidth(place, widths[place])

    def _natural_px(self, column: Column) -> int:
        metrics = self.view.fontMetrics()
        texts = {column.text(run) for run in self.model.runs()[:500]}
        if column.id == "state" and any(run.state == "running" for run in self.model.runs()):
            texts.add(longest_time_left())
        widest = max((metrics.horizontalAdvance(text) for text in texts), default=0)
        extra = {"run": 34, "state": BAR_PX + 28}.get(column.id, 18)
        return max(widest + extra, self.view.title_px(column.title))

    # --- what happens

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        row = [item.widget() for place in range(self.head.count()) if (item := self.head.itemAt(place)) is not None]
        others = [one for one in row if one is not None and one not in (self.filter, self.count)]
        need = sum(one.sizeHint().width() + self.head.spacing() for one in others) + self.filter.minimumWidth()
        self.filter.setVisible(self.width() >= need or bool(self.filter.text()))
        hint_px = self.count.fontMetrics().horizontalAdvance(self._hint()) if self.model.rowCount() > 1 else 0
        if (hinted := self.width() >= need + hint_px) != self._hinted:
            self._hinted = hinted
            self._recount()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is None:
            return
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.LanguageChange):
            self.fit()

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def _retranslate(self) -> None:
        self.model.retranslate()
        self.title.setText(_tr("Runs"))
        self.filter.setPlaceholderText(_tr("Filter"))
        self.filter.setToolTip(_tr("Show only runs in which each of these words occurs, for example: resnet sgd"))
        self.columns_button.setText(_tr("Columns"))
        self.columns_button.setToolTip(_tr("Choose what the table tells of each run"))
        self.filter.setAccessibleName(_tr("Filter runs"))
        self.view.setAccessibleName(_tr("Runs"))
        self.view.setWhatsThis(
            _tr(
                "Choose one or more runs to see their curves; Enter opens a run. A click on a heading sorts, "
                "“Columns” chooses what is told of each, Ctrl+C copies the chosen runs as a table."
            )
        )
        self._recount()

    def _recount(self) -> None:
        rows, shown = self.model.rowCount(), self.proxy.rowCount()
        text = str(rows) if rows == shown else _tr("{0} of {1}").format(shown, rows)
        self.count.setText(f"{text} · {self._hint()}" if rows > 1 and self._hinted else text)
        self.view.note = (
            _tr("No run matches the filter.") if rows else _tr("No runs yet. Choose a net and press Start.")
        )
        self.view.surface().update()

    def _hint(self) -> str:
        return _tr("select two or more to overlay")

    def _on_filter(self, text: str) -> None:
        self.proxy.set_words(text)
        self._recount()
        self._on_selection()

    def _on_selection(self) -> None:
        now = self.selected()
        if now != self._last:
            self._last = now
            self.chosen.emit(now)

    def _on_activated(self, index: QModelIndex) -> None:
        run = index.data(RUN_ROLE)
        if isinstance(run, RunHistory):
            self.activated_run.emit(run.path)

    def _on_menu(self, spot: QPoint) -> None:
        if self.menu is None:
            return
        menu = QMenu(self)
        self.menu(menu, self.selected())
        if not menu.isEmpty():
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.view.surface().mapToGlobal(spot))

    def _on_resized(self) -> None:
        self.fit()
        selection = self.view.selectionModel()
        if selection is not None and selection.isSelected(selection.currentIndex()):
            self.view.scrollTo(selection.currentIndex())  # a run that was just started makes room for its buttons

    def _on_columns(self) -> None:
        menu = self.column_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.columns_button.mapToGlobal(QPoint(0, self.columns_button.height())))

    def _on_header_menu(self, spot: QPoint) -> None:
        menu = self.column_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.view.header().mapToGlobal(spot))

    def column_menu(self) -> QMenu:
        """Return the menu that chooses the columns; the caller shows it."""
        menu = QMenu(self)
        for place, column in enumerate(self.model.columns):
            action = menu.addAction(column.title)
            assert action is not None
            action.setCheckable(True)
            action.setChecked(not self.view.isColumnHidden(place))
            action.setEnabled(column.id != "run")
            action.toggled.connect(lambda on, name=column.id: self.set_column_choice({**self._choice, name: on}))
        menu.addSeparator()
        automatic = menu.addAction(_tr("As many as fit"))
        assert automatic is not None
        automatic.triggered.connect(lambda: self.set_column_choice({}))
        return menu
