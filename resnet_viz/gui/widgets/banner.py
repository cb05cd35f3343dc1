"""A message in the view instead of a dialog in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from PyQt6.QtCore import QCoreApplication, QEvent, Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from resnet_viz.gui import theme

Kind = Literal["info", "warn", "error"]
Actions = Sequence[tuple[str, Callable[[], object]]]
_SIGNS: dict[str, str] = {"info": "ℹ", "warn": "⚠", "error": "✕"}


def _tr(text: str) -> str:
    return QCoreApplication.translate("Banner", text)


class Banner(QFrame):
    """One message at a time; hidden while there is none.

    A standing message (a question that waits for its answer) lies under those that come and go:
    it is on show again as soon as they are gone.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._kind: Kind = "info"
        self._coloured = theme.current()
        self._sign = QLabel()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)  # a file name is no markup
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._close = QToolButton()
        self._close.setText("✕")
        self._close.setToolTip(_tr("Hide this message (Esc)"))
        self._close.setAccessibleName(_tr("Hide this message"))
        self._close.setShortcut(QKeySequence(Qt.Key.Key_Escape))
        self._close.clicked.connect(self._on_close)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(16, 8, 8, 8)
        self._row.setSpacing(8)
        self._row.addWidget(self._sign)
        self._row.addWidget(self._text, 1)
        self._row.addWidget(self._close)
        self._buttons: list[QPushButton] = []
        self._standing: tuple[str, Kind, Actions] | None = None
        self._passing = False
        self.hide()

    def show_message(self, text: str, kind: Kind = "info", actions: Actions = ()) -> None:
        """Show a message, instead of the one before, with buttons for what can be done."""
        self._passing = True
        self._put(text, kind, actions)

    def set_standing(self, text: str, kind: Kind = "info", actions: Actions = ()) -> None:
        """Show a message whenever no other is on show, until it is closed or set anew; an empty text ends it."""
        self._standing = (text, kind, actions) if text else None
        if not self._passing:
            self.clear()

    def clear(self) -> None:
        """Take the message away that came last; one that stands is seen again."""
        self._passing = False
        if self._standing is not None:
            self._put(*self._standing)
            return
        self._drop_buttons()
        self.hide()

    def _on_close(self) -> None:
        if not self._passing:
            self._standing = None
        self.clear()

    def _put(self, text: str, kind: Kind, actions: Actions) -> None:
        self._drop_buttons()
        self._kind = kind
        self._sign.setText(_SIGNS[kind])
        self._text.setText(text)
        for label, action in actions:
            button = QPushButton(label)
            button.clicked.connect(lambda _checked=False, action=action: action())
            self._row.insertWidget(self._row.count() - 1, button)
            self._buttons.append(button)
        self._colour()
        self.setAccessibleName(text)
        self.show()

    def text(self) -> str:
        """Return the message shown, empty if there is none."""
        return self._text.text() if not self.isHidden() else ""

    def _drop_buttons(self) -> None:
        for button in self._buttons:
            self._row.removeWidget(button)
            button.hide()  # it is deleted when the event loop turns, and must not be seen until then
            button.deleteLater()
        self._buttons.clear()

    def _colour(self) -> None:
        colours = self._coloured = theme.current()
        edge = {"info": colours.residual, "warn": colours.warn, "error": colours.error}[self._kind]
        self.setStyleSheet(
            f"#banner {{ background: {colours.raised}; border: none; border-left: 4px solid {edge}; }}"
            f"#banner QToolButton {{ border: none; background: transparent; padding: 4px 8px; }}"
        )
        self._sign.setStyleSheet(f"color: {edge}; font-weight: 700;")

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        # a style sheet of its own changes the palette again: only another theme is worth a new one
        if event is not None and event.type() == QEvent.Type.PaletteChange and self._coloured is not theme.current():
            self._colour()
