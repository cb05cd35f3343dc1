"""What a net consists of, found by running it once: layers, shapes, blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from resnet_viz.core.types import BlockInfo, LayerInfo

from .blocks import BlockSpec

_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Hardswish)


def describe(net: nn.Module, input_shape: tuple[int, int, int]) -> tuple[tuple[LayerInfo, ...], tuple[BlockInfo, ...]]:
    """Run a black picture through the net and describe every module that was called.

    Works for foreign nets too: their blocks come from the module tree, without skip arcs, since an
    addition that is no module cannot be seen from outside.

    Args:
        net: any net that maps (N, C, H, W) to logits; given back as it was.
        input_shape: (C, H, W).

    Returns:
        Layers in forward order, each container before its children, and blocks from input to
        output. Receptive fields are left out.
    """
    shapes, inputs, calls = _trace(net, input_shape)
    specs = net.block_specs() if hasattr(net, "block_specs") else _guess_blocks(net, calls)  # type: ignore[operator]
    block_of: dict[str, str] = {}
    for spec in specs:
        for layer in (*spec.layers, spec.name):
            block_of[layer] = spec.name
    roles = _roles(net, specs)
    modules = dict(net.named_modules())
    layers = []
    for name in _forward_order(modules, calls):
        module = modules[name]
        layers.append(
            LayerInfo(
                name=name,
                kind=type(module).__name__,
                out_shape=shapes.get(name, ()),
                params=sum(parameter.numel() for parameter in module.parameters()),
                block=_block_of(name, block_of),
                role=roles.get(name, ""),
                container=any(True for _ in module.children()),
                depth=name.count("."),
                calls=calls[name],
                has_filters=isinstance(module, nn.Conv2d),
            )
        )
    blocks = tuple(_block_info(net, spec, shapes, inputs) for spec in specs if spec.out in shapes)
    return tuple(layers), blocks


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

    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        for name, module in net.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(lambda _m, args, name=name: before(name, args)))
                handles.append(module.register_forward_hook(lambda _m, _a, out, name=name: after(name, out)))
        parameter = next(net.parameters(), None)
        device = parameter.device if parameter is not None else torch.device("cpu")
        with torch.no_grad():
            net(torch.zeros(1, *input_shape, device=device))
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
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
    """Return the shape without the batch; tokens (N, T, F) count as (F, T, 1)."""
    shape = tuple(value.shape[1:])
    return (shape[1], shape[0], 1) if len(shape) == 2 else shape


def _forward_order(modules: Mapping[str, nn.Module], calls: Counter[str]) -> list[str]:
    """Return called modules, in order of their first call; Sequentials that only group are kept.

    A container's pre-hook fires before its children's, so it stands before them by itself.
    """
    return [name for name in calls if name in modules]


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
        before = [layer for layer in spec.layers[: spec.layers.index(spec.add)]]
        branch = [layer for layer in before if ".downsample" not in layer and ".shortcut" not in layer]
        skip = [layer for layer in before if layer not in branch]
        if branch:
            roles[branch[-1]] = "F(x)"
        if skip:
            roles[skip[-1]] = "shortcut"
        roles[spec.add] = "x + F(x)"
        after = spec.layers[spec.layers.index(spec.add) + 1 :]
        if after and isinstance(net.get_submodule(after[0]), _ACTIVATIONS):
            roles[after[0]] = "after ReLU" if isinstance(net.get_submodule(after[0]), nn.ReLU) else "after activation"
    return roles


def _guess_blocks(net: nn.Module, calls: Counter[str]) -> tuple[BlockSpec, ...]:
    """Group a foreign net's leaves: by torchvision-style residual block, else by the tree's second level."""
    modules = dict(net.named_modules())
    residual = [
        name
        for name, module in modules.items()
        if name in calls
        and hasattr(module, "conv1")
        and (hasattr(module, "downsample") or hasattr(module, "relu"))
        and name.count(".") >= 1
    ]
    groups: dict[str, list[str]] = {}
    for name in calls:
        module = modules.get(name)
        if module is None or any(True for _ in module.children()):
            continue
        owner = next((block for block in residual if name.startswith(f"{block}.")), None)
        groups.setdefault(owner or _group_name(name), []).append(name)
    specs = []
    for name, layers in groups.items():
        out = name if name in calls else layers[-1]
        kind = "module"
        if isinstance(modules.get(layers[-1]), nn.Linear) and len(layers) == 1:
            kind = "head"
        title = name.removeprefix("features.").removeprefix("layer")
        specs.append(BlockSpec(name, title, kind, tuple(layers), out))  # type: ignore[arg-type]
    return tuple(specs)


def _group_name(leaf: str) -> str:
    """Return the block a leaf belongs to: its parent, down to the second level of the tree."""
    parts = leaf.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else leaf


def _block_info(
    net: nn.Module, spec: BlockSpec, shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, tuple[int, ...]]
) -> BlockInfo:
    modules = dict(net.named_modules())
    owned = {id(p): p.numel() for layer in spec.layers for p in modules[layer].parameters()}
    first = next((layer for layer in spec.layers if layer in inputs), spec.out)
    return BlockInfo(
        name=spec.name,
        title=spec.title,
        kind=spec.kind,
        layers=tuple(layer for layer in spec.layers if layer in shapes),
        out=spec.out,
        in_shape=inputs.get(first, ()),
        out_shape=shapes[spec.out],
        params=sum(owned.values()),
        skip=spec.skip,
        add=spec.add,
        stage=spec.stage,
    )
