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


def test_inference_mode_is_refused_with_a_reason(net: nn.Module) -> None:
    with torch.inference_mode(), pytest.raises(RuntimeError, match="no_grad"), capture(net, ["fc"]):
        pass


def test_borrowing_for_training_gives_the_running_statistics_back() -> None:
    net = create("resnet20", seed=0)
    before = state(net)
    with borrow(net, training=True):
        net(X)
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        assert not unchanged(net, before)
    assert unchanged(net, before)
