"""Reading checkpoints from strangers: data only, capped, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from resnet_viz.core.errors import CheckpointError

from .blocks import ACTIVATIONS, NetOptions
from .files import load_any
from .recognise import FACTORY_HINT, Recognised, misfit, recognise
from .registry import models
from .unpickle import NUMBER_DTYPES, SAVE_STATE, shown

__all__ = ["RawCheckpoint", "Recognised", "load_checkpoint", "read_state", "recognise"]

MAX_ELEMENTS = 700_000_000
MAX_NESTING = 4
MAX_TENSORS = 20_000
"""Most tensors of a checkpoint; the deepest net here has 932, and PyTorch takes 0.1 ms for each."""

CONTAINERS = (
    "state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "module",
    "ema_state_dict", "state_dict_ema", "model_ema", "ema",
)  # fmt: skip
"""Keys under which training scripts put a state dict; averaged weights only where nothing else is."""

WRAPPERS = ("module", "_orig_mod")
"""What DataParallel and torch.compile put into names, also in the middle of one."""

PREFIXES = ("model.", "net.", "network.", "encoder.", "backbone.")
"""What training frameworks put before every name."""


@dataclass(frozen=True, slots=True, eq=False)
class RawCheckpoint:
    """Tensors as they stand in a file, containers and prefixes taken off.

    Attributes:
        tensors: by parameter name.
        meta: plain values that stood beside them, such as an epoch.
        notes: what was done to get here: "prefix `module.` stripped".
        name: the file's name, for messages.
        as_saved: the same tensors under the names in the file.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, object]
    notes: tuple[str, ...]
    name: str = "the checkpoint"
    as_saved: dict[str, Tensor] = field(default_factory=dict)


def read_state(path: Path) -> RawCheckpoint:
    """Read a state dict from ``.safetensors``, ``.pt``, ``.pth``, ``.th`` or a run's folder.

    Nothing in the file is ever run: pickles are read with ``weights_only=True``.

    Raises:
        CheckpointError: if it is damaged, too large, no checkpoint, or asks for code to be run.
    """
    path = Path(path)
    if path.is_dir():
        inside = path / "weights.safetensors"
        if not inside.is_file():
            raise CheckpointError(f"{_name(path)} holds no weights.safetensors. Choose a run's folder, or a file.")
        path = inside
    _check_header(path)
    with torch.serialization.safe_globals(NUMBER_DTYPES):
        loaded = load_any(path)
    found, meta, opened = _unwrap(loaded, path.name)
    _check_tensors(found, path.name)
    tensors, stripped = _strip(found)
    return RawCheckpoint(tensors, meta, (*stripped, *opened), path.name, found)


def _name(path: Path) -> str:
    """Return what to call a file or folder, also one given as "." or "/"."""
    return path.name or path.resolve().name or str(path)


def _check_header(path: Path) -> None:
    """Refuse a ``.safetensors`` file of far too many tensors before its reader makes an object of each."""
    try:
        if not path.is_file():
            return
        with open(path, "rb") as file:
            head = file.read(9)
            if head[8:] != b"{" or head[:2] == b"PK":
                return
            # its reader allows 100 MB; a record opens a brace for itself, and so may a name
            count = file.read(min(int.from_bytes(head[:8], "little"), 100_000_000)).count(b"{")
    except (OSError, ValueError):
        return  # load_any says what is wrong
    if count > MAX_TENSORS + 1:
        raise CheckpointError(_too_many(path.name))


def _too_many(name: str) -> str:
    return f"{name} holds more than {MAX_TENSORS:,} tensors, far more than a net here has. {SAVE_STATE}"


def _unwrap(loaded: object, name: str) -> tuple[dict[str, Tensor], dict[str, object], tuple[str, ...]]:
    """Take a state dict out of the containers that training scripts put around it."""
    notes: list[str] = []
    meta: dict[str, object] = {}
    for _ in range(MAX_NESTING):
        if not isinstance(loaded, Mapping):
            break
        inner = _container(loaded)
        if inner is None:
            tensors = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}
            if not tensors:
                break
            return tensors, meta, tuple(notes)
        meta |= {str(key): value for key, value in loaded.items() if isinstance(value, (int, float, str))}
        notes.append(f"container `{shown(inner)}` opened")
        loaded = loaded[inner]
    raise CheckpointError(f"{name} holds no state dict. {SAVE_STATE}")


def _container(loaded: Mapping[object, object]) -> object:
    """Return the key under which the weights lie, None where they lie here."""
    for key in CONTAINERS:
        if isinstance(loaded.get(key), Mapping) and loaded[key]:
            return key
    if any(isinstance(value, Tensor) and value.ndim for value in loaded.values()):
        return None
    # a name of somebody's own, where there is no doubt which one is meant
    full = [
        key
        for key, value in loaded.items()
        if isinstance(value, Mapping) and value and all(isinstance(item, Tensor) for item in value.values())
    ]
    return full[0] if len(full) == 1 else None


def _check_tensors(tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse views that pretend to be larger than the file, before anything copies them."""
    if len(tensors) > MAX_TENSORS:
        raise CheckpointError(_too_many(name))
    total = 0
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized or tensor.is_complex():
            raise CheckpointError(f"{name}: '{shown(key)}' is no plain tensor. Save a state dict of dense tensors.")
        total += tensor.numel()
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes() or total > MAX_ELEMENTS:
            raise CheckpointError(f"{name}: '{shown(key)}' claims more values than the file holds. {SAVE_STATE}")


def _strip(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take off what wrappers put into names: DataParallel, torch.compile, training frameworks."""
    notes: dict[str, None] = {}
    while tensors:
        prefix = next((one for one in PREFIXES if all(key.startswith(one) for key in tensors)), None)
        if prefix is not None:
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
            notes[prefix] = None
            continue
        cleaned = {".".join(part for part in key.split(".") if part not in WRAPPERS): key for key in tensors}
        if "" in cleaned or len(cleaned) < len(tensors) or list(cleaned) == list(tensors):
            break  # nothing to strip, or two names would become one
        for key in tensors:
            notes |= {f"{part}.": None for part in key.split(".") if part in WRAPPERS}
        # the averaging wrapper's counter is no weight of the net
        tensors = {new: tensors[old] for new, old in cleaned.items() if new != "n_averaged"}
    return tensors, tuple(f"prefix `{prefix}` stripped" for prefix in notes)


def load_checkpoint(
    path: Path, arch: str | None = None, options: Mapping[str, object] | None = None
) -> tuple[nn.Module, Recognised]:
    """Open a checkpoint of a known family.

    Args:
        path: file or run folder; a folder's ``card.json`` names the architecture.
        arch: architecture to take instead, for example ``"plain20"``.
        options: what no weight tells, ``shortcut`` and ``activation`` of
            :class:`.blocks.NetOptions`; by default what the folder's ``card.json`` says.

    Returns:
        The net in eval mode with its weights, and what was recognised.

    Raises:
        CheckpointError: if it cannot be read or fits no known family.
        UnknownNameError: if there is no architecture ``arch``.
    """
    path = Path(path)
    card = _card_of_run(path)
    own_arch = card.get("arch")
    if options is None and arch in (None, own_arch):
        listed = card.get("options")
        options = listed if isinstance(listed, Mapping) else None
    arch = arch or (str(own_arch) if own_arch else None)
    raw = read_state(path)
    found = recognise(raw, arch)
    found = replace(found, options=_with_hidden(found.options, options or {}))
    with torch.device("meta"):
        net = models.get(found.arch).build(found.options)
    # shapes are compared on the meta device, before a byte is copied
    own = net.state_dict()
    found = replace(found, state=_counted(own, found.state))
    problem = misfit(own, found.state)
    if problem is not None:
        raise CheckpointError(f"{_name(path)} does not fit {found.arch}: {problem}. {_next_step(raw, arch)}")
    # a missing counter of batches is harmless; it only matters for cumulative averages
    state = {key: found.state.get(key, torch.zeros(value.shape, dtype=value.dtype)) for key, value in own.items()}
    net.load_state_dict(state, assign=True)
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    return net.eval(), found


def load_into(net: nn.Module, path: Path, title: str) -> tuple[str, ...]:
    """Fill a net of no known family, made by a factory, from a checkpoint.

    Args:
        net: its weights are replaced; left as they were if the file does not fit.
        path: file or run folder.
        title: what the net is called in messages.

    Returns:
        Notes of what was done to the names.

    Raises:
        CheckpointError: if the file cannot be read, or does not fit the net.
    """
    raw = read_state(path)
    own = {key: value for key, value in net.state_dict().items() if isinstance(value, Tensor)}
    # a net may really have a layer called `module`: its own names go before cleaned ones
    state = _counted(own, raw.as_saved)
    as_saved = misfit(own, state) is None
    if not as_saved:
        state = _counted(own, raw.tensors)
    problem = misfit(own, state)
    if problem is not None:
        raise CheckpointError(
            f"{raw.name} does not fit {title}: {problem}. Choose the checkpoint that was saved from this net."
        )
    # not strict: what is no tensor was left out above, and all else is known to fit
    net.load_state_dict({key: state.get(key, value) for key, value in own.items()}, strict=False)
    return () if as_saved else raw.notes


def _counted(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, counters as whole numbers again where ``.float()`` was called on a whole state dict."""
    found = dict(state)
    for key, value in state.items():
        counts = key in own and not own[key].is_floating_point() and own[key].dtype != torch.bool
        if counts and value.is_floating_point() and value.numel():
            # above 2^53 not even float64 holds every whole number
            exact = value.double()
            if bool((exact == exact.round()).all()) and float(exact.abs().max()) <= 2**53:
                found[key] = value.to(own[key].dtype)
    return found


def _next_step(raw: RawCheckpoint, arch: str | None) -> str:
    """Return what to do about a misfit: the architecture that would fit, or a factory."""
    if arch is not None:
        try:
            other = models.get(recognise(raw).arch)
        except CheckpointError:
            return FACTORY_HINT
        if other.id != arch:
            return f"Choose {other.title}: --arch {other.id}."
    return FACTORY_HINT


def _card_of_run(path: Path) -> Mapping[str, object]:
    """Return a run's ``card.json``, its ``arch`` only if there is such an architecture; empty for a bare file."""
    file = path / "card.json"
    try:
        card = json.loads(file.read_text(encoding="utf-8")) if path.is_dir() and file.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is damaged. Restore it, or open weights.safetensors itself.") from error
    if not isinstance(card, dict):
        return {}
    arch = card.get("arch")
    return {**card, "arch": arch if isinstance(arch, str) and arch in models else None}


def _with_hidden(options: NetOptions, given: Mapping[str, object]) -> NetOptions:
    """Put in what no weight tells: the activation, and whether a net has parameter-free skips."""
    activation, shortcut = given.get("activation"), given.get("shortcut")
    if isinstance(activation, str) and activation in ACTIVATIONS:
        options = replace(options, activation=activation)  # type: ignore[arg-type]
    if shortcut in ("A", "none") and options.shortcut in ("A", "none"):
        options = replace(options, shortcut=shortcut)
    return options
