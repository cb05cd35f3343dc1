"""The learning rate of every step, as a function of the step alone, so that a resumed run needs no state."""

from __future__ import annotations

import math

from .config import TrainConfig

FIRST = 0.04
"""Share of the largest rate at which a rise begins."""


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate of one optimizer step.

    ``"one-cycle"`` rises along a line and falls along half a cosine to 0 (after Smith 2018;
    momentum stays as it is). ``"cosine"`` is the same without a rise unless ``warmup`` asks
    for one. ``"steps"`` multiplies by ``gamma`` at each milestone.

    Args:
        config: the run.
        step: steps done before this one, from 0.
        total: steps of the whole run.
    """
    if step < config.warmup_steps:
        return config.warmup_lr
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "steps":
        return config.lr * config.gamma ** sum(step >= milestone for milestone in config.milestones)
    progress = step / max(1, total)
    if progress < config.warmup:
        return config.lr * (FIRST + (1 - FIRST) * progress / config.warmup)
    falling = min(1.0, (progress - config.warmup) / (1 - config.warmup))
    return config.lr * 0.5 * (1 + math.cos(math.pi * falling))
