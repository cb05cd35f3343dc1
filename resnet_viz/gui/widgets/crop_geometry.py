"""Moving and resizing a square crop box; pure arithmetic in pixels of the original picture."""

from __future__ import annotations

from typing import Literal

from resnet_viz.core.types import CropBox

Grip = Literal["move", "nw", "ne", "sw", "se", "n", "e", "s", "w", ""]
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


def stepped(box: CropBox, factor: float, width: int, height: int) -> CropBox:
    """Return the box enlarged about its centre, by one pixel at least: less would change nothing that a net sees."""
    least = (box.width + (1.0 if factor > 1 else -1.0)) / box.width
    return scaled(box, max(factor, least) if factor > 1 else min(factor, least), width, height)


def dragged(box: CropBox, grip: Grip, x: float, y: float, width: int, height: int) -> CropBox:
    """Return the box with a corner or an edge dragged to (x, y); what lies opposite stays, the box stays square."""
    if len(grip) == 1:
        return _edge_dragged(box, grip, x, y, width, height)
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


def _edge_dragged(box: CropBox, grip: Grip, x: float, y: float, width: int, height: int) -> CropBox:
    """Return the box with one edge dragged; it grows equally to both sides of that, as far as there is room."""
    right, bottom = box.left + box.width, box.top + box.height
    wanted, room = {
        "e": (x - box.left, width - box.left),
        "w": (right - x, right),
        "s": (y - box.top, height - box.top),
        "n": (bottom - y, bottom),
    }[grip]
    room = min(room, width, height)
    side = max(min(LEAST_PX, room), min(wanted, room))
    left = {"e": box.left, "w": right - side}.get(grip, box.left + (box.width - side) / 2)
    top = {"s": box.top, "n": bottom - side}.get(grip, box.top + (box.height - side) / 2)
    return keep_inside(CropBox(left, top, side, side), width, height)


def grip_at(box: CropBox, x: float, y: float, reach: float) -> Grip:
    """Return what lies under (x, y): a corner or an edge within ``reach`` pixels, the inside, or nothing.

    Inside the box corners and edges reach a quarter of its side at most, so that a small one can still be moved.
    """
    inside = min(reach, box.width / 4)
    right, bottom = box.left + box.width, box.top + box.height
    if not (box.left - reach <= x <= right + reach and box.top - reach <= y <= bottom + reach):
        return ""
    down = "n" if y <= box.top + inside else "s" if y >= bottom - inside else ""
    across = "w" if x <= box.left + inside else "e" if x >= right - inside else ""
    grips: dict[str, Grip] = {
        **{"nw": "nw", "ne": "ne", "sw": "sw", "se": "se"},
        **{"n": "n", "e": "e", "s": "s", "w": "w", "": "move"},
    }
    return grips[down + across]
