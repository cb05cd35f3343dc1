"""What the window feels of a training run: lateness of its event loop, and a click in Inspect.

    python -m benchmarks.window [--rounds 4] [--seconds 5] [--clicks 10] [--json]

The real window, offscreen, and the real child process that trains ResNet-20 on the drawn data
set ``shapes``. The two sides take turns in one run: while the child trains, and while it is
held by Pause (its process is there and does nothing).

  lateness  a timer of 5 ms on the window's thread, with the Train workspace on show and its
            curves growing: how much later than 5 ms after the last tick each tick comes
  click     in Inspect, ResNet-18 at 224 px, ``layer1``, measured as in ``benchmarks.click``:
            choose the layer, worker thread, pass, mosaic, repaint
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyqt6")

if TYPE_CHECKING:
    from resnet_viz.gui.window import MainWindow

BEAT_MS = 5
WARM_CLICKS = 4
REST_S = 1.0  # after a click the rest of the net is passed through, for map and confidences: a person looks meanwhile
PATIENCE_S = 600.0
SIDES = ("without", "training")
TURNS = itertools.count()  # of clicks: the layer on show is never clicked

MOST_MS, MOST_P99_MS, MOST_RATIO = 50.0, 20.0, 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4, help="turns of each side")
    parser.add_argument("--seconds", type=float, default=5.0, help="of listening to the event loop in each turn")
    parser.add_argument("--clicks", type=int, default=10, help="in each turn")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["RESNET_VIZ_HOME"] = home
        report(measure(arguments.rounds, arguments.seconds, arguments.clicks), as_json=arguments.json)


def measure(rounds: int, seconds: float, clicks: int) -> dict[str, Any]:
    """Return lateness in ms, seconds of clicks, and pictures a second of the training, by side."""
    from resnet_viz.core.paths import assets_dir
    from resnet_viz.gui import app as gui
    from resnet_viz.session.requests import OpenModel

    app = gui.make_application()
    cat = str(next((assets_dir() / "samples").glob("cat.*")))
    start = gui.Start(model=OpenModel(ref="resnet18", untrained=True), image=cat)
    window = gui.make_window(start)
    window.resize(1280, 800)
    window.show()
    gui.open_first(window, start)
    wait_until(window.inspect.settled)
    window.inspect._idle.blockSignals(True)  # else all layers are known before they are clicked
    child = Child(window)
    late: dict[str, list[float]] = {side: [] for side in SIDES}
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    rates: list[float] = []
    try:
        child.start()
        click(window, WARM_CLICKS)  # kernels are chosen and caches filled
        for turn in range(rounds):
            for side in SIDES if turn % 2 == 0 else reversed(SIDES):
                child.hold(side == "without")
                window.show_workspace("train")
                before, begun = child.step(), time.perf_counter()
                late[side] += lateness(seconds)
                done, took = child.step() - before, time.perf_counter() - begun
                assert (done > 0) is (side == "training"), f"{side}: {done} steps in {took:.1f} s"
                if side == "training":
                    rates.append(done * child.batch / took)
                window.show_workspace("inspect")
                times[side] += click(window, clicks)
    finally:
        child.end()
        window.close()
        app.processEvents()
    return {"lateness_ms": late, "click_s": times, "pictures_per_s": rates}


class Child:
    """The run that the window's child process trains."""

    def __init__(self, window: MainWindow) -> None:
        self.view = window.train
        self.batch = 0

    def start(self) -> None:
        """Press Start, and wait until the run has made its first steps."""
        from resnet_viz.training.recipes import from_recipe

        # both precisions are timed before the first step, as in every run of the app
        config = from_recipe("quick", "resnet20", "shapes", epochs=10_000)
        self.batch = config.batch
        self.view.window().show_workspace("train")
        wait_until(lambda: bool(self.view.center.table.runs()))
        self.run = self.view.enqueue([config])[0]
        wait_until(lambda: self.step() > 2)

    def step(self) -> int:
        """Return the number of steps that the run has told of."""
        self.view.book.refresh(self.run)
        self.view.book.refresh(self.run)
        history = self.view.book.get(self.run)
        return 0 if history is None else history.step

    def hold(self, on: bool) -> None:
        """Hold the run or let it go on, and wait until it does."""
        if on:
            self.view.queue.set_paused(True)
            wait_until(lambda: self._state() == "paused")
        else:
            at = self.step()
            self.view.queue.set_paused(False)
            wait_until(lambda: self._state() == "running" and self.step() > at)
        listen(1.0)

    def _state(self) -> str:
        history = self.view.book.get(self.run)
        return "" if history is None else history.state

    def end(self) -> None:
        """Stop the run; its process has gone when this returns."""
        self.view.queue.waiting.clear()
        self.view.queue.stop()
        wait_until(lambda: self.view.queue.current is None)


def lateness(seconds: float) -> list[float]:
    """Return how late each tick of a timer on the window's thread came, in milliseconds."""
    from PyQt6.QtCore import Qt, QTimer

    found: list[float] = []
    last = time.perf_counter()

    def beat() -> None:
        nonlocal last
        now = time.perf_counter()
        found.append(max(0.0, (now - last) * 1000 - BEAT_MS))
        last = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(beat)
    timer.start(BEAT_MS)
    listen(seconds)
    timer.stop()
    return found[1:]


def click(window: MainWindow, count: int) -> list[float]:
    """Return the seconds of clicks on two layers in turn, each until its maps are painted."""
    from PyQt6.QtCore import QEventLoop
    from PyQt6.QtWidgets import QApplication

    from resnet_viz.session.requests import Forget

    inspect, found = window.inspect, []
    for turn in itertools.islice(TURNS, count):
        inspect._context.nets.ask("forget", Forget())  # so that the pass must run
        listen(REST_S)
        begun = time.perf_counter()
        inspect.select_layer("layer1.1.relu2" if turn % 2 else "layer1")
        while not inspect.settled():
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        found.append(time.perf_counter() - begun)
    return found


def listen(seconds: float) -> None:
    """Run the window's own event loop for a while."""
    from PyQt6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def wait_until(ready: Callable[[], bool]) -> None:
    """Run the event loop until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < end, "it took too long"
        listen(0.02)


# ---- the report ----


def summary(measured: dict[str, Any]) -> dict[str, Any]:
    """Return medians, tails and the ratio of clicks."""
    late = {
        side: {"p50": percentile(values, 50), "p99": percentile(values, 99), "max": max(values), "ticks": len(values)}
        for side, values in measured["lateness_ms"].items()
    }
    clicks = {side: statistics.median(values) for side, values in measured["click_s"].items()}
    worst = {side: max(values) for side, values in measured["click_s"].items()}
    return {
        "lateness_ms": late,
        "click_median_s": clicks,
        "click_worst_s": worst,
        "click_ratio": clicks["training"] / clicks["without"],
        "pictures_per_s": statistics.median(measured["pictures_per_s"]),
    }


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` percent lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share / 100))]


def report(measured: dict[str, Any], *, as_json: bool) -> None:
    """Print both sides and the bars."""
    found = summary(measured)
    if as_json:
        print(json.dumps(found))
        return
    print(f"{'':10} {'lateness of the event loop, ms':>38} {'click, ms':>22}")
    print(f"{'':10} {'p50':>10} {'p99':>8} {'max':>8} {'ticks':>9} {'median':>12} {'worst':>9}")
    for side in SIDES:
        late = found["lateness_ms"][side]
        print(
            f"{side:10} {late['p50']:10.2f} {late['p99']:8.2f} {late['max']:8.2f} {late['ticks']:9d} "
            f"{1000 * found['click_median_s'][side]:12.1f} {1000 * found['click_worst_s'][side]:9.1f}"
        )
    print(f"meanwhile the run trained {found['pictures_per_s']:.0f} pictures/s")
    late = found["lateness_ms"]["training"]
    for name, value, most in (
        ("latest tick while training, ms", late["max"], MOST_MS),
        ("p99 while training, ms", late["p99"], MOST_P99_MS),
        ("click, training / without", found["click_ratio"], MOST_RATIO),
    ):
        print(f"{name:34} {value:8.2f}   <= {most:g} {'held' if value <= most else 'NOT MET'}")


if __name__ == "__main__":
    main()
