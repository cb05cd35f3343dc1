"""What the norms cost: forward and backward as they are, against the same with every norm taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from resnet_viz.analysis.gradient_flow import blocks_of, gradient_flow
from resnet_viz.core.gradient_types import WeightChoice
from resnet_viz.core.token import CancelToken
from resnet_viz.hooks.capture import first_tensor
from resnet_viz.hooks.gradients import block_tensors
from resnet_viz.hooks.state import borrow, dice

from .batches_of import Batch

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds over all nets, of each the least of some rounds; 0 where timing would have taken too long.

    Attributes:
        pass_s: of forward and backward alone.
        measured_s: of forward and backward with the norms of all blocks.
    """

    pass_s: float = 0.0
    measured_s: float = 0.0


def measure_cost(
    nets: Sequence[tuple[nn.Module, Batch]],
    train_mode: bool,
    weights: WeightChoice,
    within_s: float,
    token: CancelToken,
) -> Cost:
    """Time both kinds of pass in turn, so that whatever else the machine does disturbs them alike.

    Args:
        nets: each with its batch; given back as they were.
        train_mode: mode of batch norm.
        weights: whose gradients are wanted, in both kinds of pass.
        within_s: seconds it may take altogether.
        token: looked at at each block; Cancelled is raised out of the pass.
    """
    end = time.perf_counter() + within_s
    total = Cost()
    for left, (net, batch) in zip(range(len(nets), 0, -1), nets, strict=True):
        bare = partial(_bare, net, batch, train_mode, weights, token)
        norms = partial(
            gradient_flow, net, batch.images, batch.labels, train_mode=train_mode, weights=weights,
            details=False, coherence=False, token=token,
        )  # fmt: skip
        pass_s = _timed(bare)
        if time.perf_counter() + 2 * left * pass_s > end:
            return Cost()
        measured_s = _timed(norms)
        for _ in range(ROUNDS - 1):
            if time.perf_counter() + left * (pass_s + measured_s) > end:
                break
            pass_s, measured_s = min(pass_s, _timed(bare)), min(measured_s, _timed(norms))
        total = Cost(total.pass_s + pass_s, total.measured_s + measured_s)
    return total


def _timed(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _bare(net: nn.Module, batch: Batch, train_mode: bool, weights: WeightChoice, token: CancelToken) -> None:
    """Run forward and backward; the hooks that look at the token take a thousandth of the time."""
    tensors = block_tensors(net, blocks_of(net, batch.images))
    wanted = [weight for block in tensors for weight in block.weights(weights)]

    def hook(_module: nn.Module, _args: Any, output: Any) -> None:
        token.check()
        tensor = first_tensor(output)
        if tensor is not None and tensor.requires_grad:
            tensor.register_hook(lambda _gradient: token.check())  # type: ignore[no-untyped-call]

    handles = [block.out.register_forward_hook(hook) for block in tensors]
    try:
        with borrow(net, training=train_mode), dice(net), torch.enable_grad():
            for weight in wanted:
                weight.requires_grad_()
            logits = first_tensor(net(batch.images.clone()))
            assert logits is not None  # as the measurement before has seen
            loss = nn.functional.cross_entropy(logits.float(), batch.labels)
            torch.autograd.grad(loss, wanted, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
