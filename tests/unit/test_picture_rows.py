"""Rows of pictures and pixels from memory, without a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_viz.core.errors import PictureError
from resnet_viz.core.token import NEVER
from resnet_viz.core.types import CropBox
from resnet_viz.data.browse import browse, browse_files
from resnet_viz.data.images import MAX_PIXELS, from_rgba, list_pictures
from resnet_viz.gui.plain import in_a_sentence, one_line, tip, without_mnemonic
from resnet_viz.gui.widgets.crop_geometry import dragged, grip_at, stepped
from resnet_viz.session import pictures
from resnet_viz.session.pictures import Browsed, BrowseFiles, BrowseFolder


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6)).save(path)
    return path


def ask(request: object) -> Browsed:
    found = pictures.handle(request, NEVER, lambda _share: None)
    assert isinstance(found, Browsed)
    return found


def test_one_link_to_where_nobody_may_look_hides_no_other_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.png", "locked.png"):
        make(tmp_path / name)
    is_file = Path.is_file

    def refuse(self: Path, **known: bool) -> bool:
        if self.name == "locked.png":
            raise PermissionError(13, "Permission denied")
        return is_file(self, **known)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert tmp_path / "1.png" in list_pictures(tmp_path)


def test_a_row_of_files_keeps_their_order_and_knows_each(tmp_path: Path) -> None:
    paths = [str(make(tmp_path / name)) for name in ("b/2.png", "a/1.png", "c/3.png")]
    found = ask(BrowseFiles(tuple(paths)))
    assert found.first == 0 and found.named and found.source.folder == tmp_path
    assert [found.source.path(index) for index in range(3)] == paths
    assert [found.source.index_of(path) for path in paths] == [0, 1, 2]
    assert found.source.label(1) is None and found.source.item(2).path == paths[2]


def test_a_folder_that_is_wanted_stays_where_the_picture_lies_elsewhere(tmp_path: Path) -> None:
    make(tmp_path / "row" / "1.png")
    single = make(tmp_path / "single.png")
    found = ask(BrowseFolder(str(tmp_path / "row"), str(single), keep=True))
    assert found.first is None and found.source.folder == tmp_path / "row"
    assert ask(BrowseFolder(str(tmp_path / "row"), str(tmp_path / "row" / "1.png"), keep=True)).first == 0


def test_a_place_is_found_by_any_way_of_writing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "row" / "1.png")
    make(tmp_path / "row" / "2.png")
    monkeypatch.chdir(tmp_path)
    row = browse("row")
    assert row.index_of("row/2.png") == row.index_of(str(tmp_path / "row" / "." / "2.png")) == 1
    assert row.path(1) == str(tmp_path / "row" / "2.png")
    assert browse_files(["row/1.png"]).index_of(str(tmp_path / "row" / "1.png")) == 0


def test_pixels_with_alpha_lie_over_grey() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0] = (10, 20, 30, 255)
    image = from_rgba(pixels, "clipboard")
    assert image.note == "transparent parts over grey" and image.pixels.tolist()[1] == [[128] * 3] * 3
    assert image.pixels.tolist()[0] == [[10, 20, 30]] * 3
    assert from_rgba(pixels[:1], "clipboard").note == ""
    with pytest.raises(PictureError, match="limit"):
        from_rgba(np.broadcast_to(np.zeros(4, np.uint8), (MAX_PIXELS // 100 + 1, 100, 4)), "clipboard")


@pytest.mark.parametrize(("x", "y", "grip"), [(10, 50, "w"), (90, 50, "e"), (50, 10, "n"), (50, 90, "s")])
def test_an_edge_is_held_and_what_lies_opposite_stays(x: int, y: int, grip: str) -> None:
    box = CropBox(10, 10, 80, 80)
    held = grip_at(box, x, y, 5)
    assert held == grip and grip_at(box, 50, 50, 5) == "move" and grip_at(box, 3, 3, 5) == ""
    small = dragged(box, held, (x + 50) / 2, (y + 50) / 2, 200, 100)
    assert small.width == small.height == 60
    assert {"w": small.left + 60 == 90, "e": small.left == 10, "n": small.top + 60 == 90, "s": small.top == 10}[grip]
    beyond = dragged(box, held, x * 1000 - 45_000, y * 1000 - 45_000, 200, 100)  # far outside
    assert beyond.left >= 0 and beyond.top >= 0 and beyond.left + beyond.width <= 200 and beyond.height <= 100


def test_a_small_box_leaves_room_to_hold_it() -> None:
    assert grip_at(CropBox(50, 50, 8, 8), 54, 54, 30) == "move"
    assert grip_at(CropBox(50, 50, 8, 8), 75, 75, 30) == "se"


def test_one_step_is_a_pixel_at_least() -> None:
    assert stepped(CropBox(10, 10, 5, 5), 1.1, 32, 32).width == 6
    assert stepped(CropBox(10, 10, 6, 6), 1 / 1.1, 32, 32).width == 5
    assert stepped(CropBox(0, 0, 1, 1), 1 / 1.1, 1, 1) == CropBox(0, 0, 1, 1)
    assert stepped(CropBox(0, 0, 100, 100), 1.1, 400, 400).width == pytest.approx(110)


def test_names_are_shown_on_one_line_and_as_they_stand() -> None:
    assert one_line("a\nb\u2028c\td") == "a b c d" and without_mnemonic("R&D\n1") == "R&&D 1"
    assert tip("plain & simple") == "plain & simple" and "&lt;b&gt;" in tip("<b>x</b>")
    long = in_a_sentence(f"{'x' * 250}.png is damaged. Choose another.")
    assert long.startswith("xxx") and long.endswith(".png is damaged. Choose another.") and len(long) < 140


def test_pictures_on_two_drives_make_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_paths: object) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr("os.path.commonpath", refuse)
    paths = [tmp_path / "a" / "1.png", tmp_path / "b" / "2.png"]
    assert browse_files([str(path) for path in paths]).folder == tmp_path / "a"
