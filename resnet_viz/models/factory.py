"""Nets of no known family: made by a Python function that the user names."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import reduce

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from resnet_viz.core.errors import UserError

_alone = threading.RLock()
"""Several workers may open a net, and what is imported from where, and stdout, belong to all of the program."""


def load_factory(spec: str) -> nn.Module:
    """Import ``package.module``, call ``function`` without arguments and return its net.

    This runs the user's own code, at the user's own word on the command line; nothing in a
    checkpoint can lead here. The current folder is searched first, as Python itself does. A
    class is called like a function, and a net that the module holds ready-made is taken as it is.
    What it prints goes to stderr.

    Args:
        spec: ``"package.module:function"``.

    Raises:
        UserError: if it cannot be imported or called, or returns no ``nn.Module``.
    """
    name, colon, function = spec.strip().partition(":")
    if not (name and colon and function):
        raise UserError(f"'{spec}' names no factory. Write it as package.module:function.")
    # what the user's code prints is for a person; stdout is for the answer, with --json for a program
    with _alone, _current_folder_first(), redirect_stdout(sys.stderr):
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # whatever the user's module raises while it is imported
            raise UserError(f"{name} cannot be imported ({_reason(error)}). Check the name and the folder.") from error
        try:
            make = reduce(getattr, function.split("."), module)
        except AttributeError as error:
            raise UserError(f"{name} has no function '{function}'. Check its name.") from error
        if isinstance(make, nn.Module):
            return make
        if not callable(make):
            raise UserError(
                f"{spec} is no function but of type {type(make).__name__}. Name a function that returns a net."
            )
        try:
            net = make()
        except (Exception, SystemExit) as error:  # likewise while it runs
            raise UserError(f"{spec} failed ({_reason(error)}). It must work without arguments.") from error
    if not isinstance(net, nn.Module):
        raise UserError(f"{spec} returned a value of type {type(net).__name__}. It must return a torch.nn.Module.")
    return net


def check_anew(spec: str, *, weights: bool) -> None:
    """Check that a factory makes a net of its own at each call, as two workers need that open it.

    Args:
        spec: as of :func:`load_factory`, which is called twice.
        weights: whether they must be the same each time, as no checkpoint replaces them.

    Raises:
        UserError: if it hands out one net again, or other weights.
    """
    one, other = load_factory(spec), load_factory(spec)
    tensors = {id(part) for part in _tensors(one)}
    if one is other or any(id(part) in tensors for part in _tensors(other)):
        raise UserError(f"{spec} gives the same net again, which Inspect works on. Let it make a new one at each call.")
    modules = {id(part) for part in one.modules()}
    for part in other.modules():  # such as an activation that is a default argument
        if id(part) in modules:
            raise UserError(
                f"{spec} puts one and the same {type(part).__name__} into every net, so two cannot be worked on at "
                "once. Let each net have its own."
            )
    if weights and not _same(one, other):
        raise UserError(
            f"{spec} draws other weights at each call, so this would be another net than the one in Inspect. "
            "Let it seed them, or open it with a checkpoint."
        )


def _tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two nets hold the same numbers; what has no shape yet is drawn later, so it is not the same."""
    pairs = [*zip(one.parameters(), other.parameters()), *zip(one.buffers(), other.buffers())]  # noqa: B905 - one function's
    return not any(is_lazy(mine) for mine, _ in pairs) and all(
        mine.shape == its.shape and bool(((mine == its) | ((mine != mine) & (its != its))).all()) for mine, its in pairs
    )


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Let imports find the current folder, for as long as the user's code is asked for.

    Not for longer: a stray ``random.py`` there must not stand in for what the program imports later.
    """
    here = os.getcwd()
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's code may have tidied up itself
            sys.path.remove(here)


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
