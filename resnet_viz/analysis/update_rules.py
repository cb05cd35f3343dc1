"""The first step of each optimizer, written down: torch.optim itself takes a second to import."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from resnet_viz.core.errors import UserError, unknown

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adadelta")
"""Ids, as for training."""


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """An optimizer with torch.optim's defaults.

    Attributes:
        optimizer: one of :data:`OPTIMIZERS`.
        lr: learning rate.
        weight_decay: added to the gradient; ``adamw`` shrinks the weights with it instead.
        momentum: of ``nesterov``; a first step with ``momentum`` is as long as without.

    Raises:
        UserError: for an optimizer that is not known.
    """

    optimizer: str = "momentum"
    lr: float = 0.1
    weight_decay: float = 0.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UserError(unknown("optimizer", self.optimizer, OPTIMIZERS))

    def step(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """Return what a fresh optimizer adds to the weights in its first step, of their shape."""
        decay = self.weight_decay
        g = gradient if self.optimizer == "adamw" else gradient + decay * weight
        if self.optimizer in ("sgd", "momentum"):
            return -self.lr * g
        if self.optimizer == "nesterov":
            return -self.lr * (1 + self.momentum) * g
        if self.optimizer == "adam":
            return -self.lr * g / (g.abs() + 1e-8)  # Kingma & Ba 2015: bias correction leaves the sign
        if self.optimizer == "adamw":
            return -self.lr * g / (g.abs() + 1e-8) - self.lr * decay * weight
        if self.optimizer == "rmsprop":
            return -self.lr * g / (0.1 * g.abs() + 1e-8)  # alpha 0.99: the square root of 0.01 g^2
        if self.optimizer == "adagrad":
            return -self.lr * g / (g.abs() + 1e-10)
        return -self.lr * g * 1e-3 / torch.sqrt(0.1 * g * g + 1e-6)  # Zeiler 2012, rho 0.9
