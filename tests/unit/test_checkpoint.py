"""Opening other people's checkpoints: what is in them is found out, and nothing in them ever runs."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from resnet_viz.core.errors import CheckpointError, UserError
from resnet_viz.models import create, files, models
from resnet_viz.models.checkpoint import load_checkpoint, load_into, read_state
from resnet_viz.models.factory import load_factory

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def same_answers(a: nn.Module, b: nn.Module, x: Tensor = X) -> bool:
    with torch.no_grad():
        return bool((a.eval()(x) - b.eval()(x)).abs().max() == 0)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".th", ".safetensors"])
def test_every_ending(tmp_path: Path, ending: str) -> None:
    net = create("resnet20", seed=1)
    path = tmp_path / f"무게{ending}"
    if ending == ".safetensors":
        save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path)
    opened, found = load_checkpoint(path)
    assert found.arch == "resnet20" and same_answers(net, opened)
    assert not opened.training and all(parameter.requires_grad for parameter in opened.parameters())


@pytest.mark.parametrize("box", ["state_dict", "model", "net", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("head", ["fc", "linear", "classifier"])
def test_wrappings_come_off(tmp_path: Path, box: str, prefix: str, head: str) -> None:
    net = create("resnet20", seed=2)
    state = {f"{prefix}{key.replace('fc.', f'{head}.')}": value for key, value in net.state_dict().items()}
    path = tmp_path / "wrapped.pth"
    torch.save({box: state, "epoch": 7, "best_prec1": 91.2, "optimizer": {"state": {}, "param_groups": [1]}}, path)
    opened, found = load_checkpoint(path)
    assert same_answers(net, opened)
    assert "ResNet-20, shortcut A, 10 classes, 269,722 parameters" in found.found
    assert "stripped" in found.found


def test_the_sentence_of_the_status_line(tmp_path: Path) -> None:
    net = create("resnet20", seed=2)
    path = tmp_path / "x.pth"
    torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, path)
    _, found = load_checkpoint(path)
    start = "ResNet-20, shortcut A, 10 classes, 269,722 parameters, prefix `module.` stripped"
    assert found.found.startswith(start)


@pytest.mark.parametrize("name", models.ids())
def test_every_family_is_recognised(tmp_path: Path, name: str) -> None:
    net = create(name, seed=0)
    path = tmp_path / "x.pt"
    torch.save(net.state_dict(), path)
    _, found = load_checkpoint(path)
    if models.get(name).family == "cifar-plain":
        # the same tensors: a residual net is taken, and it says that it might be the plain twin
        assert found.arch == name.replace("plain", "resnet")
        assert any(f"--arch {name}" in warning for warning in found.warnings)
        opened, told = load_checkpoint(path, arch=name)
        assert told.arch == name and same_answers(net, opened)
    else:
        assert found.arch == name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet32", {"shortcut": "B"}),
        ("resnet20", {"num_classes": 100}),
        ("resnet56", {"batch_norm": False}),
        ("resnet18", {"num_classes": 2}),
        ("xai", {"num_classes": 5}),
        ("hresnet", {"num_classes": 7}),
        ("plain34", {}),
    ],
)
def test_options_are_read_off_the_shapes(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    net = create(name, seed=0, **options)
    path = tmp_path / "x.pt"
    torch.save(net.state_dict(), path)
    opened, found = load_checkpoint(path)
    assert found.arch == name
    for key, value in options.items():
        assert getattr(found.options, key) == value
    x = X if name != "xai" else torch.randn(1, 3, 40, 40)
    assert same_answers(net, opened, x)


def test_other_names_of_the_projection(tmp_path: Path) -> None:
    net = create("resnet20", seed=0, shortcut="B")
    state = {key.replace("downsample", "shortcut"): value for key, value in net.state_dict().items()}
    torch.save(state, tmp_path / "x.pt")
    opened, found = load_checkpoint(tmp_path / "x.pt")
    assert found.options.shortcut == "B" and same_answers(net, opened)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_torchvisions_weights_give_torchvisions_logits(tmp_path: Path, name: str) -> None:
    net = getattr(torchvision.models, name)(weights=None).eval()
    torch.save(net.state_dict(), tmp_path / "x.pth")
    opened, found = load_checkpoint(tmp_path / "x.pth")
    assert found.arch == name and same_answers(net, opened, torch.randn(1, 3, 64, 64))


def test_half_precision_is_widened_and_said(tmp_path: Path) -> None:
    torch.save(create("resnet20").half().state_dict(), tmp_path / "x.pt")
    opened, found = load_checkpoint(tmp_path / "x.pt")
    assert "float16 cast to float32" in found.found and next(opened.parameters()).dtype == torch.float32


def test_nan_weights_open_with_a_warning(tmp_path: Path) -> None:
    state = create("resnet20").state_dict()
    state["conv1.weight"][:] = float("nan")
    torch.save(state, tmp_path / "x.pt")
    _, found = load_checkpoint(tmp_path / "x.pt")
    assert any("432" in warning and "NaN" in warning for warning in found.warnings)


def test_what_is_harmless_is_let_through(tmp_path: Path) -> None:
    state = {key: value for key, value in create("resnet20").state_dict().items() if "num_batches" not in key}
    torch.save({"state_dict": state, "acc": np.float64(91.2)}, tmp_path / "x.pt")
    assert load_checkpoint(tmp_path / "x.pt")[1].arch == "resnet20"
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert load_checkpoint(tmp_path / "old.pt")[1].arch == "resnet20"


def test_a_run_folder_opens(tmp_path: Path) -> None:
    save_file(create("resnet20").state_dict(), tmp_path / "weights.safetensors")
    assert load_checkpoint(tmp_path)[1].arch == "resnet20"


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save(create("resnet20").state_dict(), path)
    with pytest.raises(CheckpointError, match="resnet56"):
        load_checkpoint(path, arch="resnet56")
    torch.save(nn.Linear(3, 4).state_dict(), path)
    with pytest.raises(CheckpointError, match=r"--factory"):
        load_checkpoint(path)
    state = create("resnet20").state_dict()
    del state["layer2.1.conv1.weight"]
    torch.save(state, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


# ---- hostile files ----


class Evil:
    """A pickle that would create a file when it is loaded the careless way."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.marker}'",)


class EvilEval(Evil):
    def __reduce__(self) -> Any:
        return eval, (f"open({str(self.marker)!r}, 'w')",)


@pytest.mark.parametrize("kind", [Evil, EvilEval])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_code_in_a_pickle_is_refused_and_does_not_run(
    tmp_path: Path, kind: type[Evil], zipped: bool, nested: bool
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pth"
    evil = kind(marker)
    content = {"state_dict": create("resnet20").state_dict(), "note": evil} if nested else evil
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"evil\.pth"):
        load_checkpoint(path)
    assert not marker.exists()
    with open(path, "rb") as file, pytest.raises(Exception):  # noqa: B017 - any refusal will do
        torch.load(file, weights_only=True)
    assert not marker.exists()


def test_the_refusal_names_what_it_asked_for(tmp_path: Path) -> None:
    torch.save({"x": Evil(tmp_path / "ran")}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"system.*refused; nothing of it ran"):
        read_state(tmp_path / "evil.pt")


def test_a_bare_pickle_is_refused_as_well(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(CheckpointError):
        read_state(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


def test_a_whole_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(create("resnet20"), tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="state dict"):
        read_state(tmp_path / "x.pt")


def valid_pt() -> bytes:
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2)}, buffer)
    return buffer.getvalue()


def bad_files() -> dict[str, bytes]:
    huge_header = struct.pack("<Q", 2**60) + b"{}"
    entry = '{"dtype":"F32","shape":[4],"data_offsets":[%d,%d]}'
    overlapping = ('{"a":' + entry % (0, 16) + ',"b":' + entry % (8, 24) + "}").encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "no checkpoint")
    return {
        "empty.pt": b"",
        "empty.safetensors": b"",
        "page.pth": b"<!DOCTYPE html><html><body>404</body></html>",
        "text.pt": b"just some text, no tensors at all",
        "picture.pt": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "archive.pt": archive.getvalue(),
        "cut.pt": valid_pt()[:-200],
        "half.pth": valid_pt()[:300],
        "lies.safetensors": huge_header,
        "overlap.safetensors": struct.pack("<Q", len(overlapping)) + overlapping + bytes(24),
        "renamed.safetensors": valid_pt(),
        "zeros.th": bytes(4096),
    }


@pytest.mark.parametrize("name", bad_files())
def test_damaged_and_foreign_files_are_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bad_files()[name])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert name in message and "\n" not in message and message.endswith(".")


def test_lists_and_numbers_are_no_state_dict(tmp_path: Path) -> None:
    for content in ([1, 2], 3, {}, {"epoch": 3}, torch.ones(3), {"state_dict": {}}):
        torch.save(content, tmp_path / "x.pt")
        with pytest.raises(CheckpointError, match="state dict"):
            read_state(tmp_path / "x.pt")


def test_a_view_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(1).expand(500_000_000)}, tmp_path / "bomb.pt")
    assert (tmp_path / "bomb.pt").stat().st_size < 5000
    with pytest.raises(CheckpointError, match="claims more values"):
        read_state(tmp_path / "bomb.pt")


def test_files_that_unpack_to_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.pt").write_bytes(valid_pt())
    monkeypatch.setattr(files, "MAX_GROWTH", 0)
    monkeypatch.setattr(files, "ALWAYS_ALLOWED_BYTES", 100)
    with pytest.raises(CheckpointError, match="unpacks"):
        read_state(tmp_path / "x.pt")
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 100)
    with pytest.raises(CheckpointError, match="larger"):
        read_state(tmp_path / "x.pt")


@pytest.mark.parametrize("claimed", [10, 1 << 34, 1 << 62])
def test_a_bytearray_is_not_reserved_at_the_files_word(tmp_path: Path, claimed: int) -> None:
    content = b"\x80\x05\x96" + claimed.to_bytes(8, "little") + b"0123456789."
    (tmp_path / "x.pt").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="changeable bytes"):
            read_state(tmp_path / "x.pt")
        assert tracemalloc.get_traced_memory()[1] < 100_000_000  # the file is read in blocks of 64 MiB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", [".pt", ".safetensors", ".legacy.pt"])
def test_whatever_is_damaged_only_our_error_comes_out(tmp_path: Path, ending: str) -> None:
    tensors = {"conv1.weight": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2)}
    path = tmp_path / f"x{ending}"
    if ending == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=ending == ".pt")
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(300):
        content = bytearray(whole)
        if rng.random() < 0.3:
            content = content[: rng.randrange(len(content))]
        else:
            for _flip in range(rng.randint(1, 4)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                read_state(path)
            except CheckpointError as error:
                assert "\n" not in str(error)


def test_factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_nets.py").write_text(
        "from torch import nn\n"
        "def good(): return nn.Linear(2, 3)\n"
        "def fails(): raise KeyError('no')\n"
        "def number(): return 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(load_factory("some_nets:good"), nn.Linear)
    for spec, part in {
        "some_nets": "package.module:function",
        "some_nets:": "package.module:function",
        "no_such_thing:good": "no_such_thing",
        "some_nets:missing": "missing",
        "some_nets:fails": "KeyError",
        "some_nets:number": "int",
    }.items():
        with pytest.raises(UserError, match=part):
            load_factory(spec)


def test_counters_that_float_made_real_are_whole_numbers_again(tmp_path: Path) -> None:
    """``{k: v.float() for k, v in net.state_dict().items()}`` is what many scripts save."""
    net = create("resnet20", seed=3)
    net.bn1.num_batches_tracked.fill_(64_000)
    path = tmp_path / "all-float.pth"
    torch.save({key: value.float() for key, value in net.state_dict().items()}, path)
    opened, _ = load_checkpoint(path)
    assert same_answers(net, opened)
    counter = opened.get_buffer("bn1.num_batches_tracked")
    assert counter.dtype == torch.int64 and int(counter) == 64_000
    other = create("resnet20", seed=4)
    load_into(other, path, "resnet20")
    assert same_answers(net, other) and int(other.get_buffer("bn1.num_batches_tracked")) == 64_000


@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf"), 1e30])
def test_a_counter_that_counts_nothing_is_refused_in_words_that_fit(tmp_path: Path, value: float) -> None:
    state = create("resnet20").state_dict()
    state["bn1.num_batches_tracked"] = torch.tensor(value)
    path = tmp_path / "odd.pth"
    torch.save(state, path)
    sentence = r"'bn1.num_batches_tracked' holds float32, the net expects whole numbers"
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=sentence):
        load_into(create("resnet20"), path, "resnet20")


def test_weights_that_are_whole_numbers_are_refused(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    path = tmp_path / "whole.pth"
    torch.save({key: value.to(torch.int32) for key, value in net.state_dict().items()}, path)
    with pytest.raises(CheckpointError, match="holds int32, the net expects real numbers"):
        load_into(net, path, "net")
