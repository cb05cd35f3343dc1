"""Ids and titles of all architectures, so that a menu need not import torch; a test keeps it true."""

from __future__ import annotations

ARCHITECTURES: tuple[tuple[str, str], ...] = (
    ("fashion_dnn", "Fashion DNN"),
    ("fashion_cnn", "Fashion CNN"),
    ("hresnet", "HResNet"),
    ("resnet20", "ResNet-20"),
    ("resnet32", "ResNet-32"),
    ("resnet44", "ResNet-44"),
    ("resnet56", "ResNet-56"),
    ("resnet110", "ResNet-110"),
    ("plain20", "Plain-20"),
    ("plain32", "Plain-32"),
    ("plain44", "Plain-44"),
    ("plain56", "Plain-56"),
    ("plain110", "Plain-110"),
    ("resnet18", "ResNet-18"),
    ("resnet34", "ResNet-34"),
    ("resnet50", "ResNet-50"),
    ("resnet101", "ResNet-101"),
    ("resnet152", "ResNet-152"),
    ("plain18", "Plain-18"),
    ("plain34", "Plain-34"),
    ("plain50", "Plain-50"),
    ("xai", "XAI"),
)
