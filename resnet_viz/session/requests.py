"""Frozen questions to the worker that owns the nets, and its frozen answers; no torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from resnet_viz.analysis.montage import Coloured, GridOptions
from resnet_viz.core.types import (
    U8,
    Activation,
    BlockParts,
    ChannelStats,
    Filters,
    Fit,
    ImageInput,
    ModelCard,
    Normalization,
    Prediction,
)


@dataclass(frozen=True, slots=True)
class OpenModel:
    """Open a net.

    Attributes:
        ref: id of a trained net, path of a checkpoint or run folder, or an architecture id.
        arch: architecture to use instead of the recognised one.
        normalize: preset id or ``"R,G,B/R,G,B"``; None leaves what the file or its kind says.
        factory: ``"package.module:function"`` of a net of no known family; ``ref`` may then
            be a checkpoint of its weights, or empty.
        untrained: take ``ref`` as an architecture and draw its weights.
        seed: of untrained weights.
        options: fields of NetOptions for an untrained net.
        input_size: side in pixels, for a generic net.
        classes: number of classes of an untrained net; None for the architecture's own.
    """

    ref: str
    arch: str | None = None
    normalize: str | None = None
    factory: str | None = None
    untrained: bool = False
    seed: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    input_size: int | None = None
    classes: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A net was opened."""

    card: ModelCard


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Show one layer of a net for one picture.

    Attributes:
        model: the card's id.
        image, fit: the picture and how it becomes the net's input.
        layer: whose maps are wanted.
        block: block to take apart, None for none.
        predict: whether confidences are wanted; if not, the pass ends after ``layer``.
        energies: whether the mean activation of each block is wanted, for the map's colours.
        normalization: mean/std to use instead of the card's.
        top: how many classes to list.
        options: how the grid will show the maps, which are then coloured at once; None for maps alone.
    """

    model: str
    image: ImageInput
    fit: Fit
    layer: str
    block: str | None = None
    predict: bool = True
    energies: bool = True
    normalization: Normalization | None = None
    top: int = 5
    options: GridOptions | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """The answer to :class:`Look`.

    Attributes:
        card_id, layer: what was looked at.
        activation, stats: the layer's maps and their statistics.
        energies: mean absolute output by block name.
        prediction: None unless it was asked for.
        parts: the block taken apart, None unless it was asked for and has a skip.
        net_view: the picture as the net sees it, uint8 (S, S, C).
        pass_ms: milliseconds of the forward pass; 0 if everything was known already.
        coloured: the maps as pictures, and the options they were coloured by; None unless asked for.
    """

    card_id: str
    layer: str
    activation: Activation | None
    stats: ChannelStats | None
    energies: Mapping[str, float]
    prediction: Prediction | None
    parts: BlockParts | None
    net_view: U8
    pass_ms: float
    coloured: Coloured | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LookAhead:
    """Compute what a look will ask for soon, and keep it; there is no answer.

    Attributes:
        look: the question to come.
    """

    look: Look


@dataclass(frozen=True, slots=True, eq=False)
class LookAround:
    """Compute the maps of all layers for a picture that stays on screen, and keep them; there is no answer.

    Attributes:
        look: the picture and the net, as they were last looked at.
    """

    look: Look


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """Show a layer's kernels."""

    model: str
    layer: str


@dataclass(frozen=True, slots=True, eq=False)
class FiltersOpened:
    """The answer to :class:`FilterRequest`."""

    filters: Filters


@dataclass(frozen=True, slots=True)
class Forget:
    """Empty the cache of maps, so that a benchmark measures the work and not the memory of it."""
