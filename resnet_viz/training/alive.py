"""Whether somebody trains a run right now, seen from any process: a file that is touched like a pulse.

A process number alone does not do: it may belong to something else by now, or to another
machine that shares the folder. A pulse that stopped is a process that was killed. Where the
number belongs to this machine and to no process any more, nobody has to wait for that.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from resnet_viz.core.errors import UserError

from .control import RunControl

ALIVE = "alive"
"""File with the number of the process that trains the run, and the machine it runs on."""

STOP = "stop"
"""File that asks that process to save and finish."""

PULSE_S = 1.0
DEAD_AFTER_S = 20.0


def is_alive(run: Path) -> bool:
    """Return whether a process trains this run."""
    try:
        beats = time.time() - (run / ALIVE).stat().st_mtime < DEAD_AFTER_S
        return beats and not _is_gone((run / ALIVE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def _is_gone(text: str) -> bool:
    """Return whether the process that wrote this ran here and has ended; False where that is not known."""
    number, _, place = text.partition(" ")
    if sys.platform == "win32" or place != _place() or not number.isdecimal() or int(number) <= 1:
        return False  # on Windows the question itself would end the process
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's
        return False
    return False


def _place() -> str:
    """Return what tells this machine, and this container on it, from others."""
    with suppress(OSError):
        return f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"
    return platform.node()


def ask_to_stop(run: Path) -> None:
    """Ask whoever trains this run to save and finish."""
    with suppress(OSError):
        (run / STOP).touch()


class Pulse:
    """Marks a run as being trained, and watches for a request to stop; a context manager.

    Args:
        run: the run's folder.
        control: cancelled when somebody asks the run to stop.

    Raises:
        UserError: if somebody else trains it.
    """

    def __init__(self, run: Path, control: RunControl) -> None:
        self.run, self.control = run, control
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        if is_alive(self.run):
            raise UserError(
                f"{self.run} is being trained already. Wait for it, or stop it by making a file named {STOP} in it."
            )
        with suppress(OSError):  # a folder that cannot be written is said by what has to be written
            self.run.mkdir(parents=True, exist_ok=True)
            (self.run / STOP).unlink(missing_ok=True)
            (self.run / ALIVE).write_text(f"{os.getpid()} {_place()}", encoding="utf-8")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        for name in (ALIVE, STOP):
            with suppress(OSError):
                (self.run / name).unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._over.wait(PULSE_S):
            with suppress(OSError):
                os.utime(self.run / ALIVE)
            if (self.run / STOP).exists():
                self.control.cancel()
