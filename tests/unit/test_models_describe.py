"""Descriptions of nets: shapes against torchvision's own feature extractor, and nets of every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.fx import Interpreter, symbolic_trace

from resnet_viz.core.types import LayerInfo
from resnet_viz.models import create
from resnet_viz.models.describe import describe


def by_name(layers: tuple[LayerInfo, ...]) -> dict[str, LayerInfo]:
    return {layer.name: layer for layer in layers}


class Shapes(Interpreter):
    """Runs the traced graph itself, without hooks, and notes each module's calls and first shape."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(symbolic_trace(net))
        self.first: dict[str, tuple[int, ...]] = {}
        self.calls: dict[str, int] = {}

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        out = super().call_module(target, args, kwargs)
        self.first.setdefault(target, tuple(out.shape[1:]))
        self.calls[target] = self.calls.get(target, 0) + 1
        return out


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg11_bn", "densenet121", "mobilenet_v3_small"])
def test_shapes_calls_and_order_are_those_of_another_executor(name: str) -> None:
    net = getattr(torchvision.models, name)(weights=None).eval()
    layers, blocks = describe(net, (3, 64, 64))
    other = Shapes(net)
    with torch.no_grad():
        other.run(torch.zeros(1, 3, 64, 64))
    leaves = [layer for layer in layers if not layer.container]
    assert {layer.name: layer.out_shape for layer in leaves} == other.first
    assert {layer.name: layer.calls for layer in leaves} == other.calls
    assert [layer.name for layer in leaves] == list(other.first)
    assert sum(layer.params for layer in leaves) == sum(p.numel() for p in net.parameters())
    assert [layer for block in blocks for layer in block.layers] == list(other.first)
    assert all(layer.block for layer in leaves)
    assert blocks[-1].kind == "head" and all(block.add is None and block.skip is None for block in blocks)


def test_torchvisions_residual_blocks_are_one_block_each() -> None:
    layers, blocks = describe(torchvision.models.resnet18(), (3, 64, 64))
    titles = [block.title for block in blocks]
    assert titles == ["conv1", "maxpool", "1.0", "1.1", "2.0", "2.1", "3.0", "3.1", "4.0", "4.1", "avgpool", "fc"]
    assert by_name(layers)["layer1.0.relu"].calls == 2
    assert blocks[4].in_shape == (64, 16, 16) and blocks[4].out_shape == (128, 8, 8)
    assert by_name(layers)["layer2.0.downsample.0"].block == "layer2.0"
    assert by_name(layers)["layer2"].block == "" and by_name(layers)["layer2"].container


def test_a_vision_transformers_tokens_are_features_by_tokens() -> None:
    net = torchvision.models.VisionTransformer(32, 8, 4, 2, 24, 48, num_classes=5)
    layers, blocks = describe(net, (3, 32, 32))
    known = by_name(layers)
    assert known["conv_proj"].out_shape == (24, 4, 4)
    assert known["encoder.layers.encoder_layer_0"].out_shape == (24, 17, 1)
    attention = known["encoder.layers.encoder_layer_0.self_attention"]
    assert attention.out_shape == (24, 17, 1) and not attention.container  # it calls no module inside
    assert {"encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1"} <= {block.name for block in blocks}
    assert known["heads.head"].out_shape == (5,)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_roles_in_a_residual_block(shortcut: str) -> None:
    layers, blocks = describe(create("resnet20", shortcut=shortcut), (3, 32, 32))
    roles = {layer.name: layer.role for layer in layers if layer.block == "layer2.0" and layer.role}
    last = "layer2.0.downsample" if shortcut == "A" else "layer2.0.downsample.1"
    wanted = {"bn2": "F(x)", "add": "x + F(x)", "relu2": "after ReLU"}
    assert roles == {f"layer2.0.{key}": value for key, value in wanted.items()} | {last: "shortcut"}
    block = next(block for block in blocks if block.name == "layer2.0")
    assert block.skip == shortcut and block.add == "layer2.0.add" and block.stage == 2
    assert block.in_shape == (16, 32, 32) and block.out_shape == (32, 16, 16)
    assert next(block for block in blocks if block.name == "layer2.1").skip == "identity"
    assert not any(layer.role for layer in layers if layer.block == "layer1.0" and "conv" in layer.name)


def test_roles_of_bottlenecks_hresnet_and_plain_nets() -> None:
    layers = by_name(describe(create("resnet50"), (3, 64, 64))[0])
    assert layers["layer1.0.bn3"].role == "F(x)" and layers["layer1.0.relu3"].role == "after ReLU"
    layers = by_name(describe(create("hresnet"), (3, 32, 32))[0])
    assert layers["block1.bn2"].role == "F(x)" and layers["block1.shortcut"].role == "shortcut"
    assert layers["block1.add"].role == "x + F(x)"
    plain, blocks = describe(create("plain20"), (3, 32, 32))
    assert not any(layer.role for layer in plain)
    assert {block.kind for block in blocks} == {"stem", "plain", "pool", "head"}


def test_batch_norm_that_is_switched_off_is_still_listed() -> None:
    layers = by_name(describe(create("resnet20", batch_norm=False), (3, 32, 32))[0])
    assert layers["layer1.0.bn2"].kind == "Identity" and layers["layer1.0.bn2"].role == "F(x)"


class Tuple(nn.Module):
    def forward(self, x: Tensor) -> tuple[None, Tensor]:
        return None, x.flatten(1)


class Dict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(12, 5)

    def forward(self, pair: tuple[None, Tensor]) -> dict[str, Tensor]:
        return {"logits": self.inner(pair[1])}


class Last(nn.Module):
    def forward(self, out: dict[str, Tensor]) -> Tensor:
        return out["logits"][:, 0]


def test_tuples_dicts_and_bare_numbers() -> None:
    layers, _ = describe(nn.Sequential(Tuple(), Dict(), Last()), (3, 2, 2))
    assert {layer.name: layer.out_shape for layer in layers} == {"0": (12,), "1": (5,), "1.inner": (5,), "2": (1,)}


class Counting(nn.Module):
    """A net that counts its passes in eval mode too, calls one layer twice, and may break."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)
        self.unused = nn.Linear(2, 2)
        self.register_buffer("passes", torch.tensor(0))
        self.register_buffer("nan", torch.tensor(float("nan")))
        self.passes: Tensor

    def forward(self, x: Tensor) -> Tensor:
        self.passes = self.passes + 1
        self.passes += 1
        x = self.bn(self.conv(self.conv(x)))
        if self.broken:
            raise ValueError("broken on purpose")
        return x


@pytest.mark.parametrize("broken", [False, True])
def test_the_net_is_given_back_as_it_was_even_after_a_crash(broken: bool) -> None:
    net = Counting(broken).train()
    net.bn.eval()
    net.conv.weight.requires_grad_(False)
    buffer, statistics = net.passes, net.bn.running_mean.clone()  # type: ignore[union-attr]
    if broken:
        with pytest.raises(ValueError, match="on purpose"):
            describe(net, (3, 8, 8))
    else:
        layers, _ = describe(net, (3, 8, 8))
        assert {layer.name: layer.calls for layer in layers} == {"conv": 2, "bn": 1}
    assert net.training and net.conv.training and not net.bn.training
    assert net.passes is buffer and int(buffer) == 0
    assert torch.equal(net.bn.running_mean, statistics)  # type: ignore[arg-type]
    assert not net.conv.weight.requires_grad and net.conv.bias is not None and net.conv.bias.requires_grad
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_half_precision_net_gets_a_picture_of_its_kind() -> None:
    layers, _ = describe(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).to(torch.bfloat16), (1, 8, 8))
    assert layers[0].out_shape == (2, 6, 6) and layers[0].has_filters


def test_loose_layers_become_blocks_that_begin_at_a_convolution() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 9, 10),
    )  # fmt: skip
    layers, blocks = describe(net, (1, 12, 12))
    assert [(block.name, block.kind, block.layers) for block in blocks] == [
        ("0", "conv", ("0", "1", "2")),
        ("3", "pool", ("3",)),
        ("4", "conv", ("4", "5", "6")),
        ("7", "head", ("7",)),
    ]
    assert [block.out_shape for block in blocks] == [(4, 10, 10), (4, 5, 5), (72,), (10,)]
    assert by_name(layers)["2"].block == "0"
