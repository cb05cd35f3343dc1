"""Charts and tables of measured gradients: every number is there, and what no log axis can show is said."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_viz.analysis import gradient_export
from resnet_viz.analysis.gradient_export import BLUE, COLUMNS, VERMILLION, write_flows
from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.analysis.update_rules import UpdateRule
from resnet_viz.core.errors import OutputError
from resnet_viz.core.gradient_types import FlowBand, GradientFlow, band
from resnet_viz.models import create
from resnet_viz.session.batches_of import find_batch
from resnet_viz.session.gradient_requests import NOISE, BatchRequest
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel


@pytest.fixture(scope="module")
def bands() -> tuple[FlowBand, FlowBand]:
    """Return plain-20 and ResNet-20, two seeds each."""
    card = open_model(OpenModel("resnet20", untrained=True))[1]
    batch = find_batch(BatchRequest(NOISE, 4), card)
    found = []
    for arch in ("plain20", "resnet20"):
        flows = [
            gradient_flow(create(arch, seed=seed), batch.images, batch.labels, rule=UpdateRule(), seed=seed)
            for seed in (0, 1)
        ]
        found.append(band(flows, arch))
    return found[0], found[1]


def changed(one: FlowBand, norms: dict[int, float]) -> FlowBand:
    """Return a measurement in which some blocks have other norms."""
    flows = []
    for flow in one.flows:
        weight = flow.weight_norm.copy()
        weight[list(norms)] = list(norms.values())
        flows.append(replace(flow, weight_norm=weight))
    return band(flows, one.title)


def table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [line for line in lines if line.startswith("#")]
    return notes, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def texts(path: Path) -> str:
    """Return an SVG's words, which stand in comments beside their outlines."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"), re.DOTALL))


def test_the_table_holds_every_number_with_all_its_digits(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    path = tmp_path / "수 numbers.csv"
    write_flows(path, bands, "4 pictures of noise, seed 0", plain=(True, False), notes=["step: SGD, 0.1"])
    notes, rows = table(path)
    assert tuple(rows[0]) == COLUMNS
    assert any("4 pictures of noise" in note for note in notes) and "# step: SGD, 0.1" in notes
    assert any(note.startswith("# plain20: loss") and "seeds 2" in note and "training" in note for note in notes)
    each = iter(rows)
    for one in bands:
        act = one.of("act_norm")
        for index, (block, label) in enumerate(zip(one.blocks, one.labels, strict=True)):
            row = next(each)
            assert (row["net"], row["block"], row["label"]) == (one.title, block, label)
            for name, column in (
                ("weight_norm", one.mean),
                ("weight_norm_low", one.low),
                ("weight_norm_high", one.high),
                ("act_norm", act[0]),
                ("act_norm_low", act[1]),
                ("act_norm_high", act[2]),
            ):
                assert float(row[name]) == float(column[index])
            for name in ("response_std", "update_ratio", "f_to_x", "split_identity", "split_f"):
                values = [float(getattr(flow, name)[index]) for flow in one.flows]
                mean = math.sqrt(values[0] * values[1])
                assert (row[name] == "") == math.isnan(mean)
                assert row[name] == "" or float(row[name]) == pytest.approx(mean, rel=1e-12)
    assert next(each, None) is None


def test_what_was_not_measured_is_left_empty(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    flow: GradientFlow = replace(bands[1].flows[0], split_f=None, update_ratio=None, coherence=None)
    write_flows(tmp_path / "a.csv", [flow], "")
    _, rows = table(tmp_path / "a.csv")
    assert all(row["split_f"] == row["update_ratio"] == "" for row in rows)
    assert float(rows[2]["weight_norm"]) == pytest.approx(float(flow.weight_norm[2]), rel=1e-12)


def test_zero_and_infinity_in_the_table(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    write_flows(tmp_path / "a.csv", [changed(bands[0], {0: 0.0, 1: math.inf, 2: math.nan, 3: 1e-23})], "")
    _, rows = table(tmp_path / "a.csv")
    assert [row["weight_norm"] for row in rows[:3]] == ["0.0", "inf", ""]
    assert float(rows[3]["weight_norm"]) == pytest.approx(1e-23)


@pytest.mark.parametrize("ending", ["png", "PNG", "svg", "pdf"])
def test_charts_are_pictures(bands: tuple[FlowBand, FlowBand], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"차트.{ending}"
    write_flows(path, bands, "4 pictures of noise", plain=(True, False))
    head = path.read_bytes()[:400]
    if ending.lower() == "png":
        with Image.open(path) as picture:
            shown = np.asarray(picture.convert("RGB")).reshape(-1, 3)
            assert "resnet-viz" in picture.text["Software"]  # type: ignore[attr-defined]
        for colour in (BLUE, VERMILLION):
            rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
            assert (np.abs(shown.astype(int) - rgb).max(axis=1) < 3).sum() > 200
    else:
        assert (b"<svg" in head or b"<?xml" in head) if ending == "svg" else head.startswith(b"%PDF")


def test_a_chart_says_what_it_is(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    write_flows(tmp_path / "a.svg", bands, "4 pictures of noise", plain=(True, False))
    words = texts(tmp_path / "a.svg")
    said = ["4 pictures of noise", "batch norm as in training", "first convolution", "mean of 2 seeds"]
    for word in (*said, "plain20", "resnet20", "block, input", "gradient of the weights", "at the output", "3.2", "fc"):
        assert word in words, word
    assert "Not on a log axis" not in words and "precision" not in words


def test_zeros_and_infinities_are_marked_and_said(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    lost = changed(bands[0], {0: 0.0, 1: 0.0, 2: 1e-25, 5: math.inf})
    write_flows(tmp_path / "a.svg", (lost, bands[1]), "", plain=(True, False))
    words = texts(tmp_path / "a.svg")
    assert "plain20: 0 (▼) in 2 of 11 blocks" in words
    assert "plain20: no finite number (▲) in 1 of 11 blocks" in words
    assert "resnet20: 0" not in words and "precision" in words


def test_a_net_without_one_number_that_can_be_drawn(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    nothing = changed(bands[0], dict.fromkeys(range(11), 0.0))
    write_flows(tmp_path / "a.svg", [nothing], "", plain=[True])
    assert "0 (▼) in 11 of 11 blocks" in texts(tmp_path / "a.svg")
    flows = [replace(flow, act_norm=np.full(11, np.nan)) for flow in nothing.flows]  # as of a recording
    write_flows(tmp_path / "b.svg", [band(flows)], "", plain=[True])
    assert "gradient at the output" not in texts(tmp_path / "b.svg")


def test_nets_with_other_blocks_are_numbered(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    one = bands[0].flows[0]
    arrays = ("act_norm", "weight_norm", "split_identity", "split_f", "response_std", "f_to_x", "update_ratio")
    short = {name: getattr(one, name)[:5] for name in ("blocks", "labels", *arrays)}
    write_flows(tmp_path / "a.svg", [bands[1], replace(one, **short, core=(0, 4), title="짧은 net")], "noise")
    assert "3.2" not in texts(tmp_path / "a.svg").split()


def test_titles_are_no_formulas(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    odd = [replace(bands[0], title="_a $\\frac{$ b"), replace(bands[1], title="")]
    write_flows(tmp_path / "a.svg", odd, "$\\nonsense$")
    words = texts(tmp_path / "a.svg")
    assert "_a" in words and "nonsense" in words and "net" in words.split()


def test_several_nets_of_a_family_differ(bands: tuple[FlowBand, FlowBand]) -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    gradient_export._panel(axes, [bands[1], bands[1], bands[0], bands[1]], [False, False, True, False], "act_norm", "")
    styles = [(line.get_color(), line.get_linestyle()) for line in axes.lines]
    assert styles == [(BLUE, "-"), (BLUE, "--"), (VERMILLION, "-"), (BLUE, ":")]
    assert axes.get_yscale() == "log" and len(axes.collections) == 4


def test_where_nothing_can_be_written(bands: tuple[FlowBand, FlowBand], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png, \.svg, \.pdf, \.csv"):
        write_flows(tmp_path / "a.txt", bands, "")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_flows(tmp_path / "file" / "a.csv", bands, "")
