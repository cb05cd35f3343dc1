"""A net trained on tensors in oneDNN's own memory layout, for bfloat16 on a processor.

PyTorch's convolutions are oneDNN's already. What lies between them, batch norm above all, is
PyTorch's own, which turns each bfloat16 into a float and back. oneDNN's take a third of the time,
but only of tensors that it has laid out itself, channels in groups of 16 (Georganas et al. 2018).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.fx
from torch import Tensor, nn

from resnet_viz.models.blocks import Add, Subsample

from .config import TrainConfig
from .fast_layers import trace_layers

NARROW = 64
"""Channels up to which a net gains: wider ones spend nearly all their time in convolutions, a little slower so."""


def worthwhile(net: nn.Module) -> bool:
    """Return whether bfloat16 is faster so: on a processor that has it, but no matrix unit, for a narrow net.

    With a matrix unit (AMX) convolutions want another layout. It is not timed: then a seed could
    mean one thing today and another tomorrow.
    """
    try:  # not public
        here = torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported()
    except AttributeError:
        return False
    return here and all(one.out_channels <= NARROW for one in net.modules() if isinstance(one, nn.Conv2d))


def chosen(config: TrainConfig, net: nn.Module, bf16: bool) -> bool:
    """Return whether a new run on this processor, alone, trains in oneDNN's layout.

    Its batch norm has no gradient in eval mode, as frozen layers are.
    """
    plain = config.channels_last and not config.compile and config.train_part == "all"
    return bf16 and plain and worthwhile(net)


def enter(images: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Return pictures (N, C, H, W) in oneDNN's layout: an adapted net then works in it.

    Args:
        images: on the CPU.
        dtype: bfloat16 or float32, of all that the net computes in this layout.
    """
    return images.to(dtype).to_mkldnn()


def adapt(net: nn.Module) -> bool:
    """Prepare a net that is to be trained for pictures in either layout, see :func:`enter`.

    It goes on in oneDNN's layout from the input to the last layer that can, and in PyTorch's
    after that. Parameters, names and what it does with usual tensors stay as they are.

    Args:
        net: on the CPU; all of it is trained, since oneDNN's batch norm has no gradient in eval mode.

    Returns:
        Whether it could be prepared; if not it is left as it was, as a net whose path cannot be
        traced, or which computes with maps outside its layers.
    """
    graph = trace_layers(net)
    if graph is None:
        return False
    entered: set[torch.fx.Node] = set()
    for node in graph.nodes:  # in the order of the forward pass
        if node.op == "placeholder":
            entered.add(node)
        elif node.op == "call_module" and node.all_input_nodes and entered.issuperset(node.all_input_nodes):
            entered |= {node} if _can_enter(net.get_submodule(str(node.target))) else set()
    layers: dict[str, set[bool]] = {}  # by name, whether what they put out is left to PyTorch, of each call
    for node in entered:
        leaves = {user not in entered for user in node.users}
        if len(leaves) > 1 or (node.op == "placeholder" and True in leaves):
            return False
        if node.op == "call_module":
            layers.setdefault(str(node.target), set()).update(leaves)
    if any(len(leaves) > 1 for leaves in layers.values()):
        return False
    for name, leaves in layers.items():
        module = net.get_submodule(name)
        for usual, adapted in _ADAPTED.items():
            if type(module) is usual:
                module.__class__ = adapted
        if True in leaves:
            module.register_forward_hook(_leave)
    return True


def _leave(module: nn.Module, inputs: Any, out: Tensor) -> Tensor:
    return out.to_dense() if out.is_mkldnn else out


def _can_enter(module: nn.Module) -> bool:
    """Return whether a layer works in oneDNN's layout, and backward too."""
    if type(module) in (nn.ReLU, nn.Identity, Add, Subsample):
        return True
    if type(module) is nn.Conv2d:
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if type(module) is nn.BatchNorm2d:
        return module.affine and module.track_running_stats and module.momentum is not None
    if type(module) is nn.MaxPool2d:
        return module.dilation in (1, (1, 1)) and not module.ceil_mode and not module.return_indices
    # global pooling has a slow gradient there
    return type(module) is nn.AvgPool2d and not module.ceil_mode and module.divisor_override is None


class _Conv2d(nn.Conv2d):
    """A convolution of either layout; PyTorch's refuses weights that lie otherwise than bfloat16 pictures."""

    def forward(self, input: Tensor) -> Tensor:
        if not input.is_mkldnn:
            return super().forward(input)
        bias = None if self.bias is None else self.bias.to(input.dtype)
        weight = self.weight.to(input.dtype)
        return _convolve(input, weight, bias, self.padding, self.stride, self.dilation, self.groups)


class _Subsample(Subsample):
    """Shortcut A of either layout."""

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_mkldnn:
            return super().forward(x)
        # each channel is once an old one, or nothing: the same numbers
        weight = torch.zeros(self.outputs, self.inputs, 1, 1, dtype=x.dtype)
        weight[self.before : self.before + self.inputs, :, 0, 0].fill_diagonal_(1)
        return _convolve(x, weight, None, (0, 0), (self.stride, self.stride), (1, 1), 1)


def _convolve(*arguments: Any) -> Tensor:
    out: Tensor = torch.ops.aten.mkldnn_convolution(*arguments)
    return out


_ADAPTED: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: _Conv2d, Subsample: _Subsample}
