"""Whole batches at once: normalise and run, on tensors that stay in memory as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor, nn

from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import Normalization


def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return numbers as float32 (n,); on a GPU the same tensor each time, for sending it there waits for the GPU."""
    return torch.tensor(values) if device.type == "cpu" else _kept(values, device)


@lru_cache(maxsize=64)
def _kept(values: tuple[float, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # autograd may be asked to keep it
        return torch.tensor(values, device=device)


def normalise(images: Tensor, normalization: Normalization) -> Tensor:
    """Turn bytes into a network's input.

    Args:
        images: uint8 or float (N, C, H, W), values 0-255.
        normalization: mean and std per channel, on the scale 0-1.

    Returns:
        float32 (N, C, H, W), channels last in memory.
    """
    channels = images.shape[1]
    std = constant(normalization.std[:channels], images.device).view(1, -1, 1, 1)
    mean = constant(normalization.mean[:channels], images.device).view(1, -1, 1, 1)
    # one multiply-add per value: x / (255 std) - mean / std
    scaled = images.to(torch.float32, memory_format=torch.channels_last)
    return torch.addcmul(-mean / std, scaled, 1.0 / (255.0 * std))  # (N, C, H, W)


def logits_of(
    net: nn.Module,
    images: Tensor,
    normalization: Normalization,
    *,
    batch: int = 500,
    token: CancelToken = NEVER,
    bf16: bool = False,
) -> Iterator[Tensor]:
    """Yield the logits (n, classes) batch by batch, in order, with the net in eval mode.

    The net's mode is given back as it was.

    Args:
        net: maps normalised pictures to logits.
        images: uint8 (N, C, H, W).
        normalization: what the net was trained with.
        batch: pictures per pass.
        token: looked at before each pass.
        bf16: run in bfloat16; about 0.1 points of accuracy differ, so never for reported figures.
    """
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), batch):
                token.check()
                part = normalise(images[start : start + batch], normalization)
                with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
                    out: Tensor = net(part)
                yield out.float()  # (n, classes)
    finally:
        for module, mode in modes.items():
            module.training = mode
