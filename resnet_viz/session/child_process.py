"""How a training process is started: the same program, with memory settings and no screen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import resnet_viz

MALLOC = {
    # freed memory stays with the process: mapping pages anew costs 15-30 % of a training step
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
}


def child_command(*words: str) -> list[str]:
    """Return the command line of ``resnet-viz train`` with this very interpreter and package."""
    return [sys.executable, "-m", "resnet_viz", "train", *words]


def child_environment() -> dict[str, str]:
    """Return the environment of a training process."""
    package = str(Path(resnet_viz.__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([package, inherited] if inherited else [package])
    return {**os.environ, **MALLOC, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
