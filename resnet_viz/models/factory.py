"""Nets of no known family: made by a Python function that the user names."""

from __future__ import annotations

import importlib
import sys

from torch import nn

from resnet_viz.core.errors import UserError


def load_factory(spec: str) -> nn.Module:
    """Import ``package.module``, call ``function`` without arguments and return its net.

    This runs the user's own code, at the user's own word on the command line; nothing in a
    checkpoint can lead here. The current folder is searched first, as Python itself does.

    Args:
        spec: ``"package.module:function"``.

    Raises:
        UserError: if it cannot be imported or called, or returns no ``nn.Module``.
    """
    name, colon, function = spec.partition(":")
    if not (name and colon and function):
        raise UserError(f"'{spec}' names no factory. Write it as package.module:function.")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever the user's module raises while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{name} cannot be imported ({reason}). Check the name and the folder.") from error
    make = getattr(module, function, None)
    if not callable(make):
        raise UserError(f"{name} has no function '{function}'. Check its name.")
    try:
        net = make()
    except Exception as error:  # likewise while it runs
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{spec} failed ({reason}). It must work without arguments.") from error
    if not isinstance(net, nn.Module):
        raise UserError(f"{spec} returned a {type(net).__name__}. It must return a torch.nn.Module.")
    return net
