"""Checkpoints as people save them: every wrapping, every name, every number format."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from resnet_viz.core.errors import CheckpointError, UnknownNameError
from resnet_viz.core.paths import trained_dir
from resnet_viz.models import create, models
from resnet_viz.models.checkpoint import RawCheckpoint, load_checkpoint, load_into, read_state, recognise

State = dict[str, Tensor]
LAST = torch.channels_last


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return create("resnet20", seed=4)


def same_logits(one: nn.Module, two: nn.Module, size: int = 32) -> bool:
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.equal(one.eval()(x), two.eval()(x))


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


def foreign(state: State) -> dict[str, object]:
    """Return a state dict as public CIFAR checkpoints have it."""
    renamed = {key.replace("fc.", "linear."): value for key, value in state.items()}
    return {"state_dict": prefixed(renamed, "module."), "best_prec1": 91.7}


def test_the_line_of_the_status_bar(net: nn.Module, tmp_path: Path) -> None:
    torch.save(prefixed(net.state_dict(), "module."), tmp_path / "net.th")
    opened, found = load_checkpoint(tmp_path / "net.th")
    assert found.found == "ResNet-20, shortcut A, 10 classes, 269,722 parameters, prefix `module.` stripped"
    assert found.arch == "resnet20" and found.options.shortcut == "A" and found.options.num_classes == 10
    assert not opened.training and same_logits(opened, net)
    assert all(parameter.requires_grad for parameter in opened.parameters())


def test_a_public_cifar_checkpoint(net: nn.Module, tmp_path: Path) -> None:
    torch.save(foreign(net.state_dict()), tmp_path / "resnet20-12fca82f.th")
    opened, found = load_checkpoint(tmp_path / "resnet20-12fca82f.th")
    assert found.found.startswith(
        "ResNet-20, shortcut A, 10 classes, 269,722 parameters, prefix `module.` stripped, container `state_dict`"
    )
    assert "head `linear` read as `fc`" in found.found
    assert same_logits(opened, net)
    assert read_state(tmp_path / "resnet20-12fca82f.th").meta == {"best_prec1": 91.7}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".th", ".safetensors", ".bin", ""])
@pytest.mark.parametrize("old", [False, True])
def test_the_name_does_not_matter_only_the_content(net: nn.Module, tmp_path: Path, suffix: str, old: bool) -> None:
    file = tmp_path / f"weights{suffix}"
    torch.save(net.state_dict(), file, _use_new_zipfile_serialization=not old)
    assert same_logits(load_checkpoint(file)[0], net)
    save_file(net.state_dict(), file)
    assert same_logits(load_checkpoint(file)[0], net)


WRAPPINGS: dict[str, Callable[[State], object]] = {
    "bare": lambda state: state,
    "ordered": lambda state: OrderedDict(state),
    "state_dict": lambda state: {"state_dict": state},
    "model": lambda state: {"model": state, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "lr": [0.1]}},
    "net": lambda state: {"net": state, "acc": 93.0, "epoch": 17},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": torch.tensor(0.3)},
    "twice": lambda state: {"model": {"state_dict": state}},
    "three times": lambda state: {"state_dict": {"model": {"net": state}}},
    "an own name": lambda state: {"classifier_weights": state, "epoch": 3},
    "averaged only": lambda state: {"ema": state},
    "averaged beside": lambda state: {"ema": {k: v * 0 for k, v in state.items()}, "model": state},
    "numpy": lambda state: {"state_dict": state, "best": np.float64(0.93)},
    "DataParallel": lambda state: prefixed(state, "module."),
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "both": lambda state: prefixed(state, "_orig_mod.module."),
    "both around": lambda state: prefixed(state, "module._orig_mod."),
    "repeated": lambda state: prefixed(state, "module.module."),
    "mixed": lambda state: {("module." if key.startswith("layer") else "") + key: v for key, v in state.items()},
    "compiled inside": lambda state: {key.replace("layer1.", "layer1._orig_mod."): v for key, v in state.items()},
    "Lightning": lambda state: {"state_dict": prefixed(state, "model."), "pytorch-lightning_version": "2.1"},
    "swa": lambda state: {"n_averaged": torch.tensor(5), **prefixed(state, "module.")},
    "linear": lambda state: {key.replace("fc.", "linear."): v for key, v in state.items()},
    "classifier": lambda state: {key.replace("fc.", "classifier."): v for key, v in state.items()},
    "no counters": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
    "parameters": lambda state: {k: nn.Parameter(v) if v.is_floating_point() else v for k, v in state.items()},
    "strided": lambda state: {k: v.contiguous(memory_format=LAST) if v.ndim == 4 else v for k, v in state.items()},
    "one storage": lambda state: _sliced(state),
}  # fmt: skip


def _sliced(state: State) -> State:
    """Return the same tensors as views of one storage, as some exporters save them."""
    floats = {key: value for key, value in state.items() if value.is_floating_point()}
    flat = torch.cat([value.reshape(-1) for value in floats.values()])
    parts = flat.split([value.numel() for value in floats.values()])
    views = {key: part.view(floats[key].shape) for key, part in zip(floats, parts, strict=True)}
    return {key: views.get(key, value) for key, value in state.items()}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_whatever_was_put_around_the_weights(net: nn.Module, tmp_path: Path, wrapping: str) -> None:
    state = {key: value.clone() for key, value in net.state_dict().items()}
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "x.pt")
    opened, found = load_checkpoint(tmp_path / "x.pt")
    assert found.arch == "resnet20" and same_logits(opened, net)


def test_numpy_1_scalars_open_too(net: nn.Module, tmp_path: Path) -> None:
    """NumPy before 2.0 wrote another module name; the pickle is rewritten to carry it."""
    import zipfile

    torch.save({"state_dict": net.state_dict(), "best": np.float64(0.9)}, tmp_path / "new.pt")
    with zipfile.ZipFile(tmp_path / "new.pt") as old, zipfile.ZipFile(tmp_path / "old.pt", "w") as out:
        for entry in old.infolist():
            data = old.read(entry).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
            out.writestr(entry.filename, data)
    assert b"numpy.core.multiarray" in (tmp_path / "old.pt").read_bytes()
    assert same_logits(load_checkpoint(tmp_path / "old.pt")[0], net)


def test_option_b_under_both_names(tmp_path: Path) -> None:
    net = create("resnet20", seed=2, shortcut="B")
    for old in ("downsample", "shortcut"):
        torch.save({k.replace("downsample", old): v for k, v in net.state_dict().items()}, tmp_path / "b.pt")
        opened, found = load_checkpoint(tmp_path / "b.pt")
        assert found.found == "ResNet-20, shortcut B, 10 classes, 272,474 parameters"
        assert found.warnings == () and same_logits(opened, net)


def test_plain_and_shortcut_a_cannot_be_told_apart_so_it_says_so(tmp_path: Path) -> None:
    plain = create("plain20", seed=1)
    torch.save(plain.state_dict(), tmp_path / "p.pt")
    opened, found = load_checkpoint(tmp_path / "p.pt")
    assert found.arch == "resnet20" and not same_logits(opened, plain)
    assert "Plain-20" in found.warnings[0] and "--arch plain20" in found.warnings[0]
    opened, found = load_checkpoint(tmp_path / "p.pt", arch="plain20")
    assert found.arch == "plain20" and found.warnings == () and same_logits(opened, plain)
    assert found.found == "Plain-20, 10 classes, 269,722 parameters"


def test_a_runs_card_names_the_architecture(tmp_path: Path) -> None:
    plain = create("plain20", seed=1)
    save_file(plain.state_dict(), tmp_path / "weights.safetensors")
    (tmp_path / "card.json").write_text(json.dumps({"arch": "plain20"}))
    opened, found = load_checkpoint(tmp_path)
    assert found.arch == "plain20" and same_logits(opened, plain)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"card\.json is damaged"):
        load_checkpoint(tmp_path)
    (tmp_path / "card.json").unlink()
    assert load_checkpoint(tmp_path)[1].arch == "resnet20"


@pytest.mark.parametrize("name", ["resnet20-cifar10", "plain20-cifar10"])
def test_the_nets_that_ship_open(name: str) -> None:
    _, found = load_checkpoint(trained_dir() / name)
    assert found.arch == name.partition("-")[0] and found.warnings == ()


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_torchvisions_weights_open_with_the_same_logits(tmp_path: Path, depth: int) -> None:
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "tv.pth")
    opened, found = load_checkpoint(tmp_path / "tv.pth")
    params = sum(parameter.numel() for parameter in theirs.parameters())
    assert found.found == f"ResNet-{depth}, 1000 classes, {params:,} parameters" and found.warnings == ()
    assert same_logits(opened, theirs, 64)


def test_an_imagenet_net_with_a_small_stem_is_told_by_its_first_convolution(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    theirs.maxpool = nn.Identity()
    state = {k.replace("downsample", "shortcut").replace("fc.", "linear."): v for k, v in theirs.state_dict().items()}
    torch.save({"net": prefixed(state, "module."), "acc": 95.4, "epoch": 199}, tmp_path / "ckpt.pth")
    opened, found = load_checkpoint(tmp_path / "ckpt.pth")
    assert found.arch == "resnet18" and found.options.stem == "cifar"
    assert found.found.startswith("ResNet-18, 3x3 stem, 10 classes, 11,173,962 parameters")
    assert same_logits(opened, theirs)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_cast_and_it_says_so(net: nn.Module, tmp_path: Path, kind: torch.dtype) -> None:
    state = {k: v.to(kind) if v.is_floating_point() else v for k, v in net.state_dict().items()}
    torch.save(state, tmp_path / "half.pt")
    opened, found = load_checkpoint(tmp_path / "half.pt")
    assert found.found.endswith(f"{str(kind).removeprefix('torch.')} cast to float32")
    assert {p.dtype for p in opened.parameters()} == {torch.float32}
    assert torch.equal(opened.conv1.weight, net.conv1.weight.to(kind).float())
    save_file(state, tmp_path / "half.safetensors")
    assert same_logits(load_checkpoint(tmp_path / "half.safetensors")[0], opened)


def test_nan_weights_open_with_a_count(net: nn.Module, tmp_path: Path) -> None:
    state = {key: value.clone() for key, value in net.state_dict().items()}
    state["conv1.weight"][0] = float("nan")
    state["fc.bias"][3] = float("inf")
    torch.save(state, tmp_path / "nan.pt")
    found = load_checkpoint(tmp_path / "nan.pt")[1]
    assert any("28 values are NaN or infinite" in warning for warning in found.warnings)


def test_other_numbers_of_classes_and_no_batch_norm(tmp_path: Path) -> None:
    for model_id, changed, words in (
        ("resnet32", {"num_classes": 100}, "ResNet-32, shortcut A, 100 classes"),
        ("resnet20", {"batch_norm": False}, "ResNet-20, shortcut A, no batch norm, 10 classes"),
        ("resnet18", {"num_classes": 2}, "ResNet-18, 2 classes"),
        ("resnet18", {"shortcut": "none"}, "Plain-18, 1000 classes"),
        ("hresnet", {}, "HResNet, 10 classes"),
        ("xai", {"num_classes": 3}, "XAI, 3 classes"),
        ("xai", {"batch_norm": False}, "XAI, no batch norm, 2 classes"),
        ("fashion_dnn", {}, "Fashion DNN, 10 classes"),
        ("fashion_cnn", {"num_classes": 5}, "Fashion CNN, 5 classes"),
    ):
        net = create(model_id, seed=0, **changed)  # type: ignore[arg-type]
        save_file(net.state_dict(), tmp_path / "x.safetensors")
        opened, found = load_checkpoint(tmp_path / "x.safetensors")
        assert found.found.startswith(words), (found.found, words)
        spec = models.get(found.arch)
        x = torch.randn(1, spec.in_channels, max(32, spec.min_size), max(32, spec.min_size))[..., : spec.input_size]
        x = x[..., : spec.input_size, :]
        with torch.no_grad():
            assert torch.equal(opened(x), net(x))


def test_what_fits_no_family_is_described(tmp_path: Path) -> None:
    for state, words in (
        (torchvision.models.vgg11(num_classes=3).state_dict(), "features.0.weight"),
        (_wide(), "stages of 3 / 3 / 3 blocks, a 3x3 stem of 32 channels, 10 classes"),
        (_depth_14(), "depth 14, known are 20, 32, 44, 56, 110"),
        ({"weight": torch.zeros(3)}, "1 tensors, the first 'weight'"),
    ):
        with pytest.raises(CheckpointError) as caught:
            recognise(RawCheckpoint(dict(state), {}, (), "x.pt"))
        assert words in str(caught.value) and "--factory" in str(caught.value)
        assert str(caught.value).startswith("x.pt is of no known family")


def _wide() -> State:
    from resnet_viz.models.blocks import BasicBlock, NetOptions
    from resnet_viz.models.resnet import ResNet

    return ResNet(BasicBlock, (3, 3, 3), (32, 64, 128), "cifar", NetOptions()).state_dict()


def _depth_14() -> State:
    from resnet_viz.models.blocks import NetOptions
    from resnet_viz.models.resnet import cifar_net

    return cifar_net(14, NetOptions()).state_dict()


def test_a_mismatch_names_both_sides_and_what_would_fit(net: nn.Module, tmp_path: Path) -> None:
    torch.save(net.state_dict(), tmp_path / "resnet20.pt")
    with pytest.raises(CheckpointError, match=r"resnet20\.pt does not fit resnet50.*--arch resnet20"):
        load_checkpoint(tmp_path / "resnet20.pt", arch="resnet50")
    with pytest.raises(CheckpointError, match=r"does not fit xai"):
        load_checkpoint(tmp_path / "resnet20.pt", arch="xai")
    with pytest.raises(UnknownNameError, match="resnet20"):
        load_checkpoint(tmp_path / "resnet20.pt", arch="resnet2")
    state = dict(net.state_dict())
    del state["layer2.1.conv2.weight"]
    torch.save(state, tmp_path / "gap.pt")
    with pytest.raises(CheckpointError, match="--factory"):
        load_checkpoint(tmp_path / "gap.pt")
    with pytest.raises(CheckpointError, match=r"lacks 'layer2\.1\.conv2\.weight'"):
        load_checkpoint(tmp_path / "gap.pt", arch="resnet20")
    state = {key: (value * 0).to(torch.int8) for key, value in net.state_dict().items()}
    torch.save(state, tmp_path / "int8.pt")
    with pytest.raises(CheckpointError, match="int8"):
        load_checkpoint(tmp_path / "int8.pt")


def test_the_loaded_net_does_not_look_into_the_file(net: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(net.state_dict(), file)
    opened, _ = load_checkpoint(file)
    size = file.stat().st_size
    with open(file, "r+b") as handle:  # overwritten in place, as a careless copy does
        handle.write(b"\xff" * size)
    assert same_logits(opened, net)


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_a_header_length_that_looks_like_a_web_page_opens(net: nn.Module, tmp_path: Path) -> None:
    """The first byte of the length may be '<' or a blank before it: it is content that counts."""
    state = dict(net.state_dict())
    for wanted in (0x3C20,):
        save_file(state, tmp_path / "a.safetensors", metadata={"pad": ""})
        length = int.from_bytes((tmp_path / "a.safetensors").read_bytes()[:8], "little")
        assert length <= wanted
        save_file(state, tmp_path / "a.safetensors", metadata={"pad": "x" * (wanted - length)})
        assert (tmp_path / "a.safetensors").read_bytes()[:2] == b" <"
        assert same_logits(load_checkpoint(tmp_path / "a.safetensors")[0], net)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(3, 4)
        self.register_buffer("count", torch.tensor(2))


def test_a_factorys_net_is_filled_under_its_own_names(tmp_path: Path) -> None:
    source, target = Own(), Own()
    torch.save({"model": source.state_dict()}, tmp_path / "own.pt")
    assert load_into(target, tmp_path / "own.pt", "pkg:make") == ()
    assert torch.equal(source.module.weight, target.module.weight)
    torch.save(prefixed(nn.Linear(3, 4).state_dict(), "module."), tmp_path / "wrapped.pt")
    plain = nn.Linear(3, 4)
    assert load_into(plain, tmp_path / "wrapped.pt", "pkg:make") == ("prefix `module.` stripped",)
    kept = plain.weight.clone()
    torch.save(nn.Linear(3, 5).state_dict(), tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt does not fit pkg:make: 'weight' is \(5, 3\)"):
        load_into(plain, tmp_path / "other.pt", "pkg:make")
    assert torch.equal(plain.weight, kept)
