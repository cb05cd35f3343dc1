"""Arguments that several commands share, and how a model is named."""

from __future__ import annotations

import argparse

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import exists, named_path
from resnet_viz.session.requests import OpenModel

MIN_SEED, MAX_SEED = -(2**63), 2**64 - 1
"""What PyTorch's generator takes."""


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text for a person")


def add_model(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add MODEL and everything that says how to open it.

    Args:
        parser: of the command.
        optional: whether MODEL may be left out; where more arguments follow it, it may beside
            ``--factory`` (:class:`.main.Parser`).
    """
    parser.add_argument(
        "model",
        nargs="?" if optional else None,
        metavar="MODEL",
        help="id (resnet20-cifar10), checkpoint, run folder, or architecture id with --untrained; "
        "with --factory it may be left out",
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
        UserError: if neither a model nor a factory is named, the model lies where one may not look, or
            a number makes no sense.
    """
    if not arguments.model and not arguments.factory:
        raise UserError("No model is named. Give an id such as resnet20-cifar10, or a checkpoint.")
    if arguments.model:
        exists(named_path(arguments.model))  # whether it is there or not, one must be able to look
    for name, value in (("--input-size", arguments.input_size), ("--classes", arguments.classes)):
        if value is not None and not 1 <= value <= 100_000:
            raise UserError(f"{name} {value} makes no net. Give a number from 1 up.")
    if not MIN_SEED <= arguments.seed <= MAX_SEED:
        raise UserError(f"--seed {arguments.seed} is no seed. Give a number from 0 to 2^64 - 1.")
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


def data_there(data: str | None) -> str | None:
    """Return DATA as it was given; what reads it says what is wrong with it, once it can be looked at.

    Raises:
        UserError: if that is no path at all, or lies where one may not look.
    """
    if data:
        exists(named_path(data))
    return data
