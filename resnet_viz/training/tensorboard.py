"""A run as TensorBoard event files, written without TensorBoard: scalars are all that a run has.

The format is public and small: records framed by lengths and masked CRC-32C checksums
(TFRecord), each holding one protocol buffer message of the type Event with a few fields.
``tensorboard --logdir RUNS`` shows them; whoever wants that installs it.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from resnet_viz.core.errors import OutputError

from .events import Epoch, Event, Gradients, Started, Step

VERSION = "brain.Event:2"
"""What the first record of a file says."""

_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers


class TensorBoardLog:
    """The event files of one run.

    Args:
        run: the run's folder. Every start writes a file of its own, as TensorBoard expects.
        step: steps done before; what an earlier file says of later ones is forgotten.

    Raises:
        OutputError: if the file cannot be written.
    """

    def __init__(self, run: Path, step: int) -> None:
        # files are read in the order of their names
        self.path = run / f"events.out.tfevents.{int(time.time()):010d}.{step:09d}.{os.getpid()}"
        try:
            self._file = open(self.path, "ab")  # noqa: SIM115 - closed in close()
        except OSError as error:
            raise self._cannot(error) from error
        self._steps_per_epoch = 1
        self._write(_event(0, _text(3, VERSION)))
        self._write(_event(step, _message(7, _number(1, 1))))  # a session starts

    def add(self, event: Event) -> None:
        """Write what an event holds of scalars, if anything; all are counted by optimizer steps."""
        if isinstance(event, Started):
            self._steps_per_epoch = event.steps_per_epoch
        found = list(scalars(event))
        if found:
            values = b"".join(_message(1, _text(1, tag) + _float(2, value)) for tag, value in found)
            self._write(_event(self._step_of(event), _message(5, values)))

    def _step_of(self, event: Event) -> int:
        if isinstance(event, Epoch):
            return event.epoch * self._steps_per_epoch
        return event.step if isinstance(event, (Step, Gradients)) else 0

    def close(self) -> None:
        """Close the file; what could not be written any more is given up."""
        try:
            self._file.close()
        except OSError as error:
            raise self._cannot(error) from error

    def _write(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        frame = length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))
        try:
            self._file.write(frame)
            self._file.flush()
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> OutputError:
        reason = error.strerror or type(error).__name__
        return OutputError(f"{self.path} cannot be written ({reason}). Free some space, then resume the run.")


def scalars(event: Event) -> Iterator[tuple[str, float]]:
    """Yield names and values as TensorBoard groups them; what an event does not know is left out."""
    if isinstance(event, Step):
        yield from (
            ("step/loss", event.loss),
            ("step/learning rate", event.lr),
            ("step/pictures/s", event.images_per_s),
        )
    elif isinstance(event, Epoch):
        named = (
            ("epoch/loss, training", event.train_loss),
            ("epoch/loss, validation", event.val_loss),
            ("epoch/accuracy, training", event.train_acc),
            ("epoch/accuracy, validation", event.val_acc),
        )
        yield from ((name, value) for name, value in named if value is not None)
    elif isinstance(event, Gradients):
        yield from ((f"gradient norm/{name}", norm) for name, norm in zip(event.blocks, event.weight_norm, strict=True))


# ---- the format ----


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (RFC 3720, appendix B.4) of some bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """Return the checksum as TFRecord stores it: rotated by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _row(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_row(byte) for byte in range(256))


def _event(step: int, what: bytes) -> bytes:
    return _key(1, _FIXED64) + struct.pack("<d", time.time()) + _number(2, step) + what


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _float(field: int, value: float) -> bytes:
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", float("inf"))
    return _key(field, _FIXED32) + packed


def _message(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(data)) + data


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())
