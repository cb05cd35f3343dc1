"""Whatever ends a measurement of gradients, every architecture is given back as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.analysis.update_rules import UpdateRule
from resnet_viz.core.errors import Cancelled, UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.models import create, models
from resnet_viz.models.registry import ModelSpec

# deeper nets come out of the same loop and would only cost time
SHALLOW = [spec.id for spec in models if (spec.depth or 0) <= 56]
ENDS = ("whole", "by layer", "wrong class", "crash forward", "crash backward", "stopped")


class Crash(torch.autograd.Function):
    """Nothing forward, an error backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        raise ArithmeticError("crashed")


class StopAt(CancelToken):
    """Is set at one of the looks."""

    def __init__(self, look: int) -> None:
        super().__init__()
        self.look = look

    def check(self) -> None:
        self.look -= 1
        if self.look == 0:
            self.cancel()
        super().check()


def used(spec: ModelSpec) -> nn.Module:
    """Return a net in the middle of its life: some parameters frozen, some layers in eval mode, a gradient there."""
    net = create(spec.id, seed=1, num_classes=7)
    for number, parameter in enumerate(net.parameters()):
        parameter.requires_grad_(number % 3 > 0)
        if number % 4 == 0:
            parameter.grad = torch.full_like(parameter, 0.5)
    for number, module in enumerate(net.modules()):
        module.training = number % 2 > 0
    return net


def state(net: nn.Module) -> list[Any]:
    """Return all that is no tensor's values."""
    return [
        [(m.training, sorted(vars(m)), *map(dict, hooks_of(m))) for m in net.modules()],
        [(id(p), p.requires_grad, id(p.grad), dict(p._backward_hooks or {})) for p in net.parameters()],
        [id(buffer) for buffer in net.buffers()],
        torch.is_grad_enabled(),
    ]


def hooks_of(module: nn.Module) -> tuple[dict[int, Any], ...]:
    return module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks


def values(net: nn.Module) -> list[Tensor]:
    found = [*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None)]
    return [torch.random.get_rng_state(), *(value.clone() for value in found)]


@pytest.mark.parametrize("model_id", SHALLOW)
def test_no_trace_is_left(model_id: str) -> None:
    spec = models.get(model_id)
    net = used(spec)
    size = max(spec.min_size, 34) if spec.any_size else spec.input_size
    images = torch.randn(2, spec.in_channels, size, size, generator=torch.Generator().manual_seed(0))
    layers = [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    middle = layers[len(layers) // 2]
    rows = {}
    for end in ENDS:

        def spoil(_module: nn.Module, _args: Any, output: Tensor, end: str = end) -> Tensor | None:
            if end == "crash forward":
                raise ArithmeticError("crashed")
            if end != "crash backward":
                return None
            result: Tensor = Crash.apply(output)
            return result

        handle = middle.register_forward_hook(spoil)
        before, kept = state(net), values(net)
        labels = torch.tensor([1, 7 if end == "wrong class" else 0])
        # beyond the looks of the whole forward pass: on the way back
        token = StopAt(rows["whole"] + 3) if end == "stopped" else CancelToken()
        raised: type[Exception] | None = None
        try:
            flow = gradient_flow(
                net,
                images,
                labels,
                train_mode=end != "by layer",
                weights="all",
                per="layer" if end == "by layer" else "block",
                rule=UpdateRule(),
                token=token,
            )
            rows[end] = len(flow.blocks)
            assert len(flow.weight_norm) == len(flow.act_norm) == len(flow.blocks) > 0
        except (UserError, ArithmeticError, Cancelled) as error:
            raised = type(error)
        wanted = {"wrong class": UserError, "crash forward": ArithmeticError, "crash backward": ArithmeticError}
        assert raised == {**wanted, "stopped": Cancelled}.get(end), end
        assert state(net) == before, end
        assert all(torch.equal(one, other) for one, other in zip(values(net), kept, strict=True)), end
        handle.remove()
    assert rows["by layer"] == len(layers) >= rows["whole"]
    assert not any(hooks for module in net.modules() for hooks in hooks_of(module))
