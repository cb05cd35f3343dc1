"""One pass through a net: maps, logits, energies and block parts against plain PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resnet_viz.analysis.activations import filters, observe, to_maps
from resnet_viz.core.errors import Cancelled, LayerNotFoundError, UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import BlockInfo
from resnet_viz.models import create

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def net() -> nn.Module:
    return create("resnet20", seed=0)


def part_of(net: nn.Module, *names: str) -> Tensor:
    """Run a chain of a net's modules in eval mode, one after another."""
    out = X
    with torch.no_grad():
        for name in names:
            out = net.get_submodule(name)(out)
    return out


# ---- maps ----


def test_maps_are_what_the_layer_puts_out(net: nn.Module) -> None:
    net.eval()
    expected = part_of(net, "conv1", "bn1", "relu", "layer1", "layer2.0")
    seen = observe(net, X, layers=("layer2.0", "bn1"))
    shown = seen.activations["layer2.0"]
    assert (shown.layer, shown.call_index, shown.maps.dtype) == ("layer2.0", 0, np.float32)
    assert shown.maps.shape == (32, 16, 16)
    np.testing.assert_array_equal(shown.maps, expected[0].numpy())
    np.testing.assert_array_equal(seen.activations["bn1"].maps, part_of(net, "conv1", "bn1")[0].numpy())


def test_channels_last_memory_changes_nothing(net: nn.Module) -> None:
    maps = torch.randn(1, 5, 3, 4)
    for value in (maps, maps.to(memory_format=torch.channels_last)):
        array = to_maps(value)
        assert array.shape == (5, 3, 4) and array.flags["C_CONTIGUOUS"]
        np.testing.assert_array_equal(array, maps[0].numpy())


def test_vectors_and_tokens_become_maps() -> None:
    vector, tokens = torch.randn(1, 7), torch.randn(1, 4, 6)
    np.testing.assert_array_equal(to_maps(vector), vector[0].numpy()[:, None, None])
    np.testing.assert_array_equal(to_maps(tokens), tokens[0].numpy().T[..., None])
    volume = torch.randn(1, 2, 3, 4, 5)
    np.testing.assert_array_equal(to_maps(volume), volume[0].numpy().reshape(2, 3, 20))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_arrive_as_float32(dtype: torch.dtype) -> None:
    value = torch.randn(1, 2, 3, 3).to(dtype)
    array = to_maps(value)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, value[0].float().numpy())


def test_the_second_call_of_a_layer_has_a_name() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu, self.fc = nn.ReLU(), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.relu(self.fc(self.relu(x)))
            return out

    net, x = Twice(), torch.randn(1, 3)
    seen = observe(net, x, layers=("relu", "relu#1"))
    with torch.no_grad():
        np.testing.assert_array_equal(seen.activations["relu"].maps[:, 0, 0], x.relu()[0].numpy())
        np.testing.assert_array_equal(seen.activations["relu#1"].maps[:, 0, 0], net(x)[0].numpy())
    assert seen.activations["relu#1"].call_index == 1


# ---- logits and energies ----


def test_logits_are_the_nets_in_eval_mode(net: nn.Module) -> None:
    seen = observe(net, X)
    net.eval()
    with torch.no_grad():
        expected = net(X)[0].numpy()
    assert seen.logits is not None and seen.logits.shape == (10,)
    np.testing.assert_array_equal(seen.logits, expected)


def test_a_log_softmax_is_passed_on_as_it_is() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.LogSoftmax(1))
    seen = observe(net, torch.randn(1, 3))
    assert seen.logits is not None
    assert np.exp(seen.logits).sum() == pytest.approx(1, abs=1e-6)


def test_energies_are_mean_absolute_outputs(net: nn.Module) -> None:
    net.eval()
    seen = observe(net, X, energies=("bn1", "layer1"))
    assert list(seen.energies) == ["bn1", "layer1"] and seen.activations == {}
    assert seen.energies["bn1"] == pytest.approx(float(part_of(net, "conv1", "bn1").abs().mean()), rel=1e-6)
    expected = float(part_of(net, "conv1", "bn1", "relu", "layer1").abs().mean())
    assert seen.energies["layer1"] == pytest.approx(expected, rel=1e-6)


def test_without_logits_the_pass_ends_at_the_deepest_layer(net: nn.Module) -> None:
    ran: list[str] = []
    for name in ("layer1.0", "layer1.1", "layer2", "fc"):
        net.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    seen = observe(net, X, layers=("layer1.1", "layer1.0"), predict=False)
    assert ran == ["layer1.0", "layer1.1"]
    assert seen.logits is None and set(seen.activations) == {"layer1.0", "layer1.1"}


def test_a_question_about_nothing_runs_nothing(net: nn.Module) -> None:
    net.register_forward_pre_hook(lambda *_: pytest.fail("the net ran"))
    seen = observe(net, X, predict=False)
    assert (seen.activations, seen.energies, seen.parts, seen.logits) == ({}, {}, None, None)


class _WithRoom(nn.Module):
    """Writes every output into memory of its own, as nets made for small machines do."""

    def __init__(self) -> None:
        super().__init__()
        self.room = torch.zeros(1, 3, 4, 4)
        self.head = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.part(x))
        return out

    def part(self, x: Tensor) -> Tensor:
        return torch.mul(x, 2, out=self.room)


def test_what_was_observed_stays_when_a_net_writes_into_its_memory_again() -> None:
    net = _WithRoom()
    one, two = torch.ones(1, 3, 4, 4), torch.full((1, 3, 4, 4), 5.0)
    first = observe(net, one, layers=["head"])
    observe(net, two, layers=["head"])
    assert first.logits is not None
    assert (first.activations["head"].maps == 2).all() and (first.logits == 2).all()


# ---- the residual block taken apart ----


def block_of(net: nn.Module, name: str) -> BlockInfo:
    spec = next(one for one in net.block_specs() if one.name == name)  # type: ignore[operator]
    return BlockInfo(name, name, "residual", tuple(spec.layers), spec.out, (), (), 0, skip="identity", add=spec.add)


def test_parts_add_up(net: nn.Module) -> None:
    net.eval()
    seen = observe(net, X, parts=block_of(net, "layer1.1"), predict=False)
    parts = seen.parts
    assert parts is not None and parts.block == "layer1.1"
    x = part_of(net, "conv1", "bn1", "relu", "layer1.0")
    block = net.get_submodule("layer1.1")
    with torch.no_grad():
        out = block(x)
    np.testing.assert_array_equal(parts.x, x[0].numpy())
    np.testing.assert_array_equal(parts.out, out[0].numpy())
    np.testing.assert_array_equal(parts.total, parts.f + parts.x)
    np.testing.assert_array_equal(parts.out, np.maximum(parts.total, 0))
    expected = np.linalg.norm(parts.f.astype(np.float64)) / np.linalg.norm(parts.x.astype(np.float64))
    assert parts.f_to_x == pytest.approx(expected) and expected > 0


def test_the_share_of_f_is_infinite_where_x_is_zero(net: nn.Module) -> None:
    net.get_submodule("layer1.0").register_forward_hook(lambda _m, _i, out: torch.zeros_like(out))
    with torch.no_grad():
        net.get_submodule("layer1.1.bn2").bias.fill_(1.0)  # type: ignore[union-attr, operator]
    parts = observe(net, X, parts=block_of(net, "layer1.1"), predict=False).parts
    assert parts is not None and parts.f_to_x == float("inf")


def test_a_block_without_a_skip_has_no_parts(net: nn.Module) -> None:
    block = BlockInfo("stem", "stem", "stem", ("conv1",), "relu", (), (), 0)
    assert observe(net, X, parts=block).parts is None


# ---- errors, and what is given back ----


def snapshot(net: nn.Module) -> tuple[list[bool], list[bool], list[Tensor]]:
    return (
        [module.training for module in net.modules()],
        [parameter.requires_grad for parameter in net.parameters()],
        [buffer.clone() for buffer in net.buffers()],
    )


def assert_given_back(net: nn.Module, before: tuple[list[bool], list[bool], list[Tensor]]) -> None:
    after = snapshot(net)
    assert before[:2] == after[:2]
    for old, new in zip(before[2], after[2], strict=True):
        assert torch.equal(old, new)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_mode_and_buffers_are_given_back(net: nn.Module) -> None:
    net.train()
    net.get_submodule("layer2").eval()
    before = snapshot(net)
    observe(net, X, layers=("layer1",), energies=("fc",))
    assert_given_back(net, before)


def test_an_unknown_layer_is_named_with_its_neighbours(net: nn.Module) -> None:
    net.train()
    before = snapshot(net)
    with pytest.raises(LayerNotFoundError, match=r"layer1\.0"):
        observe(net, X, layers=("layer1.O",))
    assert_given_back(net, before)


def test_a_set_token_ends_the_pass(net: nn.Module) -> None:
    net.train()
    before, token = snapshot(net), CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        observe(net, X, layers=("layer1",), token=token)
    assert_given_back(net, before)


def test_a_picture_of_the_wrong_shape_leaves_the_net_as_it_was(net: nn.Module) -> None:
    net.train()
    before = snapshot(net)
    with pytest.raises(RuntimeError, match="channels"):
        observe(net, torch.zeros(1, 4, 32, 32), layers=("layer1",))
    assert_given_back(net, before)


@pytest.mark.parametrize("answer", [None, "text", torch.tensor([1.0, 2.0])])
def test_a_net_that_answers_with_no_scores_is_refused(answer: object) -> None:
    class Odd(nn.Module):
        def forward(self, _x: Tensor) -> object:
            return answer

    with pytest.raises(UserError, match="classifier"):
        observe(Odd(), X)


# ---- kernels ----


def test_filters_are_the_kernels(net: nn.Module) -> None:
    first, later = filters(net, "conv1"), filters(net, "layer1.0.conv2")
    assert first.rgb and not later.rgb
    assert (first.layer, first.weights.shape, later.weights.shape) == ("conv1", (16, 3, 3, 3), (16, 16, 3, 3))
    weight = net.get_submodule("conv1").weight
    assert isinstance(weight, Tensor)
    np.testing.assert_array_equal(first.weights, weight.detach().numpy())
    first.weights[:] = 0  # a copy: the net keeps its own
    assert bool(weight.any())


@pytest.mark.parametrize("layer", ["bn1", "fc", "nowhere"])
def test_a_layer_without_kernels_names_one_with(net: nn.Module, layer: str) -> None:
    with pytest.raises(LayerNotFoundError, match=rf"'{layer}' has no convolution kernels.*conv1"):
        filters(net, layer)
