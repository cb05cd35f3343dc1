"""Files that lie, break or try to run something: one clear sentence, and nothing else happens."""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from resnet_viz.core.errors import CheckpointError
from resnet_viz.models import files as files_module
from resnet_viz.models.checkpoint import read_state
from resnet_viz.models.unpickle import _allowed, _Rehearsal

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


class Touch:
    """Would make a marker file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def _new(value: object, file: Path) -> None:
    torch.save(value, file)


def _old(value: object, file: Path) -> None:
    torch.save(value, file, _use_new_zipfile_serialization=False)


def _bare(value: object, file: Path) -> None:
    file.write_bytes(pickle.dumps(value))


@pytest.mark.parametrize("save", [_new, _old, _bare])
@pytest.mark.parametrize("beside", [True, False])
def test_a_pickle_that_runs_a_program_is_refused_and_nothing_runs(
    tmp_path: Path, save: Callable[[object, Path], None], beside: bool
) -> None:
    marker, file = tmp_path / "marker", tmp_path / "evil.pth"
    save({"state_dict": SMALL, "x": Touch(marker)} if beside else Touch(marker), file)
    text = refused(file)
    assert f"{os.system.__module__}.system" in text and "nothing of it ran" in text
    assert not marker.exists()
    # the file is what it is taken for: read without care it runs
    with open(file, "rb") as opened:
        torch.load(opened, weights_only=False) if save is not _bare else pickle.load(opened)
    assert marker.exists()


@pytest.mark.parametrize("save", [_new, _old])
def test_a_whole_pickled_module_is_refused_by_name(tmp_path: Path, save: Callable[[object, Path], None]) -> None:
    save(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), tmp_path / "whole.pt")
    text = refused(tmp_path / "whole.pt")
    assert "torch.nn.modules" in text and "state_dict()" in text


@pytest.mark.parametrize(
    "value",
    [np.complex64(0.5), np.arange(3), Path("x"), torch.nn.Linear(1, 1), object(), slice(3)],
    ids=lambda value: type(value).__name__,
)
def test_what_is_neither_tensor_nor_plain_value_is_refused(tmp_path: Path, value: object) -> None:
    torch.save({"state_dict": SMALL, "extra": value}, tmp_path / "x.pt")
    assert "torch.save(net.state_dict(), file)" in refused(tmp_path / "x.pt")


PLAIN = [1, 0.5, "x", None, True, [1, (2, 3)], {"lr": 0.1}, {1, 2}, b"bytes", 2 + 3j, np.float64(0.5), torch.Size([1])]


@pytest.mark.parametrize("value", PLAIN)
def test_plain_values_beside_the_weights_do_no_harm(tmp_path: Path, value: object) -> None:
    torch.save(
        {"state_dict": SMALL, "extra": value, "where": torch.device("cpu"), "kind": torch.float16}, tmp_path / "x"
    )
    assert read_state(tmp_path / "x").tensors.keys() == SMALL.keys()


def test_the_names_found_are_the_ones_that_pytorch_finds(tmp_path: Path) -> None:
    value = {"a": SMALL, "x": Touch(tmp_path / "m"), "y": nn.ReLU(), "z": np.arange(2)}
    torch.save(value, tmp_path / "x.pt")
    theirs = set(torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "x.pt"))
    assert len(theirs) > 3
    with zipfile.ZipFile(tmp_path / "x.pt") as archive:
        rehearsal = _Rehearsal(io.BytesIO(archive.read("x/data.pkl")))
    rehearsal.load()
    assert theirs == {name for name in rehearsal.names if not _allowed(name)} | (theirs & _SCALARS)
    assert {"posix.system", "nt.system"} & rehearsal.names
    named, _, more = refused(tmp_path / "x.pt").partition("(")[2].partition(")")[0].partition(" and ")
    assert set(named.split(", ")) <= theirs and more.endswith(" more")
    assert not (tmp_path / "m").exists()


_SCALARS = {"numpy.dtype", "numpy._core.multiarray.scalar"}  # these two are let through


def rebuilt(source: Path, target: Path, **replaced: bytes) -> None:
    """Copy a zipped checkpoint with other contents for some entries (``data_pkl``: ``data.pkl``)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            key = entry.filename.partition("/")[2].replace(".", "_").replace("/", "_")
            new.writestr(entry.filename, replaced.get(key, old.read(entry)))


@pytest.fixture
def one(tmp_path: Path) -> Path:
    torch.save({"a": torch.arange(4.0)}, tmp_path / "a.pt")
    return tmp_path / "a.pt"


def pickled(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("a/data.pkl")


HUGE = b"J" + struct.pack("<i", 2_000_000_000)


@pytest.mark.parametrize("place", ["storage", "size", "both", "offset", "negative"])
def test_claims_beyond_the_file_are_refused_before_memory_is_reserved(one: Path, tmp_path: Path, place: str) -> None:
    data = pickled(one)
    storage = data.index(b"K\x04", data.index(b"cpu"))
    size = data.index(b"K\x04", storage + 2)
    offset = data.index(b"QK\x00") + 1
    if place == "negative":
        data = data[:size] + b"J" + struct.pack("<i", -4) + data[size + 2 :]
    if place == "offset":
        data = data[:offset] + HUGE + data[offset + 2 :]
    if place in ("size", "both"):
        data = data[:size] + HUGE + data[size + 2 :]
    if place in ("storage", "both"):
        data = data[:storage] + HUGE + data[storage + 2 :]
    rebuilt(one, tmp_path / "lie.pt", data_pkl=data)
    assert "refused" in refused(tmp_path / "lie.pt")


@pytest.mark.parametrize("name", ["builtins\nbytearray", "torch\nTensor", "torch\nFloatTensor", "torch\nFloatStorage"])
def test_calls_that_only_reserve_memory_are_refused(one: Path, tmp_path: Path, name: str) -> None:
    """PyTorch's own list allows these; the amount is the file's choice."""
    call = b"\x80\x02c" + name.encode() + b"\n" + HUGE + b"\x85R."
    rebuilt(one, tmp_path / "reserve.pt", data_pkl=call)
    assert "refused" in refused(tmp_path / "reserve.pt")


def test_a_tampered_numpy_dtype_is_refused(tmp_path: Path) -> None:
    """PyTorch hands it to NumPy, and NumPy's reader of this state crashes the whole process."""
    torch.save({"a": torch.ones(2), "best": np.float64(3)}, tmp_path / "a.pt")
    data = pickled(tmp_path / "a.pt")
    at = data.index(b"NNN", data.index(b"cnumpy\ndtype"))
    for state in (b"N", b"NN", b"NNNN", b"N]N", b"NNK\x01"):
        rebuilt(tmp_path / "a.pt", tmp_path / "b.pt", data_pkl=data[:at] + state + data[at + 3 :])
        assert "odd state of numpy.dtype" in refused(tmp_path / "b.pt")
    assert "a" in read_state(tmp_path / "a.pt").tensors


def test_a_call_inside_a_call_is_looked_at_too(one: Path, tmp_path: Path) -> None:
    """``_rebuild_from_type_v2`` calls what it is given; tensors with attributes are saved so."""
    tensor = torch.ones(3)
    tensor.note = "kept"  # type: ignore[attr-defined]
    torch.save({"a": tensor}, tmp_path / "b.pt")
    with zipfile.ZipFile(tmp_path / "b.pt") as archive:
        assert b"_rebuild_from_type_v2" in archive.read("b/data.pkl")
    assert torch.equal(read_state(tmp_path / "b.pt").tensors["a"], torch.ones(3))
    call = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\nbytearray\nctorch\nTensor\n"
    rebuilt(one, tmp_path / "c.pt", data_pkl=call + HUGE + b"\x85}tR.")
    assert "bytearray" in refused(tmp_path / "c.pt")


def test_one_storage_with_two_sizes_is_refused(tmp_path: Path) -> None:
    both = torch.arange(4.0)
    _old({"a": both, "b": both[:2]}, tmp_path / "old.pt")
    assert read_state(tmp_path / "old.pt").tensors["b"].shape == (2,)
    data = (tmp_path / "old.pt").read_bytes()
    second = data.index(b"K\x04N", data.index(b"K\x04N") + 1)
    (tmp_path / "two.pt").write_bytes(data[:second] + b"K\x03N" + data[second + 3 :])
    assert "two sizes for one storage" in refused(tmp_path / "two.pt")


def test_old_files_that_claim_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    _old({"a": torch.arange(4.0)}, tmp_path / "old.pt")
    data = (tmp_path / "old.pt").read_bytes()
    storage = data.index(b"K\x04", data.index(b"cpu"))
    size = data.index(b"K\x04", storage + 2)
    for at in (storage, size):
        (tmp_path / "lie.pt").write_bytes(data[:at] + HUGE + data[at + 2 :])
        assert "claims more values than the file holds" in refused(tmp_path / "lie.pt")


def test_expanded_views_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(500_000_000)}, tmp_path / "wide.pt")
    assert (tmp_path / "wide.pt").stat().st_size < 3000
    assert "claims more values" in refused(tmp_path / "wide.pt")


UNUSUAL: dict[str, Callable[[], torch.Tensor]] = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8),
    "without values": lambda: torch.empty(3, device="meta"),
    "plain tensor": lambda: torch.ones(2, dtype=torch.complex64),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_tensors_of_unusual_kinds_are_refused(tmp_path: Path, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates quantised tensors
        torch.save({"a": UNUSUAL[kind]()}, tmp_path / "x.pt")
    assert kind in refused(tmp_path / "x.pt")


def test_zip_bombs_are_refused_before_they_unpack(one: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(one) as old, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
        new.writestr("a/data/1", bytes(100 * 1024**2))
    assert (tmp_path / "bomb.pt").stat().st_size < 200_000
    assert "unpacks to 0.1 GB" in refused(tmp_path / "bomb.pt")


def test_too_many_entries_two_of_one_name_and_torchscript(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def added(name: str) -> str:
        (tmp_path / "b.pt").write_bytes(one.read_bytes())
        with zipfile.ZipFile(tmp_path / "b.pt", "a") as archive:
            archive.writestr(name, b"x")
        return refused(tmp_path / "b.pt")

    assert "two entries of one name" in added("a/DATA.pkl")
    assert "TorchScript" in added("a/constants.pkl")
    monkeypatch.setattr(files_module, "MAX_ENTRIES", 5)
    assert "more than 5 entries" in refused(one)
    monkeypatch.setattr(files_module, "MAX_FILE_BYTES", 100)
    assert "larger than" in refused(one)
