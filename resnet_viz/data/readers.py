"""Data set files that hold many pictures each: CIFAR's batches, IDX files, .npz arrays, contact sheets.

Every reader returns arrays of bytes and labels, and checks sizes before it reserves memory:
such files come from the internet like any other.
"""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet_viz.core.errors import DataError
from resnet_viz.core.types import I64, U8

from . import safe_pickle
from .images import load_image

MAX_BYTES = 4 * 1024**3
"""Most memory that one data set may take."""

TILE_PX = 32
SHEET_PX = 3200  # width of a contact sheet: 100 tiles a row


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Pictures of one size with their labels.

    Attributes:
        images: uint8 (N, H, W, C), C is 3 or 1.
        labels: int64 (N,).
        classes: names by label, empty if the files do not say.
    """

    images: U8
    labels: I64
    classes: tuple[str, ...] = ()


def cifar_python(folder: Path, split: str) -> Arrays | None:
    """Read CIFAR-10's or CIFAR-100's "python version" (pickles); None if ``folder`` is no such folder."""
    names, key = _cifar_files(folder, split, "data_batch_{}", "test_batch", ("train", "test", "meta"), "")
    if not names:
        return None
    images, labels = [], []
    for name in names:
        batch = safe_pickle.read_batch(folder / name)
        data, found = batch.get("data"), batch.get(key)
        if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != 3072 or not isinstance(found, list):
            raise DataError(f"{name} holds no CIFAR pictures. Get the file again.")
        images.append(_planes_to_pixels(data))
        labels.append(_labels(found, len(data), name))
    return Arrays(np.concatenate(images), np.concatenate(labels))


def cifar_binary(folder: Path, split: str) -> Arrays | None:
    """Read CIFAR-10's or CIFAR-100's "binary version"; None if ``folder`` is no such folder."""
    names, key = _cifar_files(folder, split, "data_batch_{}.bin", "test_batch.bin", ("train", "test"), ".bin")
    if not names:
        return None
    images, labels = [], []
    before = 2 if key == "fine_labels" else 1  # CIFAR-100 has the coarse label first
    for name in names:
        raw = _read(folder / name, safe_pickle.MAX_FILE_BYTES)
        if not raw or len(raw) % (before + 3072):
            raise DataError(f"{name} is cut short or no CIFAR file. Get the file again.")
        rows = np.frombuffer(raw, np.uint8).reshape(-1, before + 3072)
        images.append(_planes_to_pixels(rows[:, before:]))
        labels.append(rows[:, before - 1].astype(np.int64))
    return Arrays(np.concatenate(images), np.concatenate(labels))


def _cifar_files(
    folder: Path, split: str, train: str, test: str, hundred: tuple[str, ...], suffix: str
) -> tuple[list[str], str]:
    """Return a part's files and the name of its labels, no files if the folder is something else."""
    if (folder / test).is_file() or (folder / train.format(1)).is_file():
        ten = [test] if split == "test" else [train.format(number) for number in range(1, 6)]
        missing = [name for name in ten if not (folder / name).is_file()]
        if missing:
            raise DataError(f"{folder.name} lacks {', '.join(missing)}. Get the data set again.")
        return ten, "labels"
    if all((folder / (name + suffix)).is_file() for name in hundred):
        return [("test" if split == "test" else "train") + suffix], "fine_labels"
    return [], ""


def _planes_to_pixels(rows: NDArray[np.uint8]) -> U8:
    """Turn (N, 3072), planes of red, green and blue, into (N, 32, 32, 3)."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def idx(folder: Path, split: str) -> Arrays | None:
    """Read MNIST-style IDX files, packed with gzip or not; None if ``folder`` holds none."""
    prefix = "t10k" if split == "test" else "train"
    paths = []
    for kind in ("images-idx3", "labels-idx1"):
        names = [f"{prefix}-{kind}-ubyte{packed}" for packed in ("", ".gz")]
        names += [name.replace("-idx", ".idx") for name in names]  # some mirrors write a dot
        paths.append(next((folder / name for name in names if (folder / name).is_file()), None))
    if paths[0] is None or paths[1] is None:
        return None
    images, labels = _idx_array(paths[0], 3), _idx_array(paths[1], 1)
    if len(images) != len(labels):
        raise DataError(f"{paths[0].name} has {len(images)} pictures, {paths[1].name} {len(labels)}. Get both again.")
    return Arrays(images[:, :, :, None], labels.astype(np.int64))


def _idx_array(path: Path, dimensions: int) -> U8:
    raw = _read(path, MAX_BYTES // 8)
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:4] != bytes([0, 0, 8, dimensions]):
        raise DataError(f"{path.name} is no IDX file of bytes. Get the file again.")
    shape = tuple(int(side) for side in np.frombuffer(raw[4:header], ">u4"))
    if len(raw) != header + math.prod(shape):
        raise DataError(f"{path.name} is cut short or damaged. Get the file again.")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _read(path: Path, cap: int) -> bytes:
    """Read a file, unpacked if it is gzip, of at most ``cap`` bytes."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as stream:
            raw: bytes = stream.read(cap + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "damaged"
        raise DataError(f"{path.name} cannot be read ({reason}). Get the file again.") from error
    if len(raw) > cap:
        raise DataError(f"{path.name} holds more than {cap / 1e6:,.0f} MB. Use a smaller data set.")
    return raw


def npz(path: Path) -> Arrays:
    """Read ``images`` uint8 (N, H, W[, C]), ``labels`` (N,) and ``classes`` (optional) from a .npz file.

    Raises:
        DataError: if it is no such file; Python objects in it are never unpickled.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
                raise DataError(f"{path.name} unpacks to more than {MAX_BYTES / 2**30:.0f} GB. Use a smaller data set.")
            for info in archive.infolist():
                _check_array(archive, info)
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in ("images", "labels") if name not in file]
            if missing:
                raise DataError(f"{path.name} lacks the array '{missing[0]}'. Save images, labels and classes in it.")
            images, labels = file["images"], file["labels"]
            classes = tuple(str(name) for name in file["classes"]) if "classes" in file else ()
    except DataError:
        raise
    except Exception as error:  # zipfile and numpy raise anything from KeyError to zlib.error on damaged bytes
        raise DataError(f"{path.name} is no readable .npz file. Save it again with numpy.savez.") from error
    if images.ndim == 3:
        images = images[:, :, :, None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        found = f"{images.dtype} {images.shape}"
        raise DataError(f"'images' in {path.name} is {found}. Save it as uint8 (N, height, width, 3).")
    if not (len(images) and images.shape[1] and images.shape[2]):
        raise DataError(f"{path.name} holds no pictures. Save some in it.")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"'labels' in {path.name} is no list of whole numbers. Save it as int64 (N,).")
    return Arrays(np.ascontiguousarray(images), _labels(labels.tolist(), len(images), path.name), classes)


def _check_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Compare the size that an array claims with the bytes it has, before NumPy reserves memory."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > info.file_size:
        raise ValueError("an array that is larger than its file, or holds Python objects")


def sheet_count(path: Path, size: tuple[int, int]) -> int:
    """Return how many tiles a contact sheet of ``size`` (width, height) holds, 0 if it is none."""
    width, height = size
    if path.suffix.lower() != ".webp" or width != SHEET_PX or height % TILE_PX:
        return 0
    return (width // TILE_PX) * (height // TILE_PX)


def sheet_tiles(path: Path) -> U8:
    """Cut a contact sheet into its tiles, uint8 (N, 32, 32, 3), row by row."""
    pixels = load_image(path).pixels
    rows, columns = pixels.shape[0] // TILE_PX, pixels.shape[1] // TILE_PX
    grid = pixels.reshape(rows, TILE_PX, columns, TILE_PX, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(-1, TILE_PX, TILE_PX, 3))


def _labels(found: list[object], count: int, name: str) -> I64:
    if len(found) != count or not all(isinstance(label, int) and 0 <= label < 100_000 for label in found):
        raise DataError(f"The labels in {name} do not fit its {count} pictures. Get the file again.")
    return np.array(found, np.int64)
