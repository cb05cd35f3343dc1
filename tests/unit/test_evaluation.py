"""Accuracy counted picture by picture, against a plain loop over single pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resnet_viz.analysis.evaluation import evaluate
from resnet_viz.core.errors import Cancelled, DataError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import I64, U8, Normalization

HALF = Normalization("half", (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
CLASSES = ("ant", "bee", "cow", "dog")


class Small(nn.Module):
    """Batch norm and dropout: a net whose answers differ between the modes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop, self.fc = nn.BatchNorm2d(3), nn.Dropout(0.9), nn.Linear(3 * 8 * 8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.drop(self.norm(x)).flatten(1))
        return out


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Small()


@pytest.fixture
def images() -> U8:
    return np.random.default_rng(0).integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def labels() -> I64:
    return np.random.default_rng(1).integers(0, 3, 23)  # no "dog" among them


def plain(net: nn.Module, images: U8) -> list[int]:
    """Return the answers, one picture at a time, normalised by the formula itself."""
    net.eval()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (HALF.mean, HALF.std))
    answers = []
    with torch.no_grad():
        for picture in images:
            x = (torch.from_numpy(picture).permute(2, 0, 1) / 255 - mean) / std
            answers.append(int(net(x[None]).argmax()))
    return answers


@pytest.mark.parametrize("batch", [1, 7, 23, 100])
def test_every_picture_counts_once(net: nn.Module, images: U8, labels: I64, batch: int) -> None:
    result = evaluate(net, images, labels, CLASSES, HALF, batch=batch)
    answers = plain(net, images)
    confusion = np.zeros((4, 4), np.int64)
    for truth, answer in zip(labels, answers, strict=True):
        confusion[truth, answer] += 1
    np.testing.assert_array_equal(result.confusion, confusion)
    assert len(set(answers)) > 1  # a net that always says the same would prove little
    assert result.n == 23
    assert result.accuracy == sum(int(a) == t for a, t in zip(answers, labels, strict=True)) / 23
    assert result.classes == CLASSES
    for index, name in enumerate(CLASSES):
        mine = [answer == index for truth, answer in zip(labels, answers, strict=True) if truth == index]
        assert result.per_class[name] == (pytest.approx(sum(mine) / len(mine)) if mine else None)
    assert result.per_class["dog"] is None


def test_rows_are_the_true_class(images: U8) -> None:
    class Always(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([0.0, 0.0, 1.0, 0.0]).expand(len(x), 4)

    result = evaluate(Always(), images[:5], np.array([0, 0, 1, 2, 2]), CLASSES, HALF)
    assert result.confusion[:, 2].tolist() == [2, 1, 2, 0]
    assert result.confusion.sum() == 5
    assert result.accuracy == 2 / 5
    assert result.per_class == {"ant": 0.0, "bee": 0.0, "cow": 1.0, "dog": None}


def test_mode_and_buffers_are_given_back(net: nn.Module, images: U8, labels: I64) -> None:
    net.train()
    net.get_submodule("drop").eval()
    modes, buffers = [module.training for module in net.modules()], [buffer.clone() for buffer in net.buffers()]
    evaluate(net, images, labels, CLASSES, HALF, batch=5)
    assert [module.training for module in net.modules()] == modes
    for old, new in zip(buffers, net.buffers(), strict=True):
        assert torch.equal(old, new)


def test_progress_ends_at_one(net: nn.Module, images: U8, labels: I64) -> None:
    shares: list[float] = []
    evaluate(net, images, labels, CLASSES, HALF, batch=10, progress=shares.append)
    assert shares == [10 / 23, 20 / 23, 1.0]


def test_a_set_token_stops_between_two_passes(net: nn.Module, images: U8, labels: I64) -> None:
    token, passes = CancelToken(), []
    net.train()

    def stop_after_two(*_: object) -> None:
        passes.append(1)
        if len(passes) == 2:
            token.cancel()

    net.register_forward_hook(stop_after_two)
    with pytest.raises(Cancelled):
        evaluate(net, images, labels, CLASSES, HALF, batch=5, token=token)
    assert len(passes) == 2
    assert all(module.training for module in net.modules())


def test_what_could_not_be_read_is_passed_on(net: nn.Module, images: U8, labels: I64) -> None:
    result = evaluate(net, images, labels, CLASSES, HALF, skipped=["a.png", "b.png"])
    assert result.skipped == ("a.png", "b.png")
    assert result.n == 23


def test_no_pictures_are_an_error(net: nn.Module) -> None:
    with pytest.raises(DataError, match="no pictures"):
        evaluate(net, np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64), CLASSES, HALF)


@pytest.mark.parametrize("label", [4, -1])
def test_a_class_that_the_net_does_not_have_is_an_error(net: nn.Module, images: U8, label: int) -> None:
    net.register_forward_pre_hook(lambda *_: pytest.fail("the net ran"))
    with pytest.raises(DataError, match=f"class {label}, the net has 4 classes"):
        evaluate(net, images[:2], np.array([0, label]), CLASSES, HALF)
