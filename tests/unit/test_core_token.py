"""Cooperative cancellation."""

from __future__ import annotations

import threading
import time

import pytest

from resnet_viz.core.errors import Cancelled
from resnet_viz.core.token import NEVER, CancelToken


def test_a_fresh_token_lets_work_go_on() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled


def test_a_cancelled_token_stops_every_later_check() -> None:
    token = CancelToken()
    token.cancel()
    token.cancel()  # twice is once
    assert token.cancelled
    for _ in range(2):
        with pytest.raises(Cancelled):
            token.check()


def test_tokens_are_independent_and_the_shared_one_is_unset() -> None:
    CancelToken().cancel()
    assert not CancelToken().cancelled
    assert not NEVER.cancelled


def test_another_thread_sees_it_at_once() -> None:
    token, started, stopped_after_s = CancelToken(), threading.Event(), []

    def work() -> None:
        started.set()
        try:
            while True:
                token.check()
        except Cancelled:
            stopped_after_s.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(10)
    asked = time.monotonic()
    token.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert stopped_after_s[0] - asked < 5
