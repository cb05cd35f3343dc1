"""Borrowing a net: whatever is done with it, it is given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def borrow(net: nn.Module, *, training: bool | None = None) -> Iterator[nn.Module]:
    """Lend a net out and give back mode, buffers and ``requires_grad`` as they were.

    A forward pass in train mode moves batch norm's running statistics, so buffers are copied
    first when any module trains; in eval mode nothing writes them and nothing is copied.

    Args:
        net: the net.
        training: the mode to lend it in; None leaves every module's own.
    """
    modes = [(module, module.training) for module in net.modules()]
    grads = [(parameter, parameter.requires_grad) for parameter in net.parameters()]
    if training is not None and any(mode != training for _, mode in modes):
        net.train(training)
    trains = any(module.training for module in net.modules())
    buffers = [(buffer, buffer.clone()) for buffer in net.buffers()] if trains else []
    try:
        yield net
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, wanted in grads:
            if parameter.requires_grad != wanted:
                parameter.requires_grad_(wanted)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
