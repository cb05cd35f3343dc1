"""Class names by data set, in the order of the labels; one text file each in ``assets/labels``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from resnet_viz.core.paths import assets_dir

_DRAWN = {
    "shapes": ("circle", "ring", "triangle", "square", "star", "cross", "heart", "crescent", "arrow", "bolt"),
}
"""Classes of the data sets that the program draws itself; :mod:`.shapes` draws them in this order."""


def labels(dataset_id: str, classes: int) -> tuple[str, ...]:
    """Return ``classes`` names for a data set's labels.

    Args:
        dataset_id: for example ``"cifar10"``, ``"imagenet"``; case and ``-`` do not matter.
        classes: how many the net puts out.

    Returns:
        The data set's names if it is known and has that many, else ``"class 0"``,
        ``"class 1"`` and so on: a name that may be wrong is worse than a number.
    """
    names = known(dataset_id)
    if names is not None and len(names) == classes:
        return names
    return tuple(f"class {index}" for index in range(classes))


def known(dataset_id: str) -> tuple[str, ...] | None:
    """Return a data set's class names in label order, None if the program does not know them."""
    return _all().get(plain(dataset_id))


def ids() -> tuple[str, ...]:
    """Return the ids of all data sets whose class names are known."""
    return tuple(_all())


def order(names: Iterable[str]) -> tuple[str, tuple[str, ...]] | None:
    """Find the known data set that has exactly these classes, whatever their case and punctuation.

    Returns:
        Its id and its names in label order, or None. So a folder of CIFAR-10's class folders
        gets CIFAR-10's labels.
    """
    given = [plain(name) for name in names]
    wanted = set(given)
    for dataset_id, names_in_order in _all().items():
        if len(given) == len(names_in_order) and {plain(name) for name in names_in_order} == wanted:
            return dataset_id, names_in_order
    return None


def plain(name: str) -> str:
    """Return a name without case, spaces and punctuation, for comparing: "T-shirt/top" is "tshirttop"."""
    return re.sub(r"[\W_]+", "", name).casefold()


@cache
def _all() -> dict[str, tuple[str, ...]]:
    found = {}
    for path in sorted((assets_dir() / "labels").glob("*.txt")):
        found[path.stem] = tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line)
    return found | _DRAWN
