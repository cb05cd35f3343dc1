"""How other processes are started: the same program, with memory settings and no screen."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import resnet_viz
from resnet_viz.core.token import CancelToken

MALLOC = {
    # freed memory stays with the process: mapping pages anew costs 15-30 % of a training step
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
}

LOOK_S = 0.05
"""How often the one who waits for a process is asked whether they still do."""


def child_command(*words: str) -> list[str]:
    """Return the command line of ``resnet-viz train`` with this very interpreter and package."""
    return [sys.executable, "-m", "resnet_viz", "train", *words]


def child_environment() -> dict[str, str]:
    """Return the environment of a training process."""
    package = str(Path(resnet_viz.__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([package, inherited] if inherited else [package])
    return {**os.environ, **MALLOC, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def run_child(
    command: list[str], token: CancelToken, environment: dict[str, str] | None = None, longest_s: float = math.inf
) -> subprocess.CompletedProcess[bytes]:
    """Run a process to its end and return what it wrote; it is ended when nobody waits for it any more.

    Args:
        command: its command line.
        token: whether somebody still waits.
        environment: its environment, :func:`child_environment` if None.
        longest_s: seconds after which it is ended.

    Raises:
        Cancelled: if the token was set.
        subprocess.TimeoutExpired: if it took longer.
    """
    end = time.monotonic() + longest_s
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment() if environment is None else environment,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as child:
        try:
            while True:
                token.check()
                try:
                    out, errors = child.communicate(timeout=LOOK_S)
                    return subprocess.CompletedProcess(command, child.returncode, out, errors)
                except subprocess.TimeoutExpired:
                    if time.monotonic() > end:
                        raise
        finally:
            child.kill()
