"""The network map under a person's mouse and keyboard."""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QHelpEvent, QImage, QKeyEvent, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot
from torch import nn

from resnet_viz.core.errors import OutputError
from resnet_viz.core.types import ModelCard
from resnet_viz.data.presets import presets
from resnet_viz.gui import theme
from resnet_viz.gui.widgets.map_geometry import Cell, Column, Rect
from resnet_viz.gui.widgets.network_map import NetworkMap
from resnet_viz.models import create, models
from resnet_viz.models.describe import describe

LONG = "a chain of 200 convolutions"
MakeMap = Callable[..., NetworkMap]


@cache
def card_of(name: str) -> ModelCard:
    if name == LONG:
        net: nn.Module = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(200)))
        size, channels, title = 8, 3, name
    else:
        spec = models.get(name)
        net, size, channels, title = create(name, seed=0), min(64, spec.input_size), spec.in_channels, spec.title
    layers, blocks = describe(net, (channels, size, size))
    normalization = presets.get("cifar10")
    params = sum(parameter.numel() for parameter in net.parameters())
    return ModelCard(
        name, title, "", "", None, params, (), size, channels, normalization, True, "square", "", None, "", (), layers,
        blocks,
    )  # fmt: skip


@pytest.fixture
def app(qapp: QApplication) -> Iterator[QApplication]:
    font = qapp.font()
    theme.apply(qapp, "dark")
    theme.set_font(qapp)
    yield qapp
    qapp.setFont(font)


@pytest.fixture
def make_map(qtbot: QtBot, app: QApplication) -> MakeMap:
    def make(net: str | None = "resnet20", width: int = 1280, height: int = 114) -> NetworkMap:
        widget = NetworkMap()
        qtbot.addWidget(widget)
        widget.resize(width, height)
        with qtbot.waitExposed(widget):
            widget.show()
        widget.set_card(card_of(net) if net else None)
        return widget

    return make


def column_of(widget: NetworkMap, block: str) -> Column:
    layout = widget.map_layout()
    assert layout is not None
    return next(column for column in layout.columns if column.block == block)


def cell_of(widget: NetworkMap, layer: str) -> Cell:
    layout = widget.map_layout()
    assert layout is not None
    return next(cell for column in layout.columns for cell in column.cells if cell.layer == layer)


def spot(widget: NetworkMap, x: float, y: float) -> QPoint:
    view = widget._view()
    return QPoint(round(x - widget.offset() + view.x()), round(y + view.y()))


def click(widget: NetworkMap, x: float, y: float) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=spot(widget, x, y))
    widget.finish_animation()


def click_rect(widget: NetworkMap, rect: Rect) -> None:
    click(widget, rect.cx, rect.cy)


def hover(widget: NetworkMap, x: float, y: float) -> None:
    QTest.mouseMove(widget, spot(widget, x, y))
    widget._on_dwell()
    widget.finish_animation()


def picture(widget: NetworkMap) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asarray(image.sizeInBytes()), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def color_at(widget: NetworkMap, x: float, y: float) -> np.ndarray:
    point = spot(widget, x, y)
    return picture(widget)[point.y(), point.x()]


def listen(widget: NetworkMap) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []
    widget.layer_selected.connect(lambda name: heard.append(("layer", name)))
    widget.block_clicked.connect(lambda name: heard.append(("block", name)))
    widget.arc_clicked.connect(lambda name: heard.append(("arc", name)))
    return heard


# ---- mouse ----


def test_a_click_on_a_layer_selects_that_layer(make_map: MakeMap) -> None:
    widget = make_map()
    heard = listen(widget)
    click_rect(widget, cell_of(widget, "layer2.1.conv2").rect)
    assert heard == [("layer", "layer2.1.conv2")]
    assert widget.selected() == "layer2.1.conv2"
    heard.clear()
    # the block has grown: now its narrow layers can be clicked as well
    click_rect(widget, cell_of(widget, "layer2.1.bn1").rect)
    assert heard == [("layer", "layer2.1.bn1")]


def test_a_click_on_a_block_selects_its_output(make_map: MakeMap) -> None:
    widget = make_map()
    heard = listen(widget)
    body = column_of(widget, "layer1.0").body
    click(widget, body.cx, body.bottom - 2)
    assert heard == [("block", "layer1.0"), ("layer", "layer1.0")]
    heard.clear()
    body = column_of(widget, "stem").body
    click(widget, body.cx, body.bottom - 2)
    assert heard == [("block", "stem"), ("layer", "relu")]


def test_a_click_on_the_plus_selects_the_addition(make_map: MakeMap) -> None:
    widget = make_map()
    heard = listen(widget)
    click_rect(widget, cell_of(widget, "layer3.1.add").rect)
    assert heard == [("layer", "layer3.1.add")]


def test_a_click_on_an_arc_says_so_and_selects_nothing(make_map: MakeMap) -> None:
    widget = make_map()
    widget.set_selected("layer1.0.conv1")
    widget.finish_animation()
    heard = listen(widget)
    arc = column_of(widget, "layer3.1").arc
    assert arc is not None
    click(widget, (arc.start + arc.end) / 2, arc.top)
    assert heard == [("arc", "layer3.1")]
    assert widget.selected() == "layer1.0.conv1"


def test_the_shortcut_s_convolution_is_a_layer_on_the_arc(make_map: MakeMap) -> None:
    widget = make_map("resnet18")
    widget.set_selected("layer2.0")
    widget.finish_animation()
    heard = listen(widget)
    click_rect(widget, cell_of(widget, "layer2.0.downsample.0").rect)
    assert heard == [("layer", "layer2.0.downsample.0")]


@pytest.mark.parametrize("net", ["resnet20", "resnet110", "resnet152"])
def test_every_block_can_be_clicked(make_map: MakeMap, net: str) -> None:
    widget = make_map(net, 900)
    layout = widget.map_layout()
    assert layout is not None
    assert not widget.scroll_bar.isVisible()
    for block, column in zip(card_of(net).blocks, layout.columns, strict=True):
        hit = widget.hit(QPointF(spot(widget, column.body.cx, column.body.bottom - 1)))
        assert hit is not None and hit.block == block.name


def test_a_narrow_block_grows_under_the_mouse_and_shrinks_again(make_map: MakeMap, qtbot: QtBot) -> None:
    widget = make_map("resnet110")
    body = column_of(widget, "layer2.9").body
    QTest.mouseMove(widget, spot(widget, body.cx, body.cy))
    qtbot.waitUntil(lambda: bool(cell_of(widget, "layer2.9.conv1").text))
    widget.finish_animation()
    assert all(cell.text for cell in column_of(widget, "layer2.9").cells)
    hit = widget.hit(QPointF(spot(widget, body.cx, body.cy)))
    assert hit is not None and hit.block == "layer2.9"
    QApplication.sendEvent(widget, QEvent(QEvent.Type.Leave))
    widget.finish_animation()
    assert column_of(widget, "layer2.9").body == body


def test_the_layer_that_a_click_would_select_is_told_before_it(make_map: MakeMap) -> None:
    widget = make_map()
    pointed: list[str] = []
    pressed: list[str] = []
    widget.layer_pointed.connect(pointed.append)
    widget.layer_pressed.connect(pressed.append)
    cell = cell_of(widget, "layer2.1.conv2").rect
    QTest.mouseMove(widget, spot(widget, cell.cx, cell.cy))
    assert pointed == ["layer2.1.conv2"] and not pressed
    body = column_of(widget, "layer1.0").body
    QTest.mouseMove(widget, spot(widget, body.cx, body.bottom - 2))
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=spot(widget, body.cx, body.bottom - 2))
    assert pointed[-1] == "layer1.0" and pressed == ["layer1.0"]
    widget.set_operable({"layer1.0"})  # now a click selects nothing
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=spot(widget, body.cx, body.bottom - 2))
    assert pressed == ["layer1.0"]


def test_a_wide_block_keeps_its_size_under_the_mouse(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    body = column_of(widget, "layer2.1").body
    hover(widget, body.cx, body.cy)
    assert column_of(widget, "layer2.1").body == body


def test_tooltips_tell_name_kind_shape_parameters_and_value(make_map: MakeMap, qtbot: QtBot) -> None:
    widget = make_map("resnet18")
    widget.set_values({"layer4.1.conv2": 0.4321, "layer4.1": 2.5}, "mean |activation|")
    widget.set_selected("layer4.1")
    widget.finish_animation()
    point = spot(widget, cell_of(widget, "layer4.1.conv2").rect.cx, cell_of(widget, "layer4.1.conv2").rect.cy)
    QApplication.sendEvent(widget, QHelpEvent(QEvent.Type.ToolTip, point, widget.mapToGlobal(point)))
    qtbot.waitUntil(QToolTip.isVisible)
    for text in ("layer4.1.conv2", "Conv2d", "512 channels, 2 × 2", "2,359,296", "mean |activation|", "0.432"):
        assert text in QToolTip.text(), text
    QToolTip.hideText()
    arc = column_of(widget, "layer4.1").arc
    assert arc is not None
    hit = widget.hit(QPointF(spot(widget, (arc.start + arc.end) / 2, arc.top)))
    assert hit is not None and hit.kind == "arc"
    assert "identity" in widget.tip(hit)
    widget.set_cut(frozenset({"layer4.1"}))
    assert "cut" in widget.tip(hit)


def test_names_are_escaped_in_tooltips(make_map: MakeMap) -> None:
    widget = make_map()
    widget.set_values({"layer1.0": 1.0}, "<b>bold</b>")
    body = column_of(widget, "layer1.0").body
    hit = widget.hit(QPointF(spot(widget, body.cx, body.bottom - 2)))
    assert hit is not None
    assert "&lt;b&gt;bold" in widget.tip(hit)


# ---- colours ----


@pytest.mark.parametrize("log", [False, True])
def test_blocks_have_the_colour_of_their_value(make_map: MakeMap, log: bool) -> None:
    widget = make_map("resnet20")
    values = {"relu": 0.01, "layer1.0": 0.1, "layer2.0": 1.0, "layer3.2": 10.0}
    widget.set_values(values, "gradient norm", log=log)
    for block, value in (("stem", 0.01), ("layer1.0", 0.1), ("layer2.0", 1.0), ("layer3.2", 10.0)):
        body = column_of(widget, block).body
        share = (np.log10(value) + 2) / 3 if log else value / 10
        expected = 255 * np.array(matplotlib.colormaps["viridis"](share)[:3])
        assert np.abs(color_at(widget, body.cx, body.y + 3) - expected).max() <= 3, block


def test_missing_and_non_finite_values_stay_neutral(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    body = column_of(widget, "layer1.1").body
    neutral = color_at(widget, body.cx, body.y + 3)
    widget.set_values({"layer1.0": 1.0, "layer1.1": float("nan"), "layer1.2": float("inf")}, "norm")
    for block in ("layer1.1", "layer1.2", "layer2.0"):
        body = column_of(widget, block).body
        assert (color_at(widget, body.cx, body.y + 3) == neutral).all(), block
    widget.set_values(None, "")
    assert (color_at(widget, body.cx, body.y + 3) == neutral).all()


def test_a_layer_has_its_own_colour_inside_its_block(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    widget.set_values({"layer1.0": 0.0, "layer1.0.conv1": 1.0}, "norm")
    rect = cell_of(widget, "layer1.0.conv1").rect
    expected = 255 * np.array(matplotlib.colormaps["viridis"](1.0)[:3])
    assert np.abs(color_at(widget, rect.cx, rect.cy) - expected).max() <= 3


def test_the_last_relu_has_the_value_of_its_block(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    widget.set_values({"layer1.0": 0.75, "layer1.1": 0.1}, "norm")
    assert widget.value_of("layer1.0.relu2") == widget.value_of("layer1.0") == 0.75
    assert widget.value_of("layer1.0.bn2") is None
    rect = cell_of(widget, "layer1.0.relu2").rect
    expected = 255 * np.array(matplotlib.colormaps["viridis"](1.0)[:3])
    assert np.abs(color_at(widget, rect.cx, rect.cy) - expected).max() <= 3


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_plain_nets_are_vermillion_and_skips_blue(make_map: MakeMap, app: QApplication, scheme: str) -> None:
    theme.apply(app, scheme)  # type: ignore[arg-type]
    for net, color, other in (
        ("resnet20", theme.current().residual, theme.current().plain),
        ("plain20", theme.current().plain, theme.current().residual),
    ):
        widget = make_map(net)
        seen = picture(widget)[:, :1000]
        wanted, unwanted = QColor(color), QColor(other)
        near = np.abs(seen - [wanted.red(), wanted.green(), wanted.blue()]).max(axis=2) <= 12
        assert near.sum() > 100
        assert (np.abs(seen - [unwanted.red(), unwanted.green(), unwanted.blue()]).max(axis=2) <= 12).sum() == 0


def test_cut_and_deleted_change_the_picture_where_they_act(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    before = picture(widget)
    error = QColor(theme.current().error)

    def red(image: np.ndarray, column: Column) -> int:
        part = image[:, round(column.slot.x) : round(column.slot.right)]
        return int((np.abs(part - [error.red(), error.green(), error.blue()]).max(axis=2) <= 25).sum())

    for change, block in ((widget.set_cut, "layer2.0"), (widget.set_deleted, "layer3.1")):
        change(frozenset({block}))
        after = picture(widget)
        column = column_of(widget, block)
        assert red(before, column) == 0 and red(after, column) > 5
        outside = np.ones(after.shape[1], bool)
        outside[round(column.slot.x) - 2 : round(column.slot.right) + 2] = False
        assert (before[:, outside] == after[:, outside]).all()
        change(frozenset())
        assert (picture(widget) == before).all()


def operable(widget: NetworkMap) -> list[tuple[str, str]]:
    blocks = [block for block in card_of("resnet20").blocks if block.kind in ("residual", "plain")]
    widget.set_operable([block.name for block in blocks], [block.name for block in blocks if block.skip])
    return listen(widget)


def test_nothing_flows_through_a_deleted_block_and_the_cut_arc_has_a_gap(make_map: MakeMap) -> None:
    widget = make_map("resnet20", width=2200, height=170)
    column = column_of(widget, "layer1.1")
    assert column.arc is not None
    blue = QColor(theme.current().residual)

    def is_blue(image: np.ndarray, x: float, y: float) -> bool:
        point = spot(widget, x, y)
        near = image[point.y() - 3 : point.y() + 4, point.x()]
        return bool((np.abs(near - [blue.red(), blue.green(), blue.blue()]).max(axis=1) < 60).any())

    before = picture(widget)
    y, top = column.body.cy, column.arc.top
    middle, lead = (column.arc.start + column.arc.end) / 2, (column.arc.start + column.body.x) / 2
    assert is_blue(before, middle, top)
    line = spot(widget, lead, y)
    panel = before[line.y() + 20, line.x()]
    assert (before[line.y(), line.x()] != panel).any()  # the line enters the block
    widget.set_lesions(frozenset({"layer1.1"}), frozenset())
    deleted = picture(widget)
    assert (deleted[line.y(), line.x()] == panel).all()
    assert is_blue(deleted, middle, top)
    widget.set_lesions(frozenset(), frozenset({"layer1.1"}))
    cut = picture(widget)
    assert not is_blue(cut, middle, top)
    assert (cut[line.y(), line.x()] != panel).any()
    widget.set_lesions(frozenset(), frozenset())
    assert (picture(widget) == before).all()


def test_a_deleted_plain_block_is_passed_by(make_map: MakeMap) -> None:
    widget = make_map("plain20", height=170)
    body = column_of(widget, "layer1.1").body
    before = picture(widget)
    widget.set_lesions(frozenset({"layer1.1"}), frozenset())
    above = [spot(widget, body.cx, y) for y in np.arange(2, body.y - 3)]
    changed = [(picture(widget)[point.y(), point.x()] != before[point.y(), point.x()]).any() for point in above]
    assert any(changed), "an arch over the block shows where its input goes"


def test_an_operable_map_deletes_and_cuts_and_selects_nothing(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    heard = operable(widget)
    column = column_of(widget, "layer2.1")
    assert column.arc is not None
    click_rect(widget, cell_of(widget, "layer2.1.conv2").rect)  # a layer stands for its block here
    click(widget, (column.arc.start + column.arc.end) / 2, column.arc.top)
    stem = column_of(widget, "stem").body
    click(widget, stem.cx, stem.cy)  # nothing can stand in for it
    assert heard == [("block", "layer2.1"), ("arc", "layer2.1")]
    assert widget.selected() is None
    hover(widget, stem.cx, stem.cy)
    assert widget.cursor().shape() == Qt.CursorShape.ArrowCursor
    hover(widget, column.body.cx, column.body.cy)
    assert widget.cursor().shape() == Qt.CursorShape.PointingHandCursor
    widget.set_operable(None)
    heard.clear()
    click_rect(widget, cell_of(widget, "layer2.1.conv2").rect)
    assert heard == [("layer", "layer2.1.conv2")]


def test_keys_delete_blocks_and_cut_skips(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    heard = operable(widget)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_X):
        QTest.keyClick(widget, key)
    assert heard == []  # the stem
    QTest.keyClick(widget, Qt.Key.Key_Right)
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_Return, Qt.Key.Key_Backspace, Qt.Key.Key_X):
        QTest.keyClick(widget, key)
    QTest.keyClick(widget, Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
    name = "layer1.0"
    assert heard == [("block", name)] * 3 + [("arc", name)] * 2
    widget.set_operable(None)
    heard.clear()
    QTest.keyClick(widget, Qt.Key.Key_Delete)
    QTest.keyClick(widget, Qt.Key.Key_X)
    assert heard == []


def test_keys_mean_the_block_under_the_mouse_and_go_on_from_the_last_click(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    heard = operable(widget)
    body = column_of(widget, "layer2.1").body
    for x in (body.x + 1, body.cx):  # two moves: there is none to where the mouse rests already
        QTest.mouseMove(widget, spot(widget, x, body.cy))
    QTest.keyClick(widget, Qt.Key.Key_X)
    assert heard == [("arc", "layer2.1")]
    QTest.keyClick(widget, Qt.Key.Key_Right)
    QTest.keyClick(widget, Qt.Key.Key_Delete)  # the mouse rests where it was, but the keys have moved on
    assert heard[1:] == [("block", "layer2.2")]
    click_rect(widget, column_of(widget, "layer1.1").body)
    QTest.keyClick(widget, Qt.Key.Key_Left)
    QTest.keyClick(widget, Qt.Key.Key_Delete)
    assert heard[2:] == [("block", "layer1.1"), ("block", "layer1.0")]


def test_lesions_are_said_in_words(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    operable(widget)
    widget.set_lesions(frozenset({"layer1.1"}), frozenset({"layer2.1"}))
    assert "Deleted: layer1.1. Skip cut: layer2.1." in widget.accessibleDescription()
    for block, deleted in (("layer1.1", True), ("layer1.2", False)):
        body = column_of(widget, block).body
        hit = widget.hit(QPointF(spot(widget, body.cx, body.cy)))
        assert hit is not None
        assert ("put it back" in widget.tip(hit)) is deleted and (
            "Click to delete it" in widget.tip(hit)
        ) is not deleted
    arc = column_of(widget, "layer2.1").arc
    assert arc is not None
    hit = widget.hit(QPointF(spot(widget, (arc.start + arc.end) / 2, arc.top)))
    assert hit is not None and "Click to mend it" in widget.tip(hit)
    widget.set_card(card_of("resnet32"))
    assert "Deleted" not in widget.accessibleDescription()


def test_the_selected_block_is_outlined(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    widget.set_selected("layer2.1")
    widget.finish_animation()
    body = column_of(widget, "layer2.1").body
    text = QColor(theme.current().text)
    assert np.abs(color_at(widget, body.cx, body.y - 2) - [text.red(), text.green(), text.blue()]).max() < 60
    widget.set_selected(None)
    widget.finish_animation()
    assert widget.selected() is None
    body = column_of(widget, "layer2.1").body
    assert np.abs(color_at(widget, body.cx, body.y - 2) - [text.red(), text.green(), text.blue()]).max() > 60


def test_a_theme_change_repaints_in_the_new_colours(make_map: MakeMap, app: QApplication) -> None:
    widget = make_map("resnet20")
    widget.set_values({"layer1.0": 1.0}, "norm")
    dark = picture(widget)[-1, 0]
    theme.apply(app, "light")
    app.processEvents()
    light = picture(widget)[-1, 0]
    assert dark.mean() < 60 and light.mean() > 200


def test_the_picture_that_enters_is_shown(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    picture_in = np.full((32, 32, 3), (200, 30, 60), np.uint8)
    widget.set_input(picture_in)
    layout = widget.map_layout()
    assert layout is not None
    assert (color_at(widget, layout.source.cx, layout.source.cy) == [200, 30, 60]).all()
    widget.set_input(np.full((28, 28, 1), 77, np.uint8))
    assert (color_at(widget, layout.source.cx, layout.source.cy) == [77, 77, 77]).all()


# ---- keyboard ----


def test_arrow_keys_and_enter(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    heard = listen(widget)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Return):
        QTest.keyClick(widget, key)
    assert heard == [("block", "layer1.1"), ("layer", "layer1.1")]
    heard.clear()
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Space):
        QTest.keyClick(widget, key)
    assert heard == [("layer", "layer1.1.bn1")]
    heard.clear()
    for key in (Qt.Key.Key_Up, Qt.Key.Key_End, Qt.Key.Key_Enter):
        QTest.keyClick(widget, key)
    assert heard == [("block", "fc"), ("layer", "fc")]
    QTest.keyClick(widget, Qt.Key.Key_Home)
    assert widget.cursor_place() == (0, "")


def test_arrow_keys_follow_the_direction_of_reading(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    widget.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    layout = widget.map_layout()
    assert layout is not None and layout.columns[0].slot.x > layout.columns[-1].slot.x
    QTest.keyClick(widget, Qt.Key.Key_Left)
    assert widget.cursor_place() == (1, "")
    heard = listen(widget)
    click_rect(widget, cell_of(widget, "layer2.1.conv2").rect)
    assert heard == [("layer", "layer2.1.conv2")]


def test_the_focus_ring_shows_for_keys_and_not_after_a_click(make_map: MakeMap, qtbot: QtBot) -> None:
    widget = make_map("resnet20")
    widget.activateWindow()
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    body = column_of(widget, "layer1.0").body
    click(widget, body.cx, body.bottom - 2)
    assert widget.marks().cursor is None
    before = picture(widget)
    QTest.keyClick(widget, Qt.Key.Key_Right)
    widget.finish_animation()
    assert widget.marks().cursor == (2, "")
    assert (picture(widget) != before).any()
    widget.clearFocus()
    assert widget.marks().cursor is None


def test_keys_it_does_not_know_go_on_to_the_window(make_map: MakeMap, qtbot: QtBot) -> None:
    widget = make_map("resnet20")
    event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    event.accept()
    widget.keyPressEvent(event)
    assert not event.isAccepted()
    assert widget.cursor_place() is None


# ---- scrolling and zooming ----


def test_zoom_with_keys_and_back_to_fit(make_map: MakeMap) -> None:
    widget = make_map("resnet110")
    widget.set_selected("layer3.5")
    widget.finish_animation()
    layout = widget.map_layout()
    assert layout is not None
    fitted = layout.width
    for _ in range(4):
        QTest.keyClick(widget, Qt.Key.Key_Plus)
    layout = widget.map_layout()
    assert layout is not None and layout.width > 2 * fitted
    assert widget.scroll_bar.isVisible()
    slot = column_of(widget, "layer3.5").slot
    assert widget.offset() < slot.cx < widget.offset() + widget._view().width(), "the selected block stays in sight"
    QTest.keyClick(widget, Qt.Key.Key_Minus)
    QTest.keyClick(widget, Qt.Key.Key_0)
    layout = widget.map_layout()
    assert layout is not None and layout.width == pytest.approx(fitted)
    assert not widget.scroll_bar.isVisible()


def wheel(widget: NetworkMap, at: QPoint, notches: float, modifier: Qt.KeyboardModifier) -> QWheelEvent:
    event = QWheelEvent(
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        QPoint(),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event


def test_ctrl_wheel_zooms_about_the_mouse_and_the_wheel_scrolls(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    at = spot(widget, column_of(widget, "layer2.1").body.cx, 40)
    plain = wheel(widget, at, 1, Qt.KeyboardModifier.NoModifier)
    assert not plain.isAccepted(), "a map that fits leaves the wheel to the page around it"
    for _ in range(5):
        wheel(widget, at, 1, Qt.KeyboardModifier.ControlModifier)
    hit = widget.hit(QPointF(at))
    assert hit is not None and hit.block == "layer2.1"
    before = widget.offset()
    wheel(widget, at, -1, Qt.KeyboardModifier.NoModifier)
    assert widget.offset() > before


def test_a_dragged_map_moves_and_selects_nothing(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    widget.set_zoom(4.0)
    heard = listen(widget)
    before = widget.offset()
    start = QPoint(600, 50)
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(widget, start - QPoint(30 * step, 0))
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=start - QPoint(150, 0))
    assert widget.offset() > before + 100
    assert heard == []


def test_a_very_long_net_scrolls_to_what_is_selected(make_map: MakeMap) -> None:
    widget = make_map(LONG)
    assert widget.scroll_bar.isVisible()
    last = card_of(LONG).blocks[-1]
    widget.set_selected(last.out)
    widget.finish_animation()
    slot = column_of(widget, last.name).slot
    assert widget.offset() <= slot.x and slot.right <= widget.offset() + widget._view().width() + 1
    widget.set_card(card_of("resnet20"))
    widget.grab()
    assert widget.offset() == 0 and not widget.scroll_bar.isVisible()


@pytest.mark.parametrize("block", ["layer1.0", "layer3.17", "layer4.2"])
def test_a_block_that_grows_stays_in_sight(make_map: MakeMap, qtbot: QtBot, block: str) -> None:
    widget = make_map("resnet152", 900)
    widget.set_zoom(2.0)
    widget.set_selected(block)
    view = widget._view().width()
    qtbot.waitUntil(lambda: all(cell.text for cell in column_of(widget, block).cells))
    widget.finish_animation()
    slot = column_of(widget, block).slot
    assert widget.offset() <= slot.x + 1 and slot.right <= widget.offset() + view + 1


# ---- what it says, how large it is ----


def test_an_empty_map_says_what_to_do(make_map: MakeMap) -> None:
    widget = make_map(None)
    seen = picture(widget)
    middle = seen[40:75, 500:780]
    assert (np.abs(middle - seen[2, 2]).max(axis=2) > 60).sum() > 100
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Plus):
        QTest.keyClick(widget, key)
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(100, 50))
    assert widget.selected() is None
    widget.set_values({"x": 1.0}, "norm")
    widget.set_selected("x")
    widget.grab()


def test_it_speaks(make_map: MakeMap) -> None:
    widget = make_map("resnet20")
    assert widget.accessibleName() == "Network map"
    assert "ResNet-20" in widget.accessibleDescription()
    widget.set_values({"layer2.0.conv1": 0.5}, "mean |activation|")
    widget.set_selected("layer2.0.conv1")
    for text in ("layer2.0.conv1", "Conv2d", "32 channels, 16 × 16", "4,608 parameters", "block 2.0", "0.5"):
        assert text in widget.accessibleDescription(), text
    QTest.keyClick(widget, Qt.Key.Key_Right)
    assert "layer2.0.bn1" in widget.accessibleDescription()


def test_text_grows_with_the_application_s_font(make_map: MakeMap, app: QApplication) -> None:
    widget = make_map("resnet20")
    small, hint = widget.small_font().pixelSize(), widget.sizeHint().height()
    assert small >= 11 and 100 <= hint <= 120 and 80 <= widget.minimumSizeHint().height() <= 90
    theme.set_font(app, 24)
    app.processEvents()
    assert widget.small_font().pixelSize() > 1.5 * small
    assert widget.sizeHint().height() > 1.5 * hint


@pytest.mark.parametrize("width", [400, 640, 900, 1280, 2560])
@pytest.mark.parametrize("net", ["resnet20", "plain20", "resnet152"])
def test_any_window_width_works(make_map: MakeMap, net: str, width: int) -> None:
    widget = make_map(net, width)
    widget.set_values({block.out: float(i) for i, block in enumerate(card_of(net).blocks)}, "norm")
    widget.set_selected("layer2.0.conv1")
    widget.finish_animation()
    assert picture(widget).std() > 5


# ---- export, cost, independence ----


def test_svg_holds_the_texts_and_is_well_formed(make_map: MakeMap, tmp_path: Path) -> None:
    widget = make_map("resnet20")
    widget.set_values({"layer1.0": 1.25}, "mean |activation|")
    path = tmp_path / "map.svg"
    widget.to_svg(str(path))
    root = ElementTree.parse(path).getroot()
    texts = {"".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith("text")}
    assert {"1.0", "3.2", "stem", "fc", "mean |activation|", "1.25"} <= texts


def test_an_unwritable_svg_is_a_sentence(make_map: MakeMap, tmp_path: Path) -> None:
    widget = make_map("resnet20")
    with pytest.raises(OutputError, match=r"cannot be written\. Choose another folder"):
        widget.to_svg(str(tmp_path / "no such folder" / "map.svg"))


@pytest.mark.parametrize("net", ["resnet20", LONG])
def test_the_image_has_the_width_asked_for_and_shows_the_whole_net(make_map: MakeMap, net: str) -> None:
    widget = make_map(net)
    image = widget.to_image(2400)
    assert image.width() == 2400 and 40 < image.height() < 400
    small = widget.to_image(600)
    assert small.width() == 600
    last = [image.pixelColor(x, image.height() // 2) for x in range(1700, 2390)]
    assert len({color.name() for color in last}) > 3, "something is drawn up to the end"


def test_painting_54_blocks_again_takes_less_than_5_ms(make_map: MakeMap) -> None:
    widget = make_map("resnet110")
    widget.set_values({block.out: float(i + 1) for i, block in enumerate(card_of("resnet110").blocks)}, "norm")
    widget.grab()
    took: list[float] = []
    for _ in range(20):
        start = time.process_time()
        widget.repaint()
        took.append(1000 * (time.process_time() - start))
    assert min(took) < 5


def test_the_map_does_not_need_torch() -> None:
    code = "import sys, resnet_viz.gui.widgets.network_map; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
