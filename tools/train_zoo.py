"""Train the nets that ship, one after another, and put them into ``trained/``.

    .venv/bin/python tools/train_zoo.py [ID ...]

A GPU needs minutes for each (one H200 did all that learn CIFAR-10 at once, in eight and a half),
two processor cores need days. Stop it whenever you like (Ctrl+C): started again it goes on where
it was. The runs, ``zoo-ID``, lie with all others and the window lists them; what is in
``trained/`` is replaced when a run is finished. CIFAR-10 and the cat and dog photographs are
looked for where ``resnet-viz train`` looks for them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from resnet_viz.core.paths import runs_dir

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Entry:
    """One run.

    Attributes:
        options: of ``resnet-viz train``.
        start: id of the run that it starts from, empty for none.
        ships: whether its weights go into ``trained/``.
    """

    options: str
    start: str = ""
    ships: bool = True


CIFAR = "--data cifar10 --val-share 0.04 --normalize cifar10"
# one recipe for all four, so that plain and residual, shallow and deep can be compared
RACE = f"{CIFAR} --recipe quick --epochs 100 --batch 256 --gradients-every 250"
PHOTOGRAPHS = (
    "--data catdog --recipe fine-tune --train-part all --lr 0.003 --batch 32 --pad 0 --crop-scale 0.5 "
    "--bf16 off --lanes 1 --gradients-every 20"
)
ZOO = {
    "resnet20-cifar10": Entry(f"--model resnet20 {RACE}"),
    "plain20-cifar10": Entry(f"--model plain20 {RACE}"),
    "resnet56-cifar10": Entry(f"--model resnet56 {RACE}"),
    "plain56-cifar10": Entry(f"--model plain56 {RACE}"),
    "hresnet-cifar10": Entry("--model hresnet --data cifar10 --recipe hresnet --gradients-every 250"),
    # He init, no dropout: with its own of both, on cats and dogs alone, the net stayed at chance for epochs
    "xai-cifar10": Entry(
        f"--model xai {CIFAR} --recipe quick --epochs 20 --size 34 --batch 64 --lr 0.05 --init he --dropout 0",
        ships=False,
    ),
    "xai-catdog": Entry(
        f"--model xai --size 34 --epochs 15 --dropout 0.1 {PHOTOGRAPHS}",
        start="xai-cifar10",
    ),
    "resnet18-cifar10": Entry(f"--model resnet18 {CIFAR} --recipe quick --epochs 30 --size 64", ships=False),
    "resnet18-catdog": Entry(f"--model resnet18 --size 64 --epochs 20 {PHOTOGRAPHS}", start="resnet18-cifar10"),
}


def commands(name: str) -> list[list[str]]:
    """Return what is still to be run for one net, in order."""
    entry, run = ZOO[name], runs_dir() / f"zoo-{name}"
    train = [sys.executable, "-m", "resnet_viz", "train"]
    if (run / "last.ckpt").exists():
        wanted = [[*train, "--resume", str(run)]]
    else:
        start = ["--start-from", f"zoo-{entry.start}"] if entry.start else []
        wanted = [[*train, *entry.options.split(), *start, "--seed", "0", "--out", str(run)]]
    if entry.ships:
        wanted.append([sys.executable, str(ROOT / "tools" / "ship_run.py"), str(run), name])
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", help=f"which of {', '.join(ZOO)}; all by default")
    arguments = parser.parse_args()
    for name in arguments.ids or ZOO:
        if name not in ZOO:
            raise SystemExit(f"There is no net '{name}' to train. Choose from {', '.join(ZOO)}.")
        for command in commands(name):
            print(f"\n== {name}", flush=True)
            if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
                raise SystemExit(code)


if __name__ == "__main__":
    main()
