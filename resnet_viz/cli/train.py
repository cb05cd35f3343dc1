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
from resnet_viz.training.config import OPTIMIZERS, PARTS, SCHEDULES, TrainConfig
from resnet_viz.training.recipes import recipes

from .commands import Command, commands
from .options import add_json
from .output import print_json

FAILED = 1
_CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "train_part": PARTS, "bf16": ("auto", "on", "off")}
_HELP = {
    "epochs": "passes over the training pictures",
    "max_steps": "end after so many steps",
    "batch": "pictures per step",
    "lr": "largest learning rate",
    "weight_decay": "L2 penalty",
    "val_share": "share of the training pictures held out for validation",
    "normalize": "mean/std preset (cifar10, imagenet, half), or data for the pictures' own",
    "start_from": "weights to start from: an id, a checkpoint or a run's folder",
    "train_part": "what is trained: all, late (last stage and head) or head",
    "bf16": "auto times both and takes the faster",
    "gradients_every": "steps between two records of gradient norms; 0 for never",
    "keep_epochs": "keep the weights of every epoch",
    "milestones": "steps at which the learning rate is multiplied by gamma",
    "compile": "run the net through torch.compile",
    "tensorboard": "write TensorBoard event files too",
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="architecture id, for example resnet20")
    parser.add_argument("--data", metavar="DATA", help="data set id (shapes, cifar10, ...), folder, or CSV file")
    listed = "; ".join(f"{key}: {recipe.title}" for key, recipe in zip(recipes.ids(), recipes, strict=True))
    parser.add_argument("--recipe", default="quick", choices=recipes.ids(), help=listed)
    parser.add_argument("--out", metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was stopped")
    add_json(parser)
    parser.add_argument("--estimate", action="store_true", help="only say what the run would cost here")
    parser.add_argument("--controlled", action="store_true", help=argparse.SUPPRESS)
    group = parser.add_argument_group("options that a recipe sets")
    for field in dataclasses.fields(TrainConfig):
        if field.name in ("model", "data", "recipe", "num_classes"):
            continue
        _add_option(group, field.name, str(field.type))


def _add_option(group: Any, name: str, kind: str) -> None:
    option, text = "--" + name.replace("_", "-"), _HELP.get(name, "see the README")
    common: dict[str, Any] = {"dest": name, "default": None, "help": text if name in _HELP else None}
    if kind == "bool":
        group.add_argument(option, action=argparse.BooleanOptionalAction, **common)
    elif kind.startswith("tuple"):
        group.add_argument(option, type=int, nargs="*", metavar="N", **common)
    else:
        types = {"int": int, "float": float, "str": str}
        group.add_argument(option, type=types[kind], choices=_CHOICES.get(name), **common)


def _run(arguments: argparse.Namespace) -> int:
    from resnet_viz.core.allocator import keep_memory
    from resnet_viz.training import layout
    from resnet_viz.training.prepare import load_part

    keep_memory()
    run = Path(arguments.resume or arguments.out or "")
    config = TrainConfig.read(run / layout.CONFIG) if arguments.resume else _new(arguments, run)
    from resnet_viz.models import models

    models.get(config.model)
    if arguments.estimate:
        return _estimate(config, arguments.json)
    if arguments.controlled:
        from .child import run_controlled

        return run_controlled(config, run)
    return _print(config, load_part(config, "train"), run, arguments.json)


def _new(arguments: argparse.Namespace, run: Path) -> TrainConfig:
    from resnet_viz.training import layout
    from resnet_viz.training.recipes import from_recipe

    for name in ("model", "data", "out"):
        if not getattr(arguments, name) and not (name == "out" and arguments.estimate):
            raise UserError(f"--{name} is missing. Give --model, --data and --out, or --resume RUN.")
    if not arguments.estimate and (run / layout.CONFIG).exists():
        raise UserError(f"{run} already holds a run. Go on with --resume {run}, or choose another folder.")
    names = {field.name for field in dataclasses.fields(TrainConfig)} - {"model", "data", "recipe"}
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    if recipes.get(arguments.recipe).needs_start and "start_from" not in given:
        raise UserError(f"The recipe {arguments.recipe} starts from trained weights. Give --start-from.")
    return from_recipe(arguments.recipe, arguments.model, arguments.data, **given)


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


def _print(config: TrainConfig, data: Any, run: Path, as_json: bool) -> int:
    from tqdm import tqdm

    from resnet_viz.session.results import finish_card
    from resnet_viz.training.alive import Pulse
    from resnet_viz.training.control import RunControl
    from resnet_viz.training.events import Epoch, Failed, Finished, Started, Step, to_json
    from resnet_viz.training.loop import train

    status, control = 0, RunControl()
    for sentence in data.skipped[:10]:
        print(f"skipped, not readable: {sentence}", file=sys.stderr)
    leads = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    with (
        Pulse(run, control) if leads else nullcontext(),
        tqdm(unit="step", disable=as_json or not sys.stderr.isatty()) as meter,
    ):
        for event in train(config, data, run, control):
            if as_json:
                print(to_json(event), flush=True)
            if isinstance(event, Started):
                meter.reset(event.total_steps)
                meter.update(event.step)
            elif isinstance(event, Step):
                meter.update(event.step - meter.n)
                meter.set_postfix(loss=f"{event.loss:.3f}", rate=f"{event.images_per_s:.0f}/s")
            elif isinstance(event, Epoch) and not as_json:
                val = "" if event.val_acc is None else f", validation {100 * event.val_acc:.2f} %"
                line = f"epoch {event.epoch}: loss {event.train_loss:.4f}, training {100 * event.train_acc:.2f} %{val}"
                tqdm.write(line, file=sys.stdout)
                sys.stdout.flush()
            elif isinstance(event, Failed):
                print(f"resnet-viz: {event.reason}", file=sys.stderr)
                status = FAILED
            elif isinstance(event, Finished) and not event.stopped and leads:
                card = finish_card(run)
                if not as_json and "test_error" in card:
                    error, count = 100 * card["test_error"], card["test_pictures"]
                    tqdm.write(f"test error {error:.2f} % on {count} pictures", file=sys.stdout)
    return status


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
