"""Ctrl+C and SIGTERM ask a run to save itself first."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from resnet_viz.core.token import CancelToken


@contextmanager
def interruptible(control: CancelToken) -> Iterator[list[int]]:
    """Let Ctrl+C and SIGTERM stop the run as a button would: saved; a second one ends it at once.

    Yields:
        The signals that came, empty at first.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def stop(number: int, _frame: object) -> None:
        came.append(number)
        control.cancel()
        signal.signal(number, before[number])
        with suppress(OSError):  # a terminal that is gone
            os.write(2, b"\nresnet-viz: saving; once more ends at once\n")

    try:
        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            with suppress(ValueError):  # not the main thread: whoever started it stops it
                before[number] = signal.signal(number, stop)
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
