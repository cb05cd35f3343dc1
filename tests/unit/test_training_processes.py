"""Training as processes: killed at random moments, and several that train one net together."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resnet_viz.training import layout, runs
from resnet_viz.training.alive import is_alive
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.loop import train
from resnet_viz.training.prepare import load_part

KILLS = 20
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and torchrun's gloo as on Linux and macOS")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set on disk: 96 training and 30 test pictures of three colours."""
    path = tmp_path_factory.mktemp("data") / "colours"
    path.mkdir()
    rng = np.random.default_rng(0)
    for split, count in (("train", 96), ("test", 30)):
        labels = np.arange(count) % 3
        images = rng.integers(0, 120, (count, 8, 8, 3), dtype=np.uint8)
        images[np.arange(count), :, :, labels] += 100
        np.savez(path / f"{split}.npz", images=images, labels=labels, classes=np.array(["red", "green", "blue"]))
    return path


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "resnet_viz", "train", *(str(word) for word in words)]


def options(folder: Path, run: Path, **more: object) -> list[object]:
    found: list[object] = ["--model", "resnet20", "--data", folder, "--out", run, "--size", 8, "--batch", 16]
    found += ["--bf16", "off", "--pad", 1, "--val-share", 0.1]
    for name, value in more.items():
        found += ["--" + name.replace("_", "-"), value]
    return found


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def finish(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=600, check=True)


def last(run: Path) -> dict[str, Any]:
    state = runs.read_last(run)
    assert state is not None
    return state


DRIVER = """
# forks a child for every line it reads: torch is imported once, not once for each kill
import os, sys
from pathlib import Path
from resnet_viz.training import loop
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.prepare import load_part
import torch.optim
run, config = Path(sys.argv[1]), TrainConfig.read(Path(sys.argv[2]))
for line in sys.stdin:
    child = os.fork()
    if not child:
        for event in loop.train(config, load_part(config, "train"), run):
            pass
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_at_random_moments_a_run_ends_as_one_that_never_was(folder: Path, tmp_path: Path) -> None:
    """Twenty times SIGKILL, at any moment from the reading of the data on."""
    config = TrainConfig(
        "resnet20", str(folder), epochs=40, size=8, batch=16, bf16="off", pad=1, checkpoint_every_s=0.02, lanes=2
    )
    (tmp_path / "config.toml").write_text(config.to_toml())
    run, whole, rng, kills = tmp_path / "killed", tmp_path / "whole", random.Random(1), 0
    begun = time.monotonic()
    for _ in train(config, load_part(config, "train"), whole):
        pass
    longest_s = min(0.6, (time.monotonic() - begun) / KILLS)  # all together shorter than a run, however fast
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, run, tmp_path / "config.toml"],
        env=environment() | {"OMP_NUM_THREADS": "2"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert driver.stdin is not None and driver.stdout is not None
    status = -1
    while status != 0:
        driver.stdin.write("go\n")
        driver.stdin.flush()
        child = int(driver.stdout.readline())
        if kills < KILLS:
            time.sleep(rng.random() * longest_s)
            os.kill(child, signal.SIGKILL)
            kills += 1
        status = int(driver.stdout.readline())
    driver.stdin.close()
    driver.stdout.close()
    assert driver.wait(30) == 0
    one, other = last(run), last(whole)
    assert kills == KILLS and one["step"] == other["step"]
    assert all(torch.equal(one["net"][name], other["net"][name]) for name in other["net"])
    best, expected = runs.read_weights(run), runs.read_weights(whole)
    assert all(torch.equal(best[name], expected[name]) for name in expected)
    for path in (run, whole):
        told = [json.loads(line) for line in (path / layout.EVENTS).read_text().splitlines()]
        assert [event["epoch"] for event in told if event["event"] == "epoch"] == list(range(1, 41))
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}


def test_two_processes_train_like_one(folder: Path, tmp_path: Path) -> None:
    """Half the batch each, without batch norm, whose statistics each process takes of its own half."""
    more: dict[str, object] = {"epochs": 2, "optimizer": "momentum", "lr": 0.01}
    alone = options(folder, tmp_path / "one", **more)
    together = options(folder, tmp_path / "two", **more)
    finish(command(*alone, "--no-batch-norm"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    module = ["-m", "resnet_viz", "train", *(str(word) for word in together), "--no-batch-norm"]
    finish(torchrun + module)
    one, two = last(tmp_path / "one"), last(tmp_path / "two")
    assert one["step"] == two["step"] == 12
    for name, value in one["net"].items():
        # sums of floats in another order
        torch.testing.assert_close(two["net"][name], value, rtol=1e-4, atol=1e-6)
    events = [json.loads(line) for line in (tmp_path / "two" / layout.EVENTS).read_text().splitlines()]
    assert events[0]["processes"] == 2
    assert sum(event["event"] == "epoch" for event in events) == 2
    first = [json.loads(line) for line in (tmp_path / "one" / layout.EVENTS).read_text().splitlines()]
    losses = [[e["train_loss"] for e in told if e["event"] == "epoch"] for told in (first, events)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_two_lanes_train_like_two_processes(folder: Path, tmp_path: Path) -> None:
    """Batch norm included, which sees half of each batch both ways."""
    more: dict[str, object] = {"epochs": 1, "max_steps": 5, "optimizer": "momentum", "lr": 0.01}  # whole batches
    finish(command(*options(folder, tmp_path / "lanes", **more), "--lanes", 2))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    finish([*torchrun, "-m", "resnet_viz", "train", *(str(w) for w in options(folder, tmp_path / "two", **more))])
    lanes, two = last(tmp_path / "lanes"), last(tmp_path / "two")
    assert lanes["step"] == two["step"] == 5
    for name, value in lanes["net"].items():
        if "running" in name or "tracked" in name:
            continue  # of rank 0's half there, the mean of both here
        torch.testing.assert_close(two["net"][name], value, rtol=1e-4, atol=1e-6)


def test_the_windows_process_obeys_its_commands(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = command(*options(folder, run, epochs=2000), "--controlled")
    child = subprocess.Popen(
        words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    seen: list[str] = []
    for line in child.stdout:
        event = json.loads(line)  # JSON and nothing else
        seen.append(event["event"])
        if event["event"] == "epoch" and "paused" not in seen:
            child.stdin.write('nonsense\n{"cmd": "pause"}\n')
            child.stdin.flush()
        if event["event"] == "paused" and event["paused"]:
            child.stdin.write('{"cmd": "resume"}\n')
            child.stdin.flush()
        if event["event"] == "paused" and not event["paused"]:
            child.stdin.close()  # the parent is gone: save and finish
    _, errors = child.stdout.close(), child.stderr.read() if child.stderr else ""
    assert child.wait(600) == 0, errors
    if child.stderr:
        child.stderr.close()
    assert seen[0] == "started" and seen[-1] == "finished" and seen.count("paused") == 2
    assert runs.read_last(run) is not None and not (run / "alive").exists()
    if hasattr(os, "SCHED_IDLE"):
        assert "priority idle" in errors


def test_a_run_told_to_go_on_alone_survives_its_parent(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = command(*options(folder, run, epochs=20), "--controlled")
    child = subprocess.Popen(
        words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdout.readline()
    child.stdin.write('{"cmd": "detach"}\n')
    child.stdin.close()
    child.stdout.close()
    alone = False
    while not alone and child.poll() is None:  # 20 epochs take seconds, hearing a command does not
        alone = not hasattr(os, "getsid") or os.getsid(child.pid) == child.pid
        time.sleep(0.01)
    assert alone
    assert child.wait(600) == 0  # a machine that is busy otherwise may take minutes
    told = [json.loads(line) for line in (run / layout.EVENTS).read_text().splitlines()]
    assert told[-1]["event"] == "finished" and not told[-1]["stopped"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--model", "resnet20", "--out", "x"], "--data is missing"),
        (["--model", "resnet21", "--data", "DATA", "--out", "x"], "resnet20"),
        (["--model", "resnet20", "--data", "DATA", "--out", "x", "--lr", "1e9"], "lr is"),
        (["--model", "resnet20", "--data", "DATA", "--out", "x", "--recipe", "transfer"], "--start-from"),
        (["--model", "resnet20", "--data", "nowhere", "--out", "x"], "nowhere"),
        (["--model", "hresnet", "--data", "DATA", "--out", "x", "--size", "40"], "size"),
        (["--resume", "nowhere"], "nowhere"),
    ],
)
def test_bad_words_are_one_line_and_status_2(folder: Path, tmp_path: Path, words: list[str], part: str) -> None:
    from resnet_viz.cli.main import run

    given = [str(folder) if word == "DATA" else word for word in words]
    given = [str(tmp_path / word) if word == "x" else word for word in given]
    done = subprocess.run(command(*given), env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 2 and part in done.stderr and len(done.stderr.splitlines()) == 1
    assert callable(run) and not (tmp_path / "x").exists()


def test_accuracy_over_the_kept_epochs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_viz.cli.main import run as cli

    run = tmp_path / "run"
    words = [str(word) for word in options(folder, run, epochs=3)]
    assert cli(["train", *words, "--keep-epochs", "--json"]) == 0
    capsys.readouterr()
    chart = tmp_path / "chart.svg"
    assert cli(["evaluate", str(run), "--all-epochs", "--json", "--out", str(chart)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["epoch"] for row in rows] == [1, 2, 3] and all(row["n"] == 30 for row in rows)
    card = json.loads((run / layout.CARD).read_text())
    assert 1 - card["test_error"] in [pytest.approx(row["accuracy"], abs=1e-6) for row in rows]
    assert "<svg" in chart.read_text()
    assert cli(["evaluate", str(run), "--all-epochs", "--out", str(tmp_path / "chart.doc")]) == 2


def test_a_run_is_trained_by_one_process_at_a_time(folder: Path, tmp_path: Path) -> None:
    from resnet_viz.cli.main import run as cli

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "alive").write_text("1")
    assert cli(["train", *(str(word) for word in options(folder, tmp_path / "run", epochs=1))]) == 2
    os.utime(tmp_path / "run" / "alive", (0, 0))  # the pulse of a process that was killed long ago
    assert cli(["train", *(str(word) for word in options(folder, tmp_path / "run", epochs=1)), "--json"]) == 0


def test_what_a_run_would_cost_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_viz.cli.main import run as cli

    assert cli(["train", "--model", "resnet20", "--data", "shapes", "--batch", "8", "--estimate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["params"] == 269_722 and found["macs"] == pytest.approx(40.8e6, rel=0.01)  # He et al.: 0.27 M
    assert found["step_s"] > 0 and found["batch"] == 8


def test_a_killed_run_is_resumed_at_once(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    child = subprocess.Popen(command(*options(folder, run, epochs=2000)), env=environment(), stdout=subprocess.PIPE)
    assert child.stdout is not None
    while b"epoch" not in (line := child.stdout.readline()):
        assert line
    assert is_alive(run)
    child.kill()
    child.stdout.close()
    child.wait(30)
    assert (run / "alive").exists() and not is_alive(run)
    number, _, place = (run / "alive").read_text().partition(" ")
    (run / "alive").write_text(f"{number} another machine")  # only its own can tell
    assert is_alive(run)
    (run / "alive").write_text(f"{os.getpid()} {place}")
    assert is_alive(run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_the_run_first(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    run = tmp_path / "run"
    words = command(*options(folder, run, epochs=2000))
    child = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    while "epoch" not in (line := child.stdout.readline()):
        assert line
    child.send_signal(number)
    out, errors = child.communicate(timeout=600)
    assert child.returncode == 130 and f"--resume {run}" in out and "saving" in errors
    assert last(run)["step"] > 0 and not (run / "alive").exists()
    told = [json.loads(line) for line in (run / layout.EVENTS).read_text().splitlines()]
    assert told[-1]["event"] == "finished" and told[-1]["stopped"]


FULL = """
# the disk is full for every file above 700,000 bytes, from the second epoch on
import resource, signal, sys
from pathlib import Path
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.events import Epoch, to_json
from resnet_viz.training.loop import train
from resnet_viz.training.prepare import load_part
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
config = TrainConfig.read(Path(sys.argv[2]))
for event in train(config, load_part(config, "train"), Path(sys.argv[1])):
    print(to_json(event), flush=True)
    if isinstance(event, Epoch) and event.epoch == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, resource.RLIM_INFINITY))
"""


def test_a_disk_that_is_full_is_one_sentence_and_loses_nothing(folder: Path, tmp_path: Path) -> None:
    """The system itself refuses to write, at whatever moment and from whatever library it is asked."""
    config = TrainConfig("resnet20", str(folder), epochs=4, size=8, batch=16, bf16="off", pad=1, lr=0.01)
    (tmp_path / "config.toml").write_text(config.to_toml())
    run = tmp_path / "run"
    done = finish([sys.executable, "-c", FULL, str(run), str(tmp_path / "config.toml")])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1]["event"] == "failed" and "cannot be written" in told[-1]["reason"]
    assert str(run) in told[-1]["reason"] and not done.stderr
    assert last(run)["epochs"] == 1 and runs.read_weights(run)  # both are whole
    again = finish(command("--resume", run))
    assert last(run)["epochs"] == 4 and "test error" in again.stdout


ALLOCATOR = """
import resource, numpy as np
from resnet_viz.core.allocator import MOST_BYTES, keep_memory
kept = keep_memory(MOST_BYTES)
np.ones(64 << 20, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    np.ones(64 << 20, np.uint8)
print(int(kept), (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
@pytest.mark.parametrize("window", [True, False])
def test_blocks_of_a_training_step_are_kept(window: bool) -> None:
    """Eight blocks of 64 MiB, one after the other: given back, each would be mapped page by page anew."""
    from resnet_viz.session.child_process import child_environment

    surroundings = child_environment() if window else dict(os.environ)
    words = [sys.executable, "-c", ALLOCATOR]
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, check=True, timeout=600)
    kept, mapped_mb = (int(word) for word in done.stdout.split())
    if not kept:
        pytest.skip("another C library")
    assert mapped_mb < 128  # of 512


def test_a_run_goes_on_with_its_own_options(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_viz.cli.main import run as cli

    run = tmp_path / "run"
    assert cli(["train", *(str(word) for word in options(folder, run, epochs=1)), "--json"]) == 0
    capsys.readouterr()
    for words in (["--epochs", "9"], ["--data", "shapes"], ["--no-flip"]):
        assert cli(["train", "--resume", str(run), *words]) == 2
        assert words[0].replace("--no-", "--") in capsys.readouterr().err


def test_a_relative_folder_is_found_again_from_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resnet_viz.cli.main import run as cli

    monkeypatch.chdir(folder.parent)
    assert (
        cli(["train", *(str(word) for word in options(Path(folder.name), tmp_path / "run", epochs=1)), "--json"]) == 0
    )
    monkeypatch.chdir(tmp_path)
    assert TrainConfig.read(tmp_path / "run" / layout.CONFIG).data == str(folder)
    assert cli(["train", "--resume", str(tmp_path / "run"), "--json"]) == 0


def test_a_run_is_measured_on_its_own_test_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without parts was divided when the run began: none it was trained on is counted."""
    from PIL import Image

    from resnet_viz.cli.main import run as cli

    rng = np.random.default_rng(0)
    for number, name in enumerate(("red", "green")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(0, 120, (8, 8, 3), np.uint8)
            pixels[..., number] += 100
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{index}.png")
    run = tmp_path / "run"
    words = options(tmp_path / "pictures", run, epochs=1)
    assert cli(["train", *(str(word) for word in words), "--test-share", "0.25", "--json"]) == 0
    error = json.loads((run / layout.CARD).read_text())["test_error"]
    monkeypatch.chdir(tmp_path)
    for data in ([], [str(tmp_path / "pictures")], ["pictures"]):
        capsys.readouterr()
        assert cli(["evaluate", str(run), *data, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["n"] == 10 and found["accuracy"] == pytest.approx(1 - error, abs=1e-6)


def test_an_absent_data_set_is_offered_not_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_viz.cli.main import run as cli
    from resnet_viz.data.download import installed

    if installed("cifar100") is not None:
        pytest.skip("CIFAR-100 is on this machine")
    words = ["--model", "resnet20", "--data", "cifar100", "--out", str(tmp_path / "run")]
    assert cli(["train", *words]) == 2
    said = capsys.readouterr().err
    assert "--download" in said and "MB" in said and not (tmp_path / "run").exists()
