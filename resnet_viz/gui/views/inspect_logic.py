"""What the Inspect workspace says and shows, as functions of what is known; no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from PyQt6.QtCore import QCoreApplication

from resnet_viz.analysis.numerals import share
from resnet_viz.core.types import ChannelStats, ModelCard, ReceptiveField
from resnet_viz.data.transforms import crop_box
from resnet_viz.session.requests import Look


def _tr(text: str) -> str:
    return QCoreApplication.translate("Inspect", text)


def introduction(card: ModelCard, answered: frozenset[str] = frozenset()) -> tuple[str, bool, str]:
    """Return what a person must know of a net, and be asked about it.

    Args:
        card: the net.
        answered: which questions have their answer: ``"normalization"``, ``"arch"``.

    Returns:
        The sentences, empty where there is nothing to say; whether one of them is a warning; and
        the plain net that it might be just as well, empty where that is certain.
    """
    twin = f"plain{card.depth}"
    ambiguous = [warning for warning in card.warnings if f"--arch {twin}" in warning]
    texts = [warning for warning in card.warnings if warning not in ambiguous]
    warns = bool(texts)
    if not card.normalization_known and "normalization" not in answered:
        texts.append(
            _tr(
                "The file does not say which mean and standard deviation this net was trained with. "
                "Choose them beside the picture."
            )
        )
    asks = bool(ambiguous) and "arch" not in answered
    if asks:
        texts.append(_tr("A plain net has the same weights; the file does not say which of the two it is."))
    if "untrained" in card.extra:
        texts.append(_tr("These weights are random: what the net believes means nothing yet."))
    return " ".join(texts), warns, twin if asks else ""


def waiting_sentence(opening: str, has_net: bool, has_picture: bool, computing: bool) -> str:
    """Return what to say while there are no maps yet.

    Args:
        opening: what is being opened, as a sentence; empty for nothing.
        has_net: whether a net is open.
        has_picture: whether a picture is.
        computing: whether the maps have been asked for.

    Returns:
        A sentence, empty while it is the person's turn.
    """
    if computing and has_net and has_picture:
        return _tr("Computing the feature maps…")
    return opening if not (has_net and has_picture) else ""


def channel_sentence(channel: int, field: ReceptiveField | None, stats: ChannelStats, side: int = 0) -> str:
    """Return one channel in words, as rich text: what it sees and how much of it is not zero.

    Args:
        channel: its number.
        field: of one position of its layer, None where it is not known.
        stats: of the layer's maps.
        side: of the net's input in pixels, 0 where it is not known.
    """
    if field is None:
        sees = ""
    elif field.whole:
        sees = _tr("sees the whole picture")
    elif 0 < side < min(field.size_y, field.size_x):
        text = _tr("the field of each position, {0} × {1} pixels, is larger than the picture")
        sees = text.format(field.size_y, field.size_x)
    else:
        sees = _tr("each position sees {0} × {1} pixels (yellow box on the picture)").format(field.size_y, field.size_x)
    if np.isnan(stats.min[channel]):
        state = _tr("holds values that are no numbers (NaN), drawn in magenta")
    elif stats.dead[channel]:
        state = _tr("zero everywhere: dead for this picture")
    else:
        state = _tr("not zero at {0} of positions").format(escape(share(1 - float(stats.zeros[channel]), 0)))
    first = ", ".join(part for part in (sees, state) if part)
    return "<b>{}</b> {}. {}".format(
        _tr("Channel {0}:").format(channel),
        first,
        _tr("Click a channel for its histogram, hover for values, Ctrl-click to pin."),
    )


def spans_decades(values: Mapping[str, float]) -> bool:
    """Return whether a linear scale would show one block and leave the others dark, as in untrained deep nets."""
    positive = [value for value in values.values() if 0 < value < float("inf")]
    return bool(positive) and max(positive) > 300 * min(positive)


def default_layer(card: ModelCard) -> str:
    """Return the layer to show first: the first residual block's output, else the first block's."""
    for kinds in (("residual", "plain"), ("conv", "stem"), ()):
        for block in card.blocks:
            if block.kind in kinds or not kinds:
                return block.out
    return card.layers[0].name


def block_with_skip(card: ModelCard, layer: str) -> str | None:
    """Return the block that a layer belongs to if it has a skip connection, else None."""
    name = card.layer(layer).block
    return next((block.name for block in card.blocks if block.name == name and block.add), None)


def parts_words(card: ModelCard, block: str) -> tuple[str, str]:
    """Return how a block taken apart ends, and what its skip does.

    Returns:
        The kind of the activation after the addition, empty where there is none; and the kind of the
        skip connection: ``"identity"``, ``"A"`` or ``"B"``.
    """
    info = card.block(block)
    kinds = {layer.name: layer.kind for layer in card.layers}
    after = info.layers[info.layers.index(info.add) + 1 :] if info.add in info.layers else ()
    return kinds.get(after[0], "") if after else "", info.skip or ""


def neighbour(card: ModelCard, layer: str, step: int) -> str | None:
    """Return the layer ``step`` further towards the output, containers left out; None beyond the ends."""
    names = [one.name for one in card.layers if not one.container]
    if layer in names:
        at = names.index(layer) + step
    else:  # on a container: its first layer is the neighbour
        at = next((i for i, name in enumerate(names) if name.startswith(f"{layer}.")), 0)
    return names[at] if 0 <= at < len(names) else None


def is_for(ahead: Look, look: Look) -> bool:
    """Return whether what is computed ahead is what a look will need."""
    same = ahead.model == look.model and ahead.image is look.image and ahead.layer == look.layer
    return same and ahead.fit == look.fit and ahead.normalization == look.normalization


def provenance(card: ModelCard, look: Look) -> dict[str, str]:
    """Return where the answer to a question comes from, for the files it is saved in: all that the numbers hang on."""
    norm = look.normalization or card.normalization
    mean, std = (", ".join(f"{part:g}" for part in parts[: card.in_channels]) for parts in (norm.mean, norm.std))
    height, width = look.image.pixels.shape[:2]
    part = crop_box(height, width, look.fit, card.input_size, card.fit)
    return {
        "model": card.title,
        "found": card.found,
        "image": look.image.source,
        "layer": look.layer,
        "fit": look.fit.mode,
        "part": f"{part.width:g} x {part.height:g} pixels from ({part.left:g}, {part.top:g}) of {width} x {height}",
        "normalization": f"{norm.title}: mean {mean}; std {std}",
    }
