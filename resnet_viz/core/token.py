"""Cooperative cancellation: whoever works looks at the token, whoever changes their mind sets it."""

from __future__ import annotations

import threading

from .errors import Cancelled


class CancelToken:
    """A flag that one thread sets and another looks at.

    Work is never killed: a long computation calls :meth:`check` at points where stopping is
    safe, for example in a forward hook before each layer.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise :class:`Cancelled` if the work was asked to stop."""
        if self._event.is_set():
            raise Cancelled


NEVER = CancelToken()
"""A token that nobody sets; the default where a caller does not want to cancel."""
