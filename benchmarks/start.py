"""From start to the first painted window and to the first feature map, against importing PyQt6 alone.

    python -m benchmarks.start [--runs 7] [--json]

Each figure is a cold process; the kinds take turns, so that a drift of the machine's speed
meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

QT_ALONE = "from PyQt6 import QtCore, QtGui, QtWidgets"

QT_WINDOW = """
from PyQt6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
window = QMainWindow(); window.resize(1280, 800); window.show(); app.processEvents(); window.grab()
"""

OURS = """
import sys
from resnet_viz.gui import app as gui
from PyQt6.QtWidgets import QApplication
app = gui.make_application()
start = gui.Start()
window = gui.empty_window(app)
window.resize(1280, 800); window.show(); app.processEvents(); window.grab()
if STEP > 0:
    gui.fill_window(window, start); app.processEvents(); window.grab()
assert "torch" not in sys.modules
if STEP > 1:
    gui.open_first(window, start)
    from PyQt6.QtCore import QEventLoop
    while not window.inspect.settled():
        app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
import os; os._exit(0)
"""

TORCH = "import torch"


def seconds(code: str) -> float:
    """Run ``code`` in a new process and return its wall time in seconds."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"QT_QPA_PLATFORM": "offscreen", "RESNET_VIZ_HOME": home}
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=env, capture_output=True)
        return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    kinds = {
        "import PyQt6 alone": QT_ALONE,
        "bare Qt window painted": QT_WINDOW,
        "our window painted": "STEP = 0\n" + OURS,
        "our window painted, filled": "STEP = 1\n" + OURS,
        "import torch alone": TORCH,
        "our first feature maps painted": "STEP = 2\n" + OURS,
    }
    for code in kinds.values():
        seconds(code)  # fill the file cache
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(arguments.runs):
        for kind, code in kinds.items():
            times[kind].append(seconds(code))
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    base = medians["import PyQt6 alone"]
    if arguments.json:
        print(json.dumps({kind: {"median_s": value, "ratio": value / base} for kind, value in medians.items()}))
        return
    for kind, value in medians.items():
        print(f"{kind:34} {value * 1000:8.0f} ms   {value / base:6.2f} x import PyQt6")


if __name__ == "__main__":
    main()
