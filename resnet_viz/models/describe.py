"""What a net consists of, found by running it once: layers, shapes, blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from resnet_viz.core.types import BlockInfo, LayerInfo

from .blocks import BlockSpec
from .guess import guess_blocks

_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Hardswish)


def describe(net: nn.Module, input_shape: tuple[int, int, int]) -> tuple[tuple[LayerInfo, ...], tuple[BlockInfo, ...]]:
    """Run a black picture through the net and describe every module that was called.

    Works for foreign nets too: their blocks come from the module tree, without skip arcs, since an
    addition that is no module cannot be seen from outside.

    Args:
        net: any net that maps (N, C, H, W) to logits; mode, buffers, hooks and ``requires_grad``
            are given back as they were.
        input_shape: (C, H, W).

    Returns:
        Layers in forward order, each container before its children, and blocks from input to
        output. Receptive fields are left out. Of a tuple or a dict the first tensor counts;
        tokens (N, T, F) are listed as (F, T, 1).
    """
    shapes, inputs, calls = _trace(net, input_shape)
    modules = {name: module for name, module in net.named_modules() if name in calls}
    above = {name.rsplit(".", depth)[0] for name in calls for depth in range(1, name.count(".") + 1)}
    leaves = tuple(name for name in calls if name not in above)
    own = getattr(net, "block_specs", None)
    specs: tuple[BlockSpec, ...] = own() if callable(own) else guess_blocks(net, leaves, frozenset(calls))
    block_of = {layer: spec.name for spec in specs for layer in (*spec.layers, spec.name)}
    roles = _roles(net, specs)
    # a container's pre-hook fires before its children's, so it stands before them by itself
    layers = tuple(
        LayerInfo(
            name=name,
            kind=type(module).__name__,
            out_shape=shapes.get(name, ()),
            params=_count(module),
            block=_block_of(name, block_of),
            role=roles.get(name, ""),
            container=name in above,
            depth=name.count("."),
            calls=calls[name],
            has_filters=isinstance(module, nn.Conv2d),
        )
        for name, module in ((name, modules[name]) for name in calls)
    )
    return layers, tuple(_block_info(net, spec, shapes, inputs) for spec in specs if spec.out in shapes)


def _count(*modules: nn.Module) -> int:
    """Return the number of parameters, each counted once even if shared."""
    return sum({id(p): p.numel() for module in modules for p in module.parameters()}.values())


@contextmanager
def _borrowed(net: nn.Module) -> Iterator[None]:
    """Put the net in eval mode; give mode and buffers back as they were, whatever happens."""
    modes = [(module, module.training) for module in net.modules()]
    buffers = [(module, dict(module._buffers)) for module in net.modules() if module._buffers]
    values = [(buffer, buffer.clone()) for _, own in buffers for buffer in own.values() if buffer is not None]
    try:
        net.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for module, own in buffers:
            module._buffers.update(own)
        with torch.no_grad():
            for buffer, value in values:
                if not torch.equal(buffer, value):  # NaN too is copied back: it equals nothing
                    buffer.copy_(value)


def _trace(
    net: nn.Module, input_shape: tuple[int, int, int]
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]], Counter[str]]:
    """Return output shape and input shape by module, and calls in order of the first one's start."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs: dict[str, tuple[int, ...]] = {}
    calls: Counter[str] = Counter()
    handles = []

    def before(name: str, args: tuple[object, ...]) -> None:
        calls[name] += 1
        value = _first(args)
        if value is not None:
            inputs.setdefault(name, _shape(value))

    def after(name: str, output: object) -> None:
        value = _first(output)
        if value is not None:
            shapes.setdefault(name, _shape(value))

    parameter = next((p for p in net.parameters() if p.is_floating_point()), torch.zeros(0))
    picture = torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype)
    try:
        with _borrowed(net), torch.no_grad():
            for name, module in net.named_modules():
                if name:
                    handles.append(module.register_forward_pre_hook(lambda _m, args, name=name: before(name, args)))
                    handles.append(module.register_forward_hook(lambda _m, _a, out, name=name: after(name, out)))
            net(picture)
    finally:
        for handle in handles:
            handle.remove()
    return shapes, inputs, calls


def _first(value: object) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for found in map(_first, value) if found is not None), None)
    return None


def _shape(value: Tensor) -> tuple[int, ...]:
    """Return the shape without the batch, as maps are shown: (F,), (C, H, W), tokens as (F, T, 1)."""
    shape = tuple(value.shape[1:])
    if len(shape) == 2:
        return (shape[1], shape[0], 1)
    if len(shape) > 3:  # a video's (C, T, H, W): frames below each other
        return (shape[0], shape[1], math.prod(shape[2:]))
    return shape or (1,)


def _block_of(name: str, block_of: Mapping[str, str]) -> str:
    while name:
        if name in block_of:
            return block_of[name]
        name = name.rpartition(".")[0]
    return ""


def _roles(net: nn.Module, specs: tuple[BlockSpec, ...]) -> dict[str, str]:
    """Return each layer's part in its residual block."""
    roles: dict[str, str] = {}
    for spec in specs:
        if spec.add is None:
            continue
        before = spec.layers[: spec.layers.index(spec.add)]
        skip = [layer for layer in before if ".downsample" in layer or ".shortcut" in layer]
        branch = [layer for layer in before if layer not in skip]
        if branch:
            roles[branch[-1]] = "F(x)"
        if skip:
            roles[skip[-1]] = "shortcut"
        roles[spec.add] = "x + F(x)"
        after = spec.layers[spec.layers.index(spec.add) + 1 :]
        if after and isinstance(net.get_submodule(after[0]), _ACTIVATIONS):
            roles[after[0]] = "after ReLU" if isinstance(net.get_submodule(after[0]), nn.ReLU) else "after activation"
    return roles


def _block_info(
    net: nn.Module, spec: BlockSpec, shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, tuple[int, ...]]
) -> BlockInfo:
    first = next((layer for layer in spec.layers if layer in inputs), spec.out)
    return BlockInfo(
        name=spec.name,
        title=spec.title,
        kind=spec.kind,
        layers=tuple(layer for layer in spec.layers if layer in shapes),
        out=spec.out,
        in_shape=inputs.get(first, ()),
        out_shape=shapes[spec.out],
        params=_count(*(net.get_submodule(layer) for layer in spec.layers)),
        skip=spec.skip,
        add=spec.add,
        stage=spec.stage,
    )
