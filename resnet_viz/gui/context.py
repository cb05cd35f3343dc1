"""What every workspace is given: the workers and the settings, nothing global."""

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
        desk: the worker of the Train workspace: data sets, runs, judgements.
        costs: the worker that waits for measured costs, so that nothing else has to.
        settings: window layout and choices.
    """

    nets: Bridge
    files: Bridge
    desk: Bridge
    costs: Bridge
    settings: QSettings

    def close(self) -> None:
        """Stop all workers."""
        for bridge in (self.nets, self.files, self.desk, self.costs):
            bridge.close()
