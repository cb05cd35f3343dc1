"""A run's folder: config.toml, events.jsonl, weights.safetensors, last.ckpt, card.json, epochs/.

Every file is replaced in one step, so a run that was killed never leaves half of one; the
log of events is cut back to the last checkpoint when a run goes on.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from resnet_viz.core.errors import OutputError, UserError
from resnet_viz.core.paths import atomic_path

from .layout import CARD, CONFIG, EPOCHS, EVENTS, LAST, WEIGHTS


def write_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write a state dict as a .safetensors file."""
    with atomic_path(path) as temporary:
        # written by us: safetensors' own writer says of a full disk that serializing failed
        temporary.write_bytes(to_bytes({name: value.detach().cpu().contiguous() for name, value in state.items()}))


def read_weights(run: Path) -> dict[str, Tensor]:
    """Read the run's best weights."""
    return load_file(run / WEIGHTS)


def epoch_path(run: Path, epoch: int) -> Path:
    """Return where one epoch's weights lie, for runs that keep them."""
    return run / EPOCHS / f"{epoch:04d}.safetensors"


def kept_epochs(run: Path) -> list[tuple[int, Path]]:
    """Return the epochs whose weights were kept, with their files, in order."""
    return sorted((int(path.stem), path) for path in (run / EPOCHS).glob("*.safetensors") if path.stem.isdigit())


def write_last(run: Path, state: dict[str, Any]) -> None:
    """Write everything that resuming needs as ``last.ckpt``."""
    with atomic_path(run / LAST) as path, open(path, "wb") as file:
        sink = _Sink(file)
        try:
            torch.save(state, sink)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise sink.error or error from error


class _Sink:
    """A file that remembers why it could not be written: torch.save only says that it could not."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self._file.flush()


def read_last(run: Path) -> dict[str, Any] | None:
    """Return what :func:`write_last` wrote, None if the run has no such file yet.

    Raises:
        UserError: if the file is damaged.
    """
    if not (run / LAST).is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(run / LAST, map_location="cpu", weights_only=True)
        if not {"net", "optimizer", "step", "position", "log_bytes"} <= set(state):
            raise ValueError("not a checkpoint of this program")
    except Exception as error:  # zipfile, pickle and torch raise anything on damaged bytes
        raise UserError(
            f"{run / LAST} is damaged. Start the run anew, or open its best weights, {WEIGHTS}, in Inspect."
        ) from error
    return state


def sweep(run: Path) -> None:
    """Remove the half-written files that a killed process left behind."""
    for pattern in (*(f".{name}.*" for name in (CONFIG, WEIGHTS, LAST, CARD)), f"{EPOCHS}/.*.safetensors.*"):
        for path in run.glob(pattern):
            path.unlink(missing_ok=True)


def write_card(run: Path, card: dict[str, Any]) -> None:
    """Write ``card.json``, two spaces of indent, NaN refused."""
    with atomic_path(run / CARD) as path:
        path.write_text(json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def add_hardware(run: Path, hardware: str) -> None:
    """Note in the card of a run that goes on what it goes on with; a card that cannot be read is left alone."""
    try:
        card = json.loads((run / CARD).read_text(encoding="utf-8"))
        before = str(card.get("hardware", ""))
    except (OSError, ValueError, AttributeError):
        return
    if hardware not in before:
        write_card(run, card | {"hardware": f"{before}, then {hardware}" if before else hardware})


class EventLog:
    """The run's ``events.jsonl``: lines are added, and cut back to a checkpoint when the run goes on.

    Args:
        run: the run's folder.
        keep_bytes: length up to which the file belongs to the checkpoint that the run goes on
            from; what came after it is about to happen again.
    """

    def __init__(self, run: Path, keep_bytes: int | None) -> None:
        self.path = run / EVENTS
        try:
            self._file = open(self.path, "ab")  # noqa: SIM115 - closed in close()
            if keep_bytes is not None and keep_bytes < self._file.tell():
                self._file.truncate(keep_bytes)
                self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._cannot(error) from error

    def add(self, line: str) -> None:
        """Write one line and hand it to the system.

        Raises:
            OutputError: naming the file, for example where the disk is full.
        """
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._cannot(error) from error

    def size(self) -> int:
        """Return the length in bytes, with everything on the disk itself."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._cannot(error) from error
        return self._file.tell()

    def close(self) -> None:
        """Close the file; what could not be written any more is given up."""
        try:
            self._file.close()
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> OutputError:
        reason = error.strerror or type(error).__name__
        return OutputError(f"{self.path} cannot be written ({reason}). Free some space, then resume the run.")
