"""What capturing feature maps costs, against a bare forward pass.

    python -m benchmarks.capture [--runs 30] [--json]

ResNet-18 and ResNet-50 at 224 px and ResNet-20 at 32 px, one picture, all kinds taking turns
in one run: nothing captured, four chosen layers, every module call, and captum's
LayerActivation on every module for comparison. The app knows that nets of its own write nothing
in a pass (a contract test proves it) and spares them being looked through before and after;
a foreign net is looked through, which is measured as well. Peak memory is the resident size of a
process of its own for each kind.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

NETS = (("resnet18", 224), ("resnet50", 224), ("resnet20", 32))
CHOSEN = {
    "resnet18": ("layer1.0", "layer2.0.conv1", "layer3.1.bn2", "layer4"),
    "resnet50": ("layer1.0", "layer2.0.conv1", "layer3.1.bn2", "layer4"),
    "resnet20": ("layer1.0", "layer2.0.conv1", "layer3.1.bn2", "layer3.2"),
}

PEAK = """
import torch
from resnet_viz.core.allocator import keep_memory
from resnet_viz.hooks.capture import capture
from resnet_viz.models import create
keep_memory()
net = create({name!r}, seed=0)
x = torch.zeros(1, 3, {size}, {size})
names = {{"bare": [], "four": {chosen!r}, "all": [name for name, _ in net.named_modules() if name]}}[{kind!r}]
with torch.no_grad(), capture(net, names) as captured:
    for _ in range(3):
        captured.run(x) if names else net(x)
# the high-water mark of this program alone; getrusage would pass on that of its parent
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = {name: measure(name, size, arguments.runs) for name, size in NETS}
    for name, size in NETS[:2]:
        kinds = {kind: peak_kb(name, size, kind) for kind in ("bare", "four", "all")}
        results[name] |= {f"peak memory, {kind}": kinds[kind] / kinds["bare"] for kind in ("four", "all")}
    if arguments.json:
        print(json.dumps(results))
        return
    for name, ratios in results.items():
        for kind, ratio in ratios.items():
            print(f"{name:10} {kind:34} {ratio:6.3f} x the bare forward")


def measure(name: str, size: int, runs: int) -> dict[str, float]:
    """Return each kind's median time over the bare forward's."""
    import torch
    from captum.attr import LayerActivation

    from resnet_viz.core.allocator import keep_memory
    from resnet_viz.hooks.capture import capture
    from resnet_viz.models import create

    keep_memory()  # as the app does; it helps the bare pass as well
    net = create(name, seed=0).eval()
    x = torch.zeros(1, 3, size, size)
    names = [layer for layer, _ in net.named_modules() if layer]
    everything = LayerActivation(net, [net.get_submodule(layer) for layer in names])

    def bare() -> None:
        net(x)

    def watched(layers: Sequence[str], *, guard: bool) -> Callable[[], None]:
        def run() -> None:
            with capture(net, layers, guard=guard) as captured:
                captured.run(x)

        return run

    def captum() -> None:
        everything.attribute(x)

    kinds: dict[str, Callable[[], None]] = {
        "four chosen layers": watched(CHOSEN[name], guard=False),
        "every module call": watched(names, guard=False),
        "four, as in a foreign net": watched(CHOSEN[name], guard=True),
        "every, as in a foreign net": watched(names, guard=True),
        "captum, every module": captum,
    }
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    with torch.no_grad():
        for repeat in range(runs + 3):
            for kind, work in kinds.items():
                # bare before and after, so that a drift of the machine's speed cancels
                before, middle, after = seconds(bare), seconds(work), seconds(bare)
                if repeat >= 3:
                    ratios[kind].append(2 * middle / (before + after))
    return {kind: statistics.median(values) for kind, values in ratios.items()}


def seconds(work: Callable[[], None]) -> float:
    """Return how long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def peak_kb(name: str, size: int, kind: str) -> int:
    """Return the peak resident size of a process that runs one kind, in KiB."""
    code = PEAK.format(name=name, size=size, kind=kind, chosen=list(CHOSEN[name]))
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
