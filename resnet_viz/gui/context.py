"""What every workspace is given: the workers and the settings, nothing global."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PyQt6.QtCore import QSettings

from .bridge import Bridge
from .run_book import RunBook

LONGEST_S = 5.0
"""How long the program waits at its end for workers that cannot stop at once, such as one that imports torch."""


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by the window and its views.

    Attributes:
        nets: the worker that owns every network.
        files: the worker that reads and writes pictures and files.
        desk: the worker of the Train workspace: data sets, runs, judgements.
        costs: the worker that waits for measured costs, so that nothing else has to.
        lab: the worker that answers the switches of the Gradients workspace.
        studies: the worker of its long measurements: sweeps, short trainings, every block in turn.
        book: the runs that the window knows.
        settings: window layout and choices.
    """

    nets: Bridge
    files: Bridge
    desk: Bridge
    costs: Bridge
    lab: Bridge
    studies: Bridge
    book: RunBook
    settings: QSettings

    def close(self) -> None:
        """Stop all workers: tell them all first, then wait for them together."""
        bridges = (self.nets, self.files, self.desk, self.costs, self.lab, self.studies)
        for bridge in bridges:
            bridge.close(timeout_s=0)
        end = time.monotonic() + LONGEST_S
        for bridge in bridges:
            bridge.close(timeout_s=max(0.0, end - time.monotonic()))
