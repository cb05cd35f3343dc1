"""Borrowing a net: whatever is done with it, it is given back as it was."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from resnet_viz.core.dice import own_generator


def each_module(net: nn.Module) -> list[nn.Module]:
    """Return the net and all modules in it, each once: ``net.modules()`` in a quarter of its time."""
    found = [net]
    for module in found:  # grows while it is read
        found += [child for child in module._modules.values() if child is not None] if module._modules else ()
    return list({id(module): module for module in found}.values())


_unwritten: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Nets whose buffers a pass in eval mode was seen to leave alone; theirs need no copies any more."""


def _holds(buffer: Tensor, value: Tensor) -> bool:
    """Return whether the buffer still has these values, NaN included."""
    return bool(((buffer == value) | ((buffer != buffer) & (value != value))).all())


@contextmanager
def borrow(net: nn.Module, *, training: bool | None = None) -> Iterator[nn.Module]:
    """Lend a net out and give back mode, buffers and ``requires_grad`` as they were.

    A forward pass in train mode moves batch norm's running statistics, so buffers are copied
    first when any module trains. In eval mode hardly a net writes its buffers, but some count
    their calls: they are copied until one whole pass has shown that the net leaves them alone.

    Args:
        net: the net.
        training: the mode to lend it in; None leaves every module's own.
    """
    modules = each_module(net)
    modes = [module.training for module in modules]
    parameters = [one for module in modules for one in module._parameters.values() if one is not None]
    grads = [parameter.requires_grad for parameter in parameters]
    trains = True in modes if training is None else training
    if training is not None and (not training) in modes:
        net.train(training)
    watched = trains or net not in _unwritten
    holders = [(module, dict(module._buffers)) for module in modules if module._buffers] if watched else []
    saved = [(b, b.clone()) for _, own in holders for b in own.values() if b is not None and not b.is_meta]
    whole: list[bool] = []  # filled where a pass came to its end: one that stopped early proves nothing
    handle = net.register_forward_hook(lambda *_: whole.append(True)) if watched and not trains else None
    try:
        yield net
    finally:
        if handle is not None:
            handle.remove()
        # compared as wholes first: most borrowers change nothing, and this runs with every pass
        if [module.training for module in modules] != modes:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
        if [parameter.requires_grad for parameter in parameters] != grads:
            for parameter, wanted in zip(parameters, grads, strict=True):
                parameter.requires_grad_(wanted)
        written = False
        for module, own in holders:
            if any(module._buffers.get(name) is not buffer for name, buffer in own.items()):
                written = True
                module._buffers.update(own)
        with torch.no_grad():
            for buffer, value in saved:
                if trains or not _holds(buffer, value):
                    written = True
                    buffer.copy_(value)
        if whole and not written:
            _unwritten.add(net)


def has_dropout(net: nn.Module) -> bool:
    """Return whether a pass in training mode draws random numbers for dropout."""
    return any(isinstance(one, nn.modules.dropout._DropoutNd) and one.p > 0 for one in each_module(net))


@contextmanager
def dice(net: nn.Module, devices: Sequence[torch.device] = ()) -> Iterator[bool]:
    """Own torch's generator for a pass in training mode, if the net may draw from it.

    Our nets draw for dropout alone; of a foreign one nobody knows. A net that does not draw
    waits for nobody.

    Args:
        net: the net.
        devices: whose generators it may use besides the processor's.

    Yields:
        Whether the pass may draw, and should be seeded.
    """
    own = callable(getattr(net, "block_specs", None))
    if own and not has_dropout(net):
        yield False
        return
    with own_generator(devices):
        yield True
