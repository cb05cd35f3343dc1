"""A table of labels beside a folder of pictures, as ``id,has_cactus`` or ``id,label``."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from resnet_viz.core.errors import DataError
from resnet_viz.core.token import NEVER, CancelToken

from . import labels as names
from .images import SUFFIXES, natural_key
from .layouts import SPLITS, FileSource, entries, in_order

SUFFIX = ".csv"
MAX_BYTES = 32 * 1024**2
"""Largest table that is read."""

_FILE_COLUMNS = ("filename", "file", "imagename", "imagefile", "path", "filepath", "imageid", "image", "id", "name")
_LABEL_COLUMNS = ("label", "class", "classname", "category", "target", "labelid", "classid", "y")
# as names.plain writes them, the likeliest first

_FOLDERS = ("images", "image", "imgs", "img", "pictures", "photos", "data", *SPLITS["train"], *SPLITS["test"])
"""Names of folders beside a table in which its pictures are looked for."""


class TableSource(FileSource):
    """One file per row of a table; ``skipped`` has a sentence for each row without a picture or a label."""


def open_table(path: Path, token: CancelToken = NEVER, title: str = "", part: str = "") -> TableSource:
    """Open a table with a header, a column of file names and one of labels; others are left alone.

    With two columns the first has the file names (with or without suffix) and the second the
    labels; with more they are recognised by their names. The pictures lie beside the table or
    in a folder there: one named like the table, ``images``, ``train`` and the like, or the only one.

    Args:
        path: a file in UTF-8; commas, semicolons or tabs between columns.
        token: looked at now and then.
        title: for people; the file's name unless given.
        part: ``"test"``, ``"train"`` or empty.

    Returns:
        The source; classes that are all numbers are in numeric order, else as for class folders.
        A class whose pictures are all missing is kept, so that it can be complained about.

    Raises:
        DataError: if the file cannot be read or is too large, has other columns or no rows, or
            none of its pictures is there.
    """
    table = _read(path)
    found, missing = _rows(table, path, token)
    if not found:
        raise DataError(f"{path.name} has a header and no rows. Add a line with a file name and a label per picture.")
    if len(found) > 50 and len({label for _, _, label in found}) == len(found):
        raise DataError(
            f"Every row of {path.name} has a {table.label_name} of its own, so it is no class. {_how_to_name()}"
        )
    shelf = _Shelf(path)
    rows = []
    for number, name, label in found:
        if number % 1024 == 0:
            token.check()
        file = shelf.find(name)
        if file is None:
            missing.append((number, f"{name} (row {number} of {path.name}) is not there."))
        else:
            rows.append((file, label))
    if not rows:
        raise DataError(
            f"None of the {len(found):,} pictures of {path.name} is there, for example {found[0][1]}. "
            f"Put them into a folder named {path.stem} or images beside it."
        )
    classes, order = _in_order({label for _, _, label in found})
    number_of = {label: index for index, label in enumerate(order)}
    source = TableSource(
        title or path.stem,
        [file for file, _ in rows],
        classes,
        np.array([number_of[label] for _, label in rows], np.int64),
        part,
    )
    source.skipped = tuple(sentence for _, sentence in sorted(missing))
    return source


def open_beside(folder: Path, split: str, token: CancelToken = NEVER) -> TableSource | None:
    """Open the table in a folder: the only one, else the one named after the part, "labels" or "train".

    Returns:
        The source; None if there is no table, or no picture lies where a table's pictures do, so
        that the folder is something else with a table in it.

    Raises:
        DataError: as :func:`open_table`, and if it is not clear which table has the labels.
    """
    tables = {path.stem.casefold(): path for path in sorted(_tables(folder))}
    if not any(True for path in tables.values() for place in _places(path) for _ in _pictures(place)):
        return None
    of_part = {part: next((tables[name] for name in listed if name in tables), None) for part, listed in SPLITS.items()}
    if all(of_part.values()):
        chosen, part = of_part[split], split
    else:
        only = next(iter(tables.values())) if len(tables) == 1 else None
        chosen, part = tables.get("labels") or of_part["train"] or of_part["test"] or only, ""
    if chosen is None:
        listed = ", ".join(path.name for path in tables.values())
        raise DataError(f"{folder.name} has several tables: {listed}. Give the one with the labels itself.")
    return open_table(chosen, token, folder.name, part)


def _tables(folder: Path) -> list[Path]:
    found = [path for path in entries(folder) if path.suffix.lower() == SUFFIX and not path.name.startswith(".")]
    return [path for path in found if path.is_file()]


# ---- the table ----


@dataclass(frozen=True, slots=True)
class _Table:
    file_column: int
    label_column: int
    label_name: str
    rows: tuple[tuple[int, list[str]], ...]  # number of the line in the file, cells


def _read(path: Path) -> _Table:
    try:
        with open(path, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}). Check the file.") from error
    if len(raw) > MAX_BYTES:
        raise DataError(f"{path.name} is larger than {MAX_BYTES / 2**20:.0f} MB. Use a table with fewer rows.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is no UTF-8 text. Save it as CSV in UTF-8.") from error
    first = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=first.count)  # the comma where there is none
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(line)]
    except csv.Error as error:
        raise DataError(f"{path.name} is no readable table ({error}). Save it as CSV again.") from error
    lines = [line for line in lines if any(line[1])]
    if not lines:
        raise DataError(
            f"{path.name} is empty. Its first line names the columns, as id,label; each other is a picture."
        )
    header = lines[0][1]
    file_column, label_column = _columns(header, path.name)
    return _Table(file_column, label_column, header[label_column], tuple(lines[1:]))


def _columns(header: list[str], name: str) -> tuple[int, int]:
    """Return which columns have the file names and the labels."""
    if any(cell.lower().endswith(SUFFIXES) for cell in header):
        raise DataError(f"{name} has no header. Its first line must name the columns, as id,label.")
    plain = [names.plain(cell) for cell in header]
    file = next((plain.index(wanted) for wanted in _FILE_COLUMNS if wanted in plain), None)
    label = next((plain.index(wanted) for wanted in _LABEL_COLUMNS if wanted in plain), None)
    if len(header) == 2:
        return (1, 0) if plain[0] in _LABEL_COLUMNS and plain[1] in _FILE_COLUMNS else (0, 1)
    if file is None or label is None:
        listed = ", ".join(cell or "(no name)" for cell in header[:8]) + (", …" if len(header) > 8 else "")
        what = "the column" if len(header) == 1 else "the columns"
        raise DataError(f"{name} has {what} {listed}. {_how_to_name()}")
    return file, label


def _how_to_name() -> str:
    return "Name the column of file names id and the one of classes label, or keep only these two."


def _rows(table: _Table, path: Path, token: CancelToken) -> tuple[list[tuple[int, str, str]], list[tuple[int, str]]]:
    """Return line number, file name and label of each usable row, and what is wrong with each other one."""
    found: list[tuple[int, str, str]] = []
    wrong: list[tuple[int, str]] = []
    first: dict[str, int] = {}
    for index, (number, cells) in enumerate(table.rows):
        if index % 4096 == 0:
            token.check()
        name, label = (cells[at] if at < len(cells) else "" for at in (table.file_column, table.label_column))
        if not name or not label:
            wrong.append((number, f"Row {number} of {path.name} has no {'label' if name else 'file name'}."))
        elif name in first:
            wrong.append(
                (number, f"{name} stands in rows {first[name]} and {number} of {path.name}; the first counts.")
            )
        else:
            first[name] = number
            found.append((number, name, label))
    return found, wrong


def _in_order(labels: set[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return class names in label order and the labels of the table in the same order."""
    values = {label: _number(label) for label in labels}
    if all(value is not None for value in values.values()):
        listed = sorted(labels, key=lambda label: (values[label] or 0.0, label))
        return tuple(listed), listed
    return in_order(list(labels))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# ---- its pictures ----


class _Shelf:
    """The pictures that lie beside a table, by name."""

    def __init__(self, table: Path) -> None:
        self._places = _places(table)
        self._named: dict[str, Path] = {}
        for place in self._places:
            for path in sorted(_pictures(place), key=lambda path: natural_key(path.name)):
                self._named.setdefault(path.name, path)
                self._named.setdefault(path.stem, path)

    def find(self, name: str) -> Path | None:
        """Return the picture of a name with or without suffix, perhaps with folders before it; None if absent."""
        found = self._named.get(name)
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if found is not None or len(parts) < 2:
            return found
        if ".." in parts or parts[0].startswith("/") or ":" in parts[0]:
            return None  # a table from elsewhere names only what lies beside it
        for place in self._places:
            for suffix in ("", *SUFFIXES):
                path = place.joinpath(*parts[:-1], parts[-1] + suffix)
                if path.name.lower().endswith(SUFFIXES) and path.is_file():
                    return path
        return None


def _places(table: Path) -> list[Path]:
    """Return the folders in which a table's pictures may lie."""
    folder = table.parent
    listed = [folder, *(folder / name for name in (table.stem, *_FOLDERS))]
    others = [path for path in entries(folder) if path.is_dir() and not path.name.startswith(".")]
    if len(others) == 1:  # one folder alone is no class folder among others, whatever its name
        listed += others
    # an archive unpacked into a folder of its own name: train/train
    listed += [place / place.name for place in listed[1:]]
    return list(dict.fromkeys(place for place in listed if place.is_dir()))


def _pictures(folder: Path) -> Iterator[Path]:
    # scandir knows what is a file without asking for each: a folder may hold 100,000
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file():
                yield Path(entry.path)
