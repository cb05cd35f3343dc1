"""Reading a run's folder: curves, state, growth, damage."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resnet_viz.training import events, layout
from resnet_viz.training.history import Follower, depth_of, find_runs, read_history, shortcut_of
from resnet_viz.training.history_log import MAX_POINTS, LogState, Series

ROOT = Path(__file__).parents[2]
TRAINED = sorted(path.parent for path in (ROOT / "trained").glob("*/events.jsonl"))

STARTED = events.Started("plain20", 269_722, 1280, 128, 10, 3, False, 30)
GOES_ON = events.Started("plain20", 269_722, 1280, 128, 10, 3, False, 30, step=10)
BLOCKS = ("stem", "layer1.0", "fc")


def log_of(*many: events.Event) -> str:
    return "".join(events.to_json(event) + "\n" for event in many)


def make_run(path: Path, text: str, config: str = 'model = "plain20"\ndata = "shapes"\nbatch = 128\n') -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.toml").write_text(config, encoding="utf-8")
    (path / "events.jsonl").write_text(text, encoding="utf-8")
    return path


def gradients(step: int, scale: float = 1.0) -> events.Gradients:
    return events.Gradients(step, BLOCKS, (scale, 2 * scale, 3 * scale), (0.1, 0.2, 0.3), 2.0, 0.5)


SHORT = (
    STARTED,
    gradients(1),
    events.Step(5, 1, 2.0, 0.1, 256.0),
    events.Step(10, 1, 1.5, 0.1, 256.0),
    events.Epoch(1, 1.75, 0.4, 1.6, 0.5, 0.1, 6.0),
    events.Checkpoint(1, "weights.safetensors", True),
    events.Step(15, 2, 1.2, 0.05, 256.0),
)


def test_a_run_in_the_middle(tmp_path: Path) -> None:
    history = read_history(make_run(tmp_path / "고양이", log_of(*SHORT)))
    assert (history.name, history.model, history.data, history.depth) == ("고양이", "plain20", "shapes", 20)
    assert history.plain and history.shortcut == "none" and history.batch_norm
    assert (history.state, history.step, history.epochs_done, history.params) == ("running", 15, 1, 269_722)
    assert history.progress == 0.5
    assert history.train_error.tolist() == [0.6] and history.val_error.tolist() == [0.5]
    assert history.best_val_error == 0.5 and history.last_train_error == 0.6 and history.test_error is None
    assert history.steps.tolist() == [5, 10, 15] and history.step_loss.tolist() == [2.0, 1.5, 1.2]
    assert history.step_epoch.tolist() == [1, 1, 2]
    assert history.blocks == BLOCKS and history.weight_norm.tolist() == [[1, 2, 3]]
    assert history.act_norm is not None and history.act_norm.shape == (1, 3)
    assert history.coherence.tolist() == [0.5]
    assert history.eta_s == pytest.approx(15 * 128 / 256)
    assert history.total_s == pytest.approx(6 + 5 * 128 / 256)
    assert history.epochs_at(history.steps).tolist() == [0.5, 1.0, 1.5]


@pytest.mark.parametrize(
    ("last", "state"),
    [
        ([], "running"),
        ([events.Paused(15, True)], "paused"),
        ([events.Paused(15, True), events.Paused(15, False)], "running"),
        ([events.Finished(1, 8.0, stopped=True)], "stopped"),
        ([events.Finished(3, 8.0)], "finished"),
        ([events.Failed("The disk is full.")], "failed"),
        ([events.Failed("NaN", diverged=True), GOES_ON], "running"),
    ],
)
def test_states(tmp_path: Path, last: list[events.Event], state: str) -> None:
    history = read_history(make_run(tmp_path, log_of(*SHORT, *last)))
    assert history.state == state
    assert bool(history.reason) == (state == "failed")
    assert (history.eta_s is not None) == (state in ("running", "paused"))


def test_numbers_that_were_not_finite_are_nan(tmp_path: Path) -> None:
    broken = events.Gradients(2, BLOCKS, (math.nan, 1.0, math.inf), None, None, None)
    log = log_of(
        STARTED, broken, events.Step(1, 1, math.nan, 0.1, 1.0), events.Epoch(1, 1.0, 0.1, None, None, 0.1, 2.0)
    )
    history = read_history(make_run(tmp_path, log))
    assert math.isnan(history.step_loss[0]) and math.isnan(history.val_error[0])
    assert np.isnan(history.weight_norm[0]).tolist() == [True, False, True]
    assert history.act_norm is None and history.best_val_error is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[1, 2]",
        '{"event": "step"}',
        '{"event": "step", "step": "seven", "loss": []}',
        '{"event": "step", "step": 1e400, "loss": 1}',
        '{"event": "step", "step": NaN}',
        '{"event": "step", "step": -3, "images_per_s": -1}',
        '{"event": "epoch", "epoch": true, "train_acc": {}}',
        '{"event": "epoch", "epoch": ' + "9" * 400 + "}",
        '{"event": ["step"]}',
        '{"event": "gradients", "step": 3, "blocks": "stem", "weight_norm": 1}',
        '{"event": "gradients", "step": 3, "blocks": ["a", "b"], "weight_norm": [1]}',
        '{"event": "gradients", "step": 3, "blocks": [1, {}], "weight_norm": ["x", null]}',
        '{"event": "started", "model": 3, "params": null, "epochs": -1, "steps_per_epoch": []}',
        '{"event": "finished", "elapsed_s": "long"}',
        '{"event": "failed", "reason": 7}',
        '{"event": "news", "what": 1}',
        "[" * 100_000,
        "\x00\x00\x00",
        "훈련",
    ],
)
def test_a_damaged_line_is_passed_over(tmp_path: Path, line: str) -> None:
    before, after = log_of(*SHORT), log_of(events.Epoch(2, 1.0, 0.7, 1.1, 0.6, 0.05, 12.0))
    history = read_history(make_run(tmp_path, f"{before}{line}\n{after}"))
    assert history.val_error[-1] == pytest.approx(0.4)
    assert history.model == "plain20"


def test_a_log_cut_at_every_byte_never_raises() -> None:
    whole = log_of(*SHORT, events.Finished(3, 8.0)).encode()
    counts = []
    for length in range(len(whole) + 1):
        log = LogState()
        for line in whole[:length].split(b"\n"):
            log.feed(line)
        counts.append(len(log.steps.rows()))
    assert counts == sorted(counts) and counts[-1] == 3


def test_a_folder_cut_at_many_bytes_never_raises(tmp_path: Path) -> None:
    whole = log_of(*SHORT, events.Finished(3, 8.0)).encode()
    run = make_run(tmp_path / "run", "")
    card = json.dumps({"title": "훈련", "classes": ["a", "b"], "confusion": [[3, 1], [0, 4]], "test_error": 0.1})
    for length in range(0, len(whole) + 1, 7):
        (run / "events.jsonl").write_bytes(whole[:length])
        (run / "card.json").write_text(card[: length % (len(card) + 1)], encoding="utf-8")
        (run / "config.toml").write_text(('model = "resnet20"\nbatch = 64\n' * 2)[: length % 50], encoding="utf-8")
        assert read_history(run).state in ("new", "running", "finished")


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bytes_never_raise(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run = tmp_path / "run"
    shutil.copytree(TRAINED[0], run, ignore=shutil.ignore_patterns("*.safetensors"))
    for name in ("events.jsonl", "card.json", "config.toml"):
        content = np.frombuffer((run / name).read_bytes(), np.uint8).copy()
        content[rng.integers(0, len(content), max(1, len(content) // 50))] = rng.integers(0, 256)
        (run / name).write_bytes(content.tobytes())
    read_history(run)


def test_cards_that_make_no_sense(tmp_path: Path) -> None:
    run = make_run(tmp_path, log_of(*SHORT))
    for card in ("[]", '{"confusion": [[1, 2]], "classes": 3}', '{"confusion": [["x"]], "test_error": "low"}', "{"):
        (run / "card.json").write_text(card, encoding="utf-8")
        history = read_history(run)
        assert history.test_error is None and history.classes == ()
    assert history.confusion is None


def test_an_empty_or_missing_folder_is_a_new_run(tmp_path: Path) -> None:
    for run in (tmp_path, tmp_path / "nowhere"):
        history = read_history(run)
        assert history.state == "new" and len(history.epoch) == 0 and history.weight_norm.shape == (0, 0)
        assert history.eta_s is None and history.progress == 0


@pytest.mark.parametrize("run", TRAINED, ids=lambda path: path.name)
def test_the_nets_that_ship(run: Path) -> None:
    history = read_history(run)
    assert history.state == "finished" and history.progress == 1
    assert len(history.epoch) == history.epochs_planned == history.epochs_done
    guessing = 1 - 1 / len(json.loads((run / layout.CARD).read_text())["classes"])
    assert history.test_error is not None and 0 < history.test_error < guessing
    assert history.best_val_error is not None and history.total_s > 30  # the head of a small set takes under a minute
    assert history.weight_norm.shape == (len(history.gradient_steps), len(history.blocks))
    assert history.plain == run.name.startswith(("plain", "xai"))  # a net without skips
    assert len(history.classes) == 10 or history.data != "cifar10"


def test_a_follower_reads_only_what_is_new_and_sees_the_same(tmp_path: Path) -> None:
    whole = (TRAINED[0] / "events.jsonl").read_bytes()
    run = make_run(tmp_path / "run", "")
    follower = Follower(run)
    assert follower.poll() is not None and follower.poll() is None
    rng = np.random.default_rng(1)
    done = 0
    while done < len(whole):  # in pieces that end anywhere
        piece = whole[done : done + int(rng.integers(1, 4000))]
        with open(run / "events.jsonl", "ab") as file:
            file.write(piece)
        done += len(piece)
        assert follower.poll() is not None
    assert follower.poll() is None
    end, all_at_once = follower.history, read_history(run)
    assert end is not None
    for name in ("step", "state", "params", "total_s", "best_val_error"):
        assert getattr(end, name) == getattr(all_at_once, name), name
    for name in ("steps", "step_loss", "val_error", "weight_norm"):
        np.testing.assert_array_equal(getattr(end, name), getattr(all_at_once, name))


def test_a_follower_reads_anew_what_was_cut_back(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", log_of(*SHORT))
    follower = Follower(run)
    follower.poll()
    (run / "events.jsonl").write_text(log_of(*SHORT[:3]), encoding="utf-8")
    cut = follower.poll()
    assert cut is not None and cut.steps.tolist() == [5] and len(cut.epoch) == 0
    # cut back and grown past the old end between two looks
    (run / "events.jsonl").write_text(log_of(*SHORT), encoding="utf-8")
    follower.poll()
    again = [events.Step(step, 1, 9.0, 0.1, 100.0) for step in range(6, 40)]
    (run / "events.jsonl").write_text(log_of(*SHORT[:3], *again), encoding="utf-8")
    grown = follower.poll()
    assert grown is not None and grown.steps.tolist() == [5, *range(6, 40)] and len(grown.epoch) == 0
    (run / "events.jsonl").unlink()
    gone = follower.poll()
    assert gone is not None and gone.state == "new" and len(gone.steps) == 0


def test_a_follower_sees_a_card_that_comes_later(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", log_of(*SHORT))
    follower = Follower(run)
    follower.poll()
    (run / "card.json").write_text('{"test_error": 0.25, "confusion": [[3, 1], [0, 4]]}', encoding="utf-8")
    history = follower.poll()
    assert history is not None and history.test_error == 0.25
    assert history.confusion is not None and history.confusion.tolist() == [[3, 1], [0, 4]]


def test_a_follower_with_a_limit_catches_up(tmp_path: Path) -> None:
    steps = [events.Step(step, 1, 1.0, 0.1, 100.0) for step in range(1, 40_000)]
    run = make_run(tmp_path / "run", log_of(STARTED, *steps))
    follower = Follower(run)
    looks = 0
    while follower.poll(max_bytes=1 << 20) is not None:
        looks += 1
    assert looks >= 4 and not follower.behind
    assert follower.history is not None and follower.history.step == 39_999


def test_a_run_that_went_on_repeats_nothing(tmp_path: Path) -> None:
    again = (GOES_ON, events.Step(15, 2, 7.0, 0.05, 256.0), events.Step(20, 2, 6.0, 0.05, 256.0))
    history = read_history(make_run(tmp_path, log_of(*SHORT, *again)))
    assert history.steps.tolist() == [5, 10, 15, 20] and history.step_loss.tolist() == [2.0, 1.5, 7.0, 6.0]


def test_a_run_begun_anew_forgets_what_was(tmp_path: Path) -> None:
    history = read_history(make_run(tmp_path, log_of(*SHORT, STARTED)))
    assert history.step == history.total_s == history.epochs_done == len(history.steps) == len(history.epoch) == 0


def test_long_logs_are_thinned_evenly() -> None:
    series = Series(MAX_POINTS)
    for step in range(1_000_000):
        series.add((step, -step))
    rows = series.rows()
    keys = np.array([row[0] for row in rows])
    assert MAX_POINTS // 3 < len(rows) <= MAX_POINTS
    assert keys[0] == 0 and keys[-1] == 999_999
    assert len(set(np.diff(keys[:-1]).tolist())) == 1  # one stride all along
    series.add((500, 1))
    assert series.rows()[-1] == (500, 1) and len(series.rows()) < 10


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    run = make_run(tmp_path, "x" * 9_000_000 + "\n" + log_of(*SHORT))
    follower = Follower(run)
    history = follower.poll()
    assert history is not None and history.step == 15


def test_older_configurations(tmp_path: Path) -> None:
    old = 'model = "resnet56"\nnesterov = true\nval_pictures = 2000\n'
    assert read_history(make_run(tmp_path, "", old)).optimizer == "nesterov"
    assert read_history(make_run(tmp_path, "", old.replace("true", "false"))).optimizer == "momentum"
    ablated = read_history(make_run(tmp_path, "", 'model = "resnet56"\nshortcut = "none"\nbatch_norm = false\n'))
    assert ablated.plain and not ablated.batch_norm


def test_depth_and_shortcut() -> None:
    assert [depth_of(model) for model in ("plain110", "resnet18", "hresnet", "xai")] == [110, 18, 0, 0]
    assert [shortcut_of(model, "") for model in ("resnet20", "resnet18", "hresnet", "xai")] == ["A", "B", "B", "none"]
    assert shortcut_of("resnet20", "B") == "B"


def test_runs_are_found_once(tmp_path: Path) -> None:
    for name in ("b", "a"):
        make_run(tmp_path / "runs" / name, "")
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "runs" / "file").write_text("x")
    runs = tmp_path / "runs"
    assert [path.name for path in find_runs([runs, runs / "a", tmp_path / "none"])] == ["a", "b"]
    assert find_runs([runs / "b"]) == [runs / "b"]


def test_reading_needs_neither_torch_nor_qt() -> None:
    code = (
        "import sys, resnet_viz.training.history\n"
        "print([name for name in ('torch', 'PyQt6', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.stdout.strip() == "[]", done.stderr
