"""The pictures that ship: there, readable, credited, small; and drawn as the script says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from resnet_viz.data import samples
from resnet_viz.data.images import load_image
from resnet_viz.data.samples import sample_pictures, samples_dir

ROOT = Path(__file__).resolve().parents[2]


def test_the_cat_comes_first_and_all_are_there() -> None:
    found = sample_pictures()
    assert [sample.id for sample in found][:4] == ["cat", "astronaut", "coffee", "rocket"]
    assert len(found) >= 7 and len({sample.title for sample in found}) == len(found)
    first_id, title, path = found[0]
    assert (first_id, title, path.stem) == ("cat", "Cat", "cat")


def test_every_sample_is_a_good_picture_and_has_a_credit() -> None:
    credits = (samples_dir() / "CREDITS.md").read_text(encoding="utf-8")
    for sample in sample_pictures():
        image = load_image(sample.path)
        assert min(image.pixels.shape[:2]) >= 224 and image.note == ""
        assert f"`{sample.path.name}`" in credits
        assert sample.path.name == sample.path.name.lower()


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in samples_dir().iterdir()) < 1_500_000


def test_drawings_are_what_the_script_draws() -> None:
    spec = importlib.util.spec_from_file_location("draw_samples", ROOT / "tools" / "draw_samples.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for draw in (script.ship, script.airplane, script.shapes, script.checkerboard, script.gratings):
        saved = load_image(samples_dir() / f"{draw.__name__}.png").pixels
        difference = np.abs(saved.astype(int) - draw())
        assert difference.mean() < 0.5  # another OpenCV may round an edge pixel differently


def test_a_missing_folder_means_no_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(samples, "assets_dir", lambda: tmp_path)
    assert sample_pictures() == []
    (tmp_path / "samples").mkdir()
    for name in ("my_dog.png", "cat.jpg", "CREDITS.md"):
        (tmp_path / "samples" / name).write_bytes(b"")
    assert [sample.title for sample in sample_pictures()] == ["Cat", "My dog"]
