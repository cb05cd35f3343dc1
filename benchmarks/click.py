"""A click on ResNet-18 at 224 px, layer1, until the maps are painted.

    python -m benchmarks.click [--runs 15] [--visited] [--json]

With --visited the Gradients workspace is opened before, measures its two nets and is left again.

Side by side in one run, taking turns:
  usual     a forward hook that keeps its output, a whole forward pass, an 8 x 8 grid of
            ``plt.subplots`` with 64 ``imshow``, drawn by Agg
  ours      the real window, nothing known: choose the layer, worker thread, pass that stops
            after the layer, mosaic, repaint
  rested    the same after the picture lay on screen for a second: the maps of all its layers
            have then been computed while nobody waited
  pointed   nothing known but what a mouse tells: it comes to the layer, lies there for 150 ms, and the button
            goes down and up; timed from the button. The pass has then been run ahead.
  bare      the forward pass up to and including layer1, nothing shown
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyqt6")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--visited", action="store_true", help="use the Gradients workspace before")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["RESNET_VIZ_HOME"] = home
        report(measure(arguments.runs, visited=arguments.visited), as_json=arguments.json)


def measure(runs: int, *, visited: bool = False) -> dict[str, list[float]]:
    """Return the seconds of each kind's runs.

    The other two sides live in a process of their own: a second thread that uses OpenMP in ours
    would make every barrier of our pass sleep instead of spin, which the app never does.
    """
    from PyQt6.QtCore import QEvent, QEventLoop, QPoint, QPointF, Qt
    from PyQt6.QtGui import QMouseEvent
    from PyQt6.QtWidgets import QApplication

    from resnet_viz.core.paths import assets_dir
    from resnet_viz.gui import app as gui
    from resnet_viz.session.requests import Forget, OpenModel

    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=other_sides, args=(there,), daemon=True)
    process.start()

    app = gui.make_application()
    cat = str(next((assets_dir() / "samples").glob("cat.*")))
    start = gui.Start(model=OpenModel(ref="resnet18", untrained=True), image=cat)
    window = gui.make_window(start)
    inspect = window.inspect
    window.resize(1280, 800)
    window.show()
    gui.open_first(window, start)

    def settle() -> None:
        # waiting, as the app's own loop does: a loop that spins would take a core from the pass
        while not inspect.settled():
            app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)

    settle()
    if visited:
        window.show_workspace("gradients")
        while not window.gradients.settled():
            app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        window.show_workspace("inspect")
    here.send(inspect.looked.net_view)
    turn = iter(range(10_000_000))

    def ours() -> float:
        name = "layer1.1.relu2" if next(turn) % 2 else "layer1"
        begun = time.perf_counter()
        inspect.select_layer(name)
        settle()
        return time.perf_counter() - begun

    def rested() -> float:
        inspect._idle.start()
        rest_s(1.0)
        return ours()

    def pointed() -> float:
        """Click as a person does: the mouse is there before the button goes down."""
        place = QPointF(block_at("layer1.1"))
        if inspect.layer == "layer1.1":  # a click on what is chosen asks for nothing
            inspect.select_layer("layer1")
            settle()
            rest()
        mouse(QEvent.Type.MouseMove, place)
        rest_s(0.15)
        begun = time.perf_counter()
        mouse(QEvent.Type.MouseButtonPress, place)
        mouse(QEvent.Type.MouseButtonRelease, place)
        assert inspect.layer == "layer1.1"
        settle()
        took = time.perf_counter() - begun
        mouse(QEvent.Type.MouseMove, QPointF(1, 1))
        return took

    def block_at(name: str) -> QPoint:
        layout = inspect.map.map_layout()
        assert layout is not None
        body = next(column.body for column in layout.columns if column.block == name)
        view = inspect.map._view()
        return QPoint(round(body.cx - inspect.map.offset() + view.x()), round(body.bottom - 2 + view.y()))

    def mouse(kind: QEvent.Type, place: QPointF) -> None:
        left = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, place, QPointF(inspect.map.mapToGlobal(place)), left, left, none)
        QApplication.sendEvent(inspect.map, event)

    def theirs(kind: str) -> float:
        here.send(kind)
        return float(here.recv())

    def rest() -> None:
        """Forget the maps, so that ours must run its pass, and let everything else be painted."""
        inspect._idle.stop()
        inspect._context.nets.ask("forget", Forget())
        rest_s(0.1)

    def rest_s(seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    kinds: dict[str, Callable[[], float]] = {
        "usual": lambda: theirs("usual"),
        "ours": ours,
        "rested": rested,
        "pointed": pointed,
        "bare": lambda: theirs("bare"),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for repeat in range(runs + 2):
        for kind, work in kinds.items():
            rest()
            seconds = work()
            if repeat >= 2:  # the first rounds choose kernels and fill caches
                times[kind].append(seconds)
    here.send("end")
    process.join(10)
    window.close()
    return times


def other_sides(pipe: Connection) -> None:
    """Run the usual way or the bare pass whenever the pipe names it, and answer with the seconds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import torch
    import torchvision

    from resnet_viz.core.allocator import keep_memory
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.presets import presets

    keep_memory()  # as the app does: the bare pass gains by it too
    net = torchvision.models.resnet18(weights=None).eval()
    pixels = torch.from_numpy(pipe.recv()).permute(2, 0, 1)[None]
    x = normalise(pixels, presets.get("imagenet"))
    first = torch.nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)

    def usual() -> None:
        kept = {}
        handle = net.layer1.register_forward_hook(lambda _m, _i, out: kept.update(maps=out.detach()))
        with torch.no_grad():
            net(x)
        handle.remove()
        figure, axes = plt.subplots(8, 8, figsize=(10, 10))
        for axis, feature_map in zip(axes.flat, kept["maps"][0].numpy(), strict=True):
            axis.imshow(feature_map)
            axis.axis("off")
        figure.canvas.draw()
        plt.close(figure)

    def bare() -> None:
        with torch.no_grad():
            first(x)

    kinds = {"usual": usual, "bare": bare}
    while (kind := pipe.recv()) in kinds:
        begun = time.perf_counter()
        kinds[kind]()
        pipe.send(time.perf_counter() - begun)


def report(times: dict[str, list[float]], *, as_json: bool) -> None:
    """Print medians and ratios."""
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    ratios = {
        "usual / ours (whole click)": medians["usual"] / medians["ours"],
        "ours / bare forward to layer1": medians["ours"] / medians["bare"],
        "rested / bare forward to layer1": medians["rested"] / medians["bare"],
        "pointed / bare forward to layer1": medians["pointed"] / medians["bare"],
    }
    if as_json:
        print(json.dumps({"median_s": medians, "ratios": ratios}))
        return
    for kind, value in medians.items():
        print(f"{kind:8} {value * 1000:8.1f} ms")
    for name, ratio in ratios.items():
        print(f"{name:34} {ratio:7.2f}")


if __name__ == "__main__":
    main()
