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

from resnet_viz.analysis.export import write_activation
from resnet_viz.analysis.montage import GridOptions, montage
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.errors import OutputError
from resnet_viz.core.types import Activation

MAPS = np.random.default_rng(0).normal(size=(9, 16, 16)).astype(np.float32)
MAPS[4] = 0
ACTIVATION, STATS = Activation("layer2.0", 0, MAPS), channel_stats(MAPS)
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


def test_png_is_the_montage_with_its_origin(tmp_path: Path) -> None:
    options = GridOptions(sort="std", colormap="signed")
    with Image.open(write(tmp_path / "grid.png", options)) as picture:
        assert np.array_equal(np.asarray(picture), montage(MAPS, STATS, options).image)
        assert picture.text["image"] == ORIGIN["image"]
        low, high = (float(part) for part in picture.text["scale"].split(" to "))
        assert high == pytest.approx(np.abs(MAPS).max(), rel=1e-4) and low == -high


def test_svg_is_valid_and_holds_the_picture_losslessly(tmp_path: Path) -> None:
    text = write(tmp_path / "grid.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "4 dead" in text and "고양이 &lt;&amp;&gt;" in text
    data = re.search(r"base64,([^\"]+)", text)
    assert data is not None
    with Image.open(io.BytesIO(base64.b64decode(data[1]))) as picture:
        assert np.array_equal(np.asarray(picture), montage(MAPS, STATS, GridOptions()).image)


def test_other_endings_and_unwritable_places_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png"):
        write(tmp_path / "grid.docx")
    blocker = tmp_path / "file"
    blocker.write_text("keep")
    with pytest.raises(OutputError, match="cannot be written"):
        write(blocker / "grid.png")
    assert blocker.read_text() == "keep"
    assert sorted(tmp_path.iterdir()) == [blocker]  # nothing half-written is left
