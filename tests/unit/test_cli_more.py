"""The command line at its edges: warnings are said, odd names and streams are one sentence, nothing is a traceback."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from resnet_viz.analysis.activations import observe
from resnet_viz.cli.main import run
from resnet_viz.core import paths
from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import assets_dir, exists, named_path, runs_dir
from resnet_viz.models import create
from resnet_viz.session.normalizing import parse_normalization
from resnet_viz.training.parts import find_start

CAT = str(assets_dir() / "samples" / "cat.jpg")
QUICK = ("--noise", "--batch", "4")


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one sentence that a command ends with."""
    status = run(words)
    caught = capsys.readouterr()
    assert status == 2, (words, caught)
    assert caught.out == "" and caught.err.count("\n") == 1 and caught.err.startswith("resnet-viz: "), caught
    return caught.err


def save(net: nn.Module, path: Path) -> str:
    torch.save(net.state_dict(), path)
    return str(path)


def program(*words: str, shell: str = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program as a process of its own, its stdout as ``shell`` redirects it."""
    command = [sys.executable, "-m", "resnet_viz", *words]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(command, capture_output=True, timeout=600, env={**os.environ, **env})


def picture_set(folder: Path) -> str:
    rng = np.random.default_rng(0)
    for name in ("cat", "ship"):
        (folder / "test" / name).mkdir(parents=True)
        for index in range(2):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "test" / name / f"{index}.png")
    (folder / "test" / "cat" / "broken.png").write_bytes(b"no picture")
    return str(folder)


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "edgenets.py").write_text(
        "from torch import nn\n"
        "print('imported')\n"
        "def make():\n"
        "    print('made')\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))\n"
        "def maps():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1))\n"
    )
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("edgenets", None)


# --- a checkpoint's warnings


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    net = create("resnet20", seed=0)
    with torch.no_grad():
        for value in net.parameters():
            value.fill_(float("nan"))
    return save(net, tmp_path / "nan.pt")


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_answers_that_mean_nothing_are_not_given(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, damaged: str, as_json: tuple[str, ...]
) -> None:
    data = picture_set(tmp_path / "data")
    for words in (
        ("predict", damaged, CAT),
        ("features", damaged, CAT, "--layer", "conv1"),
        ("evaluate", damaged, data),
        ("lesion", damaged, "--data", data),
    ):
        assert "NaN or infinite" in fails(capsys, *words, *as_json)
    for words in (("layers", damaged), ("gradients", damaged, *QUICK)):
        assert run([*words, *as_json]) == 0
        caught = capsys.readouterr()
        assert "NaN or infinite" in caught.err and "NaN or infinite" not in caught.out


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_twin_and_a_guessed_mean_are_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, as_json: tuple[str, ...]
) -> None:
    bare = save(create("plain20", seed=0), tmp_path / "plain.pt")
    data = picture_set(tmp_path / "data")
    for words, guess in (
        (("predict", bare, CAT), True),
        (("features", bare, CAT, "--layer", "conv1"), True),
        (("evaluate", bare, data), True),
        (("lesion", bare, "--data", data), True),
        (("gradients", bare, *QUICK), False),  # noise is not normalised
        (("layers", bare), False),
    ):
        assert run([*words, *as_json]) == 0
        caught = capsys.readouterr()
        assert "--arch plain20" in caught.err, words
        assert ("a guess" in caught.err) == guess, words
        assert "a guess" not in caught.out and "--arch" not in caught.out
    assert run(["predict", bare, CAT, "--arch", "plain20", "--normalize", "cifar10"]) == 0
    assert capsys.readouterr().err == ""


def test_a_foreign_net_with_weights_that_are_nan(capsys: pytest.CaptureFixture[str], factories: Path) -> None:
    (factories / "edgenets.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def make():\n"
        "    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))\n"
        "    nn.init.constant_(net[3].bias, float('inf'))\n"
        "    return net\n"
    )
    assert "NaN or infinite" in fails(capsys, "predict", CAT, "--factory", "edgenets:make", "--input-size", "20")


def test_a_run_whose_weights_are_nan_is_not_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    data = Path(picture_set(tmp_path / "data"))
    (data / "test" / "cat" / "broken.png").unlink()
    picture_set(tmp_path / "again")
    (tmp_path / "again" / "test").rename(data / "train")
    out = tmp_path / "run"
    words = ["train", "--model", "resnet20", "--data", str(data), "--epochs", "1", "--batch", "2", "--bf16", "off"]
    assert run([*words, "--val-share", "0", "--keep-epochs", "--out", str(out)]) == 0
    capsys.readouterr()
    for file in out.rglob("*.safetensors"):
        tensors = load_file(file)
        tensors["conv1.weight"].fill_(float("nan"))
        save_file(tensors, file)
    assert "NaN or infinite" in fails(capsys, "evaluate", str(out), "--json")
    assert run(["evaluate", str(out), "--all-epochs", "--json"]) == 0
    assert "epoch 1: " in (said := capsys.readouterr().err) and "NaN or infinite" in said


# --- stdout as it may be


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_letters_that_stdout_lacks(encoding: str, tmp_path: Path) -> None:
    named = tmp_path / "고양이.jpg"
    named.write_bytes(Path(CAT).read_bytes())
    shown = program("predict", "resnet20-cifar10", str(named), PYTHONIOENCODING=encoding)
    assert shown.returncode == 0, shown.stderr
    assert b"cat" in shown.stdout and b"??" in shown.stdout and b"#" * 24 in shown.stdout
    shown = program("predict", "resnet20-cifar10", str(named), "--json", PYTHONIOENCODING=encoding)
    assert json.loads(shown.stdout.decode("ascii"))[0]["image"] == str(named)


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are Linux's")
def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.jpg"))
    named.write_bytes(Path(CAT).read_bytes())
    shown = program("predict", "resnet20-cifar10", str(named), "--json", PYTHONIOENCODING="utf-8")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)[0]["image"] == str(named)
    for ending in ("csv", "svg", "png", "npz"):
        out = tmp_path / f"x.{ending}"
        assert run(["features", "resnet20-cifar10", str(named), "--layer", "conv1", "--out", str(out)]) == 0
        assert out.stat().st_size > 0
    assert "bad\\udcff.jpg" in (tmp_path / "x.csv").read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_full_or_closed_stdout(as_json: tuple[str, ...], tmp_path: Path) -> None:
    shown = program("models", *as_json, shell="> /dev/full")
    assert shown.returncode == 2
    assert (
        shown.stderr.decode().startswith("resnet-viz: The output cannot be written") and shown.stderr.count(b"\n") == 1
    )
    out = tmp_path / "maps.npz"
    words = ("features", "resnet20-cifar10", CAT, "--layer", "conv1", "--out", str(out), *as_json)
    shown = program(*words, shell=">&-")  # nobody wants to read it; the file is written all the same
    assert (shown.returncode, shown.stderr) == (0, b"")
    with np.load(out) as file:
        assert file["maps"].shape == (16, 32, 32)
    assert program("predict", "nothing", CAT, shell=">&- 2>&-").returncode == 2


# --- nets from a factory


def test_model_may_be_left_out_beside_a_factory(capsys: pytest.CaptureFixture[str], factories: Path) -> None:
    factory = ("--factory", "edgenets:make", "--input-size", "20")
    for words in (("predict", CAT, *factory), ("predict", *factory, CAT), ("predict", CAT, CAT, *factory)):
        assert run([*words, "--json"]) == 0
        caught = capsys.readouterr()
        rows = json.loads(caught.out)
        assert [row["image"] for row in rows] == [CAT] * words.count(CAT)
        assert "made" in caught.err  # what the factory prints is not the answer
    weights = factories / "w.pt"
    torch.save(sys.modules["edgenets"].make().state_dict(), weights)
    assert run(["predict", str(weights), CAT, *factory, "--json"]) == 0
    capsys.readouterr()
    assert run(["features", CAT, "--factory=edgenets:make", "--input-size", "20", "--layer", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [4, 18, 18]
    assert "IMAGE" in fails(capsys, "predict", *factory)
    assert "IMAGE" in fails(capsys, "predict", "resnet20-cifar10")


def test_a_net_that_returns_maps_is_no_classifier(capsys: pytest.CaptureFixture[str], factories: Path) -> None:
    words = ("predict", CAT, "--factory", "edgenets:maps", "--input-size", "20", "--normalize", "half")
    assert run(words) == 2
    assert "Choose a classifier" in capsys.readouterr().err


def test_logits_may_have_sides_of_one_pixel() -> None:
    x = torch.zeros(1, 3, 8, 8)
    head = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1))
    logits = observe(head, x).logits
    assert logits is not None and logits.shape == (5,)
    seen = observe(nn.Sequential(nn.Conv2d(3, 5, 3)), x, layers=["0"])
    assert seen.logits is None and seen.activations["0"].maps.shape == (5, 6, 6)  # its maps can be looked at


# --- odd cards


@pytest.mark.parametrize(
    "odd",
    [
        '{"test_error": NaN}',
        '{"test_error": "much"}',
        '{"classes": null}',
        '{"classes": 7}',
        '{"title": ["a", "b"]}',
        '{"title": "two\\nlines", "dataset": {"a": 1}, "params": "many", "arch": 5, "id": 3}',
        '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}",
        "[1]",
        "",
    ],
)
def test_models_lives_with_any_card(capsys: pytest.CaptureFixture[str], odd: str) -> None:
    folder = runs_dir() / "odd"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(odd)
    (folder / "weights.safetensors").write_bytes(b"")
    assert run(["models"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert run(["models", "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert len(table) == len(rows) + 1 and any(row["id"] == "resnet20-cifar10" for row in rows)
    for row in rows:
        assert isinstance(row["title"], str) and "\n" not in row["title"]
        assert row["test_error"] is None or 0 <= row["test_error"] <= 1
        assert row["classes"] is None or isinstance(row["classes"], int)


# --- paths that lead nowhere

LONG = "x" * 5000
ODD = ("~nosuchuser/x", LONG, f"./{LONG}")


def test_paths_that_cannot_be_looked_at_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named_path("~") == Path.home()
    assert not exists(tmp_path / "gone") and not exists(Path(CAT) / "below a file") and exists(tmp_path)
    with pytest.raises(UserError, match="~nosuchuser"):
        named_path("~nosuchuser/x")
    with pytest.raises(UserError, match="too long") as caught:
        exists(Path(LONG))
    assert len(str(caught.value)) < 400
    with pytest.raises(UserError, match="too long"):
        find_start(LONG)
    with pytest.raises(UserError, match="~nosuchuser"):
        find_start("~nosuchuser/x")

    # the permissions of a folder do not bind an administrator
    def refuse(self: Path, **_options: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(paths.Path, "stat", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        exists(tmp_path)


@pytest.mark.parametrize("odd", ODD, ids=("user", "long", "long below"))
def test_models_and_data_with_such_names(capsys: pytest.CaptureFixture[str], odd: str, tmp_path: Path) -> None:
    for words in (
        ("evaluate", "resnet20-cifar10", odd),
        ("lesion", "resnet20-cifar10", "--data", odd),
        ("gradients", "resnet20-cifar10", "--data", odd),
        ("train", "--model", "resnet20", "--data", odd, "--out", str(tmp_path / "r")),
        ("train", "--model", "resnet20", "--data", "shapes", "--start-from", odd, "--out", str(tmp_path / "r")),
        ("train", "--resume", odd),
        ("evaluate", odd, "--all-epochs"),
        ("predict", "resnet20-cifar10", odd),
    ):
        fails(capsys, *words)


@pytest.mark.parametrize("odd", ODD, ids=("user", "long", "long below"))
def test_a_model_with_such_a_name(capsys: pytest.CaptureFixture[str], odd: str, factories: Path) -> None:
    for words in (
        ("predict", odd, CAT),
        ("layers", odd),
        ("evaluate", odd, "cifar10"),
        ("gradients", odd, *QUICK),
        ("layers", odd, "--factory", "edgenets:make"),
    ):
        assert run(words) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("resnet-viz: ")


# --- numbers


@pytest.mark.parametrize("seed", [2**64, 2**70, -(2**63) - 1])
def test_seeds_have_a_range(capsys: pytest.CaptureFixture[str], seed: int) -> None:
    assert str(seed) in fails(capsys, "predict", "resnet20", CAT, "--untrained", "--seed", str(seed))
    assert str(seed) in fails(capsys, "gradients", "resnet20", "--untrained", "--seed", str(seed), *QUICK)


def test_the_last_seed_draws_a_net(capsys: pytest.CaptureFixture[str]) -> None:
    last = str(2**64 - 1)
    assert run(["predict", "resnet20", CAT, "--untrained", "--seed", last]) == 0
    capsys.readouterr()
    assert last in fails(capsys, "gradients", "resnet20", "--untrained", "--seed", last, "--seeds", "2", *QUICK)


@pytest.mark.parametrize(
    "text",
    ["nan,0,0/1,1,1", "inf,0,0/1,1,1", "0,-inf,0/1,1,1", "1e300,0,0/1,1,1", "0,0,0/nan,1,1", "0,0,0/1,1e-30,1"],
)
def test_means_and_deviations_have_a_range(text: str) -> None:
    with pytest.raises(UserError, match="fits no pictures"):
        parse_normalization(text)


def test_deviations_of_pixels_up_to_255_are_fine() -> None:
    assert parse_normalization("0.485,0.456,0.406/0.0039,0.0039,0.0039").std[0] == 0.0039
    assert parse_normalization("-1,0,123.7/1,1,58").mean == (-1, 0, 123.7)


# --- pictures


def test_evaluate_says_which_pictures_it_skipped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = picture_set(tmp_path / "data")
    assert run(["evaluate", "resnet20-cifar10", data, "--json"]) == 0
    caught = capsys.readouterr()
    assert "broken.png" in caught.err and json.loads(caught.out)["n"] == 4


def test_predict_holds_one_picture_at_a_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc
    import weakref

    from resnet_viz.data import images

    load, alive = images.load_image, []

    def watched(path: str) -> Any:
        gc.collect()
        assert sum(one() is not None for one in alive) <= 1  # at most the one before, until its name is taken over
        image = load(path)
        alive.append(weakref.ref(image.pixels))
        return image

    monkeypatch.setattr(images, "load_image", watched)
    assert run(["predict", "resnet20-cifar10", *[CAT] * 4, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(alive) == 4


@pytest.mark.parametrize("command", [["predict", CAT], ["features", CAT, "--layer", "head"]])
def test_a_net_that_fails_on_a_picture_says_so_in_one_sentence(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = """
        import torch

        class Picky(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.head, self.calls = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 2), 0

            def forward(self, x):
                if x.abs().sum() > 0:  # the program looks at a black picture when it describes a net
                    raise ValueError("too bright for me")
                return self.head(self.conv(x).mean(dim=(2, 3)))
    """
    (tmp_path / "picky.py").write_text(textwrap.dedent(code))
    monkeypatch.syspath_prepend(tmp_path)
    assert run([*command, "--factory", "picky:Picky", "--input-size", "20"]) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") <= 1 and "too bright for me. Choose another picture" in error, error
