"""Training runs as processes of their own: one at a time, the others wait in a queue.

A child's stdout is JSON lines, which arrive in pieces: bytes are kept until their newline.
Its stderr goes to the log. Commands go to its stdin.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6 import sip
from PyQt6.QtCore import QCoreApplication, QObject, QProcess, QProcessEnvironment, pyqtSignal

from resnet_viz.session.child_process import child_command, child_environment

LOG_LINES = 400
CRASH_LINES = 6
SAVING_MS = 120_000
"""How long the end of the program waits for a run to save itself; then its process is killed."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainingProcess", text)


class TrainingProcess(QObject):
    """One child that trains one run.

    Signals:
        told: what it said, one dictionary of :mod:`resnet_viz.training.events`.
        said: one line of its log.
        ended: empty text if it came to its end or was stopped, else what went wrong.
    """

    told = pyqtSignal(dict)
    said = pyqtSignal(str)
    ended = pyqtSignal(str)

    def __init__(self, run: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run = run
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self._out, self._err = b"", b""
        self._failed = ""
        self._process = QProcess(self)
        environment = QProcessEnvironment()
        for name, value in child_environment().items():
            environment.insert(name, value)
        self._process.setProcessEnvironment(environment)
        self._process.readyReadStandardOutput.connect(self._on_out)
        self._process.readyReadStandardError.connect(self._on_err)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)

    def start(self) -> None:
        """Start the child."""
        program, *words = child_command("--resume", str(self.run), "--controlled")
        self._process.start(program, words)

    @property
    def alive(self) -> bool:
        """Whether the child runs or is about to."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    @property
    def process_id(self) -> int:
        """The child's process number, 0 if there is none."""
        return int(self._process.processId() or 0)

    def send(self, command: str) -> None:
        """Send ``"stop"``, ``"pause"``, ``"resume"`` or ``"detach"``."""
        self._process.write(json.dumps({"cmd": command}).encode() + b"\n")

    def let_go(self) -> None:
        """Let the child go on alone: it no longer minds that its parent ends."""
        self.send("detach")
        self._process.waitForBytesWritten(1000)
        for signal in (self._process.readyReadStandardOutput, self._process.readyReadStandardError):
            signal.disconnect()
        self._process.finished.disconnect()
        self._process.errorOccurred.disconnect()
        # a QProcess kills its child when it is destroyed, so this one never is
        self._process.setParent(None)
        sip.transferto(self._process, None)  # type: ignore[arg-type]

    def wait(self, milliseconds: int) -> bool:
        """Wait for the end; returns whether it came."""
        return self._process.waitForFinished(milliseconds) or not self.alive

    def _on_out(self) -> None:
        self._out += bytes(self._process.readAllStandardOutput().data())
        *lines, self._out = self._out.split(b"\n")
        for line in lines:
            try:
                found: Any = json.loads(line)
            except ValueError:
                self._note(line.decode("utf-8", "replace"))  # a library that prints: no reason to stop
                continue
            if isinstance(found, dict):
                if found.get("event") == "failed":
                    self._failed = str(found.get("reason", ""))
                self.told.emit(found)

    def _on_err(self) -> None:
        self._err += bytes(self._process.readAllStandardError().data())
        *lines, self._err = self._err.split(b"\n")
        for line in lines:
            self._note(line.decode("utf-8", "replace"))

    def _note(self, line: str) -> None:
        if line.strip():
            self.log.append(line)
            self.said.emit(line)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.ended.emit(_tr("Training could not be started: {0}").format(self._process.errorString()))

    def _on_finished(self, status: int, how: QProcess.ExitStatus) -> None:
        self._on_out()
        self._on_err()
        if self._err:
            self._note(self._err.decode("utf-8", "replace"))
        if self._failed:
            self.ended.emit(self._failed)
        elif how == QProcess.ExitStatus.CrashExit or status:
            last = "\n".join(list(self.log)[-CRASH_LINES:])
            text = _tr("The training process ended unexpectedly. Resume the run to go on from its last checkpoint.")
            self.ended.emit(f"{text}\n{last}")
        else:
            self.ended.emit("")


class RunQueue(QObject):
    """Runs one after another.

    Signals:
        changed: what runs or waits has changed.
        told: folder of the run, and what it said.
        said: folder of the run, and one line of its log.
        failed: folder of the run, and what went wrong.
        done: folder of the run that ended well or was stopped.
    """

    changed = pyqtSignal()
    told = pyqtSignal(object, dict)
    said = pyqtSignal(object, str)
    failed = pyqtSignal(object, str)
    done = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.current: TrainingProcess | None = None
        self.waiting: list[Path] = []
        self.paused = False
        self.blocked: Callable[[], bool] = lambda: False
        """Whether somebody else trains on this machine, so that ours wait."""

    def add(self, run: Path) -> None:
        """Train this run as soon as the others have ended; its folder has a configuration."""
        if run not in self.waiting and (self.current is None or self.current.run != run):
            self.waiting.append(run)
            self._next()
            self.changed.emit()

    def remove(self, *runs: Path) -> None:
        """Take runs out of the queue."""
        if any(run in self.waiting for run in runs):
            self.waiting = [run for run in self.waiting if run not in runs]
            self.changed.emit()

    def stop(self) -> None:
        """Ask the running one to save and end; the next one follows."""
        if self.current is not None:
            self.current.send("stop")

    def set_paused(self, paused: bool) -> None:
        """Hold the running one before its next step, or let it go on."""
        if self.current is not None and paused != self.paused:
            self.paused = paused
            self.current.send("pause" if paused else "resume")
            self.changed.emit()

    def go_on(self) -> None:
        """Start the next one if nothing is in its way any more."""
        if self.current is None and self.waiting:
            self._next()
            self.changed.emit()

    def _next(self) -> None:
        if self.current is not None or not self.waiting or self.blocked():
            return
        process = self.current = TrainingProcess(self.waiting.pop(0), self)
        self.paused = False
        process.told.connect(lambda event, run=process.run: self.told.emit(run, event))
        process.said.connect(lambda line, run=process.run: self.said.emit(run, line))
        process.ended.connect(lambda reason, process=process: self._on_ended(process, reason))
        process.start()

    def _on_ended(self, process: TrainingProcess, reason: str) -> None:
        if process is not self.current:
            return
        self.current = None
        process.deleteLater()
        if reason:
            self.failed.emit(process.run, reason)
        else:
            self.done.emit(process.run)
        self._next()
        self.changed.emit()

    def close(self, keep: bool) -> None:
        """End with the window: let the running one go on alone, or wait until it has saved itself."""
        self.waiting.clear()
        if self.current is None:
            return
        process, self.current = self.current, None
        if keep:
            process.let_go()
        else:
            process.ended.disconnect()
            process.send("stop")
            process.wait(SAVING_MS)
