"""A short list of nets that a person puts together: trained ones, and checkpoints from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.session import store
from resnet_viz.session.gradient_requests import NetChoice
from resnet_viz.session.normalizing import in_words
from resnet_viz.session.open_nets import on_offer


def _tr(text: str) -> str:
    return QCoreApplication.translate("ChosenNets", text)


class ChosenNets(QWidget):
    """The list, and buttons to add and remove.

    Args:
        most: how many nets may be chosen; one more pushes out the first.

    Signals:
        changed: the list is another one.
        file_requested: the person wants to add a checkpoint from a file; answer with :meth:`add`.
    """

    changed = pyqtSignal()
    file_requested = pyqtSignal()

    def __init__(self, most: int = 4, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._most = most
        self._open: NetChoice | None = None
        self.list = QListWidget()
        self.list.setAccessibleName(_tr("Chosen nets"))
        self.list.setMaximumHeight(110)
        self.add_button = QToolButton()
        self.add_button.setText(_tr("Add"))
        self.add_button.setToolTip(_tr("Add a trained net, or a checkpoint from a file"))
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.add_button)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        self.add_button.setMenu(menu)
        self.remove_button = QPushButton(_tr("Remove"))
        self.remove_button.setToolTip(_tr("Take the marked net out of the comparison"))
        self.remove_button.clicked.connect(self._remove)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.add_button)
        row.addWidget(self.remove_button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.list)
        column.addLayout(row)
        self.setFocusProxy(self.add_button)

    def nets(self) -> list[NetChoice]:
        """Return the chosen nets."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items if item is not None]

    def set_open(self, choice: NetChoice | None) -> bool:
        """Offer the net that is open in Inspect; emits nothing.

        Returns:
            Whether it is chosen already, and is now taken otherwise: as it is there.
        """
        # weights that are drawn are no trained net: the switches describe such
        self._open = choice if choice is not None and not choice.untrained else None
        changed = False
        for row, one in enumerate(self.nets()):
            now, item = self._as_open(one), self.list.item(row)
            if now != one and item is not None:
                _show(item, now)
                changed = True
        return changed

    def _as_open(self, choice: NetChoice) -> NetChoice:
        """Return a net as it is in Inspect where it is the one that is open there."""
        opened = self._open
        if opened is None or opened.factory != choice.factory:
            return choice
        if opened.ref != choice.ref and (opened.factory or store.place_of(opened.ref) != store.place_of(choice.ref)):
            return choice
        return replace(opened, ref=choice.ref)

    def add(self, ref: str, title: str = "") -> None:
        """Add the id of a trained net, or the path of a checkpoint or run."""
        self._add(self._as_open(NetChoice(ref, False, (), title or Path(ref).name)))

    def _add(self, choice: NetChoice) -> None:
        if self.list.count() >= self._most:
            self.list.takeItem(0)
        item = QListWidgetItem()
        _show(item, choice)
        self.list.addItem(item)
        self.list.setCurrentItem(item)
        self.changed.emit()

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        choices, opened = on_offer(self._open)
        for key, choice in choices.items():
            title = choice.title
            action = menu.addAction(_tr("{0} (open in Inspect)").format(title) if key == opened else title)
            assert action is not None
            action.triggered.connect(lambda _on, choice=choice: self._add(choice))
        menu.addSeparator()
        file = menu.addAction(_tr("Checkpoint from a file…"))
        assert file is not None
        file.triggered.connect(lambda _on: self.file_requested.emit())

    def _remove(self) -> None:
        if self.list.currentRow() >= 0:
            self.list.takeItem(self.list.currentRow())
            self.changed.emit()


def _show(item: QListWidgetItem, choice: NetChoice) -> None:
    """Let an item be a net; its tooltip says what a person has answered about it."""
    item.setText(choice.title)
    item.setData(Qt.ItemDataRole.UserRole, choice)
    told = [_tr("read as {0}").format(choice.arch)] if choice.arch else []
    told += [_tr("mean/std {0}").format(in_words(choice.normalization))] if choice.normalization is not None else []
    item.setToolTip("\n".join([choice.ref or choice.factory or "", *told]))
