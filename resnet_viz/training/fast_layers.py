"""A net's layers exchanged for faster ones while it is trained, where nobody can see it."""

from __future__ import annotations

from typing import Any

import torch
import torch.fx
from torch import Tensor, nn

from resnet_viz.models.blocks import Add

_WRITTEN_OVER = (nn.modules.batchnorm._NormBase, nn.modules.conv._ConvNd, nn.Linear, Add)
"""Layers whose gradient needs nothing of what they put out; oneDNN's max pool does."""


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not m._modules


def trace_layers(net: nn.Module) -> torch.fx.Graph | None:
    """Return which layer reads what, down to layers without children; None of a net whose path depends on its data."""
    try:
        return _Tracer().trace(net)
    except Exception:  # whatever the net's own code makes of what stands for its input
        return None


def speed_up(net: nn.Module) -> int:
    """Exchange layers of a net that is to be trained: no number changes, but time.

    Args:
        net: a net that is only trained; it keeps its parameters and the names of its layers.

    Returns:
        How many ReLUs write over their input, see :func:`write_in_place`.
    """
    for name, module in list(net.named_modules()):
        if name and type(module) is nn.AdaptiveAvgPool2d and module.output_size in (1, (1, 1)):
            net.set_submodule(name, GlobalMean().train(module.training))
    return write_in_place(net)


def write_in_place(net: nn.Module) -> int:
    """Let each ReLU write over its input where nothing else reads that; returns how many do.

    It saves a tensor's worth of memory traffic both ways and changes no bit. The net is traced
    to see who reads what: a skip connection that begins before a ReLU keeps that ReLU as it is.

    Args:
        net: a net that is only trained: of a net that is looked at, other passes keep inputs.
    """
    graph = trace_layers(net)
    if graph is None:
        return 0
    safe: dict[str, bool] = {}
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(net.get_submodule(str(node.target)), nn.ReLU):
            continue
        source = node.all_input_nodes[0]
        alone = len(source.users) == 1 and source.op == "call_module"
        # of what autograd itself keeps the output of, a write in place is an error in the backward pass
        keeps = alone and isinstance(net.get_submodule(str(source.target)), _WRITTEN_OVER)
        # a module that is called twice must be safe both times
        safe[str(node.target)] = safe.get(str(node.target), True) and keeps
    chosen = [name for name, good in safe.items() if good]
    for name in chosen:
        relu = net.get_submodule(name)
        assert isinstance(relu, nn.ReLU)
        relu.inplace = True
    return len(chosen)


class _MeanOfMap(torch.autograd.Function):
    """Mean over height and width, whose gradient lies in memory as the input does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 1, 1)."""
        ctx.shape = x.shape
        last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.layout = torch.channels_last if last else torch.contiguous_format
        return x.mean((2, 3), keepdim=True)  # (N, C, 1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Spread (N, C, 1, 1) evenly over (N, C, H, W)."""
        even: Tensor = gradient / (ctx.shape[2] * ctx.shape[3])
        return even.expand(ctx.shape).contiguous(memory_format=ctx.layout)


class GlobalMean(nn.AdaptiveAvgPool2d):
    """Global average pooling; the layer in front of it gets a gradient of its own memory layout."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 1, 1)."""
        if input.dim() != 4 or torch.compiler.is_compiling():
            return super().forward(input)
        out: Tensor = _MeanOfMap.apply(input)
        return out
