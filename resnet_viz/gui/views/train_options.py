"""Which options the Train form shows, in which order, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication

from resnet_viz.data.places import known_sets
from resnet_viz.gui.widgets.option_fields import (
    ChoiceField,
    ListField,
    NumberField,
    OptionField,
    SwitchField,
    WholeField,
)
from resnet_viz.training.recipes import recipes

NETS = (
    *(f"{family}{depth}" for depth in (20, 32, 44, 56, 110) for family in ("resnet", "plain")),
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "plain18", "plain34", "plain50",
    "hresnet", "xai", "fashion_dnn", "fashion_cnn",
)  # fmt: skip
"""Architectures as the form lists them; a test compares them with the registry, which needs torch."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainForm", text)


def net_title(net: str) -> str:
    """Return an architecture's name for people."""
    special = {"hresnet": "HResNet", "xai": "XAI", "fashion_dnn": "Fashion DNN", "fashion_cnn": "Fashion CNN"}
    if net in special:
        return special[net]
    family = "ResNet" if net.startswith("resnet") else "Plain"
    return f"{family}-{net.removeprefix('resnet').removeprefix('plain')}"


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the form.

    Attributes:
        name: field of the configuration.
        label: for people.
        tip: one sentence more.
        basic: whether it is always shown.
    """

    name: str
    label: str
    tip: str
    basic: bool = False


def options() -> tuple[Option, ...]:
    """Return all rows, texts translated at the time of the call."""
    t = _tr
    return (
        Option("model", t("Net"), t("The architecture. Plain nets are the same without skip connections"), True),
        Option("shortcut", t("Shortcut"), t("What the skip does where the shape changes"), True),
        Option("data", t("Data"), t("A known data set, a folder of class folders, or a CSV of id and label"), True),
        Option("recipe", t("Recipe"), t("A starting point; every value below can be changed"), True),
        Option("start_from", t("Start from"), t("A trained net whose weights the run starts from"), True),
        Option("train_part", t("Train"), t("Which part of the net is trained; the rest stays as it is"), True),
        Option("epochs", t("Epochs"), t("Passes over all training pictures"), True),
        Option("optimizer", t("Optimizer"), t("How gradients become steps"), True),
        Option("lr", t("Learning rate"), t("The largest one of the run"), True),
        Option("schedule", t("Schedule"), t("How the learning rate changes over the run"), True),
        Option("batch", t("Batch"), t("Pictures per step"), True),
        Option("weight_decay", t("Weight decay"), t("Pulls all weights towards zero"), True),
        Option("pad", t("Pad and crop"), t("Pixels added around before a random crop; 0 for none"), True),
        Option("flip", t("Mirror half"), t("Mirrors half of the pictures, left to right"), True),
        Option("crop_scale", t("Random crop"), t("Smallest share of the area that is kept and resized; 0 for none")),
        Option("jitter", t("Colour jitter"), t("Brightness, contrast and saturation change by up to this share")),
        Option("label_smoothing", t("Label smoothing"), t("Share of the target given to all classes alike")),
        Option(
            "dropout",
            t("Dropout"),
            t(
                "Of every dropout layer the net has; -1 leaves the net's own. "
                "If XAI stays at chance, try 0 and He initialisation"
            ),
        ),
        Option("momentum", t("Momentum"), t("Share of the last step that is kept")),
        Option("warmup", t("Warm-up"), t("Share of the run in which the learning rate rises")),
        Option("milestones", t("Milestones"), t("Steps at which the learning rate is multiplied by gamma")),
        Option("gamma", t("Gamma"), t("The factor at each milestone")),
        Option("warmup_steps", t("Slow steps"), t("Steps at a small rate before anything else (ResNet-110)")),
        Option("warmup_lr", t("Slow rate"), t("Learning rate of those steps")),
        Option("max_steps", t("At most steps"), t("Ends the run after so many steps; 0 for no limit")),
        Option("batch_norm", t("Batch norm"), t("Without it deep nets are hard to train: try it")),
        Option("activation", t("Activation"), t("The non-linearity after each convolution")),
        Option("init", t("Initial weights"), t("How the first weights are drawn")),
        Option("init_std", t("Their deviation"), t("For normally drawn weights")),
        Option("val_share", t("Validation"), t("Share of the training pictures that is held out")),
        Option("test_share", t("Test share"), t("Of a folder that has no test part of its own")),
        Option("normalize", t("Mean and std"), t("With which pictures are normalised")),
        Option("size", t("Picture side"), t("In pixels; 0 for the net's own")),
        Option("seed", t("Seed"), t("Of weights, order, augmentation and split")),
        Option("gradients_every", t("Gradients every"), t("Steps between two records of gradient norms; 0 for never")),
        Option("bf16", t("bfloat16"), t("Half-precision arithmetic, where it is faster")),
        Option("compile", t("torch.compile"), t("Half a minute of compiling, then faster steps")),
        Option(
            "lanes",
            t("Lanes"),
            t(
                "Parts of a batch that go through the net side by side, each on its share of the cores; "
                "batch norm sees one part. 0: two on a processor, one with dropout, torch.compile or a GPU"
            ),
        ),
        Option("keep_epochs", t("Keep all epochs"), t("Keep the weights of every epoch")),
        Option("tensorboard", t("TensorBoard"), t("Write TensorBoard event files into the run's folder too")),
    )


OPTIMIZER_TITLES = {
    "sgd": "SGD", "momentum": "SGD, momentum", "nesterov": "SGD, Nesterov", "adam": "Adam", "adamw": "AdamW",
    "rmsprop": "RMSprop", "adagrad": "Adagrad", "adadelta": "Adadelta",
}  # fmt: skip


def make_field(name: str) -> OptionField:
    """Return the editor of one field of the configuration."""
    t = _tr
    choices: dict[str, list[tuple[str, str]]] = {
        "model": [(net, net_title(net)) for net in NETS],
        "shortcut": [("", t("As the net has it")), ("A", t("A, no parameters")), ("B", t("B, 1x1 convolution")),
                     ("none", t("None (plain)"))],
        "data": [(spec.id, spec.title) for spec in known_sets],
        "recipe": [(key, t(recipe.title)) for key, recipe in zip(recipes.ids(), recipes, strict=True)],
        "optimizer": list(OPTIMIZER_TITLES.items()),
        "schedule": [("one-cycle", t("One cycle")), ("steps", t("Steps")), ("cosine", t("Cosine")),
                     ("constant", t("Constant"))],
        "train_part": [("all", t("Everything")), ("late", t("Last stage and head")), ("head", t("Head only"))],
        "activation": [("relu", "ReLU"), ("tanh", "tanh"), ("sigmoid", t("Sigmoid"))],
        "init": [("", t("As the net has it")), ("he", "He"), ("xavier", "Xavier"), ("normal", t("Normal")),
                 ("default", t("PyTorch's default"))],
        "normalize": [("data", t("Of this data")), ("start", t("Of the start net")), ("cifar10", "CIFAR-10"),
                      ("imagenet", "ImageNet"), ("half", "0.5 / 0.25")],
        "bf16": [("auto", t("Where faster")), ("on", t("On")), ("off", t("Off"))],
    }  # fmt: skip
    if name in choices:
        return ChoiceField(choices[name])
    if name == "start_from":
        return ChoiceField([("", t("New weights"))])
    if name in ("flip", "batch_norm", "compile", "keep_epochs", "tensorboard"):
        return SwitchField()
    if name == "milestones":
        return ListField()
    if name in ("epochs", "batch", "pad", "max_steps", "warmup_steps", "size", "seed", "gradients_every", "lanes"):
        return WholeField(1 if name in ("epochs", "batch") else 0, 1_000_000_000)
    return NumberField()
