"""The registry of commands: one file each, registered by its name."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from resnet_viz.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: the word on the command line.
        help: one line.
        example: a command line that works on a fresh machine.
        add_arguments: fills the parser; must not import torch, ``--help`` waits for it.
        run: does the job and returns the exit status.
    """

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


commands: Registry[Command] = Registry("command")
"""All commands by name, in the order of ``--help``."""
