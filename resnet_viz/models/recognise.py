"""Which net do these tensors belong to? Family, depth, shortcut, stem and classes from keys and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resnet_viz.core.errors import CheckpointError

from .blocks import Bottleneck, NetOptions
from .registry import ModelSpec, models
from .resnet import CIFAR_DEPTHS, IMAGENET_LAYOUTS
from .unpickle import shown

if TYPE_CHECKING:
    from .checkpoint import RawCheckpoint

FACTORY_HINT = "Open it with --factory package.module:function, naming code that builds the net."
NEARLY_HINT = "Save the net's whole state dict again, or name code that builds this net with --factory."
HEADS = ("linear", "classifier", "head", "last_linear", "output")
MAX_APART = 5
"""Tensors in which a file may differ from a net and still be called nearly one: a layer has five."""

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """A checkpoint whose family is known.

    Attributes:
        arch: architecture id.
        options: what it must be built with.
        state: tensors under our names, float32.
        found: one line for the status bar.
        warnings: sentences a person should read.
    """

    arch: str
    options: NetOptions
    state: dict[str, Tensor]
    found: str
    warnings: tuple[str, ...]


def recognise(raw: RawCheckpoint, arch: str | None = None) -> Recognised:
    """Find the architecture that fits.

    A plain net and a residual one with shortcut A have the same tensors. Unless ``arch`` says
    which, the one that is built so by default is taken, and a warning says so.

    Raises:
        CheckpointError: if no known family fits; it names what was found.
        UnknownNameError: if there is no architecture ``arch``.
    """
    state, notes = _own_names(raw.tensors)
    spec, options = _match(state, raw.name, arch)
    warnings = [] if arch is not None else _twin_warning(spec, options)
    kinds = {value.dtype for value in state.values() if value.is_floating_point()} - {torch.float32}
    if kinds:
        names = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        notes = (*notes, f"{names} cast to float32")
    # cast first: not every narrow type can be asked for NaN
    state = {
        key: value.to(torch.float32).contiguous() if value.is_floating_point() else value
        for key, value in state.items()
    }
    bad = sum(int((~torch.isfinite(value)).sum()) for value in state.values() if value.is_floating_point())
    if bad:
        what = "1 value is" if bad == 1 else f"{bad:,} values are"
        warnings.append(f"{what} NaN or infinite, so the net's answers mean nothing. Use an earlier save.")
    params = sum(value.numel() for key, value in state.items() if not key.endswith(BUFFERS))
    parts = [spec.title]
    if options.stem == "cifar" and spec.family.startswith("imagenet"):
        parts.append("3x3 stem")
    if options.stem == "imagenet" and spec.family.startswith("cifar"):
        parts.append("7x7 stem")
    if spec.family.endswith("resnet") and (spec.family == "cifar-resnet" or options.shortcut != "B"):
        parts.append(f"shortcut {options.shortcut}")
    if not options.batch_norm:
        parts.append("no batch norm")
    classes = "1 class" if options.num_classes == 1 else f"{options.num_classes} classes"
    parts += [classes, f"{params:,} parameters", *raw.notes, *notes]
    return Recognised(spec.id, options, state, ", ".join(parts), tuple(warnings))


def _twin_warning(spec: ModelSpec, options: NetOptions) -> list[str]:
    """Say that the file cannot tell a plain net from a residual one with shortcut A."""
    if spec.family.endswith("-plain"):
        twin, taken = spec.id.replace("plain", "resnet"), f"{spec.title}"
    elif spec.family.endswith("-resnet") and options.shortcut == "A":
        twin, taken = spec.id.replace("resnet", "plain"), f"{spec.title} with shortcut A"
    else:
        return []
    if twin not in models:
        return []
    title = models.get(twin).title
    return [f"{title} has the same tensors, and {taken} was taken. Add --arch {twin} if it is {title}."]


def _own_names(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Translate other people's names for the head and the 1x1 shortcut."""
    if not any(re.match(r"layer\d+\.\d+\.", key) for key in tensors):
        return dict(tensors), ()
    notes: tuple[str, ...] = ()
    head = next((one for one in HEADS if f"{one}.weight" in tensors), None)
    if head is not None and "fc.weight" not in tensors:
        tensors = {re.sub(rf"^{head}\.", "fc.", key): value for key, value in tensors.items()}
        notes = (f"head `{head}` read as `fc`",)
    renamed = {re.sub(r"^(layer\d+\.\d+)\.shortcut\.", r"\1.downsample.", key): key for key in tensors}
    return {new: tensors[old] for new, old in renamed.items()}, notes


def _match(state: dict[str, Tensor], name: str, arch: str | None) -> tuple[ModelSpec, NetOptions]:
    if arch is not None:
        return models.get(arch), _options_for(models.get(arch), state)
    shapes = {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    nearest: tuple[int, ModelSpec, dict[str, Tensor]] | None = None
    for spec in _candidates(state):
        options = _options_for(spec, state)
        with torch.device("meta"):
            own: dict[str, Tensor] = spec.build(options).state_dict()
        theirs = {key: tuple(value.shape) for key, value in own.items() if not key.endswith("num_batches_tracked")}
        if theirs == shapes:
            return spec, options
        apart = len({key for key, _ in theirs.items() ^ shapes.items()})
        if apart <= MAX_APART and (nearest is None or apart < nearest[0]):
            nearest = apart, spec, own
    if nearest is not None:
        apart, spec, own = nearest
        more = f", the first of {apart} differences" if apart > 1 else ""
        raise CheckpointError(f"{name} is nearly a {spec.title}: {misfit(own, state)}{more}. {NEARLY_HINT}")
    raise CheckpointError(f"{name} is of no known family: {_summary(state)}. {FACTORY_HINT}")


def misfit(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    """Return the first thing in which the tensors differ from what the net has, None where all fit."""
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    wrong = [key for key in own if key in state and own[key].shape != state[key].shape]
    extra = [key for key in state if key not in own]
    kind = [key for key in own if key in state and own[key].is_floating_point() != state[key].is_floating_point()]
    if wrong:
        key = wrong[0]
        return f"'{shown(key)}' is {tuple(state[key].shape)}, the net expects {tuple(own[key].shape)}"
    if missing:
        return f"it lacks '{shown(missing[0])}'"
    if extra:
        return f"the net has no '{shown(extra[0])}'"
    if kind:
        key = kind[0]
        wanted = "real" if own[key].is_floating_point() else "whole"
        return f"'{shown(key)}' holds {str(state[key].dtype).removeprefix('torch.')}, the net expects {wanted} numbers"
    return None


def _candidates(state: dict[str, Tensor]) -> Iterator[ModelSpec]:
    """Yield architectures worth comparing, the likeliest first."""
    counts = _stage_counts(state)
    if not counts:
        yield from (spec for spec in models if not spec.family.startswith(("cifar", "imagenet")))
        return
    if len(counts) == 3 and len(set(counts)) == 1:
        depth = 6 * counts[0] + 2
        wanted = [f"resnet{depth}", f"plain{depth}"]
    else:
        bottleneck = any(key.endswith(".conv3.weight") for key in state)
        depths = [
            depth
            for depth, (block, layout) in IMAGENET_LAYOUTS.items()
            if layout == counts and (block is Bottleneck) == bottleneck
        ]
        # without a convolution on the skip path a net of this family is plain, if there is such a one
        kinds = ("resnet", "plain") if _has_downsample(state) else ("plain", "resnet")
        wanted = [f"{kind}{depth}" for depth in depths for kind in kinds]
    yield from (models.get(one) for one in wanted if one in models)


def _stage_counts(state: dict[str, Tensor]) -> tuple[int, ...]:
    """Return blocks per stage, empty if the names are not those of a ResNet."""
    stages: dict[int, set[int]] = {}
    for key in state:
        found = re.match(r"layer(\d{1,3})\.(\d{1,4})\.", key)
        if found:
            stages.setdefault(int(found[1]), set()).add(int(found[2]))
    return tuple(len(stages[stage]) for stage in sorted(stages))


def _has_downsample(state: dict[str, Tensor]) -> bool:
    return any(".downsample." in key for key in state)


def _options_for(spec: ModelSpec, state: dict[str, Tensor]) -> NetOptions:
    """Read off what a builder must be told: classes, batch norm, shortcut type, stem."""
    options = spec.defaults
    head, has_norm = _head(spec.id)
    if head in state and state[head].ndim == 2:
        options = replace(options, num_classes=max(1, state[head].shape[0]))
    if has_norm and not any(key.endswith("running_mean") for key in state):
        options = replace(options, batch_norm=False)
    if spec.family in ("cifar-resnet", "imagenet-resnet"):
        options = replace(options, shortcut="B" if _has_downsample(state) else "A")
    first = state.get("conv1.weight")
    if spec.family.startswith("imagenet") and first is not None and first.shape[-1:] == (3,):
        options = replace(options, stem="cifar")
    if spec.family.startswith("cifar") and first is not None and first.shape[-1:] == (7,):
        options = replace(options, stem="imagenet")
    return options


@cache
def _head(arch: str) -> tuple[str, bool]:
    """Return the name of the last layer's weight, and whether the family has batch norm.

    Asked of the builder, since the order of names in a file means nothing.
    """
    spec = models.get(arch)
    with torch.device("meta"):
        own = spec.build(spec.defaults).state_dict()
    head = next(key for key in reversed(own) if own[key].ndim == 2)
    return head, any(key.endswith("running_mean") for key in own)


def _summary(state: dict[str, Tensor]) -> str:
    """Say in a few words what was found, so that a person can tell what it may be."""
    if not state:
        return "no tensors"
    counts = _stage_counts(state)
    if counts:
        first, head = state.get("conv1.weight"), state.get("fc.weight")
        parts = [f"stages of {' / '.join(map(str, counts))} blocks"]
        if first is not None and first.ndim == 4:
            parts.append(f"a {first.shape[2]}x{first.shape[3]} stem of {first.shape[0]} channels")
        if head is not None and head.ndim == 2:
            parts.append(f"{head.shape[0]} classes")
        if len(counts) == 3 and len(set(counts)) == 1 and 6 * counts[0] + 2 not in CIFAR_DEPTHS:
            parts.append(f"depth {6 * counts[0] + 2}, known are {', '.join(map(str, CIFAR_DEPTHS))}")
        return f"a ResNet with {', '.join(parts)}"
    first_key = next(iter(state))
    return f"{len(state)} tensors, the first '{shown(first_key)}' {tuple(state[first_key].shape)}"
