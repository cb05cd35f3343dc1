"""Train the nets that ship by their whole recipes, one after another, and put them into ``trained/``.

    .venv/bin/python tools/train_zoo.py [ID ...]

A GPU does all of it in an hour or two, two processor cores need days. Stop it whenever you like
(Ctrl+C): started again it goes on where it was. The runs, ``zoo-ID``, lie with all others and the
window lists them; what is in ``trained/`` is replaced when a run is finished. CIFAR-10 and the cat
and dog photographs are looked for where ``resnet-viz train`` looks for them.
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


PAPER = "--data cifar10 --recipe paper"
PHOTOGRAPHS = "--data catdog --batch 32 --pad 0 --crop-scale 0.5"
ZOO = {
    "resnet20-cifar10": Entry(f"--model resnet20 {PAPER}"),
    "plain20-cifar10": Entry(f"--model plain20 {PAPER}"),
    "resnet56-cifar10": Entry(f"--model resnet56 {PAPER}"),
    "plain56-cifar10": Entry(f"--model plain56 {PAPER}"),
    "hresnet-cifar10": Entry("--model hresnet --data cifar10 --recipe hresnet"),
    # He init, no dropout: with its own of both, on cats and dogs alone, the net stayed at chance for epochs
    "xai-cifar10": Entry(
        "--model xai --data cifar10 --recipe quick --epochs 20 --size 34 --batch 64 --lr 0.05 --init he --dropout 0",
        ships=False,
    ),
    "xai-catdog": Entry(
        f"--model xai --recipe fine-tune --train-part head --epochs 10 --size 34 --dropout 0.1 {PHOTOGRAPHS}",
        start="xai-cifar10",
    ),
    "resnet18-cifar10": Entry("--model resnet18 --data cifar10 --recipe quick --size 64", ships=False),
    "resnet18-catdog": Entry(
        f"--model resnet18 --recipe fine-tune --train-part all --size 64 {PHOTOGRAPHS}", start="resnet18-cifar10"
    ),
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
