"""What the grid of feature maps paints: every pixel of its view, numbers, marks and pictures of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QColor, QImage, QPainter
from PyQt6.QtWidgets import QApplication, QStackedWidget, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.export_sheet import sheet, to_rgb
from resnet_viz.analysis.montage import GridOptions, ranges
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.types import F32, Activation, BlockParts
from resnet_viz.gui import theme
from resnet_viz.gui.widgets.color_bar import ColorBar
from resnet_viz.gui.widgets.feature_grid import FeatureGrid
from resnet_viz.gui.widgets.grid_paint import PINNED
from resnet_viz.gui.widgets.grid_toolbar import GridToolbar
from resnet_viz.gui.widgets.microscope import FRAME_PX, Microscope
from resnet_viz.gui.widgets.scale_box import MOST, ScaleBox


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


def give(grid: FeatureGrid, maps: F32) -> None:
    grid.set_activation(Activation("layer", 0, maps), channel_stats(maps))


def written(grid: FeatureGrid, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what is written into boxes while the grid is painted, after a check that it fits into them."""
    seen: list[tuple[str, int, int]] = []

    class Spy(QPainter):
        def drawText(self, box: QRect, flags: int, text: str) -> None:  # type: ignore[override]
            seen.append((text, self.fontMetrics().horizontalAdvance(text), box.width()))

    monkeypatch.setattr("resnet_viz.gui.widgets.feature_grid.QPainter", Spy)
    painted(grid)
    for text, width, room in seen:
        assert width <= room, text
    return {text for text, _, _ in seen}


HARD = (0.00852, -0.000123456, -1.23456e-7, -123456.0, 1.5e30, -0.5, 0.0, float("nan"), 12345.0, 2.0)


@pytest.mark.parametrize("count", [10, 300])
def test_the_value_of_a_map_of_one_is_never_cut(grid: FeatureGrid, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    give(grid, np.resize(np.array(HARD, np.float32), (count, 1, 1)))
    texts = written(grid, monkeypatch)
    assert {"0.00852", "−0.000123", "−1.23·10⁻⁷", "−123,456", "NaN"} <= texts
    grid.set_zoom(46)  # where a long one has no room, it is left out and not cut
    texts = written(grid, monkeypatch)
    assert "−0.5" in texts and "−0.000123" not in texts


@pytest.mark.parametrize("zoom", [None, 4, 5, 6, 7, 8])
def test_numbers_of_four_digits_stay_in_their_cells(grid: FeatureGrid, zoom: float | None) -> None:
    give(grid, np.random.default_rng(0).random((2048, 7, 7), dtype=np.float32))
    grid.set_options(GridOptions(sort="index", descending=True))
    grid.set_zoom(zoom)
    bar = grid.verticalScrollBar()
    assert bar is not None
    bar.setValue(bar.maximum() // 2)
    numbered = painted(grid)
    cells = grid._cells
    assert cells.shown is not None
    width = cells._chips and max(chip.deviceIndependentSize().width() for chip in cells._chips.values())
    assert not width or width <= grid.cell_rect(0).width()
    assert bool(width) == (zoom is None or zoom >= 6)
    assert not numbered.isNull()


@pytest.mark.parametrize("colormap", ["signed", "viridis", "grey"])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_dead_channel_is_struck_through_on_any_colour(grid: FeatureGrid, colormap: str, level: float) -> None:
    maps = np.random.default_rng(0).normal(size=(4, 8, 8)).astype(np.float32)
    maps[1] = 0
    grid.set_options(GridOptions(colormap=colormap, normalize="fixed", fixed=(-level, 1 - level + 1e-6)))
    give(grid, maps)
    cell = grid.cell_rect(1)
    line = words(painted(grid), QRect(cell.center().x() - 6, cell.center().y(), 13, 1)).ravel()
    light = [QColor(int(word)).lightnessF() for word in line]
    assert max(light) - min(light) > 0.4  # whatever lies below, one of the two lines is seen


def test_an_empty_grid_says_what_is_being_computed(grid: FeatureGrid, qtbot: QtBot) -> None:
    asks = painted(grid)
    grid.set_waiting("The maps of layer1.0 are being computed …")
    assert painted(grid) != asks
    qtbot.waitUntil(lambda: "layer1.0" in grid.accessibleDescription())
    grid.set_waiting("")
    assert painted(grid) == asks
    show(grid, 4)
    shown = painted(grid)
    grid.set_waiting("Again")  # maps that are there say more
    assert painted(grid) == shown


def test_the_whole_picture_has_pins_in_front_numbers_and_scale(grid: FeatureGrid) -> None:
    show(grid, 12)
    grid.set_options(GridOptions(pinned_first=True))
    grid.set_pinned(frozenset({7}))
    activation, stats = grid.activation(), grid.stats()
    assert activation is not None and stats is not None
    made = sheet(activation, stats, grid.options(), {"model": "net"}, frozenset({7}))
    assert made.grid.shown[0] == 7
    draw = grid.whole({"model": "net"})
    assert draw is not None
    show(grid, 4)  # what is drawn is what was there when it was asked for
    assert np.array_equal(draw(), to_rgb(made))
    assert FeatureGrid().whole({}) is None


@pytest.fixture
def bar(grid: FeatureGrid, qtbot: QtBot) -> GridToolbar:
    toolbar = GridToolbar(grid)
    qtbot.addWidget(toolbar)
    toolbar.resize(1100, 60)
    toolbar.show()
    return toolbar


def fix(bar: GridToolbar) -> None:
    bar.scale.setCurrentIndex(bar.scale.findData("fixed"))


@pytest.mark.parametrize("most", [1.66e9, 0.0022, 3e38, 1e-40])
@pytest.mark.parametrize("colormap", ["viridis", "signed"])
def test_a_fixed_scale_starts_from_what_is_on_screen(
    grid: FeatureGrid, bar: GridToolbar, most: float, colormap: str
) -> None:
    maps = (np.random.default_rng(0).random((6, 8, 8)) * most).astype(np.float32)
    give(grid, maps)
    bar.colors.setCurrentIndex(bar.colors.findData(colormap))
    before, picture = ranges(channel_stats(maps), grid.options()), painted(grid)
    fix(bar)
    assert grid.options().fixed == (float(before[0][0]), float(before[1][0]))
    assert painted(grid) == picture
    bar.clip.click()
    low, high = np.percentile(maps, [1, 99])
    # of signed colours white is zero, so both ends are equally far from it
    assert grid.options().fixed == (float(-high if colormap == "signed" else low), float(high))


def test_ends_typed_the_wrong_way_round_change_places(grid: FeatureGrid, bar: GridToolbar, qtbot: QtBot) -> None:
    show(grid, 4)
    fix(bar)
    for box, text in ((bar.high, "1"), (bar.low, "5")):
        box.selectAll()
        qtbot.keyClicks(box, text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
    assert grid.options().fixed == (1.0, 5.0)
    assert (bar.low.text(), bar.high.text()) == ("1", "5")


def test_the_controls_of_a_fixed_scale_are_as_high_as_the_others(grid: FeatureGrid, bar: GridToolbar) -> None:
    show(grid, 4)
    fix(bar)
    bar.grab()
    heights = {widget.height() for widget in (bar.scale, bar.low, bar.high)}
    assert len(heights) == 1
    assert bar.low.geometry().center().y() == bar.scale.geometry().center().y()


def test_the_toolbar_is_as_high_as_its_rows_at_every_size_of_the_text(
    qapp: QApplication, grid: FeatureGrid, qtbot: QtBot
) -> None:
    page = QWidget()
    stack = QStackedWidget()
    qtbot.addWidget(stack)
    bar = GridToolbar(grid)
    column = QVBoxLayout(page)
    column.addWidget(bar)
    column.addStretch(1)
    stack.addWidget(page)
    stack.resize(400, 500)
    stack.show()
    heights = []

    def whole() -> bool:
        shown = [child for child in bar.children() if isinstance(child, QWidget) and child.isVisible()]
        return bar.height() == max(child.geometry().bottom() for child in shown) + 1

    for px, scale in ((13, "layer"), (13, "fixed"), (17, "fixed"), (13, "fixed"), (13, "layer")):
        theme.set_font(qapp, px)
        bar.scale.setCurrentIndex(bar.scale.findData(scale))
        qapp.processEvents()
        qtbot.waitUntil(whole)
        heights.append(bar.height())
    assert heights[0] < heights[1] < heights[2]
    assert heights[3] == heights[1] and heights[4] == heights[0]


def test_a_scale_box_keeps_its_number_exactly_until_another_is_typed(qtbot: QtBot) -> None:
    box = ScaleBox()
    qtbot.addWidget(box)
    box.show()
    said: list[float] = []
    box.valueChanged.connect(said.append)
    exact = 0.0021743498742580414
    box.setValue(exact)
    assert box.text() == "0.00217435"
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == exact and said == [exact]
    for text, value in (("-1.5e9", -1.5e9), ("−0,25", -0.25), ("1e99", MOST), ("2e-30", 2e-30)):
        box.selectAll()
        box.insert(text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
        assert box.value() == value, text
    for text in ("nan", "inf", "1e", "--", ""):
        box.selectAll()
        qtbot.keyClick(box, Qt.Key.Key_Delete)
        qtbot.keyClicks(box, text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
        assert box.value() == 2e-30 and box.text() == "2e-30", text


def test_a_scale_box_steps_by_round_amounts_that_suit_the_scale(qtbot: QtBot) -> None:
    box = ScaleBox()
    qtbot.addWidget(box)
    for value, span, up, down in (
        (0.00217435, 0.0022, 0.0022, 0.0021),
        (1.66e9, 1.66e9, 1.7e9, 1.6e9),
        (0.0, 2.0, 0.1, 0.0),
        (-1.0, 2.0, -0.9, -1.0),
        (5.0, 0.0, None, None),
        (0.0, 0.0, None, None),
        (MOST, 1e-30, MOST, None),
    ):
        box.setValue(value)
        box.set_span(span)
        qtbot.keyClick(box, Qt.Key.Key_Up)
        assert box.value() == pytest.approx(up, rel=1e-12) if up is not None else box.value() > value
        above = box.value()
        qtbot.keyClick(box, Qt.Key.Key_Down)
        assert box.value() == pytest.approx(down, rel=1e-12) if down is not None else box.value() < above


def test_a_layer_with_nan_shows_what_their_colour_means(qtbot: QtBot) -> None:
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.resize(600, 30)
    bar.show()

    def magenta() -> int:
        return int((words(bar.grab().toImage(), bar.rect()) == 0xFFFF00FF).sum())

    bar.set_scale(0, 1, "viridis", "one scale for the layer")
    assert magenta() == 0
    bar.set_scale(0, 1, "viridis", "one scale for the layer", missing=True)
    assert magenta() == 100 and "not a number" in bar.accessibleDescription()
    bar.set_scale(0, 1, "viridis")
    assert magenta() == 0 and "not a number" not in bar.accessibleDescription()


@pytest.mark.parametrize("size_px", [theme.BASE_PX, theme.MAX_PX])
def test_the_frame_of_the_chosen_channel_is_whole(qtbot: QtBot, qapp: QApplication, size_px: int) -> None:
    theme.set_font(qapp, size_px)
    x = np.random.default_rng(0).random((3, 6, 6)).astype(np.float32)
    widget = Microscope()
    qtbot.addWidget(widget)
    widget.set_parts(BlockParts("layer1.0", x, x, x + x, x + x, 1.0))
    widget.resize(700, 400)
    widget.show()
    view = widget.rows.viewport()
    assert view is not None
    image = view.grab().toImage()
    accent = QColor(theme.current().accent).rgb()
    seen = words(image, image.rect()) == accent
    rows = np.flatnonzero(seen.any(1))
    assert rows[-1] - rows[0] + 1 == widget.rows._cell() + 2 * FRAME_PX
