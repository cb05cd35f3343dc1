"""Sixty-four feature maps on screen: one mosaic against 64 subplots.

    python -m benchmarks.grid [--runs 15] [--json]

Both sides take turns in one run. ``usual`` is an 8 x 8 grid of ``plt.subplots`` with 64
``imshow``, drawn by Agg; ``ours`` colours the maps, draws the mosaic and paints the widget.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times = measure(arguments.runs)
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    ratio = medians["usual"] / medians["ours"]
    if arguments.json:
        print(json.dumps({"median_s": medians, "usual_over_ours": ratio}))
        return
    for kind, value in medians.items():
        print(f"{kind:6} {value * 1000:8.2f} ms")
    print(f"usual / ours (grid alone) {ratio:7.0f}")


def measure(runs: int) -> dict[str, list[float]]:
    """Return the seconds of both sides' runs on 64 maps of 56 x 56."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    from PyQt6.QtWidgets import QApplication

    from resnet_viz.analysis.statistics import channel_stats
    from resnet_viz.core.types import Activation
    from resnet_viz.gui.widgets.feature_grid import FeatureGrid

    app = QApplication.instance() or QApplication([])
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((64, 56, 56), dtype=np.float32) for _ in range(2)]
    grid = FeatureGrid()
    grid.resize(900, 700)
    grid.show()
    app.processEvents()
    shown = [(Activation("layer1", 0, maps), channel_stats(maps)) for maps in batches]
    turn = iter(range(10_000_000))

    def ours() -> None:
        grid.set_activation(*shown[next(turn) % 2])
        grid.viewport().repaint()

    def usual() -> None:
        figure, axes = plt.subplots(8, 8, figsize=(10, 10))
        for axis, feature_map in zip(axes.flat, batches[0], strict=True):
            axis.imshow(feature_map)
            axis.axis("off")
        figure.canvas.draw()
        plt.close(figure)

    kinds: dict[str, Callable[[], None]] = {"usual": usual, "ours": ours}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for repeat in range(runs + 2):
        for kind, work in kinds.items():
            begun = time.perf_counter()
            work()
            if repeat >= 2:
                times[kind].append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    main()
