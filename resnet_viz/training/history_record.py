"""What is known of a run, as arrays: put together from its configuration, its card and its log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resnet_viz.core.types import I64

from .history_log import EPOCH_COLUMNS, F64, STEP_COLUMNS, LogState, State, number, text, whole


@dataclass(frozen=True, slots=True, eq=False)
class RunHistory:
    """Everything about a run that its folder tells.

    Attributes:
        name: the folder's name.
        path: the folder.
        title: for people, ``"ResNet-56 · CIFAR-10"``.
        model: architecture id.
        data: data set id or folder.
        depth: layers with weights as the name counts them, 0 where it has no number.
        plain: whether the net has no skip connections.
        shortcut: ``"A"``, ``"B"`` or ``"none"``.
        params: parameters, 0 where unknown.
        epochs_planned: passes over the data that the run is to make.
        state: what the log says: "running" means that it neither finished, failed nor stopped.
        reason: of a failure, else empty.
        step: optimizer steps done.
        epochs_done: passes done.
        epoch: (E,), from 1; ``train_loss``, ``train_error``, ``val_loss``, ``val_error``, ``lr``
            and ``elapsed_s`` belong to it; errors are shares 0-1, NaN what is not known.
        steps: (S,) at most 4,000 of the recorded steps, ``step_*`` belong to it.
        gradient_steps: (K,) steps whose gradient norms were recorded.
        blocks: names, input side first.
        weight_norm: (K, B) norm of the gradient of each block's first weights.
        act_norm: (K, B) norm of the gradient at each block's output; None where never taken.
        coherence: (K,) cosine of input gradients at x and at x + 1 % noise, NaN likewise.
        gradient_loss: (K,).
        test_error: share 0-1, None before it was measured.
        best_val_error: smallest so far, None without validation.
        last_train_error: of the last epoch, None before the first one is over.
        total_s: seconds of training, waiting not counted.
        eta_s: seconds left, None where nothing can be said.
        images_per_s: present speed, NaN where unknown.
        confusion: (K, K) test pictures, rows the true class; None before it was measured.
        classes: names by index.
    """

    name: str
    path: Path
    title: str
    model: str
    data: str
    depth: int
    plain: bool
    recipe: str
    optimizer: str
    shortcut: str
    batch_norm: bool
    lr_max: float
    batch: int
    seed: int
    params: int
    epochs_planned: int
    total_steps: int
    steps_per_epoch: int
    state: State
    reason: str
    diverged: bool
    step: int
    epochs_done: int
    epoch: F64
    train_loss: F64
    train_error: F64
    val_loss: F64
    val_error: F64
    lr: F64
    elapsed_s: F64
    steps: F64
    step_loss: F64
    step_lr: F64
    step_images_per_s: F64
    step_epoch: F64
    gradient_steps: F64
    blocks: tuple[str, ...]
    weight_norm: F64
    act_norm: F64 | None
    coherence: F64
    gradient_loss: F64
    test_error: float | None
    best_val_error: float | None
    last_train_error: float | None
    total_s: float
    eta_s: float | None
    images_per_s: float
    confusion: I64 | None
    classes: tuple[str, ...]

    @property
    def progress(self) -> float:
        """Share 0-1 of the planned steps that are done; 1 for a finished run."""
        if self.state == "finished":
            return 1.0
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0

    def epochs_at(self, steps: F64) -> F64:
        """Return where steps lie on an axis of epochs."""
        return steps / self.steps_per_epoch if self.steps_per_epoch else steps


def depth_of(model: str) -> int:
    """Return the number at the end of an architecture's id, 0 without one."""
    digits = re.search(r"(\d{1,6})$", model)
    return int(digits[1]) if digits else 0


def shortcut_of(model: str, chosen: str) -> str:
    """Return the shortcut a net has: the chosen one, else the one its architecture brings (He et al. 2015)."""
    if chosen:
        return chosen
    if model.startswith("resnet"):
        return "A" if depth_of(model) in (20, 32, 44, 56, 110, 1202) else "B"
    return "B" if model.startswith("hresnet") else "none"


def make_history(run: Path, config: dict[str, Any], card: dict[str, Any], log: LogState) -> RunHistory:
    """Return what a run's three files tell together; the configuration goes before the card."""
    model = text(config.get("model")) or text(card.get("arch")) or log.model
    options = card.get("options")
    chosen = text(config.get("shortcut")) or text(options.get("shortcut") if isinstance(options, dict) else "")
    shortcut = "none" if model.startswith("plain") else shortcut_of(model, chosen)
    # the first runs said "momentum" and "nesterov = true" instead of naming the optimizer
    older = "momentum" if config.get("nesterov") is False else "nesterov"
    epochs = dict(zip(EPOCH_COLUMNS, log.epochs.columns(len(EPOCH_COLUMNS)), strict=True))
    steps = dict(zip(STEP_COLUMNS, log.steps.columns(len(STEP_COLUMNS)), strict=True))
    rows, blocks = log.gradients.rows(), len(log.blocks)
    act = np.array([row[2] or (np.nan,) * blocks for row in rows], np.float64).reshape(len(rows), blocks)
    classes = card.get("classes")
    names = tuple(str(name) for name in classes) if isinstance(classes, list) else ()
    return RunHistory(
        name=run.name,
        path=run,
        title=text(card.get("title")) or model or run.name,
        model=model,
        data=text(config.get("data")) or text(card.get("dataset")),
        depth=depth_of(model),
        plain=shortcut == "none",
        recipe=text(config.get("recipe")) or text(card.get("recipe")),
        optimizer=text(config.get("optimizer"), older if config else ""),
        shortcut=shortcut,
        batch_norm=config.get("batch_norm") is not False,
        lr_max=number(config.get("lr")),
        batch=log.batch,
        seed=whole(config.get("seed")),
        params=log.params or whole(card.get("params")),
        epochs_planned=log.epochs_planned or whole(config.get("epochs")) or whole(card.get("epochs")),
        total_steps=log.total_steps,
        steps_per_epoch=log.steps_per_epoch,
        state=log.state,
        reason=log.reason,
        diverged=log.diverged,
        step=log.step,
        epochs_done=log.epochs_done,
        **epochs,
        steps=steps.pop("step"),
        **{f"step_{name}": column for name, column in steps.items()},
        gradient_steps=np.array([row[0] for row in rows], np.float64),
        blocks=log.blocks,
        weight_norm=np.array([row[1] for row in rows], np.float64).reshape(len(rows), blocks),
        act_norm=act if any(row[2] for row in rows) else None,
        coherence=np.array([row[3] for row in rows], np.float64),
        gradient_loss=np.array([row[4] for row in rows], np.float64),
        test_error=_share(number(card.get("test_error"))),
        best_val_error=_share(log.best_val_error),
        last_train_error=_share(epochs["train_error"][-1]) if len(epochs["epoch"]) else None,
        total_s=log.elapsed_s or max(0.0, np.nan_to_num(number(card.get("train_s")))),
        eta_s=log.eta_s,
        images_per_s=log.images_per_s,
        confusion=_confusion(card.get("confusion")),
        classes=names,
    )


def _share(value: float) -> float | None:
    return float(value) if value == value else None


def _confusion(rows: object) -> I64 | None:
    if not isinstance(rows, list) or not rows or not all(isinstance(r, list) and len(r) == len(rows) for r in rows):
        return None
    return np.array([[whole(count) for count in row] for row in rows], np.int64)
