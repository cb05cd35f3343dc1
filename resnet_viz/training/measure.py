"""What a run measures of itself: gradients block by block, their coherence, and its own speed in bf16."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from resnet_viz.hooks.gradients import Watched, block_tensors, watch_tensors, weight_norms
from resnet_viz.hooks.state import borrow

from .events import Gradients

PICTURES = 32
"""Pictures of the batch, at most, that coherence is measured on; of the first lane's, where there are several."""

NOISE = 0.01
"""Noise of the coherence measure, as a share of the input's standard deviation."""


class Measure:
    """Gradient norms of a net's blocks while it trains (He et al. 2015, sec. 4.1; our measure).

    Args:
        nets: a net with blocks, not wrapped, and its replicas in other lanes.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        self.net = nets[0]
        self._blocks = [block_tensors(net) for net in nets]
        self._watched: list[Watched] = []

    @contextmanager
    def watching(self, record: bool) -> Iterator[None]:
        """Watch the gradients at the blocks' outputs of the pass inside, forward and backward, if ``record``."""
        with ExitStack() as stack:
            self._watched = [stack.enter_context(watch_tensors(one)) for one in self._blocks] if record else []
            yield

    def gradients(self, step: int, loss: Tensor, images: Tensor, labels: Tensor) -> Gradients:
        """Return the norms after a backward pass; blocks that are not trained have norm 0."""
        blocks = self._blocks[0]
        names = tuple(block.name for block in blocks)
        weights = weight_norms([[weight.grad for weight in block.weights("first")] for block in blocks])
        # each lane saw other pictures of the batch
        acts = [math.hypot(*norms) for norms in zip(*(one.act_norms() for one in self._watched), strict=True)]
        near = coherence(self.net, images[:PICTURES].float(), labels[:PICTURES])
        return Gradients(step, names, tuple(weights), tuple(acts), float(loss.detach()), near)


def coherence(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Return the mean cosine between a picture's input gradients at x and at x + 1 % noise.

    After Balduzzi et al. 2017, The shattered gradients problem, who correlate gradients at
    neighbouring inputs; the net runs in the mode it is in, and is given back as it was.

    Args:
        net: the net.
        images: normalised (N, C, H, W).
        labels: (N,).

    Returns:
        -1 to 1, over the pictures whose gradients are not 0 to float precision; None if there is
        no such picture, or a gradient is not finite.
    """
    with borrow(net), torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(0)
        noise = torch.randn(images.shape).to(images.device) * (NOISE * images.std())
        found = []
        for inputs in (images, images + noise):
            torch.manual_seed(1)  # the same dropout in both passes
            inputs = inputs.detach().requires_grad_()
            loss = nn.functional.cross_entropy(net(inputs).float(), labels, reduction="sum")
            found.append(torch.autograd.grad(loss, inputs)[0].flatten(1).double())
    here, near = found
    lengths = here.norm(dim=1) * near.norm(dim=1)
    cosines = ((here * near).sum(1) / lengths)[lengths != 0]
    value = float(cosines.mean())  # NaN of none
    return value if math.isfinite(value) else None


FEW, MANY_S = 16, 0.1
"""Pictures that bfloat16 is timed with, and seconds below which a whole batch is taken instead."""

HOPELESS = 3.0
"""So many times slower in its first pass, which also chooses kernels, bfloat16 is not tried again."""


def in_bf16(choice: str, net: nn.Module, images: Tensor) -> bool:
    """Return whether a run computes in bfloat16.

    Args:
        choice: ``"on"``, ``"off"``, or ``"auto"`` for what is faster here (on a GPU bfloat16, if it has it).
        net: the net, given back as it was.
        images: one normalised batch (N, C, H, W).
    """
    if choice != "auto":
        return choice == "on"
    if images.is_cuda:  # timed one kernel at a time, a GPU waits for Python
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return faster_in_bf16(net, images)


def faster_in_bf16(net: nn.Module, images: Tensor) -> bool:
    """Return whether bfloat16 is faster here: six times slower on some CPUs, twice as fast on others.

    Args:
        net: the net, given back as it was.
        images: one normalised batch (N, C, H, W); a few of them will do for a net that takes long.
    """
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]

    def seconds(enabled: bool, inputs: Tensor) -> float:
        begun = time.perf_counter()
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=enabled):
            loss = net(inputs).float().mean()
        torch.autograd.grad(loss, parameters, allow_unused=True)
        if inputs.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    with borrow(net, training=False), torch.random.fork_rng(devices=[]):
        few = images[:FEW]
        seconds(False, few)  # the first pass of each kind pays for choosing kernels
        inputs = images if seconds(False, few) < MANY_S else few
        full = min(seconds(False, inputs) for _ in range(2))
        if seconds(True, inputs) > HOPELESS * full + MANY_S:
            return False
        return min(seconds(True, inputs) for _ in range(2)) < full
