"""A table of labels beside a picture folder; tables that cannot be one; folders divided by a share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resnet_viz.core.errors import Cancelled, DataError
from resnet_viz.core.token import CancelToken
from resnet_viz.data import csv_set
from resnet_viz.data.browse import browse
from resnet_viz.data.datasets import load, load_pieces
from resnet_viz.data.splits import split_train_test


def colour(number: int) -> NDArray[np.uint8]:
    """A picture that tells its number."""
    return np.full((8, 8, 3), number, np.uint8)


def pictures(folder: Path, count: int, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(colour(number)).save(folder / f"p{number}{suffix}")
    return folder


def table(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def shown(data: str, split: str = "test", **options: float) -> dict[int, str]:
    """Which label each picture got, by the number it tells."""
    found = load(data, split, size=None, **options)  # type: ignore[arg-type]
    return {
        int(picture[0, 0, 0]): found.classes[label] for picture, label in zip(found.images, found.labels, strict=True)
    }


@pytest.mark.parametrize("place", [".", "images", "train", "labels", "train/train", "labels/labels", "my scans"])
def test_the_pictures_lie_beside_the_table_or_in_a_folder_there(tmp_path: Path, place: str) -> None:
    pictures(tmp_path / place, 4)
    given = table(tmp_path / "labels.csv", "id,has_cactus\np0.png,1\np1.png,0\np2.png,1\np3.png,0\n")
    for data in (given, str(tmp_path)):
        found = load(data, size=None)
        assert found.classes == ("0", "1") and found.skipped == ()
        assert shown(data) == {0: "1", 1: "0", 2: "1", 3: "0"}
    assert load(str(tmp_path), size=None).title == tmp_path.name


def test_names_without_suffix_with_folders_and_swapped_columns(tmp_path: Path) -> None:
    pictures(tmp_path / "images" / "deep", 2, ".jpg")
    pictures(tmp_path / "images", 1)
    given = table(tmp_path / "labels.csv", "label,filename\ncat,p0\ndog,deep/p1.jpg\ndog,images\\deep\\p0\n")
    found = load(given, size=None)
    assert found.classes == ("cat", "dog") and found.labels.tolist() == [0, 1, 1]
    assert found.images[:, 0, 0, 0].tolist() == [0, 1, 0]


def test_a_table_names_nothing_that_lies_elsewhere(tmp_path: Path) -> None:
    pictures(tmp_path / "outside", 1)
    pictures(tmp_path / "set", 2)
    outside = tmp_path / "outside" / "p0.png"
    given = table(tmp_path / "set" / "l.csv", f"id,label\np0,a\np1,b\n../outside/p0.png,a\n{outside},b\n")
    found = load(given, size=None)
    assert len(found.labels) == 2 and len(found.skipped) == 2


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("10", "9", "1", "9"), ("1", "9", "10")),
        (("1.5", "-1", "0", "0"), ("-1", "0", "1.5")),
        (("b", "a", "10", "9"), ("10", "9", "a", "b")),
        (("dog", "Cat", "dog", "dog"), ("cat", "dog")),  # a known set's names
        (("inf", "10", "9", "9"), ("10", "9", "inf")),  # a name, though Python reads it as a number
    ],
)
def test_numbers_by_value_names_by_letters(tmp_path: Path, labels: tuple[str, ...], classes: tuple[str, ...]) -> None:
    pictures(tmp_path, 4)
    given = table(tmp_path / "l.csv", "id,label\n" + "".join(f"p{n},{label}\n" for n, label in enumerate(labels)))
    assert load(given, size=None).classes == classes
    assert {name.casefold() for name in shown(given).values()} == {label.casefold() for label in labels}
    assert shown(given)[0].casefold() == labels[0].casefold()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_how_programs_write_tables(tmp_path: Path, encoding: str, separator: str, newline: str) -> None:
    folder = pictures(tmp_path / "사진", 2)
    (folder / "p1.png").rename(folder / "꽃, 하나.png")
    rows = ["id,label", "p0.png,나무", '"꽃, 하나.png",꽃', "", ","]
    text = newline.join(row.replace(",", separator) if '"' not in row else row for row in rows) + newline
    text = text.replace('",', f'"{separator}')
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    assert shown(str(folder / "labels.csv")) == {0: "나무", 1: "꽃"}


def test_a_mark_of_the_byte_order_is_no_part_of_the_header(tmp_path: Path) -> None:
    pictures(tmp_path, 2)
    path = tmp_path / "l.csv"
    path.write_bytes('"id", "a ""b"", c"\np0, "x, y"\np1, z\n'.encode("utf-8-sig"))
    assert shown(str(path)) == {0: "x, y", 1: "z"}
    path.write_bytes("a,b,c\n".encode("utf-8-sig"))
    with pytest.raises(DataError, match=r"^l\.csv has the columns a, b, c\."):
        load(str(path), size=None)


def test_more_columns_if_they_can_be_told_apart(tmp_path: Path) -> None:
    pictures(tmp_path, 2)
    given = table(tmp_path / "l.csv", "number,Image_ID,width,Class Name\n1,p0.png,8,cat\n2,p1.png,8,dog\n")
    assert shown(given) == {0: "cat", 1: "dog"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "l.csv is empty. Its first line names the columns"),
        ("\n\n , \n", "l.csv is empty"),
        ("id,label\n", "a header and no rows"),
        ("id\np0\n", "has the column id. Name the column of file names id and the one of classes label"),
        ("a,b,c\np0,1,2\n", "has the columns a, b, c. Name the column of file names id"),
        ("id,b,c\np0,1,2\n", "has the columns id, b, c"),
        ("p0.png,cat\np1.png,dog\n", "has no header"),
        ("id,label\np7,cat\np8,dog\n", "None of the 2 pictures of l.csv is there, for example p7. Put them"),
        ("id,label\np0,cat\np1,cat\n", "only the class cat. Label the pictures of two"),
        (
            "id,label\np0,cat\np1,cat\np9,dog\n",
            "class dog in .* holds no pictures. Add its pictures or remove its rows",
        ),
        ("id,label\np0,cat\np2,dog\n", "class dog in .* holds no picture that can be read. Add its pictures"),
        ('id,label\n"' + "x" * 200_000 + '",cat\n', "no readable table"),
    ],
)
def test_what_is_no_table_of_labels(tmp_path: Path, text: str, message: str) -> None:
    pictures(tmp_path / "images", 2)
    (tmp_path / "images" / "p2.png").write_bytes(b"no picture")
    given = table(tmp_path / "l.csv", text)
    for data in (given, str(tmp_path)):
        with pytest.raises(DataError, match=message):
            load(data, size=None)
    assert len(browse(str(tmp_path / "images"))) == 3


def test_files_that_are_no_text_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path, 2)
    path = tmp_path / "l.csv"
    path.write_bytes("id,label\np0,Bär\np1,b\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"no UTF-8 text\. Save it as CSV in UTF-8"):
        load(str(path), size=None)
    table(path, "id,label\np0,a\np1,b\n")
    assert len(load(str(path), size=None).labels) == 2
    monkeypatch.setattr(csv_set, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="is larger than"):
        load(str(path), size=None)


def test_a_label_for_every_row_is_no_class(tmp_path: Path) -> None:
    pictures(tmp_path, 60)
    given = table(tmp_path / "l.csv", "id,weight\n" + "".join(f"p{n},{n / 7}\n" for n in range(60)))
    with pytest.raises(DataError, match="a weight of its own"):
        load(given, size=None)


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    pictures(tmp_path, 4)
    (tmp_path / "p3.png").write_bytes(b"no picture")
    given = table(tmp_path / "l.csv", "id,label\np0,a\np9,b\np1,b\np2\n,a\np0,b\np3,b\n")
    found = load(given, size=None)
    assert shown(given) == {0: "a", 1: "b"}
    assert found.skipped[:4] == (
        "p9 (row 3 of l.csv) is not there.",
        "Row 5 of l.csv has no label.",
        "Row 6 of l.csv has no file name.",
        "p0 stands in rows 2 and 7 of l.csv; the first counts.",
    )
    assert len(found.skipped) == 5 and found.skipped[4].startswith("p3.png")
    pieces = list(load_pieces(given, size=8, pictures=2))
    assert sum((piece.skipped for piece in pieces), ()) == found.skipped


def test_a_folder_with_several_tables(tmp_path: Path) -> None:
    pictures(tmp_path / "train" / "train", 3)
    pictures(tmp_path / "test" / "test", 2)
    for name in ("other", "sample_submission"):
        table(tmp_path / f"{name}.csv", "id,label\np0,0.5\np1,0.5\n")
    with pytest.raises(DataError, match=r"several tables: other\.csv, sample_submission\.csv"):
        load(str(tmp_path), "train", size=None)
    # as a competition's archive unpacks
    table(tmp_path / "train.csv", "id,has_cactus\np0.png,1\np1.png,0\np2.png,0\n")
    assert shown(str(tmp_path), "train") == {0: "1", 1: "0", 2: "0"} == shown(str(tmp_path), "test")
    # a table for each part
    table(tmp_path / "test.csv", "id,has_cactus\np0.png,0\np1.png,1\n")
    assert shown(str(tmp_path), "train") == {0: "1", 1: "0", 2: "0"}
    assert shown(str(tmp_path), "test") == {0: "0", 1: "1"}
    assert browse(str(tmp_path)).title.endswith("· test")


def test_class_folders_with_some_table_in_them(tmp_path: Path) -> None:
    pictures(tmp_path / "cat", 2)
    pictures(tmp_path / "dog", 2)
    for name in ("metadata", "more"):
        table(tmp_path / f"{name}.csv", "width,height,source\n8,8,web\n")
    assert load(str(tmp_path), size=None).classes == ("cat", "dog")
    assert len(browse(str(tmp_path))) == 4


def test_browsing_a_table(tmp_path: Path) -> None:
    pictures(tmp_path / "images", 3)
    given = table(tmp_path / "labels.csv", "id,label\np2,tree\np0,car\np5,car\n")
    for data in (given, str(tmp_path)):
        row = browse(data)
        assert [(row.name(n), row.label(n)) for n in range(len(row))] == [("p2.png", "tree"), ("p0.png", "car")]
    pictures(tmp_path, 2)
    table(tmp_path / "labels.csv", "a,b,c\n1,2,3\n")  # the pictures can be looked at all the same
    assert browse(str(tmp_path)).classes == () and len(browse(str(tmp_path))) == 2
    with pytest.raises(DataError, match="has the columns a, b, c"):
        browse(given)


def test_a_large_table_can_be_cancelled(tmp_path: Path) -> None:
    pictures(tmp_path, 2)
    given = table(tmp_path / "l.csv", "id,label\n" + "".join(f"p{n},{n % 3}\n" for n in range(20_000)))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        load(given, size=None, token=token)


# ---- one folder, divided ----


def check_division(data: str, per_class: int) -> None:
    whole, plain = shown(data, "train"), shown(data, "test")
    assert whole == plain == shown(data, "train", test_share=0)
    train, test = shown(data, "train", test_share=0.25), shown(data, "test", test_share=0.25)
    assert not train.keys() & test.keys() and train | test == whole
    assert all(list(test.values()).count(name) == round(per_class / 4) for name in set(whole.values()))
    assert test == shown(data, "test", test_share=0.25) != shown(data, "test", test_share=0.25, split_seed=1)


def test_class_folders_are_divided_by_share_and_seed(tmp_path: Path) -> None:
    pictures(tmp_path / "all", 60)
    for number in range(60):
        target = tmp_path / "set" / ("a", "b", "c")[number % 3]
        target.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / f"p{number}.png").rename(target / f"p{number}.png")
    check_division(str(tmp_path / "set"), 20)
    pieces = list(load_pieces(str(tmp_path / "set"), "test", size=8, pictures=4, test_share=0.25))
    whole = load(str(tmp_path / "set"), "test", size=8, test_share=0.25)
    assert np.array_equal(np.concatenate([piece.images for piece in pieces]), whole.images)


def test_a_table_and_an_array_file_are_divided(tmp_path: Path) -> None:
    pictures(tmp_path / "images", 40)
    check_division(table(tmp_path / "labels.csv", "id,y\n" + "".join(f"p{n},{n % 2}\n" for n in range(40))), 20)
    images = np.stack([colour(number) for number in range(40)])
    np.savez(tmp_path / "all.npz", images=images, labels=np.arange(40) % 2)
    check_division(str(tmp_path / "all.npz"), 20)


def test_a_set_with_parts_keeps_them() -> None:
    assert len(load("shapes", "test", size=None, test_share=0.5).labels) == 2000


def test_a_division_that_cannot_be_made(tmp_path: Path) -> None:
    pictures(tmp_path / "a", 3)
    pictures(tmp_path / "b", 1)
    with pytest.raises(DataError, match="The class b has one picture"):
        load(str(tmp_path), size=None, test_share=0.2)
    pictures(tmp_path / "b", 2)
    for share in (1.0, -0.2):
        with pytest.raises(DataError, match="leaves one part empty"):
            load(str(tmp_path), size=None, test_share=share)
    assert len(load(str(tmp_path), size=None, test_share=0.2).labels) == 2
    assert len(split_train_test(np.array([0, 0, 0, 1, 1]), 0.2, 0)[1]) == 2


def test_unreadable_pictures_are_listed_in_the_part_they_fall_into(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pictures(tmp_path / name, 10)
        (tmp_path / name / "p3.png").write_bytes(b"no picture")
    parts = [load(str(tmp_path), part, size=None, test_share=0.3) for part in ("train", "test")]
    assert sum(len(part.skipped) for part in parts) == 2
    assert sum(len(part.labels) for part in parts) == 18
