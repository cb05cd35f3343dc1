"""``resnet-viz predict``: what a net believes about pictures."""

from __future__ import annotations

import argparse

from resnet_viz.core.errors import UserError

from .commands import Command, commands
from .opening import open_and_say
from .options import add_json, add_model, model_request
from .output import bar, finite, print_json


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="picture files")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="classes to list (default 5)")
    parser.add_argument(
        "--fit", choices=("crop", "pad", "squash"), default="crop", help="how a picture becomes a square (default crop)"
    )
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    import torch

    from resnet_viz.analysis.activations import observe
    from resnet_viz.analysis.predictions import prediction
    from resnet_viz.core.types import Fit
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.images import load_image
    from resnet_viz.data.transforms import prepare
    from resnet_viz.session.passes import told

    if arguments.top < 1:
        raise UserError(f"--top {arguments.top} lists nothing. Give a number from 1 up.")
    model, paths = _told_apart(arguments)
    net, card = open_and_say(model_request(argparse.Namespace(**{**vars(arguments), "model": model})))
    results = []
    for path in paths:  # one decoded picture at a time: each may have 150 MB
        view = prepare(
            load_image(path), Fit(arguments.fit), size=card.input_size, kind=card.fit, channels=card.in_channels
        )  # (S, S, C)
        x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], card.normalization)
        with told():
            logits = observe(net, x).logits
        if logits is None:
            raise UserError("The net returns no (N, classes) tensor. Choose a classifier.")
        results.append((path, prediction(logits, card.classes, arguments.top)))
    if arguments.json:
        print_json(
            [
                {
                    "image": path,
                    "top": [
                        {"index": score.index, "label": score.label, "prob": finite(score.prob)} for score in answer.top
                    ],
                }
                for path, answer in results
            ]
        )
        return 0
    for path, answer in results:
        print(f"{path}  ({card.title})")
        widest = max(len(score.label) for score in answer.top)
        for score in answer.top:
            print(f"  {score.label:{widest}}  {bar(score.prob)}  {100 * score.prob:5.1f} %")
    return 0


def _told_apart(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Return MODEL and the pictures: beside ``--factory`` the first name may be a picture already."""
    from resnet_viz.data.images import SUFFIXES

    if arguments.factory and arguments.model.lower().endswith(SUFFIXES):
        return "", [arguments.model, *arguments.image]
    return arguments.model, arguments.image


commands.add(
    "predict",
    Command(
        "predict",
        "print a net's confidences for pictures",
        "resnet-viz predict resnet20-cifar10 photo.jpg --top 5",
        _arguments,
        _run,
    ),
)
