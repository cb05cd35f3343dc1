"""``resnet-viz train``: train a net; a run is a folder that Inspect opens."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import platform
import sys
from pathlib import Path
from typing import Any

from resnet_viz.core.errors import UserError

from .commands import Command, commands
from .options import add_json

OPTIONS = ("epochs", "seed", "lr", "batch", "weight_decay", "val_pictures", "bf16", "normalize", "gradients_every")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="architecture id, for example resnet20")
    parser.add_argument("--data", metavar="DATA", help="data set id or folder with a train and a test part")
    parser.add_argument("--recipe", default="quick", help="quick (one cycle, minutes) or paper (He et al. 2015, 4.2)")
    parser.add_argument("--out", metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was stopped")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lr", type=float, help="largest learning rate")
    parser.add_argument("--batch", type=int, help="pictures per step")
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--val-pictures", type=int, help="pictures held out for validation")
    parser.add_argument("--bf16", choices=("auto", "on", "off"), help="auto times both and takes the faster")
    parser.add_argument("--normalize", help="mean/std preset")
    parser.add_argument("--gradients-every", type=int, metavar="STEPS", help="record gradient norms; 0 for never")
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from resnet_viz.core.paths import atomic_path
    from resnet_viz.data.datasets import load
    from resnet_viz.models import models
    from resnet_viz.training import runs
    from resnet_viz.training.config import TrainConfig, recipes
    from resnet_viz.training.events import Epoch, Failed, Finished, Started, Step, to_json
    from resnet_viz.training.loop import train

    if arguments.resume:
        run = Path(arguments.resume)
        config = TrainConfig.read(run / runs.CONFIG)
    else:
        for name in ("model", "data", "out"):
            if not getattr(arguments, name):
                raise UserError(f"--{name} is missing. Give --model, --data and --out, or --resume RUN.")
        run = Path(arguments.out)
        if (run / runs.CONFIG).exists():
            raise UserError(f"{run} already holds a run. Go on with --resume {run}, or choose another folder.")
        models.get(arguments.model)
        values: dict[str, Any] = dict(recipes.get(arguments.recipe))
        values |= {name: getattr(arguments, name) for name in OPTIONS if getattr(arguments, name) is not None}
        config = TrainConfig(model=arguments.model, data=arguments.data, recipe=arguments.recipe, **values)
    spec = models.get(config.model)
    data = load(config.data, "train", size=spec.input_size, channels=spec.in_channels)
    config = dataclasses.replace(config, num_classes=len(data.classes))
    with atomic_path(run / runs.CONFIG) as path:
        path.write_text(config.to_toml(), encoding="utf-8")
    status = 0
    with tqdm(unit="step", disable=arguments.json or not sys.stderr.isatty()) as meter:
        for event in train(config, data, run):
            if arguments.json:
                print(to_json(event), flush=True)
            if isinstance(event, Started):
                meter.reset(event.steps_per_epoch * event.epochs)
            elif isinstance(event, Step):
                meter.update(event.step - meter.n)
                meter.set_postfix(loss=f"{event.loss:.3f}", rate=f"{event.images_per_s:.0f}/s")
            elif isinstance(event, Epoch) and not arguments.json:
                val = "" if event.val_acc is None else f", validation {100 * event.val_acc:.2f} %"
                tqdm.write(f"epoch {event.epoch}: training {100 * event.train_acc:.2f} %{val}", file=sys.stdout)
            elif isinstance(event, Failed):
                print(f"resnet-viz: {event.reason}", file=sys.stderr)
                status = 1
            elif isinstance(event, Finished) and not event.stopped:
                write_card(run, config, len(data.labels) - config.val_pictures)
    return status


def write_card(run: Path, config: Any, train_pictures: int) -> dict[str, Any]:
    """Measure a finished run on the whole test part and write its ``card.json``.

    Args:
        run: the run's folder.
        config: its TrainConfig.
        train_pictures: number of pictures it was trained on.

    Returns:
        The card.
    """
    import torch

    from resnet_viz.analysis.evaluation import evaluate
    from resnet_viz.data.datasets import load
    from resnet_viz.data.presets import presets
    from resnet_viz.models import models
    from resnet_viz.models.checkpoint import load_checkpoint
    from resnet_viz.training import runs

    spec = models.get(config.model)
    net, _ = load_checkpoint(run, arch=config.model)
    test = load(config.data, "test", size=spec.input_size, channels=spec.in_channels)
    normalization = presets.get(config.normalize)
    result = evaluate(net, test.images, test.labels, test.classes, normalization)
    dataset = Path(config.data).name
    command = f"resnet-viz train --model {config.model} --data {dataset} --recipe {config.recipe}"
    command += f" --epochs {config.epochs} --seed {config.seed} --out {run.name}"
    card = {
        "id": run.name,
        "title": f"{spec.title} · {'CIFAR-10' if dataset == 'cifar10' else dataset}",
        "arch": config.model,
        "dataset": dataset,
        "classes": list(test.classes),
        "normalization": {
            "title": normalization.title,
            "mean": list(normalization.mean),
            "std": list(normalization.std),
        },
        "params": sum(parameter.numel() for parameter in net.parameters()),
        "command": command,
        "recipe": config.recipe,
        "epochs": config.epochs,
        "seed": config.seed,
        "train_pictures": train_pictures,
        "val_pictures": config.val_pictures,
        "test_error": round(1 - result.accuracy, 6),
        "test_pictures": result.n,
        "per_class": result.per_class,
        "hardware": f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)",
        "torch": torch.__version__.split("+")[0],
        "date": datetime.date.today().isoformat(),
    }
    runs.write_card(run, card)
    return card


commands.add(
    "train",
    Command(
        "train",
        "train a net",
        "resnet-viz train --model resnet20 --data cifar10 --recipe quick --epochs 36 --out runs/mine",
        _arguments,
        _run,
    ),
)
