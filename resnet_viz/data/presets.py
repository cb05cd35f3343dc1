"""Mean and standard deviation presets: which numbers a net was trained with is not in its weights."""

from __future__ import annotations

from resnet_viz.core.registry import Registry
from resnet_viz.core.types import Normalization

presets: Registry[Normalization] = Registry("mean/std preset")
"""All presets by the id that ``--normalize`` takes."""

presets.add("cifar10", Normalization("CIFAR-10", (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)))
presets.add("imagenet", Normalization("ImageNet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
presets.add("half", Normalization("0.5 / 0.25", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
