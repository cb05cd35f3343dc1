"""From a checkpoint of a stranger to the card that the window shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from resnet_viz.core.errors import CheckpointError
from resnet_viz.models import create
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel


def test_a_net_with_a_small_stem_sees_small_pictures_and_its_mean_is_asked(tmp_path: Path) -> None:
    net = torchvision.models.resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    torch.save({"net": net.state_dict()}, tmp_path / "ckpt.pth")
    opened, card = open_model(OpenModel(ref=str(tmp_path / "ckpt.pth")))
    assert card.input_size == 32 and card.fit == "square" and not card.normalization_known
    assert card.normalization.title == "CIFAR-10" and card.blocks[0].out_shape == (64, 32, 32)
    assert opened(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_kernels_lie_as_the_pictures_do() -> None:
    net, _ = open_model(OpenModel(ref="resnet20", untrained=True))
    kernels = [weight for weight in net.parameters() if weight.ndim == 4]
    assert kernels and all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)
    as_made = create("resnet20", seed=0)
    x = torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(net(x), as_made.eval()(x), rtol=1e-4, atol=1e-5)


def test_imagenet_weights_need_no_question(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    _, card = open_model(OpenModel(ref=str(tmp_path / "resnet18.pth")))
    assert card.input_size == 224 and card.normalization_known and card.normalization.title == "ImageNet"
    assert card.found == "ResNet-18, 1000 classes, 11,689,512 parameters" and card.warnings == ()


def test_a_factorys_checkpoint_is_checked_before_it_is_taken(tmp_path: Path) -> None:
    torch.save({"model": torchvision.models.squeezenet1_1(num_classes=4).state_dict()}, tmp_path / "s.pt")
    request = OpenModel(ref=str(tmp_path / "s.pt"), factory="torchvision.models:squeezenet1_1", input_size=64)
    with pytest.raises(CheckpointError, match=r"s\.pt does not fit torchvision\.models:squeezenet1_1: .*\(4, 512"):
        open_model(request)
    net = torchvision.models.squeezenet1_1()
    torch.save({"state_dict": {f"module.{key}": value for key, value in net.state_dict().items()}}, tmp_path / "s.pt")
    opened, card = open_model(request)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        # kernels that lie channels last are summed in another order
        torch.testing.assert_close(opened(x), net.eval()(x), rtol=1e-4, atol=1e-5)
    assert card.family == "generic" and card.layers and card.blocks


def test_the_warning_of_a_twin_reaches_the_card(tmp_path: Path) -> None:
    torch.save(create("plain20", seed=0).state_dict(), tmp_path / "p.pt")
    _, card = open_model(OpenModel(ref=str(tmp_path / "p.pt")))
    assert card.arch == "resnet20" and "--arch plain20" in card.warnings[0]
    _, card = open_model(OpenModel(ref=str(tmp_path / "p.pt"), arch="plain20"))
    assert card.arch == "plain20" and card.warnings == ()
