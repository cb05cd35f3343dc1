"""One worker thread on which the newest request of each kind wins.

Dragging a slider makes a hundred requests a second; only the last one matters. A request
that is overtaken before it runs is dropped, one that is overtaken while it runs has its
token set and stops at its next check. No thread is ever terminated and no lock is held
while work runs.
"""

from __future__ import annotations

import atexit
import threading
import time
import traceback
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from resnet_viz.core.errors import Cancelled, UserError
from resnet_viz.core.token import CancelToken


class Progress(Protocol):
    """Says how far a request is; raises Cancelled once nobody waits for it any more."""

    def __call__(self, share: float, value: object = None, /) -> None:
        """Deliver the share done, 0-1, and what is known already, None for nothing."""


Handler = Callable[[object, CancelToken, Progress], object]

LAST_S = 30.0
"""How long the interpreter waits at its end for work that goes on although its token is set."""

_runners: weakref.WeakSet[LatestRunner] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request, or how far it is.

    Attributes:
        kind: the request's kind.
        ticket: the number that ``submit`` returned.
        request: the request itself.
        value: the answer, None if it failed; while it runs what is known so far, mostly None.
        error: why it failed: a UserError for bad input, anything else is a bug.
        details: the traceback of a bug, empty for bad input.
        progress: share done 0-1 while it runs, None in the final outcome.
        elapsed_s: seconds since it began to run.
    """

    kind: str
    ticket: int
    request: object
    value: object = None
    error: BaseException | None = None
    details: str = ""
    progress: float | None = None
    elapsed_s: float = 0.0


@dataclass(slots=True)
class _Job:
    kind: str
    ticket: int
    request: object
    yields: bool = False
    token: CancelToken = field(default_factory=CancelToken)


class LatestRunner:
    """Runs requests one after another on a thread of its own.

    Args:
        handle: does the work: ``handle(request, token, progress)``.
        deliver: gets every Outcome, on the worker's thread.
        name: of the thread.
        linger_s: see :meth:`set_linger`.
    """

    def __init__(
        self,
        handle: Handler,
        deliver: Callable[[Outcome], None],
        name: str = "worker",
        linger_s: float | None = None,
    ) -> None:
        self._handle = handle
        self._deliver = deliver
        self._name, self._linger_s = name, linger_s
        self._ready = threading.Condition()
        self._waiting: OrderedDict[str, _Job] = OrderedDict()
        self._running: _Job | None = None
        self._newest: dict[str, int] = {}
        self._ticket = 0
        self._closed = False
        self._thread: threading.Thread | None = None  # started by the first request
        _runners.add(self)

    def submit(self, kind: str, request: object, *, yields: bool = False) -> int:
        """Queue a request, overtaking an older one of its kind; returns its ticket.

        Args:
            kind: of several requests of one kind only the newest is answered.
            request: what the handler gets.
            yields: give it up as soon as a request of another kind comes; nothing is delivered then.

        Raises:
            RuntimeError: if the runner is closed, or the system has no thread left; nothing is queued then.
        """
        with self._ready:
            if self._closed:
                raise RuntimeError("the runner is closed")
            self._ticket += 1
            # a kind keeps its place in the line: a stream of new requests must not starve it
            self._waiting[kind] = _Job(kind, self._ticket, request, yields)
            self._newest[kind] = self._ticket
            for other in [one.kind for one in self._waiting.values() if one.yields and one.kind != kind]:
                del self._waiting[other]
            if self._running is not None and (self._running.yields or self._running.kind == kind):
                self._running.token.cancel()
            self._start()
            self._ready.notify()
            return self._ticket

    def _start(self) -> None:
        """Start the thread unless it runs; the lock is held."""
        if self._thread is not None and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._waiting.clear()
            raise
        self._thread = thread

    def set_linger(self, linger_s: float | None) -> None:
        """Say how long the thread waits for another request before it ends; the next one starts a new thread.

        A thread that has used OpenMP keeps its helpers, and once it manages more threads than there are
        processors, GNU's OpenMP lets all of them sleep between two pieces of work instead of waiting
        awake (GOMP_SPINCOUNT in its manual). The passes of every other thread then take longer:
        ``python -m benchmarks.click --visited``. So does the first pass of a new thread.

        Args:
            linger_s: seconds, None for as long as the runner is open.
        """
        with self._ready:
            self._linger_s = linger_s
            self._ready.notify()

    def cancel(self, kind: str | None = None) -> None:
        """Give up the request of ``kind``, or of every kind; nothing is delivered for it."""
        with self._ready:
            kinds = [kind] if kind is not None else list(self._newest)
            for one in kinds:
                self._waiting.pop(one, None)
                self._ticket += 1
                self._newest[one] = self._ticket
            if self._running is not None and self._running.kind in kinds:
                self._running.token.cancel()

    def is_current(self, kind: str, ticket: int) -> bool:
        """Whether nothing newer of this kind has been submitted since."""
        return self._newest.get(kind) == ticket

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop after the running request, whose token is set, and wait for the thread."""
        with self._ready:
            self._closed = True
            self._waiting.clear()
            if self._running is not None:
                self._running.token.cancel()
            self._ready.notify()
            thread = self._thread
        if thread is not None and threading.current_thread() is not thread:
            thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._waiting and not self._closed:
                    came = self._ready.wait(self._linger_s)
                    if not came and not self._waiting and self._linger_s is not None:
                        self._thread = None
                        return
                if self._closed:
                    return
                _, job = self._waiting.popitem(last=False)
                self._running = job
            try:
                outcome = self._run(job)
            finally:
                with self._ready:
                    self._running = None
            if outcome is not None:
                self._deliver(outcome)
            del job, outcome  # else the last answer would live until the next request

    def _run(self, job: _Job) -> Outcome | None:
        begun = time.perf_counter()

        def progress(share: float, value: object = None, /) -> None:
            job.token.check()
            elapsed = time.perf_counter() - begun
            self._deliver(Outcome(job.kind, job.ticket, job.request, value=value, progress=share, elapsed_s=elapsed))

        try:
            value = self._handle(job.request, job.token, progress)
        except Cancelled:
            return None
        except UserError as error:
            return Outcome(job.kind, job.ticket, job.request, error=error, elapsed_s=time.perf_counter() - begun)
        except Exception as error:  # a bug must reach the window, never end the worker
            details = traceback.format_exc()
            return Outcome(
                job.kind, job.ticket, job.request, error=error, details=details, elapsed_s=time.perf_counter() - begun
            )
        if job.token.cancelled:
            return None
        return Outcome(job.kind, job.ticket, job.request, value=value, elapsed_s=time.perf_counter() - begun)


@atexit.register
def _end() -> None:
    """Let every thread come to its end while there still is an interpreter.

    Python ends a thread that comes back from C++ afterwards by unwinding it, which C++ takes for a fault
    (``terminate called without an active exception``): the program would end with a crash.
    """
    runners = list(_runners)
    for runner in runners:
        runner.close(timeout_s=0)
    end = time.monotonic() + LAST_S
    for runner in runners:
        runner.close(timeout_s=max(0.0, end - time.monotonic()))
