"""What a run will cost: parameters, multiply-adds, memory and time, measured on a few batches."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from resnet_viz.models import models

from .config import TrainConfig
from .measure import faster_in_bf16
from .optimizers import make_optimizer
from .parts import build, freeze
from .prepare import input_size

TIMED = 3
"""Steps that are timed; the shortest counts, as whatever disturbs only lengthens."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one run costs on this machine.

    Attributes:
        params: parameters, trained or not.
        macs: multiply-adds of one picture's forward pass.
        step_s: seconds of one optimizer step.
        batch: pictures of a step.
        peak_bytes: most memory this process has used; None where the system does not say.
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
    bf16 = config.bf16 == "on" or (config.bf16 == "auto" and faster_in_bf16(net, images))
    macs = _macs(net, images[:1])
    part.train_mode(net)
    times = []
    for _ in range(TIMED + 1):  # the first pays for choosing kernels
        begun = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = net(images)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - begun)
    params = sum(parameter.numel() for parameter in net.parameters())
    return Estimate(params, macs, min(times[1:]), config.batch, _peak(device), bf16)


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
