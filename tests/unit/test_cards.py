"""Cards and settings that were written by hand, cut, or made to break something."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from resnet_viz.cli.models import rows
from resnet_viz.core.errors import CheckpointError, UserError
from resnet_viz.core.paths import config_dir, runs_dir, trained_dir
from resnet_viz.core.types import ModelCard, Normalization
from resnet_viz.data.presets import presets
from resnet_viz.models.checkpoint import load_checkpoint
from resnet_viz.session import loading, results, store
from resnet_viz.session.cards import MAX_LABEL, MAX_TEXT, clean, finite, read_record, sound
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

SHIPPED = trained_dir() / "resnet20-cifar10"
DEEP = "[" * 100_000
NAN = float("nan")


def run_with(folder: Path, changes: dict[str, Any] | str) -> Path:
    """Copy the shipped net, its card changed or replaced by a text."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHIPPED / "weights.safetensors", folder)
    card = json.loads((SHIPPED / "card.json").read_text(encoding="utf-8"))
    text = changes if isinstance(changes, str) else json.dumps({**card, **changes})
    (folder / "card.json").write_text(text, encoding="utf-8")
    return folder


def opened(folder: Path) -> ModelCard:
    return open_model(OpenModel(str(folder)))[1]


@pytest.mark.parametrize("path", sorted(trained_dir().glob("*/card.json")), ids=lambda path: path.parent.name)
def test_a_shipped_card_is_sound_as_it_stands(path: Path) -> None:
    card = json.loads(path.read_text(encoding="utf-8"))
    assert sound(card) == (card, ()) and read_record(path) == card


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("classes", 5), ("classes", "abcdefghij"), ("classes", {"a": 1}), ("classes", [[1]] * 10),
        ("classes", [None] * 10), ("classes", [1.5] * 10), ("title", 5), ("title", ["a"]), ("title", "\x1b\n"),
        ("dataset", ["a"]), ("dataset", 5), ("params", "many"), ("params", NAN), ("params", -1), ("params", True),
        ("test_error", "12 %"), ("test_error", NAN), ("test_error", float("inf")), ("test_error", 7.99),
        ("test_error", 10**400), ("input_size", "32"), ("input_size", 10**6), ("input_size", True), ("id", [1]),
        ("arch", 5), ("arch", "nosuch"), ("options", [1]), ("normalization", "cifar10"), ("normalization", []),
        *(("normalization", {"mean": mean, "std": std}) for mean, std in (
            ("abc", "abc"), (["a", "b", "c"], [1, 1, 1]), ([None] * 3, [1, 1, 1]), ([0.5], [0.5]), ([0] * 4, [1] * 4),
            ([0, 0, 0], [1, 0, 1]), ([0, 0, 0], [-1] * 3), ([NAN] * 3, [1, 1, 1]), ([0] * 3, [1, 1, NAN]),
            ([0] * 3, [10**400] * 3), ([0, True, 0], [1, 1, 1]), ([0, 0, 0], None),
        )),
    ],
)  # fmt: skip
def test_an_odd_field_costs_that_field_and_says_so_once(
    tmp_path: Path, field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "receptive_fields", lambda *_: {})  # slow, and nothing of a card
    card = opened(run_with(tmp_path / "run", {field: value}))
    (warning,) = [warning for warning in card.warnings if "card.json" in warning]
    assert f"({field} " in warning and warning.endswith(". Correct it there.")
    assert len(card.classes) == 10 and card.classes[3] in ("cat", "class 3") and card.input_size == 32
    assert card.arch == "resnet20" and min(card.normalization.std) > 0
    assert card.normalization_known == (field != "normalization")
    assert card.test_error is None or field != "test_error"
    json.dumps(card.extra, allow_nan=False)


def test_a_field_that_is_null_is_no_field_and_two_odd_ones_share_a_warning(tmp_path: Path) -> None:
    nulls = dict.fromkeys(("classes", "title", "dataset", "normalization", "test_error", "options", "arch", "id"))
    card = opened(run_with(tmp_path / "a", nulls))
    assert card.classes[3] == "cat" and not card.normalization_known and card.dataset == ""
    assert not [warning for warning in card.warnings if "card.json" in warning]
    both = opened(run_with(tmp_path / "b", {"title": 5, "classes": 5}))
    (warning,) = both.warnings
    assert "(title is no text; classes is no list of names). Correct them there." in warning


def test_texts_of_a_card_cannot_steer_a_terminal_or_fill_the_window(tmp_path: Path) -> None:
    changes = {"title": "\x1b[31mred\r\n" + "x" * 5000, "classes": ["\x1b]0;evil\x07\n" + "y" * 500] * 9 + ["\x1b"]}
    card = opened(run_with(tmp_path / "run", changes))
    assert card.title.startswith("[31mred xxx") and len(card.title) == MAX_TEXT
    assert len(card.classes[0]) == MAX_LABEL and card.classes[9] == "class 9"
    assert all(text.isprintable() for text in (card.title, *card.classes))
    assert clean("한글 😀 · é") == "한글 😀 · é"


@pytest.mark.parametrize("text", ["", "{", "[]", "5", DEEP, '{"a":' + DEEP, '{"a": ' + "[" * 60 + "]" * 60 + "}"])
def test_a_card_that_cannot_be_read_is_one_sentence_everywhere(tmp_path: Path, text: str) -> None:
    folder = run_with(tmp_path / "run", text)
    with pytest.raises(CheckpointError, match=r"card\.json is damaged \(.+\)\. Restore it, or open weights"):
        opened(folder)
    with pytest.raises(UserError, match=r"holds no readable card\.json"):
        results.read_card(folder)
    if DEEP in text:
        with pytest.raises(CheckpointError, match=r"card\.json is damaged\. Restore it"):
            load_checkpoint(folder)


def test_odd_cards_of_own_runs_do_not_break_the_list() -> None:
    odd = {"classes": 5, "params": "many", "test_error": NAN, "title": 5, "dataset": [1], "id": [1], "arch": ["x"]}
    run_with(runs_dir() / "odd", odd)
    run_with(runs_dir() / "deep", DEEP)
    (row,) = [row for row in rows() if row["id"] == "odd"]
    assert (row["title"], row["params"], row["test_error"], row["dataset"]) == ("odd", None, None, None)
    json.dumps(row, allow_nan=False)
    assert store.trained_folder("odd") == runs_dir() / "odd" and store.trained_folder("deep") is None


def test_a_run_that_is_measured_needs_its_mean(tmp_path: Path) -> None:
    card = results.read_card(run_with(tmp_path / "run", {"normalization": {"mean": ["a"], "std": [0]}}))
    with pytest.raises(UserError, match=r"card\.json normalization .+\. Correct it there\."):
        results.card_normalization(card)
    sane = results.read_card(run_with(tmp_path / "sane", {}))
    assert results.card_normalization(sane).mean == presets.get("cifar10").mean


@pytest.mark.parametrize(
    "entry",
    [
        {"title": "own", "mean": ["a", "b", "c"], "std": [1, 1, 1]},
        {"title": "own", "mean": "abc", "std": "abc"},
        {"title": "own", "mean": [0, 0, 0], "std": [0, 0, 0]},
        {"title": "own", "mean": [0, 0, None], "std": [1, 1, 1]},
        7,
    ],
)
def test_a_remembered_mean_that_cannot_be_meant_is_asked_again(tmp_path: Path, entry: object) -> None:
    file = tmp_path / "net.pt"
    file.write_bytes(b"x")
    store.remember_normalization(str(file), presets.get("imagenet"))
    assert store.remembered_normalization(str(file)) == presets.get("imagenet")
    state = json.loads((config_dir() / "state.json").read_text(encoding="utf-8"))
    state["normalization"] = dict.fromkeys(state["normalization"], entry)
    (config_dir() / "state.json").write_text(json.dumps(state), encoding="utf-8")
    assert store.remembered_normalization(str(file)) is None
    store.remember_normalization(str(file), Normalization("own", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert store.remembered_normalization(str(file)) is not None


@pytest.mark.parametrize(
    "text", [DEEP, '{"recent_model": ' + DEEP, '{"odd": NaN, "recent_model": ["a"]}', '{"a": 1e999}']
)
def test_odd_settings_are_read_and_written_over(text: str) -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "state.json").write_text(text, encoding="utf-8")
    assert store.recent("model") in ([], ["a"])
    assert store.remembered_normalization("x") is None
    store.remember_recent("model", "b")
    assert store.recent("model")[0] == "b"


def test_finite_keeps_all_that_is_plain() -> None:
    assert finite({"a": [1, "x", None, True, 0.5, NAN, {"b": -float("inf")}]}) == {
        "a": [1, "x", None, True, 0.5, None, {"b": None}]
    }


def _net(channels: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


class _BranchFirst(nn.Module):
    """The convolution that is written first is not the one that runs first."""

    def __init__(self) -> None:
        super().__init__()
        self.later, self.stem = nn.Conv2d(8, 4, 1), nn.Conv2d(3, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean: torch.Tensor = self.later(self.stem(x)).mean((2, 3))  # (N, 4)
        return mean


def _factory(monkeypatch: pytest.MonkeyPatch, net: nn.Module) -> OpenModel:
    monkeypatch.setattr(loading, "load_factory", lambda _: net)
    return OpenModel("", factory="my:net", input_size=16)


@pytest.mark.parametrize("kind", [torch.float16, torch.float64, torch.bfloat16])
def test_a_factorys_net_of_another_precision_is_cast(monkeypatch: pytest.MonkeyPatch, kind: torch.dtype) -> None:
    net, card = open_model(_factory(monkeypatch, _net().to(kind)))
    assert net(torch.zeros(1, 3, 16, 16)).dtype == torch.float32
    assert f"{str(kind).removeprefix('torch.')} cast to float32" in card.found


@pytest.mark.parametrize("channels", [2, 5])
def test_a_factorys_net_of_other_channels_is_one_sentence(monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    with pytest.raises(UserError, match=rf"takes {channels} channels, but a picture has 3.*\. Name a factory"):
        open_model(_factory(monkeypatch, _net(channels)))


def test_lazy_grey_and_oddly_ordered_factories_open(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(2))
    net, card = open_model(_factory(monkeypatch, lazy))
    assert card.in_channels == 3 and card.params == 4 * 27 + 4 + 4 * 2 + 2 and len(card.classes) == 2
    assert net(torch.zeros(1, 3, 16, 16)).shape == (1, 2)
    assert open_model(_factory(monkeypatch, _net(1)))[1].in_channels == 1
    assert open_model(_factory(monkeypatch, _BranchFirst()))[1].in_channels == 3
    half_lazy = nn.Sequential(nn.LazyConv2d(4, 3, dtype=torch.float16), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert open_model(_factory(monkeypatch, half_lazy))[1].in_channels == 3


def test_a_lazy_net_takes_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    request = replace(_factory(monkeypatch, nn.Sequential(nn.LazyConv2d(4, 3))), ref=str(SHIPPED))
    with pytest.raises(UserError, match=r"lazy layers have no shape yet.*\. Let the function pass one picture"):
        open_model(request)


def test_a_factorys_net_without_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        net = _net()
    with pytest.raises(UserError, match=r"my:net returned a net without values \(meta device\)\. Build it"):
        open_model(_factory(monkeypatch, net))
