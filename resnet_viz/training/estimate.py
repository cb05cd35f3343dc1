"""What a run will cost: parameters, multiply-adds, memory and time, measured on a few batches."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from resnet_viz.models import models

from . import onednn
from .config import TrainConfig
from .fast_layers import speed_up
from .lanes import Lanes, lanes_of
from .measure import in_bf16
from .optimizers import make_optimizer
from .parts import build, freeze
from .prepare import input_size
from .world import World

TIMED = 3
"""Steps that are timed; the shortest counts, as whatever disturbs only lengthens."""

LONGEST_S = 3.0
"""A step that takes longer is timed with fewer pictures."""

PROBED = 8
"""Pictures by which the time of a step is foreseen."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one run costs on this machine.

    Attributes:
        params: parameters, trained or not.
        macs: multiply-adds of one picture's forward pass.
        step_s: seconds of one optimizer step.
        batch: pictures of a step.
        peak_bytes: most memory this process uses; None where the system does not say.
        bf16: whether bfloat16 is used.
    """

    params: int
    macs: int
    step_s: float
    batch: int
    peak_bytes: int | None
    bf16: bool

    def epoch_s(self, pictures: int) -> float:
        """Return the seconds of an epoch over so many training pictures."""
        return math.ceil(pictures / self.batch) * self.step_s

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, for JSON."""
        return asdict(self)


def estimate(config: TrainConfig) -> Estimate:
    """Train a few batches of noise and return what they cost; the run's own data is not needed.

    On a GPU the time is an upper bound, far above it for small nets: a run replays recorded steps.

    Args:
        config: the run; ``num_classes`` 0 counts as 10.
    """
    spec = models.get(config.model)
    classes = config.num_classes or 10
    size = input_size(config)
    if config.num_classes == 0:
        from dataclasses import replace

        config = replace(config, num_classes=classes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = build(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    part = freeze(net, config.train_part)
    optimizer: Any = make_optimizer(config, part.parameters, fused=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(config.batch, spec.in_channels, size, size, generator=generator)
    images = images.to(device, memory_format=torch.channels_last)
    labels = torch.randint(0, classes, (config.batch,), generator=generator).to(device)
    bf16 = in_bf16(config.bf16, net, images)
    macs = _macs(net, images[:1])
    speed_up(net)
    enters = device.type == "cpu" and onednn.chosen(config, net, bf16) and onednn.adapt(net)
    lanes = Lanes(net, lanes_of(config, net, World(0, 1, device)), config.batch)
    part.train_mode(net)
    lanes.align_modes()

    def step(pictures: int) -> float:
        def work(net: nn.Module, rows: slice) -> float:
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                mine = images[:pictures][rows]
                logits = net(onednn.enter(mine) if enters else mine)
            loss = nn.functional.cross_entropy(logits.float(), labels[:pictures][rows])
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.item()

        begun = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        # too few pictures for all lanes stand for a batch that has enough: they get all cores
        with contextlib.nullcontext() if pictures >= lanes.least else lanes.widened():
            lanes.run(work, pictures)
        lanes.gather()
        optimizer.step()
        return time.perf_counter() - begun

    with contextlib.closing(lanes), lanes.narrowed():
        probed = min(PROBED, config.batch)
        step(probed)  # pays for choosing kernels
        foreseen = step(probed) * config.batch / probed
        pictures = max(probed, min(config.batch, int(config.batch * LONGEST_S / foreseen)))
        before = _peak(device)
        shortest = min(step(pictures) for _ in range(TIMED))
        scale = config.batch / pictures
    after = _peak(device)
    peak = None if before is None or after is None else int(before + (after - before) * scale)
    params = sum(parameter.numel() for parameter in net.parameters())
    return Estimate(params, macs, shortest * scale, config.batch, peak, bf16)


def _macs(net: nn.Module, image: torch.Tensor) -> int:
    """Count the multiply-adds of convolutions and linear layers by their shapes (as the papers do)."""
    total = 0

    def count(module: nn.Module, args: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            inputs = module.in_channels // module.groups
            total += out.numel() * inputs * module.kernel_size[0] * module.kernel_size[1]
        elif isinstance(module, nn.Linear):
            total += out.numel() * module.in_features

    handles = [module.register_forward_hook(count) for module in net.modules()]
    training = net.training
    try:
        with torch.inference_mode():
            net.eval()(image)
    finally:
        net.train(training)
        for handle in handles:
            handle.remove()
    return total


def _peak(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
