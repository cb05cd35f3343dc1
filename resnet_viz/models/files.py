"""What kind of file is this, and is it safe to hand on? Looked at before anything is loaded."""

from __future__ import annotations

import stat
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors.torch import load_file

from resnet_viz.core.errors import CheckpointError

from .unpickle import MAX_PICKLE_BYTES, SAVE_STATE, damaged, rehearse_archive, rehearse_legacy

MAX_FILE_BYTES = 2 * 1024**3
MAX_ENTRIES = 100_000
# torch.save never compresses; an archive that grows more than this while it unpacks is a bomb
MAX_GROWTH, ALWAYS_ALLOWED_BYTES = 8, 64 * 1024**2

# A "best accuracy" saved as a NumPy float is common and harmless; nothing else is let through.
# NumPy before 2.0 wrote the same function under another name.
_SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]
_SAFE = [_SCALAR, (_SCALAR, "numpy.core.multiarray.scalar"), np.dtype, np.dtypes.Float64DType]

_OTHERS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the weights with git lfs pull"),
)


def load_any(path: Path) -> object:
    """Load ``.safetensors``, ``.pt``, ``.pth`` or ``.th`` by its content; its name does not matter.

    Returns:
        What was saved: plain values and tensors on the CPU.

    Raises:
        CheckpointError: if the file is missing, damaged, too large, no checkpoint, or hostile.
    """
    name = path.name
    try:
        # a pipe or a device has no size and would be waited for
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise CheckpointError(f"{name} is no ordinary file. Choose a checkpoint or a run's folder.")
        with open(path, "rb") as file:
            head = file.read(512)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid name"
        raise CheckpointError(f"{name} cannot be read ({reason}). Check the path.") from error
    if info.st_size == 0:
        raise CheckpointError(f"{name} is empty. Download or copy it again.")
    if info.st_size > MAX_FILE_BYTES:
        raise CheckpointError(f"{name} is larger than 2 GiB. Save the weights alone, without optimizer state.")
    if head[8:9] == b"{" and head[:2] != b"PK":  # a length of 8 bytes, then JSON
        return _load_safetensors(path)
    what = _other_kind(head)
    if what is not None:
        raise CheckpointError(f"{name} is not a checkpoint but {what}. Choose or download the file itself.")
    return _load_pickle(path, info.st_size, head)


def _other_kind(head: bytes) -> str | None:
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return what
    text = head.lstrip()
    if text[:1] == b"<" and b"\0" not in head:
        return "a web page"
    if text and not any(byte < 9 or 13 < byte < 32 or byte > 126 for byte in head) and len(head) > 1:
        return "text"
    return None


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        # copied, so that nothing looks into the file after this: it may be replaced under us
        return {key: value.clone() for key, value in load_file(path).items()}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the reader is Rust: its panics are no Exception
        raise CheckpointError(damaged(path.name)) from error


def _load_pickle(path: Path, size: int, head: bytes) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old formats: nothing the reader could act on
        try:
            # the open file and not the path, whose ending torch.load would believe
            with open(path, "rb") as file, torch.serialization.safe_globals(_SAFE):
                if head.startswith(b"PK"):
                    _check_archive(file, size, path.name)
                else:
                    rehearse_legacy(file, size, path.name)
                file.seek(0)
                return torch.load(file, map_location="cpu", weights_only=True)
        except CheckpointError:
            raise
        except Exception as error:  # damaged and hostile files raise a dozen kinds
            if "Weights only load failed" in str(error):
                raise CheckpointError(
                    f"{path.name} holds more than tensors and plain values, which is refused. {SAVE_STATE}"
                ) from error
            raise CheckpointError(damaged(path.name)) from error


def _check_archive(file: BinaryIO, size: int, name: str) -> None:
    """Refuse archives that unpack to far more than they should, before anything is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            unzipped = sum(entry.file_size for entry in archive.infolist())
            if len(archive.infolist()) > MAX_ENTRIES:
                raise CheckpointError(f"{name} has more than {MAX_ENTRIES:,} entries. {SAVE_STATE}")
            if len({key.lower() for key in entries}) < len(archive.infolist()):
                # torch finds entries without regard to case: it might read another than was looked at
                raise CheckpointError(f"{name} holds two entries of one name, which is refused. {SAVE_STATE}")
            if unzipped > MAX_FILE_BYTES or unzipped > MAX_GROWTH * size + ALWAYS_ALLOWED_BYTES:
                raise CheckpointError(f"{name} unpacks to {unzipped / 1e9:,.1f} GB, far too much. {SAVE_STATE}")
            if any(key.endswith("/constants.pkl") for key in entries):
                raise CheckpointError(f"{name} is a TorchScript program, which is refused. {SAVE_STATE}")
            pickles = [key for key in entries if key.endswith("/data.pkl") and key.count("/") == 1]
            if len(pickles) != 1:
                raise CheckpointError(
                    f"{name} is a zip archive but no checkpoint. Unpack it, and open what lies inside."
                )
            if entries[pickles[0]].file_size > MAX_PICKLE_BYTES:
                raise CheckpointError(f"{name} holds far more than tensors. {SAVE_STATE}")
            pickled = archive.read(pickles[0])
    except CheckpointError:
        raise
    except Exception as error:  # BadZipFile, EOFError, NotImplementedError, zlib.error and more
        raise CheckpointError(damaged(name)) from error
    folder = pickles[0].removesuffix("data.pkl") + "data/"
    sizes = {key.removeprefix(folder): entry.file_size for key, entry in entries.items() if key.startswith(folder)}
    rehearse_archive(pickled, sizes, name)
