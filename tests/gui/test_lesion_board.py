"""The lesion board as a person uses it: real widgets, the real desk, nets that ship, the drawn data set."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QSettings, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from torch import nn

from resnet_viz.core import paths
from resnet_viz.core.lesion_types import LesionStudy, RandomLesion
from resnet_viz.core.types import Fit, ImageInput, ModelCard
from resnet_viz.data.datasets import ArraySet, load
from resnet_viz.gui import theme
from resnet_viz.gui.bridge import Bridge, lazy_handler
from resnet_viz.gui.views import lesion_words as words
from resnet_viz.gui.views.lesion_board import LesionBoard
from resnet_viz.gui.views.lesion_state import LesionState
from resnet_viz.gui.widgets.map_geometry import Column
from resnet_viz.session import pictures, store
from resnet_viz.session.gradient_requests import LesionEach, NetChoice

DESK = "resnet_viz.session.gradient_desk"
NET, PLAIN = "resnet20-cifar10", "plain20-cifar10"
PATIENCE_MS = 60_000
Open = Callable[..., LesionBoard]


def choice(net: str) -> NetChoice | None:
    """Return the net as it is open in Inspect, None for none."""
    return NetChoice(net, untrained=False, title=net) if net else None


@pytest.fixture
def app(qapp: QApplication) -> Iterator[QApplication]:
    font = qapp.font()
    theme.apply(qapp, "dark")
    theme.set_font(qapp)
    yield qapp
    qapp.setFont(font)


@pytest.fixture
def open_board(qtbot: QtBot, app: QApplication, tmp_path: Path) -> Iterator[Open]:
    """Return a function that shows a board on a net and waits for its first answer."""
    bridges: list[Bridge] = []
    # held until the workers have ended: else one of theirs may collect it as garbage while it gets an event
    boards: list[LesionBoard] = []

    def open_one(net: str = NET, count: int = 100, two: bool = True, wait: bool = True) -> LesionBoard:
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        settings.setValue("lesion_data", "shapes")
        settings.setValue("lesion_pictures", str(count))
        lab, studies = (Bridge(lazy_handler(DESK, "GradientDesk"), name) for name in ("lab", "studies"))
        files = Bridge(pictures.handle, "files")
        bridges.extend((lab, studies, files))
        board = LesionBoard(lab, files, settings, studies=studies if two else None)
        qtbot.addWidget(board)
        boards.append(board)
        board.resize(1280, 800)
        board.set_model(choice(net))
        with qtbot.waitExposed(board):
            board.show()
        if wait:
            qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
        return board

    yield open_one
    for bridge in bridges:
        bridge.close()


@pytest.fixture
def board(open_board: Open) -> LesionBoard:
    return open_board()


def settled(board: LesionBoard) -> bool:
    """Whether the last question about the net on the map has its whole answer."""
    measured = board.state.measured
    return measured is not None and measured.error is not None and not board.side.card.progress.isVisible()


def done(board: LesionBoard) -> bool:
    return board.state.study is not None and board.state.running is None


def study_of(board: LesionBoard) -> LesionStudy:
    assert board.state.study is not None and isinstance(board.state.study.result, LesionStudy)
    return board.state.study.result


def picture() -> ImageInput:
    rows = np.arange(40)[:, None, None] * np.ones((40, 40, 3))
    return ImageInput((6 * rows).astype(np.uint8), "grey.png")


def column_of(board: LesionBoard, block: str) -> Column:
    layout = board.map.map_layout()
    assert layout is not None
    return next(column for column in layout.columns if column.block == block)


def click_map(board: LesionBoard, x: float, y: float) -> None:
    view = board.map._view()
    spot = QPoint(round(x - board.map.offset() + view.x()), round(y + view.y()))
    QTest.mouseClick(board.map, Qt.MouseButton.LeftButton, pos=spot)
    board.map.finish_animation()


def click_block(board: LesionBoard, block: str) -> None:
    body = column_of(board, block).body
    click_map(board, body.cx, body.bottom - 2)


def click_arc(board: LesionBoard, block: str) -> None:
    arc = column_of(board, block).arc
    assert arc is not None
    click_map(board, 0.7 * arc.start + 0.3 * arc.end, arc.top + 2)


@cache
def shapes() -> ArraySet:
    return load("shapes", "test", size=32)


@cache
def opened(net: str) -> tuple[nn.Module, ModelCard]:
    from resnet_viz.session.loading import open_model
    from resnet_viz.session.requests import OpenModel

    return open_model(OpenModel(net))


def true_error(count: int, deleted: Collection[str] = (), cut: Collection[str] = (), net: str = NET) -> float:
    """Return the error measured without the desk, on the same pictures."""
    from resnet_viz.analysis.lesion import error_of, pick_evenly

    (model, card), data = opened(net), shapes()
    part = pick_evenly(data.labels, count, 0)
    return error_of(model, data.images[part], data.labels[part], card.normalization, deleted=deleted, cut=cut)[0]


# ---- the net on the map ----


def test_the_whole_net_is_measured_first(board: LesionBoard) -> None:
    measured = board.state.measured
    assert measured is not None and measured.n == 100
    assert measured.error == measured.base_error == true_error(100)
    assert words.percent(measured.error) in board.side.card.error.text()
    assert "n = 100" in board.side.card.evidence.text() and "±" in board.side.card.evidence.text()
    assert len(measured.can_delete) == len(measured.can_cut) == 9
    chart = board.center.bars.chart()
    assert chart.base == measured.base_error and chart.now is None
    assert len(chart.bars) == 9 and all(bar.whole is not None and bar.error is None for bar in chart.bars)
    assert board.map.value_of("layer2.1") == measured.f_to_x["layer2.1"]
    assert not board.side.restore_button.isEnabled() and not board.side.save_button.isEnabled()
    assert "Each block in turn" in board.state.bars_hint()


def test_a_click_on_a_block_deletes_it_and_another_one_restores_it(board: LesionBoard, qtbot: QtBot) -> None:
    click_block(board, "layer1.0")
    assert board.state.deleted == {"layer1.0"} and board.map._deleted == {"layer1.0"}
    # nothing is claimed of a net that has not been measured yet
    assert board.state.measured is not None and board.state.measured.error is None
    assert board.side.card.error.text() == "…" and board.center.bars.chart().now is None
    assert words.percent(board.state.measured.base_error or 0) in board.side.card.base.text()
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    measured = board.state.measured
    assert measured.error == true_error(100, {"layer1.0"}) and measured.base_error == true_error(100)
    assert measured.error != measured.base_error
    assert board.center.bars.chart().now == measured.error
    assert "Without block 1.0" in board.side.done.text() and board.side.restore_button.isEnabled()
    assert "Without block 1.0" in board.center.sentence.text()
    changed = [bar for bar in board.center.bars.chart().bars if bar.now is not None and bar.now != bar.whole]
    assert changed, "blocks behind it see something else"
    click_block(board, "layer1.0")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert not board.state.deleted and board.state.measured.error == board.state.measured.base_error
    assert board.center.bars.chart().now is None


def test_a_click_on_an_arc_cuts_the_skip(board: LesionBoard, qtbot: QtBot) -> None:
    click_arc(board, "layer2.1")
    assert board.state.cut == {"layer2.1"} and not board.state.deleted and board.map._cut == {"layer2.1"}
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None
    assert board.state.measured.error == true_error(100, cut={"layer2.1"})
    assert "Without the skip of 2.1" in board.side.done.text()
    click_block(board, "layer2.1")  # deleted and cut at once would leave nothing
    assert board.state.deleted == {"layer2.1"} and not board.state.cut
    click_arc(board, "layer2.1")
    assert board.state.cut == {"layer2.1"} and not board.state.deleted


def test_a_block_and_a_skip_together(board: LesionBoard, qtbot: QtBot) -> None:
    click_block(board, "layer2.2")
    click_arc(board, "layer3.2")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None
    assert board.state.measured.error == true_error(100, {"layer2.2"}, {"layer3.2"})
    assert "Without block 2.2 and without the skip of 3.2" in board.side.done.text()
    qtbot.mouseClick(board.side.restore_button, Qt.MouseButton.LeftButton)
    assert not board.state.changed and not board.map._deleted and not board.map._cut
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured.error == board.state.measured.base_error


def test_keys_alone_do_it_all(board: LesionBoard, qtbot: QtBot) -> None:
    board.map.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(3):
        QTest.keyClick(board.map, Qt.Key.Key_Right)  # from the stem to 1.2
    QTest.keyClick(board.map, Qt.Key.Key_Delete)
    QTest.keyClick(board.map, Qt.Key.Key_Right)
    QTest.keyClick(board.map, Qt.Key.Key_X)
    assert board.state.deleted == {"layer1.2"} and board.state.cut == {"layer2.0"}
    QTest.keyClick(board.map, Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
    assert not board.state.cut
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None and board.state.measured.error == true_error(100, {"layer1.2"})


def test_confidences_before_and_after(board: LesionBoard, qtbot: QtBot) -> None:
    assert not board.side.confidences.isVisible() and "Open a picture" in board.side.picture.text()
    board.set_picture(picture(), Fit())
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    measured = board.state.measured
    assert measured is not None and measured.prediction is not None
    assert board.side.confidences.isVisible() and "→" not in board.side.confidences.bars.accessibleDescription()
    whole = measured.prediction
    click_block(board, "layer1.0")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    measured = board.state.measured
    assert measured is not None and measured.prediction is not None and measured.base_prediction is not None
    assert np.allclose(measured.base_prediction.probs, whole.probs, atol=1e-5)
    assert np.abs(measured.prediction.probs - whole.probs).max() > 1e-3
    said = board.side.confidences.bars.accessibleDescription()
    best = whole.top[0]
    after = measured.prediction.probs[best.index]
    assert f"{best.label} {100 * best.prob:.1f} → {100 * after:.1f} %" in said


def test_confidences_come_before_the_error(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(count=500)
    board.set_picture(picture(), Fit())
    seen: list[tuple[bool, float | None, int]] = []

    def look(outcome: object) -> None:
        measured = board.state.measured
        if measured is not None:
            seen.append((measured.prediction is not None, measured.error, measured.n))

    board._lab.arrived.connect(look)
    click_block(board, "layer2.1")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert seen[0][0] and seen[0][1] is None
    counts = [n for _, error, n in seen if error is not None]
    assert counts == sorted(counts) and counts[-1] == 500 and len(set(counts)) >= 2


# ---- every one in turn ----


def test_each_block_in_turn(board: LesionBoard, qtbot: QtBot) -> None:
    counts: list[int] = []
    board._studies.arrived.connect(lambda _outcome: board.state.study and counts.append(board.state.study.result.n))
    qtbot.mouseClick(board.center.blocks_button, Qt.MouseButton.LeftButton)
    assert board.center.stop_button.isVisible() and board.center.progress.isVisible()
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    study = study_of(board)
    assert counts == sorted(counts) and len(set(counts)) >= 2 and study.n == counts[-1] == 100
    assert study.base_error == true_error(100)
    worst = max(study.blocks, key=lambda one: one.error)
    assert worst.error == true_error(100, {worst.block})
    board.center.bars.finish_animation()
    bars = board.center.bars.chart().bars
    assert [bar.error for bar in bars] == [one.error for one in study.blocks] and len(bars) == 9
    assert not board.center.stop_button.isVisible() and board.side.save_button.isEnabled()
    assert "median error" in board.center.sentence.text() or "guessing" in board.center.sentence.text()
    # a click on a bar does on the map what it is about
    QTest.mouseClick(board.center.bars, Qt.MouseButton.LeftButton, pos=board.center.bars.spot_of(3).toPoint())
    assert board.state.deleted == {"layer2.0"}
    assert [bar.key for bar in board.center.bars.chart().bars if bar.changed] == ["layer2.0"]
    assert study_of(board) is study


def test_each_skip_in_turn(board: LesionBoard, qtbot: QtBot) -> None:
    qtbot.mouseClick(board.center.skips_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    study = study_of(board)
    assert study.kind == "cut" and "skip" in board.center.heading.text()
    assert study.blocks[4].error == true_error(100, cut={study.blocks[4].block})
    QTest.mouseClick(board.center.bars, Qt.MouseButton.LeftButton, pos=board.center.bars.spot_of(4).toPoint())
    assert board.state.cut == {study.blocks[4].block} and not board.state.deleted


def test_a_measurement_is_stopped_and_what_is_known_stays(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(count=0)
    qtbot.mouseClick(board.center.blocks_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: board.state.study is not None, timeout=PATIENCE_MS)
    qtbot.mouseClick(board.center.stop_button, Qt.MouseButton.LeftButton)
    n = study_of(board).n
    assert board.state.running is None and not board.center.stop_button.isVisible()
    qtbot.wait(400)
    assert study_of(board).n == n and f"n = {n:,}" in board.center.sub.text()
    qtbot.mouseClick(board.center.blocks_button, Qt.MouseButton.LeftButton)  # and it can be begun again
    assert board.state.study is None
    qtbot.waitUntil(lambda: board.state.study is not None, timeout=PATIENCE_MS)


def test_a_click_is_answered_while_every_block_is_measured(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(count=0)
    qtbot.mouseClick(board.center.blocks_button, Qt.MouseButton.LeftButton)
    board.picker.pictures.set_value("0")
    click_block(board, "layer3.1")
    qtbot.waitUntil(lambda: board.state.measured is not None and board.state.measured.n > 0, timeout=PATIENCE_MS)
    qtbot.waitUntil(
        lambda: board.state.measured is not None and board.state.measured.error is not None, timeout=PATIENCE_MS
    )
    assert board.state.running is not None and board.center.bars.chart().now is not None
    board.stop()


def test_without_a_second_worker_a_click_comes_first(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(two=False)
    board.measure_each("delete")
    qtbot.waitUntil(lambda: board.state.study is not None, timeout=PATIENCE_MS)
    click_block(board, "layer3.1")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None and board.state.measured.error == true_error(100, {"layer3.1"})
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)  # it was begun again by itself
    assert study_of(board).n == 100 and board.state.deleted == {"layer3.1"}


def test_blocks_at_random(board: LesionBoard, qtbot: QtBot) -> None:
    assert board.center.k.spin.maximum() == 9
    board.center.k.set_value(3)
    board.center.draws.set_value(4)
    board.center.seed.set_value(7)
    qtbot.mouseClick(board.center.random_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    assert board.state.study is not None
    result = board.state.study.result
    assert isinstance(result, RandomLesion)
    assert (result.k, result.seed, len(result.errors)) == (3, 7, 4) and all(len(some) == 3 for some in result.deleted)
    assert [bar.label for bar in board.center.bars.chart().bars] == ["1", "2", "3", "4"]
    assert "3 of 9 blocks at random, 4 draws" in board.center.sentence.text()
    QTest.mouseClick(board.center.bars, Qt.MouseButton.LeftButton, pos=board.center.bars.spot_of(2).toPoint())
    assert board.state.deleted == set(result.deleted[2])
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None
    assert board.state.measured.error == true_error(100, set(result.deleted[2]))
    # the draws were measured on the pictures of another seed, so the two are not put side by side
    assert board.center.bars.chart().now is None
    board.center.seed.set_value(0)
    qtbot.mouseClick(board.center.random_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    assert board.center.bars.chart().now == board.state.measured.error


# ---- other nets, other pictures ----


def choose_net(board: LesionBoard, net: str) -> None:
    board.picker.net.combo.setCurrentIndex(board.picker.net.combo.findData(net))


def test_another_net_while_the_first_is_measured(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(count=0)
    click_block(board, "layer1.0")
    board.measure_each("delete")
    qtbot.waitUntil(lambda: board.state.study is not None, timeout=PATIENCE_MS)
    choose_net(board, PLAIN)
    assert board.state.card is None and board.state.study is None and not board.state.deleted
    assert board.map.card() is None and not board.center.stop_button.isVisible()
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.card is not None and board.state.card.id == PLAIN
    qtbot.wait(200)
    assert board.state.study is None and not board.map._deleted  # nothing of the one before came late


def test_a_plain_net_has_no_skips_to_cut(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(PLAIN)
    assert board.state.measured is not None and board.state.measured.can_cut == ()
    assert not board.center.skips_button.isEnabled() and "no skip" in board.center.skips_button.toolTip()
    assert "no skips to cut" in board.picker.hint.text()
    assert board.center.bars.chart().plain and not board.center.bars.chart().has_strip
    board.map.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(board.map, Qt.Key.Key_Right)
    QTest.keyClick(board.map, Qt.Key.Key_X)
    assert not board.state.changed
    body = column_of(board, "layer1.1").body
    click_map(board, body.cx, body.y - 8)  # where a residual net has its arc
    board.state.change(frozenset(), frozenset())
    click_block(board, "layer1.1")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured.error == true_error(100, {"layer1.1"}, net=PLAIN)
    text = board.center.sentence.text()
    assert "no skip connections" in text or "nothing to lose" in text


def test_other_pictures_another_error(board: LesionBoard, qtbot: QtBot) -> None:
    board.measure_each("delete")
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    combo = board.picker.pictures.combo
    combo.setCurrentIndex(combo.findData("500"))
    assert board.state.study is None and board.center.bars.chart().base is None
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None and board.state.measured.n == 500
    assert board.state.measured.base_error == true_error(500)
    assert board.picker._settings.value("lesion_pictures", type=str) == "500"


def test_data_that_is_not_there_is_said_and_can_be_changed(board: LesionBoard, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    board.picker.set_source(str(tmp_path / "nothing"))
    qtbot.waitUntil(lambda: bool(board.banner.text()), timeout=PATIENCE_MS)
    assert board.state.measured is not None and board.state.measured.base_error is None
    assert not board.side.card.progress.isVisible()
    board.picker.set_source("shapes")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert not board.banner.text() and board.state.measured.n == 100


def test_a_net_that_cannot_be_opened_is_said(open_board: Open, qtbot: QtBot, tmp_path: Path) -> None:
    board = open_board(str(tmp_path / "no such run"), wait=False)
    qtbot.waitUntil(lambda: bool(board.banner.text()), timeout=PATIENCE_MS)
    assert board.state.card is None and not board.center.blocks_button.isEnabled()
    choose_net(board, NET)
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert not board.banner.text()


def test_the_net_open_in_inspect_is_offered_and_a_choice_by_hand_stays(board: LesionBoard, qtbot: QtBot) -> None:
    assert board.picker.model() == NET
    folder = store.trained_folder(PLAIN)
    assert folder is not None
    board.set_model(choice(str(folder)))  # as the window names a run's folder
    assert board.picker.model() == PLAIN and "open in Inspect" in board.picker.net.combo.currentText()
    choose_net(board, NET)
    board.set_model(choice(PLAIN))
    assert board.picker.model() == NET
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)


def test_a_hidden_board_asks_nothing(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(wait=False)
    board.hide()
    board._lab.cancel("lesion")
    board.set_model(choice(PLAIN))
    assert board._asked is None and board.state.measured is None
    qtbot.wait(200)
    assert board.state.card is None
    board.show()
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.card is not None and board.state.card.id == PLAIN


def test_without_any_net_it_says_what_to_do(open_board: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "trained_dir", lambda: tmp_path / "none")
    assert store.trained_models() == [] and paths.trained_dir() != store.trained_dir()
    board = open_board("", wait=False)
    assert board.empty.isVisible() and "Train" in board.empty.text() and not board.map.isVisible()
    board.set_model(choice(str(paths.trained_dir() / NET)))
    assert not board.empty.isVisible() and board.map.isVisible()


# ---- taking it along ----


def test_bars_are_saved_as_pictures_and_numbers(board: LesionBoard, qtbot: QtBot, tmp_path: Path) -> None:
    board.ask_save()
    assert "no bars to save" in board.banner.text()
    board.measure_each("delete")
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    assert board.state.study is not None
    said: list[str] = []
    board.files.said.connect(said.append)
    starts = {"a.png": b"\x89PNG", "a.svg": b"<?xml", "a.pdf": b"%PDF", "a.csv": b"block"}
    for name in starts:  # at once: none is overtaken by the next
        board.files.write(str(tmp_path / name), board.state.study)
    qtbot.waitUntil(lambda: len(said) == len(starts), timeout=PATIENCE_MS)
    for (name, start), sentence in zip(starts.items(), said, strict=True):
        assert name in sentence and (tmp_path / name).read_bytes().startswith(start)
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()))
    study = study_of(board)
    assert [float(row["error"]) for row in rows] == [study.base_error, *(one.error for one in study.blocks)]
    board.files.write(str(tmp_path / "a.xyz"), board.state.study)
    qtbot.waitUntil(lambda: "no ending" in board.banner.text(), timeout=PATIENCE_MS)


def test_the_copied_script_prints_the_numbers_on_show(board: LesionBoard, qtbot: QtBot) -> None:
    click_block(board, "layer1.0")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured is not None and board.state.measured.error is not None
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    qtbot.mouseClick(board.side.python_button, Qt.MouseButton.LeftButton)
    assert "script" in board.banner.text()
    said = run(clipboard.text())
    assert any(abs(number - 100 * board.state.measured.error) < 0.06 for number in numbers(said)), said
    board.measure_each("delete")
    qtbot.waitUntil(lambda: done(board), timeout=PATIENCE_MS)
    board.copy_python()
    said = run(clipboard.text())
    found = numbers(said)
    assert all(any(abs(n - 100 * one.error) < 0.06 for n in found) for one in study_of(board).blocks), said


def numbers(text: str) -> list[float]:
    """Return all numbers of a text, shares as percent too."""
    found = [float(number) for number in re.findall(r"\d+\.?\d*", text)]
    return found + [100 * number for number in found if number <= 1]


def run(script: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


# ---- what it says, and that it stays live ----


def test_sentences_follow_the_numbers() -> None:
    assert words.guesses(0.9, 0.9, 500) and words.guesses(0.88, 0.9, 500) and not words.guesses(0.86, 0.9, 500)
    assert not words.guesses(0.9, None, 500) and not words.guesses(0.9, 0.9, 0)
    assert words.half_width(0.1, 500) == pytest.approx(0.0263, abs=2e-4)
    assert words.half_width(0.0, 100) > 0.01  # none wrong of 100 is no proof
    assert LesionState().sentence() == ("", "") and LesionState().chart().bars == ()


def test_the_window_stays_live_while_every_block_is_measured(open_board: Open, qtbot: QtBot) -> None:
    board = open_board(count=500)
    beats: list[float] = []
    board.measure_each("delete")
    assert isinstance(board.state.running, LesionEach)
    end = time.monotonic() + PATIENCE_MS / 1000
    while not done(board) and time.monotonic() < end:
        QApplication.processEvents()
        beats.append(time.monotonic())
        time.sleep(0.005)
    assert done(board)
    late = np.diff(beats)
    assert np.percentile(late, 99) < 0.25, f"longest {1000 * late.max():.0f} ms"


def test_the_page_does_not_need_torch() -> None:
    code = "import sys, resnet_viz.gui.views.lesion_board; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
