"""From a picture to exactly the bytes that a net sees, and from there back to the picture.

Shrinking averages areas (OpenCV's INTER_AREA, antialiased), enlarging interpolates linearly
(INTER_LINEAR). Both are plain arithmetic on the CPU: the same picture gives the same bytes.
A crop that a person drew is cut at whole pixels of the original and then resized, so the box
on screen is exactly what the net gets. The default crop of an ImageNet net is resized first
and cut then, as the nets were tested: half a pixel of offset can be seen in the logits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from resnet_viz.core.types import U8, CropBox, Fit, ImageInput

from .tones import GREY

RESIZED, CROPPED = 256, 224
"""Shorter side after resizing and side of the central crop (He et al. 2015, sec. 3.4), in pixels."""

_MAX_ASPECT = 4
# a longer picture is first cut to this many times its shorter side, equally at both ends: the
# crop shows none of the rest, and resizing a strip of 1 x 30,000 pixels whole would take gigabytes


def default_box(h: int, w: int, fit_kind: str) -> CropBox:
    """Return the crop that a net takes unless told otherwise, in pixels of the original.

    Args:
        h: height of the picture in pixels.
        w: width of the picture in pixels.
        fit_kind: ``"imagenet"`` shorter side to 256, then the central 224 (the box for that
            input size); ``"square"`` the largest square in the middle.

    Raises:
        ValueError: for another kind.
    """
    return crop_box(h, w, Fit(), CROPPED, fit_kind)


def clamp_box(box: CropBox, h: int, w: int) -> CropBox:
    """Return the nearest square of whole pixels, at least 1, that lies inside the picture.

    A box that is no square shrinks to its shorter side around its centre.
    """
    numbers = (box.left, box.top, box.width, box.height)
    left, top, width, height = (float(np.nan_to_num(number, nan=0.0, posinf=1e9, neginf=-1e9)) for number in numbers)
    wanted = min(width, height)
    side = min(max(1, round(wanted)), h, w)
    x = min(max(0, round(left + (width - wanted) / 2)), w - side)
    y = min(max(0, round(top + (height - wanted) / 2)), h - side)
    return CropBox(float(x), float(y), float(side), float(side))


def crop_box(h: int, w: int, fit: Fit, size: int, kind: str) -> CropBox:
    """Return the part of the original that reaches the net: the crop, or all of it for pad and squash."""
    if kind not in ("imagenet", "square"):
        raise ValueError(f"no crop is called '{kind}'; there are 'imagenet' and 'square'")
    if fit.mode != "crop":
        return CropBox(0.0, 0.0, float(w), float(h))
    if fit.box is not None:
        return clamp_box(fit.box, h, w)
    if kind == "square":
        side = min(h, w)
        return CropBox(float(round((w - side) / 2)), float(round((h - side) / 2)), float(side), float(side))
    plan = _resize_then_crop(h, w, size)
    across, down = plan.cut_w / plan.scaled_w, plan.cut_h / plan.scaled_h
    return CropBox(plan.cut_x + plan.x * across, plan.cut_y + plan.y * down, size * across, size * down)


class _Plan(NamedTuple):
    """Cut the original (whole pixels), scale the cut, take ``size`` pixels from (x, y) of that."""

    cut_x: int
    cut_y: int
    cut_w: int
    cut_h: int
    scaled_w: int
    scaled_h: int
    x: int
    y: int


def _resize_then_crop(h: int, w: int, size: int) -> _Plan:
    """Plan the ImageNet crop for an input of ``size`` pixels; sides and offsets round as torchvision's do."""
    cut_x, cut_y = max(0, (w - _MAX_ASPECT * h) // 2), max(0, (h - _MAX_ASPECT * w) // 2)
    cut_w, cut_h = w - 2 * cut_x, h - 2 * cut_y
    short = max(size, round(size * RESIZED / CROPPED))
    if cut_w <= cut_h:
        scaled_w, scaled_h = short, int(short * cut_h / cut_w)
    else:
        scaled_w, scaled_h = int(short * cut_w / cut_h), short
    x, y = round((scaled_w - size) / 2), round((scaled_h - size) / 2)
    return _Plan(cut_x, cut_y, cut_w, cut_h, scaled_w, scaled_h, x, y)


def placement(h: int, w: int, fit: Fit, size: int, kind: str) -> tuple[CropBox, CropBox]:
    """Return which part of the original lands where.

    Returns:
        The part in pixels of the original, and the rectangle in pixels of the net's input
        that it fills; around that there are grey bars (``pad`` only).

    Raises:
        ValueError: for an unknown mode or kind, or a size below 1.
    """
    if size < 1:
        raise ValueError(f"a net's input has at least 1 pixel, not {size}")
    if fit.mode not in ("crop", "pad", "squash"):
        raise ValueError(f"no fit is called '{fit.mode}'; there are 'crop', 'pad' and 'squash'")
    part = crop_box(h, w, fit, size, kind)
    width = height = size
    if fit.mode == "pad":
        width = max(1, round(size * w / max(h, w)))
        height = max(1, round(size * h / max(h, w)))
    left, top = (size - width) // 2, (size - height) // 2
    return part, CropBox(float(left), float(top), float(width), float(height))


def prepare(image: ImageInput, fit: Fit, *, size: int, kind: str, channels: int = 3) -> U8:
    """Return exactly what the net sees before normalising.

    Args:
        image: the picture.
        fit: crop (``fit.box`` replaces the default crop, moved inside if it leaves the
            picture), pad with grey (#808080), or squash.
        size: side of the net's input in pixels.
        kind: default crop: ``"imagenet"`` or ``"square"``, see :func:`default_box`.
        channels: 3, or 1 for luma (ITU-R BT.601), taken after resizing.

    Returns:
        uint8 (size, size, channels), contiguous.
    """
    return prepare_pixels(image.pixels, fit, size=size, kind=kind, channels=channels)


def prepare_pixels(pixels: U8, fit: Fit, *, size: int, kind: str, channels: int = 3) -> U8:
    """Do what :func:`prepare` does, on bare pixels uint8 (H, W, 3)."""
    if channels not in (1, 3):
        raise ValueError(f"a net's input has 1 or 3 channels, not {channels}")
    height, width = pixels.shape[:2]
    part, place = placement(height, width, fit, size, kind)
    if fit.mode == "crop" and fit.box is None and kind == "imagenet":
        plan = _resize_then_crop(height, width, size)
        cut = pixels[plan.cut_y : plan.cut_y + plan.cut_h, plan.cut_x : plan.cut_x + plan.cut_w]
        scaled = resize(cut, plan.scaled_w, plan.scaled_h)
        return _finish(scaled[plan.y : plan.y + size, plan.x : plan.x + size], channels)
    left, top = int(part.left), int(part.top)
    cut = pixels[top : top + int(part.height), left : left + int(part.width)]
    fitted = resize(cut, int(place.width), int(place.height))
    if fitted.shape[:2] != (size, size):
        canvas = np.full((size, size, 3), GREY, np.uint8)
        x, y = int(place.left), int(place.top)
        canvas[y : y + fitted.shape[0], x : x + fitted.shape[1]] = fitted
        fitted = canvas
    return _finish(fitted, channels)


def _finish(fitted: U8, channels: int) -> U8:
    if channels == 1:
        return luma(fitted)[:, :, None]  # (size, size, 1)
    return np.array(fitted, order="C")  # (size, size, 3), never a view of the original


def resize(pixels: U8, width: int, height: int) -> U8:
    """Resize uint8 (H, W, 3): area average along an axis that shrinks, linear along one that grows."""
    # imported here because it takes 0.09 s, which a window that only lays out boxes need not wait for
    import cv2

    source_h, source_w = pixels.shape[:2]
    result: Any = pixels
    shrunk_w, shrunk_h = min(width, source_w), min(height, source_h)
    if (shrunk_w, shrunk_h) != (source_w, source_h):
        # one call for both axes would fall back to interpolating, with aliases, where one of them grows
        result = cv2.resize(result, (shrunk_w, shrunk_h), interpolation=cv2.INTER_AREA)
    if (shrunk_w, shrunk_h) != (width, height):
        result = cv2.resize(result, (width, height), interpolation=cv2.INTER_LINEAR)
    resized: U8 = result
    return resized


def resampling(h: int, w: int, fit: Fit, size: int, kind: str) -> str:
    """Say how :func:`prepare` resamples this picture: ``"area average"``, ``"linear"``, both, or ``"none"``."""
    part, place = placement(h, w, fit, size, kind)
    ratios = (place.width / part.width, place.height / part.height)
    names = [name for name, used in (("area average", min(ratios) < 1), ("linear", max(ratios) > 1)) if used]
    return " + ".join(names) or "none"


def luma(rgb: U8) -> U8:
    """Return ITU-R BT.601 luma, uint8 (H, W), from uint8 (H, W, 3): 0.299 R + 0.587 G + 0.114 B, rounded."""
    # fixed point with 16 fraction bits: the same on every machine; the weights sum to 65536
    weighted = rgb.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)  # (H, W)
    return ((weighted + 32768) >> 16).astype(np.uint8)


def to_original(box: CropBox, h: int, w: int, fit: Fit, size: int, kind: str) -> CropBox:
    """Map a box from the net's input to the original picture.

    Args:
        box: in pixels of the net's input; may reach beyond it, as a receptive field does.
        h: height of the original in pixels.
        w: width of the original in pixels.
        fit: as given to :func:`prepare`, with ``size`` and ``kind``.
        size: side of the net's input in pixels.
        kind: default crop.

    Returns:
        The box in pixels of the original, not clipped: parts beyond the crop lie on what the
        net did not see, parts beyond the picture on padding.
    """
    part, place = placement(h, w, fit, size, kind)
    return _map(box, place, part)


def to_input(box: CropBox, h: int, w: int, fit: Fit, size: int, kind: str) -> CropBox:
    """Map a box from the original to the net's input: the inverse of :func:`to_original`."""
    part, place = placement(h, w, fit, size, kind)
    return _map(box, part, place)


def _map(box: CropBox, source: CropBox, target: CropBox) -> CropBox:
    across, down = target.width / source.width, target.height / source.height
    return CropBox(
        target.left + (box.left - source.left) * across,
        target.top + (box.top - source.top) * down,
        box.width * across,
        box.height * down,
    )
