"""Blocks of a foreign net, read off its module tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from torch import nn

from .blocks import BlockSpec

MAX_LEAVES = 24
"""A module with more layers than this is too much for one block of the map, and is taken apart."""

_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_FOLLOWERS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.Identity),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Tanh, nn.Sigmoid),
    *(nn.Softmax, nn.LogSoftmax, nn.Dropout, nn.Dropout2d, nn.Flatten),
)
_GROUPS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def guess_blocks(net: nn.Module, leaves: Sequence[str], called: Collection[str]) -> tuple[BlockSpec, ...]:
    """Group a net's layers into blocks: what somebody gave a class of its own is one block.

    A bare ``nn.Sequential``, ``ModuleList`` or ``ModuleDict`` only groups, so its members are
    the blocks; so are those of a module that is too large, such as a whole encoder. A batch
    norm, activation or dropout that stands by itself joins what comes before it.

    Args:
        net: any net.
        leaves: names of the called modules below which none was called, in forward order.
        called: names of all called modules.

    Returns:
        Blocks in the order of their first layer, without skips: an addition that is no module
        cannot be seen from outside.
    """
    below: dict[str, int] = {}
    for leaf in leaves:
        parts = leaf.split(".")
        for depth in range(1, len(parts)):
            above = ".".join(parts[:depth])
            below[above] = below.get(above, 0) + 1
    groups: dict[str, list[str]] = {}
    open_run = ""
    for leaf in leaves:
        owner = _owner(net, leaf, below)
        if owner == leaf and open_run and isinstance(net.get_submodule(leaf), _FOLLOWERS):
            owner = open_run
        elif owner == leaf:
            open_run = leaf
        else:
            open_run = ""
        groups.setdefault(owner, []).append(leaf)
    return tuple(
        BlockSpec(
            name=name,
            title=_title(name),
            kind=_kind(net.get_submodule(name), last=layers[-1] == leaves[-1]),
            layers=tuple(layers),
            out=name if name in called and name not in layers else layers[-1],
        )
        for name, layers in groups.items()
    )


def _kind(module: nn.Module, last: bool) -> Literal["conv", "pool", "head", "dense", "module"]:
    if isinstance(module, nn.Conv2d):
        return "conv"
    if isinstance(module, _POOLS):
        return "pool"
    if isinstance(module, nn.Linear):
        return "head" if last else "dense"
    return "module"


def _owner(net: nn.Module, leaf: str, below: dict[str, int]) -> str:
    parts = leaf.split(".")
    for depth in range(1, len(parts)):
        name = ".".join(parts[:depth])
        if type(net.get_submodule(name)) not in _GROUPS and below[name] <= MAX_LEAVES:
            return name
    return leaf


def _title(name: str) -> str:
    """Return a label of at most two short parts, without what all blocks have in common."""
    return ".".join(name.removeprefix("features.").removeprefix("layer").split(".")[-2:])
