"""Files that the grid writes: nothing is lost in them, and each says where it comes from."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_viz.analysis.colormap import rgb_words
from resnet_viz.analysis.export import write_activation
from resnet_viz.analysis.export_sheet import Sheet, scale_note, sheet
from resnet_viz.analysis.export_text import text_width, wrap
from resnet_viz.analysis.montage import GridOptions, Scale, colour, ranges
from resnet_viz.analysis.numerals import number
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.errors import OutputError
from resnet_viz.core.types import Activation

MAPS = np.random.default_rng(0).normal(size=(9, 16, 16)).astype(np.float32)
MAPS[4] = 0
ACTIVATION, STATS = Activation("layer2.0", 0, MAPS), channel_stats(MAPS)
SVG = "{http://www.w3.org/2000/svg}"
ORIGIN = {"model": "ResNet-20 · CIFAR-10", "image": "고양이 <&> .jpg", "layer": "layer2.0"}


def write(path: Path, options: GridOptions | None = None) -> Path:
    write_activation(path, ACTIVATION, STATS, options or GridOptions(), ORIGIN)
    return path


def test_npz_gives_the_maps_back_bit_for_bit(tmp_path: Path) -> None:
    with np.load(write(tmp_path / "maps.npz"), allow_pickle=False) as file:
        assert np.array_equal(file["maps"], MAPS) and file["maps"].dtype == np.float32
        assert json.loads(str(file["provenance"]))["image"] == ORIGIN["image"]


def test_csv_gives_the_statistics_back(tmp_path: Path) -> None:
    text = write(tmp_path / "stats.csv").read_text(encoding="utf-8")
    assert "# model: ResNet-20 · CIFAR-10" in text
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert [float(row["mean"]) for row in rows] == pytest.approx(STATS.mean.tolist(), rel=1e-7)
    assert [int(row["dead"]) for row in rows] == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def check_maps(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], made: Sheet, options: GridOptions) -> None:
    """Check that every value of every map stands in the picture in its colour, at whole pixels, covered by nothing."""
    words = colour(MAPS, STATS, options)
    zoom = made.grid.layout.cell_w // MAPS.shape[2]
    assert len(made.corners) == len(MAPS)
    for (x, y), channel in zip(made.corners, made.grid.shown, strict=True):
        cell = pixels[y : y + MAPS.shape[1] * zoom, x : x + MAPS.shape[2] * zoom]
        assert np.array_equal(rgb_words(cell), words[channel].repeat(zoom, 0).repeat(zoom, 1)), channel


@pytest.mark.parametrize("pinned", [frozenset(), frozenset({7, 4})])
def test_png_holds_every_map_exactly_and_its_origin(tmp_path: Path, pinned: frozenset[int]) -> None:
    options = GridOptions(sort="std", colormap="signed", pinned_first=True)
    made = sheet(ACTIVATION, STATS, options, ORIGIN, pinned)
    write_activation(tmp_path / "grid.png", ACTIVATION, STATS, options, ORIGIN, pinned=pinned)
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture)
        check_maps(pixels, made, options)
        assert set(made.grid.shown[: len(pinned)]) == set(pinned)
        assert picture.text["image"] == ORIGIN["image"]
        low, high = (float(part) for part in picture.text["scale"].split(" to "))
        assert high == pytest.approx(np.abs(MAPS).max(), rel=1e-4) and low == -high
    for (x, y), channel in zip(made.corners, made.grid.shown.tolist(), strict=True):
        framed = [tuple(pixels[y + 5, x - 1]), tuple(pixels[y - 1, x + 5])] == [(0xF7, 0xC9, 0x48)] * 2
        assert framed == (channel in pinned)


def test_svg_is_valid_and_holds_every_map_exactly(tmp_path: Path) -> None:
    text = write(tmp_path / "grid.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "4 dead" in text and "고양이 &lt;&amp;&gt;" in text
    data = re.search(r"<image x=\"(\d+)\" y=\"(\d+)\".*base64,([^\"]+)", text)
    assert data is not None
    made = sheet(ACTIVATION, STATS, GridOptions(), ORIGIN)
    with Image.open(io.BytesIO(base64.b64decode(data[3]))) as picture:
        page = np.zeros((made.height, made.width, 3), np.uint8)
        left, top = int(data[1]), int(data[2])
        page[top : top + picture.height, left : left + picture.width] = np.asarray(picture)
        check_maps(page, made, GridOptions())


LONG = {**ORIGIN, "image": "/home/somebody/" + "x" * 200 + "/cat.jpg", "found": "a net of a family " * 8}


@pytest.mark.parametrize("shape", [(2, 3, 3), (9, 16, 16), (300, 7, 7), (40, 1, 1), (2, 5, 60)])
@pytest.mark.parametrize("scale", ["layer", "channel"])
def test_nothing_on_a_sheet_is_cut_or_left_out(shape: tuple[int, ...], scale: Scale, tmp_path: Path) -> None:
    maps = np.random.default_rng(1).normal(size=shape).astype(np.float32) * 1e-4
    maps[0] = 0
    maps.flat[-1] = np.nan
    activation, stats = Activation("layer1.0", 0, maps), channel_stats(maps)
    options = GridOptions(normalize=scale, sort="max")
    write_activation(tmp_path / "grid.svg", activation, stats, options, LONG, pinned=frozenset({0}))
    root = ET.parse(tmp_path / "grid.svg").getroot()
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    said = []
    for part in root.iter(SVG + "text"):
        said.append(part.text or "")
        assert 0 <= float(part.attrib["x"]) <= width - float(part.attrib["textLength"]), part.text
        assert float(part.attrib["font-size"]) <= float(part.attrib["y"]) <= height, part.text
    together = "".join(said).replace(" ", "")
    for wanted in (scale_note(options), "not a number", "pinned", LONG["image"], LONG["model"], "layer1.0", "0 dead"):
        assert wanted.replace(" ", "") in together
    assert {str(channel) for channel in range(1, shape[0])} <= set(said)
    if scale == "layer":
        assert number(float(ranges(stats, options)[1][0])) in said
    if shape[1:] == (1, 1):
        assert number(float(maps[5, 0, 0])) in said and "NaN" in said


def test_a_name_that_no_file_can_hold_is_written_all_the_same(tmp_path: Path) -> None:
    odd = {**ORIGIN, "image": "a\udcffb\x01c.png"}
    write_activation(tmp_path / "grid.svg", ACTIVATION, STATS, GridOptions(), odd)
    ET.parse(tmp_path / "grid.svg")


def test_long_texts_are_wrapped_and_short_ones_are_not() -> None:
    assert wrap("a few words", 12, 500) == ["a few words"]
    assert wrap("", 12, 500) == []
    lines = wrap("one " + "w" * 100 + " two", 12, 120)
    assert "".join(lines).replace(" ", "") == "one" + "w" * 100 + "two"
    assert all(text_width(line, 12) <= 120 for line in lines)


def test_other_endings_and_unwritable_places_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png"):
        write(tmp_path / "grid.docx")
    blocker = tmp_path / "file"
    blocker.write_text("keep")
    with pytest.raises(OutputError, match="cannot be written"):
        write(blocker / "grid.png")
    assert blocker.read_text() == "keep"
    assert sorted(tmp_path.iterdir()) == [blocker]  # nothing half-written is left
