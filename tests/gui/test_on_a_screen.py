"""The few things that only a real screen with a window manager shows; keys and mouse come from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from resnet_viz.gui.window import MainWindow

pytestmark = [
    pytest.mark.xvfb,
    pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="there is no X display here"),
    pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed"),
]


def xdotool(*words: str) -> None:
    subprocess.run(["xdotool", *words], check=True, timeout=120)


@pytest.fixture
def window(open_window: Callable[..., MainWindow], qtbot: QtBot) -> MainWindow:
    shown = open_window(size=(1280, 800))
    with qtbot.waitExposed(shown):
        pass
    shown.activateWindow()
    shown.raise_()
    qtbot.waitUntil(shown.isActiveWindow)
    return shown


def test_a_real_mouse_click_chooses_a_channel_and_ctrl_click_pins(window: MainWindow, qtbot: QtBot) -> None:
    grid = window.inspect.center.grid
    spot = grid.viewport().mapToGlobal(grid.cell_rect(5).center())
    xdotool("mousemove", str(spot.x()), str(spot.y()))
    xdotool("click", "1")
    qtbot.waitUntil(lambda: window.inspect.channel == 5)
    xdotool("keydown", "ctrl", "click", "1", "keyup", "ctrl")
    qtbot.waitUntil(lambda: window.inspect.pinned() == {5})


def test_hovering_draws_the_receptive_field_on_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    grid = window.inspect.center.grid
    seen: list[object] = []
    grid.hovered.connect(seen.append)
    spot = grid.viewport().mapToGlobal(grid.cell_rect(2).center())
    xdotool("mousemove", str(spot.x() - 3), str(spot.y()))
    xdotool("mousemove", str(spot.x()), str(spot.y()))
    qtbot.waitUntil(lambda: any(getattr(hover, "channel", None) == 2 for hover in seen))


def test_f11_fills_the_screen_and_comes_back(window: MainWindow, qtbot: QtBot) -> None:
    before = window.size()
    xdotool("key", "F11")
    qtbot.waitUntil(lambda: bool(window.windowState() & Qt.WindowState.WindowFullScreen))
    screen = window.screen()
    assert screen is not None
    qtbot.waitUntil(lambda: window.size() == screen.size())
    xdotool("key", "F11")
    qtbot.waitUntil(lambda: window.size() == before)


def test_typing_into_the_filter_and_choosing_with_the_arrow_keys(window: MainWindow, qtbot: QtBot) -> None:
    xdotool("key", "ctrl+f")
    qtbot.waitUntil(window.inspect.tree.filter.hasFocus)
    xdotool("type", "layer3.1.add")
    qtbot.waitUntil(lambda: window.inspect.tree.filter.text() == "layer3.1.add")


def test_the_crop_box_can_be_dragged(window: MainWindow, qtbot: QtBot) -> None:
    crop = window.inspect.picture.crop
    before = crop.box()
    assert before is not None
    centre = crop.mapToGlobal(crop.target().center().toPoint())
    xdotool("mousemove", str(centre.x()), str(centre.y()), "mousedown", "1")
    for step in (4, 8, 12):
        xdotool("mousemove", str(centre.x() + step), str(centre.y()))
    xdotool("mouseup", "1")
    qtbot.waitUntil(lambda: crop.box() is not None and crop.box().left > before.left)
    qtbot.waitUntil(lambda: window.inspect.fit.box is not None)
    qtbot.waitUntil(window.inspect.settled)
    assert isinstance(centre, QPoint)


def test_the_least_window_hides_no_button_and_cuts_no_column_at_any_size_of_the_text(
    window: MainWindow, qtbot: QtBot
) -> None:
    column = window.inspect._scroll

    def whole() -> bool:
        window.resize(10, 10)
        buttons = [child for child in window.bar.children() if isinstance(child, QAbstractButton)]
        arrow = next(button for button in buttons if button.objectName() == "qt_toolbar_ext_button")
        buttons.remove(arrow)
        content, view = column.widget(), column.viewport()
        assert content is not None and view is not None
        return (
            len(buttons) == 9
            and not arrow.isVisible()
            and all(button.isVisible() and button.width() >= button.minimumSizeHint().width() for button in buttons)
            and content.width() <= view.width()
        )

    try:
        for px in (13, 17, 21):
            window.appearance.set_font(px)
            qtbot.waitUntil(whole)
            assert window.width() <= 1024  # the narrowest screen that a projector has
    finally:
        window.appearance.set_font(13)
