"""The newest request wins; nothing leaks, nothing is shown that something newer has overtaken."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time

import pytest

from resnet_viz.core.errors import UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.jobs.latest import LatestRunner, Outcome, Progress


class Box:
    """Collects outcomes and waits for one."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.came = threading.Event()

    def __call__(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if outcome.progress is None:
            self.came.set()

    def wait(self) -> Outcome:
        assert self.came.wait(10)
        self.came.clear()
        return self.outcomes[-1]


def test_an_answer_comes_back_with_its_ticket() -> None:
    box = Box()
    runner = LatestRunner(lambda request, token, progress: request, box)
    ticket = runner.submit("look", 7)
    outcome = box.wait()
    assert (outcome.value, outcome.ticket, outcome.kind) == (7, ticket, "look")
    assert runner.is_current("look", ticket)
    runner.close()


def test_fifty_quick_requests_run_only_the_first_and_the_last() -> None:
    box, started, go = Box(), threading.Event(), threading.Event()
    done: list[object] = []

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        started.set()
        assert go.wait(10)
        token.check()
        done.append(request)
        return request

    runner = LatestRunner(handle, box)
    runner.submit("look", 0)
    assert started.wait(10)
    for number in range(1, 51):
        last = runner.submit("look", number)
    go.set()
    assert box.wait().value == 50
    assert done == [50]  # the first was cancelled while it ran, the others never began
    assert [outcome.ticket for outcome in box.outcomes] == [last]
    runner.close()


def test_kinds_do_not_overtake_each_other() -> None:
    box, go = Box(), threading.Event()
    order: list[str] = []

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        go.wait(10)
        order.append(str(request))
        return request

    runner = LatestRunner(handle, box)
    for kind in ("a", "b", "c"):
        runner.submit(kind, kind)
    go.set()
    end = time.monotonic() + 10
    while len(order) < 3 and time.monotonic() < end:
        time.sleep(0.005)
    assert order == ["a", "b", "c"]
    runner.close()


def test_errors_and_bugs_come_back_and_the_worker_lives_on() -> None:
    box = Box()

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        if request == "bad":
            raise UserError("This is wrong. Do that.")
        if request == "bug":
            raise ZeroDivisionError("oh")
        return request

    runner = LatestRunner(handle, box)
    runner.submit("x", "bad")
    outcome = box.wait()
    assert str(outcome.error) == "This is wrong. Do that." and outcome.details == ""
    runner.submit("x", "bug")
    outcome = box.wait()
    assert isinstance(outcome.error, ZeroDivisionError) and "Traceback" in outcome.details
    runner.submit("x", "fine")
    assert box.wait().value == "fine"
    runner.close()


def test_cancel_delivers_nothing() -> None:
    box, started, went = Box(), threading.Event(), threading.Event()

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        started.set()
        while not token.cancelled:
            time.sleep(0.001)
        went.set()
        token.check()
        return request

    runner = LatestRunner(handle, box)
    ticket = runner.submit("x", 1)
    assert started.wait(10)
    runner.cancel("x")
    assert went.wait(10)
    assert not runner.is_current("x", ticket)
    runner.close()
    assert box.outcomes == []


def test_a_request_that_yields_makes_way_for_any_other() -> None:
    box, started, go = Box(), threading.Event(), threading.Event()
    seen: list[object] = []

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        seen.append(request)
        started.set()
        while request == "spare" and not token.cancelled:
            time.sleep(0.001)
        if request == "first":
            go.wait(10)
        token.check()
        return request

    runner = LatestRunner(handle, box)
    runner.submit("idle", "spare", yields=True)
    assert started.wait(10)
    runner.submit("look", "first")  # the running one gives way
    runner.submit("idle", "waiting", yields=True)
    runner.submit("model", "last")  # and so does one that waits
    go.set()
    end = time.monotonic() + 10
    while len(box.outcomes) < 2 and time.monotonic() < end:
        time.sleep(0.005)
    assert [outcome.value for outcome in box.outcomes] == ["first", "last"]
    assert seen == ["spare", "first", "last"]
    runner.close()


def test_progress_is_delivered_and_stops_cancelled_work() -> None:
    box = Box()

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        progress(0.5)
        return request

    runner = LatestRunner(handle, box)
    runner.submit("x", 1)
    box.wait()
    assert [outcome.progress for outcome in box.outcomes] == [0.5, None]
    runner.close()


def test_closing_ends_the_thread_and_refuses_more() -> None:
    before, box = threading.active_count(), Box()
    runner = LatestRunner(lambda request, token, progress: request, box)
    assert threading.active_count() == before  # nothing to do, no thread
    runner.submit("x", 1)
    box.wait()
    assert threading.active_count() == before + 1
    runner.close()
    assert threading.active_count() == before
    with pytest.raises(RuntimeError):
        runner.submit("x", 1)


def test_a_thread_that_may_not_linger_ends_and_the_next_request_starts_another() -> None:
    before, box = threading.active_count(), Box()
    runner = LatestRunner(lambda request, token, progress: threading.get_ident(), box, linger_s=0.05)
    for number in range(3):
        ticket = runner.submit("x", number)
        assert box.wait().ticket == ticket
        end = time.monotonic() + 10
        while threading.active_count() > before and time.monotonic() < end:
            time.sleep(0.005)
        assert threading.active_count() == before
    runner.close()  # with no thread to wait for
    with pytest.raises(RuntimeError):
        runner.submit("x", 1)


def test_how_long_a_thread_lingers_can_be_changed_while_it_waits() -> None:
    before, box = threading.active_count(), Box()
    runner = LatestRunner(lambda request, token, progress: threading.get_ident(), box)
    runner.submit("x", 1)
    first = box.wait().value
    time.sleep(0.1)
    runner.submit("x", 2)
    assert box.wait().value == first  # it is kept
    runner.set_linger(0.02)
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.005)
    assert threading.active_count() == before
    runner.set_linger(None)
    runner.submit("x", 3)
    box.wait()
    time.sleep(0.1)
    assert threading.active_count() == before + 1  # and the new one stays again
    runner.close()


def test_a_thread_that_could_not_start_jams_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    runner = LatestRunner(lambda request, token, progress: request, box)
    with monkeypatch.context() as patch:

        def start(_self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            runner.submit("x", 1)
    runner.submit("y", 2)
    assert box.wait().value == 2 and len(box.outcomes) == 1
    runner.close()


def test_after_an_answer_that_could_not_be_delivered_the_next_is(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)

    def deliver(outcome: Outcome) -> None:
        if outcome.request == 1:
            raise SystemExit  # ends its thread
        box(outcome)

    runner = LatestRunner(lambda request, token, progress: request, deliver)
    runner.submit("x", 1)
    thread = runner._thread
    assert thread is not None
    thread.join(10)
    runner.submit("x", 2)
    assert box.wait().value == 2
    runner.close()


@pytest.mark.parametrize("linger_s", [0.0, 0.0005])
def test_a_request_that_comes_as_its_thread_ends_is_answered(linger_s: float) -> None:
    box = Box()
    runner = LatestRunner(lambda request, token, progress: request, box, linger_s=linger_s)
    rng = random.Random(0)
    for number in range(300):
        runner.submit("x", number)
        assert box.wait().value == number
        time.sleep(rng.random() * 0.001)
    runner.close()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_timing_the_last_of_each_kind_is_delivered(seed: int) -> None:
    rng = random.Random(seed)
    last: dict[str, int] = {}
    delivered: dict[str, list[int]] = {"a": [], "b": []}

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        time.sleep(rng.random() * 0.002)
        token.check()
        return request

    def deliver(outcome: Outcome) -> None:
        delivered[outcome.kind].append(int(str(outcome.value)))

    runner = LatestRunner(handle, deliver)
    for number in range(120):
        kind = rng.choice("ab")
        runner.submit(kind, number)
        last[kind] = number
        time.sleep(rng.random() * 0.002)
    end = time.monotonic() + 10
    while any(delivered[kind][-1:] != [number] for kind, number in last.items()) and time.monotonic() < end:
        time.sleep(0.005)
    runner.close()
    for kind, number in last.items():
        assert delivered[kind][-1] == number
        assert delivered[kind] == sorted(delivered[kind])


def test_work_that_outlives_its_runner_does_not_crash_the_end_of_the_program() -> None:
    script = """
import subprocess
import sys
import threading
import torch
from resnet_viz.jobs.latest import LatestRunner

begun = threading.Event()
large = torch.rand(700, 700)

def handle(request, token, progress):
    begun.set()
    while True:
        token.check()
        for _ in range(6):
            large @ large

runner = LatestRunner(handle, lambda outcome: None)
runner.submit("work", None)
begun.wait()
runner.close(timeout_s=0)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert (ended.returncode, ended.stderr) == (0, "")
