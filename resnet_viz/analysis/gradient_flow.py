"""How the gradient flows through a net: its norm at every block for one batch and one loss.

After He et al. 2015, sec. 4.1, who checked that the gradients of plain nets with batch norm have
healthy norms; the paper prints no numbers, the measure is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from resnet_viz.core.errors import UserError
from resnet_viz.core.gradient_types import FlowBand, GradientFlow, WeightChoice, band, ratio
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import BlockInfo
from resnet_viz.hooks.block_tensors import Block, BlockTensors, block_tensors
from resnet_viz.hooks.capture import first_tensor
from resnet_viz.hooks.gradients import Watched, watch_tensors
from resnet_viz.hooks.norms import weight_norms
from resnet_viz.hooks.state import borrow, dice
from resnet_viz.models.describe import describe

from .update_rules import UpdateRule

NOISE = 0.01
"""Noise of the coherence measure, as a share of the input's standard deviation."""

_STREAM = 271_828_182
"""Added to the seed of the noise: a batch that was drawn from the same seed must not be its own noise."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """One forward and backward pass."""

    watched: Watched
    loss: float
    gradients: list[tuple[Tensor | None, ...]]
    inputs: Tensor | None


def gradient_flow(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    title: str = "",
    train_mode: bool = True,
    weights: WeightChoice = "first",
    details: bool = True,
    coherence: bool = True,
    per: Literal["block", "layer"] = "block",
    rule: UpdateRule | None = None,
    seed: int = 0,
    token: CancelToken = NEVER,
) -> GradientFlow:
    """Measure the gradients of the mean cross-entropy, block by block (He et al. 2015, sec. 4.1).

    Args:
        net: maps images to logits (N, classes), or to log-probabilities; on the images' device.
            Of a tuple, which nets with auxiliary heads return, the first tensor counts. Mode,
            buffers, ``.grad``, ``requires_grad`` and hooks are given back as they were.
        images: normalised, float (N, C, H, W).
        labels: whole numbers (N,).
        title: of the result.
        train_mode: whether batch norm uses the batch's statistics (and dropout drops), as in
            training; else the running ones, which an untrained net has not got yet.
        weights: which weights of a block count.
        details: whether the split at the additions, response standard deviations and
            ||F||/||x|| are wanted too.
        coherence: whether the coherence is wanted, which costs a second pass.
        per: ``"layer"`` gives each convolution and linear layer a row of its own.
        rule: the optimizer whose first step is compared with the weights, None for none.
        seed: of the noise and of dropout; torch's generator is given back as it was.
        token: looked at at each block of both passes.

    Returns:
        GradientFlow; input side first.

    Raises:
        UserError: if the batch is empty or too small for batch norm, the labels do not fit the
            net, or it has no weights.
        Cancelled: if the token was set.
    """
    token.check()
    if not len(images):
        raise UserError("The batch is empty. Choose at least one picture.")
    blocks = blocks_of(net, images)
    tensors = block_tensors(net, blocks if per == "block" else _layers(net, blocks))
    devices = [images.device] if images.is_cuda else []
    with borrow(net, training=train_mode), dice(net, devices) as draws, torch.enable_grad():
        for parameter in net.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_()
        chosen = [block.weights(weights) for block in tensors]
        of_dropout = seed if draws else None
        here = _run(net, images, labels, tensors, chosen, details, coherence, of_dropout, token)
        near = None
        if coherence:
            shift = torch.randn(images.shape, generator=torch.Generator().manual_seed(_STREAM + seed)).to(images)
            noisy = images + shift * (NOISE * images.std())
            near = _run(net, noisy, labels, tensors, None, False, True, of_dropout, token)
        act, weight = here.watched.act_norms(), weight_norms(here.gradients)
        through_skip, through_f = here.watched.splits() if details else (None, None)
        update = None if rule is None else update_ratio(chosen, here.gradients, rule)
    first, last = core_blocks([block.kind for block in tensors])
    return GradientFlow(
        title=title,
        blocks=tuple(block.name for block in tensors),
        labels=tuple(block.title for block in tensors),
        act_norm=np.array(act),
        weight_norm=np.array(weight),
        loss=here.loss,
        first_to_last=ratio(weight[first], weight[last]),
        first_to_last_act=ratio(act[first], act[last]),
        coherence=None if near is None else mean_cosine(here.inputs, near.inputs),
        split_identity=None if through_skip is None else np.array(through_skip),
        split_f=None if through_f is None else np.array(through_f),
        response_std=np.array(here.watched.response_stds()) if details else None,
        f_to_x=np.array(here.watched.f_to_x()) if details else None,
        update_ratio=None if update is None else np.array(update),
        train_mode=train_mode,
        weights=weights,
        core=(first, last),
    )


def flow_over_seeds(
    make: Callable[[int], nn.Module],
    images: Tensor,
    labels: Tensor,
    seeds: Sequence[int],
    *,
    title: str = "",
    train_mode: bool = True,
    weights: WeightChoice = "first",
    details: bool = False,
    coherence: bool = True,
    progress: Callable[[float], None] | None = None,
    token: CancelToken = NEVER,
) -> FlowBand:
    """Measure the same net under several seeds.

    Args:
        make: draws the net of a seed.
        images: as for :func:`gradient_flow`, with the other arguments.
        labels: (N,).
        seeds: one measurement for each, at least one.
        title: of the result.
        train_mode: mode of batch norm.
        weights: which weights count.
        details: whether each flow has its details.
        coherence: whether each flow has its coherence.
        progress: called with the share done, 0-1, after each seed.
        token: looked at at each block.

    Raises:
        UserError, Cancelled: as :func:`gradient_flow`.
        ValueError: without seeds.
    """
    flows = []
    for number, seed in enumerate(seeds, start=1):
        flows.append(
            gradient_flow(
                make(seed),
                images,
                labels,
                title=title,
                train_mode=train_mode,
                weights=weights,
                details=details,
                coherence=coherence,
                seed=seed,
                token=token,
            )
        )
        if progress is not None:
            progress(number / len(seeds))
    return band(flows, title)


def blocks_of(net: nn.Module, images: Tensor) -> Sequence[Block]:
    """Return a net's blocks: an own net names them, a foreign one is run once on one black picture."""
    own = getattr(net, "block_specs", None)
    if callable(own):
        named: Sequence[Block] = own()
        return named
    _, height, width = images.shape[1:]
    return describe(net, (images.shape[1], height, width))[1]


def core_blocks(kinds: Sequence[str]) -> tuple[int, int]:
    """Return first and last index of the blocks whose ratio tells whether gradients vanish.

    Residual and plain blocks count, stem and classifier do not. In a foreign net those are the
    modules that are blocks of the map; where there are not two of them, all but the first and the
    last row; where that leaves fewer than two, all.

    Args:
        kinds: of the blocks that have weights, from input to output, at least one.
    """
    for wanted in (("residual", "plain"), ("module",)):
        found = [index for index, kind in enumerate(kinds) if kind in wanted]
        if len(found) > 1:
            return found[0], found[-1]
    return (1, len(kinds) - 2) if len(kinds) > 3 else (0, len(kinds) - 1)


def update_ratio(
    weights: Sequence[Sequence[Tensor]], gradients: Sequence[Sequence[Tensor | None]], rule: UpdateRule
) -> list[float]:
    """Return how far one optimizer step moves each group of weights, as a share of their length.

    Args:
        weights: groups, one for each block.
        gradients: of the same weights; None counts as 0.
        rule: the optimizer; its first step counts, before momentum has gathered.

    Returns:
        ||step|| / ||weights|| for each group; NaN where the weights are all 0.
    """
    steps: list[list[Tensor]] = []
    for group, slopes in zip(weights, gradients, strict=True):
        pairs = zip(group, slopes, strict=True)
        steps.append([rule.step(w.detach(), torch.zeros_like(w) if g is None else g.detach()) for w, g in pairs])
    lengths = weight_norms([[weight.detach() for weight in group] for group in weights])
    moved = weight_norms(steps)
    return [step / length if length > 0 else math.nan for step, length in zip(moved, lengths, strict=True)]


def mean_cosine(here: Tensor | None, near: Tensor | None) -> float | None:
    """Return the mean cosine between two gradients of each picture (Balduzzi et al. 2017).

    The paper, "The shattered gradients problem", correlates gradients at neighbouring inputs; the
    cosine at x and x + noise is our measure. A picture whose gradient is 0 (a net that is sure to
    float precision) has no direction and is left out.

    Args:
        here: gradient of the loss at each picture, (N, C, H, W).
        near: the same at the picture with noise.

    Returns:
        -1 to 1; None where no picture has a direction, or a gradient is not finite.
    """
    if here is None or near is None:
        return None
    one, other = here.flatten(1).double(), near.flatten(1).double()  # (N, C H W)
    lengths = one.norm(dim=1) * other.norm(dim=1)  # (N,)
    known = lengths != 0
    if not bool(known.any()):
        return None
    value = float(((one * other).sum(1)[known] / lengths[known]).mean())
    return max(-1.0, min(1.0, value)) if math.isfinite(value) else None


def _run(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    tensors: Sequence[BlockTensors],
    weights: Sequence[Sequence[Tensor]] | None,
    details: bool,
    to_input: bool,
    seed: int | None,
    token: CancelToken,
) -> _Pass:
    """Run forward and backward; gradients are wanted of ``weights`` and, if ``to_input``, of the input.

    Without weights, norms are not wanted either.
    """
    if seed is not None:
        _seed(seed, images.device)  # the same dropout in each pass
    to_input = to_input or details  # a first block that adds is split at the picture
    leaf = images.detach().clone().requires_grad_(to_input)
    wanted: list[Tensor] = [weight for group in weights or () for weight in group]
    if to_input:
        wanted.append(leaf)
    with watch_tensors(tensors, details=details, norms=weights is not None, token=token) as watched:
        try:
            logits = first_tensor(net(leaf.clone()))  # a copy: a net may write into its input
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UserError(
                "Batch norm in training mode needs more than one picture. Take a larger batch, or eval mode."
            ) from error
        logits = _checked(logits, labels)
        loss = nn.functional.cross_entropy(logits, labels.long())
        found = list(torch.autograd.grad(loss, wanted, allow_unused=True))
    inputs = found.pop() if to_input else None
    each = iter(found)
    return _Pass(watched, float(loss.detach()), [tuple(next(each) for _ in group) for group in weights or ()], inputs)


def _seed(seed: int, device: torch.device) -> None:
    """Seed the generators that the pass draws from; ``torch.manual_seed`` would seed those of all devices."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def _checked(logits: Tensor | None, labels: Tensor) -> Tensor:
    """Return the logits (N, classes) in float32, or float64 where the net is."""
    if logits is None or logits.ndim != 2 or len(logits) != len(labels):
        raise UserError("The net does not answer with one row of logits for each picture. Choose a classifier.")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= logits.shape[1]:
        wrong = low if low < 0 else high
        raise UserError(f"The batch has class {wrong}, the net has {logits.shape[1]} classes. Choose another batch.")
    return logits if logits.dtype == torch.float64 else logits.float()


def _layers(net: nn.Module, blocks: Sequence[Block]) -> Sequence[Block]:
    """Return a block for each convolution and linear layer, in the order of the map."""
    modules = dict(net.named_modules())
    return [
        BlockInfo(name, name, block.kind, (name,), name, (), (), 0)
        for block in blocks
        for name in block.layers
        if isinstance(modules.get(name), (nn.modules.conv._ConvNd, nn.Linear))
    ]
