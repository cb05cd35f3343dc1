"""One pass through a net, and everything a view wants to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from resnet_viz.core.errors import LayerNotFoundError, UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import F32, Activation, BlockInfo, BlockParts, Filters
from resnet_viz.hooks.capture import capture, first_tensor, parse


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What one pass showed.

    Attributes:
        activations: by the name they were asked for.
        energies: mean absolute output by layer name.
        parts: the residual block taken apart, None if none was asked for or it has no skip.
        logits: float32 (classes,), None if the pass ended early or the net is no classifier: what it
            returns are maps, one answer for each pixel.
    """

    activations: dict[str, Activation]
    energies: dict[str, float]
    parts: BlockParts | None
    logits: F32 | None


def to_maps(value: Tensor, *, keep: bool = False) -> F32:
    """Return one picture's output as float32 (C, H, W).

    A vector (1, F) becomes (F, 1, 1); tokens (1, T, F) become (F, T, 1).

    Args:
        value: the output; what is returned may share its memory.
        keep: share no memory, since the net may write there again.
    """
    # PyTorch reorders channels-last memory on all cores, NumPy on one
    array = value[0].float().cpu().contiguous().numpy()
    if array.ndim == 2:
        array = array.T
    while array.ndim < 3:
        array = array[..., None]
    maps: F32 = np.ascontiguousarray(array.reshape(array.shape[0], array.shape[1], -1))
    return maps.copy() if keep and maps.ctypes.data == value.data_ptr() else maps


def _mean_abs(value: Tensor) -> Tensor:
    return value.float().abs().mean()


def observe(
    net: nn.Module,
    x: Tensor,
    *,
    layers: Sequence[str] = (),
    energies: Sequence[str] = (),
    parts: BlockInfo | None = None,
    predict: bool = True,
    token: CancelToken = NEVER,
    guard: bool = True,
) -> Observation:
    """Run one picture through the net in eval mode and return what was asked for.

    Args:
        net: any net; given back as it was.
        x: normalised picture (1, C, H, W).
        layers: layers whose maps are wanted; ``"name#1"`` is the second call.
        energies: layers of which only the mean absolute output is wanted.
        parts: a residual block to take apart.
        predict: whether logits are wanted; if not, the pass ends after the deepest chosen layer.
        token: looked at before each layer with weights.
        guard: whether the net is put into eval mode and given back as it was, and what is returned shares no
            memory with it; one that is in eval mode already, and writes nothing into itself there, needs neither.

    Raises:
        LayerNotFoundError: listing the three nearest names.
        UserError: if the net returns no tensor.
    """
    names, inputs = list(layers), []
    if parts is not None and parts.add is not None:
        names += [parts.add, parts.out]
        inputs = [parts.add]
    with (
        torch.no_grad(),
        capture(
            net,
            list(dict.fromkeys(names)),
            inputs=inputs,
            reduce={name: _mean_abs for name in energies},
            stop=not predict,
            token=token,
            training=False if guard else None,
            guard=guard,
        ) as captured,
    ):
        out = captured.run(x) if names or energies or predict else None
    logits = None
    if predict:
        value = first_tensor(out)
        if value is None or value.ndim < 2:
            raise UserError("The net returns no (N, classes) tensor. Choose a classifier.")
        if all(side == 1 for side in value.shape[2:]):  # a 1x1 convolution as the head leaves (1, classes, 1, 1)
            logits = value[0].float().reshape(-1).cpu().numpy().copy()
    maps: dict[int, F32] = {}  # a block's output is its last layer's: one tensor, copied once
    activations: dict[str, Activation] = {}
    for name in layers:
        token.check()
        value = captured.outputs[parse(name)]
        if id(value) not in maps:
            maps[id(value)] = to_maps(value, keep=guard)
        activations[name] = Activation(name, parse(name)[1], maps[id(value)])
    return Observation(
        activations=activations,
        energies={name: float(captured.reduced[parse(name)]) for name in energies},
        parts=_parts(parts, captured.inputs, captured.outputs, keep=guard) if inputs else None,
        logits=logits,
    )


def _parts(
    block: BlockInfo | None,
    inputs: dict[tuple[str, int], tuple[Tensor, ...]],
    outputs: dict[tuple[str, int], Tensor],
    *,
    keep: bool,
) -> BlockParts | None:
    if block is None or block.add is None:
        return None
    branch, shortcut = (to_maps(value, keep=keep) for value in inputs[block.add, 0][:2])
    size, own = (float(np.linalg.norm(values.astype(np.float64))) for values in (shortcut, branch))
    return BlockParts(
        block=block.name,
        x=shortcut,
        f=branch,
        total=to_maps(outputs[block.add, 0], keep=keep),
        out=to_maps(outputs[parse(block.out)], keep=keep),
        f_to_x=own / size if size else float("inf") if own else 0.0,
    )


def filters(net: nn.Module, layer: str) -> Filters:
    """Return a convolution's kernels.

    Raises:
        LayerNotFoundError: if there is no such layer, or it is no convolution.
    """
    module = dict(net.named_modules()).get(layer)
    if not isinstance(module, nn.Conv2d):
        convolutions = [name for name, found in net.named_modules() if isinstance(found, nn.Conv2d)]
        near = ", ".join(convolutions[:3])
        raise LayerNotFoundError(f"'{layer}' has no convolution kernels. Choose a convolution such as {near}.")
    first = next(found for found in net.modules() if isinstance(found, nn.Conv2d))
    weights = module.weight.detach().float().cpu().numpy().copy()
    return Filters(layer, weights, rgb=module is first and weights.shape[1] == 3)
