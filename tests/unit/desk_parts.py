"""What the tests of the gradient desk share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from resnet_viz.core.errors import Cancelled
from resnet_viz.core.token import CancelToken
from resnet_viz.session.gradient_requests import NetChoice


def trained(ref: str) -> NetChoice:
    """Return the choice of a trained net, a checkpoint or a run as its reference alone opens it."""
    return NetChoice(ref, untrained=False)


class Parts:
    """Collects partial answers."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.values: list[Any] = []

    def __call__(self, share: float, value: object = None, /) -> None:
        self.shares.append(share)
        if value is not None:
            self.values.append(value)


def stopped(work: Callable[[CancelToken], object], after_s: float) -> float:
    """Run ``work``, set its token after a while, and return how many seconds it went on computing.

    On a machine that is busy with something else it may have to wait for its turn, which does not count.
    """
    token, when = CancelToken(), [0.0, 0.0]
    clock = time.perf_counter
    if hasattr(time, "pthread_getcpuclockid"):
        clock = partial(time.clock_gettime, time.pthread_getcpuclockid(threading.get_ident()))

    def cancel() -> None:
        when[:] = clock(), time.monotonic()
        token.cancel()

    timer = threading.Timer(after_s, cancel)
    timer.start()
    try:
        with pytest.raises(Cancelled):
            work(token)
        assert time.monotonic() - when[1] < 30  # it does not sleep either
        return clock() - when[0]
    finally:
        timer.cancel()
        timer.join()
