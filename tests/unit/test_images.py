"""Pictures of every kind, checked against Pillow, OpenCV and plain arithmetic; and files that are none."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from resnet_viz.core.errors import PictureError
from resnet_viz.data import images
from resnet_viz.data.images import from_array, from_bytes, list_pictures, load_image, load_thumbnail, size_of

Y, X = np.mgrid[:40, :48]
RGB = np.stack([X * 5, Y * 6, (X * Y) % 256], -1).astype(np.uint8)
SMOOTH = np.stack([X * 5, Y * 6, X + Y], -1).astype(np.uint8)


def encode(image: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> NDArray[np.uint8]:
    return from_bytes(data, "x").pixels


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_deflate"}),
        ("TIFF", {"compression": "packbits"}),
    ],
)
def test_lossless_formats_come_back_bit_for_bit(kind: str, options: dict[str, Any]) -> None:
    image = from_bytes(encode(RGB, kind, **options), "x")
    assert image.pixels.dtype == np.uint8 and image.pixels.flags.c_contiguous
    assert np.array_equal(image.pixels, RGB)
    assert image.note == "" and image.source == "x" and image.path is None


def test_jpeg_and_lossy_webp_are_what_opencv_decodes() -> None:
    for kind in ("JPEG", "WEBP"):
        data = encode(SMOOTH, kind, quality=95)
        other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        assert np.abs(pixels(data).astype(int) - other).mean() < 1.0  # two decoders' colour upsampling
        assert np.abs(pixels(data).astype(int) - SMOOTH).mean() < 4.0


def test_first_frame_of_several_is_shown_and_said_so() -> None:
    frames = [Image.fromarray(np.roll(RGB, 7 * shift, 0)) for shift in range(12)]
    for kind, options in (("GIF", {}), ("TIFF", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        image = from_bytes(data, "x")
        assert image.note == "frame 1 of 12"
        alone = pixels(encode(frames[0], kind, **options))
        assert np.array_equal(image.pixels, alone)


def test_grey_palette_and_one_bit() -> None:
    grey = Image.fromarray(RGB).convert("L")
    assert np.array_equal(pixels(encode(grey, "PNG")), np.repeat(np.asarray(grey)[..., None], 3, 2))
    palette = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(pixels(encode(palette, "PNG")), np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(RGB).convert("1")
    for kind, options in (("PNG", {}), ("TIFF", {"compression": "group4"})):
        found = pixels(encode(bits, kind, **options))
        assert set(np.unique(found)) == {0, 255}
        assert np.array_equal(found[..., 0] > 0, np.asarray(bits))


def composite(rgb: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.float64]:
    share = alpha[..., None] / 255.0
    return np.asarray(rgb * share + 128.0 * (1 - share))


def test_alpha_lies_over_grey() -> None:
    alpha = (X * 5).astype(np.uint8)
    expected = composite(RGB, alpha)
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        image = from_bytes(encode(np.dstack([RGB, alpha]), kind, **options), "x")
        assert np.abs(image.pixels - expected).max() <= 1
        assert image.note == "transparent parts over grey"
    grey = encode(Image.fromarray(np.dstack([RGB[..., 0], alpha]), "LA"), "PNG")
    assert np.abs(pixels(grey) - composite(np.repeat(RGB[..., :1], 3, 2), alpha)).max() <= 1


def test_opaque_alpha_changes_nothing() -> None:
    image = from_bytes(encode(np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)]), "PNG"), "x")
    assert np.array_equal(image.pixels, RGB) and image.note == ""


def test_palette_and_key_colour_transparency() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    chosen = np.asarray(palette)
    data = encode(palette, "PNG", transparency=3)
    assert (pixels(data)[chosen == 3] == 128).all()
    assert np.array_equal(pixels(data)[chosen != 3], np.asarray(palette.convert("RGB"))[chosen != 3])
    gif = encode(palette, "GIF", transparency=3)
    assert (pixels(gif)[chosen == 3] == 128).all()
    keyed = RGB.copy()
    keyed[5:9, 5:9] = (1, 2, 3)
    found = from_bytes(encode(keyed, "PNG", transparency=(1, 2, 3)), "x")
    assert (found.pixels[5:9, 5:9] == 128).all() and found.note == "transparent parts over grey"


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = (np.arange(RGB[..., 0].size).reshape(RGB.shape[:2]) * 34).astype(np.uint16)
    expected = np.rint(values / 257.0)
    for kind in (".png", ".tiff"):
        image = from_bytes(cv2.imencode(kind, values)[1].tobytes(), "x")
        assert np.array_equal(image.pixels[..., 1], expected)
        assert image.note == "16-bit values 0 to 65535 scaled to 0 to 255"
    big_endian = values.astype(">u2")
    head = b"MM\x00*" + struct.pack(">I", 8 + values.nbytes)
    entries = [(256, 4, 48), (257, 4, 40), (258, 3, 16 << 16), (259, 3, 1 << 16), (262, 3, 1 << 16)]
    entries += [(273, 4, 8), (277, 3, 1 << 16), (278, 4, 40), (279, 4, values.nbytes)]
    tail = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", t, k, 1, v) for t, k, v in entries)
    assert np.array_equal(pixels(head + big_endian.tobytes() + tail + bytes(4))[..., 0], expected)


def test_sixteen_bit_colour_keeps_the_upper_byte() -> None:
    values = (RGB.astype(np.uint16) << 8) + 77
    for kind in (".png", ".tiff"):
        image = from_bytes(cv2.imencode(kind, values[..., ::-1])[1].tobytes(), "x")
        assert np.array_equal(image.pixels, RGB)
        assert image.note == "16-bit colour, its upper 8 bits"


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255], "float values 0 to 1 scaled to 0 to 255"),
        (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255], "float values 0 to 255 as they are"),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255], "values -1 to 1 scaled to 0 to 255"),
        (np.array([[0, 7, 255]], np.int32), [0, 7, 255], "32-bit values 0 to 255 as they are"),
        (np.array([[0, 32896, 65535]], np.int32), [0, 128, 255], "16-bit values 0 to 65535 scaled to 0 to 255"),
        (np.array([[0, 1 << 29, 1 << 30]], np.int32), [0, 128, 255], "values 0 to 1.07374e+09 scaled to 0 to 255"),
        (
            np.array([[0.0, np.nan, np.inf, 0.5]], np.float32),
            [0, 0, 128, 128],
            "float values 0 to 1 scaled to 0 to 255, values that are no numbers are black",
        ),
        (np.array([[3e38, -3e38]], np.float32), [255, 0], "values -3e+38 to 3e+38 scaled to 0 to 255"),
        (np.array([[0, 0]], np.int32), [0, 0], "32-bit values 0 to 255 as they are"),
    ],
)
def test_float_and_32_bit_tiffs_are_scaled_by_a_stated_rule(
    values: NDArray[Any], expected: list[int], note: str
) -> None:
    image = from_bytes(encode(Image.fromarray(values), "TIFF"), "x")
    assert image.pixels[0, :, 0].tolist() == expected
    assert (image.pixels[..., :1] == image.pixels).all()
    assert image.note == note


def test_cmyk_jpeg_is_not_inverted() -> None:
    # ink values in a TIFF are plain, in a JPEG by Adobe's convention inverted: both must look alike
    flat = np.zeros((32, 32, 4), np.uint8)
    flat[..., 0], flat[..., 3] = 255, 20  # much cyan, a little black
    cmyk = Image.fromarray(flat, "CMYK")
    for kind in ("JPEG", "TIFF"):
        image = from_bytes(encode(cmyk, kind), "x")
        red, green, blue = image.pixels[16, 16].astype(int)
        assert red < 10 and 225 < green < 245 and 225 < blue < 245
        assert image.note == "converted from CMYK"


def test_lab_goes_through_a_colour_profile() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    converted = ImageCms.applyTransform(Image.fromarray(SMOOTH), transform)
    assert converted is not None
    image = from_bytes(encode(converted, "TIFF"), "x")
    assert np.abs(image.pixels.astype(int) - SMOOTH).mean() < 3  # 8-bit LAB is coarse
    assert image.note == "converted from LAB"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(SMOOTH, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(pixels(data), expected)
    assert expected.shape[:2] == ((40, 48) if orientation < 5 else (48, 40))  # the reference did turn it
    if kind != "JPEG":
        turned = {1: SMOOTH, 3: SMOOTH[::-1, ::-1], 6: np.rot90(SMOOTH, -1), 8: np.rot90(SMOOTH)}
        if orientation in turned:
            assert np.array_equal(pixels(data), turned[orientation])


def test_nonsense_exif_leaves_the_picture_as_it_is() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert np.array_equal(pixels(encode(RGB, "PNG", exif=exif)), RGB)
    broken = encode(RGB, "WEBP", lossless=True, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert np.array_equal(pixels(broken), RGB)


def test_one_pixel_works() -> None:
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        assert pixels(encode(RGB[:1, :1], kind)).shape == (1, 1, 3)


def test_load_image_with_a_korean_name_and_a_wrong_ending(tmp_path: Path) -> None:
    path = tmp_path / "고양이 사진.jpg"  # a PNG in truth: contents decide
    path.write_bytes(encode(RGB, "PNG"))
    image = load_image(path)
    assert np.array_equal(image.pixels, RGB)
    assert image.source == "고양이 사진.jpg" and image.path == str(path)
    assert size_of(str(path)) == (48, 40)


# ---- what is refused ----


def png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"just some words\n", "is text, not a picture"),
        (bytes(range(1, 200)), "is not a picture"),
        (b"<!DOCTYPE html><html>404", "is a web page"),
        (b'<?xml version="1.0"?><svg width="1"></svg>', "SVG drawing"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(9), "is a HEIC picture"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(9), "is an AVIF picture"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"PK\x03\x04" + bytes(30), "is a ZIP archive"),
        (png(20_000, 20_000), "has 20000 x 20000 = 400 megapixels; the limit is 50"),
        (png(40_000, 10), "the limit for a side is 32,767"),
        (encode(RGB, "GIF").replace(struct.pack("<HH", 48, 40), b"\xff" * 4, 1), "4,295 megapixels"),
        (png(4, 4), "is damaged or cut short"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "bytes",
)
def test_what_is_no_picture_is_refused_in_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(PictureError, match=says) as caught:
        from_bytes(data, "thing.png")
    message = str(caught.value)
    assert message.startswith("thing.png") and message.endswith(".") and message.count(". ") >= 1


def test_no_pixels_is_refused() -> None:
    flat = bytearray(encode(RGB, "BMP"))
    flat[18:26] = bytes(8)
    for data in (png(0, 0), png(0, 5), bytes(flat), b"GIF89a" + bytes(7) + b";"):
        with pytest.raises(PictureError):
            from_bytes(data, "x")
    with pytest.raises(PictureError, match="no pixels"):
        from_array(np.zeros((0, 0, 3), np.uint8), "x")


def test_large_pictures_are_refused_before_a_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError("decoded")

    limit = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(images, "_decode", never)
    for width in (7_072, 9_500, 14_000):  # below, around and above where Pillow itself warns and raises
        with pytest.raises(PictureError, match="megapixels"):
            from_bytes(png(width, 7_072), "x")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_exactly_the_limit_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 40)
    assert pixels(encode(RGB, "PNG")).shape == (40, 48, 3)
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 40 - 1)
    with pytest.raises(PictureError):
        pixels(encode(RGB, "PNG"))


def test_missing_folder_device_and_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match="There is no file"):
        load_image(tmp_path / "absent.png")
    with pytest.raises(PictureError, match="is a folder"):
        load_image(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for a writer for ever
        with pytest.raises(PictureError, match="is not a file"):
            load_image(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="cannot be read"):
        load_image("null\0byte.png")
    path = tmp_path / "x.png"
    path.write_bytes(encode(RGB, "PNG"))

    def denied(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(PictureError, match=r"x\.png cannot be read \(Permission denied\)"):
        load_image(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by Linux's /proc")
def test_no_file_stays_open(tmp_path: Path) -> None:
    for name, data in samples().items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name} half").write_bytes(data[: len(data) // 2])
    (tmp_path / "text").write_text("text")
    before = os.listdir("/proc/self/fd")
    kept = []
    for path in tmp_path.iterdir():
        for read in (load_image, size_of, lambda path: load_thumbnail(path, 8)):
            try:
                kept.append(read(path))
            except PictureError as error:
                kept.append(error)  # with its traceback, so that nothing is closed by chance
    assert os.listdir("/proc/self/fd") == before


def samples() -> dict[str, bytes]:
    """Small valid files of every format and several compressions."""
    image = Image.fromarray(RGB)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8))
    return {
        "png": encode(image, "PNG"),
        "png noise": encode(noise, "PNG"),
        "png palette": encode(image.quantize(16), "PNG", transparency=3),
        "png rgba": encode(image.convert("RGBA"), "PNG"),
        "png 16": cv2.imencode(".png", RGB.astype(np.uint16) * 257)[1].tobytes(),
        "png grey 16": cv2.imencode(".png", RGB[..., 0].astype(np.uint16) * 257)[1].tobytes(),
        "apng": encode(image, "PNG", save_all=True, append_images=[noise.resize(image.size)]),
        "jpeg": encode(image, "JPEG"),
        "jpeg noise": encode(noise, "JPEG", progressive=True),
        "jpeg cmyk": encode(image.convert("CMYK"), "JPEG"),
        "webp": encode(noise, "WEBP"),
        "webp lossless": encode(image, "WEBP", lossless=True),
        "webp film": encode(image, "WEBP", save_all=True, append_images=[noise.resize(image.size)]),
        "bmp": encode(image, "BMP"),
        "bmp palette": encode(image.quantize(16), "BMP"),
        "gif": encode(image, "GIF"),
        "gif film": encode(image, "GIF", save_all=True, append_images=[noise.resize(image.size)]),
        "tiff": encode(image, "TIFF"),
        "tiff lzw": encode(noise, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encode(image, "TIFF", compression="tiff_deflate"),
        "tiff jpeg": encode(noise, "TIFF", compression="jpeg"),
        "tiff fax": encode(image.convert("1"), "TIFF", compression="group4"),
        "tiff float": encode(image.convert("F"), "TIFF"),
    }


@pytest.mark.parametrize("name", samples())
def test_a_truncated_file_is_an_error_never_half_a_picture(name: str) -> None:
    whole = samples()[name]
    expected = pixels(whole)
    refused = 0
    for cut in sorted({len(whole) * share // 100 for share in range(2, 100, 4)} | {len(whole) - 1}):
        try:
            found = pixels(whole[:cut])
        except PictureError:
            refused += 1
        else:
            # only where every pixel of the first frame had arrived already
            assert np.array_equal(found, expected), f"half a picture from {cut} of {len(whole)} bytes"
    assert refused >= 2  # a film's first frame may be whole early


@pytest.mark.parametrize("name", samples())
def test_damaged_bytes_raise_nothing_but_picture_errors(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    whole = samples()[name]
    rng = random.Random(name)
    outcomes = set()
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 5, 20))):
            # half of the damage to the header, where it does most
            data[rng.randrange(len(data) if rng.random() < 0.5 else min(len(data), 120))] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        try:
            image = from_bytes(bytes(data), "x")
        except PictureError:
            outcomes.add("refused")
        else:
            outcomes.add("read")
            assert image.pixels.dtype == np.uint8 and image.pixels.ndim == 3 and image.pixels.shape[2] == 3
    assert "refused" in outcomes
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""  # the decoders' own complaints are no one's business


def test_stderr_works_again_after_a_tiff(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PictureError):
        pixels(encode(RGB, "TIFF", compression="tiff_lzw")[:-300])
    pixels(encode(RGB, "TIFF"))
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


# ---- arrays, folders, thumbnails ----


def test_from_array_copies_and_checks() -> None:
    rgb = RGB.copy()
    image = from_array(rgb, "camera", label="cat")
    rgb[:] = 0
    assert np.array_equal(image.pixels, RGB) and image.label == "cat"
    assert np.array_equal(from_array(RGB[..., 0], "x").pixels[..., 2], RGB[..., 0])
    for wrong in (RGB.astype(np.float32), RGB[..., :2], np.zeros((1, 2, 3, 3), np.uint8)):
        with pytest.raises(PictureError, match="Convert it to RGB"):
            from_array(wrong, "x")


def test_list_pictures_counts_as_people_do(tmp_path: Path) -> None:
    for name in ("pic10.png", "pic2.PNG", "Pic1.jpg", "².gif", "notes.txt", ".hidden.png", "old.webp"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    names = [path.name for path in list_pictures(tmp_path)]
    assert names == ["old.webp", "Pic1.jpg", "pic2.PNG", "pic10.png", "².gif"]


def test_list_pictures_refuses(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds no pictures"):
        list_pictures(tmp_path)
    with pytest.raises(PictureError, match="cannot be read"):
        list_pictures(tmp_path / "absent")


def test_thumbnails_keep_their_shape_and_look(tmp_path: Path) -> None:
    large = cv2.resize(SMOOTH, (960, 800), interpolation=cv2.INTER_LINEAR)
    expected = cv2.resize(large, (96, 80), interpolation=cv2.INTER_AREA).astype(int)
    for name in ("x.jpg", "x.png"):
        Image.fromarray(large).save(tmp_path / name)
        small = load_thumbnail(tmp_path / name, 96)
        assert small.shape == (80, 96, 3)
        assert np.abs(small - expected).mean() < 2.5
    assert load_thumbnail(tmp_path / "x.png", 5000).shape == (800, 960, 3)  # never enlarged
