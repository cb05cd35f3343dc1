"""The Gradients workspace: every switch moved in the real window, with real nets and the real workers."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QGuiApplication, QImage
from PyQt6.QtTest import QTest
from pytestqt.qtbot import QtBot

from resnet_viz.core.paths import trained_dir
from resnet_viz.gui.views.gradient_page import GradientPage
from resnet_viz.gui.window import MainWindow

Open = Callable[..., MainWindow]
PATIENCE_MS = 90_000


@pytest.fixture
def page(open_window: Open, qtbot: QtBot) -> GradientPage:
    """Return the page with plain-20 and ResNet-20 measured on 16 pictures of noise."""
    window = open_window(wait=False, size=(1440, 900))
    page = window.gradients.page
    form = page.form
    form.depth_slider.set_value(20)
    form.batch_size.set_values("16")
    form.seeds.set_values("1")
    form.pictures.set_value("noise")
    window.show_workspace("gradients")
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    return page


def press(qtbot: QtBot, page: GradientPage, segments: object, key: str) -> None:
    """Click a switch and wait for the answer."""
    qtbot.mouseClick(segments.buttons[key], Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)


def test_plain_and_residual_stand_side_by_side(page: GradientPage) -> None:
    nets = page.nets()
    assert [net.title for net in nets] == ["plain-20", "ResNet-20"] and [net.plain for net in nets] == [True, False]
    assert page.banner.text() == ""
    # one scale for both maps, all blocks coloured
    plain, residual = page.center.maps[:2]
    assert plain.isVisible() and residual.isVisible()
    assert plain.look().scale == residual.look().scale
    for block, value in zip(nets[0].band.blocks, nets[0].band.mean, strict=True):
        assert plain.value_of(block) == pytest.approx(value)
    assert all(card.isVisible() for card in page.side.cards[:2])
    assert 1 < nets[0].band.ratio < 100 and 0.3 < nets[1].band.ratio < 10  # type: ignore[operator]
    assert "plain-20" in page.center.sentence.text() and "4.1" in page.center.sentence.text()
    plan = page.center.chart.plan()
    assert plan is not None and len(plan.lines) == 2 and plan.log


def test_every_switch_measures_something_else(page: GradientPage, qtbot: QtBot) -> None:
    form = page.form
    before = page.nets()[0].band.mean
    for segments, key in (
        (form.norm, "off"),
        (form.init, "default"),
        (form.init, "xavier"),
        (form.init, "normal"),
        (form.init, "he"),
        (form.norm, "on"),
        (form.activation, "tanh"),
        (form.activation, "sigmoid"),
        (form.activation, "relu"),
        (form.mode, "eval"),
        (form.mode, "train"),
        (form.count, "convs"),
        (form.count, "all"),
        (form.count, "first"),
        (form.batch_size, "32"),
        (form.seeds, "3"),
    ):
        request = page.request
        press(qtbot, page, segments, key)
        assert page.request != request, key
        now = page.nets()[0].band.mean
        assert now.shape != before.shape or not np.array_equal(now, before), key
        # an untrained net has no running statistics yet: the one thing that is said
        assert bool(page.banner.text()) == (key == "eval"), page.banner.text()
        before = now
    assert len(page.nets()[0].band.flows) == 3
    plan = page.center.chart.plan()
    assert plan is not None and len(plan.bands) == 2  # the scatter of the seeds


def test_without_batch_norm_and_default_init_it_vanishes(page: GradientPage, qtbot: QtBot) -> None:
    press(qtbot, page, page.form.norm, "off")
    press(qtbot, page, page.form.init, "default")
    plain, residual = page.nets()
    assert plain.band.ratio is not None and plain.band.ratio < 1e-5  # REFERENCE: 2e-7
    assert residual.band.ratio is not None and 0.03 < residual.band.ratio < 3
    assert "vanish" in page.center.sentence.text()
    assert "vanishing" in page.side.cards[0].note.text() and "healthy" in page.side.cards[1].note.text()


def test_depth_and_shortcuts_change_the_nets(page: GradientPage, qtbot: QtBot) -> None:
    QTest.keyClick(page.form.depth_slider.slider, Qt.Key.Key_Right)
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    assert [net.title for net in page.nets()] == ["plain-32", "ResNet-32"]
    press(qtbot, page, page.form.shortcuts, "B")
    assert [net.title for net in page.nets()] == ["plain-32", "ResNet-32 A", "ResNet-32 B"]
    assert sum(shown.isVisible() for shown in page.center.maps) == 3
    press(qtbot, page, page.form.shortcuts, "none")
    press(qtbot, page, page.form.shortcuts, "A")
    assert [net.title for net in page.nets()] == ["ResNet-32 B"]
    # the last one stays: something must be on show
    qtbot.mouseClick(page.form.shortcuts.buttons["B"], Qt.MouseButton.LeftButton)
    assert page.form.shortcuts.values() == ("B",)


@pytest.mark.parametrize("quantity", ["weights", "activations", "split", "response", "f_to_x", "update"])
def test_every_quantity_is_drawn(page: GradientPage, quantity: str) -> None:
    page.form.quantity.combo.setCurrentIndex(page.form.quantity.combo.findData(quantity))
    plan = page.center.chart.plan()
    assert plan is not None and plan.lines and not plan.note
    assert all(len(line.texts) == len(line.y) for line in plan.lines)
    nets = {"split": {"ResNet-20"}, "f_to_x": {"ResNet-20"}}.get(quantity, {"plain-20", "ResNet-20"})
    assert {line.label for line in plan.lines} == nets


def test_layers_one_by_one(page: GradientPage, qtbot: QtBot) -> None:
    press(qtbot, page, page.form.per, "layer")
    assert len(page.nets()[0].band.blocks) == 20  # 19 convolutions and the classifier
    assert "layer2.0.conv1" in page.nets()[0].band.blocks


def test_a_block_is_chosen_on_the_map_and_in_the_chart(page: GradientPage, qtbot: QtBot) -> None:
    shown = page.center.maps[1]
    layout = shown.map_layout()
    assert layout is not None
    body = next(column.body for column in layout.columns if column.block == "layer2.1")
    view = shown._view()
    spot = QPoint(round(view.x() + body.cx - shown.offset()), round(view.y() + body.cy))
    qtbot.mouseClick(shown, Qt.MouseButton.LeftButton, pos=spot)
    assert page.block == "layer2.1"
    assert page.side.block_title.text().endswith("2.1")
    chart = page.center.chart
    qtbot.waitUntil(chart.settled)
    point = chart.canvas.spot(0, 3)
    qtbot.mouseMove(chart.canvas, point.toPoint())
    qtbot.mouseClick(chart.canvas, Qt.MouseButton.LeftButton, pos=point.toPoint())
    assert page.block == page.nets()[0].band.blocks[3]


def test_trained_and_chosen_nets(page: GradientPage, qtbot: QtBot, tmp_path: Path) -> None:
    press(qtbot, page, page.form.source, "trained")
    assert [net.title for net in page.nets()] == ["plain-20", "ResNet-20"]
    assert not page.form.norm.isVisible() and not page.form.seeds.isVisible()
    assert all(net.band.loss < 20 for net in page.nets())
    qtbot.mouseClick(page.form.source.buttons["file"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Press Add" in page.banner.text())
    page.form.add_net("resnet20-cifar10", "mine")
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    assert [net.title for net in page.nets()] == ["mine"] and page.banner.text() == ""
    broken = tmp_path / "깨진 파일.pth"
    broken.write_bytes(b"no checkpoint at all")
    page.form.add_net(str(broken))
    qtbot.waitUntil(lambda: "깨진 파일.pth" in page.banner.text(), timeout=PATIENCE_MS)
    assert page.nets()  # what was on show stays
    QTest.keyClick(page.form.depth_slider.slider, Qt.Key.Key_Right)  # hidden, but moved by a test all the same
    press(qtbot, page, page.form.source, "untrained")
    assert page.banner.text() == ""


def test_no_trained_net_of_a_depth_is_one_sentence(page: GradientPage, qtbot: QtBot) -> None:
    page.form.depth_slider.slider.setValue(2)  # 44
    qtbot.mouseClick(page.form.source.buttons["trained"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "44" in page.banner.text())
    assert "20" in page.banner.text() and page.banner.text().endswith(".")


def test_fifty_steps_are_trained_and_replayed(page: GradientPage, qtbot: QtBot) -> None:
    form, replay = page.form, page.center.replay
    form.pictures.set_value("shapes")
    qtbot.mouseClick(replay.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.source is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    assert page.source is not None and page.source.live
    assert [one.title for one in page.source.recordings] == ["plain-20", "ResNet-20"]
    last = page.source.recordings[1]
    assert last.steps[-1] == 50 and np.isfinite(last.loss).all() and last.loss[-5:].mean() < last.loss[:5].mean()
    assert page.center.charts.value() == "time" and replay.slider.isEnabled()
    for key in ("first", "coherence", "loss", "ratio"):
        qtbot.mouseClick(page.center.times.buttons[key], Qt.MouseButton.LeftButton)
        plan = page.center.chart.plan()
        assert plan is not None and plan.lines and plan.cursor == 50
    replay.slider.setValue(0)
    assert page.nets()[0].band.mean == pytest.approx(page.source.recordings[0].weight_norm[0])
    qtbot.mouseClick(replay.play_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: replay.slider.value() > 3)
    qtbot.mouseClick(replay.play_button, Qt.MouseButton.LeftButton)
    at = replay.slider.value()
    qtbot.wait(200)
    assert replay.slider.value() == at
    # back to the measurement
    replay.source.setCurrentIndex(0)
    replay.source.activated.emit(0)
    assert page.source is None and not replay.slider.isEnabled()


def test_training_stops_when_asked(page: GradientPage, qtbot: QtBot) -> None:
    replay = page.center.replay
    qtbot.mouseClick(replay.train_button, Qt.MouseButton.LeftButton)
    assert replay.train_button.text() == "Stop"
    qtbot.mouseClick(replay.train_button, Qt.MouseButton.LeftButton)
    assert replay.train_button.text() == "Train 50 steps"
    qtbot.waitUntil(page.settled)
    assert page.source is None


def test_recorded_runs_are_replayed(page: GradientPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: bool(page.sources), timeout=PATIENCE_MS)
    titles = [one.title for one in page.sources]
    index = next(i for i, title in enumerate(titles) if "Plain-20" in title and "ResNet-20" in title)
    page.center.replay.source.setCurrentIndex(index + 1)
    page.center.replay.source.activated.emit(index + 1)
    qtbot.waitUntil(lambda: page.source is not None and len(page.source.cards) == 2, timeout=PATIENCE_MS)
    log = (trained_dir() / "plain20-cifar10" / "events.jsonl").read_text(encoding="utf-8")
    assert page.center.replay.slider.maximum() == log.count('"event":"gradients"') - 1 > 50  # from 0
    assert [one.plain for one in page.source.recordings] == [True, False]  # type: ignore[union-attr]
    before = page.side.cards[0].ratio.text()
    page.center.replay.slider.setValue(page.center.replay.slider.maximum())
    assert page.side.cards[0].ratio.text() != before
    assert page.center.maps[0].value_of("layer1.0") == pytest.approx(float(page.nets()[0].band.mean[1]))


def test_depth_sweep_with_progress_and_cancel(
    page: GradientPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resnet_viz.gui.views import gradient_form

    monkeypatch.setattr(gradient_form, "DEPTHS", (20, 32))
    center = page.center
    qtbot.mouseClick(center.charts.buttons["depth"], Qt.MouseButton.LeftButton)
    assert center.sweep_button.isVisible()
    qtbot.mouseClick(center.sweep_button, Qt.MouseButton.LeftButton)
    assert center.sweep_button.text() == "Stop" and center.progress.isVisible()
    qtbot.mouseClick(center.sweep_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.settled)
    assert page.swept is None and not center.progress.isVisible()
    qtbot.mouseClick(center.sweep_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    assert page.swept is not None and len(page.swept.points) == 4
    plan = center.chart.plan()
    assert plan is not None and [line.x.tolist() for line in plan.lines] == [[20, 32], [20, 32]]
    qtbot.mouseClick(center.depths.buttons["coherence"], Qt.MouseButton.LeftButton)
    plan = center.chart.plan()
    assert plan is not None and plan.y_range == (0.0, 1.0)


def test_switching_quickly_shows_the_last_choice_alone(page: GradientPage, qtbot: QtBot) -> None:
    for _ in range(10):
        for key in ("off", "on"):
            qtbot.mouseClick(page.form.norm.buttons[key], Qt.MouseButton.LeftButton)
            qtbot.wait(15)
    qtbot.mouseClick(page.form.norm.buttons["off"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    assert page.request is not None and ("batch_norm", False) in page.request.nets[0].options
    assert dict(page.request.nets[0].options)["batch_norm"] is False
    assert page.measured is not None and not any(
        block.layers and "bn1" in block.layers[0] for block in page.measured.cards[0].blocks
    )


def test_chart_and_numbers_are_saved(page: GradientPage, qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("그림.png", "chart.svg", "chart.pdf"):
        page.save(str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 1000 and name in page.banner.text()
    assert not QImage(str(tmp_path / "그림.png")).isNull()
    path = tmp_path / "numbers.csv"
    for other in (tmp_path / "others.csv", path):  # at once: neither is overtaken by the other, nor waits for a study
        page.save(str(other))
        assert page._context.files.is_due()
    qtbot.waitUntil(lambda: not page._context.files.is_due(), timeout=PATIENCE_MS)
    assert (tmp_path / "others.csv").read_bytes() == path.read_bytes()
    assert path.name in page.banner.text()
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    nets = page.nets()
    assert len(rows) == sum(len(net.band.blocks) for net in nets)
    assert float(rows[0]["weight_norm"]) == pytest.approx(float(nets[0].band.mean[0]), rel=1e-6)
    page.save(str(tmp_path / "no" / "such" / "folder.xyz"))
    assert ".png" in page.banner.text()


def test_the_script_prints_the_numbers_on_show(page: GradientPage, tmp_path: Path) -> None:
    page.copy_python()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    script = tmp_path / "script.py"
    script.write_text(clipboard.text(), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    numbers = [float(word) for word in done.stdout.replace(",", " ").split() if _is_number(word)]
    for net in page.nets():
        assert any(math.isclose(net.band.ratio or 0, value, rel_tol=1e-3) for value in numbers), net.title


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def test_bad_numbers_and_missing_data_are_one_sentence(page: GradientPage, qtbot: QtBot, tmp_path: Path) -> None:
    form = page.form
    press(qtbot, page, form.init, "normal")
    form.std.line.setText("abc")
    form.std.line.editingFinished.emit()
    qtbot.waitUntil(lambda: "abc" in page.banner.text())
    form.std.line.setText("0.05")
    form.std.line.editingFinished.emit()
    qtbot.waitUntil(lambda: page.settled() and not page.banner.text(), timeout=PATIENCE_MS)
    form.set_folder(str(tmp_path / "nothing here"))
    qtbot.waitUntil(lambda: "nothing here" in page.banner.text(), timeout=PATIENCE_MS)
    assert page.nets()  # what was on show stays


def test_keys_go_from_workspace_to_workspace(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    for number, workspace in (("2", window.gradients), ("3", window.train), ("1", window.inspect)):
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.AltModifier)
        assert window.stack.currentWidget() is workspace
        assert window._switch is not None and window._switch.checkedId() == window.stack.currentIndex()


def test_the_race_queues_plain_and_residual_nets(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(wait=False)
    window.show_workspace("gradients")
    race = window.gradients.race
    window.gradients.tabs.setCurrentWidget(race)
    qtbot.waitUntil(lambda: race.race() is not None, timeout=PATIENCE_MS)  # the nets that ship
    assert race.race().runs and race.chart.runs()  # type: ignore[union-attr]
    race.depths.set_values("20")
    race.data.set_value("shapes")
    race.epochs.set_value(1)
    configs = race.configs()
    assert [config.model for config in configs] == ["plain20", "resnet20"]
    assert {(config.lr, config.epochs, config.recipe) for config in configs} == {(0.1, 1, "paper")}
    race.lr.line.setText("x")
    qtbot.mouseClick(race.start_button, Qt.MouseButton.LeftButton)
    assert "'x'" in race.banner.text()
    race.lr.set_value(0.1)
    qtbot.mouseClick(race.start_button, Qt.MouseButton.LeftButton)
    queue = window.train.queue
    assert queue.current is not None and len(queue.waiting) == 1
    assert "2 runs are queued" in race.banner.text()
    qtbot.waitUntil(lambda: "you started" in race.choice.itemText(0), timeout=PATIENCE_MS)
    queue.waiting.clear()
    queue.stop()
    qtbot.waitUntil(lambda: queue.current is None, timeout=PATIENCE_MS)
