"""``resnet-viz train``: train a net; a run is a folder that Inspect opens.

Under torchrun the same command trains on many processors, GPUs or machines.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import exists, named_path
from resnet_viz.training.config import OPTIMIZERS, PARTS, SCHEDULES, TrainConfig
from resnet_viz.training.recipes import recipes

from .commands import Command, commands
from .fetching import add_download, fetch
from .interrupt import interruptible
from .options import add_json
from .output import print_json
from .told import Told

INTERRUPTED = 130
_CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "train_part": PARTS, "bf16": ("auto", "on", "off")}
_HELP = {
    "epochs": "passes over the training pictures",
    "max_steps": "end after so many steps; 0 for no limit",
    "batch": "pictures per step, over all processes",
    "seed": "of weights, order, augmentation and split",
    "shortcut": "A, B or none; the net's own if not given",
    "batch_norm": "whether the net has batch norm; under torchrun its statistics are of each process's share "
    "of a batch, on GPUs of the whole batch",
    "activation": "relu, tanh or sigmoid",
    "init": "how weights are drawn: he, xavier, normal or default",
    "init_std": "standard deviation for --init normal",
    "optimizer": "how gradients become steps; another one than the recipe's brings its own --lr",
    "lr": "largest learning rate",
    "momentum": "of momentum, nesterov and rmsprop",
    "weight_decay": "L2 penalty",
    "schedule": "how the learning rate changes over the run",
    "warmup": "share of the run in which the learning rate rises (one-cycle, cosine)",
    "warmup_lr": "learning rate of the first --warmup-steps steps",
    "warmup_steps": "steps at --warmup-lr before anything else",
    "milestones": "steps at which --schedule steps multiplies the learning rate by --gamma",
    "gamma": "factor of the learning rate at each of --milestones",
    "label_smoothing": "share of the target given to all classes alike",
    "dropout": "of every dropout layer; -1 leaves the net's own (if xai stays at chance: 0, and --init he)",
    "pad": "pixels of padding before a random crop; 0 for no crop",
    "flip": "mirror half of the pictures",
    "crop_scale": "smallest share of the area that a random resized crop keeps; 0 for none",
    "jitter": "brightness, contrast and saturation change by up to this share; 0 for none",
    "val_share": "share of the training pictures held out for validation",
    "test_share": "share held out for testing of a folder without a test part",
    "normalize": "mean/std preset (cifar10, imagenet, half), data for the pictures' own, start for the start net's",
    "size": "side of the pictures in pixels; 0 for the net's own",
    "start_from": "weights to start from: an id, a checkpoint or a run's folder",
    "train_part": "what is trained: all, late (last stage and head) or head",
    "bf16": "bfloat16; auto times both and takes the faster, on a GPU wherever it has it",
    "channels_last": "memory layout of net and batches that is faster than PyTorch's own",
    "compile": "run the net through torch.compile",
    "lanes": "parts of a batch that go through the net side by side, each on its share of the cores; "
    "batch norm sees one part; 0: two on a processor where that can be (no dropout, no --compile, one process)",
    "gradients_every": "steps between two records of gradient norms; 0 for never",
    "keep_epochs": "keep the weights of every epoch, for evaluate --all-epochs",
    "checkpoint_every_s": "seconds between two checkpoints inside an epoch; 0 for none",
    "tensorboard": "write TensorBoard event files into the run's folder too",
}
SKIPPED = 10
"""How many unreadable pictures are named."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="architecture id, for example resnet20")
    parser.add_argument("--data", metavar="DATA", help="data set id (shapes, cifar10, ...), folder, or CSV file")
    listed = "; ".join(f"{key}: {recipe.title}" for key, recipe in zip(recipes.ids(), recipes, strict=True))
    parser.add_argument("--recipe", default="quick", choices=recipes.ids(), help=listed)
    parser.add_argument("--out", metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was stopped, with its own options")
    add_download(parser)
    add_json(parser)
    parser.add_argument("--estimate", action="store_true", help="only say what the run would cost here")
    parser.add_argument("--controlled", action="store_true", help=argparse.SUPPRESS)
    group = parser.add_argument_group("options that a recipe sets")
    for field in dataclasses.fields(TrainConfig):
        if field.name in ("model", "data", "recipe", "num_classes"):
            continue
        _add_option(group, field.name, str(field.type))


def _add_option(group: Any, name: str, kind: str) -> None:
    option = "--" + name.replace("_", "-")
    common: dict[str, Any] = {"dest": name, "default": None, "help": _HELP[name]}
    if kind == "bool":
        group.add_argument(option, action=argparse.BooleanOptionalAction, **common)
    elif kind.startswith("tuple"):
        group.add_argument(option, type=int, nargs="*", metavar="N", **common)
    else:
        types = {"int": int, "float": float, "str": str}
        group.add_argument(option, type=types[kind], choices=_CHOICES.get(name), **common)


def _run(arguments: argparse.Namespace) -> int:
    from resnet_viz.core.allocator import MOST_BYTES, keep_memory
    from resnet_viz.training import layout

    keep_memory(MOST_BYTES)
    run = Path(arguments.resume or arguments.out or "")
    if arguments.resume:
        _check_resumed(arguments)
    config = TrainConfig.read(run / layout.CONFIG) if arguments.resume else _new(arguments, run)
    from resnet_viz.models import models

    models.get(config.model)
    if arguments.controlled:
        from .child import give_way, run_controlled

        if not arguments.estimate:
            return run_controlled(config, run)
        give_way()
    if arguments.estimate:
        return _estimate(config, arguments.json)
    fetch(config.data, arguments.download)
    return _print(config, run, arguments.json)


def _options(arguments: argparse.Namespace) -> dict[str, object]:
    """Return what was given of a run's options."""
    names = {field.name for field in dataclasses.fields(TrainConfig)} - {"model", "data", "recipe"}
    return {name: value for name in names if (value := getattr(arguments, name, None)) is not None}


def _check_resumed(arguments: argparse.Namespace) -> None:
    given = sorted({*_options(arguments), *(name for name in ("model", "data", "out") if getattr(arguments, name))})
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UserError(f"A run goes on with its own options. Leave out {option}, or start a new run with --out.")


def _new(arguments: argparse.Namespace, run: Path) -> TrainConfig:
    from resnet_viz.core.paths import runs_dir, trained_dir
    from resnet_viz.data.labels import plain
    from resnet_viz.data.places import known_sets
    from resnet_viz.training import layout
    from resnet_viz.training.recipes import from_recipe

    for name in ("model", "data", "out"):
        if not getattr(arguments, name) and not (name == "out" and arguments.estimate):
            raise UserError(f"--{name} is missing. Give --model, --data and --out, or --resume RUN.")
    if not arguments.estimate and exists(run / layout.CONFIG):
        raise UserError(f"{run} already holds a run. Go on with --resume {run}, or choose another folder.")
    given = _options(arguments)
    if recipes.get(arguments.recipe).needs_start and "start_from" not in given:
        raise UserError(f"The recipe {arguments.recipe} starts from trained weights. Give --start-from.")
    if start := str(given.get("start_from", "")):
        named = any(exists(folder / start) for folder in (trained_dir(), runs_dir()))
        given["start_from"] = start if named else _lasting(start)
    data = arguments.data if plain(arguments.data) in known_sets else _lasting(arguments.data)
    return from_recipe(arguments.recipe, arguments.model, data, **given)


def _lasting(path: str) -> str:
    """Return a path that still leads there when the run is resumed from another folder."""
    there = named_path(path)
    return str(there.absolute()) if exists(there) else path


def _estimate(config: TrainConfig, as_json: bool) -> int:
    from resnet_viz.training.estimate import estimate

    found = estimate(config)
    if as_json:
        print_json(found.to_dict())
        return 0
    memory = "" if found.peak_bytes is None else f", {found.peak_bytes / 1e9:.1f} GB of memory at most"
    print(f"{found.params:,} parameters, {found.macs / 1e6:.1f} million multiply-adds a picture{memory}")
    rate = found.batch / found.step_s
    print(f"{rate:.0f} pictures/s{' in bfloat16' if found.bf16 else ''}: {50_000 / rate:.0f} s per 50,000 pictures")
    return 0


def _print(config: TrainConfig, run: Path, as_json: bool) -> int:
    from tqdm import tqdm

    from resnet_viz.session.results import finish_card
    from resnet_viz.training.alive import Pulse
    from resnet_viz.training.control import RunControl
    from resnet_viz.training.events import to_json
    from resnet_viz.training.loop import train
    from resnet_viz.training.prepare import load_part

    control = RunControl()
    leads = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    with interruptible(control) as signals:
        data = load_part(config, "train", control)  # before anything is written: most mistakes are in the data
        if leads:
            _name_skipped(data.skipped)
        with (
            Pulse(run, control) if leads else nullcontext(),
            tqdm(unit="step", disable=as_json or not sys.stderr.isatty()) as meter,
        ):
            told = Told(meter, run, data.title, as_json)
            for event in train(config, data, run, control):
                if as_json:
                    print(to_json(event), flush=True)
                told.take(event)
            if told.finished and leads:
                told.say_result(finish_card(run, control))
    return INTERRUPTED if signals and not told.finished else told.status


def _name_skipped(skipped: tuple[str, ...]) -> None:
    for sentence in skipped[:SKIPPED]:
        print(f"skipped, not readable: {sentence}", file=sys.stderr)
    if len(skipped) > SKIPPED:
        print(f"skipped, not readable: {len(skipped) - SKIPPED:,} more", file=sys.stderr)


commands.add(
    "train",
    Command(
        "train",
        "train a net",
        "resnet-viz train --model resnet20 --data shapes --epochs 5 --out runs/mine",
        _arguments,
        _run,
    ),
)
