"""Sweeps over depth and short trainings: torch's own numbers, part by part, and stopped when asked."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
import torch
from desk_parts import Parts, stopped
from torch import nn

from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.core.token import CancelToken
from resnet_viz.session.batches_of import choose, find_batch, fit_batch
from resnet_viz.session.gradient_desk import GradientDesk
from resnet_viz.session.gradient_requests import (
    NOISE,
    BatchRequest,
    DepthsSwept,
    FlowMeasured,
    MeasureFlow,
    NetChoice,
    StepsTrained,
    SweepDepths,
    SweepPoint,
    TrainSteps,
)
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

NOISY = BatchRequest(NOISE, 8)
NO_NORM = (("batch_norm", False),)
PAIR = (NetChoice("plain20", title="plain-20"), NetChoice("resnet20", title="ResNet-20"))
TRAINED = NetChoice("resnet20-cifar10", untrained=False)


@pytest.fixture(scope="module")
def desk() -> GradientDesk:
    return GradientDesk()


@pytest.mark.parametrize(
    "request_",
    [
        SweepDepths(batch=BatchRequest(NOISE, 64), seeds=tuple(range(50))),
        TrainSteps((NetChoice("plain56"), NetChoice("resnet56")), BatchRequest(NOISE, 64), 500),
    ],
)
def test_long_work_stops_soon(desk: GradientDesk, request_: object) -> None:
    torch.optim.SGD([nn.Parameter(torch.zeros(1))])  # the first one imports for a second, which cannot be stopped
    assert stopped(lambda token: desk.handle(request_, token), 0.5) < 1.0


# --- over depth


def test_sweep_grows_point_by_point(desk: GradientDesk) -> None:
    parts = Parts()
    answer = desk.handle(SweepDepths(depths=(32, 20), options=NO_NORM, batch=NOISY, seeds=(0, 1)), CancelToken(), parts)
    assert isinstance(answer, DepthsSwept)
    assert [(point.family, point.depth) for point in answer.points] == [
        ("plain", 20), ("resnet", 20), ("plain", 32), ("resnet", 32),
    ]  # fmt: skip
    sizes = [sum(len(point.ratios) for point in value.points) for value in parts.values]
    assert sizes == sorted(sizes) and 1 <= sizes[0] < 8 and parts.shares == sorted(parts.shares)
    net, card = open_model(OpenModel("plain32", untrained=True, seed=1, options=dict(NO_NORM)))
    batch = find_batch(NOISY, card)
    own = gradient_flow(net, batch.images, batch.labels, seed=1)
    point: SweepPoint = answer.points[2]
    assert point.ratios[1] == pytest.approx(own.first_to_last, rel=1e-6)
    assert point.ratios_act[1] == pytest.approx(own.first_to_last_act, rel=1e-6)
    assert point.coherences[1] == pytest.approx(own.coherence, abs=1e-6)
    assert answer.batch == "8 pictures of noise, seed 0"


# --- short training


def test_training_is_that_of_torch(desk: GradientDesk) -> None:
    request = TrainSteps((PAIR[1], PAIR[0]), BatchRequest("shapes", 8, split="train"), 3, lr=0.05, weights="all")
    parts = Parts()
    answer = desk.handle(request, CancelToken(), parts)
    assert isinstance(answer, StepsTrained) and parts.values
    recording = answer.recordings[0]
    assert [one.title for one in answer.recordings] == ["ResNet-20", "plain-20"]
    assert [one.plain for one in answer.recordings] == [False, True]
    assert recording.steps.tolist() == [0, 1, 2, 3] and not recording.diverged
    assert recording.act_norm is not None and recording.act_norm.shape == recording.weight_norm.shape == (4, 11)

    net, card = open_model(OpenModel("resnet20", untrained=True, seed=0))
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for step in range(4):
        batch = fit_batch(choose(BatchRequest("shapes", 8, step, "train")), card)
        flow = gradient_flow(net, batch.images, batch.labels, weights="all")
        assert recording.weight_norm[step] == pytest.approx(flow.weight_norm, rel=1e-3)
        assert recording.act_norm[step] == pytest.approx(flow.act_norm, rel=1e-3)
        assert recording.loss[step] == pytest.approx(flow.loss, rel=1e-4)
        if step in (0, 1, 2, 3):  # a power of two, or the last
            assert recording.coherence[step] == pytest.approx(flow.coherence, abs=0.1)
        assert (recording.core, recording.blocks) == (flow.core, flow.blocks)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(batch.images), batch.labels).backward()
        optimizer.step()


def test_the_net_that_is_trained_is_a_copy(desk: GradientDesk) -> None:
    flow = MeasureFlow((TRAINED,), BatchRequest(NOISE, 6))
    before = desk.handle(flow)
    desk.handle(TrainSteps((TRAINED,), NOISY, 2))
    after = desk.handle(MeasureFlow((TRAINED,), BatchRequest(NOISE, 6), optimizer="sgd"))  # measured anew
    assert isinstance(before, FlowMeasured) and isinstance(after, FlowMeasured)
    assert after.bands[0].flows[0] is not before.bands[0].flows[0]
    assert after.bands[0].mean == pytest.approx(before.bands[0].mean, rel=1e-9)


def test_a_net_that_diverges_stops_and_the_others_go_on(desk: GradientDesk) -> None:
    nets = (NetChoice("plain20", options=NO_NORM), NetChoice("resnet20"))
    answer = desk.handle(TrainSteps(nets, NOISY, 8, lr=100.0))
    assert isinstance(answer, StepsTrained)
    lost, other = answer.recordings
    assert lost.diverged and not math.isfinite(lost.loss[-1]) and len(lost.steps) < 9
    assert len(lost.weight_norm) == len(lost.coherence) == len(lost.steps)
    assert not other.diverged and other.steps[-1] == 8 and np.isfinite(other.loss).all()


def test_parts_come_at_most_ten_times_a_second(desk: GradientDesk) -> None:
    times: list[float] = []
    begun = time.monotonic()
    desk.handle(
        TrainSteps((NetChoice("fashion_dnn"),), BatchRequest(NOISE, 8), 60),
        CancelToken(),
        lambda share, value=None, /: times.append(time.monotonic()),
    )
    assert 1 <= len(times) <= 10 * (time.monotonic() - begun) + 1
    assert all(after - before > 0.09 for before, after in itertools.pairwise(times))
