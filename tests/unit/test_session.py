"""The workbench, what is remembered, and the script that reproduces what is on screen."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from resnet_viz.analysis import montage as grids
from resnet_viz.core.errors import Cancelled, UserError
from resnet_viz.core.paths import assets_dir, config_dir
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import CropBox, Fit, ModelCard, Normalization
from resnet_viz.data.images import load_image
from resnet_viz.jobs.cache import ByteLRU
from resnet_viz.models import create, models
from resnet_viz.session import service, store
from resnet_viz.session.architectures import ARCHITECTURES
from resnet_viz.session.loading import open_model
from resnet_viz.session.normalizing import parse_normalization
from resnet_viz.session.requests import (
    FilterRequest,
    FiltersOpened,
    Forget,
    Look,
    LookAhead,
    LookAround,
    Looked,
    Opened,
    OpenModel,
)
from resnet_viz.session.service import Workbench
from resnet_viz.session.snippets import python_script

CAT = assets_dir() / "samples" / "cat.jpg"


@pytest.fixture
def bench() -> Workbench:
    return Workbench()


def opened(bench: Workbench, request: OpenModel) -> ModelCard:
    answer = bench.handle(request)
    assert isinstance(answer, Opened)
    return answer.card


def looked(bench: Workbench, look: Look) -> Looked:
    answer = bench.handle(look)
    assert isinstance(answer, Looked)
    return answer


def test_the_shipped_net_knows_the_cat(bench: Workbench) -> None:
    card = opened(bench, OpenModel(ref="resnet20-cifar10"))
    assert card.normalization_known and card.test_error is not None and card.test_error <= 0.095
    seen = looked(bench, Look(card.id, load_image(CAT), Fit(), "layer2.0", block="layer2.0"))
    assert seen.prediction is not None and seen.prediction.top[0].label == "cat"
    assert seen.activation is not None and seen.activation.maps.shape == (32, 16, 16)
    assert set(seen.energies) == {block.name for block in card.blocks}
    assert seen.parts is not None
    assert np.array_equal(seen.parts.x + seen.parts.f, seen.parts.total)
    assert np.array_equal(seen.activation.maps, seen.parts.out)


def test_the_second_look_runs_no_pass_and_another_layer_stops_early(bench: Workbench) -> None:
    card = opened(bench, OpenModel(ref="resnet20", untrained=True))
    image = load_image(CAT)
    first = looked(bench, Look(card.id, image, Fit(), "layer1.0"))
    again = looked(bench, Look(card.id, image, Fit(), "layer1.0"))
    assert first.pass_ms > 0 and again.pass_ms == 0
    assert again.activation is first.activation
    late: list[str] = []
    net = bench._net(card.id).net
    handle = net.get_submodule("layer3.2").register_forward_hook(lambda *_: late.append("layer3.2"))
    looked(bench, Look(card.id, image, Fit(), "layer1.1"))
    assert late == []  # the prediction was known, so the pass ended at layer1.1
    bench.handle(Forget())
    assert looked(bench, Look(card.id, image, Fit(), "layer1.0")).pass_ms > 0
    handle.remove()


def test_maps_come_in_the_colours_that_were_asked_for(bench: Workbench) -> None:
    card = opened(bench, OpenModel(ref="resnet20", untrained=True))
    look = Look(card.id, load_image(CAT), Fit(), "layer1.0")
    assert looked(bench, look).coloured is None
    for options in (grids.GridOptions(), grids.GridOptions(normalize="channel", colormap="signed")):
        seen = looked(bench, replace(look, options=options))
        assert seen.coloured is not None and seen.activation is not None and seen.stats is not None
        assert seen.coloured[0] == options
        expected = grids.colour(seen.activation.maps, seen.stats, options)
        assert np.array_equal(seen.coloured[1], expected)


def test_a_net_of_ours_is_not_looked_through_with_every_look(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    card = opened(bench, OpenModel(ref="resnet20", untrained=True))
    monkeypatch.setattr("resnet_viz.hooks.capture.borrow", None)  # not to be called
    look = Look(card.id, load_image(CAT), Fit(), "layer1.0")
    assert looked(bench, look).pass_ms > 0
    bench.handle(LookAround(look))
    assert looked(bench, replace(look, layer="layer3.0")).pass_ms == 0


class Counting(nn.Module):
    """A net of no known family that writes a buffer with every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
        self.register_buffer("passes", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        answer: torch.Tensor = self.head(self.conv(x).mean(dim=(2, 3)))
        return answer


def test_a_net_that_is_not_ours_is_given_back_with_every_look(bench: Workbench) -> None:
    factory = f"{__name__}:Counting"
    card = opened(bench, OpenModel(ref="", factory=factory, input_size=32))
    net = bench._net(card.id).net
    passes = int(net.get_buffer("passes"))  # what describing it left there
    for layer in ("conv", "head"):
        seen = looked(bench, Look(card.id, load_image(CAT), Fit(), layer))
        assert seen.pass_ms > 0 and seen.activation is not None
    assert int(net.get_buffer("passes")) == passes


def test_what_was_looked_at_ahead_costs_no_pass(bench: Workbench) -> None:
    card = opened(bench, OpenModel(ref="resnet20", untrained=True))
    image = load_image(CAT)
    known = looked(bench, Look(card.id, image, Fit(), "conv1"))
    ahead = Look(card.id, image, Fit(), "layer1.0", predict=False, energies=False)
    assert bench.handle(LookAhead(ahead)) is None
    then = looked(bench, Look(card.id, image, Fit(), "layer1.0"))
    assert then.pass_ms == 0 and then.prediction is not None and known.prediction is not None
    bench.handle(Forget())
    alone = looked(bench, Look(card.id, image, Fit(), "layer1.0"))
    assert then.activation is not None and alone.activation is not None
    assert np.array_equal(then.activation.maps, alone.activation.maps)


@pytest.mark.parametrize("model", ["resnet20", "resnet18", "xai"])
def test_what_is_computed_around_is_what_a_look_of_its_own_shows(bench: Workbench, model: str) -> None:
    card = opened(bench, OpenModel(ref=model, untrained=True))
    image = load_image(CAT)
    look = Look(card.id, image, Fit(), card.layers[0].name)
    looked(bench, look)
    assert bench.handle(LookAround(look)) is None
    around = {layer.name: looked(bench, replace(look, layer=layer.name)) for layer in card.layers}
    assert all(answer.pass_ms == 0 for answer in around.values())
    bench.handle(Forget())
    for layer in card.layers[::7]:
        alone = looked(bench, replace(look, layer=layer.name))
        known = around[layer.name]
        assert alone.pass_ms > 0 and alone.activation is not None and known.activation is not None
        assert np.array_equal(alone.activation.maps, known.activation.maps)
        assert alone.stats is not None and known.stats is not None
        assert np.array_equal(alone.stats.mean, known.stats.mean, equal_nan=True)


def test_around_keeps_blocks_first_within_its_share_and_stops_when_told(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = opened(bench, OpenModel(ref="resnet20", untrained=True))
    image = load_image(CAT)
    look = Look(card.id, image, Fit(), "fc")
    looked(bench, look)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        bench.handle(LookAround(look), token)
    ends = {block.out for block in card.blocks}
    sizes = {layer.name: 4 * int(np.prod(layer.out_shape)) for layer in card.layers}
    monkeypatch.setattr(service, "AROUND_BYTES", sum(sizes[name] for name in ends))
    bench.handle(LookAround(look))
    known = {name for name in sizes if looked(bench, replace(look, layer=name)).pass_ms == 0}
    assert ends <= known and sum(sizes[name] for name in known) <= service.AROUND_BYTES + sizes["fc"]


def test_a_file_opened_anew_shows_what_it_holds_now(bench: Workbench, tmp_path: Path) -> None:
    image, path = load_image(CAT), tmp_path / "mine.pth"
    seen = []
    for seed in (0, 1):
        torch.save(create("resnet20", seed=seed).state_dict(), path)
        card = opened(bench, OpenModel(ref=str(path)))
        look = Look(card.id, image, Fit(), "layer2.1", block="layer2.1")
        seen.append(looked(bench, look))
        bench.handle(LookAround(look))
    plain = opened(bench, OpenModel(ref=str(path), arch="plain20"))
    seen.append(looked(bench, Look(plain.id, image, Fit(), "layer2.1")))
    assert all(answer.pass_ms > 0 for answer in seen)
    for one, other in ((0, 1), (1, 2)):
        first, second = seen[one], seen[other]
        assert first.activation is not None and second.activation is not None
        assert not np.array_equal(first.activation.maps, second.activation.maps)
        assert first.prediction is not None and second.prediction is not None
        assert first.prediction.logits.tolist() != second.prediction.logits.tolist()


def test_another_crop_or_mean_is_another_answer(bench: Workbench) -> None:
    card = opened(bench, OpenModel(ref="resnet20-cifar10"))
    image = load_image(CAT)
    base = looked(bench, Look(card.id, image, Fit(), "conv1"))
    crop = looked(bench, Look(card.id, image, Fit("crop", CropBox(10, 10, 60, 60)), "conv1"))
    half = looked(bench, Look(card.id, image, Fit(), "conv1", normalization=parse_normalization("half")))
    assert base.activation is not None and crop.activation is not None and half.activation is not None
    assert not np.array_equal(base.activation.maps, crop.activation.maps)
    assert not np.array_equal(base.activation.maps, half.activation.maps)


def test_filters_and_unknown_names(bench: Workbench) -> None:
    card = opened(bench, OpenModel(ref="resnet20", untrained=True))
    answer = bench.handle(FilterRequest(card.id, "conv1"))
    assert isinstance(answer, FiltersOpened) and answer.filters.rgb
    assert np.array_equal(answer.filters.weights, create("resnet20", seed=0).conv1.weight.detach().numpy())
    with pytest.raises(UserError, match=r"conv1|Choose"):
        bench.handle(FilterRequest(card.id, "bn1"))
    with pytest.raises(UserError, match=r"layer1\.0"):
        bench.handle(Look(card.id, load_image(CAT), Fit(), "layer1.00"))


def test_a_foreign_checkpoint_asks_for_its_mean_and_remembers_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "foreign.pth"
    torch.save({"state_dict": {f"module.{key}": value for key, value in create("resnet20").state_dict().items()}}, path)
    _, card = open_model(OpenModel(ref=str(path)))
    assert not card.normalization_known
    assert "ResNet-20, shortcut A, 10 classes, 269,722 parameters" in card.found
    assert "prefix `module.` stripped" in card.found
    store.remember_normalization(card.source, Normalization("own", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    _, again = open_model(OpenModel(ref=str(path)))
    assert again.normalization_known and again.normalization.mean == (0.1, 0.2, 0.3)
    _, told = open_model(OpenModel(ref=str(path), normalize="imagenet"))
    assert told.normalization.title == "ImageNet"


def test_recent_files_and_damaged_settings() -> None:
    for number in range(20):
        store.remember_recent("picture", f"/p/{number}.png")
    store.remember_recent("picture", "/p/3.png")
    assert store.recent("picture")[:2] == ["/p/3.png", "/p/19.png"]
    assert len(store.recent("picture")) == store.MAX_RECENT
    (config_dir() / "state.json").write_text("{broken", encoding="utf-8")
    assert store.recent("picture") == []
    store.remember_recent("picture", "/p/new.png")
    assert store.recent("picture") == ["/p/new.png"]
    assert (config_dir() / "state.json.bak").read_text(encoding="utf-8") == "{broken"


def test_an_unwritable_home_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("RESNET_VIZ_HOME", str(blocker / "home"))
    store.remember_recent("model", "/x.pt")
    assert store.recent("model") == []


def test_the_list_for_menus_is_the_registry() -> None:
    assert tuple((spec.id, spec.title) for spec in models) == ARCHITECTURES


@pytest.mark.parametrize("text", ["cifar10", "imagenet", "half", "0.1,0.2,0.3/0.4,0.5,0.6"])
def test_normalizations_that_make_sense(text: str) -> None:
    assert len(parse_normalization(text).mean) == 3


@pytest.mark.parametrize("text", ["", "nope", "1,2/3", "1,2,3/0,1,1", "a,b,c/d,e,f", "0.1,0.2,0.3/0.1,0.2,nan"])
def test_normalizations_that_do_not(text: str) -> None:
    with pytest.raises(UserError, match="cifar10"):
        parse_normalization(text)


def test_cache_keeps_within_its_budget() -> None:
    cache: ByteLRU[str] = ByteLRU(100)
    for name in "abc":
        cache.put(name, name, 40)
    assert "a" not in cache and cache.get("b") == "b"
    cache.put("d", "d", 40)
    assert "c" not in cache and "b" in cache and cache.nbytes == 80
    cache.put("huge", "huge", 101)
    assert "huge" not in cache and cache.nbytes == 80
    cache.put("b", "new", 10)
    assert cache.get("b") == "new" and cache.nbytes == 50
    cache.clear()
    assert len(cache) == 0 and cache.nbytes == 0


def test_the_copied_script_prints_the_numbers_on_screen(bench: Workbench, tmp_path: Path) -> None:
    card = opened(bench, OpenModel(ref="resnet20-cifar10"))
    image = load_image(CAT)
    look = Look(card.id, image, Fit("crop", CropBox(20, 30, 200, 200)), "layer3.0", block="layer3.0", top=3)
    seen = looked(bench, look)
    script = tmp_path / "copied.py"
    script.write_text(python_script(card, look), encoding="utf-8")
    root = str(Path(__file__).resolve().parents[2])
    shown = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=600, cwd=root, env=_env(root)
    )
    assert shown.returncode == 0, shown.stderr
    assert seen.activation is not None and seen.prediction is not None and seen.parts is not None
    maps = seen.activation.maps
    lines = shown.stdout.splitlines()
    assert lines[0] == " ".join(str(part) for part in (maps.shape, maps.mean(), maps.min(), maps.max()))
    assert lines[1] == f"||F|| / ||x|| = {seen.parts.f_to_x}"
    for line, score in zip(lines[2:], seen.prediction.top, strict=True):
        assert line.split() == [score.label, f"{score.prob:.4f}"]


def _env(root: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": root}


def test_a_damaged_settings_file_that_cannot_be_moved_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "state.json").write_text("{broken", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    store.remember_recent("picture", "a.png")
    assert (config_dir() / "state.json").read_text(encoding="utf-8") == "{broken"
