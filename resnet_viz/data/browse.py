"""Moving along a folder or a data set, picture by picture; nothing is decoded before it is looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from resnet_viz.core.errors import DataError, PictureError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, ImageInput, PictureOrigin

from . import layouts
from .csv_set import open_beside
from .finding import open_part
from .images import SUFFIXES, list_pictures
from .places import known_sets, locate


class BrowsedSet:
    """A row of pictures, with their true labels where they are known.

    Attributes:
        title: for people: "cifar10 . test".
        classes: names by label, empty for a plain folder.
        folder: where it was found.
    """

    def __init__(self, source: layouts.Source, folder: Path, data: str, split: str) -> None:
        self._source = source
        self._data, self._split = data, split  # what opens the same row again
        self.folder = folder
        self.classes = source.classes
        self.title = f"{source.title} · {source.part}" if source.part else source.title
        self._places: dict[str, int] | None = None
        self._order: I64 = np.arange(len(source.labels), dtype=np.int64)
        if isinstance(source, layouts.SheetSource):
            # one of each class, then the next of each: 1,000 airplanes in a row show little
            self._order = np.lexsort((source.labels, source.places)).astype(np.int64)

    def __len__(self) -> int:
        return len(self._order)

    def item(self, index: int) -> ImageInput:
        """Return one picture with its label, and its path or else its origin.

        Raises:
            PictureError: if this picture cannot be read; the others still can.
            IndexError: if there is no such picture.
        """
        image = self._source.item(self._at(index))
        if image.path is not None:
            return image
        return replace(image, origin=PictureOrigin(self._data, self._split, int(index)))

    def thumbnail(self, index: int, side: int = 96) -> U8:
        """Return one picture, uint8 (H, W, 3), its longer side at most ``side``; raises like :meth:`item`."""
        return self._source.thumbnail(self._at(index), side)

    def name(self, index: int) -> str:
        """Return what one picture is called, without decoding it."""
        return self._source.name(self._at(index))

    def label(self, index: int) -> str | None:
        """Return one picture's true class, None if unknown, without decoding it."""
        number = int(self._source.labels[self._at(index)])
        return self.classes[number] if 0 <= number < len(self.classes) else None

    def path(self, index: int) -> str | None:
        """Return one picture's file, absolute; None if the row has no file for each."""
        if not isinstance(self._source, layouts.FileSource):
            return None
        return os.path.abspath(self._source.paths[self._at(index)])

    def index_of(self, path: str) -> int | None:
        """Return where a file stands in the row, None if it is not in it."""
        if not isinstance(self._source, layouts.FileSource):
            return None
        if self._places is None:
            self._places = {os.path.abspath(found): index for index, found in enumerate(self._source.paths)}
        return self._places.get(os.path.abspath(path))

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self._order):
            raise IndexError(f"picture {index} of {len(self._order)}")
        return int(self._order[index])


def browse(data: str, split: str = "test", token: CancelToken = NEVER) -> BrowsedSet:
    """Open a folder of pictures or a data set for browsing.

    Args:
        data: an id or folder as for :func:`.datasets.load`, a plain folder of pictures, or
            one picture, whose folder is opened.
        split: the part that is wanted; the other one where it is missing.
        token: looked at while class folders are listed.

    Raises:
        DataError: if there is nothing to browse.
    """
    folder, known = locate(data)
    is_drawn = bool(known) and known_sets.get(known).drawn is not None
    # a name is looked for in many places, some of them relative: the folder stays the same
    again = known if is_drawn else str(folder.absolute())
    if folder.is_file() and folder.suffix.lower() in SUFFIXES:
        folder = folder.parent
        return BrowsedSet(_plain(folder), folder, again, split)
    return BrowsedSet(_find(folder, known, split, token), folder, again, split)


def browse_files(paths: Sequence[str]) -> BrowsedSet:
    """Make a row of pictures that lie in several folders, in the order given; nothing is read yet."""
    files = [Path(path) for path in paths]
    try:
        folder = Path(os.path.commonpath([path.absolute().parent for path in files]))
    except ValueError:  # on two drives
        folder = files[0].absolute().parent
    row = layouts.FileSource(folder.name or str(folder), files, (), np.full(len(files), -1, np.int64))
    return BrowsedSet(row, folder, str(folder), "test")


def _find(folder: Path, known: str, split: str, token: CancelToken) -> layouts.Source:
    other = "train" if split == "test" else "test"
    for part in (split, other):
        try:
            found = open_part(folder, known, part, token)
        except DataError:
            if part == other:
                raise
            continue
        if folder.is_dir() and (found is None or len(found.classes) < 2):
            found = _table(folder, part, token) or found
        if found is not None and len(found.labels):
            found.title = known_sets.get(known).title if known else found.title
            return found
    if not folder.is_dir():
        raise DataError(f"{folder.name} is neither a folder nor a picture. Choose a folder of pictures.")
    sheets = layouts.open_sheets(folder)
    if sheets is not None:
        return sheets
    try:
        # before class folders: a folder of photographs often has other folders in it
        return _plain(folder)
    except PictureError as error:
        classes = layouts.open_classes(folder, token, empty=False)
        if classes is None:
            raise DataError(str(error)) from error
        return classes


def _table(folder: Path, part: str, token: CancelToken) -> layouts.Source | None:
    try:
        return open_beside(folder, part, token)
    except DataError:
        return None  # the pictures can be looked at without it


def _plain(folder: Path) -> layouts.FileSource:
    paths = list_pictures(folder)
    return layouts.FileSource(folder.name, paths, (), np.full(len(paths), -1, np.int64))
