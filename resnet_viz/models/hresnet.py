"""HResNet: three wide residual blocks with 1x1 shortcuts, for 32x32 pictures (DESIGN section 3)."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import Add, BlockSpec, NetOptions, initialise
from .registry import ModelSpec, models


class HBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus a 1x1 convolution on the skip path; no activation after the sum."""

    def __init__(self, inputs: int, outputs: int, options: NetOptions) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn1 = options.norm(outputs)
        self.relu1 = options.act()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.bn2 = options.norm(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.add = Add()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        branch = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        total: Tensor = self.add(branch, self.shortcut(x))
        return total


class HResNet(nn.Module):
    """Blocks 3-64-128-256, each followed by a 2x2 average pool, then FC 4096-2048-512-classes."""

    def __init__(self, options: NetOptions) -> None:
        super().__init__()
        self.options = options
        widths = (3, 64, 128, 256)
        for index in range(3):
            self.add_module(f"block{index + 1}", HBlock(widths[index], widths[index + 1], options))
            self.add_module(f"pool{index + 1}", nn.AvgPool2d(2))
        self.flatten = nn.Flatten(1)
        self.fc1 = nn.Linear(4096, 2048)
        self.relu1 = options.act()
        self.fc2 = nn.Linear(2048, 512)
        self.relu2 = options.act()
        self.fc3 = nn.Linear(512, options.num_classes)
        initialise(self, options)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, 32, 32) to logits (N, classes)."""
        for index in range(1, 4):
            x = self.get_submodule(f"pool{index}")(self.get_submodule(f"block{index}")(x))
        x = self.relu1(self.fc1(self.flatten(x)))
        logits: Tensor = self.fc3(self.relu2(self.fc2(x)))
        return logits

    def block_specs(self) -> tuple[BlockSpec, ...]:
        """Return the blocks from input to output."""
        specs = []
        for index in range(1, 4):
            name = f"block{index}"
            inside = ("conv1", "bn1", "relu1", "conv2", "bn2", "shortcut", "add")
            layers = tuple(f"{name}.{layer}" for layer in inside)
            specs.append(BlockSpec(name, str(index), "residual", layers, name, "B", f"{name}.add", stage=index))
            specs.append(BlockSpec(f"pool{index}", "pool", "pool", (f"pool{index}",), f"pool{index}", stage=index))
        specs.append(BlockSpec("fc1", "fc1", "dense", ("flatten", "fc1", "relu1"), "relu1"))
        specs.append(BlockSpec("fc2", "fc2", "dense", ("fc2", "relu2"), "relu2"))
        specs.append(BlockSpec("fc3", "fc3", "head", ("fc3",), "fc3"))
        return tuple(specs)


models.add(
    "hresnet",
    ModelSpec(
        id="hresnet",
        title="HResNet",
        family="hresnet",
        depth=9,
        input_size=32,
        defaults=NetOptions(num_classes=10, shortcut="B", init="default"),
        preprocessing="half",
        dataset="cifar10",
        paper="after He et al. 2015",
        build=HResNet,
        min_size=32,
        any_size=False,
    ),
)
