"""Divisions of a data set: complete, disjoint, in proportion, drawn by the seed alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from resnet_viz.core.errors import DataError
from resnet_viz.data.splits import split_train_test, split_train_val


def random_labels(rng: np.random.Generator, least: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    counts = rng.integers(least, rng.choice([3, 10, 60]) + least, rng.integers(2, 12))
    return rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)


def test_train_and_val_are_disjoint_complete_and_in_proportion() -> None:
    rng = np.random.default_rng(0)
    for trial in range(300):
        labels = random_labels(rng)
        counts = np.bincount(labels)
        usable = int((counts - 1).sum())
        total = int(rng.integers(0, usable + 1))
        train, val = split_train_val(labels, total, trial)
        assert np.array_equal(np.sort(np.concatenate([train, val])), np.arange(len(labels)))
        assert len(val) == total and train.dtype == val.dtype == np.int64
        assert (np.diff(train) > 0).all() and (np.diff(val) > 0).all()
        kept = np.bincount(labels[train], minlength=len(counts))
        set_aside = np.bincount(labels[val], minlength=len(counts))
        assert kept.min() >= 1  # nothing that is tested was never trained
        if total >= np.count_nonzero(counts > 1):
            assert (set_aside[counts > 1] >= 1).all()
        if counts.min() * (1 - total / len(labels)) >= 1 and counts.min() * total / len(labels) >= 1:
            assert np.abs(set_aside - counts * total / len(labels)).max() < 1


def test_a_share_and_a_number_are_the_same_split() -> None:
    labels = np.arange(50_000, dtype=np.int64) % 10
    train, val = split_train_val(labels, 5000, 1)
    assert len(train) == 45_000 and np.bincount(labels[val]).tolist() == [500] * 10
    shared = split_train_val(labels, 0.1, 1)
    assert np.array_equal(train, shared[0]) and np.array_equal(val, shared[1])
    assert np.array_equal(split_train_val(labels, 0, 1)[0], np.arange(50_000))


def test_the_seed_alone_decides() -> None:
    labels = np.arange(1000, dtype=np.int64) % 7
    val = split_train_val(labels, 0.2, 3)[1]
    assert np.array_equal(val, split_train_val(labels, 0.2, 3)[1])
    others = [split_train_val(labels, 0.2, seed)[1] for seed in (0, 1, 2)]
    assert all(len(np.intersect1d(val, other)) < 100 for other in others)  # 40 of 200 by chance
    # a run that goes on after an update must find its old split
    assert hashlib.sha256(val.astype("<i8").tobytes()).hexdigest()[:16] == "42cf089fcda25432"


def test_every_picture_is_drawn_equally_often() -> None:
    labels = np.repeat(np.arange(2), (20, 40)).astype(np.int64)
    drawn = np.zeros(60)
    for seed in range(2000):
        drawn[split_train_val(labels, 15, seed)[1]] += 1
    assert np.abs(drawn / 2000 - 0.25).max() < 0.05  # five standard deviations


def test_what_cannot_be_set_aside() -> None:
    labels = np.array([0, 0, 0, 1], np.int64)
    for wrong in (-1, -0.1, 4, 1.5, float("nan")):
        with pytest.raises(DataError, match="of 4 pictures cannot be set aside"):
            split_train_val(labels, wrong, 0)
    with pytest.raises(DataError, match="Set 2 or fewer aside"):
        split_train_val(labels, 3, 0)
    assert split_train_val(labels, 2, 0)[0].tolist()[-1] == 3


def test_train_and_test_are_disjoint_complete_and_in_proportion() -> None:
    rng = np.random.default_rng(1)
    for trial in range(300):
        labels = random_labels(rng, 2)
        share = float(rng.uniform(0.01, 0.99))
        train, test = split_train_test(labels, share, trial)
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
        counts = np.bincount(labels)
        taken = np.bincount(labels[test], minlength=len(counts))
        assert (taken >= 1).all() and (taken < counts).all()
        inner = (counts * share >= 1) & (counts * (1 - share) >= 1)
        assert (np.abs(taken - counts * share)[inner] <= 0.5).all()
        again = split_train_test(labels, share, trial)
        assert np.array_equal(test, again[1])


def test_a_class_of_one_picture_cannot_be_in_both_parts() -> None:
    labels = np.array([0, 0, 1, 2, 2], np.int64)
    with pytest.raises(DataError, match="The class dog has one picture"):
        split_train_test(labels, 0.5, 0, ("cat", "dog", "fox"))
    for share in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(DataError, match="leaves one part empty"):
            split_train_test(labels, share, 0)
