"""Arguments that several commands share, and how a model is named."""

from __future__ import annotations

import argparse

from resnet_viz.core.errors import UserError
from resnet_viz.session.requests import OpenModel


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text for a person")


def add_model(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add MODEL and everything that says how to open it."""
    parser.add_argument(
        "model",
        nargs="?" if optional else None,
        metavar="MODEL",
        help="id (resnet20-cifar10), checkpoint, run folder, or architecture id with --untrained",
    )
    add_model_options(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that says how to open a model, without its name."""
    parser.add_argument("--untrained", action="store_true", help="take MODEL as an architecture and draw its weights")
    parser.add_argument("--seed", type=int, default=0, help="seed of untrained weights (default 0)")
    parser.add_argument("--arch", metavar="ID", help="architecture to use instead of the recognised one")
    parser.add_argument(
        "--normalize",
        metavar="cifar10|imagenet|half|R,G,B/R,G,B",
        help="mean/std that a foreign checkpoint was trained with",
    )
    parser.add_argument("--factory", metavar="package.module:function", help="Python function that makes the net")
    parser.add_argument("--input-size", type=int, metavar="PX", help="input side of a net from --factory")
    parser.add_argument("--classes", type=int, metavar="N", help="number of classes of an untrained net")


def model_request(arguments: argparse.Namespace) -> OpenModel:
    """Return the request that the arguments amount to.

    Raises:
        UserError: if neither a model nor a factory is named, or a number makes no sense.
    """
    if not arguments.model and not arguments.factory:
        raise UserError("No model is named. Give an id such as resnet20-cifar10, or a checkpoint.")
    for name, value in (("--input-size", arguments.input_size), ("--classes", arguments.classes)):
        if value is not None and not 1 <= value <= 100_000:
            raise UserError(f"{name} {value} makes no net. Give a number from 1 up.")
    return OpenModel(
        ref=arguments.model or "",
        arch=arguments.arch,
        normalize=arguments.normalize,
        factory=arguments.factory,
        untrained=arguments.untrained,
        seed=arguments.seed,
        input_size=arguments.input_size,
        classes=arguments.classes,
    )
