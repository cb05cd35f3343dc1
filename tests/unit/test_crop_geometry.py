"""The crop box: always square, always inside the picture, whatever the mouse does."""

from __future__ import annotations

import random

import pytest

from resnet_viz.core.types import CropBox
from resnet_viz.gui.widgets.crop_geometry import Grip, dragged, grip_at, keep_inside, moved, scaled


def inside(box: CropBox, width: int, height: int) -> bool:
    near = 1e-6
    return (
        box.left >= -near
        and box.top >= -near
        and box.left + box.width <= width + near
        and box.top + box.height <= height + near
        and abs(box.width - box.height) < near
        and box.width > 0
    )


@pytest.mark.parametrize("seed", range(20))
def test_no_sequence_of_drags_leaves_the_picture(seed: int) -> None:
    rng = random.Random(seed)
    width, height = rng.randint(1, 900), rng.randint(1, 900)
    box = keep_inside(CropBox(0, 0, width, width), width, height)
    for _ in range(200):
        x, y = rng.uniform(-300, 1200), rng.uniform(-300, 1200)
        choice = rng.randrange(3)
        if choice == 0:
            box = moved(box, x - 400, y - 400, width, height)
        elif choice == 1:
            box = scaled(box, rng.uniform(0.3, 3), width, height)
        else:
            grips: list[Grip] = ["nw", "ne", "sw", "se"]
            box = dragged(box, rng.choice(grips), x, y, width, height)
        assert inside(box, width, height), (seed, box, width, height)


def test_dragging_a_corner_keeps_the_opposite_one() -> None:
    box = CropBox(20, 30, 40, 40)
    larger = dragged(box, "se", 90, 80, 200, 200)
    assert (larger.left, larger.top, larger.width) == (20, 30, 70)
    up = dragged(box, "nw", 10, 25, 200, 200)
    assert (up.left + up.width, up.top + up.height) == (60, 70)
    assert up.width == 50


def test_moving_stops_at_the_edge_and_keeps_the_size() -> None:
    box = moved(CropBox(10, 10, 30, 30), 500, -500, 100, 80)
    assert (box.left, box.top, box.width) == (70, 0, 30)


def test_scaling_keeps_the_centre_where_there_is_room() -> None:
    box = scaled(CropBox(40, 40, 20, 20), 2, 200, 200)
    assert (box.left, box.top, box.width) == (30, 30, 40)


def test_grips() -> None:
    box = CropBox(10, 10, 50, 50)
    assert grip_at(box, 11, 9, 3) == "nw"
    assert grip_at(box, 60, 60, 3) == "se"
    assert grip_at(box, 30, 30, 3) == "move"
    assert grip_at(box, 90, 30, 3) == ""
