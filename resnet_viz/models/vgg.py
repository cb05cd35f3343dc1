"""The XAI net: VGG-16-like, without skips, with dropout between its convolutions.

After Simonyan & Zisserman 2014 (configuration D) with batch norm and dropout; it differs in
the first convolution, which is not padded, in dropout 0.3 / 0.4 inside the features, and in
a global average before a small classifier, so that any input from 34 px up gives one row.
"""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import BlockSpec, NetOptions, initialise
from .registry import ModelSpec, models

# channels and the dropout after each convolution (0 for none); "M" is a 2x2 max pool
_LAYOUT: tuple[tuple[int, float] | str, ...] = (
    (64, 0.3), (64, 0.0), "M",
    (128, 0.4), (128, 0.0), "M",
    (256, 0.4), (256, 0.4), (256, 0.0), "M",
    (512, 0.4), (512, 0.4), (512, 0.0), "M",
    (512, 0.4), (512, 0.4), (512, 0.0), "M",
)  # fmt: skip


class XaiNet(nn.Module):
    """Convolutions 64x2, 128x2, 256x3, 512x3, 512x3, five pools, classifier 512-512-classes.

    Args:
        options: number of classes, BN, activation and init; skips do not apply.
    """

    def __init__(self, options: NetOptions) -> None:
        super().__init__()
        self.options = options
        layers: list[nn.Module] = []
        self._groups: list[tuple[str, list[int]]] = []
        inputs, stage, place = 3, 1, 0
        for entry in _LAYOUT:
            if isinstance(entry, str):
                self._groups.append((f"pool{stage}", [len(layers)]))
                layers.append(nn.MaxPool2d(2, 2))
                stage, place = stage + 1, 0
                continue
            width, dropout = entry
            place += 1
            padding = 0 if inputs == 3 else 1
            made = [nn.Conv2d(inputs, width, 3, padding=padding, bias=False), options.norm(width), options.act()]
            if dropout:
                made.append(nn.Dropout(dropout))
            self._groups.append((f"{stage}.{place}", list(range(len(layers), len(layers) + len(made)))))
            layers += made
            inputs = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        hidden_norm: nn.Module = nn.Identity()
        if options.batch_norm:
            hidden_norm = nn.BatchNorm1d(512, eps=options.bn_eps, momentum=options.bn_momentum)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(512, 512, bias=False),
            hidden_norm,
            options.act(),
            nn.Dropout(0.5),
            nn.Linear(512, options.num_classes),
            nn.LogSoftmax(1),
        )
        initialise(self, options)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W), H and W from 34, to log-probabilities (N, classes)."""
        log_probs: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return log_probs

    def block_specs(self) -> tuple[BlockSpec, ...]:
        """Return one block per convolution, per pool and per linear layer."""
        specs = []
        for title, indices in self._groups:
            names = tuple(f"features.{index}" for index in indices)
            pool = title.startswith("pool")
            stage = int(title[4:]) if pool else int(title[0])
            specs.append(
                BlockSpec(
                    f"features-{title}", "pool" if pool else title, "pool" if pool else "conv", names, names[-1],
                    stage=stage,
                )
            )  # fmt: skip
        specs.append(BlockSpec("avgpool", "avg", "pool", ("avgpool", "flatten"), "avgpool"))
        hidden = tuple(f"classifier.{index}" for index in range(4))
        specs.append(BlockSpec("classifier-1", "fc1", "dense", hidden, "classifier.3"))
        head = tuple(f"classifier.{index}" for index in range(4, 7))
        specs.append(BlockSpec("classifier-2", "fc2", "head", head, "classifier.6"))
        return tuple(specs)


models.add(
    "xai",
    ModelSpec(
        id="xai",
        title="XAI",
        family="xai",
        depth=15,
        input_size=128,
        defaults=NetOptions(num_classes=2, shortcut="none", init="default"),
        preprocessing="imagenet",
        dataset="catdog",
        paper="after Simonyan & Zisserman 2014, configuration D",
        build=XaiNet,
        min_size=34,
    ),
)
