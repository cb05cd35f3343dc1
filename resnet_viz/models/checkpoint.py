"""Reading checkpoints from strangers: data only, capped, and one sentence for whatever is wrong."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from resnet_viz.core.errors import CheckpointError

from .registry import models

MAX_FILE_BYTES = 2 * 1024**3
MAX_UNZIPPED_BYTES = 3 * 1024**3
MAX_ELEMENTS = 700_000_000
MAX_ENTRIES = 100_000

CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "ema", "state_dict_ema")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")

# A "best accuracy" saved as a NumPy scalar is common and harmless; nothing else is let through.
_SAFE = [np._core.multiarray.scalar, np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType]  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class RawCheckpoint:
    """Tensors as they stand in a file, containers and prefixes taken off.

    Attributes:
        tensors: by parameter name.
        meta: plain values that stood beside them, such as an epoch.
        notes: what was done to get here: "prefix `module.` stripped".
        name: the file's name, for messages.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, object]
    notes: tuple[str, ...]
    name: str = "the checkpoint"


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
            raise CheckpointError(f"{path.name} holds no weights.safetensors. Choose a run's folder, or a file.")
        path = inside
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({error.strerror}). Check the path.") from error
    if size == 0:
        raise CheckpointError(f"{path.name} is empty. Download or copy it again.")
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"{path.name} is larger than 2 GiB. Save the weights alone, without optimizer state.")
    if head.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path.name} is a web page, not a checkpoint. Download the file itself.")
    loaded = _load_safetensors(path) if _is_safetensors(path, head) else _load_pickle(path)
    tensors, meta, notes = _unwrap(loaded, path.name)
    _check_tensors(tensors, path.name)
    tensors, stripped = _strip(tensors)
    return RawCheckpoint(tensors, meta, (*notes, *stripped), path.name)


def _is_safetensors(path: Path, head: bytes) -> bool:
    # an 8-byte little-endian length and then a JSON object; a pickle or zip never looks so
    return path.suffix.lower() == ".safetensors" or (len(head) > 9 and head[8:9] == b"{" and head[:2] != b"PK")


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except (
        SafetensorError,
        ValueError,
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise CheckpointError(_damaged(path.name)) from error


def _damaged(name: str) -> str:
    return f"{name} is damaged or no checkpoint. Download or copy it again."


def _load_pickle(path: Path) -> object:
    _check_zip(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old formats: nothing the reader could act on
        try:
            with torch.serialization.safe_globals(_SAFE):
                return torch.load(path, map_location="cpu", weights_only=True)
        except CheckpointError:
            raise
        except Exception as error:  # truncated, HTML, empty and hostile files raise a dozen kinds
            raise CheckpointError(_why_refused(path, error)) from error


def _check_zip(path: Path) -> None:
    """Refuse archives that unpack to far more than they should, before anything is unpacked."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise CheckpointError(_damaged(path.name)) from error
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNZIPPED_BYTES:
        raise CheckpointError(f"{path.name} unpacks to more than 3 GiB. Save the weights alone.")


def _why_refused(path: Path, error: Exception) -> str:
    name = path.name
    if "Unsupported global" in str(error) or "Unsupported class" in str(error) or "Unsupported operand" in str(error):
        names: list[str] = []
        try:
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except Exception:  # old formats cannot be searched; the sentence then goes without names
            names = []
        asks = f" ({', '.join(names[:3])})" if names else ""
        return (
            f"{name} asks for code to be run{asks}, which is refused; nothing of it ran. "
            "Save the state dict alone: torch.save(net.state_dict(), file)."
        )
    return _damaged(name)


def _unwrap(loaded: object, name: str) -> tuple[dict[str, Tensor], dict[str, object], tuple[str, ...]]:
    """Take a state dict out of the containers that training scripts put around it."""
    notes: list[str] = []
    meta: dict[str, object] = {}
    for _depth in range(4):
        if not isinstance(loaded, Mapping):
            break
        if any(isinstance(value, Tensor) for value in loaded.values()) and not any(
            isinstance(loaded.get(key), Mapping) for key in CONTAINERS
        ):
            tensors = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}
            return tensors, meta, tuple(notes)
        inner = next((key for key in CONTAINERS if isinstance(loaded.get(key), Mapping)), None)
        if inner is None:
            break
        meta |= {str(key): value for key, value in loaded.items() if isinstance(value, (int, float, str))}
        notes.append(f"container `{inner}` opened")
        loaded = loaded[inner]
    raise CheckpointError(f"{name} holds no state dict. Save one with torch.save(net.state_dict(), file).")


def _check_tensors(tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse views that pretend to be larger than the file, before anything copies them."""
    total = 0
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            raise CheckpointError(f"{name}: '{key}' is no plain tensor. Save a state dict of dense tensors.")
        total += tensor.numel()
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes() or total > MAX_ELEMENTS:
            raise CheckpointError(f"{name}: '{key}' claims more values than the file holds. It is refused.")


def _strip(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take off what wrappers put before every name: DataParallel, torch.compile."""
    notes = []
    stripped = True
    while stripped and tensors:
        stripped = False
        for prefix in PREFIXES:
            if all(key.startswith(prefix) for key in tensors):
                tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
                notes.append(f"prefix `{prefix}` stripped")
                stripped = True
    return tensors, tuple(dict.fromkeys(notes))


def load_checkpoint(path: Path, arch: str | None = None) -> tuple[nn.Module, Recognised]:
    """Open a checkpoint of a known family.

    Args:
        path: file or run folder.
        arch: architecture to take instead of the recognised one, for example ``"plain20"``.

    Returns:
        The net in eval mode with its weights, and what was recognised.

    Raises:
        CheckpointError: if it cannot be read or fits no known family.
    """
    found = recognise(read_state(path), arch)
    with torch.device("meta"):
        net = models.get(found.arch).build(found.options)
    # shapes are compared on the meta device, before a byte is copied
    own = net.state_dict()
    name = Path(path).name
    for key, value in found.state.items():
        if key not in own:
            raise CheckpointError(f"{name}: '{key}' is no layer of {found.arch}. {FACTORY_HINT}")
        if own[key].shape != value.shape:
            raise CheckpointError(
                f"{name}: '{key}' is {tuple(value.shape)}, {found.arch} expects {tuple(own[key].shape)}. {FACTORY_HINT}"
            )
    missing = [key for key in own if key not in found.state and not key.endswith("num_batches_tracked")]
    if missing:
        raise CheckpointError(f"{name} lacks '{missing[0]}' of {found.arch}. {FACTORY_HINT}")
    # a missing counter of batches is harmless; it only matters for cumulative averages
    state = {key: found.state.get(key, torch.zeros(value.shape, dtype=value.dtype)) for key, value in own.items()}
    net.load_state_dict(state, assign=True)
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    return net.eval(), found


from .recognise import FACTORY_HINT, Recognised, recognise  # noqa: E402 - recognise needs RawCheckpoint
