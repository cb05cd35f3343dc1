"""Partial answers at a rate that a window can paint."""

from __future__ import annotations

import time
from collections.abc import Callable

from resnet_viz.jobs.latest import Progress

EVERY_S = 0.1


class Pace:
    """Hands partial answers on, at most ten a second; the first at once.

    Args:
        progress: gets them; raises Cancelled once nobody waits for the answer.
        every_s: least time between two.
    """

    def __init__(self, progress: Progress, every_s: float = EVERY_S) -> None:
        self._progress, self._every_s = progress, every_s
        self._next = 0.0

    def __call__(self, share: float, answer: Callable[[], object] = lambda: None) -> None:
        """Deliver the share done, 0-1, and what ``answer`` returns, if it is time; else it is not even called."""
        if time.monotonic() >= self._next:
            self._progress(share, answer())
            self._next = time.monotonic() + self._every_s
