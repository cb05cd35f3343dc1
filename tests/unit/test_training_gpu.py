"""Training on a GPU: a step replayed as one graph does what its kernels do one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from resnet_viz.core.token import CancelToken
from resnet_viz.data.datasets import ArraySet
from resnet_viz.training import loop, runs
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.events import Epoch, Finished
from resnet_viz.training.world import World

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture
def pictures():
    """Ten classes that differ in colour, with noise."""
    random = np.random.default_rng(0)
    labels = np.arange(1024) % 10
    images = random.integers(0, 120, (1024, 32, 32, 3)) + (labels * 12)[:, None, None, None]
    return ArraySet(
        images=images.astype(np.uint8),
        labels=labels.astype(np.int64),
        classes=tuple(f"c{number}" for number in range(10)),
        title="Colours",
    )


def config(**changes):
    return replace(
        TrainConfig("resnet20", "shapes", epochs=2, batch=64, bf16="off", lr=0.05, gradients_every=8), **changes
    )


def trainer(pictures, tmp_path, settings):
    tmp_path.mkdir(exist_ok=True)
    settings = loop.complete(settings, pictures)
    return loop._Trainer(settings, pictures, tmp_path, World(0, 1, torch.device("cuda")))


def losses(one, steps=12):
    one.part.train_mode(one.net)
    order = torch.arange(steps * 64, device="cuda").split(64)
    return [one._step(batch)[0].item() for batch in order]


def test_a_replayed_step_does_what_its_kernels_do(pictures, tmp_path):
    """Gradients, optimizer, statistics: the same run, but for the order of a GPU's additions."""
    apart, replayed = (trainer(pictures, tmp_path / name, config(lr=0.001)) for name in ("apart", "replayed"))
    apart.replays = False
    assert losses(replayed) == pytest.approx(losses(apart), rel=5e-3)
    for one, other in zip(apart.net.parameters(), replayed.net.parameters(), strict=True):
        assert torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.999
    for one, other in zip(apart.part.parameters, replayed.part.parameters, strict=True):
        assert torch.nn.functional.cosine_similarity(one.grad.flatten(), other.grad.flatten(), dim=0) > 0.9
    assert apart.graph is None and replayed.graph is not None
    for one, other in zip(apart.net.buffers(), replayed.net.buffers(), strict=True):
        assert torch.allclose(one.double(), other.double(), rtol=0.05, atol=0.05)
    assert apart.sums[1:].tolist() == pytest.approx(replayed.sums[1:].tolist(), abs=12)


def test_recording_leaves_no_trace(pictures, tmp_path):
    one = trainer(pictures, tmp_path, config(gradients_every=0, lr=0.0, weight_decay=0.0))
    counter = next(buffer for name, buffer in one.net.named_buffers() if name.endswith("num_batches_tracked"))
    losses(one, 3)
    assert one.graph is not None and counter.item() == 3


def test_dropout_draws_anew_in_every_replay(pictures, tmp_path):
    one = trainer(
        pictures, tmp_path, config(model="xai", size=34, gradients_every=0, lr=0.0, dropout=0.5, flip=False, pad=0)
    )
    one.images = torch.nn.functional.pad(one.images, (1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
    one.part.train_mode(one.net)
    batch = torch.arange(64, device="cuda")
    assert len({one._step(batch)[0].item() for _ in range(4)}) > 1
    assert one.graph is not None


def test_a_step_that_cannot_be_recorded_runs_all_the_same(pictures, tmp_path):
    one = trainer(pictures, tmp_path, config(gradients_every=0))
    one.net.register_forward_hook(lambda _net, _args, out: out * float(out.detach().isfinite().all()))
    assert all(np.isfinite(losses(one, 3)))
    assert one.graph is None and not one.replays


@pytest.mark.parametrize(
    "change", [{}, {"crop_scale": 0.5, "jitter": 0.3}, {"bf16": "on"}, {"optimizer": "adam", "lr": 1e-3}]
)
def test_a_run_learns_stops_and_goes_on(pictures, tmp_path, change):
    token = CancelToken()
    events = []
    for event in loop.train(config(epochs=3, **change), pictures, tmp_path, token):
        events.append(event)
        if isinstance(event, Epoch):
            token.cancel()
    assert isinstance(events[-1], Finished) and events[-1].stopped
    events += list(loop.train(config(epochs=3, **change), pictures, tmp_path))
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [event.epoch for event in epochs] == [1, 2, 3]
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert runs.read_last(tmp_path)["step"] == 3 * 14 + 3  # the rest of 922 pictures is a smaller batch
    assert torch.cuda.get_device_name() in (tmp_path / "card.json").read_text()
