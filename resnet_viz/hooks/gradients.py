"""Gradients at the blocks of a net: norms at their outputs, split at their additions, of their weights.

A hook on the output *tensor* of a block sees the gradient there, also in nets that work in place:
PyTorch gives a tensor hook the gradient of the value that the tensor had when the hook was put on
it. A full backward hook on the module would raise in such nets, and ``retain_grad`` be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from resnet_viz.core.errors import LayerNotFoundError, unknown
from resnet_viz.core.token import NEVER, CancelToken

from .block_tensors import Block, BlockTensors, block_tensors
from .capture import first_tensor
from .norms import norm, weight_norms

__all__ = ["Block", "BlockTensors", "Watched", "block_tensors", "norm", "watch_blocks", "watch_tensors", "weight_norms"]


class Watched:
    """What the hooks of :func:`watch_blocks` saw; read it after the backward pass.

    A block that ran several times counts as one vector of all its outputs.

    Attributes:
        names: of the blocks, (B,).
    """

    def __init__(self, names: Sequence[str], token: CancelToken, norms: bool = True) -> None:
        self.names = tuple(names)
        self._token, self._takes_norms = token, norms
        self._norms: dict[tuple[str, str], list[Tensor]] = {}
        self._handles: list[Any] = []

    def act_norms(self) -> list[float]:
        """Return the norm of the gradient at each block's output, (B,); 0 where none arrived."""
        return self._read("out", missing=0.0)

    def splits(self) -> tuple[list[float], list[float]]:
        """Return the norms that arrived at each block's input through the skip and through F, each (B,).

        With h = S(x) + F(x): the norms of (dS/dx)^T dL/dh and (dF/dx)^T dL/dh, whose sum is the
        gradient at x. S is the identity or the shortcut that changes the shape. NaN for blocks
        without an addition, and for a first block whose x is a picture that needs no gradient.
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
            if self._takes_norms:
                self._keep(kind, name, norm(gradient))

        self._handles.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def _watch_output(self, name: str) -> Callable[..., Tensor | None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> Tensor | None:
            self._token.check()
            tensor = first_tensor(output)
            if tensor is None:
                return None
            if tensor is output and tensor._is_view():
                # what is written into a view in place cuts it off from its hooks; a copy is no view
                copy: Tensor = tensor.clone()
                self._on_gradient("out", name, copy)
                return copy
            self._on_gradient("out", name, tensor)
            return None

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
    chosen = list(known.values()) if names is None else [known[name] for name in names]
    with watch_tensors(chosen, details=details, token=token) as watched:
        yield watched


@contextmanager
def watch_tensors(
    tensors: Sequence[BlockTensors], *, details: bool = False, norms: bool = True, token: CancelToken = NEVER
) -> Iterator[Watched]:
    """Watch blocks whose tensors were found already, as :func:`watch_blocks` does.

    Args:
        tensors: of :func:`block_tensors`; finding them costs as much as the norms of a deep net.
        details: as for :func:`watch_blocks`.
        norms: whether norms are taken; without, the token is looked at and nothing else is done.
        token: looked at at each block, forward and backward.
    """
    watched = Watched([block.name for block in tensors], token, norms)
    try:
        for block in tensors:
            watched._attach(block, details)
        yield watched
    finally:
        watched._detach()
