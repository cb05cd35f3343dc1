"""Blocks of the network map that grow and shrink smoothly as they come into focus and leave it."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QAbstractAnimation, QEasingCurve, QObject, QVariantAnimation, pyqtSignal
from PyQt6.QtWidgets import QApplication, QStyle

GROW_MS = 130


class Growth(QObject):
    """Moves amounts 0-1 by column from what they are to what is wanted.

    Signals:
        changed: a dict of column -> amount; columns at 0 are left out.
    """

    changed = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._now: dict[int, float] = {}
        self._from: dict[int, float] = {}
        self._to: dict[int, float] = {}
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setDuration(GROW_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._show)

    def go(self, wanted: Mapping[int, float], at_once: bool = False) -> None:
        """Move towards ``wanted``; at once where nobody would see it or the style has no animations."""
        if wanted == self._to:
            if at_once:
                self.finish()
            return
        self._animation.stop()
        self._from, self._to = dict(self._now), dict(wanted)
        style = QApplication.style()
        hint = QStyle.StyleHint.SH_Widget_Animation_Duration
        if at_once or style is None or style.styleHint(hint) == 0:
            self._show(1.0)
        else:
            self._animation.start()

    def finish(self) -> None:
        """Go to the end of a running movement."""
        if self._animation.state() == QAbstractAnimation.State.Running:
            self._animation.stop()
            self._show(1.0)

    def forget(self) -> None:
        """Start over with nothing in focus; nobody is told."""
        self._animation.stop()
        self._now, self._from, self._to = {}, {}, {}

    def _show(self, share: float) -> None:
        columns = self._from.keys() | self._to.keys()
        mixed = {i: (1 - share) * self._from.get(i, 0.0) + share * self._to.get(i, 0.0) for i in columns}
        self._now = {index: amount for index, amount in mixed.items() if amount > 0.001}
        self.changed.emit(dict(self._now))
