"""Building blocks in which nothing is functional: the add and every ReLU are modules.

A forward hook sees module calls only, so an addition written as ``out += x`` or an
activation written as ``F.relu(x)`` could be neither shown nor changed. Here each has a
module of its own, used once per forward pass, and nothing works in place. (A net that is
only trained may be told to where nobody can see it, see ``training/fast_layers.py``.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Shortcut = Literal["A", "B", "none"]
ActivationName = Literal["relu", "tanh", "sigmoid"]
InitName = Literal["he", "xavier", "normal", "default"]
StemName = Literal["default", "cifar", "imagenet"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


@dataclass(frozen=True, slots=True)
class NetOptions:
    """What an ablation varies; every family takes the same ones.

    Attributes:
        num_classes: size of the output.
        shortcut: ``"A"`` zero-padded identity, ``"B"`` 1x1 convolution where the shape
            changes (He et al. 2015, sec. 3.3), ``"none"`` the plain twin.
        batch_norm: whether each convolution is followed by batch norm.
        bn_momentum: weight of the newest batch in BN's running statistics.
        bn_eps: added to BN's variance.
        activation: the non-linearity.
        init: ``"he"`` (He et al. 2015b), ``"xavier"`` (Glorot & Bengio 2010), ``"normal"``
            with :attr:`init_std`, or ``"default"``, PyTorch's own.
        init_std: standard deviation of the ``"normal"`` initialisation.
        stem: ``"cifar"`` a 3x3 convolution, ``"imagenet"`` 7x7 and a pool, ``"default"`` the
            family's own. Many CIFAR checkpoints are ImageNet nets with a 3x3 stem.
    """

    num_classes: int = 10
    shortcut: Shortcut = "A"
    batch_norm: bool = True
    bn_momentum: float = 0.1
    bn_eps: float = 1e-5
    activation: ActivationName = "relu"
    init: InitName = "he"
    init_std: float = 0.01
    stem: StemName = "default"

    def act(self) -> nn.Module:
        """Return a new activation module that does not work in place."""
        return ACTIVATIONS[self.activation]()

    def norm(self, channels: int) -> nn.Module:
        """Return a batch norm for ``channels``, or the identity where BN is switched off."""
        if not self.batch_norm:
            return nn.Identity()
        return nn.BatchNorm2d(channels, eps=self.bn_eps, momentum=self.bn_momentum)

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """Return a "same"-padded convolution; it has a bias only where no BN follows."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not self.batch_norm)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One block of a net as the network map draws it.

    Attributes:
        name: the block's module path, or a name of its own for a group ("stem").
        title: short label under the block, for example ``"2.0"``.
        kind: what it is.
        layers: module paths that belong to the block, in forward order.
        skip: type of the skip connection: ``"identity"``, ``"A"`` (subsampled and
            zero-padded), ``"B"`` (1x1 convolution), or ``None`` where there is none.
        add: module path of the addition, ``None`` without a skip.
        out: module path whose output is the block's output.
        stage: number of the stage, from 1; 0 outside the stages.
    """

    name: str
    title: str
    kind: Literal["stem", "residual", "plain", "conv", "pool", "head", "dense", "module"]
    layers: tuple[str, ...]
    out: str
    skip: Literal["identity", "A", "B"] | None = None
    add: str | None = None
    stage: int = 0


class Add(nn.Module):
    """``branch + shortcut``: the addition at the end of a residual block (sec. 3.1, eqn 1)."""

    def forward(self, branch: Tensor, shortcut: Tensor) -> Tensor:
        """Return the sum of two tensors of one shape (N, C, H, W)."""
        return branch + shortcut


class Subsample(nn.Module):
    """Shortcut A: every ``stride``-th position, new channels filled with zeros (sec. 3.3).

    No parameters. The zeros are split evenly before and after the old channels, as the
    public CIFAR checkpoints of this recipe were trained; the paper does not say where.

    Args:
        inputs: channels of the input.
        outputs: channels of the output, at least ``inputs``.
        stride: step of the subsampling.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride = inputs, outputs, stride
        self.before = (outputs - inputs) // 2  # new channels in front of the old ones

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride))."""
        # the mean of single values picks the very same ones as slicing; slicing's gradient would lie
        # channels first, which makes all that comes after it in the backward pass up to 15 times slower
        x = nn.functional.avg_pool2d(x, 1, self.stride)
        after = self.outputs - self.inputs - self.before
        return nn.functional.pad(x, (0, 0, 0, 0, self.before, after))

    def extra_repr(self) -> str:
        """Return what the module tree shows in brackets."""
        return f"{self.inputs}, {self.outputs}, stride={self.stride}"


def _shortcut(options: NetOptions, inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """Return the module on the skip path, or None where it is the bare identity or absent."""
    if options.shortcut == "none" or (stride == 1 and inputs == outputs):
        return None
    if options.shortcut == "A":
        return Subsample(inputs, outputs, stride)
    return nn.Sequential(options.conv(inputs, outputs, 1, stride), options.norm(outputs))


class _Block(nn.Module):
    """What both kinds of block share: the skip path and its description."""

    expansion = 1
    add: nn.Module | None
    downsample: nn.Module | None

    def skip(self, x: Tensor) -> Tensor:
        """Return what the skip connection carries to the addition."""
        return x if self.downsample is None else self.downsample(x)

    def spec(self, name: str, title: str, stage: int) -> BlockSpec:
        """Describe this block for the network map."""
        children = [child for child, _ in self.named_children() if child != "downsample"]
        if self.downsample is not None:
            # drawn where it acts: just before the addition that takes its output
            inside = [f"downsample.{i}" for i, _ in self.downsample.named_children()] or ["downsample"]
            at = children.index("add")
            children[at:at] = inside
        skip: Literal["identity", "A", "B"] | None = None
        if self.add is not None:
            skip = "identity" if self.downsample is None else ("A" if isinstance(self.downsample, Subsample) else "B")
        return BlockSpec(
            name=name,
            title=title,
            kind="plain" if self.add is None else "residual",
            layers=tuple(f"{name}.{child}" for child in children),
            out=name,
            skip=skip,
            add=None if self.add is None else f"{name}.add",
            stage=stage,
        )


class BasicBlock(_Block):
    """Two 3x3 convolutions and a skip (He et al. 2015, fig. 5 left); none in a plain net.

    Args:
        inputs, planes: channels before and after.
        stride: of the first convolution.
        options: what the ablation varies.
    """

    def __init__(self, inputs: int, planes: int, stride: int, options: NetOptions) -> None:
        super().__init__()
        self.conv1 = options.conv(inputs, planes, 3, stride)
        self.bn1 = options.norm(planes)
        self.relu1 = options.act()
        self.conv2 = options.conv(planes, planes, 3)
        self.bn2 = options.norm(planes)
        self.downsample = _shortcut(options, inputs, planes, stride)
        self.add = None if options.shortcut == "none" else Add()
        self.relu2 = options.act()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.add is not None:
            out = self.add(out, self.skip(x))
        result: Tensor = self.relu2(out)
        return result


class Bottleneck(_Block):
    """1x1, 3x3, 1x1 convolutions and a skip (He et al. 2015, fig. 5 right).

    The stride is in the 3x3 convolution, as in the public ImageNet weights; the paper has
    it in the first 1x1.
    """

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, options: NetOptions) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = options.conv(inputs, planes, 1)
        self.bn1 = options.norm(planes)
        self.relu1 = options.act()
        self.conv2 = options.conv(planes, planes, 3, stride)
        self.bn2 = options.norm(planes)
        self.relu2 = options.act()
        self.conv3 = options.conv(planes, outputs, 1)
        self.bn3 = options.norm(outputs)
        self.downsample = _shortcut(options, inputs, outputs, stride)
        self.add = None if options.shortcut == "none" else Add()
        self.relu3 = options.act()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.add is not None:
            out = self.add(out, self.skip(x))
        result: Tensor = self.relu3(out)
        return result


BlockType = Callable[[int, int, int, NetOptions], _Block]


def initialise(net: nn.Module, options: NetOptions) -> None:
    """Draw new convolution and linear weights in place, from torch's global generator.

    ``"he"`` is normal with fan-out for convolutions, as public ResNets are initialised;
    linear layers keep PyTorch's default there, since the paper speaks of convolutions.
    """
    if options.init == "default" or any(parameter.is_meta for parameter in net.parameters()):
        return  # meta tensors hold no values, and drawing them would import a compiler (1 s)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                if options.init == "he":
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                elif options.init == "xavier":
                    nn.init.xavier_normal_(module.weight)
                else:
                    nn.init.normal_(module.weight, std=options.init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear) and options.init != "he":
                if options.init == "xavier":
                    nn.init.xavier_normal_(module.weight)
                else:
                    nn.init.normal_(module.weight, std=options.init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
