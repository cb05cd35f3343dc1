"""A short list of nets that a person puts together: trained ones, and checkpoints from files."""

from __future__ import annotations

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

    def nets(self) -> list[tuple[str, str]]:
        """Return (reference, title) of each chosen net."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return [(str(item.data(Qt.ItemDataRole.UserRole)), item.text()) for item in items if item is not None]

    def add(self, ref: str, title: str = "") -> None:
        """Add the id of a trained net, or the path of a checkpoint or run."""
        if self.list.count() >= self._most:
            self.list.takeItem(0)
        item = QListWidgetItem(title or Path(ref).name)
        item.setData(Qt.ItemDataRole.UserRole, ref)
        item.setToolTip(ref)
        self.list.addItem(item)
        self.list.setCurrentItem(item)
        self.changed.emit()

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        for model_id, card in store.trained_models():
            title = str(card.get("title") or model_id)
            action = menu.addAction(title)
            assert action is not None
            action.triggered.connect(lambda _on, ref=model_id, title=title: self.add(ref, title))
        menu.addSeparator()
        file = menu.addAction(_tr("Checkpoint from a file…"))
        assert file is not None
        file.triggered.connect(lambda _on: self.file_requested.emit())

    def _remove(self) -> None:
        if self.list.currentRow() >= 0:
            self.list.takeItem(self.list.currentRow())
            self.changed.emit()
