"""How pictures get into the window: what is dropped, pasted and chosen, the strip below, the crop box."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent, QHelpEvent, QImage, QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QFileDialog, QToolTip
from pytestqt.qtbot import QtBot

from resnet_viz.core.types import CropBox, Fit, ImageInput
from resnet_viz.data.images import SUFFIXES
from resnet_viz.data.presets import presets
from resnet_viz.data.transforms import clamp_box, prepare
from resnet_viz.gui import app as gui_app
from resnet_viz.gui import menus
from resnet_viz.gui.app import Start
from resnet_viz.gui.opening import PICTURE_SUFFIXES
from resnet_viz.gui.plain import in_a_sentence
from resnet_viz.gui.widgets.crop_view import CropView
from resnet_viz.gui.widgets.film_strip import FilmStrip
from resnet_viz.gui.widgets.menu_button import MenuButton
from resnet_viz.gui.widgets.picture_panel import PicturePanel
from resnet_viz.gui.window import MainWindow
from resnet_viz.session import store
from resnet_viz.session.requests import OpenModel

Open = Callable[..., MainWindow]
RNG = np.random.default_rng(0)


def make(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 30, 10)).save(path)
    return path


def files(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drop(window: MainWindow, *paths: Path) -> None:
    mime = files(*paths)  # the event does not keep it
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(200, 300), Qt.DropAction.CopyAction, mime, buttons, keys))


def quiet(window: MainWindow) -> bool:
    return not window.work.text() and window.inspect.settled()


def shown(window: MainWindow) -> str:
    return window.inspect.image.source if window.inspect.image is not None else ""


# ---- dropping ----


def test_a_text_among_dropped_files_does_not_keep_the_picture_from_being_shown(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window()
    notes = tmp_path / "drop" / "a notes.txt"
    cat = make(tmp_path / "drop" / "cat.png")
    notes.write_text("hello")
    drop(window, notes, cat)
    qtbot.waitUntil(lambda: shown(window) == "cat.png" and quiet(window))
    assert "a notes.txt" in window.inspect.banner.text()  # it is said, and outlives what was opened after it


def test_pictures_of_several_folders_make_one_strip(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    paths = [make(tmp_path / name / f"{name}.png") for name in "cab"]
    make(tmp_path / "c" / "neighbour.png")
    with qtbot.waitSignal(window.opener.folder_opened):
        drop(window, *paths)
    qtbot.waitUntil(lambda: shown(window) == "c.png" and quiet(window))
    assert window.inspect.strip.current() == 0
    for name in ("a.png", "b.png"):
        window.actions_by_id["next_picture"].trigger()
        qtbot.waitUntil(lambda name=name: shown(window) == name and quiet(window))
    window.actions_by_id["next_picture"].trigger()
    assert window.inspect.strip.current() == 2  # there is no fourth


def test_a_picture_dropped_with_a_folder_stays_on_show(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    folder = make(tmp_path / "row" / "1.png").parent
    make(folder / "2.png")
    single = make(tmp_path / "single.png")
    with qtbot.waitSignal(window.opener.folder_opened) as opened:
        drop(window, folder, single)
    qtbot.waitUntil(lambda: shown(window) == "single.png" and quiet(window))
    qtbot.wait(100)
    assert shown(window) == "single.png" and window.inspect.strip.current() == -1
    assert opened.args[0].source.folder == folder and window.inspect.strip.isVisible()


def test_a_second_net_or_folder_is_not_left_out_without_a_word(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    first, second = (make(tmp_path / name / "1.png").parent for name in ("first", "second"))
    with qtbot.waitSignal(window.opener.folder_opened) as opened:
        drop(window, first, second)
    qtbot.waitUntil(lambda: shown(window) == "1.png" and quiet(window))
    assert opened.args[0].source.folder == first
    assert "second" in window.inspect.banner.text()


@pytest.mark.parametrize("name", ["set.npz", "labels.csv"])
def test_a_data_set_in_one_file_opens_as_a_strip(open_window: Open, qtbot: QtBot, tmp_path: Path, name: str) -> None:
    window = open_window()
    for index in range(4):
        make(tmp_path / "set" / f"{index}.png")
    rows = "".join(f"{index}.png,{('cat', 'dog')[index % 2]}\n" for index in range(4))
    (tmp_path / "set" / "labels.csv").write_text(f"file,label\n{rows}")
    pixels = RNG.integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "set" / "set.npz", images=pixels, labels=np.arange(6) % 2)
    with qtbot.waitSignal(window.opener.folder_opened):
        drop(window, tmp_path / "set" / name)
    qtbot.waitUntil(lambda: window.inspect.image is not None and window.inspect.image.label is not None)
    qtbot.waitUntil(lambda: quiet(window))


def test_what_could_not_be_opened_is_still_said_when_the_net_has_come(qtbot: QtBot, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n1234")
    gui_app.make_application()
    start = Start(model=OpenModel(ref="resnet20", untrained=True), image=str(broken))
    window = gui_app.make_window(start)
    qtbot.addWidget(window)
    window.show()
    gui_app.open_first(window, start)
    qtbot.waitUntil(lambda: window.inspect.card is not None and not window.work.text())
    assert "broken.png" in window.inspect.banner.text()
    window.close()


def test_an_old_failure_is_not_said_again(open_window: Open, qtbot: QtBot, tmp_path: Path, picture: str) -> None:
    window = open_window()
    failed: list[str] = []
    window.opener.failed.connect(failed.append)
    window.opener.open_model(OpenModel(ref="resnet32", untrained=True))
    window.opener.open_picture(str(tmp_path / "missing.png"))
    window.opener.open_picture(picture)
    qtbot.waitUntil(lambda: shown(window) == Path(picture).name and quiet(window))
    assert not failed or "missing" not in window.inspect.banner.text()


def test_what_was_left_out_is_not_said_again_with_the_next_picture(
    open_window: Open, qtbot: QtBot, tmp_path: Path, picture: str
) -> None:
    window = open_window()
    notes = tmp_path / "row" / "x.txt"
    paths = [make(tmp_path / "row" / f"{index}.png") for index in range(2)]
    notes.write_text("hello")
    drop(window, *paths, notes)
    qtbot.waitUntil(lambda: shown(window) == "0.png" and quiet(window))
    assert "x.txt" in window.inspect.banner.text()
    failed: list[str] = []
    window.opener.failed.connect(failed.append)
    window.opener.open_picture(picture)
    qtbot.waitUntil(lambda: shown(window) == Path(picture).name and quiet(window))
    assert failed == []


def test_a_drawing_that_is_not_there_is_said_to_be_missing(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    with qtbot.waitSignal(window.opener.failed) as failed:
        window.opener.open_picture(str(tmp_path / "missing.svg"))
    assert "There is no file" in failed.args[0]


# ---- pasting and dialogs ----


def test_several_paths_that_were_copied_as_text_are_opened(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    paths = [make(tmp_path / "row" / f"{index}.png") for index in (1, 2)]
    mime = QMimeData()
    mime.setText(f"{paths[1]}\n{QUrl.fromLocalFile(str(paths[0])).toString()}\n")
    with qtbot.waitSignal(window.opener.folder_opened):
        assert window.opener.open_mime(mime)
    qtbot.waitUntil(lambda: shown(window) == "2.png" and quiet(window))


def test_a_home_folder_in_a_path_is_understood(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    make(tmp_path / "mine.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    mime = QMimeData()
    mime.setText("~/mine.png")
    assert window.opener.open_mime(mime)
    qtbot.waitUntil(lambda: shown(window) == "mine.png" and quiet(window))


def test_pasting_a_web_address_says_what_it_is(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(wait=False)
    QApplication.clipboard().setText("https://example.org/cat.png")
    with qtbot.waitSignal(window.opener.failed) as failed:
        window.opener.paste()
    assert "web address" in failed.args[0] and failed.args[0].endswith(".")


def test_a_large_screenshot_is_taken_from_the_clipboard_without_keeping_the_window(
    open_window: Open, qtbot: QtBot
) -> None:
    window = open_window()
    pixels = RNG.integers(0, 255, (2160, 3840, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:100, :, 3] = 0
    mime = QMimeData()
    mime.setImageData(QImage(pixels.data, 3840, 2160, QImage.Format.Format_RGBA8888).copy())
    started = time.process_time()
    assert window.opener.open_mime(mime)
    spent = time.process_time() - started
    picture = QImage(pixels.data, 3840, 2160, QImage.Format.Format_RGBA8888)
    started = time.process_time()
    assert not picture.scaled(1024, 576, transformMode=Qt.TransformationMode.SmoothTransformation).isNull()
    assert spent < 4 * (time.process_time() - started) + 0.1  # making a PNG file of it takes twenty times that
    qtbot.waitUntil(lambda: shown(window) == "clipboard" and quiet(window))
    image = window.inspect.image
    assert image is not None and "transparent" in image.note
    assert np.array_equal(image.pixels[100:], pixels[100:, :, :3]) and (image.pixels[:100] == 128).all()


def test_a_file_in_the_clipboard_is_decoded_as_it_is(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "turned.jpg", exif=exif)
    mime = QMimeData()
    mime.setData("image/jpeg", (tmp_path / "turned.jpg").read_bytes())
    assert window.opener.open_mime(mime)
    qtbot.waitUntil(lambda: shown(window) == "clipboard" and quiet(window))
    assert window.inspect.image is not None and window.inspect.image.pixels.shape == (40, 30, 3)


def test_the_dialog_opens_several_and_remembers_where(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    paths = [make(tmp_path / "row" / f"{index}.png") for index in (1, 2)]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(path) for path in paths], ""))
    with qtbot.waitSignal(window.opener.folder_opened):
        window.actions_by_id["open_picture"].trigger()
    qtbot.waitUntil(lambda: quiet(window))
    assert window.settings.value("folder") == str(tmp_path / "row")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "row"))
    window.actions_by_id["open_folder"].trigger()
    assert window.settings.value("folder") == str(tmp_path)
    qtbot.waitUntil(lambda: quiet(window))


def test_every_kind_of_picture_that_is_read_is_offered() -> None:
    assert set(SUFFIXES) < set(PICTURE_SUFFIXES)


# ---- names ----


def test_long_and_odd_names_fit_where_they_are_shown(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(size=(1000, 700))
    height = window.picture_button.height()
    long = tmp_path / f"{'x' * 200}.png"
    window.opener.open_picture(str(long))
    assert len(window.work.text()) < 60
    qtbot.waitUntil(lambda: bool(window.inspect.banner.text()))
    assert window.inspect.banner.minimumSizeHint().width() < 1000
    window.opener.open_picture(str(make(tmp_path / "R&D two lines\u2028.png")))
    qtbot.waitUntil(lambda: "two lines" in shown(window) and quiet(window))
    assert window.picture_button.height() == height and window.picture_button.shortcut().isEmpty()
    assert "…" in in_a_sentence("y" * 300) and in_a_sentence("a\nb") == "a b"


def test_an_ampersand_in_a_name_is_no_key(qtbot: QtBot) -> None:
    button = MenuButton("R&1.png", "tip")
    qtbot.addWidget(button)
    assert button.text() == "R&1.png" and button.shortcut().isEmpty()


def test_recent_files_of_one_name_are_told_apart_and_a_bad_one_is_no_error(
    open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    paths = [str(make(tmp_path / name / "R&D.png")) for name in "ab"]
    for path in paths:
        store.remember_recent("picture", path)
    exists = Path.exists

    def refuse(self: Path, **known: bool) -> bool:
        if "secret" in str(self):
            raise PermissionError(13, "Permission denied")
        return exists(self, **known)

    monkeypatch.setattr(Path, "exists", refuse)
    store.remember_recent("picture", str(tmp_path / "secret" / "cat.png"))
    menu = window.picture_button.menu()
    assert menu is not None
    menus.fill_pictures(menu, window.opener, window.actions_by_id)
    recent = [action for action in menu.actions() if action.text() == "R&&D.png"]
    assert {action.toolTip() for action in recent} == set(paths) and menu.toolTipsVisible()


# ---- the strip ----


class Row:
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"picture\n<b>{index}.png"

    def label(self, index: int) -> str | None:
        return "cat"


@pytest.fixture
def strip(qtbot: QtBot) -> FilmStrip:
    widget = FilmStrip()
    qtbot.addWidget(widget)
    widget.resize(700, 130)
    widget.set_source(Row(100), "holiday")
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def test_a_picture_from_elsewhere_takes_the_mark_away(
    open_window: Open, qtbot: QtBot, tmp_path: Path, picture: str
) -> None:
    window = open_window()
    paths = [make(tmp_path / "row" / f"{index}.png") for index in range(6)]
    drop(window, paths[0].parent)
    qtbot.waitUntil(lambda: shown(window) == "0.png" and quiet(window))
    window.browser.pick(2)
    qtbot.waitUntil(lambda: shown(window) == "2.png" and quiet(window))
    window.opener.open_picture(picture)
    qtbot.waitUntil(lambda: shown(window) == Path(picture).name and quiet(window))
    assert window.inspect.strip.current() == -1
    window.actions_by_id["next_picture"].trigger()  # on from where the row was left
    qtbot.waitUntil(lambda: shown(window) == "3.png" and quiet(window))
    assert window.inspect.strip.current() == 3
    window.opener.open_picture(str(paths[5]))  # one of the row, by its name
    qtbot.waitUntil(lambda: shown(window) == "5.png" and quiet(window))
    assert window.inspect.strip.current() == 5


def test_the_strip_can_be_put_away(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    drop(window, make(tmp_path / "row" / "1.png").parent)
    qtbot.waitUntil(lambda: shown(window) == "1.png" and quiet(window))
    qtbot.mouseClick(window.inspect.strip._close, Qt.MouseButton.LeftButton)
    assert not window.inspect.strip.isVisible() and shown(window) == "1.png"
    window.actions_by_id["next_picture"].trigger()
    drop(window, tmp_path / "row")
    qtbot.waitUntil(lambda: window.inspect.strip.isVisible() and quiet(window))


def test_the_strip_says_what_it_holds_and_where_it_stands(strip: FilmStrip) -> None:
    strip.set_current(-1)
    assert strip._title.text() == "holiday" and "100" in strip._place.text()
    strip.set_current(41)
    assert strip._place.text() == "42 of 100"
    view = strip.viewport()
    assert view is not None
    at = QPoint(5, 20)
    QApplication.sendEvent(view, QHelpEvent(QEvent.Type.ToolTip, at, view.mapToGlobal(at)))
    tip = QToolTip.text()
    assert "&lt;b&gt;" in tip and "cat" in tip and "of 100" in tip
    QToolTip.hideText()


def test_an_unmarked_strip_stays_where_it_was_scrolled_to(strip: FilmStrip) -> None:
    strip.set_current(60)
    bar = strip.horizontalScrollBar()
    assert bar is not None and bar.value() > 0
    before = bar.value()
    strip.set_current(-1)
    assert bar.value() == before


def test_page_keys_move_by_what_is_in_view(strip: FilmStrip, qtbot: QtBot) -> None:
    picked: list[int] = []
    strip.picked.connect(picked.append)
    strip.picked.connect(strip.set_current)
    qtbot.keyClick(strip, Qt.Key.Key_PageDown)
    assert len(picked) == 1 and 3 < picked[0] < 12
    qtbot.keyClick(strip, Qt.Key.Key_PageUp)
    assert picked[1:] == [0]
    qtbot.keyClick(strip, Qt.Key.Key_Left)  # there is none before: nothing is decoded again
    assert picked[1:] == [0]


def test_the_other_mouse_button_opens_nothing(strip: FilmStrip, qtbot: QtBot) -> None:
    picked: list[int] = []
    strip.picked.connect(picked.append)
    view = strip.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=QPoint(100, 20))
    assert not picked
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 20))
    assert len(picked) == 1


def test_the_marked_picture_stays_in_view_when_the_strip_gets_smaller(strip: FilmStrip, qtbot: QtBot) -> None:
    strip.set_current(6)
    strip.resize(400, 130)
    qtbot.wait(20)
    bar, view = strip.horizontalScrollBar(), strip.viewport()
    assert bar is not None and view is not None
    left = 6 * strip._step() - bar.value()
    assert left >= 0 and left + strip._step() <= view.width()


def test_a_file_that_goes_and_comes_back_is_drawn_so(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    paths = [make(tmp_path / "row" / f"{index}.png") for index in range(3)]
    drop(window, paths[0].parent)
    strip = window.inspect.strip
    qtbot.waitUntil(lambda: quiet(window) and strip._thumbs.get(1) is not None)
    paths[1].unlink()
    window.browser.pick(1)
    qtbot.waitUntil(lambda: "1.png" in window.inspect.banner.text())
    assert strip._thumbs[1] is None and shown(window) == "0.png"
    assert strip.current() == 0  # which is on show; the keys go on behind the one that cannot be read
    window.browser.step(1)
    qtbot.waitUntil(lambda: shown(window) == "2.png" and quiet(window))
    make(paths[1])
    window.browser.pick(1)
    qtbot.waitUntil(lambda: shown(window) == "1.png" and quiet(window))
    qtbot.waitUntil(lambda: strip._thumbs.get(1) is not None)


# ---- the crop box ----


def panel_of(qtbot: QtBot, shape: tuple[int, int], kind: str = "square", size: int = 32) -> PicturePanel:
    widget = PicturePanel()
    qtbot.addWidget(widget)
    widget.resize(320, 600)
    widget.set_model(size, kind, presets.get("cifar10"), True)
    widget.set_picture(ImageInput(RNG.integers(0, 256, (*shape, 3), dtype=np.uint8), "x.png"))
    widget.show()
    return widget


def mouse(crop: CropView, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else button
    event = QMouseEvent(kind, at, QPointF(crop.mapToGlobal(at.toPoint())), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(crop, event)


def drag(crop: CropView, start: QPointF, end: QPointF, steps: int = 20) -> None:
    mouse(crop, QEvent.Type.MouseButtonPress, start)
    for step in range(1, steps + 1):
        mouse(crop, QEvent.Type.MouseMove, start + (end - start) * (step / steps))
    mouse(crop, QEvent.Type.MouseButtonRelease, end)


def on_screen(crop: CropView, x: float, y: float) -> QPointF:
    scale = crop._scale()
    return QPointF(crop.target().x() + x * scale, crop.target().y() + y * scale)


@pytest.mark.parametrize("shape", [(10, 20_000), (20_000, 10)])
def test_a_strip_of_pixels_is_drawn_as_a_line(qtbot: QtBot, shape: tuple[int, int]) -> None:
    panel = panel_of(qtbot, shape)
    panel.crop.set_box(None, False)
    before = panel.grab().toImage()
    target = panel.crop.target()
    assert target.width() >= 1 and target.height() >= 1
    spot = panel.crop.mapTo(panel, target.center().toPoint())
    line = [before.pixelColor(spot.x() + dx, spot.y() + dy).rgb() for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    assert len(set(line)) > 1


def test_the_box_on_screen_is_what_the_net_gets(qtbot: QtBot) -> None:
    panel = panel_of(qtbot, (8, 8), size=8)
    fits: list[Fit] = []
    panel.fit_changed.connect(fits.append)
    crop = panel.crop
    drag(crop, on_screen(crop, 8, 8), on_screen(crop, 5.3, 5.4))
    qtbot.waitUntil(lambda: bool(fits))
    qtbot.wait(50)
    box = crop.box()
    assert box is not None and box == clamp_box(box, 8, 8) == CropBox(0, 0, 5, 5)
    drag(crop, on_screen(crop, 2, 2), on_screen(crop, 3.8, 2))
    qtbot.waitUntil(lambda: len(fits) > 1 and fits[-1].box == crop.box() == CropBox(2, 0, 5, 5))
    image = panel._image
    assert image is not None
    seen = prepare(image, fits[-1], size=5, kind="square")
    assert np.array_equal(seen, image.pixels[0:5, 2:7])


@pytest.mark.parametrize("grip", ["nw", "n", "ne", "e", "se", "s", "sw", "w"])
def test_every_corner_and_edge_resizes_the_box(qtbot: QtBot, grip: str) -> None:
    panel = panel_of(qtbot, (120, 200))
    panel.set_fit(Fit("crop", CropBox(60, 20, 80, 80)))
    crop = panel.crop
    x = {"w": 60, "e": 140}.get(grip[-1], 100)
    y = {"n": 20, "s": 100}.get(grip[0], 60)
    inwards = QPointF(x + (100 - x) / 2, y + (60 - y) / 2)
    drag(crop, on_screen(crop, x, y), on_screen(crop, inwards.x(), inwards.y()))
    box = crop.box()
    assert box is not None and box.width == box.height and abs(box.width - 60) <= 2
    if "e" not in grip and "w" in grip:
        assert abs(box.left + box.width - 140) <= 1
    if "s" in grip:
        assert abs(box.top - 20) <= 1
    drag(crop, on_screen(crop, box.left + box.width / 2, box.top + box.height / 2), QPointF(-500, -500))
    assert crop.box() == CropBox(0, 0, box.width, box.width)  # out of the picture it does not go


def test_a_small_box_can_still_be_moved(qtbot: QtBot) -> None:
    panel = panel_of(qtbot, (1000, 1000))
    panel.set_fit(Fit("crop", CropBox(500, 500, 60, 60)))  # ten pixels on screen
    crop = panel.crop
    drag(crop, on_screen(crop, 530, 530), on_screen(crop, 730, 530))
    box = crop.box()
    assert box is not None and box.width == 60 and abs(box.left - 700) <= 8


def test_every_key_changes_what_the_net_sees(qtbot: QtBot) -> None:
    panel = panel_of(qtbot, (32, 32))
    panel.set_fit(Fit("crop", CropBox(10, 10, 6, 6)))
    crop = panel.crop
    crop.setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Up):
        before = crop.box()
        qtbot.keyClick(crop, key)
        assert crop.box() != before
    for text in "+-":
        before = crop.box()
        qtbot.keyClicks(crop, text)
        assert crop.box() != before


def test_a_box_of_the_picture_before_is_not_put_on_the_next(qtbot: QtBot) -> None:
    panel = panel_of(qtbot, (120, 200), kind="imagenet", size=224)
    fits: list[Fit] = []
    panel.fit_changed.connect(fits.append)
    panel.crop.setFocus()
    qtbot.keyClicks(panel.crop, "-")
    panel.set_fit(Fit())
    panel.set_picture(ImageInput(np.zeros((90, 90, 3), np.uint8), "next.png"))
    qtbot.wait(80)
    assert not fits


def test_the_wheel_over_a_whole_picture_scrolls_the_column(qtbot: QtBot) -> None:
    panel = panel_of(qtbot, (60, 60))
    none = Qt.KeyboardModifier.NoModifier

    def wheel() -> bool:
        at = QPointF(60, 60)
        event = QWheelEvent(
            at, at, QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase, False
        )
        event.accept()
        panel.crop.wheelEvent(event)
        return event.isAccepted()

    assert wheel()
    panel.set_fit(Fit("pad"))
    assert not wheel()


def test_without_a_net_nothing_is_said_of_what_it_sees(qtbot: QtBot) -> None:
    panel = PicturePanel()
    qtbot.addWidget(panel)
    panel.resize(320, 500)
    panel.show()
    panel.set_picture(ImageInput(np.zeros((40, 60, 3), np.uint8), "x.png"))
    assert not panel._seen.isVisible() and not panel.picker.isVisible() and panel.crop.box() is None
    assert panel._no_net.isVisible() and panel.crop.isVisible()
    panel.set_model(32, "square", presets.get("cifar10"), True)
    assert panel._seen.isVisible() and not panel._no_net.isVisible() and panel.crop.box() == CropBox(10, 0, 40, 40)


def test_what_the_net_saw_before_is_faded_while_it_is_slow(qtbot: QtBot) -> None:
    panel = panel_of(qtbot, (60, 60))
    panel.set_net_view(np.full((32, 32, 3), 255, np.uint8))
    before = panel.net_view.grab().toImage()
    panel.set_picture(ImageInput(np.zeros((40, 60, 3), np.uint8), "x.png"))
    assert panel.net_view.grab().toImage() == before  # a fast net flickers not
    qtbot.waitUntil(lambda: panel.net_view.grab().toImage() != before)
    panel.set_net_view(np.full((32, 32, 3), 255, np.uint8))
    assert panel.net_view.grab().toImage() == before


def test_pictures_on_the_command_line_make_a_strip(qtbot: QtBot, tmp_path: Path) -> None:
    paths = [str(make(tmp_path / "row" / f"{index}.png")) for index in range(3)]
    gui_app.make_application()
    model = OpenModel(ref="resnet20", untrained=True)
    start = Start(model=model, image=paths[1], more=(paths[0], paths[2]))
    window = gui_app.make_window(start)
    qtbot.addWidget(window)
    window.show()
    with qtbot.waitSignal(window.opener.folder_opened):
        gui_app.open_first(window, start)
    qtbot.waitUntil(lambda: quiet(window))
    assert shown(window) == "1.png" and window.inspect.strip.current() == 1
    window.close()
    assert os.path.exists(paths[0])
