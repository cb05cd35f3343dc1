"""Labelled data sets as arrays of bytes: a whole part, or a large one piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from resnet_viz.core.errors import DataError, PictureError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, Fit

from . import labels as names
from . import layouts, readers
from .finding import check_classes, find
from .transforms import luma, prepare_pixels


@dataclass(frozen=True, slots=True, eq=False)
class ArraySet:
    """Pictures of one size in memory.

    Attributes:
        images: uint8 (N, H, W, 3) RGB, or (N, H, W, 1) where one channel was asked for.
        labels: int64 (N,).
        classes: names by label.
        title: for people.
        skipped: one sentence for each picture that could not be read.
    """

    images: U8
    labels: I64
    classes: tuple[str, ...]
    title: str
    skipped: tuple[str, ...] = ()


def load_arrays(data: str, split: str) -> ArraySet:
    """Load ``data``/``split``.npz with ``images``, ``labels`` and ``classes``.

    Raises:
        DataError: if there is no such file, or it holds something else.
    """
    path = Path(data) / f"{split}.npz"
    if not path.is_file():
        raise DataError(f"{path} does not exist. Give a folder with train.npz and test.npz.")
    found = readers.npz(path)
    images = np.array(np.broadcast_to(found.images, (*found.images.shape[:3], 3)), order="C")
    classes = found.classes or names.labels("", int(found.labels.max()) + 1)
    return ArraySet(images, found.labels, classes, Path(data).name)


def load(
    data: str,
    split: str = "test",
    *,
    size: int | None,
    token: CancelToken = NEVER,
    kind: str = "square",
    channels: int = 3,
    progress: Callable[[float], None] | None = None,
    test_share: float | None = None,
    split_seed: int = 0,
) -> ArraySet:
    """Load one part of a data set into memory.

    Args:
        data: an id of :data:`.places.known_sets`, or a folder: class folders (``DIR/CLASS/*``), parts
            of them (``DIR/{train,test}/CLASS/*``), CIFAR's python or binary batches, IDX
            files, ``train.npz`` and ``test.npz``, contact sheets, or a table of labels beside a
            picture folder (the ``.csv`` file, or the folder that holds it).
        split: ``"test"`` or ``"train"``. Plain class folders and a table know no parts: all of
            them is both, unless ``test_share`` is given.
        size: side to which every picture is fitted (antialiased); None keeps them as they
            are, then all must have one size.
        token: looked at before each picture.
        kind: default crop where the size changes, see :func:`.transforms.default_box`.
        channels: 3 RGB, or 1 luma.
        progress: called with the share that is done, 0-1.
        test_share: share of each class that becomes the test part of a data set without parts,
            see :func:`.splits.split_train_test`; a data set that has parts keeps them. None
            or 0: all of it is both.
        split_seed: another one draws other pictures for that test part.

    Returns:
        ArraySet; classes in the known data set's order where the names are a known set's,
        else sorted, numbers by value. Pictures that cannot be read, and rows of a table
        without a picture, are left out and listed in ``skipped``.

    Raises:
        DataError: if the data set is missing, has fewer than two classes or an empty one, or
            does not fit into memory.
    """
    source = find(data, split, token, test_share, split_seed)
    count = len(source.labels)
    stack = _stack(source, data, size, token)
    if stack is not None and (size is None or stack.shape[1:3] == (size, size)):
        images = stack if channels == 3 else _grey(stack)
        return ArraySet(images, source.labels, source.classes, source.title)
    fitting = _Fitting(source, stack, data, size, kind, channels)
    if size is not None:
        _check_memory(data, count, size, channels)
    found = fitting.run(range(count), token, progress)
    check_classes(source, data, found.labels)
    return replace(found, skipped=(*source.skipped, *found.skipped))


def load_pieces(
    data: str,
    split: str = "test",
    *,
    size: int,
    token: CancelToken = NEVER,
    kind: str = "square",
    channels: int = 3,
    pictures: int = 2048,
    test_share: float | None = None,
    split_seed: int = 0,
) -> Iterator[ArraySet]:
    """Load a data set that may be larger than the memory, ``pictures`` at a time.

    Args:
        data: as for :func:`load`, with ``split``, ``size``, ``kind`` and ``channels``.
        split: the part.
        size: side to which every picture is fitted.
        token: looked at before each picture.
        kind: default crop.
        channels: 3 or 1.
        pictures: how many in each piece; the last has fewer, and so has one with unreadable files.
        test_share: as for :func:`load`, with ``split_seed``.
        split_seed: as for :func:`load`.

    Yields:
        ArraySets in order, together what :func:`load` returns. A piece may lack classes; rows of a
        table without a picture are listed in the first.

    Raises:
        DataError: as :func:`load`, except that no memory limit applies to a folder of files.
    """
    source = find(data, split, token, test_share, split_seed)
    fitting = _Fitting(source, _stack(source, data, size, token), data, size, kind, channels)
    count = len(source.labels)
    for start in range(0, count, pictures):
        piece = fitting.run(range(start, min(start + pictures, count)), token)
        yield replace(piece, skipped=(*source.skipped, *piece.skipped)) if start == 0 else piece


def _stack(source: layouts.Source, data: str, size: int | None, token: CancelToken) -> U8 | None:
    if isinstance(source, layouts.FileSource):
        return None
    _check_memory(data, len(source.labels), size or readers.TILE_PX, 3)
    return source.stack(token)


def _check_memory(data: str, count: int, size: int, channels: int) -> None:
    need = count * size * size * channels
    if need > readers.MAX_BYTES:
        raise DataError(
            f"{data} has {count:,} pictures; at {size} pixels they take {need / 2**30:,.0f} GB of memory, the limit "
            f"is {readers.MAX_BYTES / 2**30:.0f}. Give a folder with fewer."
        )


def _grey(images: U8) -> U8:
    """Return luma (N, H, W, 1); in parts, because it is computed in 32 bits."""
    parts = [luma(images[start : start + 4096]) for start in range(0, len(images), 4096)]
    return np.concatenate(parts)[..., None]


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Decodes pictures of one source and fits them into one array."""

    source: layouts.Source
    stack: U8 | None
    data: str
    size: int | None
    kind: str
    channels: int

    def run(self, part: range, token: CancelToken, progress: Callable[[float], None] | None = None) -> ArraySet:
        """Return the pictures of ``part`` that can be read; the others are listed in ``skipped``."""
        images: U8 | None = None
        kept: list[int] = []
        skipped: list[str] = []
        for number, index in enumerate(part):
            token.check()
            if progress is not None and number % 64 == 0:
                progress(number / len(part))
            try:
                pixels = self._pixels(index)
            except PictureError as error:
                skipped.append(str(error))
                continue
            if images is None:
                _check_memory(self.data, len(part), max(pixels.shape[:2]), self.channels)
                images = np.empty((len(part), *pixels.shape), np.uint8)
            if pixels.shape != images.shape[1:]:
                sizes = f"{images.shape[2]} x {images.shape[1]} and {pixels.shape[1]} x {pixels.shape[0]}"
                raise DataError(f"The pictures in {self.data} differ in size ({sizes}). Choose a size to fit them to.")
            images[len(kept)] = pixels
            kept.append(index)
        if images is None:
            side = self.size or 1
            images = np.empty((0, side, side, self.channels), np.uint8)
        labels: I64 = self.source.labels[kept]
        return ArraySet(images[: len(kept)], labels, self.source.classes, self.source.title, tuple(skipped))

    def _pixels(self, index: int) -> U8:
        pixels = self.source.item(index).pixels if self.stack is None else self.stack[index]
        if self.size is not None:
            return prepare_pixels(pixels, Fit(), size=self.size, kind=self.kind, channels=self.channels)
        return luma(pixels)[..., None] if self.channels == 1 else pixels


def align(data: ArraySet, classes: Sequence[str]) -> ArraySet:
    """Give a data set a net's labels, matching classes by name, so that a folder with some of them can be used.

    Args:
        data: any data set.
        classes: the net's class names; names like "class 3" match by position.

    Raises:
        DataError: naming the classes that the net does not have.
    """
    target = {names.plain(name): index for index, name in reversed(list(enumerate(classes)))}
    own = [names.plain(name) for name in data.classes]
    if own == [names.plain(name) for name in classes]:
        return data
    strange = [name for name, key in zip(data.classes, own, strict=True) if key not in target]
    if strange:
        unnamed = tuple(classes) == names.labels("", len(classes))
        if unnamed and len(classes) == len(own):
            return replace(data, classes=tuple(data.classes))
        listed = ", ".join(strange[:3]) + (" …" if len(strange) > 3 else "")
        expected = ", ".join(list(classes)[:5]) + (" …" if len(classes) > 5 else "")
        raise DataError(f"The net has no class {listed}. Name the folders after its {len(classes)} classes: {expected}")
    mapping = np.array([target[key] for key in own], np.int64)
    return replace(data, labels=mapping[data.labels], classes=tuple(classes))
