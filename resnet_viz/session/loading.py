"""From what a person names to a net with its card: ids, files, run folders, factories, architectures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_viz.analysis.receptive_field import receptive_fields
from resnet_viz.core.errors import CheckpointError, UserError, nearest
from resnet_viz.core.types import LayerInfo, ModelCard, Normalization
from resnet_viz.data.labels import labels
from resnet_viz.data.presets import presets
from resnet_viz.models import create, models
from resnet_viz.models.checkpoint import load_checkpoint, load_into
from resnet_viz.models.describe import describe
from resnet_viz.models.factory import load_factory
from resnet_viz.models.recognise import Recognised

from . import store
from .normalizing import parse_normalization
from .requests import OpenModel

SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt")


def open_model(request: OpenModel) -> tuple[nn.Module, ModelCard]:
    """Open a net and describe it.

    Returns:
        The net in eval mode, and its card. Its kernels lie channels last, as every input does
        (:func:`~resnet_viz.data.batches.normalise`): no pass needs to reorder them.

    Raises:
        UserError: one sentence of what is wrong and one of what to do next.
    """
    net, card = _open(request)
    return channels_last(net), card


def channels_last(net: nn.Module) -> nn.Module:
    """Lay a net's kernels out as the pictures are; returns the net."""
    for weight in net.parameters():
        if weight.ndim == 4:  # not Module.to, which refuses a net that has kernels of five dimensions as well
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return net


def _open(request: OpenModel) -> tuple[nn.Module, ModelCard]:
    if request.factory:
        return _open_factory(request)
    if request.untrained:
        return _open_untrained(request)
    folder = store.trained_folder(request.ref)
    path = folder if folder is not None else Path(request.ref).expanduser()
    if path.exists():
        return _open_file(path, request)
    raise UserError(_not_found(request.ref))


def _not_found(ref: str) -> str:
    trained = [model_id for model_id, _ in store.trained_models()]
    if ref in models:
        own = [model_id for model_id in trained if model_id.startswith(f"{ref}-")]
        choice = f"choose {own[0]}" if own else "give a checkpoint of it"
        return f"'{ref}' is an architecture without weights. Add --untrained, or {choice}."
    if Path(ref).suffix.lower() in SUFFIXES or "/" in ref:
        return f"{ref} does not exist. Check the path, or choose one of {', '.join(trained[:3])}."
    close = nearest(ref, [*trained, *models.ids()]) or trained[:3]
    return f"There is no model named '{ref}'. Did you mean {', '.join(close)}?"


def _open_untrained(request: OpenModel) -> tuple[nn.Module, ModelCard]:
    spec = models.get(request.ref)
    options = dict(request.options)
    if request.classes is not None:
        options["num_classes"] = request.classes
    net = create(spec.id, seed=request.seed, **options)
    card = _card(
        net,
        request,
        card_id=f"{spec.id} untrained seed {request.seed} {sorted(options.items())}",
        title=f"{spec.title} · untrained",
        arch=spec.id,
        classes=labels(spec.dataset, int(options.get("num_classes", spec.defaults.num_classes))),  # type: ignore[call-overload]
        normalization=presets.get(spec.preprocessing),
        known=True,
        found=f"{spec.title}, untrained, seed {request.seed}",
        extra={"untrained": {"ref": spec.id, "seed": request.seed, **options}},
    )
    return net, card


def _open_factory(request: OpenModel) -> tuple[nn.Module, ModelCard]:
    assert request.factory is not None
    net = load_factory(request.factory).eval()
    if request.ref:
        load_into(net, Path(request.ref).expanduser(), request.factory)
    size = request.input_size or 224
    with_head = [module for module in net.modules() if isinstance(module, nn.Linear)]
    count = request.classes or (with_head[-1].out_features if with_head else 1)
    card = _card(
        net,
        request,
        card_id=f"{request.factory} {request.ref} {size}",
        title=request.factory.rpartition(":")[2],
        arch="",
        classes=labels("imagenet" if count == 1000 else "", count),
        normalization=presets.get("imagenet"),
        known=request.normalize is not None,
        found=f"generic net from {request.factory}",
        source=request.ref,
        input_size=size,
        extra={"factory": request.factory},
    )
    return net, card


def _open_file(path: Path, request: OpenModel) -> tuple[nn.Module, ModelCard]:
    extra = _read_card(path)
    arch = request.arch or (str(extra["arch"]) if extra.get("arch") else None)
    net, found = load_checkpoint(path, arch=arch)
    spec = models.get(found.arch)
    count = found.options.num_classes
    names = tuple(str(name) for name in extra.get("classes", ()))
    source = str(path.resolve())
    small = found.options.stem == "cifar"  # an ImageNet net with a 3x3 stem was trained on small pictures
    normalization, known = _normalization(source, extra, "" if small else spec.family)
    title = str(extra.get("title") or f"{spec.title} · {path.stem if path.is_file() else path.name}")
    error = extra.get("test_error")
    card = _card(
        net,
        request,
        card_id=str(extra.get("id") or source),
        title=title,
        arch=spec.id,
        classes=names if len(names) == count else _labels(found, spec.dataset, count),
        normalization=normalization or presets.get("cifar10" if small else spec.preprocessing),
        known=known,
        found=found.found,
        warnings=found.warnings,
        source=source,
        dataset=str(extra.get("dataset", "")),
        test_error=float(error) if isinstance(error, (int, float)) else None,
        input_size=store.trained_size(extra) or (32 if small else None),
        extra=dict(extra),
    )
    return net, card


def _labels(found: Recognised, dataset: str, count: int) -> tuple[str, ...]:
    """Return the design data set's names where the count fits, else "class 0" and so on."""
    usual = models.get(found.arch).defaults.num_classes
    return labels(dataset if count == usual else "", count)


def _read_card(path: Path) -> Mapping[str, Any]:
    file = path / "card.json"
    if not path.is_dir() or not file.is_file():
        return {}
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} is damaged ({error}). Restore it, or open weights.safetensors itself."
        ) from error
    if not isinstance(card, dict):
        raise CheckpointError(f"{file} holds no record. Restore it, or open weights.safetensors itself.")
    return card


def _normalization(source: str, extra: Mapping[str, Any], family: str) -> tuple[Normalization | None, bool]:
    """Return mean/std and whether it is known: from the card, the user's earlier choice, or the family.

    ImageNet weights all use one mean/std. CIFAR checkpoints use two or three, so that is asked.
    """
    entry = extra.get("normalization")
    if isinstance(entry, Mapping):
        try:
            mean, std = entry["mean"], entry["std"]
            title = str(entry.get("title", "own"))
            return Normalization(title, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])), True
        except (KeyError, IndexError, TypeError) as error:
            raise CheckpointError("The run's card.json holds no usable mean/std. Correct it there.") from error
    remembered = store.remembered_normalization(source)
    if remembered is not None:
        return remembered, True
    return None, family.startswith("imagenet")


def _card(
    net: nn.Module,
    request: OpenModel,
    *,
    card_id: str,
    title: str,
    arch: str,
    classes: tuple[str, ...],
    normalization: Normalization,
    known: bool,
    found: str,
    warnings: tuple[str, ...] = (),
    source: str = "",
    dataset: str = "",
    test_error: float | None = None,
    input_size: int | None = None,
    extra: dict[str, Any] | None = None,
) -> ModelCard:
    spec = models.get(arch) if arch else None
    channels = spec.in_channels if spec else _in_channels(net)
    size = input_size or (spec.input_size if spec else 224)
    if request.normalize is not None:
        normalization, known = parse_normalization(request.normalize), True
    shape = (channels, size, size)
    try:
        layers, blocks = describe(net, shape)
    except UserError:
        raise
    except Exception as error:  # a foreign net may refuse this size in a way of its own
        if arch:
            raise
        raise UserError(
            f"The net cannot take a {size} x {size} picture ({error}). Give its input size with --input-size."
        ) from error
    fields = receptive_fields(net, shape)
    return ModelCard(
        id=card_id,
        title=title,
        arch=arch,
        family=spec.family if spec else "generic",
        depth=spec.depth if spec else None,
        params=sum(parameter.numel() for parameter in net.parameters()),
        classes=classes,
        input_size=size,
        in_channels=channels,
        normalization=normalization,
        normalization_known=known,
        fit="imagenet" if size >= 160 else "square",
        dataset=dataset,
        test_error=test_error,
        found=found,
        warnings=warnings,
        layers=tuple(_with_field(layer, fields) for layer in layers),
        blocks=blocks,
        source=source,
        extra=extra or {},
    )


def _with_field(layer: LayerInfo, fields: Mapping[str, Any]) -> LayerInfo:
    return replace(layer, receptive_field=fields.get(layer.name))


def _in_channels(net: nn.Module) -> int:
    first = next((module for module in net.modules() if isinstance(module, nn.Conv2d)), None)
    return first.in_channels if first is not None else 3
