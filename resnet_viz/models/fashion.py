"""Two small nets for FashionMNIST's 28x28 grey pictures (DESIGN section 3)."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import BlockSpec, NetOptions, initialise
from .registry import ModelSpec, models


class FashionDnn(nn.Module):
    """Dense layers 784-256-128-classes with dropout 0.25."""

    def __init__(self, options: NetOptions) -> None:
        super().__init__()
        self.options = options
        self.flatten = nn.Flatten(1)
        self.fc1 = nn.Linear(784, 256)
        self.relu1 = options.act()
        self.drop1 = nn.Dropout(0.25)
        self.fc2 = nn.Linear(256, 128)
        self.relu2 = options.act()
        self.drop2 = nn.Dropout(0.25)
        self.fc3 = nn.Linear(128, options.num_classes)
        initialise(self, options)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 1, 28, 28) to logits (N, classes)."""
        x = self.drop1(self.relu1(self.fc1(self.flatten(x))))
        logits: Tensor = self.fc3(self.drop2(self.relu2(self.fc2(x))))
        return logits

    def block_specs(self) -> tuple[BlockSpec, ...]:
        """Return the blocks from input to output."""
        return (
            BlockSpec("fc1", "fc1", "dense", ("flatten", "fc1", "relu1", "drop1"), "drop1"),
            BlockSpec("fc2", "fc2", "dense", ("fc2", "relu2", "drop2"), "drop2"),
            BlockSpec("fc3", "fc3", "head", ("fc3",), "fc3"),
        )


class FashionCnn(nn.Module):
    """conv32-BN-ReLU-pool, conv64-BN-ReLU-pool, FC 2304-600-120-classes with dropout 0.25.

    The first convolution is padded and the second is not: 28 -> 14 -> 12 -> 6, 64 x 6 x 6 = 2304.
    """

    def __init__(self, options: NetOptions) -> None:
        super().__init__()
        self.options = options
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.bn1 = options.norm(32)
        self.relu1 = options.act()
        self.pool1 = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.bn2 = options.norm(64)
        self.relu2 = options.act()
        self.pool2 = nn.MaxPool2d(2, 2)
        self.flatten = nn.Flatten(1)
        self.fc1 = nn.Linear(2304, 600)
        self.drop = nn.Dropout(0.25)
        self.fc2 = nn.Linear(600, 120)
        self.fc3 = nn.Linear(120, options.num_classes)
        initialise(self, options)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 1, 28, 28) to logits (N, classes)."""
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        logits: Tensor = self.fc3(self.fc2(self.drop(self.fc1(self.flatten(x)))))
        return logits

    def block_specs(self) -> tuple[BlockSpec, ...]:
        """Return the blocks from input to output."""
        first = ("conv1", "bn1", "relu1", "pool1")
        second = ("conv2", "bn2", "relu2", "pool2")
        return (
            BlockSpec("conv-1", "1", "conv", first, "pool1", stage=1),
            BlockSpec("conv-2", "2", "conv", second, "pool2", stage=2),
            BlockSpec("fc1", "fc1", "dense", ("flatten", "fc1", "drop"), "drop"),
            BlockSpec("fc2", "fc2", "dense", ("fc2",), "fc2"),
            BlockSpec("fc3", "fc3", "head", ("fc3",), "fc3"),
        )


for _id, _title, _build, _depth in (
    ("fashion_dnn", "Fashion DNN", FashionDnn, 3),
    ("fashion_cnn", "Fashion CNN", FashionCnn, 5),
):
    models.add(
        _id,
        ModelSpec(
            id=_id,
            title=_title,
            family="fashion",
            depth=_depth,
            input_size=28,
            defaults=NetOptions(num_classes=10, shortcut="none", init="default"),
            preprocessing="half",
            dataset="fashionmnist",
            paper="a textbook exercise, no paper",
            build=_build,
            in_channels=1,
            min_size=28,
            any_size=False,
        ),
    )
