"""TensorBoard event files, read back by a second implementation of the format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_parts import StopAfter

from resnet_viz.core.errors import OutputError
from resnet_viz.data.datasets import ArraySet
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.events import Epoch, Finished, Gradients, Started, Step
from resnet_viz.training.loop import train
from resnet_viz.training.tensorboard import TensorBoardLog, crc32c, masked_crc


def records(path: Path) -> Iterator[bytes]:
    """Yield the payloads of a TFRecord file, checksums compared."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        (of_length,) = struct.unpack_from("<I", data, at + 8)
        payload = data[at + 12 : at + 12 + length]
        (of_payload,) = struct.unpack_from("<I", data, at + 12 + length)
        assert of_length == masked_crc(data[at : at + 8]) and of_payload == masked_crc(payload)
        yield payload
        at += 16 + length


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a protocol buffer message: number, and value or bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 1:
            yield key >> 3, struct.unpack_from("<d", data, at)[0]
            at += 8
        elif key & 7 == 5:
            yield key >> 3, struct.unpack_from("<f", data, at)[0]
            at += 4
        else:
            assert key & 7 == 2
            length = varint()
            yield key >> 3, data[at : at + length]
            at += length


def scalars(path: Path) -> list[tuple[int, str, float]]:
    """Return the steps, names and values of an event file."""
    found = []
    for record in records(path):
        event = dict(fields(record))
        if 5 in event:
            for number, value in fields(event[5]):
                assert number == 1
                scalar = dict(fields(value))
                found.append((event[2], scalar[1].decode(), scalar[2]))
    return found


def event_files(run: Path) -> list[Path]:
    return sorted(run.glob("events.out.tfevents.*"))


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, appendix B.4 and the catalogue of CRCs
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43


def test_events_become_scalars_counted_by_steps(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path, 0)
    log.add(Started("resnet20", 1, 1, 1, 40, 2, False))
    log.add(Step(7, 1, 1.5, 0.25, 640.0))
    log.add(Gradients(8, ("stem", "fc"), (0.5, 1e300)))
    log.add(Epoch(2, 1.0, 0.5, None, None, 0.1, 3.0))
    log.add(Finished(2, 4.0))
    log.close()
    (path,) = event_files(tmp_path)
    first, second, *_ = (dict(fields(record)) for record in records(path))
    assert first[3] == b"brain.Event:2" and 7 in second
    assert scalars(path) == [
        (7, "step/loss", 1.5),
        (7, "step/learning rate", 0.25),
        (7, "step/pictures/s", 640.0),
        (8, "gradient norm/stem", 0.5),
        (8, "gradient norm/fc", float("inf")),
        (80, "epoch/loss, training", 1.0),
        (80, "epoch/accuracy, training", 0.5),
    ]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="tfevents"):
        TensorBoardLog(tmp_path / "file", 0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was stopped after five steps and resumed to its end, with event files switched on."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (48, 8, 8, 3), np.uint8)
    data = ArraySet(images, np.arange(48) % 2, ("a", "b"), "noise")
    config = TrainConfig(
        "resnet20", "noise", epochs=2, batch=16, size=8, pad=0, bf16="off", gradients_every=1, tensorboard=True
    )
    list(train(config, data, tmp_path / "run", StopAfter(5)))
    assert isinstance(list(train(config, data, tmp_path / "run"))[-1], Finished)
    off = tmp_path / "off"
    list(train(replace(config, tensorboard=False, epochs=1), data, off))
    assert not event_files(off)
    return tmp_path / "run"


def test_a_run_writes_them_and_a_resumed_one_begins_a_second(run: Path) -> None:
    first, second = event_files(run)
    norms = [[step for step, name, _ in scalars(path) if name == "gradient norm/stem"] for path in (first, second)]
    assert norms == [[1, 2, 3, 4, 5], [6]]
    epochs = [
        [step for step, name, _ in scalars(path) if name.startswith("epoch/loss, tr")] for path in (first, second)
    ]
    assert epochs == [[3], [6]]
    session = [dict(fields(record)) for record in records(second)][1]
    assert session[2] == 5 and dict(fields(session[7])) == {1: 1}  # a session starts after five steps
