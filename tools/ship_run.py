"""Put a run into ``trained/``: its weights in half precision where that costs no accuracy, measured anew.

    .venv/bin/python tools/ship_run.py RUN ID

RUN is a run's folder, finished or stopped. The run's test error is measured with its own weights
and with the rounded ones, both on the whole test part; half precision is taken only where the two
differ by less than 0.05 percentage points. A tensor with values that half precision cannot hold
stays as it is. The card says which weights the error is of. Of the log's numbers six digits are
kept, four of gradient norms, and about a thousand of its steps; epochs and norms are all kept.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from resnet_viz.core.paths import atomic_path
from resnet_viz.session.results import evaluate_run, finish_card
from resnet_viz.training import layout
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.prepare import command_of

SAME = 0.0005
STEPS = 1000
ROOT = Path(__file__).resolve().parent.parent / "trained"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("id", help="NET-DATA, for example plain56-cifar10")
    arguments = parser.parse_args()
    run, target = arguments.run, ROOT / arguments.id
    card = finish_card(run)
    # a run may have gone on with another end than it was started with: what was done is what counts
    card["command"] = command_of(TrainConfig.read(run / layout.CONFIG), Path(arguments.id))
    if "test_error" not in card:
        raise SystemExit(f"{run} cannot be measured: {card.get('not_measured')}")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / layout.CONFIG, target / layout.CONFIG)
    lines = (run / layout.EVENTS).read_text(encoding="utf-8").splitlines()
    with atomic_path(target / layout.EVENTS) as path:
        path.write_text("".join(line + "\n" for line in shortened(lines)), encoding="utf-8")
    own = load_file(run / layout.WEIGHTS)
    half = {name: tensor.half() if holds(tensor) else tensor for name, tensor in own.items()}
    large = sum(tensor.is_floating_point() and not holds(tensor) for tensor in own.values())
    mixed = f"float16, {large} tensors with larger values float32" if large else "float16"
    for weights, precision in ((half, mixed), (own, "float32")):
        with atomic_path(target / layout.WEIGHTS) as path:
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
        entry = card | {"id": arguments.id, "weights": precision}
        with atomic_path(target / layout.CARD) as path:
            path.write_text(json.dumps(entry, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        error = 1 - evaluate_run(target).accuracy
        print(f"{arguments.id}: {100 * error:.2f} % in {precision}, {100 * card['test_error']:.2f} % as trained")
        if abs(error - card["test_error"]) < SAME:
            break
    entry["test_error"] = round(error, 6)
    with atomic_path(target / layout.CARD) as path:
        path.write_text(json.dumps(entry, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def holds(tensor: torch.Tensor) -> bool:
    """Return whether half precision can hold a tensor's values."""
    return tensor.is_floating_point() and bool(tensor.half().isfinite().all())


def shortened(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a log with their numbers rounded, and of the steps at most :data:`STEPS`."""
    events = [json.loads(line) for line in lines]
    steps = sum(event["event"] == "step" for event in events)
    seen = 0
    for event in events:
        if event["event"] == "step":
            seen += 1
            if seen % math.ceil(steps / STEPS) and seen != steps:  # the last one tells how far the run came
                continue
        for name, value in event.items():
            if isinstance(value, list):
                event[name] = [float(f"{one:.4g}") if isinstance(one, float) else one for one in value]
            elif isinstance(value, float):
                event[name] = float(f"{value:.6g}")
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
