"""Training speed: the usual student's loop, a bare hand-written loop and ours, in pictures a second.

    python -m benchmarks.training [--hresnet] [--compile] [--repeats 5] [--json]

ResNet-20, or HResNet, on random pictures of 32 x 32 in batches of 128. Each side trains in a
process of its own with the same number of threads; the sides take turns of some seconds, in
an order that is reversed every other time, so that a drift of the machine's speed meets all
of them. A ratio is taken within each repeat, of which the median is quoted.

Other guests of a shared machine slow some seconds down. So every side is also told in windows of
about a second: "undisturbed" is the rate that its best tenth of windows reach, for all sides
alike. A window in which ours records norms is hardly among them.

  usual       a data set of pictures with torchvision's RandomCrop, RandomHorizontalFlip,
              ToTensor and Normalize on each, a DataLoader with 0 or 2 workers, fp32
  ours        the events of ``resnet_viz.training.loop.train``, as the window's child runs it: two
              lanes, each with half the threads
  bare        our augmentation, optimizer and precision, channels last, written down as one
              loop: no lanes, no layout of oneDNN's, no events, no log, no gradient norms, no accuracy,
              no schedule
  no norms    ours with ``gradients_every = 0``
  compiled    ours with ``compile = True``

bfloat16 is timed first, as every run of the app does; where it is slower its sides are left out,
which says so, and the last two are in fp32.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BATCH = 128
PICTURES = 50_000
STEPS_A_TURN = 50  # ours can be stopped where it speaks: every 50 steps
TURNS_A_REPEAT = 2  # gradient norms are recorded every 100 steps: once in two turns
USUAL_SETTLES, USUAL_STEPS = 5, 15  # batches that workers made ahead while others had their turn are not timed
WINDOW_S = 0.8
BEST = 0.9  # quantile of the windows' rates
Window = tuple[int, float, bool]  # steps, seconds, and whether a turn may end here
CHECKPOINT_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--hresnet", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint-s", type=float, default=CHECKPOINT_S, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    model = "hresnet" if arguments.hresnet else "resnet20"
    if arguments.side:
        take_turns(SIDES[arguments.side](model, arguments.checkpoint_s))
        return
    precisions = ("fp32", "bf16") if bf16_wins(model) else ("fp32",)
    if len(precisions) == 1 and not arguments.json:
        print("bfloat16 is slower than fp32 on this processor: the app does not use it, its sides are left out\n")
    last = precisions[-1]
    sides = ["usual, 0 workers", "usual, 2 workers"]
    sides += [f"{who}, {precision}" for precision in precisions for who in ("ours", "bare")]
    sides += [f"ours, {last}, no norms", *([f"ours, {last}, compiled"] if arguments.compile else [])]
    report(*measure(model, sides, arguments.repeats), arguments.json)


def bf16_wins(model: str) -> bool:
    """Return what the app would decide for this net on this machine."""
    import torch

    from resnet_viz.data.batches import normalise
    from resnet_viz.training.measure import faster_in_bf16
    from resnet_viz.training.parts import build
    from resnet_viz.training.prepare import complete, normalization_of

    made = pictures()
    config = complete(config_of(model), made)
    images = torch.from_numpy(made.images[:BATCH]).permute(0, 3, 1, 2)
    net = build(config).to(memory_format=torch.channels_last)
    return faster_in_bf16(net, normalise(images, normalization_of(config, made)))


def measure(model: str, sides: list[str], repeats: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return each side's pictures a second, one figure for each repeat, and one for each window."""
    processes: dict[str, subprocess.Popen[str]] = {}
    rates: dict[str, list[float]] = {side: [] for side in sides}
    windows: dict[str, list[float]] = {side: [] for side in sides}
    try:
        threads: dict[str, list[float]] = {}
        for side in sides:  # one after the other: threads of two sides would wait for each other
            processes[side] = start(model, side, len(sides))
            threads[side] = answer(processes[side])
        assert len({tuple(said) for said in threads.values()}) == 1, f"threads differ: {threads}"
        for _ in range(repeats):
            steps, seconds = dict.fromkeys(sides, 0), dict.fromkeys(sides, 0.0)
            for turn in range(TURNS_A_REPEAT):
                for side in reversed(sides) if turn % 2 else sides:
                    for done, took in turn_of(processes[side]):
                        steps[side] += int(done)
                        seconds[side] += took
                        windows[side].append(done * BATCH / took)
            for side in sides:
                rates[side].append(steps[side] * BATCH / seconds[side])
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return rates, windows


# ---- the two ends of a side's process ----


def start(model: str, side: str, sides: int) -> subprocess.Popen[str]:
    """Start a side's process; ours and the bare loop have the environment of the window's child."""
    from resnet_viz.session.child_process import child_environment

    environment = dict(os.environ) if side.startswith("usual") else child_environment()
    # a side runs a share of the time only, and saves as often as it would by itself
    words = ["--side", side, "--checkpoint-s", str(CHECKPOINT_S * sides)]
    if model == "hresnet":
        words.append("--hresnet")
    command = [sys.executable, "-m", "benchmarks.training", *words]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def turn_of(process: subprocess.Popen[str]) -> list[Any]:
    """Let a side train for one turn; returns the steps and seconds of its windows."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return answer(process)


def answer(process: subprocess.Popen[str]) -> list[Any]:
    """Return the next line of a side's process, a list."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"A side ended with status {process.wait()}: {process.args}")
    return list(json.loads(line))


def take_turns(windows: Iterator[Window]) -> None:
    """Train for one turn whenever a line comes in, and answer with the steps and seconds of its windows."""
    import torch

    def turn() -> list[tuple[int, float]]:
        done = []
        for steps, seconds, over in windows:
            done.append((steps, seconds))
            if over:
                break
        return done

    threads = torch.get_num_threads()  # of the process: a run with lanes shares them out
    # the first two turns choose kernels, fill caches, and record norms densely where norms are recorded
    turn(), turn()
    print(json.dumps([threads]), flush=True)
    for _ in sys.stdin:
        print(json.dumps(turn()), flush=True)


# ---- the sides: each yields its windows; between two of them the others may have their turn ----


def usual(model: str, workers: int) -> Iterator[Window]:
    """Train as most tutorials do."""
    import torch
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from resnet_viz.models import create

    made = pictures()

    class Pictures(Dataset[Any]):
        transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            ]
        )

        def __len__(self) -> int:
            return PICTURES

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return self.transform(Image.fromarray(made.images[index])), int(made.labels[index])

    net = create(model, seed=0).train()
    optimizer: Any
    if model == "hresnet":
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(Pictures(), BATCH, shuffle=True, num_workers=workers)
    running, step, counted, begun = 0.0, 0, 0, 0.0
    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
            step, counted, now = step + 1, counted + 1, time.perf_counter()
            place = step % (USUAL_SETTLES + USUAL_STEPS)
            if place == USUAL_SETTLES:
                counted, begun = 0, now
            elif place == 0 or (place > USUAL_SETTLES and now - begun >= WINDOW_S):
                yield counted, now - begun, place == 0
                counted, begun = 0, time.perf_counter()


def ours(model: str, checkpoint_s: float, **changes: object) -> Iterator[Window]:
    """Train as the window's child does."""
    from resnet_viz.training.events import Failed, Step
    from resnet_viz.training.loop import train

    with tempfile.TemporaryDirectory() as run:
        last, begun = 0, time.perf_counter()
        for event in train(config_of(model, checkpoint_every_s=checkpoint_s, **changes), pictures(), Path(run)):
            assert not isinstance(event, Failed), event
            now = time.perf_counter()
            if isinstance(event, Step) and (event.step % STEPS_A_TURN == 0 or now - begun >= WINDOW_S):
                yield event.step - last, now - begun, event.step % STEPS_A_TURN == 0
                last, begun = event.step, time.perf_counter()


def bare(model: str, bf16: bool) -> Iterator[Window]:
    """Train with our parts in a loop that does nothing else."""
    import torch
    from torch import nn

    from resnet_viz.data.augment import Augmentation
    from resnet_viz.data.batches import normalise
    from resnet_viz.training.optimizers import make_optimizer
    from resnet_viz.training.parts import build
    from resnet_viz.training.prepare import complete, normalization_of

    made = pictures()
    config = complete(config_of(model), made)
    normalization = normalization_of(config, made)
    images = torch.from_numpy(made.images).permute(0, 3, 1, 2)
    labels = torch.from_numpy(made.labels)
    net = build(config).to(memory_format=torch.channels_last).train()
    optimizer: Any = make_optimizer(config, net.parameters(), fused=True)
    augmentation = Augmentation(config.pad, config.flip)
    generator = torch.Generator().manual_seed(0)
    step, last, begun = 0, 0, time.perf_counter()
    while True:
        for batch in torch.split(torch.randperm(PICTURES, generator=generator), BATCH):
            x = normalise(augmentation.apply(images[batch], augmentation.draw(len(batch), generator)), normalization)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = net(x)
            loss = nn.functional.cross_entropy(logits.float(), labels[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step, now = step + 1, time.perf_counter()
            if step % STEPS_A_TURN == 0 or now - begun >= WINDOW_S:
                yield step - last, now - begun, step % STEPS_A_TURN == 0
                last, begun = step, time.perf_counter()


Side = Callable[[str, float], Iterator[Window]]

SIDES: dict[str, Side] = {
    "usual, 0 workers": lambda model, _: usual(model, 0),
    "usual, 2 workers": lambda model, _: usual(model, 2),
}
for _name, _switch in (("fp32", "off"), ("bf16", "on")):
    SIDES |= {
        f"ours, {_name}": lambda model, seconds, on=_switch: ours(model, seconds, bf16=on),
        f"bare, {_name}": lambda model, _, on=_switch: bare(model, on == "on"),
        f"ours, {_name}, no norms": lambda model, seconds, on=_switch: ours(model, seconds, bf16=on, gradients_every=0),
        f"ours, {_name}, compiled": lambda model, seconds, on=_switch: ours(model, seconds, bf16=on, compile=True),
    }


def config_of(model: str, **changes: object) -> Any:
    """Return the configuration of ours and of the bare loop."""
    from resnet_viz.training.recipes import from_recipe

    recipe = "hresnet" if model == "hresnet" else "quick"
    return from_recipe(recipe, model, "random", **{"epochs": 1000, "val_share": 0.0, **changes})


def pictures() -> Any:
    """Return random pictures, as many as CIFAR-10 has."""
    import numpy as np

    from resnet_viz.data.datasets import ArraySet

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (PICTURES, 32, 32, 3), np.uint8)
    return ArraySet(images, rng.integers(0, 10, PICTURES), tuple("0123456789"), "random")


# ---- the report ----


def report(rates: dict[str, list[float]], windows: dict[str, list[float]], as_json: bool) -> None:
    """Print pictures a second and the ratios with their bars."""
    quiet = {side: quantile(values, BEST) for side, values in windows.items()}
    # the student's better choice, whichever it is on this machine
    best = max(("usual, 0 workers", "usual, 2 workers"), key=lambda side: statistics.median(rates[side]))
    least = {"fp32": 1.6, "bf16": 2.8}
    precisions = [name for name in least if f"ours, {name}" in rates]
    wanted: list[tuple[str, str, float | None, bool]] = []
    for name in precisions:
        wanted += [(f"ours, {name}", best, least[name], True), (f"ours, {name}", f"bare, {name}", 0.97, True)]
    last = f"ours, {precisions[-1]}"
    wanted.append((f"{last}, no norms", last, 1.03, False))
    if f"{last}, compiled" in rates:
        wanted.append((f"{last}, compiled", best, None, True))
    ratios = {
        f"{one} / {other}": [a / b for a, b in zip(rates[one], rates[other], strict=True)]
        for one, other, _, _ in wanted
    }
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    if as_json:
        print(
            json.dumps(
                {"pictures_per_s": rates, "undisturbed_per_s": quiet, "ratios": ratios, "median_ratios": medians}
            )
        )
        return
    print(f"{'pictures a second':42} {'median':>8} {'from':>8} {'to':>8} {'undisturbed':>12}")
    for side, values in rates.items():
        print(f"{side:42} {statistics.median(values):8.0f} {min(values):8.0f} {max(values):8.0f} {quiet[side]:12.0f}")
    print(f"\n{'ratio, repeat by repeat':42} {'median':>8} {'from':>8} {'to':>8} {'undisturbed':>12}   bar")
    for (one, other, bar, least), (name, values) in zip(wanted, ratios.items(), strict=True):
        verdict = ""
        if bar is not None:
            held = medians[name] >= bar if least else medians[name] <= bar
            verdict = f"{'>=' if least else '<='} {bar:.2f} {'held' if held else 'NOT MET'}"
        rivals = [side for side in quiet if side.startswith("usual")] if other.startswith("usual") else [other]
        alone = quiet[one] / max(quiet[side] for side in rivals)
        print(f"{name:42} {medians[name]:8.3f} {min(values):8.3f} {max(values):8.3f} {alone:12.3f}   {verdict}")


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of the values stay below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()
