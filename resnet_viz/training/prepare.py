"""From a configuration to what the loop needs: the pictures, the mean and std, the card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from resnet_viz.core.errors import UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import Normalization
from resnet_viz.data.datasets import ArraySet, load
from resnet_viz.data.places import known_sets
from resnet_viz.data.presets import presets
from resnet_viz.data.summary import summarise
from resnet_viz.models import models

from .config import TrainConfig
from .layout import CARD
from .parts import find_start, net_options


def input_size(config: TrainConfig) -> int:
    """Return the side in pixels to which pictures are fitted.

    Raises:
        UserError: if the net does not take that size.
    """
    spec = models.get(config.model)
    size = config.size or spec.input_size
    if size < spec.min_size or (size != spec.input_size and not spec.any_size):
        rule = f"of {spec.min_size} px and more" if spec.any_size else f"of {spec.input_size} px"
        raise UserError(f"{spec.title} takes pictures {rule}, not {size} px. Change size.")
    return size


def load_part(
    config: TrainConfig, split: str, token: CancelToken = NEVER, progress: Callable[[float], None] | None = None
) -> ArraySet:
    """Load a run's training or test part at the size of its net.

    Raises:
        DataError: if the data set is missing or cannot be learned from.
    """
    spec = models.get(config.model)
    size = input_size(config)
    kind = "imagenet" if size >= 160 else "square"
    return load(
        config.data,
        split,
        size=size,
        channels=spec.in_channels,
        kind=kind,
        token=token,
        progress=progress,
        test_share=config.test_share,
        split_seed=config.seed,
    )


def complete(config: TrainConfig, data: ArraySet) -> TrainConfig:
    """Fill in what only the data can tell: the number of classes."""
    config.check()
    if config.num_classes not in (0, len(data.classes)):
        raise UserError(
            f"The data has {len(data.classes)} classes, num_classes says {config.num_classes}. Leave it at 0."
        )
    return dataclasses.replace(config, num_classes=len(data.classes))


def normalization_of(config: TrainConfig, data: ArraySet) -> Normalization:
    """Return the run's mean and std: a preset's, those of its training pictures, or the start net's.

    A start net that does not say what it was trained with has its architecture's usual ones.
    """
    if config.normalize == "start":
        found = recorded_normalization(find_start(config.start_from))
        return found or presets.get(models.get(config.model).preprocessing)
    if config.normalize != "data":
        return presets.get(config.normalize)
    return summarise(data, samples=0).normalization


def recorded_normalization(run: Path) -> Normalization | None:
    """Return the mean and std that a run's card tells, None where it has no readable card."""
    try:
        entry = json.loads((run / CARD).read_text(encoding="utf-8"))["normalization"]
        (red, green, blue), spread = map(float, entry["mean"]), [float(value) for value in entry["std"]]
        return Normalization(str(entry["title"]), (red, green, blue), (spread[0], spread[1], spread[2]))
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None


def first_card(
    config: TrainConfig,
    run: Path,
    data: ArraySet,
    normalization: Normalization,
    params: int,
    lanes: int,
    hardware: str,
) -> dict[str, Any]:
    """Return the card of a run that begins: all that is known before it is measured."""
    spec = models.get(config.model)
    dataset = Path(config.data).stem
    title = known_sets.get(dataset).title if dataset in known_sets else data.title
    own = dataclasses.asdict(spec.defaults)
    options = {name: value for name, value in net_options(config).items() if value != own[name]}
    options.pop("num_classes", None)
    return {
        "id": run.name,
        "title": f"{spec.title} · {title}",
        "arch": config.model,
        "options": options,
        "dataset": dataset,
        "classes": list(data.classes),
        "input_size": input_size(config),
        "normalization": {
            "title": normalization.title,
            "mean": list(normalization.mean),
            "std": list(normalization.std),
        },
        "params": params,
        "command": command_of(config, run),
        "recipe": config.recipe,
        "seed": config.seed,
        "lanes": lanes,
        "hardware": hardware,
        "torch": torch.__version__.split("+")[0],
    }


def command_of(config: TrainConfig, run: Path) -> str:
    """Return the command that repeats a run: every option that differs from its recipe."""
    from .recipes import from_recipe

    base = from_recipe(config.recipe, config.model, config.data, **_start(config))
    words = ["resnet-viz train", f"--model {config.model}", f"--data {Path(config.data).name}"]
    words += [f"--recipe {config.recipe}"]
    for field in dataclasses.fields(TrainConfig):
        value = getattr(config, field.name)
        if field.name in ("model", "data", "recipe", "num_classes"):
            continue
        # what decides about the result is always said
        said = field.name in ("epochs", "seed") or (field.name == "start_from" and value)
        if not said and value == getattr(base, field.name):
            continue
        name = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(name if value else "--no-" + name[2:])
        else:
            text = " ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
            if field.name == "start_from":
                text = Path(text).name  # a card goes to other machines
            words.append(f"{name} {text}")
    return " ".join([*words, f"--out {run.name}"])


def _start(config: TrainConfig) -> dict[str, Any]:
    return {"start_from": config.start_from} if config.start_from else {}
