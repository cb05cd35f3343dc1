"""Asking a run to pause, go on or stop, from another thread."""

from __future__ import annotations

import threading

from resnet_viz.core.token import CancelToken


class RunControl(CancelToken):
    """A cancel token that can also hold a run between two steps."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        super().__init__()
        self._free = threading.Event()
        self._free.set()

    def pause(self) -> None:
        """Hold the run before its next step."""
        self._free.clear()

    def go_on(self) -> None:
        """Let a held run go on."""
        self._free.set()

    def cancel(self) -> None:
        """Stop the run at its next step, held or not."""
        super().cancel()
        self._free.set()

    @property
    def paused(self) -> bool:
        """Whether the run is asked to wait."""
        return not self._free.is_set()

    def wait(self) -> None:
        """Return when the run may go on."""
        self._free.wait()
