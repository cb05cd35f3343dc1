"""Batches for measuring gradients: the same pictures for every net, labels that fit, one sentence where none can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_viz.core.errors import Cancelled, DataError, UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import ModelCard
from resnet_viz.data import places
from resnet_viz.session.batches_of import choose, find_batch, fit_batch, open_pool, resolve
from resnet_viz.session.gradient_requests import AUTO, NOISE, SAMPLES, BatchRequest
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return open_model(OpenModel("resnet20-cifar10"))[1]


@pytest.fixture(scope="module")
def grey() -> ModelCard:
    return open_model(OpenModel("fashion_cnn", untrained=True))[1]


def make_set(folder: Path, classes: tuple[str, ...], each: int = 3, side: int = 20) -> str:
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index in range(each):
            Image.fromarray(rng.integers(0, 256, (side, side + 4, 3), dtype=np.uint8)).save(
                folder / name / f"{index}.png"
            )
    return str(folder)


def test_noise_is_normal_and_follows_the_seed(card: ModelCard, grey: ModelCard) -> None:
    batch = find_batch(BatchRequest(NOISE, 200), card)
    assert batch.images.shape == (200, 3, 32, 32) and batch.images.dtype == torch.float32
    assert abs(float(batch.images.mean())) < 0.01 and float(batch.images.std()) == pytest.approx(1, abs=0.01)
    assert batch.labels.shape == (200,) and set(batch.labels.tolist()) == set(range(10))
    assert batch.title == "200 pictures of noise, seed 0" and batch.note == ""
    again, other = (find_batch(BatchRequest(NOISE, 200, seed), card) for seed in (0, 1))
    assert torch.equal(again.images, batch.images) and torch.equal(again.labels, batch.labels)
    assert not torch.equal(other.images, batch.images)
    assert find_batch(BatchRequest(NOISE, 5), grey).images.shape == (5, 1, 28, 28)


def test_pictures_of_a_set_are_drawn_once_for_every_net(card: ModelCard, grey: ModelCard) -> None:
    request = BatchRequest("shapes", 12, seed=3)
    pictures = choose(request)
    assert pictures.title == "12 test pictures of Shapes, seed 3" and len(set(pictures.labels)) > 3
    one, small = fit_batch(pictures, card), fit_batch(pictures, grey)
    assert one.images.shape == (12, 3, 32, 32) and small.images.shape == (12, 1, 28, 28)
    assert one.title == small.title and torch.equal(one.labels, small.labels)
    pool = open_pool("shapes")
    again, other = choose(request, pool=pool), choose(BatchRequest("shapes", 12, seed=4), pool=pool)
    assert all(np.array_equal(x, y) for x, y in zip(again.pixels, pictures.pixels, strict=True))
    assert other.labels != pictures.labels
    # what the net gets are these very pixels, normalised
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (card.normalization.mean, card.normalization.std))
    back = (one.images * std + mean) * 255
    assert torch.allclose(back[0], torch.from_numpy(pictures.pixels[0]).permute(2, 0, 1).float(), atol=1e-3)


def test_classes_are_matched_by_name(card: ModelCard, tmp_path: Path) -> None:
    batch = find_batch(BatchRequest(make_set(tmp_path / "two", ("ship", "cat")), 6), card)
    assert sorted(batch.labels.tolist()) == [3, 3, 3, 8, 8, 8] and batch.note == ""
    assert batch.title == "6 pictures of two, seed 0"


def test_labels_that_do_not_fit_are_said(card: ModelCard, grey: ModelCard, tmp_path: Path) -> None:
    strange = find_batch(BatchRequest(make_set(tmp_path / "few", ("oak", "elm")), 6), card)
    assert set(strange.labels.tolist()) == {0, 1} and "taken in order" in strange.note
    many = tuple(f"kind {letter}" for letter in "abcdefghijkl")
    wide = find_batch(BatchRequest(make_set(tmp_path / "many", many, each=1), 12), card)
    assert sorted(wide.labels.tolist()) == [0, 0, 1, 1, *range(2, 10)]
    assert "12 classes, the net 10" in wide.note
    assert int(find_batch(BatchRequest("shapes", 50), grey).labels.max()) < 10


def test_sample_pictures_are_cut_anew_with_every_seed(card: ModelCard) -> None:
    one, again, other = (find_batch(BatchRequest(SAMPLES, 16, seed), card) for seed in (0, 0, 1))
    assert one.images.shape == (16, 3, 32, 32) and torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)
    assert 3 in one.labels.tolist()  # the cat is a cat
    assert int(one.labels.min()) >= 0 and int(one.labels.max()) < 10


def test_what_auto_means(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "roots", lambda: (tmp_path,))
    monkeypatch.chdir(tmp_path)
    assert resolve(AUTO) == "shapes"
    (tmp_path / "cifar10").mkdir()
    assert resolve(AUTO) == "cifar10"
    assert resolve(AUTO, "shapes") == "shapes"  # what the net was trained on goes first
    assert resolve(AUTO, "mnist") == resolve(AUTO, "no such set") == "cifar10"
    assert resolve("mnist") == "mnist"


def test_pictures_that_cannot_be_read_are_replaced(card: ModelCard, tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", ("cat", "dog"))
    (tmp_path / "set" / "cat" / "0.png").write_bytes(b"no picture")
    assert len(find_batch(BatchRequest(folder, 5), card).labels) == 5
    assert find_batch(BatchRequest(folder, 6), card).title.startswith("5 pictures")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (BatchRequest(NOISE, 0), "from 1 to 4096"),
        (BatchRequest(NOISE, 4097), "from 1 to 4096"),
        (BatchRequest(NOISE, 8, -1), "from 0 up"),
        (BatchRequest("no such folder", 8), "no such folder"),
        (BatchRequest("shapes", 8, split="half"), "half"),
    ],
)
def test_batches_that_cannot_be(request_: BatchRequest, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        choose(request_)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_a_set_without_one_readable_picture(tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", ("cat", "dog"), each=1)
    for path in (tmp_path / "set").rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="holds no picture that can be read"):
        choose(BatchRequest(folder, 2))


def test_cancel(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    folder = make_set(tmp_path / "set", ("cat", "dog"))
    for source in (folder, SAMPLES, "shapes"):
        with pytest.raises(Cancelled):
            choose(BatchRequest(source, 4), token)


def test_cifar_batch(card: ModelCard, shared_data: Path) -> None:
    if not (shared_data / "cifar10").is_dir():
        pytest.skip("CIFAR-10 is not among the development data")
    batch = find_batch(BatchRequest(str(shared_data / "cifar10"), 32), card)
    net, _ = open_model(OpenModel("resnet20-cifar10"))
    with torch.no_grad():
        right = (net(batch.images).argmax(1) == batch.labels).float().mean()
    assert float(right) > 0.7 and batch.note == ""
