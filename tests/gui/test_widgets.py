"""The widgets of the Inspect workspace one by one, driven by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication, QLabel, QMainWindow, QSizePolicy, QToolButton
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.montage import GridOptions
from resnet_viz.analysis.predictions import prediction
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.errors import PictureError
from resnet_viz.core.types import Activation, BlockParts, ClassScore, CropBox, Filters, Fit, ImageInput, ModelCard
from resnet_viz.data.presets import presets
from resnet_viz.gui import theme
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.bar import Bar
from resnet_viz.gui.widgets.channel_inspector import ChannelInspector
from resnet_viz.gui.widgets.column_scroll import ColumnScroll
from resnet_viz.gui.widgets.confidences import Confidences
from resnet_viz.gui.widgets.elided_label import ElidedLabel
from resnet_viz.gui.widgets.feature_grid import FeatureGrid
from resnet_viz.gui.widgets.film_strip import FilmStrip
from resnet_viz.gui.widgets.filter_view import FilterView, rgb_kernels
from resnet_viz.gui.widgets.grid_toolbar import GridToolbar
from resnet_viz.gui.widgets.images_qt import from_rgb
from resnet_viz.gui.widgets.layer_tree import LayerTree
from resnet_viz.gui.widgets.menu_button import MenuButton
from resnet_viz.gui.widgets.microscope import Microscope, channel_ratios, shared_range
from resnet_viz.gui.widgets.picture_panel import PicturePanel
from resnet_viz.models import create
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def styled(qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, "dark")
    theme.set_font(qapp)
    yield


def activation(count: int = 12, side: int = 8) -> Activation:
    maps = RNG.normal(size=(count, side, side)).astype(np.float32)
    maps[3] = 0
    return Activation("layer", 0, maps)


@pytest.fixture
def grid(qtbot: QtBot) -> FeatureGrid:
    widget = FeatureGrid()
    qtbot.addWidget(widget)
    widget.resize(500, 400)
    shown = activation()
    widget.set_activation(shown, channel_stats(shown.maps))
    widget.show()
    return widget


def test_hovering_reads_the_value_under_the_mouse(grid: FeatureGrid, qtbot: QtBot) -> None:
    shown = grid.activation()
    assert shown is not None
    cell = grid.cell_rect(5)
    seen: list[object] = []
    grid.hovered.connect(seen.append)
    step = cell.width() / 8
    spot = QPoint(round(cell.left() + 2.5 * step), round(cell.top() + 6.5 * step))
    qtbot.mouseMove(grid.viewport(), spot - QPoint(2, 2))
    qtbot.mouseMove(grid.viewport(), spot)
    hover = seen[-1]
    assert (hover.channel, hover.row, hover.column) == (5, 6, 2)
    assert hover.value == shown.maps[5, 6, 2]


def test_what_is_painted_is_the_value_in_the_colour_map(grid: FeatureGrid) -> None:
    from resnet_viz.analysis.montage import colour

    shown, stats = grid.activation(), grid.stats()
    assert shown is not None and stats is not None
    image = grid.viewport().grab().toImage()
    words = colour(shown.maps, stats, grid.options())
    for channel in (0, 7, 11):
        cell = grid.cell_rect(channel)
        step = cell.width() / 8
        for row, column in ((4, 4), (7, 7), (5, 1)):
            x, y = round(cell.left() + (column + 0.5) * step), round(cell.top() + (row + 0.5) * step)
            assert image.pixel(x, y) == int(words[channel, row, column]), (channel, row, column)


def test_sorting_moves_the_cells(grid: FeatureGrid) -> None:
    stats = grid.stats()
    assert stats is not None
    grid.set_options(replace(grid.options(), sort="max"))
    first = min(range(12), key=lambda c: (grid.cell_rect(c).top(), grid.cell_rect(c).left()))
    assert first == int(stats.max.argmax())


def test_keys_select_pin_and_zoom(grid: FeatureGrid, qtbot: QtBot) -> None:
    grid.set_selected(0)
    pinned: list[int] = []
    grid.pin_toggled.connect(pinned.append)
    clicked: list[int] = []
    grid.channel_clicked.connect(clicked.append)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    qtbot.keyClick(grid, Qt.Key.Key_Space)
    assert clicked == [1] and pinned == [1]
    qtbot.keyClick(grid, Qt.Key.Key_End)
    assert clicked[-1] == 11
    before = grid.zoom()
    qtbot.keyClicks(grid, "+")
    assert grid.zoom() > before
    qtbot.keyClicks(grid, "0")
    assert grid.zoom() == before


def test_ctrl_wheel_zooms_and_wheel_scrolls(grid: FeatureGrid) -> None:
    before = grid.zoom()
    for modifier in (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier):
        event = QWheelEvent(
            QPointF(100, 100),
            QPointF(100, 100),
            QPoint(),
            QPoint(0, 360 if modifier else -240),
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        grid.wheelEvent(event)
    assert grid.zoom() > 1.5 * before
    assert grid.verticalScrollBar().value() > 0


@pytest.mark.parametrize("shape", [(2048, 7, 7), (64, 112, 112), (1000, 1, 1), (1, 1, 1), (3, 200, 10)])
def test_all_shapes_are_painted_in_dark_and_light(
    grid: FeatureGrid, qapp: QApplication, shape: tuple[int, ...]
) -> None:
    shown = Activation("any", 0, RNG.normal(size=shape).astype(np.float32))
    grid.set_activation(shown, channel_stats(shown.maps))
    for scheme in ("light", "dark"):
        theme.apply(qapp, scheme)  # type: ignore[arg-type]
        assert len({grid.grab().toImage().pixel(x, 30) for x in range(0, 400, 7)}) > 1
    grid.set_zoom(1e9)
    grid.grab()
    assert grid.zoom() <= 500
    grid.set_zoom(1e-9)
    grid.grab()


def test_the_toolbar_changes_the_options(grid: FeatureGrid, qtbot: QtBot) -> None:
    bar = GridToolbar(grid)
    qtbot.addWidget(bar)
    bar.show()
    bar.sort.setCurrentIndex(bar.sort.findData("std"))
    assert grid.options().sort == "std" and grid.options().descending
    bar.direction.click()
    assert not grid.options().descending
    bar.scale.setCurrentIndex(bar.scale.findData("fixed"))
    shown = grid.activation()
    assert shown is not None
    assert grid.options().fixed == pytest.approx((shown.maps.min(), shown.maps.max()), abs=0.01)
    bar.clip.click()
    assert grid.options().fixed[1] == pytest.approx(np.percentile(shown.maps, 99), abs=0.01)
    bar.colors.setCurrentIndex(bar.colors.findData("signed"))
    assert grid.options().colormap == "signed"
    bar.into.click()
    bar.level.click()
    bar.set_options(GridOptions(sort="max"))
    assert bar.sort.currentData() == "max" and grid.options().sort == "max"


def test_the_inspector_shows_numbers_of_the_channel(qtbot: QtBot) -> None:
    widget = ChannelInspector()
    qtbot.addWidget(widget)
    shown = activation()
    stats = channel_stats(shown.maps)
    widget.set_channel(shown, stats, 3, None, GridOptions())
    widget.show()
    assert "dead" in widget._facts["zeros"].text()
    widget.set_channel(shown, stats, 5, None, GridOptions())
    assert widget._facts["max"].text() == f"{stats.max[5]:.3g}"
    toggled: list[bool] = []
    widget.overlay_toggled.connect(toggled.append)
    widget.overlay.click()
    assert toggled == [True] and widget.overlay_on()
    widget.grab()


def parts() -> BlockParts:
    x = RNG.random((4, 6, 6)).astype(np.float32)
    f = RNG.normal(size=(4, 6, 6)).astype(np.float32)
    f[2], x[3], f[3] = 0, 0, 0
    return BlockParts("layer1.0", x, f, x + f, np.maximum(x + f, 0), float(np.linalg.norm(f) / np.linalg.norm(x)))


def test_the_microscope_has_one_scale_and_says_the_ratio(qtbot: QtBot) -> None:
    widget = Microscope()
    qtbot.addWidget(widget)
    widget.resize(700, 400)
    made = parts()
    widget.set_parts(made)
    widget.show()
    assert shared_range(made) == pytest.approx(max(np.abs(v).max() for v in (made.x, made.f, made.total, made.out)))
    ratios = channel_ratios(made)
    assert ratios[0] == pytest.approx(np.linalg.norm(made.f[0]) / np.linalg.norm(made.x[0]), rel=1e-5)
    assert ratios[2] == 0 and ratios[3] == 0
    assert f"{made.f_to_x:.2f}" in widget._headline.text()
    widget.set_channel(2)
    widget.grab()
    widget.set_parts(None)
    assert "no skip" in widget._sentence.text()
    widget.grab()


def test_kernels_as_pictures_have_grey_for_zero(qtbot: QtBot) -> None:
    weights = create("resnet20", seed=0).conv1.weight.detach().numpy()
    pictures, most = rgb_kernels(np.concatenate([weights, np.zeros((1, 3, 3, 3), np.float32)]))
    assert most == np.abs(weights).max()
    assert set(np.unique(pictures[-1])) <= {127, 128}
    back = (pictures[:-1].transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5 * most
    assert np.abs(back - weights).max() <= most / 255 + 1e-6
    widget = FilterView()
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    widget.set_filters(Filters("conv1", weights, True))
    widget.show()
    widget.grab()
    deep = RNG.normal(size=(8, 16, 3, 3)).astype(np.float32)
    widget.set_filters(Filters("layer1.0.conv1", deep, False), 5)
    shown = widget.grid.activation()
    assert shown is not None and np.array_equal(shown.maps, deep[5])
    widget.spin.setValue(2)
    shown = widget.grid.activation()
    assert shown is not None and np.array_equal(shown.maps, deep[2])


def picture(label: str | None = None) -> ImageInput:
    return ImageInput(RNG.integers(0, 256, (60, 100, 3), dtype=np.uint8), "x.png", label=label)


@pytest.fixture
def panel(qtbot: QtBot) -> PicturePanel:
    widget = PicturePanel()
    qtbot.addWidget(widget)
    widget.resize(320, 500)
    widget.set_model(32, "square", presets.get("cifar10"), True)
    widget.set_picture(picture())
    widget.show()
    return widget


def test_dragging_the_crop_box_emits_a_square_inside_the_picture(panel: PicturePanel, qtbot: QtBot) -> None:
    assert panel.crop.box() == CropBox(20, 0, 60, 60)
    fits: list[Fit] = []
    panel.fit_changed.connect(fits.append)
    target = panel.crop.target()
    scale = target.width() / 100
    corner = QPoint(round(target.x() + 80 * scale), round(target.y() + 60 * scale))
    qtbot.mousePress(panel.crop, Qt.MouseButton.LeftButton, pos=corner)
    for step in (5, 15, 30):
        qtbot.mouseMove(panel.crop, corner - QPoint(step, step))
        qtbot.wait(5)
    # pytest-qt moves the cursor without a pressed button on some platforms, so keys are tried as well
    qtbot.mouseRelease(panel.crop, Qt.MouseButton.LeftButton, pos=corner)
    panel.crop.setFocus()
    qtbot.keyClicks(panel.crop, "---")
    qtbot.keyClick(panel.crop, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: bool(fits))
    qtbot.wait(60)
    box = fits[-1].box
    assert box is not None and box.width == box.height < 60
    assert box.left >= 0 and box.left + box.width <= 100 and box.top + box.height <= 60
    panel.crop.reset_requested.emit()
    assert fits[-1].box is None and panel.crop.box() == CropBox(20, 0, 60, 60)


def test_pad_and_squash_show_the_whole_picture(panel: PicturePanel) -> None:
    fits: list[Fit] = []
    panel.fit_changed.connect(fits.append)
    for mode in ("pad", "squash", "crop"):
        panel.mode.setCurrentIndex(panel.mode.findData(mode))
        panel.mode.activated.emit(panel.mode.currentIndex())
        assert fits[-1].mode == mode
        box = panel.crop.box()
        assert box is not None and (box.width == 100) == (mode != "crop")
        panel.grab()


def test_fields_and_overlays_are_drawn_on_both_pictures(panel: PicturePanel) -> None:
    panel.set_net_view(RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    plain = panel.grab().toImage()
    panel.set_receptive_field(CropBox(8, 8, 10, 10))
    with_field = panel.grab().toImage()
    assert with_field != plain
    panel.set_overlay(RNG.normal(size=(8, 8)).astype(np.float32))
    assert panel.grab().toImage() != with_field
    panel.set_overlay(None)
    panel.set_receptive_field(None)
    assert panel.grab().toImage() == plain


def test_an_unknown_mean_is_asked_for_until_it_is_chosen(panel: PicturePanel, qtbot: QtBot) -> None:
    panel.set_model(32, "square", presets.get("cifar10"), False)
    assert panel.picker._ask.isVisible()
    chosen: list[object] = []
    panel.normalization_changed.connect(chosen.append)
    panel.picker.combo.activated.emit(panel.picker.combo.findText("ImageNet"))
    assert chosen == [presets.get("imagenet")] and not panel.picker._ask.isVisible()


def test_the_empty_panel_says_what_to_do(qtbot: QtBot) -> None:
    widget = PicturePanel()
    qtbot.addWidget(widget)
    widget.show()
    assert widget._empty.isVisible()
    with qtbot.waitSignal(widget.open_requested):
        widget._open.click()


def test_confidences_show_copy_and_mark_the_truth(qtbot: QtBot) -> None:
    widget = Confidences()
    qtbot.addWidget(widget)
    widget.resize(300, 300)
    logits = np.array([1.0, 4.0, 2.0], np.float32)
    made = prediction(logits, ["ship", "cat", "dog"], 3)
    assert np.allclose(made.probs, torch.softmax(torch.tensor(logits), 0).numpy())
    widget.set_true_label("dog")
    widget.set_prediction(made)
    widget.show()
    assert "wrong" in widget._truth.text() and "dog" in widget._truth.text()
    widget.set_true_label("cat")
    widget.set_prediction(made)
    assert "right" in widget._truth.text()
    assert widget.as_text().splitlines()[0].startswith("cat\t0.8437")
    before = widget.grab().toImage()
    widget.logits.click()
    assert widget.grab().toImage() != before
    clicked: list[int] = []
    widget.class_clicked.connect(clicked.append)
    qtbot.mouseClick(widget.bars, Qt.MouseButton.LeftButton, pos=QPoint(20, 5))
    assert clicked == [1]


def test_a_net_that_puts_out_nan_is_said_in_words(qtbot: QtBot) -> None:
    widget = Confidences()
    qtbot.addWidget(widget)
    made = prediction(np.array([np.nan, 1.0], np.float32), ["a", "b"], 2)
    assert all(isinstance(score, ClassScore) and np.isnan(score.prob) for score in made.top)
    widget.set_prediction(made)
    widget.show()
    widget.grab()


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return open_model(OpenModel(ref="resnet20", untrained=True))[1]


def test_the_tree_selects_filters_and_stays_quiet(qtbot: QtBot, card: ModelCard) -> None:
    tree = LayerTree()
    qtbot.addWidget(tree)
    tree.resize(240, 500)
    tree.set_card(card)
    tree.show()
    chosen: list[str] = []
    tree.layer_selected.connect(chosen.append)
    tree.set_selected("layer3.1.bn2")
    assert chosen == [] and tree.selected() == "layer3.1.bn2"
    qtbot.keyClick(tree.view, Qt.Key.Key_Down)
    assert chosen == ["layer3.1.add"]
    tree.focus_filter()
    qtbot.keyClicks(tree.filter, "Conv2d")
    names = [str(tree._proxy.index(row, 0).data()) for row in range(tree._proxy.rowCount())]
    assert names == ["conv1", "layer1", "layer2", "layer3"]
    tree.filter.clear()
    tree.set_selected("layer1.0.relu1")
    assert tree.selected() == "layer1.0.relu1"
    tree.set_card(None)
    tree.grab()


class Pictures:
    def __init__(self, count: int) -> None:
        self.count = count
        self.decoded: list[int] = []

    def __len__(self) -> int:
        return self.count

    def thumbnail(self, index: int, side: int = 96) -> np.ndarray:
        self.decoded.append(index)
        if index == 2:
            raise PictureError("broken. Choose another.")
        return np.full((40, 30, 3), index % 256, np.uint8)

    def name(self, index: int) -> str:
        return f"사진 {index}.png"

    def label(self, index: int) -> str | None:
        return "cat" if index % 2 else None


def test_the_strip_decodes_what_is_visible_only(qtbot: QtBot) -> None:
    strip = FilmStrip()
    qtbot.addWidget(strip)
    strip.resize(600, 120)
    strip.show()
    source = Pictures(5000)

    def decode(index: int) -> None:
        try:
            strip.set_thumbnail(index, source.thumbnail(index))
        except PictureError:
            strip.set_thumbnail(index, None)

    strip.thumbnail_wanted.connect(decode)
    strip.set_source(source)
    qtbot.waitUntil(lambda: 2 in source.decoded and 5 in source.decoded)
    qtbot.wait(50)
    assert max(source.decoded) < 12 and len(source.decoded) == len(set(source.decoded))
    picked: list[int] = []
    strip.picked.connect(picked.append)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_End)
    assert picked == [1, 4999]
    strip.set_current(4999)
    qtbot.waitUntil(lambda: 4999 in source.decoded)
    strip.grab()


def test_the_banner_shows_one_message_with_actions(qtbot: QtBot, qapp: QApplication) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    assert banner.isHidden()
    done: list[str] = []
    banner.show_message("<b>not markup</b> " * 30, "error", [("Retry", lambda: done.append("retry"))])
    assert banner.text().startswith("<b>not markup</b>")
    banner._buttons[0].click()
    assert done == ["retry"]
    for scheme in ("light", "dark", "light"):
        theme.apply(qapp, scheme)  # type: ignore[arg-type]
    banner.show_message("short")
    assert banner._buttons == [] and banner.text() == "short"
    banner._close.click()
    assert banner.isHidden() and banner.text() == ""


def test_pixels_survive_the_way_into_qt() -> None:
    pixels = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = from_rgb(pixels)
    for y in range(5):
        for x in range(7):
            colour = image.pixelColor(x, y)
            assert (colour.red(), colour.green(), colour.blue()) == tuple(pixels[y, x])
    grey = from_rgb(pixels[..., :1])
    assert grey.pixelColor(3, 2).red() == grey.pixelColor(3, 2).blue() == pixels[2, 3, 0]


def test_a_bar_shortens_names_before_it_hides_a_button(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    bar = Bar("bar")
    name = MenuButton("ResNet-110 of a rather long name", "Choose a net")
    facts = ElidedLabel("1,727,962 parameters", asks=False)
    facts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    last = MenuButton("", "All commands")
    for widget in (name, facts, last):
        bar.addWidget(widget)
    window.addToolBar(bar)
    window.resize(900, 200)
    window.show()
    qtbot.waitUntil(lambda: facts.shown() == facts.text())
    assert name.shown() == name.text() and name.menu() is not None
    window.resize(name.sizeHint().width() + last.sizeHint().width() + 80, 200)
    qtbot.waitUntil(lambda: facts.shown() != facts.text())
    assert name.shown() == name.text() and last.isVisible()
    window.resize(1, 200)
    qtbot.waitUntil(lambda: name.shown() != name.text() and last.isVisible())
    assert name.shown().startswith("ResNet") and name.shown().endswith("…") and facts.shown() == ""
    assert last.width() == last.sizeHint().width()
    theme.set_font(QApplication.instance(), 21)
    qtbot.waitUntil(lambda: name.width() > 100 and last.isVisible())


def test_an_arrow_that_qt_leaves_half_hidden_is_hidden(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    bar = Bar("bar")
    bar.addWidget(MenuButton("ResNet-110", "Choose a net"))
    window.addToolBar(bar)
    with qtbot.waitExposed(window):
        window.show()
    arrow = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    assert arrow is not None and not arrow.isVisible()

    def interrupted() -> None:
        arrow.show()  # the window lays itself out while an arrow is being shown, and hides it too early
        arrow.setAttribute(Qt.WidgetAttribute.WA_WState_Hidden)
        assert arrow.isVisible() and arrow.isHidden()

    interrupted()
    bar.updateGeometry()
    qtbot.waitUntil(lambda: not arrow.isVisible())
    interrupted()
    window.resize(window.width() + 40, window.height())
    qtbot.waitUntil(lambda: not arrow.isVisible())


def test_a_column_is_never_narrower_than_what_is_in_it(qtbot: QtBot) -> None:
    content = QLabel("short")
    column = ColumnScroll(content, least_px=60)
    qtbot.addWidget(column)
    column.show()
    assert column.minimumSizeHint().width() == 60
    content.setText("a text that needs a good deal more than sixty pixels")
    assert column.minimumSizeHint().width() > content.sizeHint().width()
