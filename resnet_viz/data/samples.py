"""The sample pictures that ship with the program; credits stand beside them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from resnet_viz.core.paths import assets_dir

# the order in which they are offered; a new file in the folder appears behind these
_ORDER = ("cat", "astronaut", "coffee", "rocket", "ship", "airplane", "shapes", "checkerboard", "gratings")
_TITLES = {"ship": "Ship (drawn)", "airplane": "Airplane (drawn)"}
_SUFFIXES = (".jpg", ".png")


class Sample(NamedTuple):
    """One sample picture.

    Attributes:
        id: the file's name without its ending.
        title: for people.
        path: the file.
    """

    id: str
    title: str
    path: Path


def sample_pictures() -> list[Sample]:
    """Return the samples that are there, the cat first; empty if the folder is missing."""
    try:
        found = [path for path in samples_dir().iterdir() if path.suffix in _SUFFIXES]
    except OSError:
        return []
    rank = {name: index for index, name in enumerate(_ORDER)}
    found.sort(key=lambda path: (rank.get(path.stem, len(rank)), path.name))
    return [Sample(path.stem, _title(path.stem), path) for path in found]


def samples_dir() -> Path:
    """Return the folder of the sample pictures."""
    return assets_dir() / "samples"


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " ").capitalize())
