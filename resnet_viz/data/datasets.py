"""Labelled data sets as arrays of bytes (first version: class folders and .npz arrays)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnet_viz.core.errors import DataError
from resnet_viz.core.types import I64, U8


@dataclass(frozen=True, slots=True, eq=False)
class ArraySet:
    """Pictures of one size in memory.

    Attributes:
        images: uint8 (N, H, W, 3) RGB.
        labels: int64 (N,).
        classes: names by label.
        title: for people.
    """

    images: U8
    labels: I64
    classes: tuple[str, ...]
    title: str


def load_arrays(data: str, split: str) -> ArraySet:
    """Load ``data``/``split``.npz with ``images``, ``labels`` and ``classes``.

    Raises:
        DataError: if there is no such file.
    """
    path = Path(data) / f"{split}.npz"
    if not path.is_file():
        raise DataError(f"{path} does not exist. Give a folder with train.npz and test.npz.")
    with np.load(path, allow_pickle=False) as file:
        return ArraySet(
            np.ascontiguousarray(file["images"], dtype=np.uint8),
            file["labels"].astype(np.int64),
            tuple(str(name) for name in file["classes"]),
            Path(data).name,
        )
