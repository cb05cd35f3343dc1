"""The training process that the window starts: JSON lines out, commands in.

stdout carries events and nothing else. stdin takes ``{"cmd": "stop" | "pause" | "resume" |
"detach"}``, one a line; its end means that the parent is gone: the run is saved and ends,
unless it was told to go on alone ("detach").
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from resnet_viz.core.errors import Cancelled, UserError
from resnet_viz.training.alive import Pulse
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.control import RunControl

from .interrupt import interruptible


def give_way() -> str:
    """Let every other process go first; returns how. The idle class costs a click nothing, nice 19 a little."""
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return "idle"
    with suppress(OSError, AttributeError):
        os.nice(19)
        return "nice"
    return "normal"


def stand_alone() -> None:
    """Leave the window's session: its terminal may close, and the next window must not have to share with us.

    Linux shares a processor among sessions before it looks at priorities inside them (sched(7),
    autogroup), so a process of the idle class in a session of its own would take half of it.
    """
    if hasattr(os, "setsid"):
        with suppress(OSError):  # not where we lead a session already
            os.setsid()
            Path("/proc/self/autogroup").write_text("19", encoding="ascii")


class _Listener(threading.Thread):
    """Reads commands until stdin ends; a daemon, as a blocked read cannot be called back."""

    def __init__(self, control: RunControl, stream: TextIO) -> None:
        super().__init__(name="commands", daemon=True)
        self.control, self.stream = control, stream
        self.detached = False

    def run(self) -> None:
        """Obey one command after the other."""
        for line in self.stream:
            try:
                command = json.loads(line)["cmd"]
            except (ValueError, KeyError, TypeError):
                continue  # not for us
            if command == "stop":
                self.control.cancel()
            elif command == "pause":
                self.control.pause()
            elif command == "resume":
                self.control.go_on()
            elif command == "detach":
                self.detached = True
                stand_alone()
                self.control.go_on()
        if not self.detached:
            self.control.cancel()


def run_controlled(config: TrainConfig, run: Path) -> int:
    """Train under a window's control.

    Returns:
        0 where the run ended or was stopped, 1 where it failed.
    """
    how = give_way()
    from resnet_viz.session.results import finish_card
    from resnet_viz.training.events import Event, Failed, Finished, to_json
    from resnet_viz.training.loop import train
    from resnet_viz.training.prepare import load_part

    control = RunControl()
    listener = _Listener(control, sys.stdin)
    listener.start()
    print(f"{run.name}: process {os.getpid()}, priority {how}", file=sys.stderr, flush=True)

    def send(event: Event) -> None:
        # a parent that is gone no longer reads; the run's events.jsonl has everything
        with suppress(BrokenPipeError, OSError):
            print(to_json(event), flush=True)

    status = 0
    try:
        with interruptible(control), Pulse(run, control):
            data = load_part(config, "train", control)
            for sentence in data.skipped:
                print(f"skipped, not readable: {sentence}", file=sys.stderr, flush=True)
            for event in train(config, data, run, control):
                if isinstance(event, Finished) and not event.stopped:
                    finish_card(run, control)
                status = 1 if isinstance(event, Failed) else status
                send(event)
    except Cancelled:
        send(Finished(0, 0.0, stopped=True))
    except UserError as error:
        send(Failed(str(error)))
        print(f"resnet-viz: {error}", file=sys.stderr, flush=True)
        status = 1
    return status
