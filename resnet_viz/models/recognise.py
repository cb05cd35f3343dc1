"""Which net do these tensors belong to? Family, depth, shortcut, stem and classes from keys and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resnet_viz.core.errors import CheckpointError

from .blocks import Bottleneck, NetOptions
from .registry import ModelSpec, models
from .resnet import IMAGENET_LAYOUTS

if TYPE_CHECKING:
    from .checkpoint import RawCheckpoint

FACTORY_HINT = "Open it with --factory package.module:function."
HEADS = ("linear", "classifier", "head", "last_linear")


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

    A plain net and a residual one with shortcut A have the same tensors; the residual one is
    taken unless ``arch`` says otherwise, and the result says so.

    Raises:
        CheckpointError: if no known family fits; it names what was found.
    """
    state, notes = _own_names(raw.tensors)
    spec, options = _match(state, raw.name, arch)
    warnings: list[str] = []
    floats = {key: value for key, value in state.items() if value.is_floating_point()}
    half = {value.dtype for value in floats.values()} - {torch.float32}
    if half:
        notes = (*notes, f"{', '.join(sorted(str(kind).removeprefix('torch.') for kind in half))} cast to float32")
    bad = sum(int((~torch.isfinite(value)).sum()) for value in floats.values())
    if bad:
        warnings.append(f"{bad:,} weights are NaN or infinite, so the net's answers mean nothing. Use an earlier save.")
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    params = sum(value.numel() for key, value in state.items() if not _is_buffer(key))
    parts = [spec.title]
    if spec.family == "cifar-resnet":
        parts.append(f"shortcut {options.shortcut}")
        if options.shortcut == "A" and arch is None:
            notes = (*notes, "the plain twin has the same tensors")
    if not options.batch_norm:
        parts.append("no batch norm")
    parts += [f"{options.num_classes} classes", f"{params:,} parameters", *raw.notes, *notes]
    return Recognised(spec.id, options, state, ", ".join(parts), tuple(warnings))


def _is_buffer(key: str) -> bool:
    return key.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _own_names(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Translate other people's names for the head and the 1x1 shortcut."""
    notes: list[str] = []
    if any(re.match(r"layer\d+\.\d+\.", key) for key in tensors) and "fc.weight" not in tensors:
        for head in HEADS:
            if f"{head}.weight" in tensors:
                tensors = {
                    (f"fc.{key.removeprefix(f'{head}.')}" if key.startswith(f"{head}.") else key): value
                    for key, value in tensors.items()
                }
                notes.append(f"head `{head}` read as `fc`")
                break
    renamed = {re.sub(r"^(layer\d+\.\d+)\.shortcut\.", r"\1.downsample.", key): key for key in tensors}
    return {new: tensors[old] for new, old in renamed.items()}, tuple(notes)


def _match(state: dict[str, Tensor], name: str, arch: str | None) -> tuple[ModelSpec, NetOptions]:
    if arch is not None:
        return models.get(arch), _options_for(models.get(arch), state)
    shapes = {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    for spec, options in _candidates(state):
        with torch.device("meta"):
            own = spec.build(options).state_dict()
        theirs = {key: tuple(value.shape) for key, value in own.items() if not key.endswith("num_batches_tracked")}
        if theirs == shapes:
            return spec, options
    raise CheckpointError(f"{name} is of no known family: {_summary(state)}. {FACTORY_HINT}")


def _candidates(state: dict[str, Tensor]) -> Iterator[tuple[ModelSpec, NetOptions]]:
    """Yield architectures worth comparing, the likeliest first."""
    counts = _stage_counts(state)
    if counts:
        bottleneck = any(key.endswith(".conv3.weight") for key in state)
        if len(counts) == 3 and len(set(counts)) == 1 and f"resnet{6 * counts[0] + 2}" in models:
            wanted = [f"resnet{6 * counts[0] + 2}", f"plain{6 * counts[0] + 2}"]
        else:
            depths = [
                depth
                for depth, (block, layout) in IMAGENET_LAYOUTS.items()
                if layout == tuple(counts) and (block is Bottleneck) == bottleneck
            ]
            wanted = [f"{kind}{depth}" for depth in depths for kind in ("resnet", "plain")]
        yield from ((models.get(one), _options_for(models.get(one), state)) for one in wanted if one in models)
        return
    for spec in models:
        if spec.family.startswith(("cifar", "imagenet")):
            continue
        yield spec, _options_for(spec, state)


def _stage_counts(state: dict[str, Tensor]) -> list[int]:
    """Return blocks per stage, empty if the names are not those of a ResNet."""
    stages: dict[int, int] = {}
    for key in state:
        found = re.match(r"layer(\d+)\.(\d+)\.", key)
        if found:
            stage, block = int(found[1]), int(found[2])
            stages[stage] = max(stages.get(stage, 0), block + 1)
    return [stages[stage] for stage in sorted(stages)]


def _options_for(spec: ModelSpec, state: dict[str, Tensor]) -> NetOptions:
    """Read off what a builder must be told: classes, batch norm, shortcut type."""
    options = spec.defaults
    heads = [value for key, value in state.items() if value.ndim == 2 and key.endswith("weight")]
    if heads:
        options = replace(options, num_classes=heads[-1].shape[0])
    if "resnet" in spec.family or "plain" in spec.family:
        if not any(key.endswith("running_mean") for key in state):
            options = replace(options, batch_norm=False)
        if spec.family == "cifar-resnet":
            with_convolution = any(".downsample." in key for key in state)
            options = replace(options, shortcut="B" if with_convolution else "A")
    return options


def _summary(state: dict[str, Tensor]) -> str:
    if not state:
        return "no tensors"
    counts = _stage_counts(state)
    first = next(iter(state))
    stages = f", stages of {' / '.join(map(str, counts))} blocks" if counts else ""
    return f"{len(state)} tensors, the first '{first}' {tuple(state[first].shape)}{stages}"
