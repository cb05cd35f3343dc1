"""What a finished run is worth: its card, measured once on the whole test part."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet_viz.analysis.evaluation import evaluate
from resnet_viz.core.errors import DataError, UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import Evaluation, Normalization
from resnet_viz.data.datasets import align
from resnet_viz.models.checkpoint import load_checkpoint
from resnet_viz.training import layout, runs
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.prepare import load_part

from .cards import normalization_of, read_record, sound


def read_card(run: Path) -> dict[str, Any]:
    """Return a run's card.

    Returns:
        The card without the fields that cannot be meant.

    Raises:
        UserError: if it has none, or a damaged one.
    """
    try:
        return sound(read_record(run / layout.CARD))[0]
    except (OSError, ValueError) as error:
        raise UserError(f"{run} holds no readable {layout.CARD} ({error}). Choose a run's folder.") from error


def card_normalization(card: dict[str, Any]) -> Normalization:
    """Return the mean and std that a run was trained with.

    Raises:
        UserError: if the card names none that can be used.
    """
    try:
        return normalization_of(card.get("normalization"))
    except ValueError as error:
        raise UserError(f"In the run's {layout.CARD} normalization {error}. Correct it there.") from error


def _card_classes(card: dict[str, Any]) -> list[str]:
    """Return the names of the classes that a run was trained on; a UserError if the card has none."""
    classes: list[str] | None = card.get("classes")
    if not classes:
        raise UserError(f"The run's {layout.CARD} names no classes. Write them there, in the order of the labels.")
    return classes


def evaluate_run(
    run: Path,
    weights: Path | None = None,
    *,
    split: str = "test",
    data: str | None = None,
    token: CancelToken = NEVER,
    progress: Callable[[float], None] | None = None,
) -> Evaluation:
    """Measure a run's weights on a whole part of the data it was trained on.

    Args:
        run: the run's folder.
        weights: a file of weights, for example one epoch's; the best ones by default.
        split: ``"test"`` or ``"train"``.
        data: other data than the run's own.
        token: looked at between batches.
        progress: called with the share done, 0-1.
    """
    config, card = TrainConfig.read(run / layout.CONFIG), read_card(run)
    net, _ = load_checkpoint(weights or run / layout.WEIGHTS, config.model, card.get("options"))
    part = load_part(dataclasses.replace(config, data=data or config.data), split, token)
    part = align(part, _card_classes(card)) if data else part
    batch = 250 if part.images.shape[1] <= 64 else 25
    return evaluate(
        net,
        part.images,
        part.labels,
        part.classes,
        card_normalization(card),
        batch=batch,
        token=token,
        progress=progress,
        skipped=part.skipped,
    )


def finish_card(run: Path, token: CancelToken = NEVER) -> dict[str, Any]:
    """Measure a finished run on the whole test part and complete its card.

    A data set without a test part leaves the card without a test error.

    Returns:
        The card.
    """
    config, card = TrainConfig.read(run / layout.CONFIG), read_card(run)
    card |= {
        "epochs": config.epochs,
        "date": datetime.date.today().isoformat(),
    }
    state = runs.read_last(run)
    if state is not None:
        card |= {"epochs": int(state["epochs"]), "steps": int(state["step"]), "train_s": round(state["elapsed_s"], 1)}
    try:
        result = evaluate_run(run, token=token)
    except DataError as error:
        card["not_measured"] = str(error)
    else:
        card.pop("not_measured", None)
        card |= {
            "test_error": round(1 - result.accuracy, 6),
            "test_pictures": result.n,
            "per_class": result.per_class,
            "confusion": result.confusion.tolist(),
        }
    runs.write_card(run, card)
    return card
