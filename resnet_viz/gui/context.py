"""What every workspace is given: the two workers and the settings, nothing global."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QSettings

from .bridge import Bridge


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by the window and its views.

    Attributes:
        nets: the worker that owns every network.
        files: the worker that reads and writes pictures and files.
        settings: window layout and choices.
    """

    nets: Bridge
    files: Bridge
    settings: QSettings
