"""Dialogs that ask for a file or a folder, and open what was chosen."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QSettings
from PyQt6.QtWidgets import QFileDialog, QWidget

from resnet_viz.session.requests import OpenModel

from .opening import DATA_SUFFIXES, MODEL_SUFFIXES, PICTURE_FILTER, Opener


def _tr(text: str) -> str:
    return QCoreApplication.translate("Window", text)


class Asker:
    """Asks, remembers the folder, and hands the answer to the opener.

    Args:
        settings: where the folder is remembered.
        opener: opens what was chosen.
        window: the dialogs' parent.
    """

    def __init__(self, settings: QSettings, opener: Opener, window: QWidget) -> None:
        self._settings, self._opener, self._window = settings, opener, window

    def _last(self) -> str:
        return str(self._settings.value("folder", "", type=str))

    def _ask_file(self, title: str, filters: str) -> str:
        path, _ = QFileDialog.getOpenFileName(self._window, title, self._last(), filters)
        if path:
            self._settings.setValue("folder", str(Path(path).parent))
        return path

    def _ask_files(self, title: str, filters: str) -> list[str]:
        paths, _ = QFileDialog.getOpenFileNames(self._window, title, self._last(), filters)
        if paths:
            self._settings.setValue("folder", str(Path(paths[0]).parent))
        return paths

    def _ask_folder(self, title: str) -> str:
        path = QFileDialog.getExistingDirectory(self._window, title, self._last())
        if path:
            self._settings.setValue("folder", str(Path(path).parent))  # beside it lies what is wanted next, mostly
        return path

    def open_anything(self) -> None:
        """Open pictures, a checkpoint or a data set."""
        others = " ".join(f"*{suffix}" for suffix in (*MODEL_SUFFIXES, *DATA_SUFFIXES))
        everything = _tr("Pictures and models ({0})").format(f"{PICTURE_FILTER} {others}")
        if paths := self._ask_files(_tr("Open"), f"{everything};;{_tr('All files')} (*)"):
            self._opener.open_any(paths)

    def ask_picture(self) -> None:
        """Open a picture, or several as a strip."""
        filters = f"{_tr('Pictures')} ({PICTURE_FILTER});;{_tr('All files')} (*)"
        if paths := self._ask_files(_tr("Open a picture"), filters):
            self._opener.open_any(paths)

    def ask_model(self) -> None:
        """Open a checkpoint."""
        models = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        filters = f"{_tr('Checkpoints')} ({models});;{_tr('All files')} (*)"
        if path := self._ask_file(_tr("Open a model"), filters):
            self._opener.open_model(OpenModel(ref=path))

    def ask_run(self) -> None:
        """Open a run's folder."""
        if path := self._ask_folder(_tr("Open a trained run")):
            self._opener.open_model(OpenModel(ref=path))

    def ask_pictures(self) -> None:
        """Open a folder of pictures as a strip."""
        if path := self._ask_folder(_tr("Open a folder of pictures")):
            self._opener.open_folder(path)
