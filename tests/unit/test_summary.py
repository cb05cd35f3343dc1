"""Counts, exact moments and samples of a data set."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_viz.core.errors import Cancelled, DataError
from resnet_viz.core.token import CancelToken
from resnet_viz.data import shapes
from resnet_viz.data.datasets import ArraySet, load
from resnet_viz.data.summary import LEAST_STD, summarise

RNG = np.random.default_rng(5)


def array_set(count: int = 50, channels: int = 3, side: int = 9) -> ArraySet:
    images = RNG.integers(0, 256, (count, side, side + 1, channels)).astype(np.uint8)
    return ArraySet(images, np.arange(count) % 3, ("a", "b", "c"), "some", ("x.png is damaged.",))


def test_moments_are_those_of_all_pixels() -> None:
    data = array_set()
    found = summarise(data)
    scaled = data.images / 255.0
    assert found.mean == pytest.approx(scaled.mean((0, 1, 2)), rel=1e-13)
    assert found.std == pytest.approx(scaled.std((0, 1, 2)), rel=1e-12)
    values = [Fraction(int(value), 255) for value in data.images[..., 1].reshape(-1)]
    mean = sum(values, Fraction()) / len(values)
    assert found.mean[1] == float(mean)  # exact: the nearest double there is
    variance = sum(((value - mean) ** 2 for value in values), Fraction()) / len(values)
    assert found.std[1] == math.sqrt(variance)
    assert found.mean.dtype == found.std.dtype == np.float64


def test_nearly_equal_values_lose_nothing_to_cancellation() -> None:
    images = np.full((40, 100, 100, 3), 255, np.uint8)
    images[0, 0, 0] = 254
    share = 1 / 400_000
    assert summarise(ArraySet(images, np.arange(40) % 2, ("a", "b"), "x")).std == pytest.approx(
        np.full(3, (share * (1 - share)) ** 0.5 / 255), rel=1e-12
    )


def test_the_normalization_makes_mean_zero_and_std_one() -> None:
    data = array_set()
    norm = summarise(data).normalization
    assert norm.title == "this data"
    scaled = (data.images / 255.0 - norm.mean) / norm.std
    assert np.abs(scaled.mean((0, 1, 2))).max() < 1e-12 and np.abs(scaled.std((0, 1, 2)) - 1).max() < 1e-12


def test_a_channel_of_one_value_can_be_divided_by() -> None:
    images = np.zeros((4, 2, 2, 3), np.uint8)
    images[..., 1] = 255
    found = summarise(ArraySet(images, np.array([0, 1, 0, 1]), ("a", "b"), "x"))
    assert found.mean.tolist() == [0, 1, 0] and found.std.tolist() == [0, 0, 0]
    assert found.normalization.std == (LEAST_STD,) * 3


def test_one_channel_is_given_three_times() -> None:
    data = array_set(channels=1)
    found = summarise(data)
    assert found.mean.shape == (3,) and len(set(found.mean)) == len(set(found.std)) == 1
    assert found.mean[0] == pytest.approx(data.images.mean() / 255)


def test_counts_and_samples() -> None:
    labels = np.array([2] * 30 + [0] * 3 + [2] * 7)
    data = ArraySet(np.zeros((40, 1, 1, 3), np.uint8), labels, ("few", "none", "many"), "x", ("gone",))
    found = summarise(data, samples=5)
    assert found.counts.tolist() == [3, 0, 37] and found.counts.sum() == 40
    assert found.samples[0].tolist() == [30, 31, 32, -1, -1]
    assert found.samples[1].tolist() == [-1] * 5
    many = found.samples[2]
    assert (labels[many] == 2).all() and len(set(many)) == 5 and many[0] == 0 and many[-1] > 20  # spread over all
    assert found.skipped == ("gone",) and found.classes == data.classes and found.size == (1, 1)


def test_nothing_is_copied_as_floats() -> None:
    data = ArraySet(shapes.draw("test"), shapes.labels_of("test"), ("x",) * 10, "x")
    data = ArraySet(np.concatenate([data.images] * 8), np.tile(data.labels, 8), data.classes, "x")  # 49 MB
    tracemalloc.start()
    try:
        summarise(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < data.images.nbytes  # as float64 it would be eight times that


def test_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    data = array_set(100)
    whole = summarise(data)
    monkeypatch.setattr("resnet_viz.data.summary._PIECE", 1000)
    assert np.array_equal(summarise(data).std, whole.std) and np.array_equal(summarise(data).mean, whole.mean)


def test_nothing_to_summarise_and_cancel() -> None:
    with pytest.raises(DataError, match="x has no pictures"):
        summarise(ArraySet(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64), ("a", "b"), "x"))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        summarise(array_set(), token=token)


def test_a_folder_with_an_unreadable_picture(tmp_path: Path) -> None:
    for name, value in (("a", 51), ("b", 102)):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.new("RGB", (8, 8), (value, 0, 255)).save(tmp_path / name / f"{index}.png")
    (tmp_path / "a" / "0.png").write_bytes(b"")
    found = summarise(load(str(tmp_path), size=8))
    assert found.counts.tolist() == [1, 2] and len(found.skipped) == 1
    assert found.mean == pytest.approx([(0.2 + 0.8) / 3, 0, 1])


def test_published_figures_of_cifar(cifar10: Path) -> None:
    found = summarise(load(str(cifar10), "train", size=None))
    assert found.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=5e-5)
    assert found.std == pytest.approx((0.2470, 0.2435, 0.2616), abs=5e-5)
    assert found.counts.tolist() == [5000] * 10
