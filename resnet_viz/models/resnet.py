"""One builder for residual nets and their plain twins (He et al. 2015).

CIFAR nets of depth 6n+2 (sec. 4.2) and ImageNet nets (table 1) differ in the stem and the
block only; a plain net is the same builder without a shortcut, so block names match and
curves of the two align by construction. Parameter names are those of the public checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from .blocks import BasicBlock, BlockSpec, BlockType, Bottleneck, NetOptions, _Block, initialise
from .registry import ModelSpec, models


class ResNet(nn.Module):
    """A residual or plain net.

    Args:
        block: the block's class.
        counts: blocks per stage.
        widths: planes per stage, before the block's expansion.
        stem: ``"cifar"`` a 3x3 convolution; ``"imagenet"`` 7x7 with stride 2 and a 3x3
            max pool with stride 2.
        options: what an ablation varies.
    """

    def __init__(
        self,
        block: BlockType,
        counts: Sequence[int],
        widths: Sequence[int],
        stem: str,
        options: NetOptions,
    ) -> None:
        super().__init__()
        self.options = options
        self.counts = tuple(counts)
        width = widths[0]
        if stem == "cifar":
            self.conv1 = options.conv(3, width, 3)
        else:
            self.conv1 = options.conv(3, width, 7, 2)
        self.bn1 = options.norm(width)
        self.relu = options.act()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if stem == "imagenet" else None
        for stage, (count, planes) in enumerate(zip(counts, widths, strict=True), start=1):
            blocks: list[nn.Module] = []
            for index in range(count):
                made = block(width, planes, 2 if stage > 1 and index == 0 else 1, options)
                width = planes * made.expansion
                blocks.append(made)
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, options.num_classes)
        initialise(self, options)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to logits (N, classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        if self.maxpool is not None:
            x = self.maxpool(x)
        for stage in range(1, len(self.counts) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        x = torch.flatten(self.avgpool(x), 1)
        logits: Tensor = self.fc(x)
        return logits

    def block_specs(self) -> tuple[BlockSpec, ...]:
        """Return the blocks from input to output, for the network map."""
        stem = ["conv1", "bn1", "relu"] + (["maxpool"] if self.maxpool is not None else [])
        specs = [BlockSpec("stem", "stem", "stem", tuple(stem), out=stem[-1])]
        for stage, count in enumerate(self.counts, start=1):
            for index in range(count):
                name = f"layer{stage}.{index}"
                block = self.get_submodule(name)
                assert isinstance(block, _Block)
                specs.append(block.spec(name, f"{stage}.{index}", stage))
        specs.append(BlockSpec("avgpool", "pool", "pool", ("avgpool",), out="avgpool"))
        specs.append(BlockSpec("fc", "fc", "head", ("fc",), out="fc"))
        return tuple(specs)


CIFAR_DEPTHS = (20, 32, 44, 56, 110)
"""Depths 6n+2 of the CIFAR nets that the paper names."""

IMAGENET_LAYOUTS: dict[int, tuple[BlockType, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""Block and blocks per stage by depth (He et al. 2015, table 1)."""


def _stem(options: NetOptions, own: str) -> str:
    return own if options.stem == "default" else options.stem


def cifar_net(depth: int, options: NetOptions) -> ResNet:
    """Build a CIFAR net (sec. 4.2): 3x3 stem, widths 16/32/64.

    Raises:
        ValueError: if ``depth`` is not 6n+2.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth {depth} is not 6n+2; the nearest is {max(1, round((depth - 2) / 6)) * 6 + 2}")
    n = (depth - 2) // 6
    return ResNet(BasicBlock, (n, n, n), (16, 32, 64), _stem(options, "cifar"), options)


def imagenet_net(depth: int, options: NetOptions) -> ResNet:
    """Build an ImageNet net (table 1): 7x7 stem, widths 64/128/256/512."""
    block, counts = IMAGENET_LAYOUTS[depth]
    return ResNet(block, counts, (64, 128, 256, 512), _stem(options, "imagenet"), options)


def _add_cifar(depth: int, plain: bool) -> None:
    family, name = ("plain", "Plain") if plain else ("resnet", "ResNet")

    def build(options: NetOptions) -> nn.Module:
        return cifar_net(depth, replace(options, shortcut="none") if plain else options)

    models.add(
        f"{family}{depth}",
        ModelSpec(
            id=f"{family}{depth}",
            title=f"{name}-{depth}",
            family="cifar-plain" if plain else "cifar-resnet",
            depth=depth,
            input_size=32,
            defaults=NetOptions(num_classes=10, shortcut="none" if plain else "A"),
            preprocessing="cifar10",
            dataset="cifar10",
            paper="He et al. 2015, sec. 4.2",
            build=build,
        ),
    )


def _add_imagenet(depth: int, plain: bool) -> None:
    family, name = ("plain", "Plain") if plain else ("resnet", "ResNet")

    def build(options: NetOptions) -> nn.Module:
        return imagenet_net(depth, replace(options, shortcut="none") if plain else options)

    models.add(
        f"{family}{depth}",
        ModelSpec(
            id=f"{family}{depth}",
            title=f"{name}-{depth}",
            family="imagenet-plain" if plain else "imagenet-resnet",
            depth=depth,
            input_size=224,
            defaults=NetOptions(num_classes=1000, shortcut="none" if plain else "B"),
            preprocessing="imagenet",
            dataset="imagenet",
            paper="He et al. 2015, table 1",
            build=build,
        ),
    )


for _plain in (False, True):
    for _depth in CIFAR_DEPTHS:
        _add_cifar(_depth, _plain)
for _depth in IMAGENET_LAYOUTS:
    _add_imagenet(_depth, plain=False)
for _depth in (18, 34, 50):
    _add_imagenet(_depth, plain=True)
