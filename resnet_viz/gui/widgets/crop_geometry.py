"""Moving and resizing a square crop box; pure arithmetic in pixels of the original picture."""

from __future__ import annotations

from typing import Literal

from resnet_viz.core.types import CropBox

Grip = Literal["move", "nw", "ne", "sw", "se", ""]
LEAST_PX = 4.0


def keep_inside(box: CropBox, width: int, height: int) -> CropBox:
    """Return the square of the same size, as far as it fits, moved into the picture."""
    side = max(min(LEAST_PX, width, height), min(box.width, width, height))
    left = min(max(0.0, box.left), width - side)
    top = min(max(0.0, box.top), height - side)
    return CropBox(left, top, side, side)


def moved(box: CropBox, dx: float, dy: float, width: int, height: int) -> CropBox:
    """Return the box moved by (dx, dy), stopped at the picture's edges."""
    return keep_inside(CropBox(box.left + dx, box.top + dy, box.width, box.height), width, height)


def scaled(box: CropBox, factor: float, width: int, height: int) -> CropBox:
    """Return the box enlarged about its centre."""
    side = min(max(LEAST_PX, box.width * factor), width, height)
    shift = (box.width - side) / 2
    return keep_inside(CropBox(box.left + shift, box.top + shift, side, side), width, height)


def dragged(box: CropBox, grip: Grip, x: float, y: float, width: int, height: int) -> CropBox:
    """Return the box with one corner dragged to (x, y); the opposite corner stays, the box stays square."""
    right, bottom = box.left + box.width, box.top + box.height
    fixed_x = box.left if "e" in grip else right
    fixed_y = box.top if "s" in grip else bottom
    room_x = width - fixed_x if "e" in grip else fixed_x
    room_y = height - fixed_y if "s" in grip else fixed_y
    side = max(abs(x - fixed_x) if (x > fixed_x) == ("e" in grip) else 0, 0)
    side = max(side, abs(y - fixed_y) if (y > fixed_y) == ("s" in grip) else 0)
    side = max(min(LEAST_PX, room_x, room_y), min(side, room_x, room_y))
    left = fixed_x if "e" in grip else fixed_x - side
    top = fixed_y if "s" in grip else fixed_y - side
    return CropBox(left, top, side, side)


def grip_at(box: CropBox, x: float, y: float, reach: float) -> Grip:
    """Return what lies under (x, y): a corner within ``reach`` pixels, the inside, or nothing."""
    right, bottom = box.left + box.width, box.top + box.height
    corners: dict[Grip, tuple[float, float]] = {
        "nw": (box.left, box.top),
        "ne": (right, box.top),
        "sw": (box.left, bottom),
        "se": (right, bottom),
    }
    for grip, (cx, cy) in corners.items():
        if abs(x - cx) <= reach and abs(y - cy) <= reach:
            return grip
    return "move" if box.left <= x <= right and box.top <= y <= bottom else ""
