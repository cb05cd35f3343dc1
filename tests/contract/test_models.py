"""Every registered net keeps the promises that hooks, map and checkpoints rely on."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_viz.models import create, models
from resnet_viz.models.describe import describe

COUNTS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}


def params(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def side(name: str) -> int:
    spec = models.get(name)
    return spec.input_size if spec.input_size <= 32 else 64


def picture(name: str, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, models.get(name).in_channels, side(name), side(name), generator=generator)


@pytest.mark.parametrize("depth", COUNTS)
def test_parameter_counts_of_the_paper(depth: int) -> None:
    assert params(create(f"resnet{depth}")) == COUNTS[depth]
    assert params(create(f"plain{depth}")) == COUNTS[depth]
    assert params(create(f"resnet{depth}", shortcut="B")) == COUNTS[depth] + 2752


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_imagenet_nets_are_torchvisions(depth: int) -> None:
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
    ours = create(f"resnet{depth}")
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (theirs(x) - ours(x)).abs().max() == 0


def test_hresnet_against_its_layers_by_hand() -> None:
    net = create("hresnet", seed=0)
    x = picture("hresnet")
    with torch.no_grad():
        out = x
        for index in (1, 2, 3):
            part = net.get_submodule(f"block{index}")
            branch = part.bn2(part.conv2(torch.relu(part.bn1(part.conv1(out)))))
            out = nn.functional.avg_pool2d(branch + part.shortcut(out), 2)
        out = torch.relu(net.fc2(torch.relu(net.fc1(out.flatten(1)))))
        assert torch.equal(net.fc3(out), net(x))
    widths = [(3, 64), (64, 128), (128, 256)]
    convolutions = sum(9 * i * o + o + 9 * o * o + o + i * o + o + 4 * o for i, o in widths)
    dense = 4096 * 2048 + 2048 + 2048 * 512 + 512 + 512 * 10 + 10
    assert params(net) == convolutions + dense


def test_xai_against_a_stack_written_anew() -> None:
    layers: list[nn.Module] = []
    inputs = 3
    for stage in (
        [(64, 0.3), (64, 0)],
        [(128, 0.4), (128, 0)],
        [(256, 0.4), (256, 0.4), (256, 0)],
        [(512, 0.4), (512, 0.4), (512, 0)],
        [(512, 0.4), (512, 0.4), (512, 0)],
    ):
        for width, dropout in stage:
            pad = 0 if inputs == 3 else 1
            layers += [nn.Conv2d(inputs, width, 3, padding=pad, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.Dropout(dropout)] if dropout else []
            inputs = width
        layers.append(nn.MaxPool2d(2))
    features = nn.Sequential(*layers)
    net = create("xai", seed=0)
    features.load_state_dict(net.features.state_dict())
    features.eval()
    for size in (34, 128):
        x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            assert torch.equal(features(x), net.features(x))
            answer = net(x)
        assert answer.shape == (1, 2)
        assert answer.exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", models.ids())
def test_every_module_is_used_once_and_nothing_works_in_place(name: str) -> None:
    net = create(name, seed=0)
    calls: Counter[str] = Counter()
    kept: list[tuple[str, Tensor, Tensor]] = []
    for path, module in net.named_modules():
        if path:

            def look(_module: nn.Module, _args: object, out: Tensor, path: str = path) -> None:
                calls[path] += 1
                kept.append((path, out, out.clone()))

            module.register_forward_hook(look)
    with torch.no_grad():
        net(picture(name))
    assert set(calls.values()) == {1}
    assert [path for path, kept_out, copy in kept if not torch.equal(kept_out, copy)] == []


@pytest.mark.parametrize("name", models.ids())
def test_a_step_of_training_reaches_every_parameter(name: str) -> None:
    net = create(name, seed=0).train()
    net(picture(name, 2)).sum().backward()
    assert [path for path, parameter in net.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", models.ids())
def test_blocks_hold_every_leaf_once_in_forward_order(name: str) -> None:
    net = create(name, seed=0)
    shape = (models.get(name).in_channels, side(name), side(name))
    layers, blocks = describe(net, shape)
    listed = [layer for block in blocks for layer in block.layers]
    leaves = [layer.name for layer in layers if not layer.container]
    assert len(listed) == len(set(listed))
    # the skip path of a block runs just before its addition; in the tree it may stand elsewhere
    assert sorted(listed) == sorted(leaves)
    order = {layer: place for place, layer in enumerate(leaves)}
    assert [order[block.layers[0]] for block in blocks] == sorted(order[block.layers[0]] for block in blocks)
    assert sum(block.params for block in blocks) == params(net)
    names = [block.name for block in blocks]
    assert len(names) == len(set(names))
    for before, after in itertools.pairwise(blocks):
        flat = len(after.in_shape) == 1 or len(before.out_shape) == 1
        assert flat or before.out_shape == after.in_shape, (before.name, after.name)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg11", "densenet121", "mobilenet_v2", "vit_b_16"])
def test_foreign_nets_are_described_as_they_run(name: str) -> None:
    net = getattr(torchvision.models, name)(weights=None).train()
    shapes: dict[str, tuple[int, ...]] = {}
    layers, blocks = describe(net, (3, 224, 224))
    assert net.training and sum(len(m._forward_hooks) for m in net.modules()) == 0
    net.eval()
    for path, module in net.named_modules():

        def look(_module: nn.Module, _args: object, out: object, path: str = path) -> None:
            if isinstance(out, Tensor):
                shapes.setdefault(path, tuple(out.shape[1:]))

        module.register_forward_hook(look)
    with torch.no_grad():
        net(torch.zeros(1, 3, 224, 224))
    for layer in layers:
        right = shapes.get(layer.name)
        if right is not None and len(right) != 2:
            assert layer.out_shape == right, layer.name
    assert {layer for block in blocks for layer in block.layers} <= {layer.name for layer in layers}
    assert blocks


def test_the_seed_decides_the_weights_and_the_global_generator_is_given_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = create("resnet20", seed=1), create("resnet20", seed=1), create("resnet20", seed=2)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.conv1.weight, second.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_ablations_reach_the_layers() -> None:
    net = create("resnet20", batch_norm=False, activation="tanh", init="xavier", bn_momentum=0.2)
    kinds = Counter(type(module).__name__ for module in net.modules())
    assert kinds["BatchNorm2d"] == 0 and kinds["ReLU"] == 0 and kinds["Tanh"] == 19
    assert net.conv1.bias is not None
    normed = create("resnet20", bn_momentum=0.2, bn_eps=1e-3)
    assert normed.bn1.momentum == 0.2 and normed.bn1.eps == 1e-3
    narrow = create("resnet20", seed=0, init="normal", init_std=0.01)
    assert narrow.layer3[0].conv1.weight.std().item() == pytest.approx(0.01, rel=0.05)
    he = create("resnet20", seed=0)
    fan_out = 9 * 64
    assert he.layer3[1].conv1.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
