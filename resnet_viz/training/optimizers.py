"""Optimizers of torch.optim by the ids that a run's configuration takes."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from .config import TrainConfig


def make_optimizer(config: TrainConfig, parameters: Iterable[Tensor], *, fused: bool) -> object:
    """Return a torch.optim optimizer; its learning rate is set before every step.

    Args:
        config: the run.
        parameters: what is trained.
        fused: whether one kernel updates all parameters, where the optimizer has one.
    """
    import torch.optim as optim  # a second of imports: only where a run begins

    trained, lr, decay = list(parameters), config.lr, config.weight_decay
    name = config.optimizer
    if name in ("sgd", "momentum", "nesterov"):
        momentum = 0.0 if name == "sgd" else config.momentum
        return optim.SGD(
            trained, lr=lr, momentum=momentum, nesterov=name == "nesterov", weight_decay=decay, fused=fused
        )
    if name == "adam":
        return optim.Adam(trained, lr=lr, weight_decay=decay, fused=fused)
    if name == "adamw":
        return optim.AdamW(trained, lr=lr, weight_decay=decay, fused=fused)
    if name == "rmsprop":
        return optim.RMSprop(trained, lr=lr, momentum=config.momentum, weight_decay=decay)
    if name == "adagrad":
        return optim.Adagrad(trained, lr=lr, weight_decay=decay)
    return optim.Adadelta(trained, lr=lr, weight_decay=decay)
