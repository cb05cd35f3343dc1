"""Dividing labelled pictures in two: every class in proportion, the same for the same seed on every machine.

Which picture goes where is drawn from the raw stream of PCG64, which NumPy promises to keep;
what its Generator makes of that stream may change between versions.
"""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64, SeedSequence

from resnet_viz.core.errors import DataError
from resnet_viz.core.types import I64


def split_train_val(labels: I64, val: float, seed: int) -> tuple[I64, I64]:
    """Divide the pictures of a training part into those to train on and those to validate on.

    Stratified, unlike the 45k/5k split of He et al. 2015 (sec. 4.2), which is simply drawn: each
    class has its share to within one picture. No class leaves the training pictures, and none
    is absent from validation where that has room for all.

    Args:
        labels: int64 (N,), class numbers from 0.
        val: validation pictures: how many (5000), or their share if below 1 (0.1); 0 for none.
        seed: not negative; another one draws other pictures.

    Returns:
        ``(train, val)``, int64 indices in rising order, disjoint and together all.

    Raises:
        DataError: if that leaves nothing to train on, or is no number of pictures.
    """
    count = len(labels)
    if not 0 <= val < max(count, 1) or (val >= 1 and val != int(val)):
        raise DataError(f"{val:g} of {count} pictures cannot be set aside. Give a share below 1 or a smaller number.")
    total = round(val * count) if val < 1 else int(val)
    counts = np.bincount(labels)
    usable = int(np.maximum(counts - 1, 0).sum())
    if total > usable:
        raise DataError(
            f"Setting {total} of {count} pictures aside leaves some of {np.count_nonzero(counts)} classes with nothing "
            f"to train on. Set {usable} or fewer aside."
        )
    return _divide(labels, _allot(counts, total, 1), seed)


def split_train_test(labels: I64, test_share: float, seed: int, classes: tuple[str, ...] = ()) -> tuple[I64, I64]:
    """Divide a data set that has no parts into a training and a test part.

    Args:
        labels: int64 (N,), class numbers from 0.
        test_share: share of the test part, above 0 and below 1; every class has it to within one
            picture, and at least one picture in each part.
        seed: not negative; another one draws other pictures.
        classes: names by label, for messages.

    Returns:
        ``(train, test)``, int64 indices in rising order, disjoint and together all.

    Raises:
        DataError: for another share, or a class with a single picture, which cannot be in both.
    """
    if not 0 < test_share < 1:
        raise DataError(f"A test share of {test_share:g} leaves one part empty. Give one between 0 and 1, as 0.2.")
    counts = np.bincount(labels, minlength=len(classes))
    single = np.flatnonzero(counts == 1)
    if len(single):
        number = int(single[0])
        name = classes[number] if number < len(classes) else str(number)
        raise DataError(f"The class {name} has one picture, which cannot be in both parts. Add some or remove it.")
    take = np.clip(np.rint(counts * test_share).astype(np.int64), np.minimum(counts, 1), np.maximum(counts - 1, 0))
    return _divide(labels, take, seed)


def _allot(counts: I64, total: int, least: int) -> I64:
    """Share ``total`` among classes of ``counts`` pictures by largest remainder (C,), each keeping one at least."""
    most = np.maximum(counts - 1, 0)
    ideal = counts * (total / max(int(counts.sum()), 1))
    if total < np.count_nonzero(most):
        least = 0
    take: I64 = np.clip(np.floor(ideal).astype(np.int64), np.minimum(most, least), most)
    while (rest := total - int(take.sum())) != 0:
        # remainders are compared to nine digits, so that equal ones are equal everywhere; the first class wins
        gap = np.round(ideal - take, 9)
        if rest > 0:
            take[int(np.argmax(np.where(take < most, gap, -np.inf)))] += 1
        else:
            take[int(np.argmin(np.where(take > np.minimum(most, least), gap, np.inf)))] -= 1
    return take


def _divide(labels: I64, take: I64, seed: int) -> tuple[I64, I64]:
    """Return the indices that stay and those that are taken: ``take`` (C,) of each class, drawn by the seed."""
    keys = PCG64(SeedSequence(seed)).random_raw(len(labels))
    order = np.lexsort((keys, labels))  # by class, shuffled within
    ends = np.cumsum(np.bincount(labels, minlength=len(take)))
    place = np.arange(len(labels)) - np.repeat(ends - np.diff(ends, prepend=0), np.diff(ends, prepend=0))
    taken = np.zeros(len(labels), np.bool_)
    taken[order[place < take[labels[order]]]] = True
    return np.flatnonzero(~taken).astype(np.int64), np.flatnonzero(taken).astype(np.int64)
