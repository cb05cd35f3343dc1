"""ReLUs that write over their input while a net is trained, where nobody can see it."""

from __future__ import annotations

import torch.fx
from torch import nn

from resnet_viz.models.blocks import Add

_WRITTEN_OVER = (nn.modules.batchnorm._NormBase, nn.modules.conv._ConvNd, nn.Linear, nn.MaxPool2d, Add)
"""Layers whose gradient needs nothing of what they put out."""


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not m._modules


def write_in_place(net: nn.Module) -> int:
    """Let each ReLU write over its input where nothing else reads that; returns how many do.

    It saves a tensor's worth of memory traffic both ways and changes no bit. The net is traced
    to see who reads what: a skip connection that begins before a ReLU keeps that ReLU as it is.

    Args:
        net: a net that is only trained: of a net that is looked at, other passes keep inputs.
    """
    try:
        graph = _Tracer().trace(net)
    except Exception:  # a net whose path depends on its data cannot be traced, and stays as it is
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
