"""Class names against torchvision's, and orders that labels depend on."""

from __future__ import annotations

import pytest

from resnet_viz.data import labels as names
from resnet_viz.data.labels import ids, known, labels, order


def test_names_are_torchvisions() -> None:
    from torchvision.datasets import MNIST, FashionMNIST
    from torchvision.models import ResNet18_Weights

    assert list(labels("imagenet", 1000)) == ResNet18_Weights.DEFAULT.meta["categories"]
    assert list(labels("fashionmnist", 10)) == FashionMNIST.classes
    assert [name[0] for name in MNIST.classes] == list(labels("mnist", 10))


def test_cifar() -> None:
    assert labels("cifar10", 10)[3:6] == ("cat", "deer", "dog")
    hundred = labels("cifar100", 100)
    assert len(set(hundred)) == 100 and list(hundred) == sorted(hundred)
    assert (hundred[0], hundred[47], hundred[99]) == ("apple", "maple tree", "worm")


def test_ids_are_forgiving() -> None:
    assert labels("CIFAR-10", 10) == labels("cifar10", 10)
    assert labels("Fashion-MNIST", 10)[9] == "Ankle boot"
    assert set(ids()) >= {"cifar10", "cifar100", "imagenet", "fashionmnist", "mnist", "catdog"}


@pytest.mark.parametrize(("dataset", "count"), [("unknown", 3), ("", 3), ("cifar10", 3)])
def test_a_number_where_a_name_could_be_wrong(dataset: str, count: int) -> None:
    assert labels(dataset, count) == ("class 0", "class 1", "class 2")


def test_known_sets_are_recognised_by_their_names() -> None:
    assert order(["Dog", "CAT"]) == ("catdog", ("cat", "dog"))
    ten = known("cifar10")
    assert ten is not None
    assert order(reversed([name.upper() for name in ten])) == ("cifar10", ten)
    clothes = ["T-shirt top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"]
    found = order(clothes)
    assert found is not None and found[0] == "fashionmnist" and found[1][0] == "T-shirt/top"
    assert order(["cat", "dog", "fox"]) is None
    assert order(["cat", "cat", "dog"]) is None
    assert order([]) is None


def test_plain_keeps_letters_of_every_script() -> None:
    assert names.plain("T-shirt/top") == "tshirttop"
    assert names.plain("고양이 사진") == "고양이사진"
