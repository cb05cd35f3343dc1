"""``resnet-viz predict``: what a net believes about pictures."""

from __future__ import annotations

import argparse

from resnet_viz.core.errors import UserError

from .commands import Command, commands
from .options import add_json, add_model, model_request
from .output import bar, finite, print_json


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="picture files")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="classes to list (default 5)")
    parser.add_argument("--fit", choices=("crop", "pad", "squash"), default="crop", help="how it becomes a square")
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    import torch

    from resnet_viz.analysis.activations import observe
    from resnet_viz.analysis.predictions import prediction
    from resnet_viz.core.types import Fit
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.images import load_image
    from resnet_viz.data.transforms import prepare
    from resnet_viz.session.loading import open_model

    if arguments.top < 1:
        raise UserError(f"--top {arguments.top} lists nothing. Give a number from 1 up.")
    images = [load_image(path) for path in arguments.image]
    net, card = open_model(model_request(arguments))
    results = []
    for path, image in zip(arguments.image, images, strict=True):
        view = prepare(
            image, Fit(arguments.fit), size=card.input_size, kind=card.fit, channels=card.in_channels
        )  # (S, S, C)
        x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], card.normalization)
        logits = observe(net, x).logits
        assert logits is not None
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
    if not card.normalization_known:
        print(f"  mean/std: {card.normalization.title}, a guess; the file does not say. Set it with --normalize.")
    return 0


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
