"""Gradients at the blocks of a net: norms at their outputs, split at their additions, of their weights.

A hook on the output *tensor* of a block sees the gradient there, also in nets that work in place:
PyTorch gives a tensor hook the gradient of the value that the tensor had when the hook was put on
it. A full backward hook on the module would raise in such nets, and ``retain_grad`` be wrong.

Norms are exact to seven digits and never underflow. Squares of a million float32 values added up
in float32 are off in the fifth digit, and a norm below 1e-19 comes out as 0. So each picture's
norm is taken in float32, those are added up in double precision, and what is too small or too
large for that is done again in double precision altogether.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from resnet_viz.core.errors import LayerNotFoundError, UserError, unknown
from resnet_viz.core.gradient_types import WeightChoice
from resnet_viz.core.token import NEVER, CancelToken

from .capture import first_tensor

_SAFE = (1e-12, 1e15)
"""Norms between these are right to 1e-7 if each picture's is taken in float32."""


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
    main = [layer for layer in layers if not _on_skip(layer[0])]
    weighted = [module for _, module in main if _is_weighted(module)]
    if not weighted:
        return None
    norms = [module for _, module in main if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    skip = [module for name, module in layers if _on_skip(name)]
    add = modules.get(block.add) if block.add is not None else None
    every = {id(parameter): parameter for _, module in layers for parameter in module.parameters()}
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


def norm(value: Tensor) -> Tensor:
    """Return the L2 norm of a tensor of any shape as a float64 scalar, exact to 1e-7, without underflow."""
    value = value.detach()
    if value.device.type == "cpu" and value.dtype == torch.float32 and value.ndim > 1:
        rows = torch.linalg.vector_norm(value, dim=tuple(range(1, value.ndim)))  # (N,)
        result: Tensor = torch.linalg.vector_norm(rows, dtype=torch.float64)
        if _SAFE[0] < float(result) < _SAFE[1]:
            return result
    exact: Tensor = torch.linalg.vector_norm(value, dtype=torch.float64)
    return exact


def weight_norms(gradients: Sequence[Sequence[Tensor | None]]) -> list[float]:
    """Return one L2 norm for each group of gradients; a gradient that is None counts as 0."""
    flat = [gradient for group in gradients for gradient in group if gradient is not None]
    each = iter(torch.stack(torch._foreach_norm(flat, 2, torch.float64)).tolist() if flat else ())
    return [math.hypot(*(next(each) for gradient in group if gradient is not None)) for group in gradients]


class Watched:
    """What the hooks of :func:`watch_blocks` saw; read it after the backward pass.

    A block that ran several times counts as one vector of all its outputs.

    Attributes:
        names: of the blocks, (B,).
    """

    def __init__(self, names: Sequence[str], token: CancelToken) -> None:
        self.names = tuple(names)
        self._token = token
        self._norms: dict[tuple[str, str], list[Tensor]] = {}
        self._handles: list[Any] = []

    def act_norms(self) -> list[float]:
        """Return the norm of the gradient at each block's output, (B,); 0 where none arrived."""
        return self._read("out", missing=0.0)

    def splits(self) -> tuple[list[float], list[float]]:
        """Return the norms that arrived at each block's input through the skip and through F, each (B,).

        With h = S(x) + F(x): the norms of (dS/dx)^T dL/dh and (dF/dx)^T dL/dh, whose sum is the
        gradient at x. S is the identity or the shortcut that changes the shape. NaN for blocks
        without an addition.
        """
        return self._read("identity"), self._read("f")

    def response_stds(self) -> list[float]:
        """Return the standard deviation of each block's response (He et al. 2015, fig. 7), (B,)."""
        return self._read("std")

    def f_to_x(self) -> list[float]:
        """Return ||F(x)|| / ||S(x)|| at each addition, (B,); NaN without one, infinite where S(x) is 0."""
        pairs = zip(self._read("branch"), self._read("skip"), strict=True)
        return [above / below if below else (math.inf if above > 0 else math.nan) for above, below in pairs]

    def _read(self, kind: str, missing: float = math.nan) -> list[float]:
        seen = [self._norms.get((kind, name), []) for name in self.names]
        flat = [value for values in seen for value in values]
        each = iter(torch.stack(flat).tolist() if flat else ())  # one wait for all of them
        return [math.hypot(*(next(each) for _ in values)) if values else missing for values in seen]

    def _keep(self, kind: str, name: str, value: Tensor) -> None:
        self._norms.setdefault((kind, name), []).append(value)

    def _on_gradient(self, kind: str, name: str, tensor: Tensor) -> None:
        if not tensor.requires_grad:
            return

        def hook(gradient: Tensor) -> None:
            self._token.check()
            self._keep(kind, name, norm(gradient))

        self._handles.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def _watch_output(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            self._token.check()
            tensor = first_tensor(output)
            if tensor is not None:
                self._on_gradient("out", name, tensor)

        return hook

    def _watch_input(self, kind: str, name: str, index: int = 0) -> Callable[..., Any]:
        """Return a pre-hook that gives the module a view of its input, which has a gradient of its own."""

        def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            view = args[index].view_as(args[index])
            self._on_gradient(kind, name, view)
            return (*args[:index], view, *args[index + 1 :])

        return hook

    def _watch_response(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, output: Tensor) -> None:
            self._norms["std", name] = [output.detach().std(correction=0).double()]  # of the last call

        return hook

    def _watch_sum(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, args: tuple[Any, ...]) -> None:
            self._keep("branch", name, norm(args[0]))
            self._keep("skip", name, norm(args[1]))

        return hook

    def _attach(self, block: BlockTensors, details: bool) -> None:
        self._handles.append(block.out.register_forward_hook(self._watch_output(block.name)))
        if not details:
            return
        self._handles.append(block.response.register_forward_hook(self._watch_response(block.name)))
        if block.add is None or block.branch is None:
            return
        skip = block.shortcut if block.shortcut is not None else block.add
        index = 1 if block.shortcut is None else 0  # the addition's second summand is the skip
        self._handles.append(block.add.register_forward_pre_hook(self._watch_sum(block.name)))
        self._handles.append(block.branch.register_forward_pre_hook(self._watch_input("f", block.name)))
        self._handles.append(skip.register_forward_pre_hook(self._watch_input("identity", block.name, index)))

    def _detach(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


@contextmanager
def watch_blocks(
    net: nn.Module,
    names: Sequence[str] | None = None,
    *,
    blocks: Sequence[Block] | None = None,
    details: bool = False,
    token: CancelToken = NEVER,
) -> Iterator[Watched]:
    """Watch the gradients at blocks' outputs of the pass, forward and backward, inside the ``with`` block.

    >>> with watch_blocks(net) as watched:                       # doctest: +SKIP
    ...     torch.nn.functional.cross_entropy(net(x), y).backward()
    >>> watched.act_norms()                                      # (B,) floats

    Only the hooks are given back here; who measures a net borrows it as well. Norms of several
    passes inside one ``with`` are taken together, as of one longer batch.

    Args:
        net: any net.
        names: blocks to watch, all that have weights by default.
        blocks: as for :func:`block_tensors`.
        details: watch both ways into each addition and the forward statistics too.
        token: looked at at each block, forward and backward; Cancelled is raised out of the pass.

    Raises:
        LayerNotFoundError: for a name that is no block with weights, listing the three nearest.
        UserError: as :func:`block_tensors`.
    """
    known = {tensors.name: tensors for tensors in block_tensors(net, blocks)}
    for name in names or ():
        if name not in known:
            raise LayerNotFoundError(unknown("block", name, known))
    watched = Watched(tuple(known) if names is None else names, token)
    try:
        for name in watched.names:
            watched._attach(known[name], details)
        yield watched
    finally:
        watched._detach()
