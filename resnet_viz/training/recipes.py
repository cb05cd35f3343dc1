"""Recipes: named starting points whose every value can still be changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from resnet_viz.core.registry import Registry

from .config import OPTIMIZERS, TrainConfig, checked


@dataclass(frozen=True, slots=True)
class Recipe:
    """A starting point.

    Attributes:
        title: for people.
        text: one sentence: what it is for.
        values: what differs from :class:`.config.TrainConfig`'s defaults.
        source: where the values come from.
        needs_start: whether it starts from a trained net.
    """

    title: str
    text: str
    values: dict[str, object] = field(default_factory=dict)
    source: str = ""
    needs_start: bool = False


recipes: Registry[Recipe] = Registry("recipe")
"""All recipes by id."""

recipes.add(
    "quick",
    Recipe(
        "Quick, one cycle",
        "A good net in minutes to an hour on a processor: the learning rate rises once and falls once.",
        source="Smith 2018, Super-convergence",
    ),
)
recipes.add(
    "paper",
    Recipe(
        "Paper, sec. 4.2",
        "What the ResNet paper did on CIFAR-10: 64,000 steps, the learning rate divided by 10 twice.",
        # 64k steps of 128 pictures over 45k are 182 epochs
        {
            "epochs": 182,
            "max_steps": 64_000,
            "optimizer": "momentum",
            "lr": 0.1,
            "weight_decay": 1e-4,
            "schedule": "steps",
            "milestones": (32_000, 48_000),
            "init": "he",
        },
        "He et al. 2015, sec. 4.2",
    ),
)
recipes.add(
    "hresnet",
    Recipe(
        "HResNet, Adam",
        "Adam at a constant small learning rate, as the HResNet example trains.",
        {
            "epochs": 30,
            "optimizer": "adam",
            "lr": 1e-4,
            "weight_decay": 0.0,
            "schedule": "constant",
            "normalize": "half",
        },
    ),
)
recipes.add(
    "transfer",
    Recipe(
        "Transfer: new head",
        "Keeps a trained net as it is and trains a new last layer for your classes.",
        {
            "epochs": 10,
            "lr": 0.05,
            "weight_decay": 1e-4,
            "schedule": "cosine",
            "warmup": 0.0,
            "train_part": "head",
            "normalize": "start",
        },
        "Yosinski et al. 2014",
        needs_start=True,
    ),
)
recipes.add(
    "fine-tune",
    Recipe(
        "Fine-tune",
        "Starts from a trained net and trains its last stage and a new last layer, or all of it, gently.",
        {
            "epochs": 15,
            "lr": 0.01,
            "weight_decay": 1e-4,
            "schedule": "cosine",
            "warmup": 0.1,
            "train_part": "late",
            "normalize": "start",
        },
        "Yosinski et al. 2014",
        needs_start=True,
    ),
)
recipes.add(
    "fashion",
    Recipe(
        "Fashion, Adam",
        "Adam for five epochs without augmentation, as the FashionMNIST examples train.",
        {
            "epochs": 5,
            "batch": 100,
            "optimizer": "adam",
            "lr": 1e-3,
            "weight_decay": 0.0,
            "schedule": "constant",
            "pad": 0,
            "flip": False,
            "normalize": "half",
        },
    ),
)


USUAL_LR = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2, "adadelta": 1.0}
"""Largest learning rates that usually work where each weight has a step of its own."""


def usual_lr(optimizer: str, known: str, lr: float) -> float:
    """Return a learning rate for an optimizer, given one that suits another.

    At a rate for SGD, Adam learns nothing.

    Args:
        optimizer: the one to be used.
        known: the one that ``lr`` suits.
        lr: returned where both are of the same kind.
    """
    same = USUAL_LR.get(optimizer) == USUAL_LR.get(known)
    return lr if same else USUAL_LR.get(optimizer, 0.1)


def from_recipe(recipe: str, model: str, data: str, **changes: object) -> TrainConfig:
    """Return a recipe's configuration for a net and a data set, with some values changed.

    ResNet-110 and deeper start at a small learning rate under the paper's recipe: at 0.1 they
    would not begin to learn (sec. 4.2). Another optimizer brings its own learning rate.

    Raises:
        UserError: if the recipe, a key or a value is unknown.
    """
    values = dict(recipes.get(recipe).values)
    values |= warm_up(recipe, model)
    optimizer = changes.get("optimizer")
    if optimizer in OPTIMIZERS and "lr" not in changes:
        own = TrainConfig(model, data, **checked(values))  # type: ignore[arg-type]
        values["lr"] = usual_lr(str(optimizer), own.optimizer, own.lr)
    values |= changes
    return TrainConfig(model=model, data=data, recipe=recipe, **checked(values)).check()  # type: ignore[arg-type]


def warm_up(recipe: str, model: str) -> dict[str, Any]:
    """Return what a recipe says of the first steps, which depends on how deep the net is."""
    if recipe != "paper":
        return {}
    return {"warmup_steps": 400 if _depth(model) >= 110 else 0, "warmup_lr": 0.01}


def _depth(model: str) -> int:
    digits = "".join(letter for letter in model if letter.isdigit())
    return int(digits) if digits and model.rstrip("0123456789") in ("resnet", "plain") else 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Which part of a trained net to retrain, and why."""

    train_part: str
    reason: str


def propose(much_data: bool, similar: bool) -> Proposal:
    """Say which part of a pretrained net to retrain.

    Args:
        much_data: thousands of pictures per class rather than tens.
        similar: whether the pictures look like those that the net was trained on.
    """
    if not much_data and similar:
        return Proposal("head", "Little data would overfit the net, and its features already suit these pictures.")
    if not much_data:
        return Proposal(
            "late", "Early layers (edges, colours) carry over; late ones know other things and must change."
        )
    if similar:
        return Proposal("late", "There is enough data to tune the late layers; the early ones already suit.")
    return Proposal(
        "all", "The pictures differ and there is enough data to change every layer; start from the weights."
    )
