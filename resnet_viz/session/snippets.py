"""Copy as Python: a short script with this package that reproduces the numbers on screen."""

from __future__ import annotations

from resnet_viz.core.types import Fit, ModelCard, Normalization

from .requests import Look


def python_script(card: ModelCard, look: Look) -> str:
    """Return a script that prints the layer's statistics and the confidences of ``look``.

    A picture without a file (pasted, from the camera) is written as a path to be filled in.
    """
    path = look.image.path or f"PATH OF THE PICTURE ({look.image.source})"
    normalization = look.normalization or card.normalization
    lines = [
        "import torch",
        "",
        "from resnet_viz.analysis.activations import observe",
        "from resnet_viz.analysis.predictions import prediction",
        "from resnet_viz.core.types import CropBox, Fit, Normalization",
        "from resnet_viz.data.batches import normalise",
        "from resnet_viz.data.images import load_image",
        "from resnet_viz.data.transforms import prepare",
        "from resnet_viz.session.loading import open_model",
        "from resnet_viz.session.requests import OpenModel",
        "",
        f"net, card = open_model({_open(card)})",
        f"image = load_image({path!r})",
        f"pixels = prepare(image, {fit_code(look.fit)}, size=card.input_size, kind=card.fit, "
        "channels=card.in_channels)",
        f"normalization = {_normalization(normalization)}",
        "x = normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None], normalization)  # (1, C, H, W)",
    ]
    parts = f", parts=card.block({look.block!r})" if look.block else ""
    lines += [
        f"seen = observe(net, x, layers=[{look.layer!r}]{parts})",
        "",
        f"maps = seen.activations[{look.layer!r}].maps  # float32 (C, H, W)",
        "print(maps.shape, maps.mean(), maps.min(), maps.max())",
    ]
    if look.block:
        lines.append("print('||F|| / ||x|| =', seen.parts.f_to_x)")
    lines += [
        f"for score in prediction(seen.logits, card.classes, {look.top}).top:",
        "    print(f'{score.label:20} {score.prob:.4f}')",
    ]
    return "\n".join(lines) + "\n"


def _open(card: ModelCard) -> str:
    untrained = card.extra.get("untrained")
    if isinstance(untrained, dict):
        return f"OpenModel({untrained['ref']!r}, untrained=True, seed={untrained['seed']})"
    factory = card.extra.get("factory")
    if factory:
        return f"OpenModel({card.source!r}, factory={factory!r}, input_size={card.input_size})"
    # a net that ships is named by its id, which holds on every machine
    ref = card.id if card.extra.get("id") == card.id else card.source
    return f"OpenModel({ref!r})"


def fit_code(fit: Fit) -> str:
    """Return a fit as Python that makes it."""
    if fit.box is None:
        return f"Fit({fit.mode!r})"
    box = fit.box
    return f"Fit({fit.mode!r}, CropBox({box.left!r}, {box.top!r}, {box.width!r}, {box.height!r}))"


def _normalization(normalization: Normalization) -> str:
    return f"Normalization({normalization.title!r}, {normalization.mean!r}, {normalization.std!r})"
