"""The registry of workspaces: a view is one file that registers its class here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QWidget

from resnet_viz.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from resnet_viz.gui.context import Context


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One workspace.

    Attributes:
        id: name on the command line, for example ``"inspect"``.
        title: returns the translated title for the switch at the top.
        make: makes the view's widget.
    """

    id: str
    title: Callable[[], str]
    make: Callable[[Context], QWidget]


views: Registry[ViewSpec] = Registry("workspace")
"""All workspaces by id, in the order of the switch at the top right."""
