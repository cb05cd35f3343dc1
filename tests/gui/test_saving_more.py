"""Saving from the real window: every file that is asked for is written, as it is on screen, under a name that fits."""

from __future__ import annotations

import json
import re
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtWidgets import QApplication, QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from resnet_viz.analysis import export, export_sheet
from resnet_viz.analysis.export import SUFFIXES as WRITABLE
from resnet_viz.analysis.export_sheet import to_rgb
from resnet_viz.gui.saving import SUFFIXES
from resnet_viz.gui.window import MainWindow

Open = Callable[..., MainWindow]


def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return what every file waits for before it is written."""
    gate, write = threading.Event(), export.write_activation

    def wait(*args: Any, **kwargs: Any) -> None:
        assert gate.wait(30)
        write(*args, **kwargs)

    monkeypatch.setattr(export, "write_activation", wait)
    return gate


def test_every_ending_that_can_be_written_is_known() -> None:
    assert SUFFIXES == WRITABLE


def test_files_that_are_saved_at_once_are_all_written_and_said(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    said: list[str] = []
    window.saver.said.connect(said.append)
    names = ["a.svg", "a.png", "a.npz", "a.csv", "b.png"]
    for name in names:
        window.saver.write_grid(str(tmp_path / name))
    qtbot.waitUntil(lambda: len(said) == len(names))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name in names) == sorted(names)
    for name in names:
        assert any(name in sentence for sentence in said)


def test_what_is_saved_and_copied_has_the_pins_where_the_screen_has_them(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window()
    grid = window.inspect.center.grid
    window.inspect.center.toolbar.set_options(replace(grid.options(), sort="max", pinned_first=True))
    for channel in (5, 3):
        grid.pin_toggled.emit(channel)
    assert grid.pinned() == frozenset({3, 5})
    with qtbot.waitSignals([window.saver.said, window.saver.said]):
        window.saver.write_grid(str(tmp_path / "a.svg"))
        window.saver.write_grid(str(tmp_path / "a.png"))
    root = ET.parse(tmp_path / "a.svg").getroot()
    texts = [part.text or "" for part in root.iter("{http://www.w3.org/2000/svg}text")]
    shown = [int(text.split()[0]) for text in texts if re.fullmatch(r"\d+( dead)?", text)]
    stats = grid.stats()
    assert stats is not None
    pinned = sorted((3, 5), key=lambda channel: (-stats.max[channel], channel))
    assert shown[:2] == pinned and len(shown) >= len(stats.max)
    metadata = root.find("{http://www.w3.org/2000/svg}metadata")
    assert metadata is not None and json.loads(metadata.text or "")["layer"] == window.inspect.layer
    with qtbot.waitSignal(window.saver.said):
        window.saver.copy_picture()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    copied = clipboard.image()
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture)
        assert (copied.width(), copied.height()) == picture.size
        assert (pixels == (0xF7, 0xC9, 0x48)).all(axis=2).any()


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("layer1.0", "layer1.0.png"), ("maps", "maps.png"), ("maps.npz", "maps.npz"), ("A.SVG", "A.SVG")],
)
def test_only_a_known_ending_counts_as_one(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, wanted: str
) -> None:
    window = open_window()
    answer = (str(tmp_path / typed), "Picture of the grid (*.png)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    with qtbot.waitSignal(window.saver.said) as said:
        window.saver.save_grid()
    assert wanted in said.args[0] and (tmp_path / wanted).is_file()


def test_a_file_is_not_replaced_under_a_name_that_nobody_was_asked_about(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    there = tmp_path / "map.1.svg"
    there.write_text("keep")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "map.1"), "Drawing (*.svg)"))
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    window.saver.save_map()
    assert there.read_text() == "keep"
    window.saver.save_map()
    assert "<svg" in there.read_text(encoding="utf-8") and not answers


def test_copying_thousands_of_channels_keeps_the_window_going(
    open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    gate = threading.Event()
    drawn_on: list[threading.Thread] = []

    def slowly(*args: object) -> object:
        drawn_on.append(threading.current_thread())
        assert gate.wait(30)
        return to_rgb(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(export_sheet, "to_rgb", slowly)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.clear()
    window.saver.copy_picture()
    assert clipboard.image().isNull()
    with qtbot.waitSignal(window.saver.said) as said:
        gate.set()
    assert "clipboard" in said.args[0] and not clipboard.image().isNull()
    assert drawn_on and drawn_on[0] is not threading.main_thread()


def test_closing_waits_for_the_files_that_are_being_written(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, gate = open_window(), held(monkeypatch)
    names = ["a.npz", "b.npz", "c.npz"]
    for name in names:
        window.saver.write_grid(str(tmp_path / name))
    assert not window.close() and window.isVisible()
    assert "being written" in window.inspect.banner.text()
    gate.set()
    qtbot.waitUntil(window.isHidden)
    for name in names:
        with np.load(tmp_path / name) as maps:
            assert maps["maps"].ndim == 3


def test_a_window_that_could_not_write_stays_and_says_so(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, gate = open_window(), held(monkeypatch)
    window.saver.write_grid(str(tmp_path / "a.npz"))
    window.saver.write_grid(str(tmp_path / "a.npz" / "b.npz"))
    assert not window.close()
    with qtbot.waitSignal(window.saver.failed):
        gate.set()
    qtbot.waitUntil(lambda: not window.context.files.is_due())
    assert window.isVisible() and "b.npz" in window.inspect.banner.text()
    window.saver.write_grid(str(tmp_path / "c.npz"))  # it saves on, and its end waits again
    assert not window.close()
    qtbot.waitUntil(window.isHidden)
    assert (tmp_path / "a.npz").is_file() and (tmp_path / "c.npz").is_file()


def test_closing_twice_gives_up_what_is_being_written(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, gate = open_window(), held(monkeypatch)
    for name in ("a.npz", "b.npz"):
        window.saver.write_grid(str(tmp_path / name))
    assert not window.close()

    def open_when_told() -> None:
        while not window.context.files._runner._closed:
            time.sleep(0.01)
        gate.set()

    threading.Thread(target=open_when_told, daemon=True).start()
    assert window.close() and window.isHidden()
    assert not (tmp_path / "b.npz").exists()
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
