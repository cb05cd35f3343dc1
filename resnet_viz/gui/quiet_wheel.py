"""The wheel scrolls; it changes no choice that the mouse merely passes over.

Qt's combo boxes, spin boxes and sliders take the wheel wherever the mouse is, and the focus with
it: who scrolls a column down changes what lies on the way. Here they leave it to what they stand
in, unless they were chosen by a click or a key. A list that hangs open and scroll bars are other
widgets, and scroll as ever.

A filter of the whole application would be simpler, but in Python it costs more than two
microseconds for each of the 54,000 events that it takes to build the window. So the choices are
watched, and the windows: before a wheel reaches a choice that was made later, it passes here.
"""

from __future__ import annotations

from typing import cast

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QWheelEvent, QWindow
from PyQt6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QApplication, QComboBox, QScrollBar, QWidget

_NAME = "quiet-wheel"


def holds_choice(widget: QObject | None) -> bool:
    """Return whether the wheel would change what a person has chosen in this widget."""
    return isinstance(widget, (QComboBox, QAbstractSpinBox, QAbstractSlider)) and not isinstance(widget, QScrollBar)


class QuietWheel(QObject):
    """An event filter of choices, and of the windows they stand in."""

    def watch(self, window: QWindow | None) -> None:
        """Watch a window; what is made in it later is calmed before the wheel reaches it."""
        if window is not None:
            window.installEventFilter(self)  # once more changes nothing

    def calm(self, widget: QWidget) -> None:
        """Keep the wheel from changing a choice that has not the focus, and from giving it the focus."""
        if widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Pass the wheel on to the parent of a choice without the focus."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(watched, QWidget):
            if watched.hasFocus() or not holds_choice(watched):
                return False
            event.ignore()  # Qt then offers it to the parent, and so on up to the scroll area
            return True
        for top in QApplication.topLevelWidgets():
            if top.windowHandle() is watched:
                inside = top.childAt(cast(QWheelEvent, event).position().toPoint())
                while inside is not None:
                    if holds_choice(inside):
                        self.calm(inside)
                    inside = inside.parentWidget()
        return False


def install(app: QApplication) -> QuietWheel:
    """Return the application's filter, made once: it watches every window that gets the focus."""
    quiet = app.findChild(QuietWheel, _NAME, Qt.FindChildOption.FindDirectChildrenOnly)
    if quiet is None:
        quiet = QuietWheel(app)
        quiet.setObjectName(_NAME)
        app.focusWindowChanged.connect(quiet.watch)
    assert isinstance(quiet, QuietWheel)
    return quiet


def calm(window: QWidget) -> None:
    """Calm all choices that are in a window, those of hidden pages too."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    quiet = install(app)
    for widget in window.findChildren(QWidget):
        if holds_choice(widget):
            quiet.calm(widget)
