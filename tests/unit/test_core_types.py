"""The values that travel between rooms."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import numpy as np
import pytest
import torch

from resnet_viz.core import types
from resnet_viz.core.errors import LayerNotFoundError
from resnet_viz.core.types import BlockInfo, CropBox, LayerInfo, ModelCard, Normalization, ReceptiveField

VALUES = [kind for _, kind in inspect.getmembers(types, inspect.isclass) if kind.__module__ == types.__name__]


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: str(kind.__name__))
def test_every_value_is_frozen_and_takes_no_new_attributes(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    instance = object.__new__(kind)
    name = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(instance, name, None)
    assert not hasattr(instance, "__dict__")


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: str(kind.__name__))
def test_values_that_hold_arrays_compare_by_identity(kind: type) -> None:
    """``==`` on arrays has no single truth value, so a generated ``__eq__`` would raise."""
    text = str([field.type for field in dataclasses.fields(kind)])
    if any(name in text for name in ("U8", "F32", "F64", "I64", "NDArray")):
        assert kind.__eq__ is object.__eq__


def card() -> ModelCard:
    layers = tuple(LayerInfo(name, "Conv2d", (16, 32, 32), 432, "stem") for name in ("stem.conv", "layer1.0.conv1"))
    blocks = (BlockInfo("stem", "stem", "stem", ("stem.conv",), "stem.conv", (3, 32, 32), (16, 32, 32), 432),)
    return ModelCard(
        id="x",
        title="X",
        arch="resnet20",
        family="cifar",
        depth=20,
        params=864,
        classes=("cat", "dog"),
        input_size=32,
        in_channels=3,
        normalization=Normalization("half", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        normalization_known=True,
        fit="square",
        dataset="",
        test_error=None,
        found="",
        warnings=(),
        layers=layers,
        blocks=blocks,
    )


def test_a_card_finds_its_layers_and_blocks() -> None:
    assert card().layer("stem.conv").params == 432
    assert card().block("stem").out == "stem.conv"


def test_a_card_names_the_nearest_where_it_finds_none() -> None:
    with pytest.raises(LayerNotFoundError, match=r"no layer named 'layer1.0.conv'.*layer1\.0\.conv1"):
        card().layer("layer1.0.conv")
    with pytest.raises(LayerNotFoundError, match=r"no block named 'sten'.*stem"):
        card().block("sten")


def test_a_card_survives_copying_and_pickling() -> None:
    assert pickle.loads(pickle.dumps(card())) == card() == copy.deepcopy(card())


def test_cards_do_not_share_their_extras() -> None:
    assert card().extra is not card().extra


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (7, 2, 3), (1, 2, 0)])
def test_the_box_of_a_receptive_field_is_where_autograd_sees_an_effect(kernel: int, stride: int, padding: int) -> None:
    field = ReceptiveField(kernel, kernel, stride, stride, -padding, -padding)
    conv = torch.nn.Conv2d(1, 1, kernel, stride, padding, bias=False)
    torch.nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 15, 15, requires_grad=True)
    out = conv(x)
    row, column = 3, 2
    out[0, 0, row, column].backward()
    assert x.grad is not None
    seen = np.argwhere(x.grad[0, 0].numpy() != 0)
    box = field.box(row, column)
    assert (seen[:, 0].min(), seen[:, 1].min()) == (box.top, box.left)
    assert (np.ptp(seen[:, 0]) + 1, np.ptp(seen[:, 1]) + 1) == (box.height, box.width)


def test_boxes_are_equal_by_value() -> None:
    assert CropBox(1, 2, 3, 4) == CropBox(1, 2, 3, 4)
    assert len({CropBox(1, 2, 3, 4), CropBox(1, 2, 3, 4)}) == 1
