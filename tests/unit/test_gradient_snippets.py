"""Copied scripts run as they are and print the numbers on screen."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from desk_parts import trained

from resnet_viz.core.paths import assets_dir
from resnet_viz.core.types import CropBox, Fit, ImageInput
from resnet_viz.data.browse import browse
from resnet_viz.data.images import load_image
from resnet_viz.session.gradient_desk import GradientDesk
from resnet_viz.session.gradient_requests import (
    NOISE,
    BatchRequest,
    FlowMeasured,
    LesionEach,
    LesionMeasured,
    LesionRandom,
    LesionsMeasured,
    MeasureFlow,
    MeasureLesion,
    NetChoice,
)
from resnet_viz.session.gradient_snippets import gradient_script, lesion_script

NET = "resnet20-cifar10"
OPTIONS = (("batch_norm", False), ("init", "normal"), ("init_std", 0.1))


@pytest.fixture(scope="module")
def desk() -> GradientDesk:
    return GradientDesk()


def printed(script: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "script", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def numbers(text: str) -> list[float]:
    return [float(word) for word in re.findall(r"(?<![\w.])-?\d+\.?\d*(?:e[+-]?\d+)?(?![\w.])", text)]


def test_gradients_in_a_fresh_process(desk: GradientDesk, tmp_path: Path) -> None:
    nets = (
        NetChoice("plain20", options=OPTIONS, title='plain\'s "own"'),
        NetChoice("resnet20", title="ResNet-20 깊이"),
        NetChoice(NET, untrained=False),
    )
    request = MeasureFlow(nets, BatchRequest(NOISE, 4, seed=3), (2, 5), False, "all", "adam", 0.01)
    script = tmp_path / "script.py"
    script.write_text(gradient_script(request), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", str(script)], capture_output=True, encoding="utf-8", timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = desk.handle(request)
    assert isinstance(answer, FlowMeasured)
    parts = done.stdout.split("\n\n")
    assert parts[0].strip() == answer.batch
    for band, title, part in zip(answer.bands, ('plain\'s "own"', "ResNet-20 깊이", NET), parts[1:], strict=True):
        head, ratio, *rows = part.strip().splitlines()
        assert head.startswith(title)
        assert numbers(head.removeprefix(title)) == pytest.approx([band.loss, band.coherence], rel=1e-5)
        assert numbers(ratio) == pytest.approx([band.ratio, *band.ratios], rel=1e-5)
        assert [row.split()[0] for row in rows] == list(band.blocks)
        act = band.of("act_norm")[0]
        for index, row in enumerate(rows):
            wanted = [band.mean[index], band.low[index], band.high[index], act[index]]
            assert numbers(row.split("weights")[1]) == pytest.approx(wanted, rel=1e-5)


def test_layers_of_a_data_set(desk: GradientDesk) -> None:
    request = MeasureFlow((NetChoice("resnet20"),), BatchRequest("shapes", 4, split="train"), per="layer")
    answer = desk.handle(request)
    assert isinstance(answer, FlowMeasured)
    text = printed(gradient_script(request))
    assert text.startswith("4 train pictures of Shapes") and "layer3.2.conv2" in text
    assert any(value == pytest.approx(answer.bands[0].ratio, rel=1e-5) for value in numbers(text))


def test_a_net_without_some_blocks(desk: GradientDesk) -> None:
    image = load_image(assets_dir() / "samples" / "cat.jpg")
    fit = Fit("crop", CropBox(2.0, 3.0, 100.0, 100.0))
    request = MeasureLesion(
        trained(NET), "shapes", pictures=60, seed=2, deleted=frozenset(["layer2.1"]), cut=frozenset(["layer1.2"]),
        image=image, fit=fit,
    )  # fmt: skip
    answer = desk.handle(request)
    assert isinstance(answer, LesionMeasured) and answer.prediction is not None
    lines = printed(lesion_script(request)).splitlines()
    assert lines[0] == answer.data
    assert numbers(lines[1]) == [pytest.approx(answer.base_error), 60] and numbers(lines[2]) == [answer.error]
    ratios = {line.split()[0]: float(line.split()[-1]) for line in lines[3:12]}
    assert ratios == pytest.approx(dict(answer.f_to_x), rel=1e-5)
    assert ratios["layer2.1"] == 0 and ratios["layer1.2"] == float("inf")
    for line, score in zip(lines[12:], answer.prediction.top, strict=True):
        assert line.split()[0] == score.label and numbers(line)[-1] == pytest.approx(score.prob, abs=1e-4)


@pytest.mark.parametrize("kind", ["delete", "cut"])
def test_every_block_in_turn(desk: GradientDesk, kind: str) -> None:
    request = LesionEach(trained(NET), kind, "shapes", pictures=20)  # type: ignore[arg-type]
    answer = desk.handle(request)
    assert isinstance(answer, LesionsMeasured)
    text = printed(lesion_script(request))
    for one in answer.result.blocks:  # type: ignore[union-attr]
        row = next(line for line in text.splitlines() if line.startswith(one.block))
        assert numbers(row) == pytest.approx([one.error, one.f_to_x], rel=1e-5)


def test_blocks_at_random(desk: GradientDesk) -> None:
    request = LesionRandom(trained(NET), 2, 3, "shapes", pictures=20, seed=4)
    answer = desk.handle(request)
    assert isinstance(answer, LesionsMeasured)
    rows = printed(lesion_script(request)).splitlines()[2:]
    assert [tuple(row.split()[1:]) for row in rows] == list(answer.result.deleted)  # type: ignore[union-attr]
    assert [float(row.split()[0]) for row in rows] == answer.result.errors.tolist()  # type: ignore[union-attr]


def test_a_picture_without_a_file_is_to_be_filled_in() -> None:
    image = load_image(assets_dir() / "samples" / "cat.jpg")
    pasted = ImageInput(image.pixels, "clipboard")
    script = lesion_script(MeasureLesion(trained(NET), image=pasted))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1 and "'clipboard' lies in no file" in done.stderr.strip().splitlines()[-1]


def test_a_picture_of_a_data_set_is_read_there_again() -> None:
    image = browse("shapes").item(3)
    assert image.path is None
    assert "browse('shapes', 'test').item(3)" in lesion_script(MeasureLesion(trained(NET), image=image))
