"""Files that are small and take for ever, numbers of NumPy's, and pictures of rare kinds."""

from __future__ import annotations

import argparse
import io
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from resnet_viz.core.errors import CheckpointError, PictureError
from resnet_viz.data.images import MAX_FRAMES, load_image
from resnet_viz.models import create
from resnet_viz.models import unpickle as unpickle_module
from resnet_viz.models.checkpoint import MAX_TENSORS, load_checkpoint, load_into, read_state
from resnet_viz.models.unpickle import _BYTES, NUMBER_DTYPES

SMALL = {"a": torch.arange(4.0)}
State = dict[str, torch.Tensor]


def refused(path: Path, opener: Callable[[Path], object] = read_state) -> str:
    with pytest.raises(CheckpointError) as caught:
        opener(path)
    text = str(caught.value)
    assert len(text) < 500 and text.isprintable() and ". " in text and text.endswith("."), text
    return text


# Small files that take long


def tiff(pages: int, order: str = "<", big: bool = False, ring: bool = False, cut: int = 0) -> bytes:
    """Return a TIFF of ``pages`` grey pages of 5 x 5 pixels, all with the same ones."""
    count, number, start = ("Q", "Q", 16) if big else ("H", "L", 8)
    tags = ((256, 5), (257, 5), (258, 8), (259, 1), (262, 1), (273, start), (277, 1), (278, 5), (279, 25))
    entries = b"".join(
        struct.pack(f"{order}HH{number}{number}", tag, 16 if big else 4, 1, value) for tag, value in tags
    )
    length, first = struct.calcsize(f"{order}{count}{number}") + len(entries), start + 32
    places = [first + index * length for index in range(pages)]
    next_ones = [*places[1:], places[0] if ring else 0]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    head += struct.pack(f"{order}HHQ", 8, 0, first) if big else struct.pack(f"{order}L", first)
    body = (
        struct.pack(f"{order}{count}", len(tags)) + entries + struct.pack(f"{order}{number}", at) for at in next_ones
    )
    data = head + b"\x7f" * 25 + bytes(7) + b"".join(body)
    return data[: len(data) - cut]


def gif(frames: int) -> bytes:
    stream = io.BytesIO()
    Image.new("P", (1, 1)).save(stream, "GIF")
    data = stream.getvalue()
    at = data.index(b",")
    return data[:at] + (b"!\xfe\x03abc\0" + data[at:-1]) * frames + b";"


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])  # Pillow reads no fourth
@pytest.mark.parametrize("pages", [1, 3, MAX_FRAMES, MAX_FRAMES + 1, 20_000])
def test_pages_are_counted_up_to_a_hundred(tmp_path: Path, order: str, big: bool, pages: int) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(pages, order, big))
    start = time.thread_time()
    picture = load_image(tmp_path / "a.tif")
    assert time.thread_time() - start < 2  # 14 s where every page was read
    many = f"frame 1 of more than {MAX_FRAMES}"
    assert picture.note == {1: "", 3: "frame 1 of 3", 100: "frame 1 of 100"}.get(pages, many)
    assert (picture.pixels == 0x7F).all()


def test_rings_of_pages_and_cut_ones_are_shown(tmp_path: Path) -> None:
    (tmp_path / "ring.tif").write_bytes(tiff(3, ring=True))
    assert load_image(tmp_path / "ring.tif").note == "frame 1 of 3"
    (tmp_path / "cut.tif").write_bytes(tiff(3, cut=10))
    assert load_image(tmp_path / "cut.tif").note == "first frame"


@pytest.mark.parametrize("frames", [1, 3, MAX_FRAMES, MAX_FRAMES + 1, 300_000])
def test_frames_are_counted_up_to_a_hundred(tmp_path: Path, frames: int) -> None:
    (tmp_path / "a.gif").write_bytes(gif(frames))
    many = f"frame 1 of more than {MAX_FRAMES}"
    assert load_image(tmp_path / "a.gif").note == {1: "", 3: "frame 1 of 3", 100: "frame 1 of 100"}.get(frames, many)


@pytest.mark.parametrize("frames", [2, 7])
def test_the_count_is_pillows(tmp_path: Path, frames: int) -> None:
    pictures = [Image.fromarray(np.full((9, 9, 3), 20 * index, np.uint8)) for index in range(frames)]
    for ending in ("gif", "tif", "png", "webp"):
        pictures[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=pictures[1:])
        with Image.open(tmp_path / f"a.{ending}") as again:
            assert getattr(again, "n_frames", 1) == frames
        assert load_image(tmp_path / f"a.{ending}").note == f"frame 1 of {frames}"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, *, bits: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_png_of_millions_of_parts_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1, 1, b"\0\x50", extra=chunk(b"tEXt", b"a\0b") * 150_000))
    with pytest.raises(PictureError, match=r"cut into more than 100,000 parts\. Save it anew"):
        load_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png(1, 1, b"\0\x50", extra=chunk(b"tEXt", b"a\0b") * 500))
    assert load_image(tmp_path / "b.png").pixels.tolist() == [[[0x50] * 3]]


def test_a_safetensors_file_of_very_many_tensors_is_refused_before_it_is_read(tmp_path: Path) -> None:
    def written(count: int) -> Path:
        table = {f"k{at}": {"dtype": "F32", "shape": [1], "data_offsets": [4 * at, 4 * at + 4]} for at in range(count)}
        header = json.dumps(table).encode()
        (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * count))
        return tmp_path / "a.safetensors"

    text = refused(written(300_000))
    assert "more than 20,000 tensors" in text and MAX_TENSORS == 20_000
    assert len(read_state(written(1000)).tensors) == 1000


def zipped(path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/version", "3")
        archive.writestr("a/byteorder", "little")
    return path


def test_a_pickle_of_very_many_instructions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unpickle_module.MAX_STEPS <= 2_000_000
    monkeypatch.setattr(unpickle_module._Metered, "left", 1000)
    steps = b"\x80\x02" + b"N0" * 5000 + b"N."
    framed = b"\x80\x04\x95" + struct.pack("<Q", len(steps) - 2) + steps[2:]
    for data in (steps, framed):
        (tmp_path / "old.pth").write_bytes(data)
        assert "more than 2,000,000 values" in refused(tmp_path / "old.pth")
        assert "more than 2,000,000 values" in refused(zipped(tmp_path / "new.pth", data))
    torch.save({"a": torch.ones(2)}, tmp_path / "sane.pth")
    assert read_state(tmp_path / "sane.pth").tensors.keys() == {"a"}


# NumPy's numbers and other things beside the weights

NUMBERS: list[Any] = [np.dtype(code).type(1) for code in _BYTES] + [np.longlong(3), np.ulonglong(3), np.intc(2)]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_metrics_of_numpy_beside_the_weights_do_no_harm(tmp_path: Path, number: Any, old: bool) -> None:
    saved = {"state_dict": SMALL, "acc": number, "again": [number, number], "f": np.float64(0.5)}
    torch.save(saved, tmp_path / "x", _use_new_zipfile_serialization=not old)
    assert read_state(tmp_path / "x").tensors.keys() == {"a"}
    assert not set(NUMBER_DTYPES) & set(torch.serialization.get_safe_globals())  # let through no longer


@pytest.mark.parametrize(
    "value",
    [
        np.complex64(1), np.str_("x"), np.bytes_(b"x"), np.datetime64("2026-01-01"), np.longdouble(1),
        np.dtype("O"), np.dtype([("a", "f4")]), np.zeros(1, [("a", "f4")])[0], np.array([object()], object),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_other_values_of_numpy_are_refused(tmp_path: Path, value: Any) -> None:
    torch.save({"state_dict": SMALL, "x": value}, tmp_path / "x.pt")
    assert "refused" in refused(tmp_path / "x.pt")


class _Call:
    """Pickles as a call, and perhaps a state, of somebody's choice."""

    def __init__(self, *made: Any) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return self.made


SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]
SOUND = (3, "<", None, None, None, -1, -1, 0)
ATTACKS: dict[str, Callable[[], Any]] = {
    "object": lambda: _Call(SCALAR, (_Call(np.dtype, ("O8", False, True)), b"x" * 8)),
    "object by its short name": lambda: _Call(SCALAR, (_Call(np.dtype, ("O", False, True)), b"x" * 8)),
    "object by its type": lambda: _Call(SCALAR, (_Call(np.dtype, ("object", False, True)), b"x" * 8)),
    "void": lambda: _Call(SCALAR, (_Call(np.dtype, ("V8", False, True)), b"x" * 8)),
    "list of fields": lambda: _Call(SCALAR, (_Call(np.dtype, ([("a", "O")], False, True)), b"x" * 8)),
    "comma string": lambda: _Call(SCALAR, (_Call(np.dtype, ("f4,O", False, True)), b"x" * 12)),
    "shared dtype": lambda: _Call(np.dtype, ("f8", False, False), SOUND),
    "aligned dtype": lambda: _Call(np.dtype, ("f8", True, True), SOUND),
    "dtype with metadata": lambda: _Call(np.dtype, ("f8", False, True, {"a": 1}), SOUND),
    "dtype without arguments": lambda: _Call(np.dtype, ()),
    "fields in the state": lambda: _Call(np.dtype, ("f8", False, True), (3, "<", None, ("a",), {"a": 1}, -1, -1, 0)),
    "subarray in the state": lambda: _Call(
        np.dtype, ("f8", False, True), (3, "<", ("f8", (9,)), None, None, -1, -1, 0)
    ),
    "size in the state": lambda: _Call(np.dtype, ("f8", False, True), (3, "<", None, None, None, 10**9, 1, 0)),
    "flags in the state": lambda: _Call(np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 63)),
    "floats in the state": lambda: _Call(np.dtype, ("f8", False, True), (3.0, "<", None, None, None, -1, -1, 0)),
    "truths in the state": lambda: _Call(np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, False)),
    "no order for eight bytes": lambda: _Call(np.dtype, ("f8", False, True), (3, "|", None, None, None, -1, -1, 0)),
    "an order for one byte": lambda: _Call(np.dtype, ("i1", False, True), SOUND),
    "short bytes": lambda: _Call(SCALAR, (np.dtype("f8"), b"x")),
    "no bytes": lambda: _Call(SCALAR, (np.dtype("f8"),)),
    "long bytes": lambda: _Call(SCALAR, (np.dtype("f4"), b"x" * 8)),
    "an object for bytes": lambda: _Call(SCALAR, (np.dtype("f8"), [1])),
    "a text for bytes": lambda: _Call(SCALAR, (np.dtype("f8"), "12345678")),
    "no dtype": lambda: _Call(SCALAR, ("f8", b"x" * 8)),
    "state of a number": lambda: _Call(SCALAR, (np.dtype("f8"), b"x" * 8), {"a": 1}),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("attack", ATTACKS)
def test_numpy_is_handed_nothing_but_what_numpy_writes(tmp_path: Path, attack: str, protocol: int) -> None:
    torch.save({"state_dict": SMALL, "x": ATTACKS[attack]()}, tmp_path / "x.pt", pickle_protocol=protocol)
    text = refused(tmp_path / "x.pt")
    assert "refused" in text and "more than tensors and plain values" not in text  # by us, before PyTorch reads it


def test_a_call_that_is_written_like_the_attacks_but_sound_is_read(tmp_path: Path) -> None:
    sound = _Call(SCALAR, (_Call(np.dtype, ("f8", False, True), SOUND), struct.pack("<d", 2.5)))
    torch.save({"state_dict": SMALL, "x": sound}, tmp_path / "x.pt")
    assert read_state(tmp_path / "x.pt").tensors.keys() == {"a"}


def test_dtypes_are_not_let_through_as_classes(tmp_path: Path) -> None:
    torch.save({"state_dict": SMALL, "x": _Call(np.dtypes.Float32DType, ())}, tmp_path / "x.pt")
    assert "asks for code to be run" in refused(tmp_path / "x.pt")
    data = b"\x80\x02}(X\x01\x00\x00\x00acnumpy.dtypes\nFloat32DType\nu."
    assert "asks for code to be run" in refused(zipped(tmp_path / "y.pt", data))


def test_what_stands_beside_the_weights_is_called_what_it_is(tmp_path: Path) -> None:
    for value, words in (
        (argparse.Namespace(lr=0.1), "an argparse.Namespace"),
        (Path("x"), "a path object"),
        (np.arange(3), "a NumPy array"),
    ):
        torch.save({"state_dict": SMALL, "args": value}, tmp_path / "x.pt")
        assert refused(tmp_path / "x.pt") == (
            f"x.pt holds {words}, which is refused. Save the state dict alone: torch.save(net.state_dict(), file)."
        )
    # among what would run, it is not what is spoken of
    torch.save({"args": argparse.Namespace(), "x": _Call(os.system, ("true",))}, tmp_path / "x.pt")
    assert "asks for code to be run" in refused(tmp_path / "x.pt")


# Sentences


def test_a_checkpoint_cut_to_its_first_byte_is_damaged(tmp_path: Path) -> None:
    for length in (1, 3, 4, 30):
        torch.save(SMALL, tmp_path / "a.pt")
        (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:length])
        assert refused(tmp_path / "a.pt") == "a.pt is damaged or no checkpoint. Download or copy it again."


def _resnet20(**options: Any) -> State:
    return dict(create("resnet20", seed=1, **options).state_dict())


def _less(state: State, key: str) -> State:
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: _less(state, "layer2.1.bn1.weight"), "it lacks 'layer2.1.bn1.weight'."),
        (lambda state: _less(state, "fc.weight"), "it lacks 'fc.weight'."),
        (lambda state: {**state, "extra": torch.ones(3)}, "the net has no 'extra'."),
        (
            lambda state: {**state, "fc.weight": torch.ones(10, 32)},
            "'fc.weight' is (10, 32), the net expects (10, 64).",
        ),
        (
            lambda state: _less(_less(state, "fc.bias"), "bn1.bias"),
            "it lacks 'bn1.bias', the first of 2 differences.",
        ),
    ],
)
def test_a_file_that_is_nearly_a_net_says_what_differs(
    tmp_path: Path, change: Callable[[State], State], words: str
) -> None:
    torch.save(change(_resnet20()), tmp_path / "x.pt")
    text = refused(tmp_path / "x.pt", load_checkpoint)
    assert text.startswith(f"x.pt is nearly a ResNet-20: {words} Save the net's whole state dict again, or name code")


def test_names_out_of_a_file_are_cut_and_cannot_steer_a_terminal(tmp_path: Path) -> None:
    for key in ("k" * 100_000, "\x1b[31m\r\n" + "k" * 90, "\u202e\u2028k"):
        torch.save({key: torch.ones(3)}, tmp_path / "x.pt")
        refused(tmp_path / "x.pt", load_checkpoint)
        refused(tmp_path / "x.pt", lambda path: load_into(torch.nn.Linear(2, 2), path, "net"))
        torch.save(_resnet20() | {key: torch.ones(3)}, tmp_path / "x.pt")
        assert "the net has no '" in refused(tmp_path / "x.pt", load_checkpoint)
        torch.save({key: torch.ones(1, dtype=torch.complex64)}, tmp_path / "x.pt")
        refused(tmp_path / "x.pt")
        torch.save({key: SMALL}, tmp_path / "x.pt")
        assert all(len(note) < 120 and note.isprintable() for note in read_state(tmp_path / "x.pt").notes)
    for name in ("x" * 5000, "\x1b[31m"):
        (tmp_path / "x.pt").write_bytes(b"\x80\x02c" + name.encode() + b"\ny\n.")
        assert "asks for code" in refused(tmp_path / "x.pt")


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my folder").mkdir()
    monkeypatch.chdir(tmp_path / "my folder")
    assert refused(Path(".")).startswith("my folder holds no weights.safetensors")
    assert refused(Path("/")).startswith("/ holds no weights.safetensors")


# Recognition


@pytest.mark.parametrize("arch", ["resnet20", "plain20", "resnet56"])
def test_a_cifar_net_with_a_large_stem_is_recognised(tmp_path: Path, arch: str) -> None:
    net = create(arch, seed=3, stem="imagenet", num_classes=7).eval()
    torch.save(net.state_dict(), tmp_path / "x.pt")
    again, found = load_checkpoint(tmp_path / "x.pt", arch if arch.startswith("plain") else None)
    assert (found.arch, found.options.stem, found.options.num_classes) == (arch, "imagenet", 7)
    assert "7x7 stem" in found.found
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(again(x), net(x))


# Pictures of rare kinds


def test_colours_in_float_values_are_not_called_damaged(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "f.tiff"), np.random.default_rng(0).random((5, 6, 3), np.float32))
    with pytest.raises(PictureError, match=r"pixels of a kind that cannot be read.* Save it with 8 or 16 bits"):
        load_image(tmp_path / "f.tiff")


@pytest.mark.parametrize("compression", [None, "tiff_deflate", "tiff_lzw"])
def test_sixteen_bit_grey_that_counts_from_white_is_turned(tmp_path: Path, compression: str | None) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    wanted: NDArray[Any] = np.rint(values / 257)
    for zero_is, right in ((1, wanted), (0, 255 - wanted)):
        Image.fromarray(values).save(tmp_path / "g.tif", compression=compression, tiffinfo={262: zero_is})
        assert np.array_equal(load_image(tmp_path / "g.tif").pixels[..., 0], right)
    grey = (values >> 8).astype(np.uint8)
    Image.fromarray(255 - grey).save(tmp_path / "g8.tif", tiffinfo={262: 1})
    assert np.array_equal(load_image(tmp_path / "g8.tif").pixels[..., 0], 255 - grey)


@pytest.mark.parametrize(("bits", "key"), [(b, k) for b in (1, 2, 4, 8) for k in (0, 1, 2**b - 1)] + [(2, 0x8001)])
def test_the_transparent_grey_of_a_png_is_the_one_it_names(tmp_path: Path, bits: int, key: int) -> None:
    count = 2**bits
    values = np.tile(np.arange(count), 8)
    planes = (values[:, None] >> np.arange(bits)[::-1]) & 1  # (pixels, bits)
    row = b"\0" + np.packbits(planes.reshape(-1)).tobytes()
    (tmp_path / "t.png").write_bytes(png(len(values), 1, row, bits=bits, extra=chunk(b"tRNS", struct.pack(">H", key))))
    picture = load_image(tmp_path / "t.png")
    right = np.where(values == key % count, 128, values * 255 // (count - 1))
    assert picture.pixels[0, :, 0].tolist() == right.tolist() and "over grey" in picture.note


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_a_png_without_pixels_is_said_to_have_none(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "z.png").write_bytes(png(*size, b""))
    with pytest.raises(PictureError, match=rf"has no pixels \({size[0]} x {size[1]}\)"):
        load_image(tmp_path / "z.png")
