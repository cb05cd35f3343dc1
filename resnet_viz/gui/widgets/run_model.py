"""Runs as rows of a Qt model, sorted by value and filtered by words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt

from resnet_viz.training.history import RunHistory

from .run_columns import columns, state_tip

SORT_ROLE = int(Qt.ItemDataRole.UserRole) + 1
RUN_ROLE = SORT_ROLE + 1


class RunModel(QAbstractTableModel):
    """The runs in the order they were given in."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns = columns()
        self._runs: list[RunHistory] = []

    def set_runs(self, runs: Sequence[RunHistory]) -> None:
        """Show these runs; rows of runs that stay are changed in place, so selection and sorting stay."""
        wanted = {run.path: run for run in runs}
        for row in reversed(range(len(self._runs))):
            if self._runs[row].path not in wanted:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._runs[row]
                self.endRemoveRows()
        known = {run.path for run in self._runs}
        for row, run in enumerate(self._runs):
            if wanted[run.path] is not run:
                self._runs[row] = wanted[run.path]
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))
        added = [run for path, run in wanted.items() if path not in known]
        if added:
            self.beginInsertRows(QModelIndex(), len(self._runs), len(self._runs) + len(added) - 1)
            self._runs += added
            self.endInsertRows()

    def update_run(self, run: RunHistory) -> None:
        """Show one run's newer history, or add it."""
        row = self.row_of(run.path)
        if row < 0:
            self.set_runs([*self._runs, run])
        else:
            self._runs[row] = run
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    def retranslate(self) -> None:
        """Take the columns' titles anew."""
        self.columns = columns()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)

    def runs(self) -> list[RunHistory]:
        """Return the runs."""
        return list(self._runs)

    def run_at(self, row: int) -> RunHistory:
        """Return the run of a row."""
        return self._runs[row]

    def row_of(self, path: Path) -> int:
        """Return a run's row, -1 if it is not there."""
        return next((row for row, run in enumerate(self._runs) if run.path == path), -1)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._runs)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> object:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: QModelIndex, role: int = 0) -> object:
        if not index.isValid() or index.row() >= len(self._runs):
            return None
        run, column = self._runs[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(run)
        if role == SORT_ROLE:
            return column.value(run)
        if role == RUN_ROLE:
            return run
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return state_tip(run) if column.id == "state" else f"{run.title}\n{run.path}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {column.text(run)}"
        return None


class RunProxy(QSortFilterProxyModel):
    """Sorts by value, what is not known always last, and keeps rows that hold every word."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: tuple[str, ...] = ()

    def set_words(self, text: str) -> None:
        """Keep the rows whose texts hold each of the words."""
        self._words = tuple(text.casefold().split())
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        model = self.sourceModel()
        if not self._words or not isinstance(model, RunModel):
            return True
        run = model.run_at(source_row)
        text = " ".join((*(column.text(run) for column in model.columns), run.title, run.data)).casefold()
        return all(word in text for word in self._words)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        first, second = left.data(SORT_ROLE), right.data(SORT_ROLE)
        descending = self.sortOrder() == Qt.SortOrder.DescendingOrder
        if first is None or second is None:
            return (first is None and second is not None) if descending else (first is not None and second is None)
        if isinstance(first, str):
            return _natural(first) < _natural(str(second))
        return bool(first < second)


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key by which "plain20" stands before "plain110"."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for letter in [*text.casefold(), ""]:
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, letter))
    return parts
