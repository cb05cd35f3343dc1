"""The command line in this process: JSON shapes are a contract, bad input is one line and status 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_viz.cli.commands import commands
from resnet_viz.cli.main import make_parser, run
from resnet_viz.core.paths import assets_dir
from resnet_viz.models import create, models

CAT = str(assets_dir() / "samples" / "cat.jpg")


def call(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run(words) == 0
    return json.loads(capsys.readouterr().out)


def test_models_lists_trained_nets_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = call(capsys, "models", "--json")
    keys = {"id", "title", "family", "depth", "params", "input", "classes", "dataset", "test_error"}
    assert all(set(row) == keys for row in rows)
    assert rows[0]["id"] == "resnet20-cifar10"
    assert rows[0]["test_error"] <= 0.095
    assert rows[0]["params"] == 269_722
    by_id = {row["id"]: row for row in rows}
    assert by_id.keys() >= {*models.ids(), "plain20-cifar10"}
    # a trained net's side is that of its training, not its architecture's usual one
    assert (by_id["xai-catdog"]["input"], by_id["xai"]["input"]) == (34, 128)


def test_layers_gives_shapes_parameters_and_receptive_fields(capsys: pytest.CaptureFixture[str]) -> None:
    rows = call(capsys, "layers", "resnet20-cifar10", "--json")
    assert set(rows[0]) == {"name", "kind", "out_shape", "params", "block", "receptive_field"}
    by_name = {row["name"]: row for row in rows}
    assert by_name["conv1"]["out_shape"] == [16, 32, 32]
    assert by_name["conv1"]["params"] == 3 * 16 * 9
    assert by_name["layer2.0"]["receptive_field"] == [21, 21]
    assert by_name["layer2.0.add"]["block"] == "layer2.0"


def test_predict_gives_the_probabilities_of_a_plain_forward_pass(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = call(capsys, "predict", "resnet20-cifar10", CAT, "--top", "10", "--json")
    assert row["image"] == CAT
    assert row["top"][0]["label"] == "cat"
    assert set(row["top"][0]) == {"index", "label", "prob"}
    assert sum(score["prob"] for score in row["top"]) == pytest.approx(1, abs=1e-5)


def test_predict_takes_several_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    ship = str(assets_dir() / "samples" / "ship.png")
    rows = call(capsys, "predict", "resnet20-cifar10", CAT, ship, "--top", "1", "--json")
    assert [row["top"][0]["label"] for row in rows] == ["cat", "ship"]


def test_features_writes_the_maps_of_the_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "maps.npz"
    words = ("features", "resnet20", CAT, "--untrained", "--seed", "3", "--layer", "conv1", "--out", str(out), "--json")
    shown = call(capsys, *words)
    with np.load(out) as file:
        maps = file["maps"]
    assert maps.dtype == np.float32 and list(maps.shape) == shown["shape"] == [16, 32, 32]
    from resnet_viz.core.types import Fit
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.images import load_image
    from resnet_viz.data.presets import presets
    from resnet_viz.data.transforms import prepare

    view = prepare(load_image(CAT), Fit(), size=32, kind="square")
    x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], presets.get("cifar10"))
    with torch.no_grad():
        expected = create("resnet20", seed=3).conv1(x)[0].numpy()
    assert np.array_equal(maps, expected)


@pytest.mark.parametrize("name", ["grid.png", "grid.svg", "stats.csv"])
def test_features_writes_pictures_and_statistics(name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    assert run(["features", "resnet20-cifar10", CAT, "--layer", "layer2.0", "--out", str(out)]) == 0
    if name.endswith(".png"):
        with Image.open(out) as picture:
            assert picture.size[0] >= 32 * 16 / 6
            assert picture.text["layer"] == "layer2.0"
    elif name.endswith(".csv"):
        lines = [line for line in out.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert len(lines) == 33 and lines[0].startswith("channel,mean")
    else:
        assert "layer2.0" in out.read_text(encoding="utf-8")


def make_set(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "ship"):
        (folder / "test" / name).mkdir(parents=True)
        for index in range(3):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "test" / name / f"{index}.png")
    return folder


def test_evaluate_counts_rightly(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = make_set(tmp_path / "data")
    result = call(capsys, "evaluate", "resnet20-cifar10", str(data), "--json")
    assert set(result) == {"accuracy", "n", "per_class", "confusion"}
    assert result["n"] == 6
    confusion = np.array(result["confusion"])
    assert confusion.shape == (10, 10)
    assert confusion.sum() == 6 and confusion[3].sum() == 3 and confusion[8].sum() == 3
    assert result["accuracy"] == pytest.approx(confusion.diagonal().sum() / 6)


def test_shipped_nets_have_the_error_that_their_card_says(capsys: pytest.CaptureFixture[str], cifar10: Path) -> None:
    """Every fifth test picture, 2,000 in all; the card's figure is measured on all 10,000."""
    from resnet_viz.analysis.evaluation import evaluate
    from resnet_viz.data.datasets import load
    from resnet_viz.session.loading import open_model
    from resnet_viz.session.requests import OpenModel

    net, card = open_model(OpenModel(ref="resnet20-cifar10"))
    data = load(str(cifar10), "test", size=32)
    part = np.arange(0, len(data.labels), 5)
    result = evaluate(net, data.images[part], data.labels[part], card.classes, card.normalization)
    assert card.test_error is not None
    # 2,000 pictures: one standard deviation of the error is 0.65 points
    assert 1 - result.accuracy == pytest.approx(card.test_error, abs=0.02)


def test_train_writes_a_run_that_opens(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = make_set(tmp_path / "tiny")
    (data / "test").rename(data / "train")
    make_set(tmp_path / "again")
    (tmp_path / "again" / "test").rename(data / "test")
    out = tmp_path / "runs" / "mine"
    words = ["train", "--model", "resnet20", "--data", str(data), "--epochs", "1", "--batch", "3", "--bf16", "off"]
    assert run([*words, "--val-share", "0", "--out", str(out), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    card = json.loads((out / "card.json").read_text(encoding="utf-8"))
    assert card["test_pictures"] == 6 and "--seed 0" in card["command"]
    rows = call(capsys, "predict", str(out), CAT, "--json")
    assert {score["label"] for score in rows[0]["top"]} == {"cat", "ship"}
    assert run([*words, "--out", str(out)]) == 2
    assert "--resume" in capsys.readouterr().err


def bad_inputs(tmp_path: Path) -> list[tuple[list[str], str]]:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    empty = tmp_path / "empty.pt"
    empty.write_bytes(b"")
    folder = tmp_path / "folder"
    folder.mkdir()
    return [
        (["predict", "resnet20-cifar10", str(text)], "text.png"),
        (["predict", "resnet20-cifar10", str(tmp_path / "gone.png")], "gone.png"),
        (["predict", "resnet20-cifar10", str(folder)], "folder"),
        (["predict", "resnet20-cifar10", CAT, "--top", "0"], "--top"),
        (["predict", "resnet20", CAT], "--untrained"),
        (["predict", "resnet21", CAT, "--untrained"], "resnet2"),
        (["predict", str(empty), CAT], "empty"),
        (["predict", str(tmp_path / "gone.pth"), CAT], "gone.pth"),
        (["predict", "resnet20-cifar10", CAT, "--normalize", "1,2/3"], "1,2/3"),
        (["predict", "resnet20-cifar10", CAT, "--arch", "resnet56"], "resnet56"),
        (["predict", "x", CAT, "--factory", "nocolon"], "nocolon"),
        (["predict", "", CAT, "--factory", "no.such.module:f"], "no.such.module"),
        (["layers", "nothing"], "nothing"),
        (["layers"], "model"),
        (["features", "resnet20-cifar10", CAT, "--layer", "layer9"], "layer9"),
        (["features", "resnet20-cifar10", CAT, "--layer", "conv1", "--out", str(tmp_path / "x.doc")], "x.doc"),
        (["features", "resnet20-cifar10", CAT, "--layer", "conv1", "--out", str(text / "x.png")], "written"),
        (["evaluate", "resnet20-cifar10", str(folder)], "folder"),
        (["evaluate", "resnet20-cifar10", "nodata"], "nodata"),
        (["train", "--model", "resnet20"], "--data"),
        (["train", "--model", "resnet20", "--data", "nodata", "--out", str(tmp_path / "r")], "nodata"),
        (["train", "--resume", str(tmp_path / "none")], "none"),
        (["train", "--model", "x", "--data", "d", "--out", str(tmp_path / "r")], "x"),
        (["nonsense"], "nonsense"),
        (["--nonsense"], "nonsense"),
        (["predict"], "--help"),
    ]


def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words, part in bad_inputs(tmp_path):
        status = run(words)
        caught = capsys.readouterr()
        assert status == 2, words
        assert caught.err.count("\n") == 1 and caught.err.startswith("resnet-viz: "), (words, caught.err)
        assert part in caught.err, (words, caught.err)
        assert "Traceback" not in caught.err
        assert caught.out == "", words


def test_a_net_of_no_known_family_opens_from_a_factory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ownnet.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),"
        " nn.Linear(4, 3))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = call(capsys, "layers", "--factory", "ownnet:make", "--input-size", "20", "--json")
    assert [row["kind"] for row in rows] == ["Conv2d", "ReLU", "AdaptiveAvgPool2d", "Flatten", "Linear"]
    assert rows[0]["out_shape"] == [4, 18, 18]
    answer = call(capsys, "predict", "", CAT, "--factory", "ownnet:make", "--input-size", "20", "--json")
    assert len(answer[0]["top"]) == 3


def test_help_needs_no_torch_and_shows_an_example() -> None:
    code = (
        "import sys\nfrom resnet_viz.cli.main import run\n"
        "for words in (['--help'], ['predict', '--help'], ['train', '--help']):\n"
        "    try: run(words)\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert shown.returncode == 0, shown.stderr
    assert "example:" in shown.stdout


def test_every_command_parses_its_own_example() -> None:
    for command in commands:
        words = command.example.split()[1:]
        assert words[0] == command.name
        make_parser().parse_args(words)


def test_files_and_options_without_a_command_open_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resnet_viz import __main__ as program
    from resnet_viz.gui import app

    started: list[app.Start] = []
    monkeypatch.setattr(app, "run_app", lambda start: started.append(start) or 0)

    def main(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["resnet-viz", *words])
        return program.main()

    assert main() == 0 and started[-1] == app.Start()
    assert main(CAT, "plain20-cifar10") == 0
    assert started[-1].image == CAT and started[-1].model is not None and started[-1].model.ref == "plain20-cifar10"
    assert main(str(tmp_path)) == 0 and started[-1].folder == str(tmp_path)
    assert main("--factory", "nets:make", CAT) == 0
    assert started[-1].model is not None and started[-1].model.factory == "nets:make" and started[-1].image == CAT
    assert main("--untrained", "resnet56", "--seed", "3") == 0
    assert started[-1].model is not None and (started[-1].model.ref, started[-1].model.seed) == ("resnet56", 3)
    count = len(started)
    assert main("--nonsense") == 2 and main(CAT, "gone.png") == 2 and main("gone") == 2
    assert len(started) == count
