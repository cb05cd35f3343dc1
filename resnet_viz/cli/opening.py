"""Opening the net that a command names, with everything said that a person should know of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_viz.core.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn

    from resnet_viz.core.types import ModelCard
    from resnet_viz.session.requests import OpenModel

_NOT_FINITE = "NaN or infinite"
"""How the recogniser's sentence about such weights goes (``models/recognise.py``)."""


def open_and_say(request: OpenModel, *, answers: bool = True) -> tuple[nn.Module, ModelCard]:
    """Open a net and say on stderr what is wrong with it; stdout is left to the answer.

    Args:
        request: what to open.
        answers: whether the net is asked about pictures: with weights that are NaN its answers mean
            nothing, and a mean/std that was guessed may make them wrong.

    Raises:
        CheckpointError: if the net's answers would mean nothing.
        UserError: if it cannot be opened.
    """
    from resnet_viz.session.loading import open_model

    net, card = open_model(request)
    warnings = said_of(net, card, guess=answers)
    if answers:
        refuse_unsound(warnings)
    for sentence in warnings:
        print(sentence, file=sys.stderr)
    return net, card


def said_of(net: nn.Module, card: ModelCard, *, guess: bool) -> list[str]:
    """Return what a person should know of an opened net; ``guess`` says whether the mean/std matters."""
    import torch

    said = list(card.warnings)
    sound = not any(_NOT_FINITE in sentence for sentence in said)
    if sound and not card.arch and not all(bool(torch.isfinite(value).all()) for value in net.parameters()):
        # the recogniser saw no checkpoint; buffers of a foreign net may well be infinite, as masks are
        said.append(f"Weights are {_NOT_FINITE}, so the net's answers mean nothing. Use an earlier save.")
    if guess and not card.normalization_known:
        title = card.normalization.title
        said.append(f"mean/std: {title}, a guess; the file does not say. Set it with --normalize.")
    return said


def refuse_unsound(warnings: Sequence[str]) -> None:
    """Raise CheckpointError where one of the sentences says that the net's answers mean nothing."""
    for sentence in warnings:
        if _NOT_FINITE in sentence:
            raise CheckpointError(sentence)
