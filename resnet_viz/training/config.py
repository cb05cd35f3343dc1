"""What a run is: every hyperparameter with its unit, in one frozen record that travels as TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path

from resnet_viz.core.errors import UserError
from resnet_viz.core.registry import Registry


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run.

    Attributes:
        model: architecture id.
        data: data set id, or a folder.
        recipe: the recipe these values started from.
        epochs: passes over the training part.
        batch: pictures per step.
        seed: of weights, order, augmentation and split.
        lr: largest learning rate.
        momentum: of SGD.
        nesterov: Nesterov's form of momentum.
        weight_decay: L2 penalty, on all parameters.
        schedule: ``"one-cycle"``, or ``"steps"`` with ``milestones``.
        warmup: share of all steps in which a one-cycle schedule rises.
        milestones: steps at which the learning rate is divided by 10.
        pad: pixels of padding before the random crop.
        flip: mirror half of the pictures.
        val_pictures: pictures held out of the training part for validation.
        normalize: id of the mean/std preset.
        num_classes: outputs of the net.
        bf16: ``"auto"`` times two batches and takes the faster, ``"on"``, ``"off"``.
        gradients_every: steps between two records of the blocks' gradient norms; 0 for none.
    """

    model: str
    data: str
    recipe: str = "quick"
    epochs: int = 30
    batch: int = 128
    seed: int = 0
    lr: float = 0.2
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    warmup: float = 0.2
    milestones: tuple[int, ...] = ()
    pad: int = 4
    flip: bool = True
    val_pictures: int = 2000
    normalize: str = "cifar10"
    num_classes: int = 10
    bf16: str = "auto"
    gradients_every: int = 50

    def to_toml(self) -> str:
        """Return the configuration as TOML, one ``key = value`` a line."""
        lines = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool):
                text = "true" if value else "false"
            elif isinstance(value, str):
                text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            elif isinstance(value, tuple):
                text = "[" + ", ".join(str(item) for item in value) + "]"
            else:
                text = repr(value)
            lines.append(f"{field.name} = {text}")
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, source: str = "config.toml") -> TrainConfig:
        """Read what :meth:`to_toml` wrote.

        Raises:
            UserError: if the text is no TOML or holds a key that no run has.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{source} is not valid TOML ({error}). Mend that line, or start a new run.") from error
        known = {field.name for field in dataclasses.fields(cls)}
        if extra := sorted(set(values) - known):
            raise UserError(f"{source} holds the unknown key '{extra[0]}'. Known keys: {', '.join(sorted(known))}.")
        if "milestones" in values:
            values["milestones"] = tuple(values["milestones"])
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """Read a run's ``config.toml``."""
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}). Choose a run's folder.") from error


recipes: Registry[dict[str, object]] = Registry("recipe")
"""Values that differ from :class:`TrainConfig`'s defaults, by recipe id."""

recipes.add("quick", {})
recipes.add(
    "paper",
    # He et al. 2015, sec. 4.2: 64k steps of 128 pictures over 45k is 182 epochs
    {
        "epochs": 182,
        "lr": 0.1,
        "nesterov": False,
        "weight_decay": 1e-4,
        "schedule": "steps",
        "milestones": (32_000, 48_000),
        "val_pictures": 5000,
    },
)
