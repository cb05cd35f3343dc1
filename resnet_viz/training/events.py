"""What a run says while it goes on: frozen records, one JSON line each."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins, or goes on after ``step`` steps. Counts are of pictures and parameters."""

    model: str
    params: int
    train_pictures: int
    val_pictures: int
    steps_per_epoch: int
    epochs: int
    bf16: bool
    total_steps: int = 0
    step: int = 0
    processes: int = 1
    threads: int = 1
    lanes: int = 1


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
    """Gradients of the loss of one step, block by block from the input side.

    Attributes:
        step: the step whose gradients these are, from 1.
        blocks: names.
        weight_norm: L2 norm of the gradient of each block's first convolution's (or linear
            layer's) weights, before weight decay.
        act_norm: L2 norm of the gradient at each block's output, None where it was not taken.
        loss: of the same batch.
        coherence: cosine between the input gradients at x and at x + 1 % noise, None likewise.
    """

    step: int
    blocks: tuple[str, ...]
    weight_norm: tuple[float, ...]
    act_norm: tuple[float, ...] | None = None
    loss: float | None = None
    coherence: float | None = None


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


@dataclass(frozen=True, slots=True)
class Paused:
    """The run waits, or goes on where ``paused`` is false."""

    step: int
    paused: bool


Event = Started | Step | Gradients | Epoch | Checkpoint | Failed | Finished | Paused


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
