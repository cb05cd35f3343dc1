"""Closing the window while a run is being trained: the person says what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtWidgets import QMessageBox, QWidget


def _tr(text: str) -> str:
    return QCoreApplication.translate("Leaving", text)


def ask_about_training(run: str, waiting: int, leave: Callable[[str], None], parent: QWidget) -> None:
    """Ask whether the run is stopped and saved, or goes on alone; else the window stays.

    Args:
        run: its name.
        waiting: how many runs wait for it.
        leave: called with ``"stop"`` or ``"keep"`` if the window shall close.
        parent: the window.
    """
    box = QMessageBox(QMessageBox.Icon.Question, _tr("Training goes on"), "", parent=parent)
    box.setText(_tr("{0} is being trained. What shall become of it?").format(run))
    text = _tr("A stopped run is saved and can be resumed. One that goes on is found again at the next start.")
    if waiting:
        text += " " + _tr("Runs that wait ({0}) do not start; Resume starts them later.").format(waiting)
    box.setInformativeText(text)
    role = QMessageBox.ButtonRole
    stop = box.addButton(_tr("Stop and save"), role.AcceptRole)
    keep = box.addButton(_tr("Let it go on"), role.DestructiveRole)
    box.addButton(_tr("Cancel"), role.RejectRole)
    box.setDefaultButton(stop)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setObjectName("leaving")
    for button, how in ((stop, "stop"), (keep, "keep")):
        if button is not None:
            button.clicked.connect(lambda _checked, how=how: leave(how))
    box.open()
