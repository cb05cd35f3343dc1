"""What every workspace is given: the two workers and the settings, nothing global."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QSettings

from resnet_viz.core.paths import config_dir

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


def open_settings() -> QSettings:
    """Return the settings file; values come back as text, so always pass ``type=``."""
    return QSettings(str(config_dir() / "window.ini"), QSettings.Format.IniFormat)
