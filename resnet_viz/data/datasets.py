"""Labelled data sets as arrays of bytes: finding them by id or folder, and loading a whole part."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from resnet_viz.core.errors import DataError, PictureError
from resnet_viz.core.paths import assets_dir, runs_dir
from resnet_viz.core.registry import Registry
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, Fit

from . import labels as names
from . import layouts, readers
from .transforms import luma, prepare_pixels


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A data set that has an id.

    Attributes:
        id: what the command line takes, for example ``"cifar10"``; class names by the same id.
        title: for people.
        folders: names under which its folder is looked for.
    """

    id: str
    title: str
    folders: tuple[str, ...]


datasets: Registry[DatasetSpec] = Registry("data set")
"""All data sets by id; none is downloaded, each is looked for in :func:`roots`."""

for _spec in (
    DatasetSpec("cifar10", "CIFAR-10", ("cifar10", "cifar-10-batches-py", "cifar-10-batches-bin")),
    DatasetSpec("cifar100", "CIFAR-100", ("cifar100", "cifar-100-python", "cifar-100-binary")),
    DatasetSpec("fashionmnist", "FashionMNIST", ("fashionmnist", "FashionMNIST", "fashion-mnist")),
    DatasetSpec("mnist", "MNIST", ("mnist", "MNIST")),
    DatasetSpec("catdog", "Cats and dogs", ("catdog", "catanddog")),
):
    datasets.add(_spec.id, _spec)


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


def roots() -> tuple[Path, ...]:
    """Return the folders in which data sets are looked for by id, in this order.

    They are ``RESNET_VIZ_DATA``, the user's data folder, ``data`` in the working folder, and
    ``shared/data`` beside a checkout.
    """
    given = os.environ.get("RESNET_VIZ_DATA")
    beside = assets_dir().parent.parent / "shared" / "data"
    return (*([Path(given)] if given else []), runs_dir().parent / "data", Path("data"), beside)


def locate(data: str) -> tuple[Path, str]:
    """Return a data set's folder, and its id where it was named by its id (else empty).

    Raises:
        DataError: if there is neither such a folder nor such a data set; says where to put it.
    """
    key = names.plain(data)
    if key not in datasets or Path(data).name != data:  # "./cifar10" is a folder, "cifar10" an id
        path = Path(data).expanduser()
        if not path.exists():
            known = ", ".join(datasets.ids())
            raise DataError(f"There is no folder {data}. Give a folder of class folders, or one of {known}.")
        return path, ""
    for root in roots():
        for name in datasets.get(key).folders:
            if (root / name).is_dir():
                return root / name, key
    if Path(data).is_dir():
        return Path(data), key
    raise DataError(
        f"{datasets.get(key).title} is not on this machine. Put its folder at {runs_dir().parent / 'data' / key}, "
        "or name its folder instead of the id."
    )


def load(
    data: str,
    split: str = "test",
    *,
    size: int | None,
    token: CancelToken = NEVER,
    kind: str = "square",
    channels: int = 3,
    progress: Callable[[float], None] | None = None,
) -> ArraySet:
    """Load one part of a data set into memory.

    Args:
        data: an id of :data:`datasets`, or a folder: class folders (``DIR/CLASS/*``), parts
            of them (``DIR/{train,test}/CLASS/*``), CIFAR's python or binary batches, IDX
            files, ``train.npz`` and ``test.npz``, or contact sheets.
        split: ``"test"`` or ``"train"``. Plain class folders know no parts: all of them is
            both.
        size: side to which every picture is fitted (antialiased); None keeps them as they
            are, then all must have one size.
        token: looked at before each picture.
        kind: default crop where the size changes, see :func:`.transforms.default_box`.
        channels: 3 RGB, or 1 luma.
        progress: called with the share that is done, 0-1.

    Returns:
        ArraySet; classes in the known data set's order where the names are a known set's,
        else sorted. Pictures that cannot be read are left out and listed in ``skipped``.

    Raises:
        DataError: if the data set is missing, has fewer than two classes or an empty one, or
            does not fit into memory.
    """
    if split not in layouts.SPLITS:
        raise DataError(f"There is no part '{split}'. Choose test or train.")
    source = _open(data, split, token)
    count = len(source.labels)
    if len(source.classes) < 2:
        only = f"only the class {source.classes[0]}" if source.classes else "no classes"
        raise DataError(f"{data} has {only}. Give a folder with a folder of pictures for each class, two at least.")
    _check_classes(source, data)
    stack = None
    if not isinstance(source, layouts.FileSource):
        _check_memory(data, count, size or readers.TILE_PX, 3)
        stack = source.stack(token)
    if stack is not None and (size is None or stack.shape[1:3] == (size, size)):
        images = stack if channels == 3 else _grey(stack)
        return ArraySet(images, source.labels, source.classes, source.title)
    return _fit_all(source, stack, data, size, kind, channels, token, progress)


def _open(data: str, split: str, token: CancelToken) -> layouts.Source:
    folder, known = locate(data)
    found = (
        layouts.open_arrays(folder, split, known)
        or (layouts.open_split(folder, split, token) if folder.is_dir() else None)
        or (layouts.open_sheets(folder) if folder.is_dir() else None)
    )
    if found is not None:
        return found
    if folder.is_dir():
        other = "train" if split == "test" else "test"
        if layouts.open_split(folder, other, token) or (folder / f"{other}.npz").is_file():
            raise DataError(f"{data} has no {split} part, only {other}. Add a folder named {split}.")
        found = layouts.open_classes(folder, token)
        if found is not None:
            return found
    raise DataError(f"{data} has no classes. Give a folder with a folder of pictures for each class, two at least.")


def _check_classes(source: layouts.Source, data: str, kept: I64 | None = None) -> None:
    """Raise if a class has no picture; only folders promise one for each class."""
    if not isinstance(source, layouts.FileSource):
        return
    counts = np.bincount(source.labels if kept is None else kept, minlength=len(source.classes))
    if not counts.all():
        empty = source.classes[int(np.argmin(counts))]
        what = "holds no pictures" if kept is None else "holds no picture that can be read"
        raise DataError(f"The class {empty} in {data} {what}. Fill the folder or remove it.")


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


def _fit_all(
    source: layouts.Source,
    stack: U8 | None,
    data: str,
    size: int | None,
    kind: str,
    channels: int,
    token: CancelToken,
    progress: Callable[[float], None] | None,
) -> ArraySet:
    """Decode and fit picture by picture into one array."""
    count = len(source.labels)
    images: U8 | None = None
    kept: list[int] = []
    skipped: list[str] = []
    for index in range(count):
        token.check()
        if progress is not None and index % 64 == 0:
            progress(index / count)
        try:
            pixels = source.item(index).pixels if stack is None else stack[index]
        except PictureError as error:
            skipped.append(str(error))
            continue
        if size is not None:
            pixels = prepare_pixels(pixels, Fit(), size=size, kind=kind, channels=channels)
        elif channels == 1:
            pixels = luma(pixels)[..., None]
        if images is None:
            _check_memory(data, count, max(pixels.shape[:2]), channels)
            images = np.empty((count, *pixels.shape), np.uint8)
        if pixels.shape != images.shape[1:]:
            sizes = f"{images.shape[2]} x {images.shape[1]} and {pixels.shape[1]} x {pixels.shape[0]}"
            raise DataError(f"The pictures in {data} differ in size ({sizes}). Choose a size to fit them to.")
        images[len(kept)] = pixels
        kept.append(index)
    labels: I64 = source.labels[kept]
    _check_classes(source, data, labels)
    if images is None:
        raise DataError(f"No picture in {data} can be read. Get the data set again.")
    return ArraySet(images[: len(kept)], labels, source.classes, source.title, tuple(skipped))


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
