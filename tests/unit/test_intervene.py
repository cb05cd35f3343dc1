"""Deleted blocks and cut skips against forward passes written out by hand; every net is given back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_viz.core.errors import LayerNotFoundError, UserError
from resnet_viz.core.types import BlockInfo
from resnet_viz.hooks.capture import capture
from resnet_viz.hooks.intervene import can_delete, has_skip, intervene, watch_additions
from resnet_viz.models import create, models
from resnet_viz.models.describe import describe

FAMILIES = [
    ("resnet20", {}),
    ("resnet20", {"shortcut": "B"}),
    ("resnet20", {"activation": "tanh", "batch_norm": False}),
    ("plain20", {}),
    ("plain20", {"activation": "tanh"}),
    ("resnet18", {"num_classes": 7}),
    ("plain18", {"num_classes": 7}),
    ("resnet50", {"num_classes": 7}),
    ("plain50", {"num_classes": 7}),
    ("hresnet", {}),
]


def made(model_id: str, options: dict[str, Any]) -> nn.Module:
    """Return a net whose batch norms and shortcuts do something."""
    net = create(model_id, seed=1, **options)
    drawn = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=drawn)
            module.running_var.uniform_(0.5, 2, generator=drawn)
            module.weight.data.uniform_(0.5, 1.5, generator=drawn)
            module.bias.data.normal_(0, 0.2, generator=drawn)
    return net


def blocks_of(net: nn.Module, side: int = 32, channels: int = 3) -> dict[str, BlockInfo]:
    return {block.name: block for block in describe(net, (channels, side, side))[1]}


def picture(count: int = 2, side: int = 32, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def part(net: nn.Module, path: str) -> Any:
    return net.get_submodule(path)


def shortcut_a(x: Tensor, like: Tensor) -> Tensor:
    """Return the zero-padded identity, position by position."""
    if x.shape == like.shape:
        return x
    stride, first = -(-x.shape[2] // like.shape[2]), (like.shape[1] - x.shape[1]) // 2
    out = torch.zeros_like(like)
    for row in range(like.shape[2]):
        for column in range(like.shape[3]):
            out[:, first : first + x.shape[1], row, column] = x[:, :, row * stride, column * stride]
    return out


def by_hand(net: nn.Module, x: Tensor, deleted: set[str], cut: set[str]) -> Tensor:
    """Return the logits of an own net, written without its blocks' forward methods."""
    if hasattr(net, "block1"):
        for index in (1, 2, 3):
            name = f"block{index}"
            block = part(net, name)
            branch = block.bn2(block.conv2(block.relu1(block.bn1(block.conv1(x)))))
            skip = block.shortcut(x)
            x = skip if name in deleted else branch if name in cut else branch + skip
            x = part(net, f"pool{index}")(x)
        return part(net, "fc3")(torch.relu(part(net, "fc2")(torch.relu(part(net, "fc1")(x.flatten(1))))))
    act = part(net, "relu")
    x = act(part(net, "bn1")(part(net, "conv1")(x)))
    if net.maxpool is not None:
        x = part(net, "maxpool")(x)
    for stage, count in enumerate(net.counts, start=1):
        for index in range(count):
            name = f"layer{stage}.{index}"
            block = part(net, name)
            branch = block.bn1(block.conv1(x))
            branch = block.bn2(block.conv2(act(branch)))
            if hasattr(block, "conv3"):
                branch = block.bn3(block.conv3(act(branch)))
            skip = x if block.downsample is None else block.downsample(x)
            if block.add is None:
                total = shortcut_a(x, branch) if name in deleted else branch
            else:
                total = skip if name in deleted else branch if name in cut else branch + skip
            x = act(total)
    return part(net, "fc")(x.mean((2, 3)))


def snapshot(net: nn.Module) -> tuple[Any, ...]:
    """Return all that must come back: weights, buffers, modes, hooks, ``requires_grad``, attributes."""
    return (
        {name: value.clone() for name, value in net.state_dict().items()},
        [(m.training, dict(m._forward_hooks), dict(m._forward_pre_hooks), sorted(vars(m))) for m in net.modules()],
        [p.requires_grad for p in net.parameters()],
    )


def assert_same(before: tuple[Any, ...], net: nn.Module) -> None:
    after = snapshot(net)
    assert before[1:] == after[1:]
    assert all(torch.equal(before[0][name], value) for name, value in after[0].items())


@pytest.mark.parametrize(("model_id", "options"), FAMILIES)
@torch.no_grad()
def test_every_block_deleted_and_every_skip_cut(model_id: str, options: dict[str, Any]) -> None:
    net, x = made(model_id, options), picture()
    before, whole = snapshot(net), net(x)
    torch.testing.assert_close(by_hand(net, x, set(), set()), whole, rtol=1e-5, atol=1e-5)
    blocks = [block for block in blocks_of(net).values() if can_delete(net, block)]
    assert {block.kind for block in blocks} >= {"plain" if "plain" in model_id else "residual"}
    for block in blocks:
        if block.kind not in ("residual", "plain"):
            continue
        with intervene(net, deleted={block.name}):
            found = net(x)
        torch.testing.assert_close(found, by_hand(net, x, {block.name}, set()), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(found, whole)
        if has_skip(net, block):
            with intervene(net, cut={block.name}):
                found = net(x)
            torch.testing.assert_close(found, by_hand(net, x, set(), {block.name}), rtol=1e-5, atol=1e-5)
    assert torch.equal(net(x), whole)
    assert_same(before, net)


@torch.no_grad()
def test_many_at_once() -> None:
    net, x = made("resnet20", {}), picture()
    deleted, cut = {"layer1.0", "layer2.0", "layer3.2"}, {"layer1.1", "layer3.0"}
    with intervene(net, deleted=deleted, cut=cut):
        torch.testing.assert_close(net(x), by_hand(net, x, deleted, cut), rtol=1e-5, atol=1e-5)
    everything = {block.name for block in blocks_of(net).values() if has_skip(net, block)}
    with intervene(net, deleted=everything):
        torch.testing.assert_close(net(x), by_hand(net, x, everything, set()), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_relu_after_an_identity_changes_nothing() -> None:
    net, x = made("resnet20", {}), picture()
    with intervene(net, deleted={"layer1.1"}), capture(net, ["layer1.0", "layer1.1"]) as captured:
        captured.run(x)
    assert torch.equal(captured.outputs["layer1.0", 0], captured.outputs["layer1.1", 0])


@torch.no_grad()
def test_layers_of_a_deleted_block_are_not_computed_unless_watched() -> None:
    net, x = made("resnet20", {}), picture()
    alone = net.get_submodule("layer2.1")
    sizes: list[int] = []
    real = alone.conv2.forward
    alone.conv2.forward = lambda value: sizes.append(len(value)) or real(value)
    with intervene(net, deleted={"layer2.1"}):
        unwatched = net(x)
        with capture(net, ["layer2.1.bn2", "layer2.1.add"], inputs=["layer2.1.conv2"]) as captured:
            watched = captured.run(x)
    assert sizes == [0, 2]
    assert torch.equal(unwatched, watched)
    # what F would have been is there to look at; what was added is the shortcut alone
    inner = captured.inputs["layer2.1.conv2", 0][0]
    assert torch.equal(captured.outputs["layer2.1.bn2", 0], alone.bn2(real(inner)))
    with capture(net, ["layer2.0"]) as first:
        first.run(x)
    assert torch.equal(captured.outputs["layer2.1.add", 0], first.outputs["layer2.0", 0])


@torch.no_grad()
def test_what_is_captured_at_the_addition_is_what_was_added() -> None:
    net, x = made("resnet20", {}), picture()
    with capture(net, ["layer2.0.add"], inputs=["layer2.0.add"]) as captured:
        with intervene(net, cut={"layer2.0"}):
            captured.run(x)
        branch, skip = (value.clone() for value in captured.inputs["layer2.0.add", 0])
        with intervene(net, deleted={"layer2.0"}):
            captured.run(x)
        gone, shortcut = captured.inputs["layer2.0.add", 0]
        assert torch.equal(captured.outputs["layer2.0.add", 0], shortcut)
    assert branch.abs().sum() > 0 and skip.abs().sum() == 0
    assert gone.abs().sum() == 0 and shortcut.abs().sum() > 0


def test_a_training_block_is_given_back_with_its_statistics() -> None:
    net, x = made("resnet20", {}).train(), picture(4)
    before = snapshot(net)
    with intervene(net, deleted={"layer1.0"}, cut={"layer2.1"}):
        net(x).sum().backward()
    assert_same(before, net)
    assert net.get_parameter("layer1.0.conv1.weight").grad is None
    assert net.get_parameter("layer2.1.conv1.weight").grad.abs().sum() > 0


def test_gradients_pass_a_deleted_block() -> None:
    net, x = made("resnet20", {}), picture().requires_grad_()
    with intervene(net, deleted={"layer1.1", "layer3.0"}):
        (found,) = torch.autograd.grad(net(x).sum(), x)
    (wanted,) = torch.autograd.grad(by_hand(net, x, {"layer1.1", "layer3.0"}, set()).sum(), x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("crash", ["layer2.1.conv2", "layer2.1.add", "layer3.0.conv1", "fc"])
@torch.no_grad()
def test_given_back_when_a_layer_crashes(crash: str) -> None:
    net, x = made("resnet20", {}), picture()
    whole = net(x)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    broken = net.get_submodule(crash)
    real = broken.forward
    broken.forward = fail
    before = snapshot(net)
    with pytest.raises(ZeroDivisionError), intervene(net, deleted={"layer2.1"}, cut={"layer3.0"}):
        net(x)
    assert_same(before, net)
    broken.forward = real
    assert torch.equal(net(x), whole)
    with intervene(net, deleted={"layer2.1"}):  # nothing is left that says it is changed already
        net(x)


@torch.no_grad()
def test_nested() -> None:
    net, x = made("resnet20", {}), picture()
    before = snapshot(net)
    with intervene(net, deleted={"layer1.1"}):
        with intervene(net, cut={"layer2.1"}):
            torch.testing.assert_close(net(x), by_hand(net, x, {"layer1.1"}, {"layer2.1"}), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(net(x), by_hand(net, x, {"layer1.1"}, set()), rtol=1e-5, atol=1e-5)
        for twice in ({"deleted": {"layer1.1"}}, {"cut": {"layer1.1"}}):
            with pytest.raises(UserError, match=r"layer1\.1.*already"), intervene(net, **twice):
                pass
        torch.testing.assert_close(net(x), by_hand(net, x, {"layer1.1"}, set()), rtol=1e-5, atol=1e-5)
    assert_same(before, net)


@pytest.mark.parametrize(
    ("model_id", "deleted", "cut", "match"),
    [
        ("resnet20", {"layer9.0"}, set(), "no block named 'layer9.0'"),
        ("resnet20", set(), {"layer1.0.conv1"}, "no block named"),
        ("resnet20", {"stem"}, set(), "stem.*layer1.0"),
        ("resnet20", {"fc"}, set(), "head"),
        ("resnet20", {"avgpool"}, set(), "pool"),
        ("resnet20", {"layer1.0"}, {"layer1.0"}, "at once"),
        ("plain20", set(), {"layer1.0"}, "no skip connection"),
        ("hresnet", set(), {"fc2"}, "no skip connection.*block1"),
    ],
)
def test_what_cannot_be(model_id: str, deleted: set[str], cut: set[str], match: str) -> None:
    net = create(model_id, seed=0)
    before = snapshot(net)
    with pytest.raises(UserError, match=match), intervene(net, deleted=deleted, cut=cut):
        pass
    assert_same(before, net)
    if "no block" in match:
        with pytest.raises(LayerNotFoundError), intervene(net, deleted=deleted, cut=cut):
            pass


@pytest.mark.parametrize("model_id", ["xai", "fashion_cnn", "fashion_dnn", "hresnet"])
@torch.no_grad()
def test_blocks_without_a_skip(model_id: str) -> None:
    spec = models.get(model_id)
    side = min(spec.input_size, 48)
    net, x = create(model_id, seed=0), picture(2, side, spec.in_channels)
    before = snapshot(net)
    blocks = blocks_of(net, side, spec.in_channels)
    chosen = [block for block in blocks.values() if block.kind in ("conv", "dense")]
    for block in chosen:
        if not can_delete(net, block):
            with pytest.raises(UserError, match="stand in"), intervene(net, deleted={block.name}):
                net(x)
            continue
        with intervene(net, deleted={block.name}), capture(net, [block.out], inputs=[block.layers[0]]) as captured:
            captured.run(x)
        (into,), out = captured.inputs[block.layers[0], 0], captured.outputs[block.out, 0]
        assert torch.equal(out, into if into.ndim == 2 else shortcut_a(into, out))
        assert tuple(out.shape[1:]) in (block.out_shape, block.out_shape[:1])
    assert_same(before, net)
    if model_id == "xai":
        assert sum(can_delete(net, block) for block in chosen) == 13  # all but the unpadded first convolution


class Halved(nn.Module):
    """A foreign block whose shortcut counts half: its parts have the usual names, its sum is another."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 3, 1), nn.Identity()
        self.conv2, self.bn2 = nn.Conv2d(3, 3, 1), nn.Identity()
        self.relu, self.downsample = nn.ReLU(), None

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + x / 2)


@pytest.mark.parametrize("model_id", ["resnet18", "resnet50"])
@torch.no_grad()
def test_torchvision_nets_as_own_ones(model_id: str) -> None:
    import torchvision

    own, x = made(model_id, {"num_classes": 7}), picture(1, 64)
    theirs = torchvision.models.get_model(model_id, num_classes=7).eval()
    theirs.load_state_dict(own.state_dict())
    before = snapshot(theirs)
    blocks = blocks_of(theirs, 64)
    skips = [name for name, block in blocks.items() if has_skip(theirs, block)]
    assert len(skips) == {"resnet18": 8, "resnet50": 16}[model_id]
    assert [name for name, block in blocks.items() if can_delete(theirs, block)] == skips
    for name in skips:
        for change in ({"deleted": {name}}, {"cut": {name}}):
            with intervene(own, **change), intervene(theirs, **change):
                torch.testing.assert_close(theirs(x), own(x), rtol=1e-5, atol=1e-5)
    norms: list[dict[str, tuple[float, float]]] = []
    for net in (own, theirs):
        seen: dict[str, tuple[float, float]] = {}
        with watch_additions(
            net, skips, lambda name, f, s, seen=seen: seen.update({name: (float(f.norm()), float(s.norm()))})
        ):
            net(x)
        norms.append(seen)
    assert list(norms[0]) == list(norms[1]) == skips
    assert all(norms[0][name] == pytest.approx(norms[1][name], rel=1e-4) for name in skips)
    assert_same(before, theirs)


@torch.no_grad()
def test_foreign_blocks_of_other_kinds() -> None:
    import torchvision

    net, x = torchvision.models.mobilenet_v2(num_classes=4).eval(), picture(1, 64)
    blocks = blocks_of(net, 64)
    same = [name for name, block in blocks.items() if can_delete(net, block)]
    assert same and all(net.get_submodule(name).use_res_connect for name in same)
    with intervene(net, deleted={same[0]}), capture(net, [same[0]], inputs=[same[0]]) as captured:
        captured.run(x)
    assert torch.equal(captured.outputs[same[0], 0], captured.inputs[same[0], 0][0])
    with pytest.raises(UserError, match="does not show"), intervene(net, cut={same[0]}):
        pass
    with pytest.raises(UserError, match="stand in"), intervene(net, deleted={"features.2"}):
        net(x)
    odd = nn.Sequential(Halved())
    with pytest.raises(UserError, match="torchvision"), intervene(odd, cut={"0"}):
        odd(x)
    with pytest.raises(LayerNotFoundError), intervene(odd, deleted={"7"}):
        pass
    for net in (odd, torchvision.models.mobilenet_v2()):
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
