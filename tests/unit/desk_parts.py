"""What the tests of the gradient desk share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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
    """Run ``work``, set its token after a while, and return how many seconds later it stopped."""
    token, when = CancelToken(), [0.0]

    def cancel() -> None:
        when[0] = time.perf_counter()
        token.cancel()

    timer = threading.Timer(after_s, cancel)
    timer.start()
    try:
        with pytest.raises(Cancelled):
            work(token)
        return time.perf_counter() - when[0]
    finally:
        timer.cancel()
        timer.join()
