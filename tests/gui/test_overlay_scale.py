"""A map over the picture carries its scale: numbers and colours where the person looks."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.colormap import lut
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
