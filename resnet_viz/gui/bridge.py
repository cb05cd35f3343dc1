"""The one way between threads: requests go out through a LatestRunner, answers come back as a signal.

The worker's handler imports torch when the first request reaches it, so the window is on
screen long before; nothing in this module knows torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from PyQt6.QtCore import QObject, Qt, pyqtSignal, pyqtSlot

from resnet_viz.core.token import CancelToken
from resnet_viz.jobs.latest import Handler, LatestRunner, Outcome, Progress

LINGER_S = 0.2
"""How long a worker's thread that is not kept waits for another request."""


def lazy_handler(module: str, name: str) -> Handler:
    """Return a handler that imports a class, and with it torch, and makes one with the first request.

    What is made lives with its worker only, on one thread at a time; the workbench so owns every network.

    Args:
        module: where the class lies.
        name: of the class; its objects have a method ``handle``.
    """
    benches: list[Callable[..., object]] = []

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        if not benches:
            benches.append(getattr(importlib.import_module(module), name)().handle)
        return benches[0](request, token, progress)

    return handle


class Bridge(QObject):
    """Carries requests to a worker thread and answers back to the window's thread.

    ``arrived`` carries an :class:`Outcome` whose ticket is still the newest of its kind; an
    answer that something newer has overtaken is dropped here, in the window's thread, after
    the last moment at which it could become stale.

    Signals:
        arrived: the Outcome.
        settled: nothing that is due is left; whether all of it was done since nothing was due.
    """

    arrived = pyqtSignal(object)
    settled = pyqtSignal(bool)
    _crossed = pyqtSignal(object)

    def __init__(self, handler: Handler, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._crossed.connect(self._on_crossed, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]
        self._open = True
        self._due: set[str] = set()
        self._well = True
        self._runner = LatestRunner(handler, self._deliver, name=name, linger_s=LINGER_S)

    def ask(self, kind: str, request: object, *, yields: bool = False, due: bool = False) -> int:
        """Send a request; the answer to an older one of the same kind will not be shown.

        One that ``yields`` is given up as soon as anything else is asked for. One that is ``due`` is worth
        waiting for before the program ends, as a file that is being written.
        """
        ticket = self._runner.submit(kind, request, yields=yields)
        if due:
            self._due.add(kind)
        return ticket

    def is_due(self) -> bool:
        """Whether anything is left that is worth waiting for before the program ends."""
        return bool(self._due)

    def cancel(self, kind: str) -> None:
        """Give up the request of this kind, waiting or running."""
        self._runner.cancel(kind)
        self._done(kind, well=True)

    def keep_thread(self, keep: bool) -> None:
        """Keep the worker's thread while there is nothing to do, or let it end soon after its last request.

        A workspace keeps its own while it is on screen; one that is kept longer slows all others down.
        """
        self._runner.set_linger(None if keep else LINGER_S)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop the worker, and wait for it at most so long; nothing is delivered any more."""
        self._open = False
        self._runner.close(timeout_s)

    def _deliver(self, outcome: Outcome) -> None:
        if self._open:
            self._crossed.emit(outcome)

    @pyqtSlot(object)
    def _on_crossed(self, outcome: Outcome) -> None:
        if self._open and self._runner.is_current(outcome.kind, outcome.ticket):
            self.arrived.emit(outcome)
            if outcome.progress is None:
                self._done(outcome.kind, well=outcome.error is None)

    def _done(self, kind: str, *, well: bool) -> None:
        if kind not in self._due:
            return
        self._due.remove(kind)
        self._well = self._well and well
        if not self._due:
            well, self._well = self._well, True
            self.settled.emit(well)
