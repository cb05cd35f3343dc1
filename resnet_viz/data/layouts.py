"""How data sets lie on disk: finding out which layout a folder has, and one way to read them all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from resnet_viz.core.errors import DataError, PictureError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, ImageInput

from . import labels as names
from . import readers
from .images import SUFFIXES, load_image, load_thumbnail, natural_key, shrink, size_of

SPLITS = {"test": ("test", "val", "valid", "validation"), "train": ("train", "training")}
"""Folder names that mean each part of a data set."""


class Source(Protocol):
    """Pictures that can be fetched one by one.

    Attributes:
        title: for people.
        classes: names by label; empty where nothing is labelled.
        labels: int64 (N,), -1 where there is none.
        part: ``"test"``, ``"train"``, or empty where the folder knows no parts.
        skipped: one sentence for each picture that is known beforehand not to be there.
    """

    title: str
    classes: tuple[str, ...]
    labels: I64
    part: str
    skipped: tuple[str, ...]

    def item(self, index: int) -> ImageInput:
        """Return one picture, decoded; raises PictureError if it cannot be read."""
        ...

    def thumbnail(self, index: int, side: int) -> U8:
        """Return one picture at most ``side`` pixels long, (H, W, 3); raises PictureError."""
        ...

    def name(self, index: int) -> str:
        """Return what one picture is called."""
        ...

    def stack(self, token: CancelToken) -> U8 | None:
        """Return all pictures (N, H, W, 3) where they are known to have one size, else None."""
        ...


class _Labelled:
    skipped: tuple[str, ...] = ()

    def __init__(self, title: str, classes: tuple[str, ...], labels: I64, part: str) -> None:
        self.title, self.classes, self.labels, self.part = title, classes, labels, part

    def label(self, index: int) -> str | None:
        number = int(self.labels[index])
        return self.classes[number] if 0 <= number < len(self.classes) else None


class FileSource(_Labelled):
    """One file per picture."""

    def __init__(self, title: str, paths: list[Path], classes: tuple[str, ...], labels: I64, part: str = "") -> None:
        super().__init__(title, classes, labels, part)
        self.paths = paths

    def item(self, index: int) -> ImageInput:
        """See :class:`Source`."""
        image = load_image(self.paths[index])
        return ImageInput(image.pixels, image.source, image.note, image.path, self.label(index))

    def thumbnail(self, index: int, side: int) -> U8:
        """See :class:`Source`."""
        return load_thumbnail(self.paths[index], side)

    def name(self, index: int) -> str:
        """See :class:`Source`."""
        return self.paths[index].name

    def stack(self, token: CancelToken) -> U8 | None:
        """See :class:`Source`."""
        return None


class ArraySource(_Labelled):
    """All pictures in memory."""

    def __init__(self, title: str, arrays: readers.Arrays, classes: tuple[str, ...], part: str) -> None:
        super().__init__(title, classes, arrays.labels, part)
        self.images = arrays.images

    def item(self, index: int) -> ImageInput:
        """See :class:`Source`."""
        pixels = np.array(np.broadcast_to(self.images[index], (*self.images.shape[1:3], 3)), order="C")
        return ImageInput(pixels, self.name(index), label=self.label(index))

    def thumbnail(self, index: int, side: int) -> U8:
        """See :class:`Source`."""
        return shrink(self.item(index).pixels, side)

    def name(self, index: int) -> str:
        """See :class:`Source`."""
        return f"{self.title} {index}"

    def stack(self, token: CancelToken) -> U8 | None:
        """See :class:`Source`."""
        return np.array(np.broadcast_to(self.images, (*self.images.shape[:3], 3)), order="C")


class SheetSource(_Labelled):
    """One contact sheet per class; a sheet is decoded when its first picture is wanted, then kept."""

    def __init__(self, title: str, sheets: list[tuple[Path, int]], classes: tuple[str, ...], part: str) -> None:
        counts = [count for _, count in sheets]
        super().__init__(title, classes, np.repeat(np.arange(len(sheets)), counts).astype(np.int64), part)
        self.places = np.concatenate([np.arange(count) for count in counts])
        self._paths = [path for path, _ in sheets]
        self._tiles: dict[int, U8] = {}

    def _sheet(self, number: int) -> U8:
        if number not in self._tiles:
            self._tiles[number] = readers.sheet_tiles(self._paths[number])
        return self._tiles[number]

    def item(self, index: int) -> ImageInput:
        """See :class:`Source`."""
        tile = self._sheet(int(self.labels[index]))[self.places[index]]
        return ImageInput(tile.copy(), self.name(index), label=self.label(index))

    def thumbnail(self, index: int, side: int) -> U8:
        """See :class:`Source`."""
        return shrink(self.item(index).pixels, side)

    def name(self, index: int) -> str:
        """See :class:`Source`."""
        return f"{self.label(index)} {self.places[index]:04d}"

    def stack(self, token: CancelToken) -> U8 | None:
        """See :class:`Source`."""
        sheets = []
        for path in self._paths:
            token.check()
            sheets.append(readers.sheet_tiles(path))
        return np.concatenate(sheets)


def open_arrays(folder: Path, split: str, known: str = "") -> Source | None:
    """Open .npz arrays, CIFAR's batches or IDX files; None if the folder holds none of them.

    Args:
        folder: the folder, or one .npz file.
        split: ``"test"`` or ``"train"``.
        known: id of the data set where the caller knows it; decides about class names.
    """
    if folder.suffix == ".npz" and folder.is_file():
        return _array_source(readers.npz(folder), folder.stem, "", known)
    if (folder / f"{split}.npz").is_file():
        return _array_source(readers.npz(folder / f"{split}.npz"), folder.name, split, known)
    for inside in ("", "cifar-10-batches-py", "cifar-100-python"):
        if (found := readers.cifar_python(folder / inside, split)) is not None:
            return _array_source(found, folder.name, split, known or _cifar_id(folder / inside))
    for inside in ("", "cifar-10-batches-bin", "cifar-100-binary"):
        if (found := readers.cifar_binary(folder / inside, split)) is not None:
            return _array_source(found, folder.name, split, known or _cifar_id(folder / inside))
    for inside in ("", "raw", "FashionMNIST/raw", "MNIST/raw"):
        if (found := readers.idx(folder / inside, split)) is not None:
            return _array_source(found, folder.name, split, known or _idx_id(folder / inside))
    return None


def _cifar_id(folder: Path) -> str:
    hundred = (folder / "train").exists() or (folder / "train.bin").exists()
    return "cifar100" if hundred else "cifar10"


def _idx_id(folder: Path) -> str:
    # the files of both have the same names: only the folder's name tells them apart
    text = names.plain(str(folder))
    return "fashionmnist" if "fashion" in text else "mnist" if "mnist" in text else ""


def _array_source(arrays: readers.Arrays, title: str, part: str, known: str) -> ArraySource:
    count = max(int(arrays.labels.max()) + 1, len(arrays.classes)) if len(arrays.labels) else 0
    if arrays.classes and len(arrays.classes) < count:
        raise DataError(f"{title} has a label {count - 1}, but {len(arrays.classes)} class names. Save all the names.")
    listed = names.known(known) if known else None
    classes = arrays.classes or (listed if listed and len(listed) >= count else names.labels("", count))
    return ArraySource(title, arrays, classes, part)


def open_split(folder: Path, split: str, token: CancelToken = NEVER) -> Source | None:
    """Open DIR/{train,test}/CLASS.webp sheets or DIR/{train,test}/CLASS/* folders; None if it is neither."""
    for name in SPLITS[split]:
        inside = folder / name
        if inside.is_dir():
            found = open_sheets(inside, folder.name, split) or open_classes(inside, token, folder.name, split)
            if found is not None:
                return found
    return None


def open_sheets(folder: Path, title: str = "", part: str = "") -> SheetSource | None:
    """Open a folder of contact sheets, one per class, 32-pixel tiles 100 to a row; None if it is none."""
    paths = sorted(path for path in entries(folder) if not path.name.startswith("."))
    if len(paths) < 2 or any(path.suffix != ".webp" for path in paths):
        return None
    try:
        counts = {path.stem: (path, readers.sheet_count(path, size_of(path))) for path in paths}
    except PictureError as error:
        raise DataError(str(error)) from error
    if not all(count for _, count in counts.values()):
        return None
    classes, order = in_order(list(counts))
    return SheetSource(title or folder.name, [counts[name] for name in order], classes, part)


def open_classes(
    folder: Path, token: CancelToken = NEVER, title: str = "", part: str = "", empty: bool = True
) -> FileSource | None:
    """Open DIR/CLASS/* folders; None if no folder in it holds a picture.

    Args:
        folder: holds one folder per class; pictures may lie deeper inside.
        token: looked at once per class.
        title: for people; the folder's name unless given.
        part: ``"test"``, ``"train"`` or empty.
        empty: whether a class without pictures is kept, so that it can be complained about.
    """
    by_class: dict[str, list[Path]] = {}
    for entry in sorted(entries(folder)):
        token.check()
        if entry.is_dir() and not entry.name.startswith((".", "__")):
            by_class[entry.name] = sorted(_pictures_below(entry), key=lambda path: natural_key(str(path)))
    if not any(by_class.values()):
        return None
    by_class = {name: paths for name, paths in by_class.items() if paths or empty}
    classes, order = in_order(list(by_class))
    groups = [by_class[name] for name in order]
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups]).astype(np.int64)
    paths = [path for group in groups for path in group]
    return FileSource(title or folder.name, paths, classes, labels, part)


def in_order(folders: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return class names in label order and the folders in the same order: a known set's, else sorted."""
    found = names.order(folders)
    if found is None:
        return tuple(sorted(folders)), sorted(folders)
    by_plain = {names.plain(folder): folder for folder in folders}
    return found[1], [by_plain[names.plain(name)] for name in found[1]]


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder; raises DataError if it cannot be listed."""
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}). Check the folder.") from error


def _pictures_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in files if _is_picture(name))


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
