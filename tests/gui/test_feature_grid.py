"""What the grid of feature maps paints: every pixel of its view, numbers, marks and pictures of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PyQt6.QtCore import QRect
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.types import Activation
from resnet_viz.gui import theme
from resnet_viz.gui.widgets.feature_grid import FeatureGrid
from resnet_viz.gui.widgets.grid_paint import PINNED


@pytest.fixture(autouse=True)
def styled(qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, "dark")
    theme.set_font(qapp)
    yield


@pytest.fixture
def grid(qtbot: QtBot) -> FeatureGrid:
    widget = FeatureGrid()
    qtbot.addWidget(widget)
    widget.resize(500, 400)
    widget.show()
    return widget


def show(grid: FeatureGrid, count: int, side: int = 8) -> None:
    maps = np.random.default_rng(0).random((count, side, side), dtype=np.float32) + 1
    maps[0] = 0
    grid.set_activation(Activation("layer", 0, maps), channel_stats(maps))


def painted(grid: FeatureGrid) -> QImage:
    viewport = grid.viewport()
    assert viewport is not None
    return viewport.grab().toImage()


def words(image: QImage, area: QRect) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
    cut = image.copy(area).convertToFormat(QImage.Format.Format_RGB32)
    bits = cut.constBits()
    assert bits is not None
    flat = np.frombuffer(bits.asarray(cut.sizeInBytes()), np.uint32).copy()  # the image goes, its pixels stay
    return flat.reshape(cut.height(), cut.width())


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_what_no_cell_covers_is_background(grid: FeatureGrid, count: int) -> None:
    show(grid, 40)
    painted(grid)
    show(grid, count)  # nothing of the larger grid may be left beside or below the smaller one
    image = painted(grid)
    first, last = grid.cell_rect(0), grid.cell_rect(count - 1)
    window = grid.palette().window().color().rgb()
    strips = [QRect(0, 0, first.left() - 3, image.height())]
    below = last.bottom() + 4
    strips.append(QRect(0, below, image.width(), image.height() - below))
    seen = [words(image, strip) for strip in strips if strip.width() > 0 and strip.height() > 0]
    assert seen or count == 40
    for part in seen:
        assert (part == window).all()


def test_each_number_stands_on_a_dark_ground(grid: FeatureGrid) -> None:
    show(grid, 12)
    image = painted(grid)
    for channel in (1, 7, 11):
        corner = grid.cell_rect(channel).topLeft()
        box = QRect(corner.x(), corner.y(), 12, grid.fontMetrics().height())
        brightest = max(QColor(int(word)).lightness() for word in words(image, box).ravel())
        assert brightest > 200, channel  # the white digits


def test_numbers_grow_with_the_font(grid: FeatureGrid, qapp: QApplication) -> None:
    show(grid, 4)
    white = []
    for size_px in (theme.BASE_PX, theme.MAX_PX):
        theme.set_font(qapp, size_px)
        qapp.processEvents()
        white.append(int((words(painted(grid), grid.cell_rect(1)) == 0xFFFFFFFF).sum()))
    assert white[1] > 1.2 * white[0] > 0


def test_pins_and_selection_are_framed(grid: FeatureGrid) -> None:
    show(grid, 12)
    plain = painted(grid)
    grid.set_pinned(frozenset({4}))
    image = painted(grid)
    cell = grid.cell_rect(4)
    assert image.pixelColor(cell.center().x(), cell.top() - 1) == QColor(PINNED)
    grid.set_selected(5)
    other = grid.cell_rect(5)
    image = painted(grid)
    assert image.pixelColor(other.center().x(), other.top() - 1) == QColor("#ffffff")
    grid.set_selected(None)
    grid.set_pinned(frozenset())
    assert painted(grid) == plain


@pytest.mark.parametrize("count", [6, 3000])
def test_pictures_can_stand_in_for_the_maps(grid: FeatureGrid, count: int) -> None:
    show(grid, count)
    grid.set_pictures(np.full((count, 8, 8), 0xFF123456, np.uint32))
    cell = grid.cell_rect(1)
    assert painted(grid).pixel(cell.center()) == 0xFF123456
    show(grid, count)
    assert painted(grid).pixel(cell.center()) != 0xFF123456


def test_a_mosaic_follows_the_order(grid: FeatureGrid) -> None:
    from dataclasses import replace

    show(grid, 3000)  # so many are drawn as one picture, which is kept between paints
    before = painted(grid)
    grid.set_options(replace(grid.options(), sort="max"))
    assert painted(grid) != before
    grid.set_options(replace(grid.options(), sort="index"))
    assert painted(grid) == before
