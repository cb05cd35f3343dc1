"""From what a person names to a net with its card: ids, files, run folders, factories, architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from resnet_viz.analysis.receptive_field import receptive_fields
from resnet_viz.core.errors import CheckpointError, UserError, nearest
from resnet_viz.core.paths import exists, named_path, trained_dir
from resnet_viz.core.types import LayerInfo, ModelCard, Normalization
from resnet_viz.data.labels import labels
from resnet_viz.data.presets import presets
from resnet_viz.models import create, models
from resnet_viz.models.checkpoint import load_checkpoint, load_into
from resnet_viz.models.describe import describe
from resnet_viz.models.factory import load_factory
from resnet_viz.models.recognise import Recognised

from . import store
from .cards import clean, left_out, normalization_of, read_record, sound
from .normalizing import parse_normalization
from .requests import OpenModel

SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt")
_OURS = ("untrained", "factory")
"""Keys of a card's ``extra`` that only the program may set: a file that has them says nothing by them."""


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
    path = folder if folder is not None else named_path(request.ref)
    if exists(path):
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
        replace(request, ref=spec.id),
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
    cast = _to_float32(net, request.factory)
    if request.ref and any(is_lazy(tensor) for tensor in (*net.parameters(), *net.buffers())):
        raise UserError(
            f"{request.factory} returned a net whose lazy layers have no shape yet, so no checkpoint fits it. "
            "Let the function pass one picture through the net first."
        )
    if request.ref:
        load_into(net, named_path(request.ref), request.factory)
    size = request.input_size or 224
    with_head = [module for module in net.modules() if isinstance(module, nn.Linear)]
    count = request.classes or (with_head[-1].out_features if with_head else 1)
    card = _card(
        net,
        replace(request, ref=str(named_path(request.ref).resolve()) if request.ref else ""),
        card_id=f"{request.factory} {request.ref} {size}",
        title=request.factory.rpartition(":")[2],
        arch="",
        classes=labels("imagenet" if count == 1000 else "", count),
        normalization=presets.get("imagenet"),
        known=request.normalize is not None,
        found=f"generic net from {request.factory}{cast}",
        source=request.ref,
        input_size=size,
        extra={"factory": request.factory},
    )
    return net, card


def _to_float32(net: nn.Module, factory: str) -> str:
    """Cast a net's real weights and buffers, as every input is float32; returns a note of it, or nothing."""
    held = [*net.parameters(), *net.buffers()]
    if any(tensor.is_meta for tensor in held):
        raise UserError(f"{factory} returned a net without values (meta device). Build it on the CPU.")
    kinds = {tensor.dtype for tensor in held if tensor.is_floating_point()} - {torch.float32}
    if not kinds:
        return ""
    net.float()
    return f", {', '.join(sorted(str(kind).removeprefix('torch.') for kind in kinds))} cast to float32"


def _open_file(path: Path, request: OpenModel) -> tuple[nn.Module, ModelCard]:
    extra, odd = _read_card(path)
    arch = request.arch or extra.get("arch")
    net, found = load_checkpoint(path, arch=arch)
    spec = models.get(found.arch)
    count = found.options.num_classes
    names = tuple(extra.get("classes", ()))
    source = str(path.resolve())
    own_id = _id_of(path, extra)
    small = found.options.stem == "cifar"  # an ImageNet net with a 3x3 stem was trained on small pictures
    normalization, known = _normalization(source, extra, "" if small else spec.family)
    title = extra.get("title") or clean(f"{spec.title} · {path.stem if path.is_file() else path.resolve().name}")
    ships = own_id is not None and path.resolve().parent == trained_dir().resolve()
    card = _card(
        net,
        # a net that ships is named by its id, which holds on every machine
        replace(request, ref=own_id if own_id is not None and ships else source),
        card_id=own_id or source,
        title=title,
        arch=spec.id,
        classes=names if len(names) == count else _labels(found, spec.dataset, count),
        normalization=normalization or presets.get("cifar10" if small else spec.preprocessing),
        known=known,
        found=found.found,
        warnings=(*odd, *found.warnings),
        source=source,
        dataset=extra.get("dataset", ""),
        test_error=extra.get("test_error"),
        input_size=store.trained_size(extra) or (32 if small else None),
        extra={key: value for key, value in extra.items() if key not in _OURS},
    )
    return net, card


def _id_of(path: Path, extra: Mapping[str, Any]) -> str | None:
    """Return a run folder's id, None if it has none or the id means another folder: this may be a copy."""
    model_id: str = extra.get("id") or ""
    folder = store.trained_folder(model_id) if model_id else None
    return model_id if folder is not None and folder.resolve() == path.resolve() else None


def _labels(found: Recognised, dataset: str, count: int) -> tuple[str, ...]:
    """Return the design data set's names where the count fits, else "class 0" and so on."""
    usual = models.get(found.arch).defaults.num_classes
    return labels(dataset if count == usual else "", count)


def _read_card(path: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return what a run's card says, and a warning of what in it cannot be used; nothing for a bare file."""
    file = path / "card.json"
    if not path.is_dir() or not file.is_file():
        return {}, ()
    try:
        card, odd = sound(read_record(file))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} is damaged ({error}). Restore it, or open weights.safetensors itself."
        ) from error
    if card.get("arch") and card["arch"] not in models:
        # the weights tell by themselves what they are
        odd = (*odd, left_out([f"arch names no architecture, '{card['arch']}'"]))
        card["arch"] = None
    return card, odd


def _normalization(source: str, extra: Mapping[str, Any], family: str) -> tuple[Normalization | None, bool]:
    """Return mean/std and whether it is known: from the card, the user's earlier choice, or the family.

    ImageNet weights all use one mean/std. CIFAR checkpoints use two or three, so that is asked.
    """
    entry = extra.get("normalization")
    if entry is not None:
        return normalization_of(entry), True
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
        first = _first_channels(net)
        if first not in (0, 1, 3):
            raise UserError(
                f"The net takes {first} channels, but a picture has 3, or 1 in grey. Name a factory of such a net."
            ) from error
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
        opened=_record(request),
    )


def _record(request: OpenModel) -> dict[str, object]:
    """Return the fields of a request that are not at their default; the normalisation stands in the card."""
    usual, told = OpenModel(request.ref), replace(request, options=dict(request.options))
    pairs = {one.name: (getattr(told, one.name), getattr(usual, one.name)) for one in fields(request)}
    changed = {name: new for name, (new, old) in pairs.items() if new != old and name != "normalize"}
    return {"ref": request.ref, **changed}


def _with_field(layer: LayerInfo, fields: Mapping[str, Any]) -> LayerInfo:
    return replace(layer, receptive_field=fields.get(layer.name))


def _in_channels(net: nn.Module) -> int:
    """Return 1 for a net of grey pictures, else 3, also where the first pass decides (a lazy convolution)."""
    return 1 if _first_channels(net) == 1 else 3


def _first_channels(net: nn.Module) -> int:
    """Return what the convolution written first takes, 0 where that is not decided yet, 3 without one."""
    first = next((module for module in net.modules() if isinstance(module, nn.Conv2d)), None)
    return first.in_channels if first is not None else 3
