"""The training loop: what it writes, and that a run which was stopped ends as one that never was."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_parts import StopAfter

from resnet_viz.core.errors import OutputError, UserError
from resnet_viz.data.datasets import ArraySet
from resnet_viz.training import layout, runs
from resnet_viz.training.config import OPTIMIZERS, SCHEDULES, TrainConfig
from resnet_viz.training.control import RunControl
from resnet_viz.training.events import Epoch, Event, Failed, Finished, Gradients, Paused, Started, Step
from resnet_viz.training.loop import _batch_sizes, train
from resnet_viz.training.recipes import from_recipe, recipes


@pytest.fixture(scope="module")
def data() -> ArraySet:
    """Three classes of noise, told apart by their colour."""
    rng = np.random.default_rng(0)
    labels = np.arange(72) % 3
    images = rng.integers(0, 120, (72, 8, 8, 3), dtype=np.uint8)
    images[np.arange(72), :, :, labels] += 100
    return ArraySet(images, labels.astype(np.int64), ("red", "green", "blue"), "colours")


def config(**changes: Any) -> TrainConfig:
    base = TrainConfig(
        "resnet20", "colours", epochs=3, batch=16, size=8, val_share=0.25, pad=1, bf16="off", gradients_every=2, lr=0.05
    )
    return replace(base, **changes)


def weights(run: Path, name: str = layout.LAST) -> dict[str, torch.Tensor]:
    state = runs.read_last(run)
    assert state is not None
    return runs.read_weights(run) if name == layout.WEIGHTS else state["net"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / layout.EVENTS).read_text().splitlines()]


def test_a_run_writes_its_folder_and_learns(data: ArraySet, tmp_path: Path) -> None:
    events = list(train(config(epochs=6), data, tmp_path / "run"))
    kinds = [type(event) for event in events]
    assert kinds[0] is Started and kinds[-1] is Finished
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [event.epoch for event in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1].train_acc > 0.9 > 0.6 > epochs[0].train_acc
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        layout.CONFIG, layout.EVENTS, layout.WEIGHTS, layout.LAST, layout.CARD,
    }  # fmt: skip
    assert TrainConfig.read(tmp_path / "run" / layout.CONFIG) == config(epochs=6, num_classes=3)
    logged = lines(tmp_path / "run")
    assert len(logged) == len(events) and logged[0]["train_pictures"] == 54 and logged[0]["val_pictures"] == 18
    card = json.loads((tmp_path / "run" / layout.CARD).read_text())
    assert card["classes"] == ["red", "green", "blue"] and card["params"] == logged[0]["params"]


@pytest.mark.parametrize(("net", "lanes"), [("resnet20", 1), ("resnet20", 2), ("xai", 1)])
def test_stopped_runs_end_with_the_same_weights_and_log(data: ArraySet, tmp_path: Path, net: str, lanes: int) -> None:
    """XAI draws dropout from the global generator, which has to be given back too."""
    if net == "xai":
        images = np.repeat(np.repeat(data.images, 5, 1), 5, 2)
        data = replace(data, images=images)
    size = 40 if net == "xai" else 8
    chosen = config(model=net, size=size, epochs=2, jitter=0.2, label_smoothing=0.1, lanes=lanes)
    list(train(chosen, data, tmp_path / "whole"))
    rng = random.Random(0)
    for attempt in range(2):
        run = tmp_path / f"cut{attempt}"
        for _ in range(50):
            torch.manual_seed(rng.randrange(1000))  # whatever happened in between
            last = list(train(chosen, data, run, StopAfter(rng.randrange(4))))[-1]
            if isinstance(last, Finished) and not last.stopped:
                break
        assert same(weights(run), weights(tmp_path / "whole"))
        assert same(weights(run, layout.WEIGHTS), weights(tmp_path / "whole", layout.WEIGHTS))

        def told(run: Path, kind: str) -> list[Any]:
            drop = ("elapsed_s",)
            return [{k: v for k, v in e.items() if k not in drop} for e in lines(run) if e["event"] == kind]

        for kind in ("epoch", "gradients"):
            assert told(run, kind) == told(tmp_path / "whole", kind)


def test_resume_cuts_the_log_back_to_the_checkpoint(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=2), data, tmp_path, StopAfter(4)))
    with open(tmp_path / layout.EVENTS, "a") as log:
        log.write('{"event": "epoch", "epoch": 99, "train_lo')  # killed while it wrote
    list(train(config(epochs=2), data, tmp_path))
    assert [event["epoch"] for event in lines(tmp_path) if event["event"] == "epoch"] == [1, 2]


def test_the_card_names_what_computed(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=1), data, tmp_path))
    card = tmp_path / "card.json"
    own = json.loads(card.read_text())["hardware"]
    assert " CPU, " in own
    list(train(config(epochs=1), data, tmp_path))
    assert json.loads(card.read_text())["hardware"] == own  # going on here is nothing new
    runs.write_card(tmp_path, json.loads(card.read_text()) | {"hardware": "NVIDIA H200"})
    list(train(config(epochs=1), data, tmp_path))
    assert json.loads(card.read_text())["hardware"] == f"NVIDIA H200, then {own}"
    card.write_text("{")
    list(train(config(epochs=1), data, tmp_path))  # a damaged card is no reason to stop


def test_max_steps_ends_a_run_inside_an_epoch(data: ArraySet, tmp_path: Path) -> None:
    events = list(train(config(max_steps=5, schedule="steps", milestones=(3,), optimizer="momentum"), data, tmp_path))
    state = runs.read_last(tmp_path)
    assert state is not None and state["step"] == 5
    assert isinstance(events[-1], Finished) and events[-1].epochs == 2
    assert list(train(config(max_steps=5), data, tmp_path))[-1] == replace(
        events[-1], elapsed_s=pytest.approx(0, abs=1e9)
    )


def test_a_diverging_run_says_so_and_keeps_the_last_good_weights(data: ArraySet, tmp_path: Path) -> None:
    steep = config(
        epochs=8, lr=60.0, optimizer="sgd", schedule="constant", batch_norm=False, warmup_steps=4, warmup_lr=1e-3
    )
    events = list(train(steep, data, tmp_path))
    assert isinstance(events[-1], Failed) and events[-1].diverged and "learning rate" in events[-1].reason
    assert all(bool(value.isfinite().all()) for value in weights(tmp_path, layout.WEIGHTS).values())
    assert all(bool(value.isfinite().all()) for value in weights(tmp_path).values())
    assert lines(tmp_path)[-1]["diverged"] is True


def test_the_last_step_of_an_epoch_can_diverge_too(data: ArraySet, tmp_path: Path) -> None:
    wild = config(epochs=3, batch=len(data.labels), lr=100.0, optimizer="sgd", schedule="constant", batch_norm=False)
    events = list(train(wild, data, tmp_path))
    assert isinstance(events[-1], Failed) and events[-1].diverged
    assert not (tmp_path / layout.WEIGHTS).exists()  # weights that answer NaN are not the best


def test_a_full_disk_is_named_and_loses_nothing(
    data: ArraySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    list(train(config(epochs=1), data, run))
    before = weights(run)

    def full(path: Path, state: object) -> None:
        raise OutputError(f"{path / layout.LAST} cannot be written (No space left on device). Free some space.")

    monkeypatch.setattr(runs, "write_last", full)
    events = list(train(config(epochs=2), data, run))
    assert isinstance(events[-1], Failed) and layout.LAST in events[-1].reason and "space" in events[-1].reason
    assert same(weights(run), before)


def test_a_damaged_checkpoint_is_one_sentence(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=1), data, tmp_path))
    whole = (tmp_path / layout.LAST).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"<html>", b"\x80\x04K\x01."):
        (tmp_path / layout.LAST).write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            list(train(config(epochs=1), data, tmp_path))


def test_pausing_holds_the_run_and_saves_it(data: ArraySet, tmp_path: Path) -> None:
    control = RunControl()
    seen: list[Event] = []
    stream: Iterator[Event] = train(config(epochs=1), data, tmp_path, control)
    control.pause()
    for event in stream:
        seen.append(event)
        if isinstance(event, Paused) and event.paused:
            assert runs.read_last(tmp_path) is not None
            control.go_on()
    assert [event.paused for event in seen if isinstance(event, Paused)] == [True, False]
    assert isinstance(seen[-1], Finished) and not seen[-1].stopped


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [*((one, "constant") for one in OPTIMIZERS), *(("sgd", one) for one in SCHEDULES if one != "constant")],
)
def test_every_optimizer_and_schedule_runs(data: ArraySet, tmp_path: Path, optimizer: str, schedule: str) -> None:
    chosen = config(epochs=1, optimizer=optimizer, schedule=schedule, milestones=(2,), lr=0.01)
    before = None
    for event in train(chosen, data, tmp_path):
        if isinstance(event, Failed):
            pytest.fail(event.reason)
        before = event
    assert isinstance(before, Finished)
    moved = weights(tmp_path)["conv1.weight"]
    from resnet_viz.models import create

    assert not torch.equal(moved, create("resnet20", seed=0, num_classes=3).state_dict()["conv1.weight"])


def test_the_optimizer_is_torchs_own(data: ArraySet, tmp_path: Path) -> None:
    """One step of the loop is one step of a loop written by hand."""
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.splits import split_train_val
    from resnet_viz.models import create
    from resnet_viz.training.prepare import normalization_of

    chosen = config(epochs=1, max_steps=1, pad=0, flip=False, optimizer="adamw", lr=1e-3, schedule="constant")
    list(train(chosen, data, tmp_path))
    net = create("resnet20", seed=0, num_classes=3).to(memory_format=torch.channels_last).train()
    part, _ = split_train_val(data.labels, 0.25, 0)
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))[:16]
    images = torch.from_numpy(data.images[part]).permute(0, 3, 1, 2)[order]
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=5e-4, fused=True)
    logits = net(
        normalise(images, normalization_of(chosen, replace(data, images=data.images[part], labels=data.labels[part])))
    )
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.labels[part])[order]).backward()
    optimizer.step()
    assert same(weights(tmp_path), net.state_dict())


def test_recorded_gradients_are_autograds_own(data: ArraySet, tmp_path: Path) -> None:
    """Norms of the first step against torch.autograd.grad on the blocks' outputs."""
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.splits import split_train_val
    from resnet_viz.models import create
    from resnet_viz.training.prepare import normalization_of

    chosen = config(epochs=1, max_steps=1, pad=0, flip=False)
    events = list(train(chosen, data, tmp_path))
    found = next(event for event in events if isinstance(event, Gradients))
    net = create("resnet20", seed=0, num_classes=3).to(memory_format=torch.channels_last).train()
    part, _ = split_train_val(data.labels, 0.25, 0)
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))[:16]
    images = torch.from_numpy(data.images[part]).permute(0, 3, 1, 2)[order]
    outs: dict[str, torch.Tensor] = {}
    for name in ("layer1.0", "layer2.0", "layer3.2"):
        net.get_submodule(name).register_forward_hook(lambda m, a, out, name=name: outs.update({name: out}))
    logits = net(
        normalise(images, normalization_of(chosen, replace(data, images=data.images[part], labels=data.labels[part])))
    )
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.labels[part])[order])
    names = list(outs)
    first = [net.get_submodule(name).conv1.weight for name in names]
    grads = torch.autograd.grad(loss, [*outs.values(), *first])
    assert found.act_norm is not None and found.loss == pytest.approx(loss.item(), rel=1e-6)
    for name, act, weight in zip(names, grads[:3], grads[3:], strict=True):
        index = found.blocks.index(name)
        assert found.act_norm[index] == pytest.approx(act.norm().item(), rel=1e-5)
        assert found.weight_norm[index] == pytest.approx(weight.norm().item(), rel=1e-5)
    assert found.coherence is not None and -1 <= found.coherence <= 1


def test_a_picture_without_a_gradient_leaves_coherence_to_the_others() -> None:
    from resnet_viz.training.measure import coherence

    net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(12, 3))
    images = torch.rand(4, 3, 2, 2) + 1
    labels = torch.zeros(4, dtype=torch.long)
    assert coherence(net, images, labels) == pytest.approx(1, abs=1e-3)
    images[0] = -5  # behind the ReLU nothing of it is left
    assert coherence(net, images, labels) == pytest.approx(1, abs=1e-3)
    assert coherence(net, -images.abs(), labels) is None


def test_recording_gradients_changes_nothing(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=1, gradients_every=1), data, tmp_path / "a"))
    list(train(config(epochs=1, gradients_every=0), data, tmp_path / "b"))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not any(event["event"] == "gradients" for event in lines(tmp_path / "b"))


def test_transfer_trains_the_head_alone(data: ArraySet, tmp_path: Path) -> None:
    source = tmp_path / "source"
    list(train(config(epochs=1), data, source))
    chosen = config(epochs=1, start_from=str(source), train_part="head", weight_decay=0.01)
    list(train(chosen, data, tmp_path / "head"))
    old, new = weights(source, layout.WEIGHTS), weights(tmp_path / "head")
    assert all(torch.equal(old[name], new[name]) for name in old if not name.startswith("fc."))  # BN's statistics too
    assert not torch.equal(old["fc.weight"], new["fc.weight"])


def test_fine_tuning_trains_the_last_stage_and_the_head(data: ArraySet, tmp_path: Path) -> None:
    source = tmp_path / "source"
    list(train(config(epochs=1), data, source))
    list(train(config(epochs=1, start_from=str(source), train_part="late"), data, tmp_path / "late"))
    old, new = weights(source, layout.WEIGHTS), weights(tmp_path / "late")
    for name in old:
        late = name.startswith(("layer3.", "fc."))
        if name.endswith("weight"):
            assert torch.equal(old[name], new[name]) is not late, name


def test_weights_that_do_not_fit_are_refused(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=1), data, tmp_path / "a"))
    with pytest.raises(UserError, match="do not fit"):
        list(train(config(model="resnet32", start_from=str(tmp_path / "a")), data, tmp_path / "b"))
    with pytest.raises(UserError, match="There are no weights"):
        list(train(config(start_from="nowhere"), data, tmp_path / "c"))


def test_kept_epochs_are_the_epochs_weights(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=2, keep_epochs=True), data, tmp_path))
    kept = runs.kept_epochs(tmp_path)
    assert [epoch for epoch, _ in kept] == [1, 2]
    from safetensors.torch import load_file

    assert same(load_file(kept[-1][1]), weights(tmp_path))


def test_steps_are_told_in_order(data: ArraySet, tmp_path: Path) -> None:
    events = list(train(config(epochs=60, batch=54, gradients_every=0), data, tmp_path))
    steps = [event.step for event in events if isinstance(event, Step)]
    assert steps == sorted(set(steps)) and 50 in steps


def test_batches_cover_an_epoch() -> None:
    assert _batch_sizes(300, 128, 1) == [128, 128, 44]
    assert _batch_sizes(257, 128, 1) == [128, 128]  # batch norm cannot learn from one picture
    assert _batch_sizes(259, 128, 2) == [128, 128]
    assert _batch_sizes(3, 128, 1) == [3]


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("resnet20", {"activation": "tanh"}),
        ("resnet20", {"shortcut": "none"}),
        ("resnet20", {"shortcut": "B", "batch_norm": False}),
        ("plain20", {"activation": "sigmoid", "batch_norm": False}),
    ],
)
def test_a_run_opens_as_the_net_it_trained(data: ArraySet, tmp_path: Path, model: str, changes: dict[str, Any]) -> None:
    """Neither the activation nor a skip without parameters can be read off the weights."""
    from resnet_viz.models import create
    from resnet_viz.session.loading import open_model
    from resnet_viz.session.requests import OpenModel

    list(train(config(model=model, epochs=1, lr=1e-3, **changes), data, tmp_path / "run"))
    net, card = open_model(OpenModel(str(tmp_path / "run")))
    expected = create(model, seed=0, num_classes=3, **changes)
    expected.load_state_dict(weights(tmp_path / "run", layout.WEIGHTS))
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(net(x), expected(x))  # an opened net's kernels lie channels last
    assert card.input_size == 8 and card.classes == ("red", "green", "blue")


def test_a_resumed_run_no_longer_needs_what_it_started_from(data: ArraySet, tmp_path: Path) -> None:
    source = tmp_path / "source"
    list(train(config(epochs=1), data, source))
    chosen = config(epochs=2, start_from=str(source), train_part="late", normalize="start")
    list(train(chosen, data, tmp_path / "whole"))
    list(train(chosen, data, tmp_path / "cut", StopAfter(3)))
    source.rename(tmp_path / "elsewhere")
    list(train(chosen, data, tmp_path / "cut"))
    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_mean_and_std_can_be_those_of_the_start_net(data: ArraySet, tmp_path: Path) -> None:
    source, run = tmp_path / "source", tmp_path / "run"
    list(train(config(epochs=1, normalize="half"), data, source))
    chosen = from_recipe(
        "transfer", "resnet20", "colours", start_from=str(source), epochs=1, batch=16, size=8, bf16="off"
    )
    list(train(chosen, data, run))
    card = json.loads((run / layout.CARD).read_text())
    assert card["normalization"] == json.loads((source / layout.CARD).read_text())["normalization"]
    assert f"--start-from {source.name}" in card["command"] and "--normalize" not in card["command"]
    (source / layout.CARD).unlink()  # bare weights: what the architecture's published ones use
    list(train(chosen, data, tmp_path / "bare"))
    assert json.loads((tmp_path / "bare" / layout.CARD).read_text())["normalization"]["title"] == "CIFAR-10"


def test_half_written_files_of_a_killed_run_are_swept(data: ArraySet, tmp_path: Path) -> None:
    list(train(config(epochs=1, keep_epochs=True), data, tmp_path))
    left = [tmp_path / f".{layout.LAST}.x1", tmp_path / layout.EPOCHS / ".0002.safetensors.x2"]
    for path in left:
        path.write_bytes(b"half")
    assert [epoch for epoch, _ in runs.kept_epochs(tmp_path)] == [1]
    list(train(config(epochs=2, keep_epochs=True), data, tmp_path))
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("recipe", recipes.ids())
def test_every_recipe_trains_an_epoch(data: ArraySet, tmp_path: Path, recipe: str) -> None:
    model, side, channels = {"hresnet": ("hresnet", 32, 3), "fashion": ("fashion_cnn", 28, 1)}.get(
        recipe, ("resnet20", 8, 3)
    )
    images = np.resize(data.images, (24, side, side, channels))
    few = replace(data, images=images, labels=data.labels[:24])
    more: dict[str, object] = {"epochs": 1, "batch": 8, "bf16": "off"} | ({"size": 8} if side == 8 else {})
    if recipes.get(recipe).needs_start:
        list(train(config(epochs=1, num_classes=3), data, tmp_path / "source"))
        more["start_from"] = str(tmp_path / "source")
    events = list(train(from_recipe(recipe, model, "colours", **more), few, tmp_path / "run"))
    assert isinstance(events[-1], Finished) and not events[-1].stopped
    assert sum(isinstance(event, Epoch) for event in events) == 1


@pytest.mark.parametrize("kind", ["classes", "parts", "table", "arrays", "shapes"])
def test_every_kind_of_data_trains(tmp_path: Path, kind: str) -> None:
    from PIL import Image

    from resnet_viz.cli.main import run as cli

    rng, where = np.random.default_rng(0), tmp_path / kind
    places = {"classes": [where / "{0}"], "parts": [where / "train" / "{0}", where / "test" / "{0}"]}
    for place in places.get(kind, [where / "table"] if kind == "table" else []):
        for index in range(24):
            name = f"{index:02d}"
            folder = Path(str(place).format("ab"[index % 2]))
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (11, 14, 3), np.uint8)).save(folder / f"{name}.jpg")
    if kind == "table":
        rows = "".join(f"{index:02d}.jpg,{index % 2}\n" for index in range(24))
        (where / "table.csv").write_text("id,has_cactus\n" + rows)
    if kind == "arrays":
        where.mkdir()
        for part in ("train", "test"):
            labels = np.arange(24) % 2
            np.savez(where / f"{part}.npz", images=rng.integers(0, 256, (24, 9, 9, 3), np.uint8), labels=labels)
    named = {"shapes": "shapes", "table": str(where / "table.csv")}.get(kind, str(where))
    words = ["--model", "resnet20", "--data", named, "--out", str(tmp_path / "run"), "--batch", "8", "--size", "8"]
    assert cli(["train", *words, "--epochs", "1", "--max-steps", "2", "--bf16", "off", "--json"]) == 0
    card = json.loads((tmp_path / "run" / layout.CARD).read_text())
    expected = {"parts": 24, "arrays": 24, "shapes": 2000, "classes": 4, "table": 4}[kind]
    assert card["test_pictures"] == expected and 0 <= card["test_error"] <= 1
