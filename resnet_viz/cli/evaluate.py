"""``resnet-viz evaluate``: accuracy on a labelled data set, per class and as a confusion matrix."""

from __future__ import annotations

import argparse
import sys

from resnet_viz.core.errors import DataError

from .commands import Command, commands
from .options import add_json, add_model, model_request
from .output import bar, print_json


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("data", metavar="DATA", help="folder of class folders, or a data set id such as cifar10")
    parser.add_argument("--split", default="test", help="part of the data set (default test)")
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from resnet_viz.analysis.evaluation import evaluate
    from resnet_viz.data.datasets import align, load
    from resnet_viz.session.loading import open_model

    net, card = open_model(model_request(arguments))
    data = load(arguments.data, arguments.split, size=card.input_size, kind=card.fit, channels=card.in_channels)
    try:
        data = align(data, card.classes)
    except DataError:
        if len(data.classes) != len(card.classes):
            raise
        # as many classes under other names: taken in order, and said
        print("The class names differ from the net's; they are taken in order.", file=sys.stderr)
    with tqdm(total=len(data.labels), unit="pictures", disable=not sys.stderr.isatty(), leave=False) as meter:
        result = evaluate(
            net,
            data.images,
            data.labels,
            card.classes,
            card.normalization,
            progress=lambda share: meter.update(round(share * len(data.labels)) - meter.n) and None,
            skipped=data.skipped,
        )
    if arguments.json:
        print_json(
            {
                "accuracy": result.accuracy,
                "n": result.n,
                "per_class": result.per_class,
                "confusion": result.confusion.tolist(),
            }
        )
        return 0
    right, wrong = 100 * result.accuracy, 100 * (1 - result.accuracy)
    print(f"{card.title}: accuracy {right:.2f} %, error {wrong:.2f} %, n = {result.n}")
    widest = max(len(name) for name in result.per_class)
    for name, share in result.per_class.items():
        if share is not None:
            print(f"  {name:{widest}}  {bar(share)}  {100 * share:5.1f} %")
    for name in result.skipped:
        print(f"  skipped, not readable: {name}", file=sys.stderr)
    return 0


commands.add(
    "evaluate",
    Command(
        "evaluate",
        "measure accuracy on a labelled data set",
        "resnet-viz evaluate resnet20-cifar10 cifar10",
        _arguments,
        _run,
    ),
)
