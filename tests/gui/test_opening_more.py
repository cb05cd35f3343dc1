"""Opening under pressure: odd clipboards, several things at once, large photographs, small windows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import QMimeData, QPointF, QSize, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from resnet_viz.core.token import NEVER
from resnet_viz.core.types import U8, ImageInput
from resnet_viz.data.browse import BrowsedSet
from resnet_viz.gui.views.registry import in_order
from resnet_viz.gui.widgets.crop_view import CropView
from resnet_viz.gui.window import MainWindow
from resnet_viz.session import pictures
from resnet_viz.session.pictures import Browsed, BrowseFolder, LoadPicture, Photograph
from resnet_viz.session.requests import OpenModel

Open = Callable[..., MainWindow]


def dropped(window: MainWindow, mime: QMimeData) -> bool:
    event = QDropEvent(
        QPointF(200, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    event.ignore()
    window.dropEvent(event)
    return event.isAccepted()


def files(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def make_folder(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        Image.new("RGB", (32, 32), (8 * index, 10, 10)).save(path)
    return paths


def source_of(window: MainWindow) -> str:
    return window.inspect.image.source if window.inspect.image is not None else ""


@pytest.mark.parametrize("text", ["word " * 60, "x" * 5000, "a\0b", "https://example.org/cat.png", "two\nlines"])
def test_pasting_a_text_that_is_no_path_says_what_to_do(open_window: Open, qtbot: QtBot, text: str) -> None:
    window = open_window(wait=False)
    mime = QMimeData()
    mime.setText(text)
    assert not window.opener.open_mime(mime)
    QApplication.clipboard().setText(text)
    with qtbot.waitSignal(window.opener.failed) as failed:
        window.actions_by_id["paste"].trigger()
    assert "clipboard" in failed.args[0]


def test_a_path_that_may_not_be_looked_at_is_no_error(
    open_window: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window(wait=False)

    stat = Path.stat

    def refuse(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if "secret" in str(self):
            raise PermissionError(13, "Permission denied")
        return stat(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    mime = QMimeData()
    mime.setText(str(tmp_path / "secret" / "cat.png"))
    assert not window.opener.open_mime(mime)


def test_a_web_address_that_is_dropped_is_answered(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/cat")])
    with qtbot.waitSignal(window.opener.failed) as failed:
        assert not dropped(window, mime)
    assert "web address" in failed.args[0] and failed.args[0].endswith(".")
    assert window.inspect.banner.isVisible()


def test_what_still_opens_is_said_until_it_is_there(open_window: Open, qtbot: QtBot, picture: str) -> None:
    window = open_window()
    before = window.inspect.card
    gate = threading.Event()
    real = window.context.nets._runner._handle

    def slow(request: object, *rest: object) -> object:
        if isinstance(request, OpenModel):
            gate.wait(20)
        return real(request, *rest)  # type: ignore[arg-type]

    window.context.nets._runner._handle = slow
    try:
        window.opener.open_model(OpenModel(ref="resnet32", untrained=True))
        with qtbot.waitSignal(window.opener.picture_opened):
            window.opener.open_picture(picture)
            assert Path(picture).name in window.work.text()
        assert "resnet32" in window.work.text() and window.cancel_button.isVisible()
        with qtbot.waitSignal(window.opener.given_up) as given_up:
            window.cancel_button.click()
        assert given_up.args == ["model"] and not window.cancel_button.isVisible() and not window.work.text()
    finally:
        gate.set()
    qtbot.waitUntil(window.inspect.settled)
    assert window.inspect.card is before


def test_cancel_gives_up_what_is_named_and_no_more(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    folder = make_folder(tmp_path / "row", 3)[0].parent
    window.opener.open_model(OpenModel(ref="resnet32", untrained=True))
    window.opener.open_folder(str(folder))
    window.cancel_button.click()
    assert "resnet32" in window.work.text()
    qtbot.waitUntil(lambda: window.inspect.card is not None and window.inspect.card.arch == "resnet32")
    assert not window.inspect.strip.isVisible()
    qtbot.waitUntil(window.inspect.settled)


def test_of_several_dropped_pictures_the_first_is_shown(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    paths = make_folder(tmp_path / "row", 8)
    with qtbot.waitSignal(window.opener.folder_opened):
        dropped(window, files(paths[5], paths[2]))
    qtbot.waitUntil(lambda: source_of(window) == "5.png")
    assert window.inspect.strip.current() == 5 and window.inspect.strip.isVisible()
    window.actions_by_id["next_picture"].trigger()
    qtbot.waitUntil(lambda: source_of(window) == "6.png")
    qtbot.waitUntil(window.inspect.settled)


def test_a_folder_knows_where_its_first_picture_stands(tmp_path: Path) -> None:
    paths = make_folder(tmp_path / "row", 4)
    outside = make_folder(tmp_path / "row" / "beside", 2)

    def ask(folder: Path, first: Path | None) -> Browsed:
        found = pictures.handle(BrowseFolder(str(folder), str(first) if first else None), NEVER, lambda _share: None)
        assert isinstance(found, Browsed)
        return found

    assert ask(tmp_path / "row", None).first == 0 and ask(tmp_path / "row", paths[3]).first == 3
    found = ask(tmp_path / "row", outside[1])
    assert found.first == 1 and len(found.source) == 2
    assert ask(tmp_path / "row", tmp_path / "row" / "drawing.svg").first is None


def test_going_along_quickly_ends_at_the_last_picture(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    main, threads, gate, entered = threading.get_ident(), set[int](), threading.Event(), threading.Event()
    item, thumbnail = BrowsedSet.item, BrowsedSet.thumbnail

    def slow_item(self: BrowsedSet, index: int) -> ImageInput:
        threads.add(threading.get_ident())
        if index == 1:
            entered.set()
            gate.wait(20)
        return item(self, index)

    def watched(self: BrowsedSet, index: int, side: int = 96) -> U8:
        threads.add(threading.get_ident())
        return thumbnail(self, index, side)

    monkeypatch.setattr(BrowsedSet, "item", slow_item)
    monkeypatch.setattr(BrowsedSet, "thumbnail", watched)
    for name in ("cat", "dog"):  # a labelled folder
        make_folder(tmp_path / "set" / name, 6)
    window.inspect.select_layer("layer3.0")
    window.inspect.toggle_pin(5)
    card = window.inspect.card
    with qtbot.waitSignal(window.opener.picture_opened):
        dropped(window, files(tmp_path / "set"))
    shown: list[str | None] = []
    window.opener.picture_opened.connect(lambda image: shown.append(f"{image.source} {image.label}"))
    window.actions_by_id["next_picture"].trigger()
    assert entered.wait(20)
    for _ in range(6):
        window.actions_by_id["next_picture"].trigger()
        QApplication.processEvents()
    assert window.inspect.strip.current() == 7 and not shown
    qtbot.waitUntil(window.cancel_button.isVisible)  # a slow picture is named, and can be given up
    gate.set()
    qtbot.waitUntil(lambda: bool(shown))
    qtbot.waitUntil(window.inspect.settled)
    assert shown == ["1.png dog"]
    assert window.inspect.image is not None and window.inspect.image.label == "dog" and not window.work.text()
    assert window.inspect.card is card and window.inspect.layer == "layer3.0" and window.inspect.pinned() == {5}
    strip = window.inspect.strip
    qtbot.waitUntil(lambda: not strip._missing())
    assert threads and main not in threads


def test_a_picture_given_up_leaves_the_mark_where_it_was(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    gate, item = threading.Event(), BrowsedSet.item

    def slow_item(self: BrowsedSet, index: int) -> ImageInput:
        if index == 3:
            gate.wait(20)
        return item(self, index)

    monkeypatch.setattr(BrowsedSet, "item", slow_item)
    with qtbot.waitSignal(window.opener.picture_opened):
        dropped(window, files(make_folder(tmp_path / "row", 5)[0].parent))
    window.browser.pick(3)
    qtbot.waitUntil(window.cancel_button.isVisible)
    window.cancel_button.click()
    gate.set()
    assert window.inspect.strip.current() == 0 and source_of(window) == "0.png"
    qtbot.waitUntil(window.inspect.settled)
    assert source_of(window) == "0.png"


def test_a_large_picture_arrives_with_what_the_window_paints(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "large.jpg"
    Image.effect_noise((3000, 2000), 50).convert("RGB").save(path)
    image = pictures.handle(LoadPicture(str(path)), NEVER, lambda _share: None)
    assert isinstance(image, Photograph) and image.preview is not None
    assert image.preview.shape == (683, 1024, 3) and image.pixels.shape == (2000, 3000, 3)
    assert image.path == str(path) and image.source == "large.jpg"
    crop = CropView()
    qtbot.addWidget(crop)
    crop.set_image(image)
    assert crop._small.size() == QSize(1024, 683)
    crop.set_image(ImageInput(np.zeros((2000, 3000, 3), np.uint8), "no preview"))
    assert crop._small.size() == QSize(1024, 683)
    small = tmp_path / "small.png"
    Image.new("RGB", (64, 48)).save(small)
    assert type(pictures.handle(LoadPicture(str(small)), NEVER, lambda _share: None)) is ImageInput


def test_the_status_line_is_that_of_the_workspace_on_screen(open_window: Open) -> None:
    window = open_window()
    window.inspect.status.emit("pass 1 ms")
    window.gradients.status.emit("3 seeds")
    assert window.timing.text() == "pass 1 ms"
    window.show_workspace("gradients")
    assert window.timing.text() == "3 seeds"
    window.inspect.status.emit("pass 2 ms")
    assert window.timing.text() == "3 seeds"
    window.show_workspace("inspect")
    assert window.timing.text() == "pass 2 ms"


def test_the_smallest_window_holds_the_workspace_on_show(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(size=(10, 10))
    least: dict[tuple[str, int], QSize] = {}
    screen = window.screen()
    assert screen is not None
    room = screen.availableSize()

    def fits() -> bool:
        """Return whether the page has the room it needs where the window is as small as it gets."""
        window.resize(10, 10)
        page = window.stack.currentWidget()
        assert page is not None
        needed = page.minimumSizeHint()
        return page.width() >= min(needed.width(), room.width()) and page.height() >= min(
            needed.height(), room.height() - 140
        )

    try:
        for px in (13, 17):
            window.appearance.set_font(px)
            for spec in in_order():
                window.show_workspace(spec.id)
                # what a layout needs reaches the window in several turns of the event loop
                qtbot.waitUntil(fits)
                least[spec.id, px] = window.size()
                assert window.width() <= room.width() and window.height() <= room.height()
        window.show_workspace("inspect")
        window.appearance.set_font(13)
        qtbot.waitUntil(lambda: fits() and window.size() == least["inspect", 13])  # small again
        inspect = window.inspect
        right = inspect._scroll
        edge = right.mapTo(window, right.rect().topRight()).x()
        assert edge < window.width()
        assert inspect.center.grid.height() > 60
    finally:
        window.appearance.set_font(13)
