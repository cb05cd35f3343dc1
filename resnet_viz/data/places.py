"""Data sets that have an id, and where their folders are looked for; nothing is downloaded here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_viz.core.errors import DataError
from resnet_viz.core.paths import assets_dir, runs_dir
from resnet_viz.core.registry import Registry

from . import labels as names
from . import shapes

if TYPE_CHECKING:
    from .layouts import Source


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A data set that has an id.

    Attributes:
        id: what the command line takes, for example ``"cifar10"``; class names by the same id.
        title: for people.
        folders: names under which its folder is looked for; none where it is drawn.
        drawn: makes the pictures of a part (``"train"``, ``"test"``) for a data set that the
            program draws itself; None for one that lies in a folder.
    """

    id: str
    title: str
    folders: tuple[str, ...] = ()
    drawn: Callable[[str], Source] | None = None


known_sets: Registry[DatasetSpec] = Registry("data set")
"""All data sets by id; each is looked for in :func:`roots` or drawn, none is downloaded unasked."""

for _spec in (
    DatasetSpec("cifar10", "CIFAR-10", ("cifar10", "cifar-10-batches-py", "cifar-10-batches-bin")),
    DatasetSpec("cifar100", "CIFAR-100", ("cifar100", "cifar-100-python", "cifar-100-binary")),
    DatasetSpec("fashionmnist", "FashionMNIST", ("fashionmnist", "FashionMNIST", "fashion-mnist")),
    DatasetSpec("mnist", "MNIST", ("mnist", "MNIST")),
    DatasetSpec("catdog", "Cats and dogs", ("catdog", "catanddog")),
    DatasetSpec(shapes.ID, "Shapes", drawn=shapes.ShapesSource),
):
    known_sets.add(_spec.id, _spec)


def roots() -> tuple[Path, ...]:
    """Return the folders in which data sets are looked for by id, in this order.

    They are ``RESNET_VIZ_DATA``, the user's data folder, ``data`` in the working folder, and
    ``shared/data`` beside a checkout.
    """
    given = os.environ.get("RESNET_VIZ_DATA")
    beside = assets_dir().parent.parent / "shared" / "data"
    return (*([Path(given)] if given else []), own_root(), Path("data"), beside)


def own_root() -> Path:
    """Return the user's data folder, in which downloaded data sets are put; one of :func:`roots`."""
    return runs_dir().parent / "data"


def locate(data: str) -> tuple[Path, str]:
    """Return a data set's folder, and its id where it was named by its id (else empty).

    A data set that the program draws has no folder: its id stands in the folder's place, and
    :func:`drawn` has its pictures.

    Raises:
        DataError: if there is neither such a folder nor such a data set; says where to put it.
    """
    key = names.plain(data)
    if key not in known_sets or Path(data).name != data:  # "./cifar10" is a folder, "cifar10" an id
        path = Path(data).expanduser()
        if not path.exists():
            known = ", ".join(known_sets.ids())
            raise DataError(f"There is no folder {data}. Give a folder of class folders, or one of {known}.")
        return path, ""
    if known_sets.get(key).drawn is not None:
        return Path(key), key
    for root in roots():
        for name in known_sets.get(key).folders:
            if (root / name).is_dir():
                return root / name, key
    if Path(data).is_dir():
        return Path(data), key
    raise DataError(
        f"{known_sets.get(key).title} is not on this machine. Put its folder at {own_root() / key}, "
        "or name its folder instead of the id."
    )


def drawn(known: str, split: str) -> Source | None:
    """Return a part of a data set that the program draws itself, None if ``known`` is no such id."""
    make = known_sets.get(known).drawn if known in known_sets else None
    return None if make is None else make(split)
