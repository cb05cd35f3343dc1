"""Nets: one builder family, its registry, and reading checkpoints.

Importing this package imports torch and registers every architecture.
"""

from __future__ import annotations

from . import fashion as _fashion  # noqa: F401 - registers
from . import hresnet as _hresnet  # noqa: F401 - registers
from . import resnet as _resnet  # noqa: F401 - registers
from . import vgg as _vgg  # noqa: F401 - registers
from .blocks import BlockSpec, NetOptions
from .registry import ModelSpec, create, models

__all__ = ["BlockSpec", "ModelSpec", "NetOptions", "create", "models"]
