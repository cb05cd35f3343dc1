"""A map over the picture carries its scale: numbers and colours where the person looks."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot
from torch import nn

from resnet_viz.analysis.colormap import lut
from resnet_viz.analysis.receptive_field import receptive_fields
from resnet_viz.core.types import ImageInput
from resnet_viz.data.presets import presets
from resnet_viz.gui.widgets import crop_view
from resnet_viz.gui.widgets.overlay_scale import Scale, paint_scale
from resnet_viz.gui.widgets.picture_panel import PicturePanel

PLAIN = QColor("#808080")


def drawn(width: int, height: int, scale: Scale) -> tuple[QImage, QRect]:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(PLAIN)
    painter = QPainter(image)
    covered = paint_scale(painter, image.rect(), scale)
    painter.end()
    return image, covered


def test_the_bar_goes_from_the_first_colour_to_the_last(qtbot: QtBot) -> None:
    image, covered = drawn(200, 100, Scale(0.0, 2.5, "viridis"))
    assert covered.bottom() == 99 and image.rect().contains(covered)
    middle = covered.center().y()
    row = [image.pixelColor(x, middle).getRgb()[:3] for x in range(covered.left(), covered.right())]
    table = [tuple(int(part) for part in colour) for colour in lut("viridis")]
    found = [table.index(colour) for colour in row if colour in table]
    assert found[0] < 12 and found[-1] > 243  # the ends, to within the pixels that a bar of its width has
    assert found == sorted(found) and len(found) > 30
    assert image.pixelColor(covered.left() - 1, middle) == PLAIN
    assert image.pixelColor(covered.right() + 1, middle) == PLAIN


def test_both_numbers_are_written(qtbot: QtBot) -> None:
    pictures = [drawn(200, 100, Scale(low, high, "viridis"))[0] for low, high in ((0, 1), (0, 2), (3, 1))]
    assert pictures[0] != pictures[1] and pictures[0] != pictures[2]


@pytest.mark.parametrize("size", [(10, 100), (200, 4), (0, 0)])
def test_nothing_is_drawn_where_nothing_fits(qtbot: QtBot, size: tuple[int, int]) -> None:
    image = QImage(200, 100, QImage.Format.Format_RGB32)
    image.fill(PLAIN)
    before = image.copy()
    painter = QPainter(image)
    covered = paint_scale(painter, QRect(0, 0, *size), Scale(0, 1, "viridis"))
    painter.end()
    assert covered.isEmpty() and image == before


def test_an_overlay_has_the_scale_of_its_values(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Scale] = []
    monkeypatch.setattr(crop_view, "paint_scale", lambda _painter, _area, scale: seen.append(scale))
    panel = PicturePanel()
    qtbot.addWidget(panel)
    panel.resize(320, 500)
    panel.set_model(32, "square", presets.get("cifar10"), True)
    panel.set_picture(ImageInput(np.zeros((60, 100, 3), np.uint8), "x.png"))
    panel.show()
    panel.grab()
    assert seen == []
    panel.set_overlay(np.array([[-1.5, 0.0], [np.nan, 4.0]], np.float32))
    panel.grab()
    assert set(seen) == {Scale(-1.5, 4.0, "viridis")}
    seen.clear()
    panel.set_overlay(None)
    panel.grab()
    assert seen == []


def test_a_map_lies_where_its_values_look(qtbot: QtBot) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 4, 3, stride=2, padding=1)
    )
    field = receptive_fields(net, (3, 32, 32))["2"]
    assert field is not None
    place = field.extent(4, 4)
    assert (place.width, place.height) == (32, 32) and place.left == place.top < 0
    for row, column in ((0, 0), (1, 3), (3, 2)):
        seen = field.box(row, column)
        assert place.left + (column + 0.5) * field.step_x == seen.left + seen.width / 2
        assert place.top + (row + 0.5) * field.step_y == seen.top + seen.height / 2
    panel = PicturePanel()
    qtbot.addWidget(panel)
    panel.resize(320, 500)
    panel.set_model(32, "square", presets.get("cifar10"), True)
    panel.set_picture(ImageInput(np.zeros((64, 64, 3), np.uint8), "x.png"))
    panel.set_net_view(np.zeros((32, 32, 3), np.uint8))
    values = np.zeros((4, 4), np.float32)
    values[1, 2] = 1  # yellow, all others violet
    panel.set_overlay(values, place)
    panel.show()
    for view, side in ((panel.net_view, panel.net_view.width()), (panel.crop, round(panel.crop.target().width()))):
        image = view.grab().toImage()
        left = 0 if view is panel.net_view else panel.crop.target().x()
        top = 0 if view is panel.net_view else panel.crop.target().y()
        green = [
            (x, y)
            for x in range(image.width())
            for y in range(image.height() * 3 // 4)  # below lies the scale
            if image.pixelColor(x, y).green() > 100 and image.pixelColor(x, y).blue() < 60
        ]
        assert green, "the hot value is not seen"
        middle = np.mean(green, axis=0) + 0.5
        box = field.box(1, 2)
        wanted = ((box.left + box.width / 2) * side / 32 + left, (box.top + box.height / 2) * side / 32 + top)
        assert np.abs(middle - wanted).max() < 1.5
