"""Borrowing a net: whatever is done with it, it is given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def each_module(net: nn.Module) -> list[nn.Module]:
    """Return the net and all modules in it, each once: ``net.modules()`` without the cost of their names."""
    found: dict[int, nn.Module] = {}
    waiting = [net]
    while waiting:
        module = waiting.pop()
        if id(module) not in found:
            found[id(module)] = module
            waiting.extend(child for child in module._modules.values() if child is not None)
    return list(found.values())


@contextmanager
def borrow(net: nn.Module, *, training: bool | None = None) -> Iterator[nn.Module]:
    """Lend a net out and give back mode, buffers and ``requires_grad`` as they were.

    A forward pass in train mode moves batch norm's running statistics, so buffers are copied
    first when any module trains; in eval mode nothing writes them and nothing is copied.

    Args:
        net: the net.
        training: the mode to lend it in; None leaves every module's own.
    """
    modules = each_module(net)
    modes = [module.training for module in modules]
    parameters = [one for module in modules for one in module._parameters.values() if one is not None]
    grads = [parameter.requires_grad for parameter in parameters]
    if training is not None and any(mode != training for mode in modes):
        net.train(training)
    trains = any(module.training for module in modules)
    buffers: list[tuple[Tensor, Tensor]] = [(buffer, buffer.clone()) for buffer in net.buffers()] if trains else []
    try:
        yield net
    finally:
        for module, mode in zip(modules, modes, strict=True):
            if module.training != mode:
                module.training = mode
        for parameter, wanted in zip(parameters, grads, strict=True):
            if parameter.requires_grad != wanted:
                parameter.requires_grad_(wanted)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
