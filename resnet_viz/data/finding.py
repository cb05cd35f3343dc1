"""From a name or a folder to one part of a labelled data set that can be learned or measured on."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np

from resnet_viz.core.errors import DataError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, ImageInput

from . import csv_set, layouts
from .places import drawn, known_sets, locate
from .splits import split_train_test

_NEXT = "Give a folder with a folder of pictures for each class, two at least."


def find(
    data: str, split: str, token: CancelToken = NEVER, test_share: float | None = None, split_seed: int = 0
) -> layouts.Source:
    """Find one part of a labelled data set.

    Args:
        data: as for :func:`.datasets.load`, with all the others.
        split: the part.
        token: looked at while folders are listed.
        test_share: divides a data set that has no parts of its own.
        split_seed: draws that division.

    Raises:
        DataError: if it is missing, has fewer than two classes or an empty one.
    """
    if split not in layouts.SPLITS:
        raise DataError(f"There is no part '{split}'. Choose test or train.")
    source = _find(data, split, token)
    if len(source.classes) < 2:
        only = f"only the class {source.classes[0]}" if source.classes else "no classes"
        table = isinstance(source, csv_set.TableSource)
        raise DataError(f"{data} has {only}. {'Label the pictures of two at least.' if table else _NEXT}")
    check_classes(source, data)
    if not test_share or source.part:
        return source
    train, test = split_train_test(source.labels, test_share, split_seed, source.classes)
    return _take(source, test if split == "test" else train, split)


def _find(data: str, split: str, token: CancelToken) -> layouts.Source:
    folder, known = locate(data)
    found = open_part(folder, known, split, token)
    if folder.is_dir():
        found = found or layouts.open_sheets(folder)
        if found is None or len(found.classes) < 2:
            # one class is what a table's pictures in train/train look like
            found = csv_set.open_beside(folder, split, token) or found
    if found is not None:
        found.title = known_sets.get(known).title if known else found.title
        return found
    if folder.is_dir():
        other = "train" if split == "test" else "test"
        if layouts.open_split(folder, other, token) or (folder / f"{other}.npz").is_file():
            raise DataError(
                f"{data} has no {split} part, only {other}. Add a folder named {split}, "
                f"or give the folder named {other} itself and split it."
            )
        classes = layouts.open_classes(folder, token)
        if classes is not None:
            return classes
    raise DataError(f"{data} has no classes. {_NEXT}")


def open_part(folder: Path, known: str, split: str, token: CancelToken = NEVER) -> layouts.Source | None:
    """Open what :func:`.places.locate` found if it is drawn, a table, a folder of arrays or one with parts.

    Returns:
        The part; a table and a single .npz file know no parts and are opened whole; None if it is
        something else.

    Raises:
        DataError: if it is one of these but damaged.
    """
    if folder.suffix.lower() == csv_set.SUFFIX and folder.is_file():
        return csv_set.open_table(folder, token)
    found = drawn(known, split) or layouts.open_arrays(folder, split, known)
    if found is not None or not folder.is_dir():
        return found
    return layouts.open_split(folder, split, token)


def check_classes(source: layouts.Source, data: str, kept: I64 | None = None) -> None:
    """Raise if a class has no picture, or none among those ``kept``; only folders and tables promise one for each.

    Raises:
        DataError: naming the class.
    """
    if not isinstance(source, layouts.FileSource):
        return
    counts = np.bincount(source.labels if kept is None else kept, minlength=len(source.classes))
    if not counts.all():
        empty = source.classes[int(np.argmin(counts))]
        what = "holds no pictures" if kept is None else "holds no picture that can be read"
        table = isinstance(source, csv_set.TableSource)
        mend = "Add its pictures or remove its rows." if table else "Fill the folder or remove it."
        raise DataError(f"The class {empty} in {data} {what}. {mend}")


class _Some:
    """Some of the pictures of a source."""

    def __init__(self, source: layouts.Source, index: I64, part: str) -> None:
        self._source, self._index = source, index
        self.title, self.classes, self.part, self.skipped = source.title, source.classes, part, source.skipped
        self.labels: I64 = source.labels[index]

    def item(self, index: int) -> ImageInput:
        return self._source.item(int(self._index[index]))

    def thumbnail(self, index: int, side: int) -> U8:
        return self._source.thumbnail(int(self._index[index]), side)

    def name(self, index: int) -> str:
        return self._source.name(int(self._index[index]))

    def stack(self, token: CancelToken) -> U8 | None:
        pictures = self._source.stack(token)
        return None if pictures is None else pictures[self._index]


def _take(source: layouts.Source, index: I64, part: str) -> layouts.Source:
    if not isinstance(source, layouts.FileSource):
        return _Some(source, index, part)
    # a source of files stays one: its pictures are decoded one by one, whatever their number
    some = copy.copy(source)
    some.paths, some.labels, some.part = [source.paths[number] for number in index], source.labels[index], part
    return some
