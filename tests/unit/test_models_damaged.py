"""Files that are broken or something else: one clear sentence each, and never another exception."""

from __future__ import annotations

import os
import pickle
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from resnet_viz.core.errors import CheckpointError
from resnet_viz.models import create
from resnet_viz.models.checkpoint import load_checkpoint, read_state

SMALL = {"a": torch.arange(4.0), "b": torch.ones(3, 2)}


def refused(path: Path) -> str:
    """Return the one sentence that a bad file gets, after looking at its form."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CheckpointError) as caught:
            read_state(path)
    text = str(caught.value)
    assert text.startswith(path.name) and text.endswith((".", ")")) and "\n" not in text and len(text) < 400, text
    assert text.count(". ") >= 1, f"no next step in: {text}"
    return text


def _png(path: Path) -> None:
    Image.new("RGB", (4, 4)).save(path, "PNG")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "one byte": (lambda path: path.write_bytes(b"\x80"), "damaged"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "damaged"),
    "noise": (lambda path: path.write_bytes(random.Random(1).randbytes(5000)), "damaged"),
    "html": (lambda path: path.write_text("<!DOCTYPE html><title>404</title>"), "a web page"),
    "text": (lambda path: path.write_text("epoch 1 loss 0.3\n" * 99), "text"),
    "unicode": (lambda path: path.write_text("정확도 91 %\n" * 99, encoding="utf-8"), "damaged"),
    "json": (lambda path: path.write_text('{"a": 1}'), "text"),
    "lfs": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
    "png": (_png, "a PNG picture"),
    "zip": (_zip, "a zip archive but no checkpoint"),
    "zip head": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)), "damaged"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "a plain pickle"),
    "tensor": (lambda path: torch.save(torch.ones(3), path), "holds no state dict"),
    "number": (lambda path: torch.save(3, path), "holds no state dict"),
    "no weights": (lambda path: torch.save({"state_dict": {}}, path), "holds no state dict"),
    "deep": (lambda path: torch.save(_nested(9), path), "holds no state dict"),
    "circle": (lambda path: torch.save(_circle(), path), "holds no state dict"),
}


def _nested(depth: int) -> dict[str, Any]:
    return {"model": _nested(depth - 1)} if depth else dict(SMALL)


def _circle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["model"] = made
    return made


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_other_files_get_a_sentence_of_their_own(tmp_path: Path, kind: str, suffix: str) -> None:
    make, words = OTHERS[kind]
    make(tmp_path / f"x{suffix}")
    assert words in refused(tmp_path / f"x{suffix}")


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "none.pt")
    (tmp_path / "folder").mkdir()
    assert "no weights.safetensors" in refused(tmp_path / "folder")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.pt")
        assert "no ordinary file" in refused(tmp_path / "pipe.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_state(Path("nul\0name"))


def header(text: str, data: bytes = b"", length: int | None = None) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


@pytest.mark.parametrize(
    "content",
    {
        "huge header": header("{}", length=2**63),
        "longer header": header("{}", length=10_000),
        "no json": header("{nonsense"),
        "beyond the end": header('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', b"1234"),
        "overlap": header(
            '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
            bytes(12),
        ),
        "shape lies": header('{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,8]}}', bytes(8)),
        "overflow": header('{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
        "negative": header('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}', bytes(8)),
        "unknown dtype": header('{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
        "holes": header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8)),
        "nothing": header("{}"),
        "a list": header('{"a":[]}'),
    }.items(),
    ids=lambda item: item[0],
)
def test_safetensors_headers_that_lie(tmp_path: Path, content: tuple[str, bytes]) -> None:
    (tmp_path / "x.safetensors").write_bytes(content[1])
    refused(tmp_path / "x.safetensors")


@pytest.mark.parametrize("kind", ["pt", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated_files(tmp_path: Path, kind: str, share: float) -> None:
    file = tmp_path / "x.pt"
    if kind == "safetensors":
        save_file(create("resnet20", seed=0).state_dict(), file)
    else:
        torch.save(create("resnet20", seed=0).state_dict(), file, _use_new_zipfile_serialization=kind == "pt")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    refused(file)


OPCODES = (b"R", b"Q", b"(", b"t", b"b", b"a", b"e", b"s", b"u", b"0", b"2", b"N", b".", b"\x81", b"\x93", b"o", b"]")


def test_pickles_with_wrong_instructions_raise_nothing_else(tmp_path: Path) -> None:
    """The archive is whole and its pickle is not, so that the checksum does not save us."""
    state = {"conv1.weight": torch.randn(4, 3), "n": torch.tensor(3), "h": torch.nn.Parameter(torch.ones(2).half())}
    torch.save({"state_dict": state, "best": np.float64(3)}, tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    rng = random.Random(11)
    refused_ones = 0
    for _ in range(400):
        data = bytearray(entries["x/data.pkl"])
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            where = slice(at, at + rng.randrange(3))
            data[where] = rng.choice((rng.choice(OPCODES), b"", rng.randbytes(1)))
        with zipfile.ZipFile(tmp_path / "y.pt", "w") as made:
            for name, content in entries.items():
                made.writestr(name, bytes(data) if name == "x/data.pkl" else content)
        try:
            read_state(tmp_path / "y.pt")
        except CheckpointError as error:
            refused_ones += 1
            assert str(error).startswith("y.pt") and "\n" not in str(error)
    assert 200 < refused_ones < 400


@pytest.mark.parametrize("kind", ["pt", "legacy", "safetensors"])
def test_three_hundred_damaged_files_raise_nothing_else(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.pt"
    state = {"conv1.weight": torch.randn(4, 3), "bn1.num_batches_tracked": torch.tensor(3), "fc.bias": torch.ones(5)}
    if kind == "safetensors":
        save_file(state, file)
    else:
        value = {"state_dict": state, "best": np.float64(3)}
        torch.save(value, file, _use_new_zipfile_serialization=kind == "pt")
    data = file.read_bytes()
    rng = random.Random(20)
    outcomes = {"read": 0, "refused": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for turn in range(300):
            damaged = bytearray(data)
            at = rng.randrange(len(data))
            if turn % 3 == 0:
                del damaged[at:]
            elif turn % 3 == 1:
                damaged[at] ^= 1 << rng.randrange(8)
            else:
                damaged[at : at + 4] = rng.randbytes(4)
            file.write_bytes(damaged)
            try:
                load_checkpoint(file)
                outcomes["read"] += 1
            except CheckpointError as error:
                outcomes["refused"] += 1
                assert str(error).startswith("x.pt") and "\n" not in str(error)
    assert outcomes["refused"] >= 100  # a third is truncated
    shown = capfd.readouterr()
    assert shown.err == "" and shown.out == ""
