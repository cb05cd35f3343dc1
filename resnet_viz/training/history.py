"""A run as it was written down: curves, gradient norms and results, read without torch.

A run that goes on is followed by the bytes that its log has grown by; a log that is damaged,
cut off in the middle of a line or written by an older version gives what it still holds.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import layout
from .history_log import LogState, whole
from .history_record import RunHistory, depth_of, make_history, shortcut_of

__all__ = ["Follower", "RunHistory", "depth_of", "find_runs", "read_history", "shortcut_of"]

CHUNK_BYTES = 1 << 20
LINE_BYTES = 1 << 22
"""Longest line that is read; a record of a thousand blocks has a hundredth of it."""

MARK_BYTES = 256
"""Bytes before the end that tell a log that grew from one that was cut back and written anew."""


class Follower:
    """Reads a run's folder again and again, each time only what is new.

    Args:
        run: the run's folder; it may not exist yet.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.history: RunHistory | None = None
        """What the last poll that found something returned."""
        self.behind = False
        """Whether the last poll left bytes unread because of its limit."""
        self._seen: object = None
        self._begin()

    def _begin(self) -> None:
        self._log, self._offset = LogState(), 0
        self._mark, self._rest, self._skipping = b"", b"", False

    def poll(self, max_bytes: int | None = None) -> RunHistory | None:
        """Return the history if any of the run's files has changed, else None.

        Args:
            max_bytes: about how much of the log is read at most; ``behind`` says whether more is there.
        """
        now = tuple(_stamp(self.run / name) for name in (layout.EVENTS, layout.CONFIG, layout.CARD))
        if now == self._seen and not self.behind:
            return None
        self._seen = now
        config, card = _toml(self.run / layout.CONFIG), _json(self.run / layout.CARD)
        self._log.batch = whole(config.get("batch")) or 128
        try:
            self._read(max_bytes)
        except OSError:
            self.behind, self._seen = False, None  # locked for a moment: what was read stays
        self.history = make_history(self.run, config, card, self._log)
        return self.history

    def _read(self, max_bytes: int | None) -> None:
        self.behind = False
        try:
            file = open(self.run / layout.EVENTS, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            batch = self._log.batch
            self._begin()
            self._log.batch = batch
            return
        with file:
            file.seek(max(0, self._offset - len(self._mark)))
            if file.read(len(self._mark)) != self._mark:
                batch = self._log.batch
                self._begin()
                self._log.batch = batch
                file.seek(0)
            done = 0
            while chunk := file.read(CHUNK_BYTES):
                self._take(chunk)
                done += len(chunk)
                if max_bytes is not None and done >= max_bytes:
                    self.behind = bool(file.read(1))
                    break
        if not self._skipping and self._log.feed(self._rest):
            self._rest = b""  # a whole last line that lacks only its end

    def _take(self, chunk: bytes) -> None:
        self._offset += len(chunk)
        self._mark = (self._mark + chunk)[-MARK_BYTES:]
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if not self._skipping:
                self._log.feed(line)
            self._skipping = False
        if len(rest) > LINE_BYTES:
            rest, self._skipping = b"", True
        self._rest = rest


def read_history(run: Path) -> RunHistory:
    """Return what a run's folder tells; a folder without any of its files gives an empty "new" run."""
    history = Follower(run).poll()
    assert history is not None  # the first poll always finds something
    return history


def find_runs(folders: Iterable[Path]) -> list[Path]:
    """Return the runs that are these folders or lie in them, each once, by name within a folder."""
    found: dict[Path, Path] = {}
    for folder in folders:
        try:
            inside = sorted(path for path in folder.iterdir() if path.is_dir())
        except OSError:
            continue
        for path in (folder, *inside):
            if any((path / name).is_file() for name in (layout.CONFIG, layout.EVENTS)):
                found.setdefault(path.resolve(), path)
    return list(found.values())


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
