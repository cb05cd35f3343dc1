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
        place: where it stands in the switch; not the order of registration, which is that of imports.
    """

    id: str
    title: Callable[[], str]
    make: Callable[[Context], QWidget]
    place: int


views: Registry[ViewSpec] = Registry("workspace")
"""All workspaces by id."""


def in_order() -> list[ViewSpec]:
    """Return all workspaces as they stand in the switch at the top right."""
    return sorted(views, key=lambda spec: spec.place)


def position(workspace: str) -> int:
    """Return where a workspace stands.

    Raises:
        UnknownNameError: if there is no such workspace.
    """
    return in_order().index(views.get(workspace))
