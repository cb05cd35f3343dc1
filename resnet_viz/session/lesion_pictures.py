"""Labelled pictures that an error is measured on, as many of each class as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from resnet_viz.analysis.lesion import pick_evenly
from resnet_viz.core.errors import DataError, PictureError, UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, Fit, ModelCard
from resnet_viz.data.datasets import ArraySet, align
from resnet_viz.data.transforms import prepare_pixels

from .batches_of import Pool, open_pool, resolve
from .gradient_requests import NOISE, SAMPLES

IN_ORDER = "the class names differ from the net's and are taken in order"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Pictures as a net sees them, before normalising.

    Attributes:
        images: uint8 (N, S, S, C).
        labels: int64 (N,), indices into the net's classes.
        title: what they are, for people.
    """

    images: U8
    labels: I64
    title: str


def source_for(data: str, card: ModelCard) -> str:
    """Return the data set that an error is measured on: ``"auto"`` prefers what the net was trained on.

    Raises:
        UserError: for pictures that are not labelled.
    """
    if data in (NOISE, SAMPLES):
        raise UserError("An error needs labelled pictures. Choose a data set, or a folder of class folders.")
    return resolve(data, card.dataset)


def pick_labelled(
    data: str,
    card: ModelCard,
    *,
    split: str = "test",
    count: int = 1000,
    seed: int = 0,
    pool: Pool | None = None,
    token: CancelToken = NEVER,
    progress: Callable[[float], None] | None = None,
) -> Labelled:
    """Pick pictures evenly from the classes; every beginning of them is even too.

    Classes are matched by name; as many classes under other names are taken in order, and the
    title says so.

    Args:
        data: data set id, folder, or ``"auto"``.
        card: of the net.
        split: the part.
        count: how many; 0 for all.
        seed: picks them; not negative.
        pool: the data set, where it is open already.
        token: looked at before each picture.
        progress: called with the share done, 0-1.

    Raises:
        DataError: if the data set is missing or damaged, or has classes that the net lacks.
        UserError: for a count or seed that makes no sense.
    """
    if count < 0 or seed < 0:
        raise UserError(f"{count} pictures, seed {seed}: neither can lie below 0. Give 0 pictures to take all.")
    pool = pool or open_pool(source_for(data, card), split, token)
    source = pool.source
    known = ArraySet(np.empty((0, 1, 1, 3), np.uint8), source.labels, tuple(source.classes), source.title)
    in_order = False
    try:
        known = align(known, card.classes)
    except DataError:
        if len(known.classes) != len(card.classes):
            raise
        in_order = True
    part = pick_evenly(source.labels, count or len(source.labels), seed)
    images, kept = _fitted(pool, part, card, token, progress)
    title = pool.title(len(kept)) + (f"; {IN_ORDER}" if in_order else "")
    return Labelled(images, known.labels[kept], title)


def _fitted(
    pool: Pool, part: I64, card: ModelCard, token: CancelToken, progress: Callable[[float], None] | None
) -> tuple[U8, I64]:
    """Return pictures as the net sees them, (N, S, S, C), and their places in the pool; none that is unreadable."""
    size, channels = card.input_size, card.in_channels
    if pool.stack is not None and channels == 3 and pool.stack.shape[1:] == (size, size, 3):
        return pool.stack[part], part
    images = np.empty((len(part), size, size, channels), np.uint8)
    kept: list[int] = []
    for number, index in enumerate(part):
        token.check()
        if progress is not None and number % 64 == 0:
            progress(number / len(part))
        try:
            pixels = pool.pixels(int(index))
        except PictureError:
            continue
        images[len(kept)] = prepare_pixels(pixels, Fit(), size=size, kind=card.fit, channels=channels)
        kept.append(int(index))
    if not kept:
        raise DataError(f"{pool.data} holds no picture that can be read. Choose another data set.")
    return images[: len(kept)], np.array(kept, np.int64)
