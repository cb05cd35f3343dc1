"""Size of the text and colours of the window, remembered between starts."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QSettings, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QApplication

from . import theme
from .actions import table
from .icons import icon

SCHEMES: tuple[theme.SchemeName, ...] = ("system", "light", "dark")


class Appearance(QObject):
    """Changes the application's font and palette, and the icons with them.

    Args:
        settings: where the choices are remembered.
        actions: the window's actions by id.
        parent: the window.

    Signals:
        changed: the colours are others now.
    """

    changed = pyqtSignal()

    def __init__(self, settings: QSettings, actions: dict[str, QAction], parent: QObject) -> None:
        super().__init__(parent)
        self._settings = settings
        self._actions = actions

    def restore(self) -> None:
        """Apply what was remembered."""
        wanted = str(self._settings.value("scheme", "system", type=str))
        self.set_scheme(next((scheme for scheme in SCHEMES if scheme == wanted), "system"), remember=False)

    def set_scheme(self, scheme: theme.SchemeName, *, remember: bool = True) -> None:
        """Use light or dark colours, or follow the system."""
        theme.apply(_app(), scheme)
        if remember:
            self._settings.setValue("scheme", scheme)
        for name in SCHEMES:
            self._actions[f"scheme_{name}"].setChecked(name == scheme)
        for spec in table():
            if spec.icon:
                self._actions[spec.id].setIcon(icon(spec.icon))
        self.changed.emit()

    def set_font(self, px: int) -> None:
        """Use ``px`` pixels as the base size of all text."""
        self._settings.setValue("font_px", theme.set_font(_app(), px))

    def step_font(self, step: int) -> None:
        """Make all text ``step`` pixels larger."""
        self.set_font(_app().font().pixelSize() + step)


def _app() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app
