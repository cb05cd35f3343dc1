"""What a run says while it goes on: frozen records, one JSON line each."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins. Counts are of pictures and parameters."""

    model: str
    params: int
    train_pictures: int
    val_pictures: int
    steps_per_epoch: int
    epochs: int
    bf16: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Some steps are done; ``step`` counts from 1 over the whole run, rates are pictures per second."""

    step: int
    epoch: int
    loss: float
    lr: float
    images_per_s: float


@dataclass(frozen=True, slots=True)
class Gradients:
    """L2 norm of the weights' gradient per block at one step (all convolutions of the block)."""

    step: int
    blocks: tuple[str, ...]
    weight_norm: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch is over; accuracies are shares 0-1, ``val_*`` None without a validation part."""

    epoch: int
    train_loss: float
    train_acc: float
    val_loss: float | None
    val_acc: float | None
    lr: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Files were written; ``best`` says whether these are the best weights so far."""

    epoch: int
    path: str
    best: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The run cannot go on."""

    reason: str
    diverged: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over; ``stopped`` if it was asked to end early."""

    epochs: int
    elapsed_s: float
    stopped: bool = False


Event = Started | Step | Gradients | Epoch | Checkpoint | Failed | Finished


def to_json(event: Event) -> str:
    """Return the event as one line of JSON; numbers that are not finite become null.

    Bare NaN is no JSON, and a reader in another language would stop at it.
    """
    body: dict[str, Any] = {"event": type(event).__name__.lower()}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        if isinstance(value, tuple):
            value = [None if isinstance(item, float) and not math.isfinite(item) else item for item in value]
        body[field.name] = value
    return json.dumps(body, allow_nan=False)
