"""Layers of a net that is trained: faster ones give the numbers of PyTorch's usual ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_parts import StopAfter

from resnet_viz.data.datasets import ArraySet
from resnet_viz.models import create, models
from resnet_viz.models.blocks import Subsample
from resnet_viz.training import layout, onednn, runs
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.events import Event, Failed, Finished, Gradients
from resnet_viz.training.fast_layers import GlobalMean, speed_up, write_in_place
from resnet_viz.training.loop import train

NETS = ["resnet20", "plain20", "resnet18", "resnet50", "hresnet", "fashion_cnn", "xai"]
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


def pictures_of(name: str, seed: int = 0) -> Tensor:
    spec = models.get(name)
    size = spec.input_size if not spec.any_size else max(32, spec.min_size)
    return torch.randn(4, spec.in_channels, size, size, generator=torch.Generator().manual_seed(seed))


def after_a_step(net: nn.Module, images: Tensor, bf16: bool = False) -> list[Tensor]:
    """Return all gradients and statistics after one pass both ways."""
    torch.manual_seed(0)  # of dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = net(images)
    nn.functional.cross_entropy(logits.float(), torch.tensor([0, 1, 2, 0])).backward()
    grads = [one.grad for one in net.parameters()]
    assert all(one is not None for one in grads)
    return [*(one.double() for one in grads if one is not None), *(one.double() for one in net.buffers())]


def without_dropout(net: nn.Module) -> nn.Module:
    """Dropout draws its numbers in the order that a map has in memory."""
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


# ---- the same bits ----


class SkipBeforeRelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU()
        self.twice = nn.ReLU()
        self.sigmoid = nn.Sigmoid()
        self.last = nn.ReLU()
        self.end = nn.Conv2d(3, 2, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.relu(x) + x  # the skip begins before the ReLU
        x = self.twice(self.end.weight.mean() + self.twice(self.conv(x)))  # once it may, once it is not a layer's
        x = self.last(self.sigmoid(x))  # the sigmoid's gradient needs what it put out
        out: Tensor = self.end(x).flatten(1)
        return out


def test_a_relu_writes_in_place_only_where_nobody_else_reads() -> None:
    net = SkipBeforeRelu()
    assert write_in_place(net) == 0
    assert not any(module.inplace for module in net.modules() if isinstance(module, nn.ReLU))


@pytest.mark.parametrize("lies", list(LAYOUTS))
@pytest.mark.parametrize("name", NETS)
def test_faster_layers_change_no_bit(name: str, lies: str) -> None:
    images = pictures_of(name).contiguous(memory_format=LAYOUTS[lies])
    found = []
    for faster in (False, True):
        net = create(name, seed=0, num_classes=3).train()
        if faster:
            relus = [module for module in net.modules() if isinstance(module, nn.ReLU)]
            assert 0 < speed_up(net) <= len(relus)
        found.append(after_a_step(net, images))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("lies", list(LAYOUTS))
def test_the_gradient_of_pooling_lies_as_the_input_does(lies: str) -> None:
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64).contiguous(memory_format=LAYOUTS[lies]).requires_grad_()
    pool = GlobalMean()
    found, right = pool(x), nn.AdaptiveAvgPool2d(1)(x)
    assert torch.equal(found, right)
    weights = torch.randn_like(found)
    mine, theirs = (torch.autograd.grad(out, x, weights)[0] for out in (found, right))
    assert torch.equal(mine, theirs) and mine.stride() == x.stride()
    assert torch.autograd.gradcheck(pool, (x,)) and torch.autograd.gradgradcheck(pool, (x,))


@pytest.mark.parametrize("lies", list(LAYOUTS))
@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (1, 2, 7, 5)])
def test_shortcut_a_takes_every_second_value_and_keeps_the_layout(lies: str, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape).contiguous(memory_format=LAYOUTS[lies]).requires_grad_()
    out = Subsample(shape[1], shape[1] + 3, 2)(x)
    right = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2))
    assert torch.equal(out, right)
    weights = torch.randn_like(out)
    mine, theirs = (torch.autograd.grad(one, x, weights, retain_graph=True)[0] for one in (out, right))
    assert torch.equal(mine, theirs) and mine.is_contiguous(memory_format=LAYOUTS[lies])


# ---- oneDNN's layout ----


needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN")
needs_bf16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no bfloat16 in oneDNN"
)


@needs_onednn
@pytest.mark.parametrize("name", NETS)
def test_in_onednns_layout_a_net_has_the_same_gradients_and_statistics(name: str) -> None:
    """As near to float64 as PyTorch's own layers, which the nets' conditioning keeps 1e-6 to 0.03 away from it.

    Where a value lies so near zero that rounding, which differs between processors, decides what its ReLU does,
    either is farther away: of several batches the best one counts.
    """
    entered: list[bool] = []

    def after(own: bool, dtype: torch.dtype, images: Tensor) -> Tensor:
        net = without_dropout(create(name, seed=0, num_classes=3).train().to(dtype))
        if own:
            speed_up(net)
            assert onednn.adapt(net)
            for module in net.modules():
                if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                    module.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].is_mkldnn))
        found = after_a_step(net, onednn.enter(images, dtype) if own else images.to(dtype))
        return torch.cat([one.flatten() for one in found])

    found = []
    for seed in range(5):
        images = pictures_of(name, seed)
        right = after(False, torch.float64, images)
        usual, own = (float((after(is_own, torch.float32, images) - right).norm()) for is_own in (False, True))
        assert own < 0.5 * right.norm()
        found.append(own / usual)
        if own <= 5 * usual:
            break
    assert found[-1] <= 5, found
    assert all(entered) or name == "xai"  # there a dropout comes after the first convolution
    assert entered[0]


@needs_bf16
@pytest.mark.parametrize("name", ["resnet20", "plain20", "fashion_cnn"])
def test_in_onednns_layout_bfloat16_is_as_near_to_float32_as_pytorchs(name: str) -> None:
    def after(bf16: bool, own: bool, images: Tensor) -> Tensor:
        net = without_dropout(create(name, seed=0, num_classes=3).train())
        assert not own or onednn.adapt(net)
        found = after_a_step(net, onednn.enter(images) if own else images, bf16)
        return torch.cat([one.flatten() for one in found])

    found = []
    for seed in range(5):  # as above: rounding decides what some ReLUs do
        images = pictures_of(name, seed)
        right, usual, own = (after(*kind, images) for kind in ((False, False), (True, False), (True, True)))
        assert not torch.equal(usual, own)
        found.append(float((own - right).norm() / (usual - right).norm()))
        if found[-1] <= 1.3:
            break
    assert found[-1] <= 1.3, found


@needs_onednn
@pytest.mark.parametrize("name", NETS)
def test_an_adapted_net_does_the_same_with_usual_pictures(name: str) -> None:
    images = pictures_of(name)
    net = without_dropout(create(name, seed=0, num_classes=3))
    adapted = copy.deepcopy(net)
    assert onednn.adapt(adapted)
    assert list(adapted.state_dict()) == list(net.state_dict())
    for one in (net, adapted):
        one.eval()
    with torch.inference_mode():
        assert torch.equal(net(images), adapted(images))
    copied = copy.deepcopy(adapted.train())
    assert torch.equal(*(one(onednn.enter(images, torch.float32)) for one in (adapted, copied)))


@needs_onednn
def test_a_relu_behind_a_pool_does_not_write_over_what_the_pool_keeps() -> None:
    layers = [nn.Conv2d(3, 16, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(16, 4, 3), nn.Tanh()]
    found = []
    for own in (False, True):
        torch.manual_seed(0)
        net = copy.deepcopy(nn.Sequential(*layers))
        speed_up(net)
        assert not own or onednn.adapt(net)
        images = torch.randn(2, 3, 12, 12)
        net(onednn.enter(images, torch.float32) if own else images).sum().backward()
        found.append([one.grad for one in net.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


class AddsOutside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.relu(x) + x


class DependsOnData(AddsOutside):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if float(x.mean()) > 0 else x


class LooksAtTheInput(AddsOutside):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + x.mean()


class UsesALayerTwice(AddsOutside):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.conv(self.relu(self.conv(x)))).tanh()
        return out


@pytest.mark.parametrize("kind", [AddsOutside, DependsOnData, LooksAtTheInput, UsesALayerTwice])
def test_a_net_that_computes_outside_its_layers_stays_as_it_is(kind: type[nn.Module]) -> None:
    net = kind()
    assert not onednn.adapt(net)
    assert type(net.get_submodule("conv")) is nn.Conv2d
    assert not net.get_submodule("conv")._forward_hooks


@needs_onednn
@pytest.mark.parametrize("options", [{"activation": "tanh"}, {"shortcut": "B"}, {"batch_norm": False}])
def test_nets_of_an_ablation_are_adapted_too(options: dict[str, object]) -> None:
    """As near to float64 as PyTorch's own layers.

    Where a value lies so near zero that rounding decides what its ReLU does, either is 0.1 to 1 % away:
    of several batches the best one counts.
    """
    usual, own = [], []
    for seed in range(5):
        images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
        images = images.contiguous(memory_format=torch.channels_last)

        def after(adapted: bool, dtype: torch.dtype, images: Tensor = images) -> Tensor:
            net = create("resnet20", seed=0, num_classes=3, **options).train().to(dtype)
            assert not adapted or onednn.adapt(net)
            found = after_a_step(net, onednn.enter(images, dtype) if adapted else images.to(dtype))
            return torch.cat([one.flatten() for one in found])

        right = after(False, torch.float64)
        usual.append(float((after(False, torch.float32) - right).norm() / right.norm()))
        own.append(float((after(True, torch.float32) - right).norm() / right.norm()))
    assert min(own) <= 5 * min(usual) < 1e-4, (usual, own)
    assert max(own) < 0.05, own


def test_who_trains_in_onednns_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    narrow, wide = create("resnet20"), create("resnet18")
    config = TrainConfig(model="resnet20", data="shapes")
    assert onednn.chosen(config, narrow, True)
    assert not onednn.chosen(config, wide, True)
    assert not onednn.chosen(config, narrow, False)
    for change in ({"compile": True}, {"channels_last": False}, {"train_part": "head"}):
        assert not onednn.chosen(TrainConfig(model="resnet20", data="shapes", **change), narrow, True)  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert not onednn.chosen(config, narrow, True)


# ---- whole runs ----


@pytest.fixture
def data() -> ArraySet:
    rng = np.random.default_rng(0)
    return ArraySet(rng.integers(0, 256, (80, 16, 16, 3), np.uint8), rng.integers(0, 10, 80), tuple("0123456789"), "r")


@pytest.fixture
def in_onednn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Let every processor that can train so, whether it gains or not; yields whether passes did."""
    monkeypatch.setattr(onednn, "worthwhile", lambda net: True)
    entered: list[bool] = []
    enter = onednn.enter
    monkeypatch.setattr(onednn, "enter", lambda images: (entered.append(True), enter(images))[1])
    yield entered


CONFIG = TrainConfig(model="resnet20", data="r", epochs=2, batch=32, bf16="on", val_share=0.1, gradients_every=4)


@needs_bf16
def test_a_run_in_onednns_layout_resumes_with_the_same_bits(
    data: ArraySet, tmp_path: Path, in_onednn: list[bool]
) -> None:
    whole = list(train(CONFIG, data, tmp_path / "whole"))
    assert in_onednn and isinstance(whole[-1], Finished)
    stopped = list(train(CONFIG, data, tmp_path / "run", StopAfter(3)))
    assert isinstance(stopped[-1], Finished) and stopped[-1].stopped
    again: list[Event] = list(train(CONFIG, data, tmp_path / "run"))
    assert isinstance(again[-1], Finished) and not again[-1].stopped
    one, other = (runs.read_last(tmp_path / name) for name in ("whole", "run"))
    assert one is not None and other is not None and one["onednn"] and other["onednn"]
    assert all(torch.equal(value, other["net"][name]) for name, value in one["net"].items())
    norms = [event for event in whole if isinstance(event, Gradients)]
    assert norms and all(value > 0 for event in norms for value in event.weight_norm)
    assert (tmp_path / "whole" / layout.WEIGHTS).exists()


@needs_bf16
def test_a_stopped_run_saves_no_weights_that_are_no_numbers(
    data: ArraySet, tmp_path: Path, in_onednn: list[bool]
) -> None:
    """oneDNN's ReLU makes 0 of NaN, so that the loss of a diverged net may look harmless."""
    nan = onednn.enter(torch.tensor([torch.nan, 1.0]).repeat(1, 16, 1, 1))
    assert torch.equal(nan.relu().to_dense()[0, 0, 0], torch.tensor([0.0, 1.0], dtype=torch.bfloat16))
    config = replace(CONFIG, epochs=50, lr=100.0, schedule="constant", gradients_every=0, val_share=0.0)
    events = list(train(config, data, tmp_path, StopAfter(60)))
    assert in_onednn and isinstance(events[-1], Failed) and events[-1].diverged
    state = runs.read_last(tmp_path)
    assert state is None or all(value.isfinite().all() for value in state["net"].values())


@needs_bf16
def test_a_stop_is_refused_to_a_run_whose_weights_are_lost(
    data: ArraySet, tmp_path: Path, in_onednn: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    from resnet_viz.training import loop

    step = loop._Trainer._step

    def lose(self: loop._Trainer, batch: Tensor) -> tuple[Tensor, Gradients | None]:
        done = step(self, batch)
        next(iter(self.net.parameters())).data.fill_(torch.nan)  # the loss of this step was well
        return done

    monkeypatch.setattr(loop._Trainer, "_step", lose)
    events = list(train(CONFIG, data, tmp_path, StopAfter(1)))
    assert isinstance(events[-1], Failed) and events[-1].diverged and "no longer numbers" in events[-1].reason
    assert runs.read_last(tmp_path) is None


@needs_bf16
def test_a_run_keeps_the_layout_it_began_with(data: ArraySet, tmp_path: Path, in_onednn: list[bool]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onednn, "worthwhile", lambda net: False)
        list(train(CONFIG, data, tmp_path, StopAfter(2)))
    list(train(CONFIG, data, tmp_path))
    state = runs.read_last(tmp_path)
    assert state is not None and not state["onednn"] and not in_onednn
