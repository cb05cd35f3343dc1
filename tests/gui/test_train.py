"""The Train workspace as a person uses it: real window, real child process, the data set `shapes`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from resnet_viz.core.paths import runs_dir, trained_dir
from resnet_viz.core.token import CancelToken
from resnet_viz.gui import theme
from resnet_viz.gui.bridge import Bridge
from resnet_viz.gui.run_book import RunBook
from resnet_viz.gui.views.train import TrainView
from resnet_viz.gui.views.train_form import unused_name
from resnet_viz.gui.views.train_grid import AblationDialog, combinations
from resnet_viz.gui.views.train_options import NETS, make_field, net_title, options
from resnet_viz.gui.views.train_start import first_shown
from resnet_viz.gui.widgets.elided_label import ElidedLabel
from resnet_viz.gui.window import MainWindow
from resnet_viz.jobs.latest import Progress
from resnet_viz.session.training_requests import RunList
from resnet_viz.training import layout
from resnet_viz.training.alive import Pulse
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.control import RunControl
from resnet_viz.training.events import Checkpoint
from resnet_viz.training.recipes import from_recipe, recipes

Open = Callable[..., MainWindow]
PATIENCE_MS = 600_000  # a wait may hold the whole life of a process that trains


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_VIZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")


@pytest.fixture
def train(open_window: Open, qtbot: QtBot) -> TrainView:
    window = open_window()
    window.show_workspace("train")
    view = window.train
    qtbot.waitUntil(lambda: bool(view.center.table.runs()), timeout=PATIENCE_MS)
    return view


def small(view: TrainView, **values: object) -> None:
    """Make the form's run one that takes seconds."""
    quick: dict[str, object] = {
        "data": "shapes", "size": 8, "epochs": 2, "max_steps": 8, "batch": 32, "val_share": 0.01, "bf16": "off",
        "gradients_every": 1,
    }  # fmt: skip
    for name, value in {**quick, **values}.items():
        view.form.fields[name].set_value(value)


def finished(view: TrainView, run: Path) -> bool:
    history = view.book.get(run)
    return view.queue.current is None and history is not None and history.state == "finished"


def test_a_run_is_started_watched_and_opened(train: TrainView, qtbot: QtBot) -> None:
    small(train, max_steps=40, epochs=4)
    qtbot.mouseClick(train.form.start_button, Qt.MouseButton.LeftButton)
    run = runs_dir() / "resnet20-shapes"
    assert train.queue.current is not None and train.queue.current.run == run
    assert train.shown == run and train.center.stop_button.isVisible()
    qtbot.waitUntil(lambda: finished(train, run), timeout=PATIENCE_MS)
    history = train.book.get(run)
    assert history is not None and history.step == 40 and history.test_error is not None
    assert train.side.bars.isVisible() and train.side.confusion.isVisible()
    assert train.center.chart.runs()[0].path == run
    qtbot.waitUntil(train.center.map.isVisible, timeout=PATIENCE_MS)
    window = train.window()
    assert isinstance(window, MainWindow)
    qtbot.mouseClick(train.center.inspect_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.inspect.card is not None and window.inspect.card.source == str(run))
    assert window.stack.currentWidget() is window.inspect


def test_the_run_that_was_started_is_in_sight(train: TrainView, qtbot: QtBot) -> None:
    qtbot.waitUntil(train.center.map.isVisible, timeout=PATIENCE_MS)
    small(train, epochs=500, max_steps=0)
    qtbot.mouseClick(train.form.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: (h := train.book.get(train.shown)) is not None and h.step > 0, timeout=PATIENCE_MS)
    view = train.center.table.view
    row = view.visualRect(view.currentIndex())
    assert view.surface().rect().contains(row.adjusted(1, 1, -1, -1)) and row.height() > 5
    train.queue.stop()
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)


def test_columns_are_chosen_without_a_mouse(train: TrainView, qtbot: QtBot) -> None:
    table = train.center.table
    assert table.columns_button.isVisible() and table.columns_button.focusPolicy() != Qt.FocusPolicy.NoFocus
    qtbot.keyClick(table.columns_button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: table.findChild(QMenu) is not None)
    menu = table.findChild(QMenu)
    assert menu is not None and menu.isVisible()
    depth = next(action for action in menu.actions() if action.text() == "Depth")
    shown = "depth" in table.shown_columns()
    depth.trigger()
    assert ("depth" in table.shown_columns()) is not shown
    menu.close()


def test_stopped_and_resumed(train: TrainView, qtbot: QtBot) -> None:
    small(train, epochs=500, max_steps=0)
    qtbot.mouseClick(train.form.start_button, Qt.MouseButton.LeftButton)
    run = runs_dir() / "resnet20-shapes"
    qtbot.waitUntil(lambda: (h := train.book.get(run)) is not None and h.step > 0, timeout=PATIENCE_MS)
    qtbot.mouseClick(train.center.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: train.book.histories[run].state == "paused", timeout=PATIENCE_MS)
    assert "paused" in train.center.state.text()
    held = train.book.histories[run].step
    qtbot.wait(1500)
    assert train.book.histories[run].step == held
    qtbot.mouseClick(train.center.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: train.book.histories[run].step > held, timeout=PATIENCE_MS)
    qtbot.mouseClick(train.center.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)
    train.book.refresh(run)
    assert train.book.histories[run].state == "stopped" and (run / layout.LAST).is_file()
    before = train.book.histories[run].step
    qtbot.mouseClick(train.center.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: train.book.histories[run].step > before, timeout=PATIENCE_MS)
    train.queue.stop()
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)


def test_runs_wait_for_each_other(train: TrainView, qtbot: QtBot) -> None:
    small(train)
    base = train.form.config()
    train.enqueue(combinations(base, ["plain", "resnet"], [20], ["sgd"], [True], 1))
    assert len(train.queue.waiting) == 1 and train.queue.current is not None
    names = ["plain20-shapes", "resnet20-shapes"]
    qtbot.waitUntil(lambda: all(finished(train, runs_dir() / name) for name in names), timeout=PATIENCE_MS)
    assert {run.path.name for run in train.center.chart.runs()} == set(names)  # both are overlaid


@pytest.mark.skipif(sys.platform == "win32", reason="kill")
def test_a_child_that_is_killed_leaves_the_window_alive_and_says_so(train: TrainView, qtbot: QtBot) -> None:
    small(train, epochs=500, max_steps=0)
    train.start()
    run = runs_dir() / "resnet20-shapes"
    qtbot.waitUntil(lambda: (h := train.book.get(run)) is not None and h.step > 0, timeout=PATIENCE_MS)
    assert train.queue.current is not None
    os.kill(train.queue.current.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)
    assert "unexpectedly" in train.banner.text() and "process" in train.banner.text()  # its last lines
    assert train.isVisible() and "unexpectedly" in train.center.log.toPlainText()


def test_a_run_that_cannot_begin_says_why(train: TrainView, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "empty" / "one").mkdir(parents=True)
    small(train, data=str(tmp_path / "empty"))
    train.start()
    qtbot.waitUntil(lambda: train.queue.current is None and bool(train.banner.text()), timeout=PATIENCE_MS)
    assert "classes" in train.banner.text()
    small(train, data="shapes", lr=1000.0)
    qtbot.mouseClick(train.form.start_button, Qt.MouseButton.LeftButton)
    assert "lr is 1000" in train.banner.text() and train.queue.current is None


def test_the_form_shows_what_the_run_will_see_and_cost(train: TrainView, qtbot: QtBot) -> None:
    small(train)
    train.form.look_requested.emit()
    qtbot.waitUntil(lambda: "parameters" in train.form.cost.text(), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "classes" in train.form.facts.text(), timeout=PATIENCE_MS)
    assert "10 classes" in train.form.facts.text() and "269,722 parameters" in train.form.cost.text()
    assert train.form.augmented.isVisible() and train.form.samples.isVisible()


def test_a_recipe_fills_the_form_and_asks_for_what_it_needs(train: TrainView) -> None:
    form = train.form
    for recipe in recipes.ids():
        form.fields["recipe"].set_value(recipe)
        form.fields["recipe"].changed.emit()
        expected = recipes.get(recipe)
        for name, value in expected.values.items():
            if name in form.fields:
                assert form.fields[name].value() == value, (recipe, name)
        assert form.advice.isVisible() is expected.needs_start
        assert form.fields["start_from"].isVisible() is expected.needs_start
    form.fields["recipe"].set_value("transfer")
    form.fields["recipe"].changed.emit()
    form.amount.set_value("much")
    form.likeness.set_value("different")
    form.amount.changed.emit()
    assert form.fields["train_part"].value() == "all" and form.reason.text()
    starts = form.fields["start_from"]
    starts.set_value("resnet20-cifar10")
    assert form.config().start_from == "resnet20-cifar10"


def test_every_option_survives_the_form(train: TrainView) -> None:
    made = TrainConfig(
        "plain32", "shapes", "paper", epochs=7, max_steps=9, batch=11, seed=3, shortcut="", batch_norm=False,
        activation="tanh", init="normal", init_std=0.02, optimizer="adamw", lr=0.0123, momentum=0.5, weight_decay=1e-5,
        schedule="steps", warmup=0.05, warmup_lr=0.002, warmup_steps=4, milestones=(5, 8), gamma=0.3,
        label_smoothing=0.1, dropout=0.25, pad=2, flip=False, crop_scale=0.5, jitter=0.2, val_share=0.2, test_share=0.3,
        normalize="half", size=16, start_from="resnet20-cifar10", train_part="late", bf16="off",
        compile=True, lanes=3, gradients_every=13, keep_epochs=True, tensorboard=True,
    )  # fmt: skip
    train.form.set_config(made)
    assert train.form.config() == made
    shown = {option.name for option in options()}
    hidden = {"num_classes", "channels_last", "checkpoint_every_s"}
    import dataclasses

    assert shown | hidden == {field.name for field in dataclasses.fields(TrainConfig)}


def test_the_form_lists_every_net() -> None:
    from resnet_viz.models import models

    assert set(NETS) == set(models.ids())
    assert [net_title(net) for net in NETS] == [models.get(net).title for net in NETS]


def test_an_ablation_grid_is_every_combination(train: TrainView, qtbot: QtBot) -> None:
    made: list[TrainConfig] = []
    dialog = AblationDialog(from_recipe("quick", "resnet20", "shapes"), made.extend, train)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.add_button.text() == "Queue 1 run"
    dialog.families["plain"].setChecked(True)
    dialog.depths["56"].setChecked(True)
    dialog.optimizers["adam"].setChecked(True)
    assert "8" in dialog.add_button.text()
    qtbot.mouseClick(dialog.add_button, Qt.MouseButton.LeftButton)
    assert len(made) == len(set(made)) == 8
    assert {config.model for config in made} == {"plain20", "resnet20", "plain56", "resnet56"}
    assert {config.optimizer for config in made} == {"nesterov", "adam"}


def test_closing_asks_what_becomes_of_the_run(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.show_workspace("train")
    small(window.train, epochs=500, max_steps=0)
    window.train.start()
    run = runs_dir() / "resnet20-shapes"
    qtbot.waitUntil(lambda: (h := window.train.book.get(run)) is not None and h.step > 0, timeout=PATIENCE_MS)
    window.close()
    box = window.findChild(QMessageBox, "leaving")
    assert box is not None and window.isVisible()
    box.reject()
    qtbot.wait(100)
    assert window.isVisible() and window.train.queue.current is not None
    window.train.start()
    window.close()
    box = next(one for one in window.findChildren(QMessageBox, "leaving") if one.isVisible())
    assert "Runs that wait (1)" in box.informativeText()
    stop = next(button for button in box.findChildren(QPushButton) if "Stop" in button.text())
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert not window.isVisible()
    assert (run / layout.LAST).is_file() and not (run / "alive").exists()


def test_a_run_that_goes_on_alone_is_found_again(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "tiny" / "train.npz", images=images, labels=np.arange(64) % 2)
    window = open_window()
    window.show_workspace("train")
    small(window.train, data=str(tmp_path / "tiny"), epochs=90_000, max_steps=0)
    window.train.start()
    run = runs_dir() / "resnet20-tiny"
    qtbot.waitUntil(lambda: (h := window.train.book.get(run)) is not None and h.step > 0, timeout=PATIENCE_MS)
    window._leave("keep")
    second = open_window()
    qtbot.waitUntil(second.training.isVisible, timeout=PATIENCE_MS)  # told before Train is opened
    assert run.name in second.training.text()
    qtbot.mouseClick(second.training, Qt.MouseButton.LeftButton)
    view = second.train
    assert view.isVisible()
    qtbot.waitUntil(lambda: run in view.book.alive, timeout=PATIENCE_MS)
    assert view.shown == run and view.center.stop_button.isVisible() and not view.center.pause_button.isEnabled()
    seen = view.book.histories[run].step
    qtbot.waitUntil(lambda: view.book.histories[run].step > seen, timeout=PATIENCE_MS)
    qtbot.mouseClick(view.center.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not (run / "alive").exists(), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: view.book.histories[run].state == "stopped", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not second.training.isVisible() and not second.timing.text(), timeout=PATIENCE_MS)


def test_a_run_that_is_queued_while_the_list_is_read_stays_in_it(qtbot: QtBot, tmp_path: Path) -> None:
    """It was not there yet when the list was read, and nobody trains it yet either."""
    listed, going_on = threading.Event(), threading.Event()

    def read(request: object, token: CancelToken, progress: Progress) -> object:
        listed.set()
        going_on.wait(60)
        return RunList((), frozenset())

    desk = Bridge(read, "runs")
    book = RunBook(desk)
    try:
        book.read()
        qtbot.waitUntil(listed.is_set)
        run = tmp_path / "queued"
        run.mkdir()
        (run / layout.CONFIG).write_text(TrainConfig(model="resnet20", data="shapes").to_toml(), encoding="utf-8")
        book.set_queue(None, [run])
        book.refresh(run)
        assert book.histories[run].state == "waiting"
        with qtbot.waitSignal(book.listed):
            going_on.set()
        assert book.histories[run].state == "waiting"
    finally:
        going_on.set()
        desk.close()


def test_maps_follow_a_run_that_is_trained_elsewhere(train: TrainView, qtbot: QtBot) -> None:
    from resnet_viz.data.datasets import ArraySet
    from resnet_viz.training.loop import train as train_here

    run = runs_dir() / "elsewhere"
    images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    data = ArraySet(images, np.arange(32) % 2, ("one", "other"), "noise")
    config = TrainConfig("resnet20", "noise", epochs=2, size=8, batch=16, val_share=0.0, bf16="off")
    events = train_here(config, data, run)
    with Pulse(run, RunControl()):
        for event in events:
            if isinstance(event, Checkpoint):
                break
        train.book.read()
        qtbot.waitUntil(lambda: run in train.book.alive, timeout=PATIENCE_MS)
        train.center.table.select([run])
        qtbot.waitUntil(lambda: train.side.maps_title.text().endswith("epoch 1"), timeout=PATIENCE_MS)
        list(events)  # its second epoch and checkpoint, of which no child of this window tells
        qtbot.waitUntil(lambda: train.side.maps_title.text().endswith("epoch 2"), timeout=PATIENCE_MS)


def test_a_run_that_was_not_measured_is_measured_by_resume(train: TrainView, qtbot: QtBot) -> None:
    small(train)
    train.start()
    run = runs_dir() / "resnet20-shapes"
    qtbot.waitUntil(lambda: finished(train, run), timeout=PATIENCE_MS)
    card = json.loads((run / layout.CARD).read_text())
    before = card.pop("test_error"), (run / layout.WEIGHTS).read_bytes()
    (run / layout.CARD).write_text(json.dumps(card))  # as where it was stopped while the test pictures were answered
    train.book.refresh(run)
    assert "not measured" in train.center.state.text()
    qtbot.mouseClick(train.center.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: finished(train, run) and train.book.histories[run].test_error is not None, timeout=PATIENCE_MS
    )
    assert (train.book.histories[run].test_error, (run / layout.WEIGHTS).read_bytes()) == before
    qtbot.mouseClick(train.center.resume_button, Qt.MouseButton.LeftButton)
    assert "its end" in train.banner.text() and train.queue.current is None


def test_test_pictures_are_answered_and_opened(train: TrainView, qtbot: QtBot) -> None:
    small(train)
    train.start()
    run = runs_dir() / "resnet20-shapes"
    qtbot.waitUntil(lambda: finished(train, run), timeout=PATIENCE_MS)
    qtbot.mouseClick(train.side.judge_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: train.center.tabs.currentWidget() is train.center.gallery, timeout=PATIENCE_MS)
    shown = len(train.center.gallery.shown())
    train.center.gallery.set_only_wrong(True)
    assert 0 < len(train.center.gallery.shown()) < shown
    history = train.book.get(run)
    assert history is not None and history.test_error is not None
    train.center.gallery.set_only_wrong(True)
    assert len(train.center.gallery.shown()) == round(history.test_error * shown)
    index = int(train.center.gallery.shown()[0])
    train.center.gallery.picked.emit(index)
    window = train.window()
    assert isinstance(window, MainWindow)
    qtbot.waitUntil(lambda: window.inspect.image is not None and window.inspect.image.label is not None)


def test_every_editor_gives_back_what_it_was_given(qtbot: QtBot) -> None:
    made = from_recipe("quick", "resnet20", "shapes")
    for option in options():
        field = make_field(option.name)
        qtbot.addWidget(field)
        field.set_value(getattr(made, option.name))
        assert field.value() == getattr(made, option.name), option.name


def change(view: TrainView, name: str, value: object) -> None:
    """Choose a value as a person does."""
    view.form.fields[name].set_value(value)
    view.form.fields[name].changed.emit()


def test_a_recipe_that_needs_weights_chooses_some_and_gives_them_up(train: TrainView) -> None:
    form, start = train.form, train.form.fields["start_from"]
    assert form.config().start_from == ""
    change(train, "recipe", "transfer")
    assert Path(str(start.value())).name == "resnet20-cifar10" and form.config().train_part == "head"
    assert form.config().normalize == "start"
    change(train, "model", "plain20")
    assert Path(str(start.value())).name == "plain20-cifar10"
    change(train, "start_from", str(trained_dir() / "resnet20-cifar10"))
    assert form.fields["model"].value() == "resnet20"  # its weights fit no other
    change(train, "model", "resnet152")
    assert start.value() == ""
    form.look_requested.emit()
    assert "Start from" in train.banner.text()
    change(train, "model", "resnet20")
    change(train, "recipe", "quick")
    assert form.config().start_from == "" and form.config().train_part == "all"


def test_another_optimizer_takes_its_learning_rate_along(train: TrainView) -> None:
    lr = train.form.fields["lr"]
    for optimizer, expected in (("adam", 1e-3), ("adadelta", 1.0), ("sgd", 0.1), ("momentum", 0.1)):
        change(train, "optimizer", optimizer)
        assert lr.value() == expected, optimizer
    lr.set_value(0.03)
    change(train, "optimizer", "adam")
    assert lr.value() == 0.03  # the person's own
    change(train, "recipe", "quick")
    made = combinations(train.form.config(), ["resnet"], [20], ["nesterov", "adam"], [True], 1)
    assert [config.lr for config in made] == [0.2, 1e-3]


def test_the_grid_makes_shortcuts_of_residual_nets_and_the_papers_warm_up() -> None:
    base = from_recipe("paper", "resnet20", "shapes")
    made = combinations(base, ["plain", "resnet"], [20, 110], ["momentum"], [True], 1, ["A", "B"])
    assert [(config.model, config.shortcut) for config in made] == [
        ("plain20", ""), ("resnet20", "A"), ("resnet20", "B"), ("plain110", ""), ("resnet110", "A"), ("resnet110", "B"),
    ]  # fmt: skip
    assert [config.warmup_steps for config in made] == [0, 0, 0, 400, 400, 400]


def test_data_comes_from_a_folder_or_a_table(train: TrainView, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    menu = train.form.folder_button.menu()
    assert menu is not None
    folder, table = menu.actions()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    folder.trigger()
    assert train.form.fields["data"].value() == str(tmp_path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "labels.csv"), ""))
    table.trigger()
    assert train.form.fields["data"].value() == str(tmp_path / "labels.csv")
    change(train, "recipe", "fine-tune")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "resnet18.pth"), ""))
    train.form.weights_button.click()
    assert train.form.config().start_from == str(tmp_path / "resnet18.pth")


def test_a_run_that_waits_is_taken_out_of_the_queue(train: TrainView, qtbot: QtBot) -> None:
    small(train, epochs=500, max_steps=0)
    first, second = train.enqueue(combinations(train.form.config(), ["plain", "resnet"], [20], ["sgd"], [True], 1))
    train.center.table.select([second])
    assert train.book.histories[second].state == "waiting" and "waiting" in train.center.state.text()
    assert not train.center.pause_button.isVisible() and "Do not start" in train.center.stop_button.text()
    qtbot.mouseClick(train.center.stop_button, Qt.MouseButton.LeftButton)
    assert not train.queue.waiting and train.book.histories[second].state == "new"
    assert not train.center.stop_button.isVisible() and "Resume" in train.center.state.text()
    train.center.table.select([first])
    qtbot.mouseClick(train.center.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)
    assert not (second / layout.EVENTS).exists()


def test_runs_wait_for_one_that_is_trained_elsewhere(train: TrainView, qtbot: QtBot) -> None:
    other = runs_dir() / "other"
    other.mkdir(parents=True)
    (other / layout.CONFIG).write_text(from_recipe("quick", "resnet20", "shapes").to_toml())
    with Pulse(other, RunControl()):
        train.book.read()
        qtbot.waitUntil(lambda: other in train.book.alive, timeout=PATIENCE_MS)
        small(train)
        train.start()
        assert train.queue.current is None and len(train.queue.waiting) == 1 and "other" in train.banner.text()
    qtbot.waitUntil(lambda: train.queue.current is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)
    assert train.book.histories[runs_dir() / "resnet20-shapes"].state == "finished"


@pytest.mark.skipif(sys.platform == "win32", reason="kill")
def test_a_killed_run_is_not_called_running(train: TrainView, qtbot: QtBot) -> None:
    small(train, epochs=500, max_steps=0)
    train.start()
    run = runs_dir() / "resnet20-shapes"
    assert train.book.histories[run].state == "running" and "reading" in train.center.state.text()
    qtbot.waitUntil(lambda: train.book.histories[run].step > 0, timeout=PATIENCE_MS)
    assert train.center.chart.options().kind == "loss"  # no epoch is over yet
    assert train.queue.current is not None
    os.kill(train.queue.current.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)
    assert train.book.histories[run].state == "stopped" and train.book.histories[run].eta_s is None
    assert not train.center.stop_button.isVisible()
    qtbot.mouseClick(train.center.resume_button, Qt.MouseButton.LeftButton)  # at once
    qtbot.waitUntil(lambda: train.book.histories[run].state == "running", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: (run / "alive").exists() and train.book.histories[run].step > 0, timeout=PATIENCE_MS)
    train.queue.stop()
    qtbot.waitUntil(lambda: train.queue.current is None, timeout=PATIENCE_MS)
    assert train.banner.text().count("already") == 0


def test_a_small_window_and_large_letters_cut_nothing_off(train: TrainView, qtbot: QtBot) -> None:
    window, app, form = train.window(), QApplication.instance(), train.form
    assert isinstance(app, QApplication)

    def whole(three: bool) -> bool:
        columns = [train.columns.widget(place) for place in range(train.columns.count())]
        edges = [(one.x(), one.x() + one.width()) for one in columns if one is not None]
        shown = [field for field in form.fields.values() if field.isVisible()]
        return (
            form.width() >= form.least_px()
            and (len(columns) == 3) is (train.center.tabs.indexOf(train.aside) < 0) is three
            and all(left[1] <= right[0] for left, right in pairwise(edges))
            and edges[-1][1] <= train.width()
            and all(field.mapTo(form, field.rect().topRight()).x() < form.width() for field in shown)
        )

    try:
        for px, size in ((13, (1280, 800)), (13, (900, 600)), (20, (1280, 800)), (20, (900, 600)), (13, (1440, 900))):
            theme.set_font(app, px)
            window.resize(*size)
            qtbot.waitUntil(partial(whole, px == 13 and size[0] >= 1280))
            qtbot.wait(200)  # and it stays so
            assert whole(px == 13 and size[0] >= 1280), (px, size)
    finally:
        theme.set_font(app, theme.BASE_PX)


def test_the_first_thing_shown_is_a_plain_net_beside_its_twin(train: TrainView) -> None:
    plain, other = sorted(train.center.chart.runs(), key=lambda run: not run.plain)
    assert plain.plain and not other.plain and (plain.depth, plain.data) == (other.depth, other.data)
    histories = {run.name: run for run in train.book.histories.values()}
    assert plain.depth == max(run.depth for run in histories.values() if run.plain)
    pair = [histories["resnet20-cifar10"], histories["plain20-cifar10"]]
    assert [run.name for run in first_shown(pair, set())] == ["plain20-cifar10", "resnet20-cifar10"]
    assert [run.name for run in first_shown(pair, {pair[0].path})] == ["resnet20-cifar10"]
    assert [run.name for run in first_shown(pair[:1], set())] == ["resnet20-cifar10"]


def test_samples_stand_class_by_class_in_columns(train: TrainView, qtbot: QtBot) -> None:
    small(train)
    train.form.look_requested.emit()
    qtbot.waitUntil(lambda: "Shapes" in train.form.facts.text(), timeout=PATIENCE_MS)
    facts = train.form._facts
    assert facts is not None and facts.sample_labels.tolist() == [*range(10)] * 3
    assert len(facts.augmented) == 1 + 8  # the picture itself, and eight times as the net may see it
    assert (facts.augmented[0] == facts.samples[0]).all()
    assert sum((copy != facts.samples[0]).any() for copy in facts.augmented[1:]) >= 7
    assert "multiply-adds" in train.form.cost.text() or train.form._cost is None


def test_pictures_of_each_class_are_counted(train: TrainView, qtbot: QtBot, tmp_path: Path) -> None:
    from PIL import Image

    for name, count in (("Cat", 7), ("Dog", 5)):
        for number in range(count):
            path = tmp_path / "pets" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((9, 9, 3), 20 * number, np.uint8)).save(path)
    (tmp_path / "pets" / "Cat" / "odd.png").write_text("no picture")
    small(train, data=str(tmp_path / "pets"), test_share=0.0)
    train.form.look_requested.emit()
    qtbot.waitUntil(lambda: "pets" in train.form.facts.text(), timeout=PATIENCE_MS)
    assert "cat 7, dog 5" in train.form.facts.text() and "1 not readable" in train.form.facts.text()
    assert "odd.png" in train.form.facts.toolTip()


def test_a_cell_of_the_confusion_matrix_shows_its_pictures(train: TrainView, qtbot: QtBot) -> None:
    small(train)
    train.start()
    run = runs_dir() / "resnet20-shapes"
    qtbot.waitUntil(lambda: finished(train, run), timeout=PATIENCE_MS)
    history = train.book.get(run)
    assert history is not None and history.confusion is not None
    wrong = history.confusion.copy()
    np.fill_diagonal(wrong, 0)
    true, answer = (int(one) for one in np.unravel_index(int(wrong.argmax()), wrong.shape))
    train.side.confusion.cell_clicked.emit(true, answer)  # nothing was answered yet: it is first
    gallery = train.center.gallery
    qtbot.waitUntil(lambda: gallery.pair() == (true, answer), timeout=PATIENCE_MS)
    assert len(gallery.shown()) == wrong[true, answer]
    assert run.name in train.center.tabs.tabText(train.center.tabs.indexOf(gallery))


def test_a_new_run_has_a_name_that_none_has(tmp_path: Path) -> None:
    made = from_recipe("quick", "resnet20", "/somewhere/photos.csv")
    folders = (tmp_path / "own", tmp_path / "shipped")
    assert unused_name(folders, made) == "resnet20-photos"
    (tmp_path / "shipped" / "resnet20-photos").mkdir(parents=True)
    (tmp_path / "own" / "resnet20-photos-2").mkdir(parents=True)
    assert unused_name(folders, made) == "resnet20-photos-3"


def test_a_line_that_does_not_fit_ends_in_an_ellipsis(qtbot: QtBot) -> None:
    label = ElidedLabel("a rather long line of text")
    qtbot.addWidget(label)
    label.resize(400, 20)
    label.show()
    assert label.shown() == label.text() and not label.toolTip()
    label.resize(60, 20)
    assert label.shown().endswith("…") and label.toolTip() == label.text()
    label.setText("a")
    assert label.shown() == "a" and not label.toolTip()
