"""Borrowing a net leaves no trace, whatever happens while it is borrowed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_viz.core.errors import Cancelled, LayerNotFoundError
from resnet_viz.core.token import CancelToken
from resnet_viz.hooks.capture import capture
from resnet_viz.hooks.state import borrow
from resnet_viz.models import create


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules())


def state(net: nn.Module) -> tuple[list[bool], list[bool], list[Tensor]]:
    return (
        [module.training for module in net.modules()],
        [parameter.requires_grad for parameter in net.parameters()],
        [buffer.clone() for buffer in net.buffers()],
    )


def unchanged(net: nn.Module, before: tuple[list[bool], list[bool], list[Tensor]]) -> bool:
    after = state(net)
    return before[:2] == after[:2] and all(torch.equal(a, b) for a, b in zip(before[2], after[2], strict=True))


@pytest.fixture
def net() -> nn.Module:
    made = create("resnet20", seed=0)
    made.train()
    made.get_submodule("layer2").eval()  # a mode that is not the same everywhere must come back as it was
    next(made.parameters()).requires_grad_(False)
    return made


X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_after_success(net: nn.Module) -> None:
    before = state(net)
    with capture(net, ["layer1.0"], inputs=["layer2.0.add"], reduce={"fc": torch.mean}) as captured:
        captured.run(X)
    assert captured.outputs["layer1.0", 0].shape == (2, 16, 32, 32)
    assert len(captured.inputs["layer2.0.add", 0]) == 2
    assert captured.reduced["fc", 0].shape == ()
    assert hooks(net) == 0 and unchanged(net, before)


@pytest.mark.parametrize("where", ["conv1", "layer2.1.bn1", "layer3.2.add", "fc"])
def test_after_a_crash_inside_a_layer(net: nn.Module, where: str) -> None:
    before = state(net)

    def crash(*_: Any) -> None:
        raise ArithmeticError("broken layer")

    handle = net.get_submodule(where).register_forward_pre_hook(crash)
    with pytest.raises(ArithmeticError) as caught, capture(net, ["fc"], token=CancelToken()) as captured:
        captured.run(X)
    handle.remove()
    assert hooks(net) == 0 and unchanged(net, before)
    if where != "conv1":
        assert any("got as far as" in note for note in caught.value.__notes__)


def test_after_a_cancelled_pass(net: nn.Module) -> None:
    before, token = state(net), CancelToken()
    net.get_submodule("layer2.0").register_forward_pre_hook(lambda *_: token.cancel())
    reached: list[str] = []
    net.get_submodule("layer3.0").register_forward_hook(lambda *_: reached.append("layer3.0"))
    with pytest.raises(Cancelled), capture(net, ["fc"], token=token) as captured:
        captured.run(X)
    assert reached == []  # the pass ended at the next layer, not at its end
    assert hooks(net) == 2 and unchanged(net, before)


def test_after_stopping_early(net: nn.Module) -> None:
    before = state(net)
    with capture(net, ["layer1.0"], stop=True) as captured:
        assert captured.run(X) is None
    assert hooks(net) == 0 and unchanged(net, before)


def test_an_unknown_layer_names_the_nearest(net: nn.Module) -> None:
    with pytest.raises(LayerNotFoundError, match=r"layer1\.0\.conv1"), capture(net, ["layer1.0.conv"]):
        pass
    assert hooks(net) == 0


def test_a_call_that_does_not_happen_is_an_error(net: nn.Module) -> None:
    with pytest.raises(LayerNotFoundError, match="conv1"), capture(net, ["conv1#1"]) as captured:
        captured.run(X)


def test_captures_may_be_nested(net: nn.Module) -> None:
    net.eval()
    with torch.no_grad(), capture(net, ["fc"]) as outer, capture(net, ["layer1.0"], stop=True) as inner:
        assert inner.run(X) is None
        assert outer.run(X) is not None  # the inner one ends its own passes only
    assert outer.outputs["fc", 0].shape == (2, 10)
    assert hooks(net) == 0


class Twice(nn.Module):
    """One module used twice, the second time overwriting what the first put out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.relu(self.conv(x))
        return {"out": self.relu(self.conv(x))}


def test_calls_of_one_module_are_told_apart() -> None:
    net = Twice().eval()
    with torch.no_grad(), capture(net, ["conv", "relu#1"]) as captured:
        captured.run(X)
        first = net.conv(X)
        second = net.conv(first.relu())
    assert torch.equal(captured.outputs["conv", 0], first)
    assert torch.equal(captured.outputs["conv", 1], second)
    assert torch.equal(captured.outputs["relu", 1], second.relu())


class Moody(nn.Module):
    """Overwrites its first layer's output only when the picture is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1)
        self.second = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.first(x)
        if x.mean() > 0.5:
            out.view(-1).mul_(100)  # through a view: the counter is shared
        return self.second(out)


def test_control_flow_that_depends_on_the_data_is_noticed() -> None:
    net = Moody().eval()
    dark, bright = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    with torch.no_grad():
        for x in (dark, bright, dark):
            with capture(net, ["first"]) as captured:
                captured.run(x)
            assert torch.equal(captured.outputs["first", 0], net.first(x))


def test_a_direct_call_inside_the_block_is_right_at_once() -> None:
    net = torchvision.models.resnet18(weights=None).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        with capture(net, ["bn1"]) as captured:
            net(x)
        assert torch.equal(captured.outputs["bn1", 0], net.bn1(net.conv1(x)))


def test_borrowing_for_training_gives_the_running_statistics_back() -> None:
    net = create("resnet20", seed=0)
    before = state(net)
    with borrow(net, training=True):
        net(X)
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        assert not unchanged(net, before)
    assert unchanged(net, before)


class Counts(nn.Module):
    """Writes its buffers in eval mode too: one in place, the other by putting a new tensor there."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.register_buffer("passes", torch.tensor(0))
        self.register_buffer("least", torch.tensor(float("nan")))

    def forward(self, x: Tensor) -> Tensor:
        self.passes.add_(1)
        self.least = x.min()
        return self.conv(x)


def test_buffers_written_in_eval_mode_are_given_back() -> None:
    net = Counts().eval()
    passes, least = net.passes, net.least
    for stop in (True, False, False):
        with torch.no_grad(), capture(net, ["conv"], stop=stop) as captured:
            captured.run(X)
        assert net.passes is passes and net.passes == 0
        assert net.least is least and net.least.isnan()


class Late(nn.Module):
    """Writes its buffer behind the layer at which a pass may stop."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x))
        self.norm.running_mean.add_(1)  # type: ignore[union-attr, operator]
        return out


def test_a_pass_that_stopped_early_proves_nothing_about_buffers() -> None:
    net = Late().eval()
    with torch.no_grad():
        with capture(net, ["conv"], stop=True) as captured:
            captured.run(X)
        with capture(net, ["conv"]) as captured:
            captured.run(X)
    assert not net.norm.running_mean.any()  # type: ignore[union-attr, operator]


def test_a_net_in_eval_mode_is_watched_only_until_one_whole_pass() -> None:
    net = create("resnet20", seed=0).eval()
    for expected in (1, 0):
        with torch.no_grad(), borrow(net):
            assert hooks(net) == expected
            net(X)
        assert hooks(net) == 0


@pytest.mark.parametrize("stop", [True, False])
def test_an_unguarded_net_is_not_looked_through_and_shows_the_same(stop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    net, names = create("resnet20", seed=0).eval(), ["layer1.0", "layer2.0.add"]
    with torch.no_grad(), capture(net, names, stop=stop) as captured:
        captured.run(X)
        expected = dict(captured.outputs)
    monkeypatch.setattr("resnet_viz.hooks.capture.borrow", None)  # not to be called
    before = state(net)
    with torch.no_grad(), capture(net, names, stop=stop, guard=False) as captured:
        captured.run(X)
        assert captured.outputs.keys() == expected.keys()
        assert all(torch.equal(captured.outputs[call], expected[call]) for call in expected)
    assert unchanged(net, before) and hooks(net) == 0
    with pytest.raises(RuntimeError), torch.no_grad(), capture(net, names, guard=False) as captured:
        captured.run(torch.zeros(1, 5, 8, 8))  # five channels
    assert unchanged(net, before) and hooks(net) == 0
    with pytest.raises(ValueError, match="unguarded"), capture(net, names, guard=False, training=False):
        pass


class Sneaky(nn.Module):
    """Overwrites its first layer's output where no version counter sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.first(x)
        hidden: Tensor = self.second(out.clone())
        out.data.mul_(2)
        return hidden + out


@pytest.mark.parametrize("stop", [False, True])
def test_a_write_past_the_version_counter_is_noticed(stop: bool) -> None:
    net = Sneaky().eval()
    with torch.no_grad():
        expected = net.first(X)
        if stop:  # so far the first layer is unharmed, which must not count for a whole pass
            with capture(net, ["first"], stop=True) as captured:
                captured.run(X)
            assert torch.equal(captured.outputs["first", 0], expected)
        for _ in range(2):
            with capture(net, ["first"]) as captured:
                captured.run(X)
            assert torch.equal(captured.outputs["first", 0], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.complex128])
def test_the_checksum_knows_every_kind_of_number(dtype: torch.dtype) -> None:
    class Cast(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.to(dtype)

    class Spoil(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cast = Cast()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.cast(x)
            out.data[:, 0] = float("nan")
            return out

    net = Spoil().eval()
    with torch.no_grad(), capture(net, ["cast"]) as captured:
        captured.run(X)
    assert torch.equal(captured.outputs["cast", 0], X.to(dtype))


def test_in_inference_mode_every_value_is_right() -> None:
    net = torchvision.models.resnet18(weights=None).eval()
    x = torch.randn(1, 3, 64, 64)
    names = ["bn1", "layer1.0.bn2", "layer2.0"]
    with torch.no_grad(), capture(net, names) as captured:
        captured.run(x)
        expected = dict(captured.outputs)
    with torch.inference_mode(), capture(net, names) as captured:
        captured.run(x)
    assert expected.keys() == captured.outputs.keys()
    for key, value in expected.items():
        assert torch.equal(captured.outputs[key], value), key


class Keywords(nn.Module):
    """Calls a layer with its tensors in a list and by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.sum([x, 2 * x], offset=3 * x)
        return out


class Sum(nn.Module):
    def forward(self, parts: list[Tensor], offset: Tensor) -> Tensor:
        return parts[0] + parts[1] + offset


def test_inputs_in_lists_and_keywords_are_kept() -> None:
    with torch.no_grad(), capture(Keywords().eval(), [], inputs=["sum"]) as captured:
        captured.run(X)
    kept = captured.inputs["sum", 0]
    assert len(kept) == 3
    for factor, value in zip((1, 2, 3), kept, strict=True):
        assert torch.equal(value, factor * X)


def test_reduce_takes_the_call_that_is_named() -> None:
    net = Twice().eval()
    with torch.no_grad(), capture(net, [], reduce={"conv": torch.mean, "conv#1": torch.amax}) as captured:
        captured.run(X)
        first = net.conv(X)
        second = net.conv(first.relu())
    assert captured.outputs == {}
    assert captured.reduced == {("conv", 0): first.mean(), ("conv", 1): second.amax()}


def test_a_pass_stops_behind_the_deepest_of_several_calls() -> None:
    net = Twice().eval()
    calls: list[str] = []
    net.conv.register_forward_hook(lambda *_: calls.append("conv"))
    with torch.no_grad(), capture(net, ["conv#1"], inputs=["conv"], stop=True) as captured:
        assert captured.run(X) is None
        assert captured.run(X) is None  # what is still missing is counted anew
    # two calls a pass; the first run needs a second pass, because the ReLU overwrites the first call's output
    assert len(calls) == 2 * 2 + 2


def test_an_error_of_a_direct_call_says_where_too(net: nn.Module) -> None:
    with pytest.raises(RuntimeError) as caught, capture(net, ["fc"]):
        net(torch.zeros(2, 5, 32, 32))
    notes = [note for note in caught.value.__notes__ if "got as far as" in note]
    assert notes == ["the pass got as far as 'conv1'"]
    assert hooks(net) == 0
