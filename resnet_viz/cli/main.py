"""The command line: finds the command, runs it, turns errors into one line and an exit status."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence

from resnet_viz import __version__
from resnet_viz.core.errors import Cancelled, UserError

from . import (  # noqa: F401 - each registers its command
    evaluate,
    features,
    gradients,
    layers,
    lesion,
    models,
    predict,
    train,
)
from .commands import Command, commands
from .streams import give_up_stdout, of_stdout, steady

BAD_INPUT = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without repeating the whole usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise the message as a sentence with a next step."""
        if wrong := re.fullmatch(r"argument (\S+): invalid (int|float) value: (.*)", message, re.DOTALL):
            kind = {"int": "whole number", "float": "number"}[wrong[2]]
            message = f"{wrong[1]} takes a {kind}, not {wrong[3]}"
        raise UserError(f"{message[0].upper()}{message[1:]}. See {self.prog} --help.")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as usual; MODEL may be left out beside ``--factory``, where argparse would take IMAGE for it."""
        words = None if args is None else list(args)
        try:
            return super().parse_known_args(words, namespace)
        except UserError as error:
            given = any(word.partition("=")[0] == "--factory" for word in words or ())
            if not given or not any(action.dest == "model" and action.required for action in self._actions):
                raise
            try:
                return super().parse_known_args(["", *(words or ())], namespace)
            except UserError:
                raise error from None


def make_parser(extra: Sequence[Command] = ()) -> argparse.ArgumentParser:
    """Return the parser of all commands; ``extra`` are those that need the window."""
    parser = Parser(
        prog="resnet-viz",
        description="See what a convolutional network does. Without a command the app opens.",
        epilog="A picture, folder, checkpoint or model id instead of a command opens the app with it; "
        "so does --factory package.module:function for a net of no known family.",
    )
    parser.add_argument("--version", action="version", version=f"resnet-viz {__version__}")
    places = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for command in (*commands, *extra):
        place = places.add_parser(
            command.name, help=command.help, description=command.help, epilog=f"example: {command.example}"
        )
        command.add_arguments(place)
        place.set_defaults(run=command.run)
    return parser


def run(
    argv: Sequence[str],
    *,
    open_app: Callable[[Sequence[str]], int] | None = None,
    extra: Sequence[Command] = (),
) -> int:
    """Do what the arguments say.

    Args:
        argv: arguments without the program's name.
        open_app: opens the window on the given models and pictures.
        extra: commands that need the window, such as ``screenshot``.

    Returns:
        0 done, 2 bad input (one line on stderr), 130 interrupted.
    """
    steady()
    names = {*commands.ids(), *(command.name for command in extra)}
    try:
        options = bool(argv) and argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")
        if options and open_app is not None:
            return open_app(argv)  # options without a command say how the app opens a model
        if not argv or (argv[0] not in names and not argv[0].startswith("-")):
            if argv and not os.path.exists(argv[0]) and not _is_model(argv[0]):
                raise UserError(f"'{argv[0]}' is no command, file or model. See resnet-viz --help.")
            if open_app is None:
                raise UserError("This needs a window. Run resnet-viz.")
            return open_app(argv)
        arguments = make_parser(extra).parse_args(argv)
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"resnet-viz: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except (KeyboardInterrupt, Cancelled):
        return INTERRUPTED
    except BrokenPipeError:
        give_up_stdout()  # the reader has seen enough (`| head`)
        return 0
    except OSError as error:
        if not of_stdout(error):
            raise
        give_up_stdout()
        print(f"resnet-viz: The output cannot be written ({error.strerror}). Send it elsewhere.", file=sys.stderr)
        return BAD_INPUT


def _is_model(name: str) -> bool:
    from resnet_viz.session.store import trained_folder

    return trained_folder(name) is not None
