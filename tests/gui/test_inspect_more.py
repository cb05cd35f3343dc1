"""Inspect where it went wrong: the wheel, open questions, true labels, failed passes, the start, menus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QWheelEvent
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QMenu,
    QScrollArea,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.predictions import prediction
from resnet_viz.core.types import ImageInput, Prediction
from resnet_viz.gui import app as gui_app
from resnet_viz.gui import theme
from resnet_viz.gui.app import Start
from resnet_viz.gui.menus import fill_models, fill_pictures
from resnet_viz.gui.quiet_wheel import QuietWheel, calm
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.confidences import Confidences, logit_text, truth_text
from resnet_viz.gui.window import MainWindow
from resnet_viz.session import store
from resnet_viz.session.requests import OpenModel

Open = Callable[..., MainWindow]


def turn(widget: QWidget, delta: int = -120) -> None:
    """Turn the wheel over a widget; as Qt does with a real mouse, who ignores it hands it to its parent."""
    one: QWidget | None = widget
    while one is not None:
        centre = QPointF(one.rect().center())
        at = QPointF(one.mapToGlobal(one.rect().center()))
        none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
        event = QWheelEvent(centre, at, QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, none, phase, False)
        QApplication.sendEvent(one, event)
        if event.isAccepted() or one.isWindow():
            return
        one = one.parentWidget()


# ---- the wheel ----


def test_the_wheel_over_a_choice_scrolls_the_column_and_chooses_nothing(qtbot: QtBot) -> None:
    gui_app.make_application()
    assert len(gui_app.make_application().findChildren(QuietWheel)) == 1
    area, column = QScrollArea(), QWidget()
    qtbot.addWidget(area)
    combo, spin, slider, typed = QComboBox(), QSpinBox(), QSlider(Qt.Orientation.Horizontal), QComboBox()
    typed.setEditable(True)
    for one in (combo, typed):
        one.addItems([str(number) for number in range(40)])
        one.setCurrentIndex(20)
    spin.setValue(20)
    slider.setValue(20)
    layout = QVBoxLayout(column)
    for widget in (combo, spin, slider, typed):
        layout.addWidget(widget)
    end = QLabel()
    end.setFixedHeight(2000)
    layout.addWidget(end)
    area.setWidget(column)
    area.resize(300, 200)
    with qtbot.waitExposed(area):
        area.show()
    area.setFocus()
    calm(area)
    bar = area.verticalScrollBar()
    edit = typed.lineEdit()
    assert bar is not None and edit is not None
    for widget in (combo, spin, slider, typed, edit):
        bar.setValue(0)
        turn(widget)
        assert bar.value() > 0, widget
        assert (combo.currentIndex(), spin.value(), slider.value(), typed.currentIndex()) == (20, 20, 20, 20)
        assert widget.focusPolicy() != Qt.FocusPolicy.WheelFocus
    combo.setFocus()  # as by a click
    qtbot.waitUntil(combo.hasFocus)
    turn(combo)
    assert combo.currentIndex() == 21
    bar.setValue(0)
    turn(bar)
    assert bar.value() > 0
    combo.showPopup()
    popup = combo.view()
    assert popup is not None
    inside = popup.verticalScrollBar()
    assert inside is not None
    inside.setValue(0)
    view = popup.viewport()
    assert view is not None
    if inside.maximum():
        turn(view)
        assert inside.value() > 0
    combo.hidePopup()


def test_scrolling_the_right_column_keeps_crop_and_mean(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    grid, toolbar = inspect.center.grid, inspect.center.toolbar
    before = (inspect.fit, inspect.normalization, grid.options())
    combos = [inspect.picture.mode, inspect.picture.picker.combo, *toolbar.findChildren(QComboBox)]
    assert len(combos) > 2
    for combo in combos:
        for _ in range(12):  # as far as "own…", which opens a dialog
            turn(combo)
    assert (inspect.fit, inspect.normalization, grid.options()) == before
    assert QApplication.activeModalWidget() is None
    assert not store._state().get("normalization")


@pytest.mark.xvfb
@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="there is no X display here")
@pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")
def test_a_real_wheel_over_a_choice_scrolls_the_column(open_window: Open, qtbot: QtBot) -> None:
    """Only events from outside go from child to parent in Qt, and may take the focus along."""
    window = open_window(size=(1280, 700))
    with qtbot.waitExposed(window):
        pass
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    inspect = window.inspect
    inspect.center.grid.setFocus()
    bar, right = inspect._scroll.verticalScrollBar(), inspect._scroll.widget()
    assert bar is not None and right is not None
    column = right.layout()
    assert isinstance(column, QVBoxLayout)
    later = QComboBox()  # made when the window was there already
    later.addItems(["a", "b"])
    column.insertWidget(0, later)
    qtbot.waitUntil(lambda: later.isVisible() and bar.maximum() > 0)
    for combo in (inspect.picture.mode, later):
        inspect._scroll.ensureWidgetVisible(combo)
        bar.setValue(0)
        QApplication.processEvents()
        spot = combo.mapToGlobal(combo.rect().center())
        subprocess.run(["xdotool", "mousemove", str(spot.x()), str(spot.y()), "click", "5"], check=True, timeout=120)
        qtbot.waitUntil(lambda: bar.value() > 0)
        assert combo.currentIndex() == 0 and not combo.hasFocus()


# ---- questions ----


def test_a_standing_message_comes_back_from_under_others(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    done: list[str] = []
    banner.set_standing("Which?", "info", [("This", lambda: done.append("this"))])
    banner.show_message("saved")
    assert banner.text() == "saved" and not banner._buttons
    banner.set_standing("Which one?", "warn", [("This", lambda: done.append("this"))])
    assert banner.text() == "saved"
    banner.show_message("copied")
    banner._close.click()
    assert banner.text() == "Which one?"
    banner._buttons[0].click()
    banner.clear()
    assert done == ["this"] and banner.text() == "Which one?"
    banner.set_standing("")
    assert banner.isHidden()
    banner.set_standing("Which?")
    banner._close.click()  # put away by hand: it does not nag
    banner.show_message("saved")
    banner.clear()
    assert banner.isHidden()


@pytest.fixture
def foreign(tmp_path: Path) -> str:
    """A bare state dict that may be ResNet-20 or Plain-20, and says no mean."""
    import torch

    from resnet_viz.models import create

    path = tmp_path / "남의 것.pth"
    torch.save(create("plain20", seed=4).state_dict(), path)
    return str(path)


def test_open_questions_outlive_other_messages_and_each_other(
    open_window: Open, qtbot: QtBot, foreign: str, picture: str
) -> None:
    window = open_window()
    inspect = window.inspect
    window.opener.open_model(OpenModel(ref=foreign))
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.source == foreign)
    mean, plain = "mean and standard deviation", "A plain net has the same weights"

    def asked() -> tuple[bool, bool]:
        return mean in inspect.banner.text(), plain in inspect.banner.text()

    assert asked() == (True, True)
    window.saver.said.emit("a.png is written.")
    assert asked() == (False, False)
    inspect.banner._close.click()
    assert asked() == (True, True)
    window.opener.failed.emit("no such file")
    window.opener.open_picture(picture)
    qtbot.waitUntil(lambda: asked() == (True, True))
    combo = inspect.picture.picker.combo
    combo.setCurrentIndex(combo.findText("ImageNet"))
    combo.activated.emit(combo.currentIndex())
    assert asked() == (False, True)
    window.saver.said.emit("b.png is written.")
    window.saver.said.emit("c.png is written.")
    inspect.banner.clear()
    assert asked() == (False, True)
    plain_button, residual_button = inspect.banner._buttons
    assert plain_button.text() == "It is the plain net"
    residual_button.click()
    assert inspect.banner.isHidden()
    qtbot.waitUntil(inspect.settled)
    window.opener.open_model(OpenModel(ref=foreign))
    qtbot.waitUntil(lambda: asked() == (False, True))
    inspect.banner._buttons[0].click()
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.arch == "plain20")
    assert asked() == (False, False)
    qtbot.waitUntil(inspect.settled)


# ---- confidences ----


def believed(*logits: float, names: tuple[str, ...] = ("cat", "dog", "ship")) -> Prediction:
    return prediction(np.array(logits, np.float32), names, 10)


def test_large_logits_are_readable_and_whole(qtbot: QtBot) -> None:
    assert logit_text(277_902_176.0) == "2.78·10⁸" and logit_text(-3.14159) == "−3.14"
    assert logit_text(-123_456.0) == "−123,456" and logit_text(99_999.5) == "99999.50"
    widget = Confidences()
    qtbot.addWidget(widget)
    widget.resize(300, 200)
    usual = widget.bars.value_width()
    for logits in ((277_902_176.0, -99_999.9, 5.0), (1.0, 2.0, 3.0)):
        widget.set_prediction(believed(*logits))
        widget.logits.setChecked(True)
        advance = widget.bars.fontMetrics().horizontalAdvance
        texts = [widget.bars._value(score) for score in widget.bars._scores]
        assert widget.bars.value_width() >= max(advance(text) for text in texts)
        widget.grab()
    assert widget.bars.value_width() == usual
    widget.set_before(believed(277_902_176.0, 1.0, 2.0))
    assert widget.bars._value(widget.bars._scores[-1]) == "2.78·10⁸ → 1.0"


def test_a_true_label_is_judged_by_its_own_picture_only(qtbot: QtBot) -> None:
    widget = Confidences()
    qtbot.addWidget(widget)
    widget.set_classes(("cat", "dog", "ship"))
    widget.set_true_label("cat")
    widget.set_prediction(believed(5, 1, 1))
    assert "right" in widget._truth.text() and widget.bars._true == "cat"
    widget.set_true_label("dog")  # the next picture; its answer is not there yet
    assert widget._truth.text() == "true label: dog" and widget.bars._true is None
    widget.set_prediction(believed(1, 5, 1))
    assert "right" in widget._truth.text()
    widget.set_true_label(None)
    assert widget._truth.isHidden()


def test_a_class_that_the_net_lacks_makes_it_not_wrong(qtbot: QtBot) -> None:
    assert truth_text("cat", believed(1, 2, 3), ("tench", "goldfish")) == (
        "true label: cat (no class of this net)",
        None,
    )
    assert truth_text("Cat", believed(3, 2, 1), ("cat", "dog", "ship"))[1] is True
    assert truth_text("ship", believed(3, 2, 1), ()) == ("✗ wrong: it is “ship”", False)
    unnamed = ("class 0", "class 1")
    assert truth_text("cat", None, unnamed) == ("true label: cat (the net's classes have no names)", None)
    widget = Confidences()
    qtbot.addWidget(widget)
    widget.set_classes(("tench", "goldfish"))
    widget.set_true_label("cat")
    widget.set_prediction(believed(1, 2, names=("tench", "goldfish")))
    assert widget._truth.text() == "true label: cat (no class of this net)"


def test_the_true_label_takes_the_colours_of_another_scheme(qtbot: QtBot) -> None:
    app = gui_app.make_application()
    theme.apply(app, "dark")
    widget = Confidences()
    qtbot.addWidget(widget)
    widget.set_true_label("dog")
    widget.set_prediction(believed(5, 1, 1))
    widget.show()
    assert theme.DARK.error in widget._truth.styleSheet()
    theme.apply(app, "light")
    QApplication.processEvents()
    assert theme.LIGHT.error in widget._truth.styleSheet()
    theme.apply(app, "dark")
    QApplication.processEvents()
    assert theme.DARK.error in widget._truth.styleSheet()


def test_a_step_along_the_strip_never_judges_the_picture_before(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    assert inspect.card is not None and inspect.image is not None
    first = inspect.card.classes[0]
    inspect.set_picture(replace(inspect.image, label=first))
    assert inspect.confidences._truth.text() == f"true label: {first}"
    qtbot.waitUntil(lambda: inspect.settled() and not inspect._after.isActive())
    assert "it is" in inspect.confidences._truth.text()
    inspect.set_picture(replace(inspect.image, label="teapot"))
    qtbot.waitUntil(lambda: inspect.settled() and not inspect._after.isActive())
    assert inspect.confidences._truth.text() == "true label: teapot (no class of this net)"


# ---- a pass that fails ----

FRAGILE = """
from torch import nn

class Second(nn.Conv2d):
    def forward(self, x):
        if x.mean() > 0.5:
            raise ValueError("too bright for me.\\nsecond line")
        return super().forward(x)

class Fragile(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b = Second(4, 5, 3, padding=1)
        self.fc = nn.Linear(5, 3)
    def forward(self, x):
        x = self.b(self.a(x).abs() * 0 + x.mean())
        return self.fc(x.mean((2, 3)))

def make():
    return Fragile()
"""


def grey(value: int) -> ImageInput:
    return ImageInput(np.full((32, 32, 3), value, np.uint8), f"grey {value}.png")


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenModel:
    """A net of no known family that fails at ``b`` on bright pictures."""
    (tmp_path / "fragile_net.py").write_text(FRAGILE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fragile_net", raising=False)
    return OpenModel(ref="", factory="fragile_net:make", input_size=32, normalize="0,0,0/1,1,1")


def test_after_a_failed_pass_nothing_old_stands_under_the_new_name(
    open_window: Open, qtbot: QtBot, fragile: OpenModel, tmp_path: Path
) -> None:
    window = open_window()
    inspect, center = window.inspect, window.inspect.center
    window.opener.show_picture(grey(20))
    window.opener.open_model(fragile)
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.title == "make")
    qtbot.waitUntil(lambda: inspect.settled() and not inspect._after.isActive())
    assert center.save_button.isEnabled() and center.note() == ""
    shown = inspect.provenance()
    assert shown["image"] == "grey 20.png" and shown["layer"] == inspect.layer
    with qtbot.waitSignal(inspect.failed) as failed:
        inspect.set_picture(grey(250))
        assert inspect.provenance() == shown  # the old maps are still what would be saved
    sentence = "The net failed at 'b' on this picture: too bright for me. Choose another picture or layer."
    assert failed.args == [sentence]
    assert center.grid.activation() is None and center.note() == sentence
    assert not center.color_bar._ready and not inspect.confidences.bars._scores
    assert inspect.picture.net_view._image.isNull()
    assert not center.save_button.isEnabled() and not center.python_button.isEnabled()
    assert inspect.looked is None and inspect.provenance() == {}
    with qtbot.waitSignal(window.saver.failed):
        window.saver.write_grid(str(tmp_path / "old.npz"))
    assert not (tmp_path / "old.npz").exists()
    inspect.set_picture(grey(30))
    qtbot.waitUntil(lambda: inspect.settled() and not inspect._after.isActive())
    assert center.save_button.isEnabled() and center.note() == "" and sentence not in inspect.banner.text()
    assert inspect.provenance()["image"] == "grey 30.png"


def test_what_a_net_raises_is_a_sentence() -> None:
    import torch

    from resnet_viz.core.errors import Cancelled, UserError
    from resnet_viz.session.passes import MOST_SAID, failure, told

    advice = "Choose another picture or layer."
    assert failure(KeyError("mask")) == f"The net failed on this picture: KeyError 'mask'. {advice}"
    assert failure(AssertionError()) == f"The net failed on this picture: AssertionError. {advice}"
    assert len(failure(RuntimeError("x" * 5000))) < MOST_SAID + 100
    for error in (Cancelled(), UserError("as it is")):
        with pytest.raises(type(error)) as kept, told():
            raise error
        assert kept.value is error
    with pytest.raises(UserError, match=r"mat1 and mat2.*Choose another"), told():
        torch.nn.Linear(2, 2)(torch.zeros(1, 3))


def test_what_is_saved_is_named_after_what_it_shows(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    inspect = window.inspect
    before = inspect.layer
    inspect.select_layer("layer3.0")  # not answered before the event loop turns
    window.saver.write_grid(str(tmp_path / "maps.npz"))
    qtbot.waitUntil(lambda: (tmp_path / "maps.npz").exists())
    with np.load(tmp_path / "maps.npz") as file:
        assert before in str(file["provenance"] if "provenance" in file else dict(file))
    qtbot.waitUntil(inspect.settled)
    assert inspect.provenance()["layer"] == "layer3.0"


# ---- the start ----


def test_while_the_first_net_is_opened_the_grid_says_so(
    qtbot: QtBot, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resnet_viz.session.service import Workbench

    go = threading.Event()
    handle = Workbench.handle
    monkeypatch.setattr(Workbench, "handle", lambda *args: (go.wait(30), handle(*args))[1])
    start = Start(model=OpenModel(ref="resnet20", untrained=True), image=picture)
    window = gui_app.make_window(start)
    qtbot.addWidget(window)
    window.show()
    center = window.inspect.center
    try:
        assert center.note() == "" and not center.save_button.isEnabled()
        gui_app.open_first(window, start)
        assert "Opening" in center.note() and center.grid._waiting == center.note()
        qtbot.waitUntil(lambda: window.inspect.image is not None)
        qtbot.wait(20)
        assert "Opening" in center.note()  # the picture is there, the net is not
        go.set()
        qtbot.waitUntil(window.inspect.settled)
        assert center.note() == ""
    finally:
        go.set()
        window.close()


def test_a_first_net_that_fails_or_is_given_up_leaves_the_grids_own_words(qtbot: QtBot, picture: str) -> None:
    start = Start(model=OpenModel(ref="no-such-net"), image=picture)
    window = gui_app.make_window(start)
    qtbot.addWidget(window)
    try:
        gui_app.open_first(window, start)
        assert window.inspect.center.note()
        window.opener.cancel()
        qtbot.waitUntil(lambda: window.inspect.center.note() == "")
        with qtbot.waitSignal(window.opener.failed):
            gui_app.open_first(window, start)
        qtbot.waitUntil(lambda: window.inspect.center.note() == "")
    finally:
        window.close()


# ---- menus ----


def test_menus_have_headings_and_say_nothing_twice(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    shipped = [(name, str(card["folder"])) for name, card in store.trained_models()]
    own = tmp_path / "own.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(own)
    from resnet_viz.data.samples import sample_pictures

    cat = sample_pictures()[0].path
    for path in (shipped[0][1], str(own)):
        store.remember_recent("model", path)
    for path in (str(cat), str(own)):
        store.remember_recent("picture", path)
    for button, fill, first in (
        (window.model_button, fill_models, "Trained"),
        (window.picture_button, fill_pictures, "Samples"),
    ):
        menu = button.menu()
        assert menu is not None
        for _ in range(3):
            fill(menu, window.opener, window.actions_by_id)
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert len(menu.findChildren(QMenu)) <= 1
        menu.popup(QPoint(0, 0))
        labels = [action.defaultWidget() for action in menu.actions() if isinstance(action, QWidgetAction)]
        assert [label.text() for label in labels if isinstance(label, QLabel)] == [first, "Recent"]
        for label in labels:
            assert label is not None and label.isVisible() and label.height() > 10
            inks = {label.grab().toImage().pixelColor(x, y).name() for x in range(90) for y in range(label.height())}
            assert QColor(theme.current().muted).name() in inks or len(inks) > 4
        texts = [action.text() for action in menu.actions()]
        assert "own.png" in texts and Path(shipped[0][1]).name not in texts[texts.index("Recent") :]
        assert cat.name not in texts
        qtbot.keyClick(menu, Qt.Key.Key_Down)
        active = menu.activeAction()
        assert active is not None and not active.isSeparator()
        menu.hide()


def test_escape_hides_what_the_banner_says(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    banner = window.inspect.banner
    banner.show_message("cat.jpg is written.")
    assert banner.text() == "cat.jpg is written."
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: banner.text() != "cat.jpg is written.")  # the button is pressed visibly
