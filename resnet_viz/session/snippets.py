"""Copy as Python: a short script with this package that reproduces the numbers on screen.

Names of files, layers and nets come from anywhere: each enters the script through ``repr``.
"""

from __future__ import annotations

from resnet_viz.core.types import Fit, ImageInput, ModelCard, Normalization

from .requests import Look


def python_script(card: ModelCard, look: Look) -> str:
    """Return a script that prints the layer's statistics and the confidences of ``look``.

    Args:
        card: the net, as :func:`.loading.open_model` described it.
        look: what is on screen.

    Returns:
        Python. For a picture that it cannot read again (pasted, from the camera, an SVG drawing) it
        asks for a file in a comment, and ends with that sentence until there is one.
    """
    reader, picture = read_again(look.image)
    lines = [
        "import torch",
        "",
        "from resnet_viz.analysis.activations import observe",
        "from resnet_viz.analysis.predictions import prediction",
        "from resnet_viz.core.types import CropBox, Fit, Normalization",
        "from resnet_viz.data.batches import normalise",
        reader,
        "from resnet_viz.data.transforms import prepare",
        "from resnet_viz.session.loading import open_model",
        "from resnet_viz.session.requests import OpenModel",
        "",
        *_open(card),
        *picture,
        f"pixels = prepare(image, {fit_code(look.fit)}, size=card.input_size, kind=card.fit, "
        "channels=card.in_channels)",
        f"normalization = {normalization_code(look.normalization or card.normalization)}",
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
    scores = [
        f"for score in prediction(seen.logits, card.classes, {look.top}).top:",
        "    print(f'{score.label:20} {score.prob:.4f}')",
    ]
    if "factory" in card.opened:  # which may return maps
        scores = ["if seen.logits is not None:", *(f"    {line}" for line in scores)]
    lines += scores
    return "\n".join(lines) + "\n"


def _open(card: ModelCard) -> list[str]:
    """Return Python that opens the card's net as it was opened."""
    told = dict(card.opened)
    arguments = [repr(told.pop("ref")), *(f"{name}={value!r}" for name, value in told.items())]
    lines = made_by(str(told["factory"]), bool(card.opened["ref"])) if "factory" in told else []
    return [*lines, f"net, card = open_model(OpenModel({', '.join(arguments)}))"]


def made_by(factory: str, checkpoint: bool) -> list[str]:
    """Return comments on a net that a Python function makes."""
    lines = [f"# run this where {factory!r} can be imported"]
    if not checkpoint:
        lines.append("# no checkpoint was given: the numbers are the same only if the function seeds its weights")
    return lines


def read_again(image: ImageInput) -> tuple[str, list[str]]:
    """Return the import and the lines that read a picture again."""
    if image.path is not None and not image.path.lower().endswith(".svg"):
        return "from resnet_viz.data.images import load_image", [f"image = load_image({image.path!r})"]
    if image.origin is not None:
        at = image.origin
        line = f"image = browse({at.data!r}, {at.split!r}).item({at.index!r})  # {image.source!r}"
        return "from resnet_viz.data.browse import browse", [line]
    missing = f"The picture {image.source!r} lies in no file that a script can read"
    return "from resnet_viz.data.images import load_image", [
        f"# {missing}.",
        "PICTURE = ''  # save it as PNG and write its path here",
        "if not PICTURE:",
        f"    raise SystemExit({f'{missing}. Save it as PNG and write its path into PICTURE.'!r})",
        "image = load_image(PICTURE)",
    ]


def fit_code(fit: Fit) -> str:
    """Return a fit as Python that makes it."""
    if fit.box is None:
        return f"Fit({fit.mode!r})"
    box = fit.box
    return f"Fit({fit.mode!r}, CropBox({box.left!r}, {box.top!r}, {box.width!r}, {box.height!r}))"


def normalization_code(normalization: Normalization) -> str:
    """Return mean and std as Python that makes them."""
    return f"Normalization({normalization.title!r}, {normalization.mean!r}, {normalization.std!r})"
