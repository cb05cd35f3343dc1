"""Data sets in every layout, against torchvision, pickle and NumPy; and folders that are none."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resnet_viz.core.errors import Cancelled, DataError, PictureError
from resnet_viz.core.paths import runs_dir
from resnet_viz.core.token import CancelToken
from resnet_viz.data import places, readers
from resnet_viz.data.browse import browse
from resnet_viz.data.datasets import ArraySet, align, load, load_arrays, load_pieces
from resnet_viz.data.places import locate

RNG = np.random.default_rng(0)
TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def picture(size: int = 32) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, (size, size, 3)).astype(np.uint8)


def class_folders(folder: Path, classes: tuple[str, ...], count: int = 3, size: int = 32) -> Path:
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(picture(size)).save(folder / name / f"{index}.png")
    return folder


def test_class_folders_are_what_torchvision_reads(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    class_folders(tmp_path, ("zebra", "Ant", "moth"))
    Image.fromarray(picture()).save(tmp_path / "stray.png")  # belongs to no class
    (tmp_path / "moth" / "notes.txt").write_text("no picture")
    (tmp_path / "moth" / "more").mkdir()
    Image.fromarray(picture()).save(tmp_path / "moth" / "more" / "deep.png")
    theirs = ImageFolder(str(tmp_path))
    (tmp_path / ".cache").mkdir()  # what the system left there is no class
    ours = load(str(tmp_path), size=None)
    assert list(ours.classes) == theirs.classes == ["Ant", "moth", "zebra"]
    wanted = sorted((label, np.asarray(image).tobytes()) for image, label in theirs)
    assert sorted((label, pixels.tobytes()) for label, pixels in zip(ours.labels, ours.images, strict=True)) == wanted
    assert ours.skipped == () and ours.labels.dtype == np.int64


def test_known_classes_get_their_known_order(tmp_path: Path) -> None:
    clothes = ("Ankle boot", "bag", "sneaker", "Shirt", "sandal", "coat", "dress", "pullover", "trouser", "t-shirt top")
    class_folders(tmp_path, clothes, 1)
    found = load(str(tmp_path), size=None)
    assert found.classes[0] == "T-shirt/top" and found.classes[9] == "Ankle boot"
    with Image.open(tmp_path / "bag" / "0.png") as bag:
        assert np.array_equal(found.images[list(found.labels).index(8)], np.asarray(bag))


def test_parts_and_their_other_names(tmp_path: Path) -> None:
    class_folders(tmp_path / "training", ("a", "b"), 2)
    class_folders(tmp_path / "val", ("a", "b"), 1)
    assert len(load(str(tmp_path), "train", size=None).labels) == 4
    assert len(load(str(tmp_path), "test", size=None).labels) == 2
    with pytest.raises(DataError, match="no part 'half'"):
        load(str(tmp_path), "half", size=None)


def test_a_missing_part_is_said(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", ("a", "b"), 1)
    with pytest.raises(DataError, match="no test part, only train"):
        load(str(tmp_path), "test", size=None)
    assert len(browse(str(tmp_path))) == 2  # for looking at, the other part will do


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    class_folders(tmp_path, ("bus", "train"), 1)
    assert load(str(tmp_path), "train", size=None).classes == ("bus", "train")


def test_every_size_is_fitted_antialiased(tmp_path: Path) -> None:
    class_folders(tmp_path, ("a", "b"), 1, size=64)
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, ::2] = 255
    Image.fromarray(wide).save(tmp_path / "b" / "wide.png")
    with pytest.raises(DataError, match=r"differ in size \(64 x 64 and 128 x 64\)"):
        load(str(tmp_path), size=None)
    found = load(str(tmp_path), size=16)
    assert found.images.shape == (3, 16, 16, 3)
    with Image.open(tmp_path / "a" / "0.png") as first:
        average = np.asarray(first).reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(found.images[0] - average).max() <= 0.5
    assert np.abs(found.images[2].astype(int) - 128).max() <= 1
    grey = load(str(tmp_path), size=16, channels=1)
    assert grey.images.shape == (3, 16, 16, 1)
    whole = load(str(tmp_path), size=16, kind="imagenet")
    assert not np.array_equal(whole.images, found.images)


@pytest.mark.parametrize(("kind", "size"), [("square", 32), ("imagenet", 224)])
def test_photographs_of_real_size_do_not_alias(tmp_path: Path, kind: str, size: int) -> None:
    rows, columns = np.mgrid[:1501, :1903]
    fine = np.repeat((((rows // 2 + columns // 2) % 2) * 255).astype(np.uint8)[..., None], 3, 2)  # finer than a pixel
    for name, pixels in (("a", fine), ("b", 255 - fine)):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "photo.png")
    found = load(str(tmp_path), size=size, kind=kind)
    assert found.images.shape == (2, size, size, 3)
    # picking single pixels, or interpolating between neighbours, gives black and white: 128
    assert np.abs(found.images.astype(int) - 127).max() <= 16


def test_an_empty_class_in_a_part(tmp_path: Path) -> None:
    for part in ("train", "test"):
        class_folders(tmp_path / part, ("a", "b"), 1)
    (tmp_path / "test" / "b" / "0.png").unlink()
    (tmp_path / "test" / "b" / "notes.txt").write_text("no picture")
    assert len(load(str(tmp_path), "train", size=None).labels) == 2
    with pytest.raises(DataError, match=r"class b in .* holds no pictures\. Fill the folder or remove it"):
        load(str(tmp_path), "test", size=None)
    (tmp_path / "test" / "b" / "0.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(DataError, match=r"class b in .* holds no picture that can be read"):
        load(str(tmp_path), "test", size=32)
    with pytest.raises(DataError, match=r"only the class a\. Give a folder"):
        load(str(class_folders(tmp_path / "one", ("a",), 2)), size=None, test_share=0.5)


def test_unreadable_pictures_are_left_out_and_listed(tmp_path: Path) -> None:
    class_folders(tmp_path, ("a", "b"), 2)
    (tmp_path / "a" / "0.png").write_bytes((tmp_path / "a" / "0.png").read_bytes()[:500])
    found = load(str(tmp_path), size=None)
    assert found.labels.tolist() == [0, 1, 1] and len(found.images) == 3
    assert len(found.skipped) == 1 and found.skipped[0].startswith("0.png is damaged")
    (tmp_path / "a" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"class a in .* holds no picture that can be read"):
        load(str(tmp_path), size=None)


def test_too_few_classes_or_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no classes"):
        load(str(tmp_path), size=None)
    class_folders(tmp_path, ("cat",), 1)
    with pytest.raises(DataError, match="only the class cat"):
        load(str(tmp_path), size=None)
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match=r"class dog in .* holds no pictures"):
        load(str(tmp_path), size=None)
    with pytest.raises(DataError, match="There is no folder"):
        load(str(tmp_path / "absent"), size=None)
    with pytest.raises(DataError, match="no classes"):
        load(str(tmp_path / "cat" / "0.png"), size=None)


def test_memory_is_counted_before_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path, ("a", "b"), 2)
    monkeypatch.setattr(readers, "MAX_BYTES", 4 * 64 * 64 * 3 - 1)
    assert len(load(str(tmp_path), size=63).labels) == 4
    with pytest.raises(DataError, match="has 4 pictures; at 64 pixels they take"):
        load(str(tmp_path), size=64)


def test_pieces_together_are_the_whole_whatever_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path, ("a", "b"), 5)
    (tmp_path / "a" / "2.png").write_bytes(b"")
    whole = load(str(tmp_path), size=16)
    monkeypatch.setattr(readers, "MAX_BYTES", 5 * 16 * 16 * 3)
    with pytest.raises(DataError, match="has 10 pictures"):
        load(str(tmp_path), size=16)
    pieces = list(load_pieces(str(tmp_path), size=16, pictures=4))
    assert [len(piece.labels) for piece in pieces] == [3, 4, 2]
    assert np.array_equal(np.concatenate([piece.images for piece in pieces]), whole.images)
    assert np.array_equal(np.concatenate([piece.labels for piece in pieces]), whole.labels)
    assert sum((piece.skipped for piece in pieces), ()) == whole.skipped != ()


def test_cancel_and_progress(tmp_path: Path) -> None:
    class_folders(tmp_path, ("a", "b"), 40)
    token = CancelToken()
    seen = []

    def progress(share: float) -> None:
        seen.append(share)
        if share:
            token.cancel()

    with pytest.raises(Cancelled):
        load(str(tmp_path), size=8, token=token, progress=progress)
    assert seen == [0.0, 64 / 80]


# ---- CIFAR's own files ----


class Python2Pickler(pickle._Pickler):
    """Writes what CIFAR's files hold: byte strings of Python 2, NumPy's old module names."""

    def save_bytes(self, value: bytes) -> None:
        short = struct.pack("<B", len(value)) if len(value) < 256 else None
        self.write((b"U" + short if short is not None else b"T" + struct.pack("<i", len(value))) + value)
        self.memoize(value)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_bytes}


def python2(batch: dict[bytes, Any]) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(batch)
    return buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def cifar_batch(count: int = 7) -> tuple[NDArray[np.uint8], list[int], dict[bytes, Any]]:
    rows = RNG.integers(0, 256, (count, 3072)).astype(np.uint8)
    labels = RNG.integers(0, 10, count).tolist()
    names = [b"%d.png" % index for index in range(count)]
    return rows, labels, {b"batch_label": b"one", b"data": rows, b"labels": labels, b"filenames": names}


def test_cifar_python_batches(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    _, labels, batch = cifar_batch()
    for name in ("test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
        (folder / name).write_bytes(python2(batch))
    # the reference: Python's own reader, as torchvision uses it
    reference = pickle.loads((folder / "test_batch").read_bytes(), encoding="latin1")
    expected = reference["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for place in (folder, tmp_path):
        found = load(str(place), "test", size=None)
        assert np.array_equal(found.images, expected) and found.labels.tolist() == labels
        assert found.classes == TEN
    assert len(load(str(folder), "train", size=None).labels) == 35
    row = browse(str(tmp_path))
    assert len(row) == 7 and row.label(0) == TEN[labels[0]] == row.item(0).label
    assert np.array_equal(row.item(3).pixels, expected[3])
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match="lacks data_batch_3"):
        load(str(folder), "train", size=None)


def test_cifar_as_a_newer_numpy_writes_it(tmp_path: Path) -> None:
    rows, labels, batch = cifar_batch()
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    found = load(str(tmp_path), "test", size=None)
    assert np.array_equal(found.images[:, 0, 0], rows[:, ::1024]) and found.labels.tolist() == labels


def test_cifar_100(tmp_path: Path) -> None:
    rows = RNG.integers(0, 256, (4, 3072)).astype(np.uint8)
    batch = {b"data": rows, b"fine_labels": [99, 0, 47, 5], b"coarse_labels": [1, 1, 1, 1]}
    for name in ("train", "test", "meta"):
        (tmp_path / name).write_bytes(python2(batch))
    found = load(str(tmp_path), "train", size=None)
    assert found.labels.tolist() == [99, 0, 47, 5] and found.classes[47] == "maple tree"


def test_cifar_binary(tmp_path: Path) -> None:
    rows, labels, _ = cifar_batch()
    raw = b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, rows, strict=True))
    (tmp_path / "test_batch.bin").write_bytes(raw)
    found = load(str(tmp_path), "test", size=None)
    assert np.array_equal(found.images, rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    assert found.labels.tolist() == labels and found.classes == TEN
    (tmp_path / "test_batch.bin").write_bytes(raw[:-1])
    with pytest.raises(DataError, match="cut short"):
        load(str(tmp_path), "test", size=None)


class Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def evil_pickles(target: Path) -> dict[str, bytes]:
    import os

    write = f"open({str(target)!r}, 'w').write('x')"
    array = np.zeros((2, 2), dtype=object)
    huge = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01btR."
    return {
        "system": pickle.dumps({b"data": Evil(os.system, f"touch {target}")}),
        "eval": pickle.dumps({b"data": Evil(eval, write)}),
        "exec in a list": pickle.dumps([Evil(exec, write)]),
        "module attribute": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch abc\x85R.",
        "object array": pickle.dumps({b"data": array, b"labels": [0, 1]}, protocol=2),
        "huge array": huge,
        "huge memo": b"\x80\x02}r\xff\xff\xff\x7f.",
        "huge string": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00abc.",
        "class changed": b"\x80\x02cnumpy\nndarray\n}U\x08__code__K\x01sb.",
        "codec": b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR.",
        "numpy load": b"\x80\x02cnumpy\nload\nU\x01x\x85R.",
        "no dictionary": pickle.dumps([1, 2]),
        "empty": b"",
        "text": b"hello",
    }


@pytest.mark.parametrize("name", evil_pickles(Path("x")))
def test_a_batch_that_is_something_else_runs_nothing(name: str, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    (tmp_path / "test_batch").write_bytes(evil_pickles(target)[name])
    with pytest.raises(DataError, match=r"test_batch (is no CIFAR batch|holds no CIFAR pictures)"):
        load(str(tmp_path), "test", size=None)
    assert not target.exists()


def test_a_damaged_batch_raises_nothing_but_data_errors(tmp_path: Path) -> None:
    _, _, batch = cifar_batch(2)
    whole = python2(batch)
    rng = np.random.default_rng(3)
    head = np.r_[0:120, len(whole) - 120 : len(whole)]
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.choice(head, rng.integers(1, 5)):
            data[place] = rng.integers(0, 256)
        (tmp_path / "test_batch").write_bytes(data[: rng.integers(10, len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            found = load(str(tmp_path), "test", size=None)
        except DataError:
            continue
        assert found.images.shape[1:] == (32, 32, 3) and len(found.images) == len(found.labels)


# ---- IDX, .npz, contact sheets ----


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_idx_is_what_torchvision_reads(tmp_path: Path, packed: bool) -> None:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    images, labels = RNG.integers(0, 256, (5, 28, 28)).astype(np.uint8), np.array([9, 0, 3, 3, 1], np.uint8)
    for name, array in (("t10k-images-idx3-ubyte", images), ("t10k-labels-idx1-ubyte", labels)):
        (tmp_path / name).write_bytes(idx(array))
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    theirs = read_image_file(str(tmp_path / "t10k-images-idx3-ubyte")).numpy()
    found = load(str(tmp_path / "FashionMNIST"), "test", size=None)
    assert np.array_equal(found.images, np.repeat(theirs[..., None], 3, 3))
    assert found.labels.tolist() == read_label_file(str(tmp_path / "t10k-labels-idx1-ubyte")).tolist()
    assert found.classes[9] == "Ankle boot"
    grey = load(str(tmp_path / "FashionMNIST"), "test", size=None, channels=1)
    assert np.array_equal(grey.images[..., 0], theirs)  # luma of grey is that grey
    larger = load(str(tmp_path / "FashionMNIST"), "test", size=32)
    assert larger.images.shape == (5, 32, 32, 3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"x",
        lambda raw: raw[:7],
        lambda raw: b"\x00\x00\x0d\x03" + raw[4:],
        lambda raw: raw[:4] + b"\xff" * 12 + raw[16:],
        lambda raw: b"",
    ],
)
def test_damaged_idx(tmp_path: Path, damage: Any) -> None:
    raw = idx(np.zeros((2, 28, 28), np.uint8))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(damage(raw))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8)))
    with pytest.raises(DataError, match="Get the file again"):
        load(str(tmp_path), "train", size=None)


def test_gzip_that_is_damaged_or_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8)))
    packed = gzip.compress(idx(np.zeros((2, 28, 28), np.uint8)))
    for data in (packed[:-9], b"no gzip", packed[:12] + b"\xff\xff" + packed[14:]):
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(data)
        with pytest.raises(DataError, match="Get the file again"):
            load(str(tmp_path), "train", size=None)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(10**6)))
    monkeypatch.setattr(readers, "MAX_BYTES", 10**6)
    with pytest.raises(DataError, match="more than"):
        load(str(tmp_path), "train", size=None)


def test_npz_arrays(tmp_path: Path) -> None:
    images, labels = RNG.integers(0, 256, (4, 8, 8, 3)).astype(np.uint8), np.array([1, 0, 1, 1])
    np.savez(tmp_path / "train.npz", images=images, labels=labels, classes=np.array(["cat", "dog"]))
    np.savez_compressed(tmp_path / "test.npz", images=images[:2, :, :, 0], labels=labels[:2].astype(np.uint8))
    found = load(str(tmp_path), "train", size=None)
    assert np.array_equal(found.images, images) and found.classes == ("cat", "dog")
    assert np.array_equal(load_arrays(str(tmp_path), "train").images, images)
    grey = load(str(tmp_path), "test", size=None)
    assert np.array_equal(grey.images, np.repeat(images[:2, :, :, :1], 3, 3)) and grey.classes == ("class 0", "class 1")
    assert np.array_equal(load(str(tmp_path / "train.npz"), size=None).labels, labels)
    with pytest.raises(DataError, match="does not exist"):
        load_arrays(str(tmp_path / "absent"), "train")


def bad_npz() -> dict[str, Any]:
    good = {"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.array([0, 1])}
    return {
        "labels missing": {"images": good["images"]},
        "float images": {**good, "images": good["images"].astype(np.float32)},
        "four channels": {**good, "images": np.zeros((2, 4, 4, 4), np.uint8)},
        "label missing": {**good, "labels": np.array([0])},
        "negative label": {**good, "labels": np.array([0, -1])},
        "text labels": {**good, "labels": np.array(["a", "b"])},
        "objects": {**good, "labels": np.array([0, "b"], dtype=object)},
        "no pictures": {"images": good["images"][:0], "labels": np.array([], np.int64)},
        "more labels than names": {**good, "classes": np.array(["only"])},
    }


@pytest.mark.parametrize("name", bad_npz())
def test_npz_with_something_else(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "test.npz", **bad_npz()[name])
    with pytest.raises(DataError, match=r"Save |Get the file again"):
        load(str(tmp_path), size=None)


def test_npz_that_claims_too_much_or_is_damaged(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000, 3)}
    )
    with zipfile.ZipFile(tmp_path / "test.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
        archive.writestr("labels.npy", b"")
    with pytest.raises(DataError, match=r"no readable \.npz"):
        load(str(tmp_path), size=None)
    for data in (b"", b"PK\x03\x04 and no more"):
        (tmp_path / "test.npz").write_bytes(data)
        with pytest.raises(DataError, match=r"no readable \.npz"):
            load(str(tmp_path), size=None)


def contact_sheets(folder: Path, classes: tuple[str, ...]) -> dict[str, NDArray[np.uint8]]:
    folder.mkdir(parents=True)
    tiles = {}
    for name in classes:
        tiles[name] = RNG.integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)
        rows = [np.concatenate(list(tiles[name][start : start + 100]), axis=1) for start in (0, 100)]
        Image.fromarray(np.concatenate(rows)).save(folder / f"{name}.webp", lossless=True, quality=0, method=0)
    return tiles


def test_contact_sheets(tmp_path: Path) -> None:
    tiles = contact_sheets(tmp_path / "test", ("cat", "dog"))
    found = load(str(tmp_path), "test", size=None)
    assert np.array_equal(found.images, np.concatenate([tiles["cat"], tiles["dog"]]))
    assert found.labels.tolist() == [0] * 200 + [1] * 200 and found.classes == ("cat", "dog")
    assert len(load(str(tmp_path / "test"), size=None).labels) == 400
    row = browse(str(tmp_path))
    assert [row.label(index) for index in range(4)] == ["cat", "dog", "cat", "dog"]
    assert np.array_equal(row.item(3).pixels, tiles["dog"][1]) and row.item(3).label == "dog"
    assert row.thumbnail(3).shape == (32, 32, 3) and row.name(3) == "dog 0001"
    assert row.title.endswith("test")
    (tmp_path / "test" / "dog.webp").write_bytes((tmp_path / "test" / "dog.webp").read_bytes()[:5000])
    with pytest.raises((DataError, PictureError), match=r"dog\.webp is damaged"):
        load(str(tmp_path), "test", size=None)


def test_development_data(cifar10: Path) -> None:
    found = load(str(cifar10), "test", size=None)
    assert found.images.shape == (10_000, 32, 32, 3) and found.classes == TEN
    assert np.bincount(found.labels).tolist() == [1000] * 10
    # CIFAR-10's published mean of the training pictures is 0.4914, 0.4822, 0.4465; the test part's is close
    assert found.images.mean((0, 1, 2)) / 255 == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.01)


# ---- finding, matching, browsing ----


def test_where_an_id_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "assets_dir", lambda: tmp_path / "checkout" / "assets")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="CIFAR-10 is not on this machine") as caught:
        locate("cifar10")
    assert str(runs_dir().parent / "data" / "cifar10") in str(caught.value)
    order = [tmp_path / "shared" / "data", tmp_path / "data", runs_dir().parent / "data", tmp_path / "given"]
    monkeypatch.setenv("RESNET_VIZ_DATA", str(tmp_path / "given"))
    for root in order:
        (root / "cifar-10-batches-py").mkdir(parents=True)
        assert locate("CIFAR-10")[0].resolve() == root / "cifar-10-batches-py"
    assert locate("cifar10")[1] == "cifar10"
    batch = cifar_batch()[2]
    (tmp_path / "given" / "cifar-10-batches-py" / "test_batch").write_bytes(python2(batch))
    assert load("cifar10", size=None).title == "CIFAR-10"
    assert browse("cifar10").title == "CIFAR-10 · test"
    (tmp_path / "cifar10").mkdir()
    assert locate("./cifar10") == (Path("cifar10"), "")
    with pytest.raises(DataError, match="one of cifar10, cifar100"):
        locate("cifr10")


def test_align_matches_classes_by_name() -> None:
    three = ArraySet(np.zeros((3, 1, 1, 3), np.uint8), np.array([0, 1, 2]), ("Ship", "cat", "dog"), "x")
    found = align(three, TEN)
    assert found.labels.tolist() == [8, 3, 5] and found.classes == TEN
    assert align(found, TEN) is found
    with pytest.raises(DataError, match="no class Ship"):
        align(three, ("cat", "dog", "cow"))
    unnamed = align(three, ("class 0", "class 1", "class 2"))
    assert unnamed.labels.tolist() == [0, 1, 2]
    with pytest.raises(DataError):
        align(three, ("class 0", "class 1"))


def test_a_plain_folder_is_browsed(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        Image.fromarray(picture(300)).save(tmp_path / f"p{number}.png")
    (tmp_path / "p2.png").write_bytes(b"no picture")
    class_folders(tmp_path / "2024", ("may", "june"), 1)
    row = browse(str(tmp_path))
    assert [row.name(index) for index in range(len(row))] == ["p1.png", "p2.png", "p9.png", "p10.png"]
    assert row.classes == () and row.label(0) is None
    assert row.item(0).path == str(tmp_path / "p1.png") and row.thumbnail(0, 50).shape == (50, 50, 3)
    with pytest.raises(PictureError, match=r"p2\.png"):
        row.item(1)
    for wrong in (-1, 4):
        with pytest.raises(IndexError):
            row.item(wrong)
    assert row.index_of(str(tmp_path / "p9.png")) == 2 and row.index_of("absent.png") is None
    assert len(browse(str(tmp_path / "p1.png"))) == 4


def test_browsing_decodes_nothing_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path, ("cat", "dog"), 5)
    monkeypatch.setattr("resnet_viz.data.layouts.load_image", lambda path: pytest.fail("decoded"))
    row = browse(str(tmp_path))
    assert len(row) == 10 and row.label(9) == "dog" and row.name(9) == "4.png"


def test_nothing_to_browse(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        browse(str(tmp_path))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="neither a folder nor a picture"):
        browse(str(tmp_path / "notes.txt"))
