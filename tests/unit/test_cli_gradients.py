"""``resnet-viz gradients``: the library's numbers as JSON, table, chart and numbers; bad input is one line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.cli import gradients
from resnet_viz.cli.main import run
from resnet_viz.core.gradient_types import WeightChoice, band
from resnet_viz.models.blocks import ActivationName, InitName
from resnet_viz.session.batches_of import find_batch
from resnet_viz.session.gradient_requests import NOISE, BatchRequest
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

KEYS = {"blocks", "act_norm", "weight_norm", "loss", "first_to_last", "first_to_last_act", "coherence"}
QUICK = ("--noise", "--batch", "4")


def call(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run(["gradients", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def own(ref: str, seed: int = 0, **options: Any) -> tuple[Any, Any]:
    net, card = open_model(OpenModel(ref, untrained=True, seed=seed, options=options))
    return net, find_batch(BatchRequest(NOISE, 4), card)


def test_json_is_keyed_by_the_models_as_given(capsys: pytest.CaptureFixture[str]) -> None:
    found = call(capsys, "plain20", "resnet20", "--untrained", "--seed", "3", *QUICK)
    assert list(found) == ["plain20", "resnet20"]
    for name, record in found.items():
        assert set(record) == KEYS
        net, batch = own(name, 3)
        flow = gradient_flow(net, batch.images, batch.labels, seed=3)
        assert record["blocks"] == list(flow.blocks)
        assert record["weight_norm"] == pytest.approx(flow.weight_norm.tolist(), rel=1e-6)
        assert record["act_norm"] == pytest.approx(flow.act_norm.tolist(), rel=1e-6)
        for key in ("loss", "first_to_last", "first_to_last_act", "coherence"):
            assert record[key] == pytest.approx(getattr(flow, key), rel=1e-5)


def test_options_draw_other_nets(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--init", "normal", "--init-std", "0.05", "--no-batch-norm", "--activation", "tanh", "--weights", "all")
    found = call(capsys, "resnet20", *words, "--seeds", "2", "--eval-mode", *QUICK)["resnet20"]
    assert set(found) > KEYS and found["seeds"] == 2 and len(found["first_to_last_of_seeds"]) == 2
    flows = []
    for seed in (0, 1):
        net, batch = own("resnet20", seed, init="normal", init_std=0.05, batch_norm=False, activation="tanh")
        flows.append(gradient_flow(net, batch.images, batch.labels, train_mode=False, weights="all", seed=seed))
    record = band(flows).record()
    for key in ("weight_norm", "weight_norm_low", "act_norm_high", "first_to_last_of_seeds"):
        assert found[key] == pytest.approx(record[key], rel=1e-5)


def test_trained_nets_pictures_and_modes(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("resnet20-cifar10", "--data", "shapes", "--batch", "6", "--picture-seed", "2")
    trained, evaluated = call(capsys, *words), call(capsys, *words, "--eval-mode")
    assert trained["resnet20-cifar10"]["loss"] != evaluated["resnet20-cifar10"]["loss"]
    net, card = open_model(OpenModel("resnet20-cifar10"))
    batch = find_batch(BatchRequest("shapes", 6, 2), card)
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(net(batch.images), batch.labels)
    assert evaluated["resnet20-cifar10"]["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert run(["gradients", *words]) == 0
    assert "taken in order" in capsys.readouterr().err


def test_underflow_and_overflow_are_strict_json(capsys: pytest.CaptureFixture[str]) -> None:
    gone = call(capsys, "plain56", "--init", "default", "--no-batch-norm", *QUICK)["plain56"]
    assert gone["first_to_last"] == 0.0 and gone["loss"] > 2
    blown = call(capsys, "resnet20", "--init", "normal", "--init-std", "100", "--no-batch-norm", *QUICK)["resnet20"]
    assert blown["loss"] is None and blown["first_to_last"] is None and set(blown["weight_norm"]) == {None}


def test_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plain20", "resnet20", "--init", "default", "--no-batch-norm", "--seeds", "2", *QUICK)
    assert run(["gradients", *words]) == 0
    text = capsys.readouterr().out
    assert "4 pictures of noise, seed 0; batch norm as in training; bars from" in text and "log scale" in text
    plain, residual = text.split("\n\n")[1:]
    assert plain.startswith("Plain-20, no batch norm, default init") and "vanishes on the way to the input" in plain
    assert residual.rstrip().endswith("healthy.") and "2 seeds, first / last" in residual
    rows = [line for line in plain.splitlines() if line.startswith("layer")]
    lengths = [row.count("█") for row in rows]
    assert len(rows) == 9 and lengths == sorted(lengths) and lengths[0] < lengths[-1]


def test_nothing_finite_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("resnet20", "--init", "normal", "--init-std", "100", "--no-batch-norm", *QUICK)
    assert run(["gradients", *words]) == 0
    assert "no finite number" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "csv"])
def test_files(capsys: pytest.CaptureFixture[str], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"chart.{ending}"
    found = call(capsys, "plain20", "--untrained", *QUICK, "--out", str(path))
    assert path.stat().st_size > 1000
    if ending == "csv":
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        assert [float(row["weight_norm"]) for row in rows] == pytest.approx(found["plain20"]["weight_norm"], rel=1e-9)
        assert all(float(row["response_std"]) > 0 for row in rows)


def test_a_net_of_no_known_family(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--factory", "torchvision.models:resnet18", "--input-size", "64", "--noise", "--batch", "2")
    found = call(capsys, *words)
    assert list(found) == ["torchvision.models:resnet18"]
    assert "layer4.1" in found["torchvision.models:resnet18"]["blocks"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resnet20",), "Add --untrained"),
        (("nope", "--untrained"), "nope"),
        ((), "No model is named"),
        (("resnet20-cifar10", "--init", "he", *QUICK), "are there already"),
        (("resnet20", "--untrained", "--data", "no such folder"), "no such folder"),
        (("resnet20", "--untrained", "--noise", "--batch", "0"), "0 pictures"),
        (("xai", "--untrained", "--noise", "--batch", "1"), "more than one picture"),
        (("resnet20", "--untrained", "--seeds", "0"), "--seeds 0"),
        (("resnet20", "--untrained", "--seed", "-1"), "--seed -1"),
        (("resnet20", "--untrained", "--picture-seed", "-1"), "-1 is no seed"),
        (("resnet20", "--untrained", "--init", "zero"), "zero"),
        (("resnet20", "--untrained", "--init-std", "0.1"), "--init normal"),
        (("resnet20", "--init", "normal", "--init-std", "-1", *QUICK), "init_std"),
        (("resnet20", "--untrained", "--data", "shapes", "--noise"), "--noise"),
        (("resnet20", "--untrained", "--weights", "last"), "last"),
        (("resnet20", "--untrained", "--out", "chart.gif"), "chart.gif"),
        (("resnet20", "--untrained", "--split", "half", "--data", "shapes"), "half"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    assert run(["gradients", *words]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and shown.out == ""


def test_choices_are_those_of_the_nets() -> None:
    assert set(gradients.INITS) == set(typing.get_args(InitName))
    assert set(gradients.ACTIVATIONS) == set(typing.get_args(ActivationName))
    assert typing.get_args(WeightChoice) == gradients.WEIGHTS


def test_help_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from resnet_viz.cli.main import run\n"
        "try:\n"
        "    run(['gradients', '--help'])\n"
        "except SystemExit as ending:\n"
        "    assert not ending.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--no-batch-norm" in done.stdout
