"""Lanes: parts of a batch side by side give what autograd gives for the parts, whatever runs when."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resnet_viz.core.errors import UserError
from resnet_viz.data.datasets import ArraySet
from resnet_viz.models import create
from resnet_viz.training import layout, runs
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.events import Gradients, Started
from resnet_viz.training.lanes import Lanes, lanes_of
from resnet_viz.training.loop import train
from resnet_viz.training.parts import freeze
from resnet_viz.training.world import World

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Two threads, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(9, 3, 16, 16, generator=generator), torch.randint(0, 10, (9,), generator=generator)


def losses(lanes: Lanes, batch: tuple[Tensor, Tensor]) -> list[float]:
    images, labels = batch

    def work(net: nn.Module, rows: slice) -> float:
        loss = nn.functional.cross_entropy(net(images[rows]), labels[rows])
        (loss * (len(labels[rows]) / len(labels))).backward()
        return loss.item()

    return lanes.run(work, len(labels))


@pytest.mark.parametrize("count", [2, 3])
def test_gradients_and_statistics_are_those_of_the_parts_together(batch: tuple[Tensor, Tensor], count: int) -> None:
    """Against one net run over each part in turn, in the batch's order."""
    images, labels = batch
    net = create("resnet20", seed=0).train()
    plain = copy.deepcopy(net)
    lanes = Lanes(net, count, 9)
    found = losses(lanes, batch)
    lanes.gather()
    lanes.close()
    assert len(found) == count
    before = [buffer.clone() for buffer in plain.buffers()]
    seen: list[list[Tensor]] = []
    for lane in range(count):
        rows = slice(9 * lane // count, 9 * (lane + 1) // count)
        for buffer, value in zip(plain.buffers(), before, strict=True):
            buffer.copy_(value)
        loss = nn.functional.cross_entropy(plain(images[rows]), labels[rows])
        (loss * (len(labels[rows]) / 9)).backward()
        seen.append([buffer.clone() for buffer in plain.buffers()])
        assert found[lane] == pytest.approx(loss.item(), rel=1e-6)
    for one, other in zip(net.parameters(), plain.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None and one.grad.abs().max() > 0
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
    for index, buffer in enumerate(net.buffers()):
        if buffer.is_floating_point():
            torch.testing.assert_close(buffer, torch.stack([one[index] for one in seen]).mean(0))
        else:
            assert buffer == 1  # one batch was seen
    for replica in lanes.nets[1:]:
        for one, other in zip(net.parameters(), replica.parameters(), strict=True):
            assert one.data_ptr() == other.data_ptr() and other.grad is None
        assert all(torch.equal(a, b) for a, b in zip(net.buffers(), replica.buffers(), strict=True))


def test_one_core_gives_the_bits_of_two(batch: tuple[Tensor, Tensor]) -> None:
    nets = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        net = create("resnet20", seed=0).train()
        lanes = Lanes(net, 2, 9)
        assert (lanes._pool is None) == (threads == 1)
        for _ in range(3):
            net.zero_grad()
            with lanes.narrowed():
                losses(lanes, batch)
                lanes.gather()
        lanes.close()
        nets.append(net)
    assert torch.get_num_threads() == 2
    for one, other in zip(*(net.parameters() for net in nets), strict=True):
        assert one.grad is not None and other.grad is not None and torch.equal(one.grad, other.grad)
    assert all(torch.equal(a, b) for a, b in zip(*(net.buffers() for net in nets), strict=True))


def test_a_whole_run_has_the_same_bits_on_one_core(tmp_path: Path) -> None:
    """Its last batches are small: they go through one lane, on that lane's share of the cores."""
    config = TrainConfig(
        "resnet20", "colours", epochs=2, batch=24, size=8, val_share=0.0, pad=1, bf16="off", lanes=2, gradients_every=3
    )
    ends = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        list(train(config, colours(), tmp_path / str(threads)))
        ends.append(runs.read_last(tmp_path / str(threads)))
    one, two = ends
    assert one is not None and two is not None and one["step"] == two["step"] == 6
    assert all(torch.equal(value, two["net"][name]) for name, value in one["net"].items())


def test_what_is_frozen_stays_to_the_last_bit(batch: tuple[Tensor, Tensor]) -> None:
    net = create("resnet20", seed=0)
    for buffer in net.buffers():
        if buffer.is_floating_point():
            buffer.add_(1 / 3)
    part = freeze(net, "head")
    lanes = Lanes(net, 3, 9)
    part.train_mode(net)
    lanes.align_modes()
    before = [buffer.clone() for buffer in net.buffers()]
    losses(lanes, batch)
    lanes.gather()
    lanes.close()
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), before, strict=True))
    assert {name for name, one in net.named_parameters() if one.grad is not None} == {"fc.weight", "fc.bias"}


def test_an_error_in_any_lane_comes_out(batch: tuple[Tensor, Tensor]) -> None:
    lanes = Lanes(create("resnet20", seed=0), 2, 8)

    def work(net: nn.Module, rows: slice) -> None:
        if rows.start:
            raise ValueError("second")

    with pytest.raises(ValueError, match="second"):
        lanes.run(work, 8)
    lanes.close()


def test_a_run_goes_on_with_the_lanes_it_began_with(tmp_path: Path) -> None:
    base = TrainConfig(
        "resnet20", "colours", epochs=2, max_steps=2, batch=64, size=8, val_share=0.0, pad=0, bf16="off"
    )  # fmt: skip
    for lanes, begun in ((0, 2), (3, 3), (1, 1)):
        run = tmp_path / str(lanes)
        list(train(replace(base, lanes=lanes, epochs=1), colours(), run))
        # what the folder says may be another number by then; the weights were made with this one
        events = list(train(replace(base, lanes=0), colours(), run))
        assert isinstance(events[0], Started) and (events[0].step, events[0].lanes) == (1, begun)


def test_too_few_pictures_go_through_one_lane(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    net = create("resnet20", seed=0).train()
    plain = copy.deepcopy(net)
    lanes = Lanes(net, 2, 9)
    assert len(losses(lanes, (images[:3], labels[:3]))) == 1
    lanes.gather()
    lanes.close()
    plain(images[:3])
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), plain.buffers(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), lanes.nets[1].buffers(), strict=True))


def test_how_many_lanes_a_run_has() -> None:
    net = create("resnet20", seed=0)
    config = TrainConfig("resnet20", "shapes")
    assert lanes_of(config, net, ALONE) == 2
    assert lanes_of(replace(config, batch=31), net, ALONE) == 1
    assert lanes_of(replace(config, lanes=3), net, ALONE) == 3
    assert TrainConfig.from_toml('model = "resnet20"\ndata = "shapes"').lanes == 1  # written before there were lanes
    drops = nn.Sequential(net, nn.Dropout(0.5))
    others = [
        (config, drops, ALONE, "dropout"),
        (replace(config, compile=True), net, ALONE, "compiled"),
        (config, net, World(0, 2, torch.device("cpu")), "processes"),
        (config, net, World(0, 1, torch.device("cuda")), "GPU"),
        (replace(config, batch=3), net, ALONE, "fewer than two pictures"),
    ]
    for other, one, world, why in others:
        assert lanes_of(other, one, world) == 1
        with pytest.raises(UserError, match=why):
            lanes_of(replace(other, lanes=2), one, world)


def colours(count: int = 64) -> ArraySet:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = rng.integers(0, 120, (count, 8, 8, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 100
    return ArraySet(images, labels.astype(np.int64), ("red", "green"), "colours")


def test_a_run_says_its_lanes_and_records_norms_of_the_whole_batch(tmp_path: Path) -> None:
    data = colours()
    config = TrainConfig(
        "resnet20", "colours", epochs=1, batch=64, size=8, val_share=0.0, pad=0, flip=False, bf16="off",
        gradients_every=1, normalize="half",
    )  # fmt: skip
    events = list(train(config, data, tmp_path))
    assert TrainConfig.read(tmp_path / layout.CONFIG).lanes == 0  # what was chosen
    state = runs.read_last(tmp_path)
    assert state is not None and state["step"] == 1 and state["lanes"] == 2
    assert isinstance(events[0], Started) and events[0].lanes == 2
    assert json.loads((tmp_path / layout.CARD).read_text())["lanes"] == 2
    (told,) = [event for event in events if isinstance(event, Gradients)]
    # the same step without us: two halves of the shuffled batch
    net = create("resnet20", seed=0, num_classes=2).train()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    images = (torch.from_numpy(data.images[order.numpy()]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    labels = torch.from_numpy(data.labels)[order]
    norms: list[float] = []
    for half in (slice(0, 32), slice(32, 64)):
        kept: list[Tensor] = []
        handle = net.get_submodule("layer2.1").register_forward_hook(lambda _m, _a, out, kept=kept: kept.append(out))
        loss = nn.functional.cross_entropy(net(images[half]), labels[half]) / 2
        kept[0].retain_grad()
        loss.backward()
        handle.remove()
        assert kept[0].grad is not None
        norms.append(kept[0].grad.norm().item())
    index = told.blocks.index("layer2.1")
    assert told.act_norm[index] == pytest.approx(math.hypot(*norms), rel=1e-3)
    first = net.get_submodule("layer2.1.conv1").weight.grad
    assert isinstance(first, Tensor)
    assert told.weight_norm[index] == pytest.approx(first.norm().item(), rel=1e-3)
