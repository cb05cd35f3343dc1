"""The net that is open in Inspect and the trained ones beside it, as other workspaces ask about them; no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from resnet_viz.core.paths import named_path
from resnet_viz.core.types import ModelCard

from . import store
from .cards import normalization_of
from .gradient_requests import NetChoice
from .requests import OpenModel

MADE = "made"
"""Key of a net in Inspect that no file holds: drawn, or made by a function."""


def as_opened(card: ModelCard) -> NetChoice | None:
    """Return the choice of the very net that a card describes, with all that a person has answered about it.

    None for a card that does not say how its net was opened.
    """
    if not card.opened:
        return None
    told = OpenModel(**card.opened)  # type: ignore[arg-type]
    # a guess is left to whoever opens the net: said here, it would pass for an answer
    made = NetChoice(
        told.ref, False, title=card.title, normalization=card.normalization if card.normalization_known else None
    )
    if told.factory:
        return replace(made, factory=told.factory, input_size=told.input_size, classes=told.classes)
    if not told.untrained:
        return replace(made, arch=told.arch)
    options = dict(told.options)
    if told.classes is not None:
        options["num_classes"] = told.classes
    return replace(made, untrained=True, options=tuple(sorted(options.items())), seed=told.seed)


def on_offer(opened: NetChoice | None) -> tuple[dict[str, NetChoice], str]:
    """Return the nets that a person may choose from, the open one as it is in Inspect, all others as they were trained.

    Args:
        opened: the net in Inspect, None for none.

    Returns:
        The nets by key, one that is no trained net of ours first; and the key of the open one, empty for none.
    """
    trained, same = {}, ""
    of_file = opened is not None and not opened.untrained and not opened.factory
    place = named_path(opened.ref).resolve() if opened is not None and of_file else None
    for ref, card in store.trained_models():
        entry = card.get("normalization")
        normalization = normalization_of(entry) if entry is not None else None
        trained[ref] = NetChoice(ref, False, (), str(card.get("title") or ref), None, normalization)
        if opened is not None and place is not None and (opened.ref == ref or place == Path(card["folder"]).resolve()):
            same, trained[ref] = ref, replace(opened, ref=ref)
    if opened is None or same:
        return trained, same
    key = opened.ref if of_file else MADE
    return {key: opened, **trained}, key
