"""The main window driven as a person would: open, drop, click, sort, pin, switch quickly, break things."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PyQt6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.montage import Coloured, colour, ranges
from resnet_viz.core.paths import assets_dir
from resnet_viz.gui.bridge import LINGER_S
from resnet_viz.gui.widgets.color_bar import number
from resnet_viz.gui.window import MainWindow
from resnet_viz.session.requests import Looked, OpenModel

Open = Callable[..., MainWindow]


def drop(window: MainWindow, *paths: str) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path) for path in paths])
    event = QDropEvent(
        QPointF(200, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)


def test_first_window_shows_maps_and_confidences(open_window: Open) -> None:
    window = open_window()
    looked = window.inspect.looked
    assert looked is not None and looked.activation is not None
    assert looked.activation.layer == "layer1.0"
    assert looked.activation.maps.shape == (16, 32, 32)
    assert looked.prediction is not None
    assert len(looked.prediction.top) == 10
    assert abs(sum(score.prob for score in looked.prediction.top) - 1) < 1e-5
    assert "269,722" in window.facts.text()
    assert "고양이" in window.picture_button.text()


def test_maps_shown_equal_a_plain_forward_pass(open_window: Open, qtbot: QtBot) -> None:
    """What the grid was given is what torch computes without us, difference 0."""
    import torch

    from resnet_viz.data.batches import normalise
    from resnet_viz.models import create

    window = open_window()
    looked = window.inspect.looked
    assert looked is not None and looked.activation is not None and window.inspect.card is not None
    net = create("resnet20", seed=0)
    pixels = torch.from_numpy(looked.net_view).permute(2, 0, 1)[None]
    with torch.no_grad():
        x = normalise(pixels, window.inspect.card.normalization)
        expected = net.layer1[0](net.relu(net.bn1(net.conv1(x))))[0].numpy()
    assert np.array_equal(looked.activation.maps, expected)


def test_other_colours_while_a_pass_runs_are_those_that_are_shown(open_window: Open, qtbot: QtBot) -> None:
    """The worker colours the maps as the question said; what was chosen meanwhile wins."""
    window = open_window()
    inspect, grid = window.inspect, window.inspect.center.grid
    arrived: list[Looked] = []
    inspect._context.nets.arrived.connect(
        lambda outcome: arrived.append(outcome.value) if isinstance(outcome.value, Looked) else None
    )

    def show(layer: str) -> Coloured:
        inspect.select_layer(layer)
        qtbot.waitUntil(lambda: inspect.settled() and not inspect._after.isActive())
        coloured = arrived[-1].coloured
        assert coloured is not None
        return coloured

    pictures = show("layer1.1")[1]
    assert grid._cells._coloured is pictures  # the window need not colour the maps again
    before = inspect.center.color_bar.accessibleDescription()
    chosen = replace(grid.options(), colormap="grey")
    inspect.select_layer("layer2.0")
    grid.set_options(chosen)
    qtbot.waitUntil(lambda: inspect.settled() and not inspect._after.isActive())
    looked, coloured = inspect.looked, arrived[-1].coloured
    assert looked is not None and looked.activation is not None and looked.stats is not None
    assert coloured is not None and coloured[0] != chosen
    words = grid._cells._coloured
    assert words is not None and np.array_equal(words, colour(looked.activation.maps, looked.stats, chosen))
    low, high = (float(ends[0]) for ends in ranges(looked.stats, chosen))
    scale = inspect.center.color_bar.accessibleDescription()
    assert scale.startswith(f"{number(low)} – {number(high)} ") and scale != before


def test_only_the_workspace_on_screen_keeps_its_thread(open_window: Open, qtbot: QtBot) -> None:
    """Idle threads that have computed slow down the passes of the one that computes (see LatestRunner)."""

    def threads() -> set[str]:
        return {one.name for one in threading.enumerate()} & {"networks", "lab", "studies", "desk", "costs", "files"}

    window = open_window()
    qtbot.waitUntil(lambda: threads() == {"networks"})
    qtbot.wait(600)
    assert threads() == {"networks"}
    lab = window.inspect._context.lab._runner
    window.gradients.page._begun = True  # nothing needs to be measured for this
    window.show_workspace("gradients")
    assert lab._linger_s is None
    qtbot.waitUntil(lambda: "networks" not in threads())
    window.show_workspace("inspect")
    assert lab._linger_s == LINGER_S
    window.inspect.select_layer("layer3.0")
    qtbot.waitUntil(window.inspect.settled)
    qtbot.waitUntil(lambda: threads() == {"networks"})


def test_choosing_a_layer_in_the_map_shows_it(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.inspect.map.layer_selected.emit("layer3.2.add")
    qtbot.waitUntil(window.inspect.settled)
    assert window.inspect.looked is not None and window.inspect.looked.activation is not None
    assert window.inspect.looked.activation.maps.shape == (64, 8, 8)


def test_a_layer_under_the_mouse_is_known_before_it_is_clicked(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    inspect._idle.blockSignals(True)  # else all layers are known soon
    inspect._context.nets.cancel("around")
    inspect.map.layer_pointed.emit("layer1.2")  # the mouse passes by
    inspect.map.layer_pointed.emit("layer2.1")  # and rests here
    with qtbot.waitSignal(
        inspect._context.nets.arrived, check_params_cb=lambda outcome: outcome.kind == "ahead"
    ) as arrived:
        pass
    assert arrived.args is not None and arrived.args[0].error is None
    assert arrived.args[0].request.look.layer == "layer2.1"
    assert inspect.layer == "layer1.0"  # nothing on screen has moved
    inspect.map.layer_selected.emit("layer2.1")
    qtbot.waitUntil(inspect.settled)
    assert inspect.looked is not None and inspect.looked.pass_ms == 0
    assert inspect.looked.activation is not None and inspect.looked.activation.maps.shape == (32, 16, 16)
    inspect.select_layer("layer1.2")  # the mouse only passed by
    qtbot.waitUntil(inspect.settled)
    assert inspect.looked.layer == "layer1.2" and inspect.looked.pass_ms > 0


def test_layers_of_a_picture_that_rests_are_all_known(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    assert inspect.card is not None

    def rest() -> None:
        with qtbot.waitSignal(
            inspect._context.nets.arrived, check_params_cb=lambda outcome: outcome.kind == "around"
        ) as arrived:
            inspect._idle.start()
        assert arrived.args is not None and arrived.args[0].error is None

    rest()
    for layer in inspect.card.layers:
        inspect.select_layer(layer.name)
        qtbot.waitUntil(inspect.settled)
        assert inspect.looked is not None and inspect.looked.layer == layer.name and inspect.looked.pass_ms == 0
    for sample in ("coffee", "rocket"):  # another picture is worth a pass of its own, however quickly it comes
        before = inspect.looked
        window.opener.open_picture(str(assets_dir() / "samples" / f"{sample}.jpg"))
        qtbot.waitUntil(lambda shown=before: inspect.settled() and inspect.looked is not shown)
        assert inspect.looked.pass_ms > 0
        inspect._look_around()  # and what is computed for it gives way
    rest()
    inspect.select_layer("layer3.1")
    qtbot.waitUntil(inspect.settled)
    assert inspect.looked.pass_ms == 0


def test_the_next_layer_is_known_before_the_next_key(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    inspect._idle.blockSignals(True)  # else all layers are known soon
    inspect.select_layer("layer2.0.conv1")
    qtbot.waitUntil(inspect.settled)
    with qtbot.waitSignal(
        inspect._context.nets.arrived, check_params_cb=lambda outcome: outcome.kind == "ahead"
    ) as arrived:
        window.actions_by_id["next_layer"].trigger()
    assert arrived.args is not None and arrived.args[0].request.look.layer == "layer2.0.relu1"
    assert inspect.layer == "layer2.0.bn1"
    window.actions_by_id["next_layer"].trigger()
    qtbot.waitUntil(inspect.settled)
    assert inspect.looked is not None and inspect.looked.layer == "layer2.0.relu1" and inspect.looked.pass_ms == 0


def test_a_click_overtakes_what_is_computed_ahead(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    inspect._idle.blockSignals(True)  # else all layers are known soon
    for _ in range(20):
        inspect.map.layer_pressed.emit("layer3.1")
        inspect.select_layer("layer2.0.conv1" if inspect.layer != "layer2.0.conv1" else "layer1.1")
        qtbot.waitUntil(inspect.settled)
        assert inspect.looked is not None and inspect.looked.layer == inspect.layer
    inspect.map.layer_pressed.emit("layer3.2")  # a press asks at once, and the click waits for that pass
    inspect.select_layer("layer3.2")
    qtbot.waitUntil(inspect.settled)
    assert inspect.looked is not None and inspect.looked.layer == "layer3.2" and inspect.looked.pass_ms == 0
    assert inspect._ahead_look is None


def test_keys_step_through_the_layers(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.inspect.select_layer("layer2.0.conv1")
    window.actions_by_id["next_layer"].trigger()
    assert window.inspect.layer == "layer2.0.bn1"
    window.actions_by_id["previous_layer"].trigger()
    assert window.inspect.layer == "layer2.0.conv1"
    qtbot.waitUntil(window.inspect.settled)


def test_pins_stay_across_pictures_and_nets_of_the_same_shape(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    inspect = window.inspect
    inspect.select_layer("layer2.0")
    inspect.toggle_pin(3)
    inspect.toggle_pin(7)
    other = tmp_path / "other.png"
    Image.new("RGB", (40, 40), (200, 30, 90)).save(other)
    drop(window, str(other))
    qtbot.waitUntil(lambda: inspect.image is not None and inspect.image.source == "other.png")
    assert inspect.pinned() == {3, 7}
    window.opener.open_model(OpenModel(ref="plain20", untrained=True))
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.arch == "plain20")
    assert inspect.layer == "layer2.0"
    assert inspect.pinned() == {3, 7}
    qtbot.waitUntil(inspect.settled)


def test_switching_nets_fifty_times_shows_only_the_last(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    before = threading.active_count()
    shown: list[str] = []
    window.opener.model_opened.connect(lambda card: shown.append(card.arch))
    nets = ["resnet20", "plain20", "resnet32", "hresnet", "plain32"]
    for turn in range(50):
        window.opener.open_model(OpenModel(ref=nets[turn % len(nets)], untrained=True))
    window.opener.open_model(OpenModel(ref="resnet44", untrained=True))
    qtbot.waitUntil(lambda: bool(shown) and shown[-1] == "resnet44")
    qtbot.waitUntil(window.inspect.settled)
    assert shown == ["resnet44"]
    assert window.inspect.looked is not None and window.inspect.card is not None
    assert window.inspect.looked.card_id == window.inspect.card.id
    assert threading.active_count() <= before


def test_clicking_layers_quickly_shows_only_the_last(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("resnet56")
    assert window.inspect.card is not None
    names = [layer.name for layer in window.inspect.card.layers if not layer.container]
    for name in names[:60]:
        window.inspect.select_layer(name)
    window.inspect.select_layer("layer3.8.relu2")
    qtbot.waitUntil(window.inspect.settled)
    assert window.inspect.looked is not None
    assert window.inspect.looked.layer == "layer3.8.relu2"


def test_the_block_taken_apart_adds_up(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.inspect.select_layer("layer2.1")
    window.actions_by_id["show_parts"].trigger()
    qtbot.waitUntil(lambda: window.inspect.settled() and window.inspect.looked.parts is not None)
    parts = window.inspect.looked.parts
    assert np.array_equal(parts.x + parts.f, parts.total)
    assert np.array_equal(np.maximum(parts.total, 0), parts.out)


def test_a_plain_net_has_no_block_to_take_apart(open_window: Open) -> None:
    window = open_window("plain20")
    window.inspect.select_layer("layer2.1")
    window.actions_by_id["show_parts"].trigger()
    assert window.inspect.center.mode == "maps"


def test_filters_of_the_first_layer_are_shown(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.inspect.select_layer("conv1")
    window.actions_by_id["show_filters"].trigger()
    qtbot.waitUntil(window.inspect.settled)
    assert window.inspect.center.mode == "filters"
    shown = window.inspect.center.filters.grid.activation()
    assert shown is not None and shown.maps.shape == (16, 3, 3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("text.png", b"this is no picture"),
        ("broken.jpg", b"\xff\xd8\xff\xe0 nothing more"),
        ("empty.pt", b""),
        ("page.pth", b"<!doctype html><html></html>"),
        ("cut.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"),
        ("notes.xyz", b"whatever"),
    ],
)
def test_a_bad_file_says_one_sentence_and_the_app_lives_on(
    open_window: Open, qtbot: QtBot, tmp_path: Path, name: str, content: bytes
) -> None:
    window = open_window()
    path = tmp_path / name
    path.write_bytes(content)
    before = window.inspect.looked
    with qtbot.waitSignal(window.opener.failed) as failed:
        drop(window, str(path))
    message = failed.args[0]
    assert name in message and message.endswith(".") and "\n" not in message
    assert window.inspect.banner.isVisible()
    assert window.inspect.looked is before
    window.inspect.select_layer("layer1.1")
    qtbot.waitUntil(window.inspect.settled)
    assert window.inspect.looked is not before


def test_pasting_a_picture(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    image = QImage(30, 20, QImage.Format.Format_RGB32)
    image.fill(0xFF00FF00)
    QApplication.clipboard().setImage(image)
    window.actions_by_id["paste"].trigger()
    qtbot.waitUntil(lambda: window.inspect.image is not None and window.inspect.image.pixels.shape == (20, 30, 3))
    assert window.inspect.image.pixels[0, 0].tolist() == [0, 255, 0]
    qtbot.waitUntil(window.inspect.settled)


def test_pasting_nothing_says_what_to_do(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    QApplication.clipboard().clear()
    with qtbot.waitSignal(window.opener.failed) as failed:
        window.actions_by_id["paste"].trigger()
    assert "clipboard" in failed.args[0]


def test_a_folder_opens_as_a_strip_and_keeps_layer_and_pins(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (32, 32), (80 * index, 10, 10)).save(folder / f"{index}.png")
    window.inspect.select_layer("layer3.0")
    window.inspect.toggle_pin(5)
    drop(window, str(folder))
    qtbot.waitUntil(lambda: window.inspect.image is not None and window.inspect.image.source == "0.png")
    for action, name in (("next_picture", "1.png"), ("previous_picture", "0.png")):
        window.actions_by_id[action].trigger()
        qtbot.waitUntil(lambda name=name: window.inspect.image.source == name)  # type: ignore[misc]
    assert window.inspect.strip.isVisible()
    assert window.inspect.layer == "layer3.0" and window.inspect.pinned() == {5}
    qtbot.waitUntil(window.inspect.settled)


def test_every_action_has_text_tip_and_method(open_window: Open) -> None:
    window = open_window()
    keys: dict[str, str] = {}
    for name, action in window.actions_by_id.items():
        assert action.text() and action.toolTip(), name
        for shortcut in action.shortcuts():
            text = shortcut.toString()
            assert text not in keys, f"{text} is the key of {keys[text]} and {name}"
            keys[text] = name


def test_every_button_has_a_tooltip_and_a_name(open_window: Open) -> None:
    window = open_window()
    for button in window.findChildren(QToolButton):
        if button.isVisibleTo(window) and not button.objectName().startswith("qt_"):
            assert button.toolTip(), button.text()
            assert button.text() or button.accessibleName(), button.objectName()


def test_larger_text_and_schemes_redraw_without_clipping(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(size=(1280, 800))
    for name in ("bigger", "bigger", "bigger", "scheme_light", "scheme_dark", "normal_size", "smaller", "smaller"):
        window.actions_by_id[name].trigger()
        QApplication.processEvents()
    assert QApplication.font().pixelSize() >= 11
    # text of the widgets themselves, not the application's alone
    window.actions_by_id["bigger"].trigger()
    assert (
        window.model_button.font().pixelSize()
        == window.inspect.tree.font().pixelSize()
        == QApplication.font().pixelSize()
    )
    window.actions_by_id["smaller"].trigger()
    window.actions_by_id["normal_size"].trigger()
    assert QApplication.font().pixelSize() == 13


def test_a_small_window_still_shows_the_grid(open_window: Open) -> None:
    window = open_window(size=(720, 480))
    QApplication.processEvents()
    assert window.inspect.center.grid.height() > 60
    assert window.inspect.center.grid.width() > 100


def test_clicks_with_the_mouse_pin_and_select(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    grid = window.inspect.center.grid
    viewport = grid.viewport()
    spot = QPoint(20, 20)
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=spot)
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, spot)
    assert len(window.inspect.pinned()) == 1
    assert window.inspect.channel in window.inspect.pinned()
    qtbot.mouseMove(viewport, spot + QPoint(3, 3))
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, spot)
    assert not window.inspect.pinned()


def test_missing_camera_is_one_sentence(open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    if list(Path("/dev").glob("video*")):
        pytest.skip("this machine has a camera")
    window = open_window()
    with qtbot.waitSignal(window.opener.failed) as failed:
        window.actions_by_id["camera"].trigger()
    assert "camera" in failed.args[0]


def test_a_foreign_checkpoint_is_asked_about_and_the_answers_are_kept(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    import torch

    from resnet_viz.models import create

    path = tmp_path / "남의 것.pth"
    torch.save({f"module.{key}": value for key, value in create("plain20", seed=4).state_dict().items()}, path)
    window = open_window()
    drop(window, str(path))
    inspect = window.inspect
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.source == str(path))
    assert "ResNet-20, shortcut A, 10 classes, 269,722 parameters, prefix `module.` stripped" in window.found.text()
    assert "mean and standard deviation" in inspect.banner.text() and "plain net" in inspect.banner.text()
    inspect.banner._buttons[0].click()
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.arch == "plain20")
    combo = inspect.picture.picker.combo
    combo.setCurrentIndex(combo.findText("ImageNet"))
    combo.activated.emit(combo.currentIndex())
    qtbot.waitUntil(inspect.settled)
    window.opener.open_model(OpenModel(ref=str(path)))
    qtbot.waitUntil(lambda: inspect.card is not None and inspect.card.arch == "resnet20")
    assert inspect.card is not None and inspect.card.normalization.title == "ImageNet"
    assert inspect.card.normalization_known
    qtbot.waitUntil(inspect.settled)


def test_opening_can_be_cancelled_and_what_is_shown_stays(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    before = window.inspect.card
    window.opener.open_model(OpenModel(ref="resnet152", untrained=True))
    assert window.cancel_button.isVisible()
    window.cancel_button.click()
    assert not window.cancel_button.isVisible()
    qtbot.wait(100)
    assert window.inspect.card is before
    window.inspect.select_layer("layer2.1")
    qtbot.waitUntil(window.inspect.settled)
    assert window.inspect.card is before


def test_saving_writes_what_is_on_screen(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    looked = window.inspect.looked
    assert looked is not None and looked.activation is not None
    with qtbot.waitSignal(window.saver.said) as said:
        window.saver.write_grid(str(tmp_path / "maps.npz"))
    assert "maps.npz" in said.args[0]
    with np.load(tmp_path / "maps.npz") as file:
        assert np.array_equal(file["maps"], looked.activation.maps)
    with qtbot.waitSignal(window.saver.failed) as failed:
        window.saver.write_grid(str(tmp_path / "maps.npz" / "x.png"))
    assert "cannot be written" in failed.args[0]
    window.saver.write_map(str(tmp_path / "map.svg"))
    assert (tmp_path / "map.svg").read_text(encoding="utf-8").count("<svg") == 1
    with qtbot.waitSignal(window.saver.said):
        window.actions_by_id["copy_picture"].trigger()
    assert not QApplication.clipboard().image().isNull()
    window.actions_by_id["copy_python"].trigger()
    assert "observe(net, x" in QApplication.clipboard().text()


def test_before_anything_is_open_nothing_breaks(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(wait=False)
    for name in ("save_grid", "save_map", "copy_python", "copy_picture", "next_layer", "show_parts", "unpin"):
        window.actions_by_id[name].trigger()
    window.grab()
    qtbot.waitUntil(window.inspect.settled)


def test_the_guide_and_about_open_beside_the_work(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.actions_by_id["help"].trigger()
    from PyQt6.QtWidgets import QDockWidget, QMessageBox

    dock = window.findChild(QDockWidget, "help-dock")
    assert dock is not None and dock.isVisible()
    window.actions_by_id["help"].trigger()
    assert not dock.isVisible()
    window.actions_by_id["about"].trigger()
    for box in window.findChildren(QMessageBox):
        assert "ResNet Viz" in box.text()
        box.close()


def test_an_svg_is_drawn_and_shown(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "drawing.svg"
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10" fill="red"/></svg>'
    )
    window = open_window()
    drop(window, str(path))
    qtbot.waitUntil(lambda: window.inspect.image is not None and window.inspect.image.source == "drawing.svg")
    assert window.inspect.image is not None
    assert window.inspect.image.pixels.shape == (512, 1024, 3)
    assert window.inspect.image.pixels[200, 500].tolist() == [255, 0, 0]
    qtbot.waitUntil(window.inspect.settled)
    path.write_text("<svg")
    with qtbot.waitSignal(window.opener.failed) as failed:
        drop(window, str(path))
    assert "drawing.svg cannot be drawn" in failed.args[0]
    assert window.inspect.image.pixels[200, 500].tolist() == [255, 0, 0]  # what was on show stays
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="90000" height="2"></svg>')
    with qtbot.waitSignal(window.opener.failed) as failed:
        drop(window, str(path))
    assert "drawing.svg cannot be drawn" in failed.args[0]


def test_an_svg_that_takes_long_holds_up_nothing(
    open_window: Open, qtbot: QtBot, tmp_path: Path, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **how: Any) -> None:
            super().__init__(*words, **how)
            children.append(self)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    rng = np.random.default_rng(0)
    shape = '<path d="M{} {} C {} 10 500 {} 300 300 Z" fill="red" opacity="0.5"/>'
    shapes = "".join(shape.format(*rng.integers(0, 900, 4)) for _ in range(100_000))
    path = tmp_path / "long.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900">{shapes}</svg>')
    window = open_window()
    said: list[str] = []
    window.opener.busy.connect(said.append)
    drop(window, str(path))
    assert said == ["Opening long.svg…"]
    qtbot.waitUntil(lambda: bool(children))
    with qtbot.waitSignal(window.opener.picture_opened):
        drop(window, picture)
    assert len(children) == 1 and children[0].returncode not in (0, None)  # ended before it had drawn anything
    assert window.inspect.image is not None and window.inspect.image.path == picture
    path.write_text(path.read_text() * 2)
    with qtbot.waitSignal(window.opener.failed) as failed:
        drop(window, str(path))
    assert "10 MB" in failed.args[0]


def test_a_path_dragged_as_text_can_be_dropped_and_other_text_cannot(
    open_window: Open, qtbot: QtBot, picture: str
) -> None:
    window = open_window()
    mime = QMimeData()
    for text, taken in (("a word", False), (f"{picture}\nand more", False), (picture, True)):
        mime.setText(text)
        buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        event = QDragEnterEvent(QPoint(50, 50), Qt.DropAction.CopyAction, mime, buttons, keys)
        event.ignore()
        window.dragEnterEvent(event)
        assert event.isAccepted() == taken
    with qtbot.waitSignal(window.opener.picture_opened):
        assert window.opener.drop(mime)


def test_the_window_remembers_its_layout_and_colours(open_window: Open) -> None:
    window = open_window(size=(1000, 700))
    window.actions_by_id["scheme_light"].trigger()
    window.inspect.columns.setSizes([300, 380, 320])
    sizes = window.inspect.columns.sizes()
    window.close()
    again = open_window(size=(1000, 700))
    assert again.actions_by_id["scheme_light"].isChecked()
    assert again.inspect.columns.sizes() == sizes
    again.actions_by_id["scheme_system"].trigger()


def test_at_the_end_all_workers_are_told_before_any_is_waited_for(qtbot: QtBot, tmp_path: Path) -> None:
    """Each of these gives up only once every other has been told."""
    from PyQt6.QtCore import QSettings

    from resnet_viz.core.token import CancelToken
    from resnet_viz.gui.bridge import Bridge
    from resnet_viz.gui.context import Context

    tokens: list[CancelToken] = []

    def stubborn(_request: object, token: CancelToken, _progress: object) -> None:
        tokens.append(token)
        while len(tokens) < 6 or not all(one.cancelled for one in tokens):
            threading.Event().wait(0.01)

    bridges = [Bridge(stubborn, f"stubborn {index}") for index in range(6)]
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    context = Context(*bridges, book=None, settings=settings)  # type: ignore[arg-type]
    for bridge in bridges:
        bridge.ask("wait", None)
    qtbot.waitUntil(lambda: len(tokens) == 6)
    context.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("stubborn")]


def test_a_mouse_that_leaves_or_rests_while_the_worker_is_busy(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    inspect = window.inspect
    inspect._idle.blockSignals(True)  # else all layers are known soon
    asked: list[str] = []
    real = inspect._context.nets.ask

    def ask(kind: str, request: object, *, yields: bool = False) -> int:
        asked.append(kind)
        return real(kind, request, yields=yields)

    inspect._context.nets.ask = ask  # type: ignore[method-assign]
    inspect.map.layer_pointed.emit("layer3.1")
    inspect.map.layer_pointed.emit("")  # it only passed by
    assert not inspect._ahead.isActive()
    inspect.select_layer("layer3.2")
    inspect.map.layer_pointed.emit("layer2.1")
    inspect._ahead.stop()
    inspect._look_ahead("layer2.1")  # the time is up while an answer is awaited
    assert asked == ["look"]
    qtbot.waitUntil(lambda: asked == ["look", "ahead"])
    qtbot.waitUntil(lambda: inspect._ahead_look is None)
    inspect.map.layer_selected.emit("layer2.1")
    qtbot.waitUntil(inspect.settled)
    assert inspect.looked is not None and inspect.looked.layer == "layer2.1" and inspect.looked.pass_ms == 0
