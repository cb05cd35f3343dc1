"""What Inspect shows, held against the numbers: values under the mouse, blocks, kernels, words, files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QRectF
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.colormap import NAN_RGB, indices, lut32
from resnet_viz.analysis.montage import GridHover, GridOptions, ranges
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.types import F32, Activation, BlockParts, CropBox, Filters, Fit, LayerInfo, ReceptiveField
from resnet_viz.gui.views.inspect_center import InspectCenter
from resnet_viz.gui.views.inspect_logic import channel_sentence, parts_words
from resnet_viz.gui.widgets.channel_inspector import ChannelInspector
from resnet_viz.gui.widgets.color_bar import ColorBar
from resnet_viz.gui.widgets.confidences import _bar, logit_ends
from resnet_viz.gui.widgets.feature_grid import FeatureGrid
from resnet_viz.gui.widgets.filter_view import FilterView, rgb_kernels
from resnet_viz.gui.widgets.grid_toolbar import GridToolbar
from resnet_viz.gui.widgets.microscope import Microscope, ratio_sentence
from resnet_viz.gui.window import MainWindow

Open = Callable[..., MainWindow]
RNG = np.random.default_rng(3)


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bits = image.bits()
    assert bits is not None
    return np.frombuffer(bits.asarray(image.sizeInBytes()), np.uint32).reshape(image.height(), image.width()).copy()


@pytest.mark.parametrize(("side", "count"), [(7, 6), (14, 16), (28, 16), (56, 4), (4, 600)])
@pytest.mark.parametrize("zoom", [None, 1.37, 1.9, 2.6, 3.9, 4.7, 5.5, 9.3])
def test_the_value_under_the_mouse_is_the_one_that_is_painted_there(
    side: int, count: int, zoom: float | None, qtbot: QtBot
) -> None:
    grid = FeatureGrid()
    qtbot.addWidget(grid)
    grid.resize(700, 500)
    grid.show()
    maps = RNG.random((count, side, side)).astype(np.float32)
    stats = channel_stats(maps)
    grid.set_activation(Activation("a", 0, maps), stats)
    grid.set_options(GridOptions(sort="mean", pinned_first=True))
    grid.set_pinned(frozenset({2}))
    grid.set_zoom(zoom)
    grid._bar().setValue(37)
    QApplication.processEvents()
    view = grid.viewport()
    assert view is not None
    painted = pixels(view.grab().toImage())
    low, high = ranges(stats, grid.options())
    seen = 0
    for y in (61, 66, 72, 90, 134, 211, 213, 301):
        for x in range(painted.shape[1]):
            hover = grid.hit(QPoint(x, y))
            if hover is None:
                continue
            cell = grid.cell_rect(hover.channel)
            if y - cell.top() < 20 or x - cell.left() < 3 or cell.right() - x < 14 or cell.bottom() - y < 3:
                continue  # numbers and frames
            assert hover.value == maps[hover.channel, hover.row, hover.column]
            colour = lut32("viridis")[indices(np.float32(hover.value)[None], low[0], high[0])][0]
            assert painted[y, x] == colour, (x, y, hover)
            seen += 1
    assert seen or grid.zoom() * side < 40


# ---- one channel ----


@pytest.mark.parametrize("values", [(1.0, 1.0000001), (-3e38, 3e38)], ids=["neighbours", "whole range"])
def test_a_channel_of_nearly_equal_or_of_extreme_values_is_shown(values: tuple[float, float], qtbot: QtBot) -> None:
    maps = np.resize(np.array(values, np.float32), (2, 6, 6))
    inspector = ChannelInspector()
    qtbot.addWidget(inspector)
    inspector.set_channel(Activation("a", 0, maps), channel_stats(maps), 1, None, GridOptions())
    assert inspector._histogram._counts.tolist()[:: len(inspector._histogram._counts) - 1] == [18, 18]
    inspector.grab()


def test_a_channel_of_nan_is_not_said_to_be_zero(qtbot: QtBot) -> None:
    maps = np.full((1, 6, 6), np.nan, np.float32)
    maps[0, 0, 0] = 0
    inspector = ChannelInspector()
    qtbot.addWidget(inspector)
    inspector.set_channel(Activation("a", 0, maps), channel_stats(maps), 0, None, GridOptions())
    assert inspector._histogram._odd == 35 and "35" in inspector._histogram.toolTip()
    inspector.grab()


def test_one_value_of_ten_thousand_is_not_rounded_away(qtbot: QtBot) -> None:
    maps = np.zeros((2, 112, 112), np.float32)
    maps[0, 3, 3] = 1
    maps[1] = 1
    maps[1, 0, 0] = 0
    stats = channel_stats(maps)
    assert "not zero at < 1 %" in channel_sentence(0, None, stats).replace("&lt;", "<")
    assert "<b>" in channel_sentence(0, None, stats) and "at < 1" not in channel_sentence(0, None, stats)  # rich text
    assert "> 99 %" in channel_sentence(1, None, stats).replace("&gt;", ">")
    inspector = ChannelInspector()
    qtbot.addWidget(inspector)
    inspector.set_channel(Activation("a", 0, maps), stats, 0, None, GridOptions())
    assert inspector._facts["zeros"].text() == "> 99.9 %"


# ---- scales ----


def test_the_ends_of_a_signed_fixed_scale_go_together(qtbot: QtBot) -> None:
    grid = FeatureGrid()
    bar = GridToolbar(grid)
    qtbot.addWidget(grid)
    qtbot.addWidget(bar)
    maps = np.abs(RNG.normal(size=(3, 9, 9))).astype(np.float32)
    grid.set_activation(Activation("a", 0, maps), channel_stats(maps))
    bar.scale.setCurrentIndex(bar.scale.findData("fixed"))
    bar.low.setValue(0.5)
    bar.high.setValue(2.0)
    assert grid.options().fixed == (0.5, 2.0)
    bar.colors.setCurrentIndex(bar.colors.findData("signed"))
    assert grid.options().fixed == (-2.0, 2.0) == (bar.low.value(), bar.high.value())
    bar.high.setValue(1.0)
    assert grid.options().fixed == (-1.0, 1.0)
    bar.low.setValue(-3.0)
    assert grid.options().fixed == (-3.0, 3.0)
    bar.clip.click()
    assert grid.options().fixed[0] == -grid.options().fixed[1]
    bar.set_options(replace(grid.options(), fixed=(-1.0, 4.0)))
    assert grid.options().fixed == (-4.0, 4.0)
    assert "either end" in bar.clip.toolTip()


def test_a_scale_without_numbers_is_not_read_out_as_0_to_1(qtbot: QtBot) -> None:
    center = InspectCenter()
    qtbot.addWidget(center)
    maps = RNG.normal(size=(3, 9, 9)).astype(np.float32)
    center.set_activation(Activation("a", 0, maps), channel_stats(maps))
    for colormap, words in (("viridis", "min – max"), ("signed", "−max – +max")):
        center.grid.set_options(GridOptions(normalize="channel", colormap=colormap))
        center.show_scale()
        bar = center.color_bar
        assert isinstance(bar, ColorBar) and bar.accessibleDescription().startswith(words)
    assert "zero is white" in center.color_bar.accessibleDescription()


def test_a_layer_that_is_called_twice_says_which_call_is_shown(qtbot: QtBot) -> None:
    center = InspectCenter()
    qtbot.addWidget(center)
    center.set_layer(LayerInfo("relu", "ReLU", (8, 4, 4), 0, "", calls=2))
    assert "first of 2 calls" in center._facts.text()
    center.set_layer(LayerInfo("relu", "ReLU", (8, 4, 4), 0, ""))
    assert "call" not in center._facts.text()


# ---- the block taken apart ----


def made(x: F32, f: F32) -> BlockParts:
    with np.errstate(all="ignore"):
        ratio = float(np.linalg.norm(f) / np.linalg.norm(x))
        return BlockParts("layer1.0", x, f, x + f, np.maximum(x + f, 0), ratio)


def test_a_block_taken_apart_ends_as_its_net_does(open_window: Open, qtbot: QtBot) -> None:
    for model, layer, activation, skip, names in (
        ("hresnet", "block2", "", "B", 3),
        ("resnet20", "layer2.0", "ReLU", "A", 4),
        ("resnet20", "layer2.1", "ReLU", "identity", 4),
    ):
        window = open_window(model)
        view = window.inspect
        view.select_layer(layer)
        view.show_mode("parts")
        qtbot.waitUntil(lambda view=view: view.settled() and view.looked.parts is not None)  # type: ignore[misc,union-attr]
        qtbot.waitUntil(lambda view=view: not view._after.isActive())  # type: ignore[misc]
        assert view.card is not None
        assert parts_words(view.card, layer) == (activation, skip)
        rows = view.center.microscope.rows
        assert (rows._activation, rows._carried) == (activation, "x" if skip == "identity" else "S(x)")
        assert len(rows._columns()) == names
        assert ("shortcut" in view.center.microscope._sentence.text()) == (skip != "identity")
        rows.grab()
        window.close()


def test_ratios_of_any_size_are_said_in_full(qtbot: QtBot) -> None:
    x = RNG.normal(size=(4, 5, 5)).astype(np.float32)
    assert "0.0042 times" in ratio_sentence(made(x, np.float32(0.0042) * x), "identity")
    assert "NaN" in ratio_sentence(made(x, np.full_like(x, np.nan)), "identity")
    assert "replaces" not in ratio_sentence(made(x, np.full_like(x, np.nan)), "identity")
    assert "zero everywhere" in ratio_sentence(made(0 * x, x), "A")
    widget = Microscope()
    qtbot.addWidget(widget)
    widget.set_parts(made(x, np.float32(0.0042) * x), "Tanh", "B")
    assert "0.0042" in widget._headline.text() and "S(x)" in widget._headline.text()
    widget.resize(700, 400)
    widget.grab()


# ---- kernels ----


def test_a_kernel_that_is_no_number_has_the_colour_that_the_scale_says() -> None:
    weights = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
    weights[1, 2, 0, 1] = np.nan
    weights[2, 0, 0, 0] = np.inf
    pictures, most = rgb_kernels(weights)
    finite = np.abs(weights[np.isfinite(weights)]).max()
    assert most == finite
    assert pictures[1, 0, 1].tolist() == list(NAN_RGB)
    assert pictures[2, 0, 0, 0] == 255
    assert pictures[0, 1, 1].tolist() == [round(127.5 + 127.5 * float(value / finite)) for value in weights[0, :, 1, 1]]


def test_the_weight_under_the_mouse_is_said(qtbot: QtBot) -> None:
    view = FilterView()
    qtbot.addWidget(view)
    weights = np.round(RNG.normal(size=(5, 3, 3, 3)), 2).astype(np.float32)
    view.set_filters(Filters("conv1", weights, rgb=True))
    view.grid.hovered.emit(GridHover(4, 1, 2, 0.0))
    said = view.here.text().replace("−", "-")
    assert all(f"{value:.3g}" in said for value in weights[4, :, 1, 2]) and "kernel 4 (1, 2)" in said
    view.set_filters(Filters("conv2", weights, rgb=False), 3)
    assert view.here.text() == ""
    view.grid.hovered.emit(GridHover(1, 0, 2, float(weights[3, 1, 0, 2])))
    assert view.here.text().replace("−", "-").endswith(f"= {weights[3, 1, 0, 2]:.3g}")
    view.grid.hovered.emit(None)
    assert view.here.text() == ""


def test_kernels_over_one_channel_stand_side_by_side(qtbot: QtBot) -> None:
    view = FilterView()
    qtbot.addWidget(view)
    weights = RNG.normal(size=(6, 1, 3, 3)).astype(np.float32)
    view.set_filters(Filters("conv1", weights, rgb=False))
    shown = view.grid.activation()
    assert shown is not None
    np.testing.assert_array_equal(shown.maps, weights[:, 0])
    assert view.spin.isHidden()
    assert view.bar._high == pytest.approx(np.abs(weights).max())


# ---- words and files ----


def test_logits_are_read_out_when_they_are_shown(open_window: Open) -> None:
    confidences = open_window().inspect.confidences
    before = confidences.bars.accessibleDescription()
    confidences.logits.click()
    assert "%" in before and "%" not in confidences.bars.accessibleDescription()


def test_bars_of_logits_start_at_zero_and_go_both_ways() -> None:
    track = QRectF(10, 0, 100, 12)
    assert logit_ends([3.0, -1.0]) == (-1.0, 3.0)
    assert logit_ends([-0.1, -2.0]) == (-2.0, 0.0)  # of a log-softmax
    assert logit_ends([5.0, 2.0]) == (0.0, 5.0) and logit_ends([0.0]) == (0.0, 1.0) == logit_ends([float("inf")])
    assert _bar(track, -0.5, -2.0, 0.0) == QRectF(85, 0, 25, 12)
    assert _bar(track, 3.0, -1.0, 3.0) == QRectF(35, 0, 75, 12)
    assert _bar(track, -1.0, -1.0, 3.0) == QRectF(10, 0, 25, 12)
    assert _bar(track, 9.0, 0.0, 1.0) == track  # what was before may lie outside
    assert _bar(track, float("nan"), 0.0, 1.0).width() == 0


def test_a_saved_file_names_all_that_its_numbers_hang_on(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    view = window.inspect
    view._on_fit(Fit("crop", CropBox(10, 5, 20, 20)))
    qtbot.waitUntil(view.settled)
    known = view.provenance()
    assert known["part"] == "20 x 20 pixels from (10, 5) of 64 x 48"
    assert view.card is not None
    assert all(f"{part:g}" in known["normalization"] for part in view.card.normalization.mean)
    view._on_fit(Fit("squash"))
    qtbot.waitUntil(view.settled)
    assert view.provenance()["part"].startswith("64 x 48 pixels from (0, 0)")


# ---- the mouse at rest ----


def test_what_lies_under_a_resting_mouse_follows_all_that_moves_below_it(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    view = window.inspect
    grid, toolbar, here = view.center.grid, view.center.toolbar, view.inspector._facts["here"]
    viewport = grid.viewport()
    assert viewport is not None
    qtbot.waitUntil(lambda: not view._after.isActive())
    at = grid.cell_rect(1).center()
    qtbot.mouseMove(viewport, at + QPoint(1, 1))
    qtbot.mouseMove(viewport, at)

    def right() -> bool:
        hover = grid.hit(at)
        looked = view.looked
        assert hover is not None and looked is not None and view.card is not None
        field = view.card.layer(looked.layer).receptive_field
        assert field is not None
        box = field.box(hover.row, hover.column)
        words = f"ch {hover.channel} ({hover.row}, {hover.column})"
        return here.text().startswith(words) and view.picture.net_view._field == box

    qtbot.waitUntil(right)
    toolbar.sort.setCurrentIndex(toolbar.sort.findData("mean"))
    qtbot.waitUntil(right)
    grid.zoom_in()
    qtbot.waitUntil(right)
    view.select_channel(3)
    qtbot.waitUntil(right)
    view.select_layer("layer1.2.conv2")
    qtbot.waitUntil(lambda: view.settled() and view.looked.layer == "layer1.2.conv2" and right())  # type: ignore[union-attr]
    qtbot.mouseMove(view.confidences)
    QApplication.sendEvent(viewport, QEvent(QEvent.Type.Leave))
    grid._bar().setValue(5)
    grid.fit()
    QApplication.processEvents()
    assert here.text() == "–" and view.picture.net_view._field is None


def test_the_box_belongs_to_the_maps_on_screen_while_others_are_on_their_way(open_window: Open) -> None:
    view = open_window().inspect
    assert view.card is not None
    shown = view.card.layer(view.layer).receptive_field
    assert shown is not None
    view.layer = "layer3.2"  # chosen, but not there yet
    view._on_hover(GridHover(0, 4, 5, 0.0))
    assert view.picture.net_view._field == shown.box(4, 5)


def test_a_field_larger_than_the_picture_is_said_to_be(open_window: Open) -> None:
    stats = channel_stats(np.ones((1, 2, 2), np.float32))
    field = ReceptiveField(435, 435, 32.0, 32.0, -217.0, -217.0)
    assert "larger than the picture" in channel_sentence(0, field, stats, 64)
    assert "each position sees 435" in channel_sentence(0, field, stats, 512)
