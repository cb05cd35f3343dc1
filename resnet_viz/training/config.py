"""What a run is: every hyperparameter with its unit, in one frozen record that travels as TOML."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from resnet_viz.core.errors import UserError, unknown

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adadelta")
"""Optimizer ids; all are torch.optim's."""

SCHEDULES = ("one-cycle", "steps", "cosine", "constant")
"""Learning rate schedule ids, see :mod:`.schedules`."""

PARTS = ("all", "late", "head")
"""What is trained: everything, the last stage and the head, or the head alone."""

_CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "train_part": PARTS,
    "bf16": ("auto", "on", "off"),
    "shortcut": ("", "A", "B", "none"),
    "activation": ("relu", "tanh", "sigmoid"),
    "init": ("", "he", "xavier", "normal", "default"),
}

# smallest and largest value that makes sense; most mistakes are a lost decimal point
_LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "max_steps": (0, 10**9),
    "batch": (1, 65_536),
    "seed": (0, 2**63 - 1),
    "size": (0, 1024),
    "num_classes": (0, 100_000),
    "lr": (0.0, 100.0),
    "momentum": (0.0, 0.9999),
    "weight_decay": (0.0, 10.0),
    "warmup": (0.0, 0.9),
    "warmup_lr": (0.0, 100.0),
    "warmup_steps": (0, 10**9),
    "gamma": (0.0, 1.0),
    "label_smoothing": (0.0, 0.9),
    "dropout": (-1.0, 0.95),
    "pad": (0, 64),
    "crop_scale": (0.0, 1.0),
    "jitter": (0.0, 1.0),
    "val_share": (0.0, 0.9),
    "test_share": (0.0, 0.9),
    "init_std": (0.0, 10.0),
    "lanes": (0, 64),
    "gradients_every": (0, 10**9),
    "checkpoint_every_s": (0.0, 1e9),
}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run.

    Attributes:
        model: architecture id.
        data: data set id, or a folder.
        recipe: the recipe these values started from.
        epochs: passes over the training part.
        max_steps: optimizer steps after which the run ends whatever ``epochs`` says; 0 for none.
        batch: pictures per step, over all processes.
        seed: of weights, order, augmentation and split.
        shortcut: ``"A"``, ``"B"``, ``"none"``; empty for the architecture's own.
        batch_norm: whether the net has batch norm.
        activation: the non-linearity.
        init: how weights are drawn; empty for the architecture's own.
        init_std: standard deviation of ``init = "normal"``.
        optimizer: one of :data:`OPTIMIZERS`.
        lr: largest learning rate.
        momentum: of ``momentum``, ``nesterov`` and ``rmsprop``.
        weight_decay: L2 penalty on all parameters (decoupled for ``adamw``).
        schedule: one of :data:`SCHEDULES`.
        warmup: share of all steps in which a one-cycle or cosine schedule rises.
        warmup_lr: learning rate of the first ``warmup_steps`` steps (ResNet-110, sec. 4.2).
        warmup_steps: optimizer steps at ``warmup_lr``.
        milestones: steps at which ``schedule = "steps"`` multiplies the rate by ``gamma``.
        gamma: that factor.
        label_smoothing: share of the target given to all classes alike.
        dropout: probability of every dropout layer of the net; -1 leaves the net's own.
        pad: pixels of padding before the random crop; 0 for no crop.
        flip: mirror half of the pictures.
        crop_scale: smallest share of the area that a random resized crop keeps; 0 for none.
        jitter: brightness, contrast and saturation change by up to this share; 0 for none.
        val_share: share of the training part held out for validation, drawn by ``seed``.
        test_share: share of a folder without parts that is kept for testing.
        normalize: id of the mean/std preset, ``"data"`` for the training part's own, or
            ``"start"`` for those of the net that the run starts from.
        size: side in pixels to which pictures are fitted; 0 for the architecture's own.
        num_classes: outputs of the net; 0 for as many as the data has classes.
        start_from: model id, checkpoint or run folder whose weights the run starts from.
        train_part: one of :data:`PARTS`; what is not trained keeps its weights and statistics.
        bf16: ``"auto"`` times two batches and takes the faster (a GPU that has bfloat16 takes it), ``"on"``, ``"off"``.
        channels_last: memory layout of the net and the batches, or oneDNN's own where that is
            faster, see :mod:`.onednn`; else PyTorch's own.
        compile: run the net through torch.compile.
        lanes: parts of a batch that go through the net side by side, see :mod:`.lanes`; batch norm
            sees one part. 0 for as many as :func:`.lanes.lanes_of` finds good.
        gradients_every: steps between two records of the blocks' gradient norms; 0 for none.
        keep_epochs: keep the weights of every epoch.
        checkpoint_every_s: seconds between two checkpoints inside an epoch; 0 for none.
        tensorboard: write TensorBoard event files too.
    """

    model: str
    data: str
    recipe: str = "quick"
    epochs: int = 30
    max_steps: int = 0
    batch: int = 128
    seed: int = 0
    shortcut: str = ""
    batch_norm: bool = True
    activation: str = "relu"
    init: str = ""
    init_std: float = 0.01
    optimizer: str = "nesterov"
    lr: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    warmup: float = 0.2
    warmup_lr: float = 0.01
    warmup_steps: int = 0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    label_smoothing: float = 0.0
    dropout: float = -1.0
    pad: int = 4
    flip: bool = True
    crop_scale: float = 0.0
    jitter: float = 0.0
    val_share: float = 0.1
    test_share: float = 0.2
    normalize: str = "data"
    size: int = 0
    num_classes: int = 0
    start_from: str = ""
    train_part: str = "all"
    bf16: str = "auto"
    channels_last: bool = True
    compile: bool = False
    lanes: int = 0
    gradients_every: int = 100
    keep_epochs: bool = False
    checkpoint_every_s: float = 120.0
    tensorboard: bool = False

    def check(self) -> TrainConfig:
        """Return the configuration itself if every value makes sense.

        Raises:
            UserError: naming the first value that does not, and what it may be.
        """
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                listed = ", ".join(choice or "(empty)" for choice in choices)
                raise UserError(f"{name} is '{value}'. Choose one of: {listed}.")
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                raise UserError(f"{name} is {value:g}. Choose a value from {least:g} to {most:g}.")
        if list(self.milestones) != sorted(self.milestones) or any(step < 1 for step in self.milestones):
            raise UserError(f"milestones are {list(self.milestones)}. Give steps above 0 in rising order.")
        if self.train_part != "all" and not self.start_from:
            raise UserError("Only a part of the net is trained, but it has no weights yet. Give start_from.")
        if self.normalize == "start" and not self.start_from:
            raise UserError("Mean and std are to be those of the start net, but there is none. Give start_from.")
        return self

    def to_toml(self) -> str:
        """Return the configuration as TOML, one ``key = value`` a line."""
        lines = [f"{field.name} = {_toml(getattr(self, field.name))}" for field in dataclasses.fields(self)]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, source: str = "config.toml") -> TrainConfig:
        """Read what :meth:`to_toml` wrote.

        Raises:
            UserError: if the text is no TOML, or holds a key or a value that no run has.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{source} is not valid TOML ({error}). Mend that line, or start a new run.") from error
        for required in ("model", "data"):
            if required not in values:
                raise UserError(f"{source} lacks '{required}'. Add it, or start a new run.")
        values.setdefault("lanes", 1)  # of the time before there were any
        return cls(**checked(values, source)).check()  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """Read a run's ``config.toml``."""
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "no text"
            raise UserError(f"{path} cannot be read ({reason}). Choose a run's folder.") from error


def checked(values: dict[str, object], source: str = "the run") -> dict[str, object]:
    """Return values for :class:`TrainConfig` with their types put right: 1 for 1.0, a list for a tuple.

    Raises:
        UserError: naming the first key or type that does not fit.
    """
    fields = {field.name: str(field.type) for field in dataclasses.fields(TrainConfig)}
    result: dict[str, object] = {}
    for name, value in values.items():
        if name not in fields:
            raise UserError(f"{source}: " + unknown("option", name, fields))
        kind = fields[name]
        if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind.startswith("tuple") and isinstance(value, (list, tuple)):
            value = tuple(value)
            fits = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
        else:
            fits = type(value).__name__ == kind
        if not fits:
            wanted = "list of whole numbers" if kind.startswith("tuple") else _KINDS[kind]
            raise UserError(f"{source}: {name} is {value!r}. Give a {wanted}.")
        result[name] = value
    return result


_KINDS = {"int": "whole number", "float": "number", "str": "text in quotes", "bool": "true or false"}


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # TOML's basic string takes JSON's escapes
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped) + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return repr(value)
