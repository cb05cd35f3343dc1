"""The registry of nets: one record says all that the rest of the program must know of a family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from resnet_viz.core.dice import own_generator
from resnet_viz.core.registry import Registry

from .blocks import NetOptions


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One architecture.

    Attributes:
        id: name on the command line and in files, for example ``"resnet20"``.
        title: name for people, for example ``"ResNet-20"``.
        family: the group it belongs to, for example ``"cifar-resnet"``.
        depth: weighted layers as the paper counts them; None where no number is used.
        input_size: side of the square input in pixels.
        defaults: the options it is built with unless told otherwise.
        preprocessing: id of the mean/std preset that its published weights use.
        dataset: id of the data set that it was designed for; gives default labels.
        paper: where the architecture is described.
        build: makes the net, weights drawn from torch's global generator.
        in_channels: 3 for colour, 1 for grey pictures.
        min_size: smallest input side that the net accepts.
        any_size: whether inputs of other sizes than ``input_size`` work.
    """

    id: str
    title: str
    family: str
    depth: int | None
    input_size: int
    defaults: NetOptions
    preprocessing: str
    dataset: str
    paper: str
    build: Callable[[NetOptions], nn.Module] = field(repr=False)
    in_channels: int = 3
    min_size: int = 8
    any_size: bool = True


models: Registry[ModelSpec] = Registry("model")
"""All architectures by id. Importing :mod:`resnet_viz.models` fills it."""


def create(model_id: str, *, seed: int | None = None, **options: object) -> nn.Module:
    """Build an untrained net in eval mode.

    Args:
        model_id: an id of :data:`models`.
        seed: if given, weights are drawn from this seed and torch's global generator is
            given back as it was.
        options: fields of :class:`NetOptions` that differ from the architecture's defaults.

    Raises:
        UnknownNameError: listing the three nearest ids.
    """
    spec = models.get(model_id)
    chosen = replace(spec.defaults, **options)  # type: ignore[arg-type]
    if seed is None:
        return spec.build(chosen).eval()
    with own_generator():
        torch.manual_seed(seed)
        return spec.build(chosen).eval()
