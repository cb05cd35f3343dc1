"""The drawn data set: the same to the last bit everywhere, balanced, within the picture, and worth learning."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from resnet_viz.core.errors import Cancelled, DataError
from resnet_viz.core.token import CancelToken
from resnet_viz.data import labels, shapes
from resnet_viz.data.browse import browse
from resnet_viz.data.datasets import load, load_pieces
from resnet_viz.data.places import known_sets, locate


def digest(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:16]


def test_the_pictures_are_the_same_to_the_last_bit() -> None:
    # a run can only be repeated elsewhere if these hold; a change of the drawing must change them knowingly
    assert digest(shapes.draw("train", 0, 500)) == "0b3b947c6b9ed0dc"
    assert digest(shapes.draw("test")) == "97845b76221aa80a"


def test_a_picture_does_not_depend_on_what_else_is_drawn() -> None:
    whole = shapes.draw("test")
    assert np.array_equal(shapes.draw("test", 990, 1010), whole[990:1010])  # across two pieces
    assert np.array_equal(shapes.draw("test", 1999, 2000)[0], whole[1999])
    assert shapes.draw("test", 5, 5).shape == (0, 32, 32, 3)
    for start, stop in ((-1, 3), (4, 3), (0, 2001)):
        with pytest.raises(IndexError):
            shapes.draw("test", start, stop)
    with pytest.raises(DataError, match="no part 'val'"):
        shapes.draw("val")


def test_the_parts_are_balanced_and_share_no_picture() -> None:
    train, test = load("shapes", "train", size=None), load("Shapes", "test", size=None)
    assert train.images.shape == (10_000, 32, 32, 3) and test.images.shape == (2_000, 32, 32, 3)
    assert np.bincount(train.labels).tolist() == [1000] * 10 and np.bincount(test.labels).tolist() == [200] * 10
    assert len({picture.tobytes() for part in (train, test) for picture in part.images}) == 12_000
    assert train.classes == test.classes == labels.known("shapes") and len(set(train.classes)) == 10
    assert train.title == "Shapes" and train.skipped == ()


def test_the_train_part_is_quickly_drawn() -> None:
    begin = time.process_time()
    shapes.draw("train")
    assert time.process_time() - begin < 5.0


def test_every_figure_is_whole_and_stands_out() -> None:
    images = shapes.draw("test").astype(np.float64)
    luma = images @ np.array([0.299, 0.587, 0.114])  # (N, 32, 32)
    border = np.concatenate([luma[:, 0], luma[:, -1], luma[:, :, 0], luma[:, :, -1]], axis=1)  # (N, 128)
    # the border is ground alone: one colour but for light and noise
    assert np.ptp(border, axis=1).max() < 255 * 2 * (2 * 0.07 + 0.05)
    ground = np.median(border, axis=1)[:, None, None]
    differing = (np.abs(luma - ground) > 255 * 0.15).mean((1, 2))  # share of the picture that the figure takes
    assert differing.min() > 0.02 and differing.max() < 0.6


def test_classes_are_told_apart_by_their_form_not_by_colour_or_place() -> None:
    images, found = shapes.draw("train", 0, 5000) / 255.0, shapes.labels_of("train")[:5000]
    overall = images.mean((0, 1, 2))
    for number in range(10):
        assert np.abs(images[found == number].mean((0, 1, 2)) - overall).max() < 0.04


def test_figures_fill_the_radius_that_keeps_them_inside() -> None:
    axis = np.linspace(-1.2, 1.2, 241, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    for name, figure in shapes._FIGURES.items():
        inside = figure(x, y) < 0
        reach = np.sqrt(x * x + y * y)[inside].max()
        assert 0.88 < reach <= 1.0, name
        assert 0.1 < inside.mean() < 0.6, name


def test_an_id_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("shapes") == (Path("shapes"), "shapes") and "shapes" in known_sets
    (tmp_path / "shapes").mkdir()
    assert locate("./shapes") == (Path("shapes"), "")
    assert len(load("shapes", size=None).labels) == 2000  # a folder of that name does not get in the way
    with pytest.raises(DataError, match="no classes"):
        load("./shapes", size=None)


def test_other_sizes_and_pieces() -> None:
    whole = load("shapes", size=16)
    assert whole.images.shape == (2000, 16, 16, 3)
    assert (
        np.abs(whole.images - load("shapes", size=None).images.reshape(-1, 16, 2, 16, 2, 3).mean((2, 4))).max() <= 0.5
    )
    assert load("shapes", size=32, channels=1).images.shape == (2000, 32, 32, 1)
    pieces = list(load_pieces("shapes", size=16, pictures=900))
    assert [len(piece.labels) for piece in pieces] == [900, 900, 200]
    assert np.array_equal(np.concatenate([piece.images for piece in pieces]), whole.images)


def test_the_strip_shows_one_of_each_class() -> None:
    row = browse("shapes")
    assert row.title == "Shapes · test" and len(row) == 2000
    assert tuple(row.label(index) for index in range(10)) == row.classes == labels.known("shapes")
    item = row.item(13)
    assert np.array_equal(item.pixels, shapes.draw("test")[13]) and item.label == "square" == row.label(13)
    assert row.name(13) == "square 0001" == item.source
    assert row.thumbnail(13, 16).shape == (16, 16, 3)
    assert len(browse("shapes", "train")) == 10_000


def test_drawing_can_be_cancelled() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        load("shapes", "train", size=None, token=token)
