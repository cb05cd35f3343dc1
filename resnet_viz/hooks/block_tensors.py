"""Where the gradients of a net's blocks are found: outputs, weights, additions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from resnet_viz.core.errors import UserError
from resnet_viz.core.gradient_types import WeightChoice


class Block(Protocol):
    """What must be known of a block: a ``BlockSpec`` of an own net or a ``BlockInfo`` of any."""

    @property
    def name(self) -> str:
        """Name, unique in the net."""

    @property
    def title(self) -> str:
        """Short label."""

    @property
    def kind(self) -> str:
        """What it is: ``"residual"``, ``"plain"``, ``"stem"``, ``"head"`` and others."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Module paths in forward order."""

    @property
    def out(self) -> str:
        """Module path whose output is the block's."""

    @property
    def add(self) -> str | None:
        """Module path of the addition, None where there is none or it is no module."""


@dataclass(frozen=True, slots=True, eq=False)
class BlockTensors:
    """Where the gradients of one block are found.

    Attributes:
        name, title, kind: of the block.
        out: module whose output is the block's.
        convs: weights of its convolutions and linear layers in forward order, at least one.
        all: all its parameters.
        response: module whose output is the response of He et al. 2015, fig. 7: the last batch
            norm outside the skip, else the last convolution or linear layer.
        add: the addition, None without one.
        branch: first module of F, None without an addition.
        shortcut: first module on the skip, None where it is the bare identity.
    """

    name: str
    title: str
    kind: str
    out: nn.Module
    convs: tuple[nn.Parameter, ...]
    all: tuple[nn.Parameter, ...]
    response: nn.Module
    add: nn.Module | None = None
    branch: nn.Module | None = None
    shortcut: nn.Module | None = None

    def weights(self, choice: WeightChoice) -> tuple[nn.Parameter, ...]:
        """Return the weights that count under a choice."""
        if choice == "first":
            return self.convs[:1]
        return self.convs if choice == "convs" else self.all


def block_tensors(net: nn.Module, blocks: Sequence[Block] | None = None) -> tuple[BlockTensors, ...]:
    """Find the tensors of all blocks that have weights, from input to output.

    Args:
        net: any net.
        blocks: its blocks; None asks an own net for them.

    Raises:
        UserError: if ``blocks`` is missing for a foreign net, or no block has a convolution or
            linear layer.
    """
    if blocks is None:
        own = getattr(net, "block_specs", None)
        if not callable(own):
            raise UserError("The net does not say which blocks it has. Describe it first.")
        blocks = own()
    assert blocks is not None
    modules = dict(net.named_modules())
    found = [tensors for block in blocks if (tensors := _tensors(block, modules)) is not None]
    if not found:
        raise UserError("The net has no convolution or linear layer, so no gradients to compare. Choose another net.")
    return tuple(found)


def _tensors(block: Block, modules: dict[str, nn.Module]) -> BlockTensors | None:
    layers = [(name, modules[name]) for name in block.layers if name in modules]
    main = [layer for layer in layers if not _on_skip(layer[0])] or layers  # a layer of a skip can be a row too
    weighted = [module for _, module in main if _is_weighted(module)]
    if not weighted:
        return None
    norms = [module for _, module in main if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    skip = [module for name, module in layers if _on_skip(name)]
    add = modules.get(block.add) if block.add is not None else None
    whole = [modules[block.name]] if block.name in modules else []  # it may have parameters beside its layers'
    owners = [*(module for _, module in layers), *whole]
    every = {id(parameter): parameter for module in owners for parameter in module.parameters()}
    convs = [module for _, module in layers if _is_weighted(module)]
    if convs[0] is not weighted[0]:  # a skip that is listed first
        convs = [weighted[0], *(module for module in convs if module is not weighted[0])]
    return BlockTensors(
        name=block.name,
        title=block.title,
        kind=block.kind,
        out=modules[block.out],
        convs=tuple(_weight(module) for module in convs),
        all=tuple(every.values()),
        response=(norms or weighted)[-1],
        add=add,
        branch=main[0][1] if add is not None else None,
        shortcut=skip[0] if add is not None and skip else None,
    )


def _on_skip(name: str) -> bool:
    return ".downsample" in name or ".shortcut" in name


def _is_weighted(module: nn.Module) -> bool:
    return isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) and isinstance(module.weight, nn.Parameter)


def _weight(module: nn.Module) -> nn.Parameter:
    weight = module.weight
    assert isinstance(weight, nn.Parameter)  # as _is_weighted saw
    return weight
