"""What a net sees, against torchvision, Pillow and plain averages; and the way back to the picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resnet_viz.core.types import CropBox, Fit, FitMode, ImageInput
from resnet_viz.data import transforms
from resnet_viz.data.images import load_image
from resnet_viz.data.samples import sample_pictures
from resnet_viz.data.transforms import (
    clamp_box,
    default_box,
    luma,
    prepare,
    resampling,
    resize,
    to_input,
    to_original,
)

NOISE = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
MODES: tuple[FitMode, ...] = ("crop", "pad", "squash")
KINDS = ("imagenet", "square")


def image(pixels: NDArray[np.uint8]) -> ImageInput:
    return ImageInput(np.ascontiguousarray(pixels), "test")


@pytest.mark.parametrize("sample", sample_pictures(), ids=lambda sample: sample.id)
def test_imagenet_preprocessing_is_torchvisions_up_to_its_filter(sample: tuple[str, str, str]) -> None:
    """torchvision antialiases with a triangle, this with an area average: nearly the same picture."""
    from torchvision.transforms import v2

    picture = load_image(sample[2])
    tensor = v2.functional.pil_to_tensor(Image.fromarray(picture.pixels))
    expected = v2.CenterCrop(224)(v2.Resize(256, antialias=True)(tensor)).permute(1, 2, 0).numpy()
    found = prepare(picture, Fit(), size=224, kind="imagenet")
    difference = np.abs(found.astype(int) - expected)
    # measured, of 255: 0.1 to 2.0; 2.5 on the checkerboard; 4.2 where gratings reach the resolution's limit
    assert difference.mean() < (5 if sample[0] in ("gratings", "checkerboard") else 2.2)
    shifted = np.abs(np.roll(found, 2, 1).astype(int) - expected)
    assert difference.mean() < shifted.mean()  # the same place, not just a similar picture


def test_shrinking_averages_areas() -> None:
    found = prepare(image(NOISE[:, :60]), Fit(), size=10, kind="square")
    expected = NOISE[:, :60].reshape(10, 6, 10, 6, 3).mean((1, 3))
    assert np.abs(found - expected).max() <= 0.5
    assert resampling(60, 60, Fit(), 10, "square") == "area average"


def test_enlarging_is_linear_like_torchvisions() -> None:
    import torch

    small = NOISE[:32, :32]
    found = prepare(image(small), Fit(), size=64, kind="square")
    tensor = torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(tensor, size=(64, 64), mode="bilinear", align_corners=False)
    assert np.abs(found - expected[0].permute(1, 2, 0).numpy()).max() <= 1
    assert resampling(32, 32, Fit(), 64, "square") == "linear"


def test_one_axis_shrinks_without_aliases_while_the_other_grows() -> None:
    stripes = np.zeros((8, 640, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result can show: must become even grey
    found = prepare(image(stripes), Fit("squash"), size=32, kind="square")
    assert np.abs(found.astype(int) - 128).max() <= 1
    assert resampling(8, 640, Fit("squash"), 32, "square") == "area average + linear"


def test_nothing_to_resize_is_bit_for_bit() -> None:
    square = NOISE[:, :60]
    found = prepare(image(square), Fit(), size=60, kind="square")
    assert np.array_equal(found, square)
    assert not np.shares_memory(found, square)
    assert resampling(60, 60, Fit(), 60, "square") == "none"


def test_default_boxes() -> None:
    assert default_box(300, 451, "square") == CropBox(76, 0, 300, 300)  # 75.5, rounded as torchvision does
    assert default_box(256, 256, "imagenet") == CropBox(16, 16, 224, 224)
    one = default_box(1, 1, "imagenet")
    assert (one.left, one.width) == (0.0625, 0.875)
    # literally: shorter side 480 to 256, crop 224 from the middle, so 30 pixels fall off at the top
    box = default_box(480, 640, "imagenet")
    assert (box.top, box.height) == (30, 420)
    # 640 becomes 341 and not 341.3 pixels, of which 58 and not 58.5 fall off on the left, as in torchvision
    assert box.left == pytest.approx(58 * 640 / 341) and box.width == pytest.approx(224 * 640 / 341)
    assert default_box(301, 304, "square") == CropBox(2, 0, 301, 301)
    with pytest.raises(ValueError, match="imagenet"):
        default_box(3, 3, "round")


def test_square_takes_the_middle() -> None:
    found = prepare(image(NOISE), Fit(), size=60, kind="square")
    assert np.array_equal(found, NOISE[:, 15:75])


def test_a_box_replaces_the_crop_and_is_kept_inside() -> None:
    for kind in KINDS:
        found = prepare(image(NOISE), Fit("crop", CropBox(20, 10, 30, 30)), size=30, kind=kind)
        assert np.array_equal(found, NOISE[10:40, 20:50])
        outside = prepare(image(NOISE), Fit("crop", CropBox(80, -40, 30, 30)), size=30, kind=kind)
        assert np.array_equal(outside, NOISE[0:30, 60:90])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (CropBox(-5, -5, 20, 20), CropBox(0, 0, 20, 20)),
        (CropBox(0, 0, 500, 500), CropBox(0, 0, 60, 60)),
        (CropBox(50.4, 20.6, 10.4, 10.4), CropBox(50, 21, 10, 10)),
        (CropBox(10, 10, 0, 0), CropBox(10, 10, 1, 1)),
        (CropBox(89, 59, -3, 4), CropBox(89, 59, 1, 1)),
        (CropBox(10, 10, 40, 20), CropBox(20, 10, 20, 20)),
        (CropBox(math.nan, math.inf, 10, 10), CropBox(0, 50, 10, 10)),
        (CropBox(3, 3, math.inf, math.inf), CropBox(3, 0, 60, 60)),
    ],
)
def test_boxes_are_clamped(box: CropBox, expected: CropBox) -> None:
    assert clamp_box(box, 60, 90) == expected


def test_pad_adds_grey_bars() -> None:
    found = prepare(image(NOISE), Fit("pad"), size=90, kind="square")
    assert np.array_equal(found[15:75], NOISE)
    assert (found[:15] == 128).all() and (found[75:] == 128).all()
    upright = prepare(image(NOISE.transpose(1, 0, 2)), Fit("pad"), size=90, kind="imagenet")
    assert (upright[:, :15] == 128).all() and np.array_equal(upright[:, 15:75], NOISE.transpose(1, 0, 2))


def test_squash_uses_the_whole_picture() -> None:
    found = prepare(image(NOISE), Fit("squash"), size=30, kind="imagenet")
    expected = NOISE.reshape(30, 2, 30, 3, 3).mean((1, 3))
    assert np.abs(found - expected).max() <= 0.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (31, 33), (2, 20_000)])
def test_every_shape_gives_a_square(mode: FitMode, kind: str, shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), 77, np.uint8)
    for size in (1, 32, 224):
        for channels in (1, 3):
            found = prepare(image(flat), Fit(mode), size=size, kind=kind, channels=channels)
            assert found.shape == (size, size, channels) and found.dtype == np.uint8
            assert found.flags.c_contiguous and found.flags.writeable
            assert set(np.unique(found)) <= {77, 128} and (mode == "pad" or (found == 77).all())


def test_the_same_bytes_on_any_number_of_threads() -> None:
    threads = cv2.getNumThreads()
    large = np.random.default_rng(1).integers(0, 256, (700, 1100, 3)).astype(np.uint8)
    try:
        results = []
        for count in (1, 4):
            cv2.setNumThreads(count)
            results += [prepare(image(large), Fit(mode), size=224, kind="imagenet") for mode in MODES]
    finally:
        cv2.setNumThreads(threads)
    for first, second in zip(results[:3], results[3:], strict=True):
        assert np.array_equal(first, second)


def test_luma_is_pillows() -> None:
    assert np.array_equal(luma(NOISE), np.asarray(Image.fromarray(NOISE).convert("L")))
    found = prepare(image(NOISE), Fit(), size=28, kind="square", channels=1)
    colour = prepare(image(NOISE), Fit(), size=28, kind="square")
    assert np.array_equal(found[..., 0], np.asarray(Image.fromarray(colour).convert("L")))


def test_wrong_arguments() -> None:
    two = {"size": 8, "kind": "square", "channels": 2}
    for wrong in ({"size": 0, "kind": "square"}, {"size": 8, "kind": "x"}, two):
        with pytest.raises(ValueError):
            prepare(image(NOISE), Fit(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="squash"):
        prepare(image(NOISE), Fit("zoom"), size=8, kind="square")  # type: ignore[arg-type]


FITS = [Fit("crop"), Fit("pad"), Fit("squash"), Fit("crop", CropBox(11, 7, 23, 23))]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("h", "w"), [(60, 90), (90, 60), (13, 700), (32, 32)])
def test_there_and_back(fit: Fit, kind: str, h: int, w: int) -> None:
    rng = np.random.default_rng(2)
    for size in (32, 224):
        for _ in range(20):
            left, top = rng.uniform(-20, size, 2)  # receptive fields reach beyond the picture
            width, height = rng.uniform(0.1, size, 2)
            box = CropBox(left, top, width, height)
            there = to_original(box, h, w, fit, size, kind)
            back = to_input(there, h, w, fit, size, kind)
            for name in ("left", "top", "width", "height"):
                assert getattr(back, name) == pytest.approx(getattr(box, name), abs=1e-9)


def test_long_strips_are_cut_before_they_are_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def watched(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        made.append(width * height)
        return resize(pixels, width, height)

    monkeypatch.setattr(transforms, "resize", watched)
    strip = np.repeat((np.arange(30_000) // 118).astype(np.uint8)[None, :, None], 3, 2)
    for pixels in (strip, strip.transpose(1, 0, 2)):
        found = prepare(image(pixels), Fit(), size=224, kind="imagenet")
        assert found.min() == found.max() == 127  # the middle
    assert max(made) <= 256 * 256 * 5


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mark_on_the_picture_is_found_where_the_map_says(fit: Fit, kind: str) -> None:
    """Independent of the formula: paint the mapped box, prepare, and look where it lit up."""
    size, h, w = 32, 400, 640
    box = CropBox(9, 13, 8, 5)
    place = to_original(box, h, w, fit, size, kind)
    canvas = np.zeros((h, w, 3), np.uint8)
    if fit.box is not None:  # the crop is smaller than the net's input here: use a picture that shows it
        canvas = np.zeros((60, 90, 3), np.uint8)
        place = to_original(box, 60, 90, fit, size, kind)
    left, top = round(place.left), round(place.top)
    canvas[top : round(place.top + place.height), left : round(place.left + place.width)] = 255
    seen = prepare(image(canvas), fit, size=size, kind=kind)[..., 0].astype(float)
    if fit.mode == "pad":
        seen[seen == 128] = 0
    ys, xs = np.nonzero(seen > 127)
    assert abs(xs.min() - 9) <= 1 and abs(xs.max() + 1 - 17) <= 1
    assert abs(ys.min() - 13) <= 1 and abs(ys.max() + 1 - 18) <= 1
    centre = (seen * (np.arange(size) + 0.5)).sum() / seen.sum(), (seen.T * (np.arange(size) + 0.5)).sum() / seen.sum()
    assert centre[0] == pytest.approx(13, abs=0.6) and centre[1] == pytest.approx(15.5, abs=0.6)


def test_whole_input_maps_to_the_whole_crop() -> None:
    whole = CropBox(0, 0, 224, 224)
    assert to_original(whole, 300, 451, Fit(), 224, "imagenet") == default_box(300, 451, "imagenet")
    assert to_original(whole, 300, 451, Fit("squash"), 224, "imagenet") == CropBox(0, 0, 451, 300)
    padded = to_original(CropBox(0, 0, 90, 90), 60, 90, Fit("pad"), 90, "square")
    assert padded == CropBox(0, -15, 90, 90)  # the bars lie outside the picture


def test_resize_keeps_a_flat_colour_flat() -> None:
    flat = np.full((37, 53, 3), (1, 130, 255), np.uint8)
    for size in ((5, 5), (200, 3), (53, 90)):
        assert (resize(flat, *size) == (1, 130, 255)).all()


def test_importing_does_not_load_torch_or_opencv() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from resnet_viz.data import browse, datasets, images, labels, samples, transforms;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
