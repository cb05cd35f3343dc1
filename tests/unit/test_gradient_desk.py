"""The gradient desk: answers equal the library's own, grow part by part, stop when asked, and keep what is costly."""

from __future__ import annotations

import csv
import math
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from desk_parts import Parts, stopped, trained
from safetensors.torch import load_file, save_file

from resnet_viz.analysis.gradient_export import write_flows
from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.analysis.regime import regime
from resnet_viz.analysis.update_rules import UpdateRule
from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import trained_dir
from resnet_viz.core.token import CancelToken
from resnet_viz.jobs.latest import LatestRunner, Outcome, Progress
from resnet_viz.models import create
from resnet_viz.session import gradient_flows
from resnet_viz.session.batches_of import find_batch
from resnet_viz.session.gradient_desk import GradientDesk
from resnet_viz.session.gradient_requests import (
    NOISE,
    BatchRequest,
    FlowMeasured,
    LesionEach,
    MeasureFlow,
    NetChoice,
    SweepDepths,
    TrainSteps,
)
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

NOISY = BatchRequest(NOISE, 4)
NO_NORM = (("batch_norm", False),)
PAIR = (NetChoice("plain20", title="plain-20"), NetChoice("resnet20", title="ResNet-20"))
TRAINED = NetChoice("resnet20-cifar10", untrained=False)


@pytest.fixture(scope="module")
def desk() -> GradientDesk:
    return GradientDesk()


def measured(desk: GradientDesk, request: MeasureFlow, parts: Parts | None = None) -> FlowMeasured:
    answer = desk.handle(request, CancelToken(), parts or Parts())
    assert isinstance(answer, FlowMeasured)
    return answer


# --- nets side by side


def test_numbers_are_those_of_the_library(desk: GradientDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_flows, "COST_S", 600.0)  # a busy machine would not time the passes at all
    parts = Parts()
    answer = measured(desk, MeasureFlow(PAIR, NOISY, (0, 1), weights="convs", optimizer="adam", lr=0.01), parts)
    assert [band.title for band in answer.bands] == ["plain-20", "ResNet-20"]
    assert [card.arch for card in answer.cards] == ["plain20", "resnet20"]
    assert answer.batch == "4 pictures of noise, seed 0" and answer.notes == ()
    for ref, band in zip(("plain20", "resnet20"), answer.bands, strict=True):
        assert len(band.flows) == 2
        for seed, flow in enumerate(band.flows):
            net, card = open_model(OpenModel(ref, untrained=True, seed=seed))
            batch = find_batch(NOISY, card)
            own = gradient_flow(
                net, batch.images, batch.labels, weights="convs", rule=UpdateRule("adam", 0.01), seed=seed
            )
            for name in ("act_norm", "weight_norm", "split_f", "split_identity", "response_std", "update_ratio"):
                assert getattr(flow, name) == pytest.approx(getattr(own, name), rel=1e-6, nan_ok=True), name
            assert flow.coherence == pytest.approx(own.coherence, abs=1e-6) and flow.loss == pytest.approx(own.loss)
    # each net's first seed comes before any net's second
    assert [len(band.flows) for band in parts.values[0].bands] == [1]
    assert parts.shares == sorted(parts.shares) and parts.shares[-1] == 1
    assert [len(band.flows) for band in parts.values[-1].bands] == [2, 2]
    assert answer.pass_s > 0 and 0.3 < answer.measured_s / answer.pass_s < 3
    assert parts.values[-1].pass_s == 0


def test_a_switch_turned_back_and_another_seed_cost_only_themselves(desk: GradientDesk) -> None:
    request = MeasureFlow(PAIR, NOISY, (0,))
    first, again = measured(desk, request), measured(desk, request)
    more = measured(desk, MeasureFlow((*PAIR, NetChoice("plain20", options=NO_NORM)), NOISY, (0, 5)))
    other = measured(desk, MeasureFlow(PAIR, NOISY, (0,), weights="all"))
    for index in (0, 1):
        assert again.bands[index].flows[0] is first.bands[index].flows[0] is more.bands[index].flows[0]
        assert other.bands[index].flows[0] is not first.bands[index].flows[0]
        assert np.all(other.bands[index].mean >= first.bands[index].mean)
    assert [len(band.flows) for band in more.bands] == [2, 2, 2]
    # names do not matter, and neither does an option that says what holds anyway
    same = measured(
        desk, MeasureFlow((NetChoice("plain20", options=(("init", "he"), ("shortcut", "A"))),), NOISY, (0,))
    )
    assert same.bands[0].flows[0] is first.bands[0].flows[0]


def test_a_trained_net_is_measured_once(desk: GradientDesk) -> None:
    answer = measured(desk, MeasureFlow((TRAINED, PAIR[0]), NOISY, (3, 4)))
    assert [len(band.flows) for band in answer.bands] == [1, 2]
    net, card = open_model(OpenModel("resnet20-cifar10"))
    batch = find_batch(NOISY, card)
    own = gradient_flow(net, batch.images, batch.labels, seed=3)
    assert answer.bands[0].mean == pytest.approx(own.weight_norm, rel=1e-6)
    assert answer.bands[0].coherence == pytest.approx(own.coherence, abs=1e-6)
    assert answer.bands[0].title == card.title


def test_a_checkpoint_that_is_written_anew_is_opened_anew(desk: GradientDesk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_dir() / "resnet20-cifar10", run)
    request = MeasureFlow((NetChoice(str(run), untrained=False),), NOISY)
    before = measured(desk, request)
    weights = load_file(run / "weights.safetensors")
    weights["conv1.weight"] *= 3
    time.sleep(0.01)
    save_file(weights, run / "weights.safetensors")
    assert measured(desk, request).bands[0].loss != before.bands[0].loss


def test_nets_with_other_inputs_and_classes(desk: GradientDesk) -> None:
    answer = measured(desk, MeasureFlow((NetChoice("fashion_cnn"), NetChoice("hresnet")), BatchRequest("shapes", 8)))
    assert [card.in_channels for card in answer.cards] == [1, 3]
    assert all(np.isfinite(band.mean).all() for band in answer.bands)
    assert any("taken in order" in note for note in answer.notes)


def test_layers_options_and_titles(desk: GradientDesk) -> None:
    wide = (("init", "normal"), ("init_std", 1), *NO_NORM, ("activation", "tanh"))
    nets = (NetChoice("resnet20", options=wide), NetChoice("resnet20", options=wide), NetChoice("resnet20"))
    answer = measured(desk, MeasureFlow(nets, NOISY, per="layer"))
    assert "layer2.1.conv2" in answer.bands[0].blocks and len(answer.bands[0].blocks) == 20
    assert [band.title for band in answer.bands] == [
        "ResNet-20, no batch norm, normal init, std 1, tanh",
        "ResNet-20, no batch norm, normal init, std 1, tanh (2)",
        "ResNet-20",
    ]
    own = create("resnet20", seed=0, batch_norm=False, init="normal", init_std=1.0, activation="tanh")
    own.to(memory_format=torch.channels_last)  # so wild a net turns another order of sums into other figures
    card = answer.cards[0]
    batch = find_batch(NOISY, card)
    flow = gradient_flow(own, batch.images, batch.labels, per="layer")
    assert answer.bands[0].mean == pytest.approx(flow.weight_norm, rel=1e-5)


def test_what_leaves_the_range_of_floats_comes_through(desk: GradientDesk) -> None:
    blown = (*NO_NORM, ("init", "normal"), ("init_std", 100.0))
    nets = (NetChoice("resnet20", options=blown), NetChoice("resnet110", options=NO_NORM), PAIR[0])
    answer = measured(desk, MeasureFlow(nets, BatchRequest(NOISE, 4), (0, 1)))
    nan, huge, fine = answer.bands
    assert not math.isfinite(nan.loss) and nan.ratio is None and nan.coherence is None
    assert regime(nan).kind == "overflow"
    assert np.isfinite(huge.mean).all() and huge.mean.min() > 1e5 and regime(huge).kind == "huge"
    assert regime(fine).kind == "healthy"
    assert nan.record()["loss"] is None


def test_evaluation_mode_and_foreign_files_are_explained(desk: GradientDesk, tmp_path: Path) -> None:
    torch.save(create("resnet20", seed=7).state_dict(), tmp_path / "mine.pth")
    nets = (NetChoice(str(tmp_path / "mine.pth"), untrained=False), PAIR[0])
    answer = measured(desk, MeasureFlow(nets, NOISY, train_mode=False))
    assert not answer.bands[1].flows[0].train_mode
    assert any("mean and std" in note for note in answer.notes)
    assert any("batch norm has seen no picture" in note for note in answer.notes)
    assert all(note.endswith(".") for note in answer.notes)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (MeasureFlow((NetChoice("resnet2"),), NOISY), "resnet2"),
        (MeasureFlow((NetChoice("no-such-net", untrained=False),), NOISY), "no-such-net"),
        (MeasureFlow((NetChoice("resnet20", options=(("batchnorm", False),)),), NOISY), "batch_norm"),
        (MeasureFlow((NetChoice("resnet20", options=(("init", "zero"),)),), NOISY), "init is 'zero'.*xavier"),
        (MeasureFlow((NetChoice("resnet20", options=(("batch_norm", 1),)),), NOISY), "batch_norm is 1"),
        (MeasureFlow((NetChoice("resnet20", options=(("num_classes", 0),)),), NOISY), "0 classes"),
        (MeasureFlow((NetChoice("resnet20", options=(("init_std", -1.0),)),), NOISY), "init_std"),
        (MeasureFlow((NetChoice("resnet20-cifar10", False, NO_NORM),), NOISY), "fixed by its training"),
        (MeasureFlow(PAIR, BatchRequest("no such folder", 8)), "no such folder"),
        (MeasureFlow(PAIR, BatchRequest(NOISE, 0)), "0 pictures"),
        (MeasureFlow((NetChoice("xai"),), BatchRequest(NOISE, 1)), "more than one picture"),
        (MeasureFlow((), NOISY), "0 nets"),
        (MeasureFlow(PAIR, NOISY, ()), "0 seeds"),
        (MeasureFlow(PAIR, NOISY, (-1,)), "-1 is no seed"),
        (MeasureFlow(PAIR, NOISY, optimizer="lion"), "lion"),
        (SweepDepths(depths=(21,), batch=NOISY), "plain21"),
        (SweepDepths(families=(), batch=NOISY), "nothing to sweep"),
        (TrainSteps(PAIR, NOISY, 0), "0 steps"),
        (TrainSteps((), NOISY), "0 nets"),
        (TrainSteps(PAIR, NOISY, optimizer="lion"), "optimizer is 'lion'"),
        (TrainSteps(PAIR, NOISY, lr=-1.0), "lr is -1"),
        (TrainSteps((NetChoice("xai"),), BatchRequest(NOISE, 1)), "one picture"),
        (LesionEach(trained("no-such-net")), "no-such-net"),
    ],
)
def test_bad_input_gives_one_sentence(desk: GradientDesk, request_: object, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        desk.handle(request_)
    assert "\n" not in str(error.value) and str(error.value).rstrip()[-1] in ".?0123456789:abcdefghijklmnopqrstuvwxyz"


def test_a_stranger_question() -> None:
    with pytest.raises(TypeError, match="does not know int"):
        GradientDesk().handle(3)


# --- stopping


@pytest.mark.parametrize("after_s", [0.05, 0.4, 0.8])
def test_a_measurement_stops_soon(desk: GradientDesk, after_s: float) -> None:
    nets = (NetChoice("plain56"), NetChoice("resnet56"))
    request = MeasureFlow(nets, BatchRequest(NOISE, 64), tuple(range(10, 60)))
    # blocks take a few milliseconds
    assert stopped(lambda token: desk.handle(request, token), after_s) < 1.0
    shelf = desk._shelf
    for choice in nets:
        net = shelf.net(choice, 10)[0]
        assert not net.training and all(parameter.grad is None for parameter in net.parameters())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_the_newest_of_quick_requests_is_answered(desk: GradientDesk) -> None:
    outcomes: list[Outcome] = []
    begun, all_asked, came = threading.Event(), threading.Event(), threading.Event()

    def handle(request: object, token: CancelToken, progress: Progress) -> object:
        """Keep the first one in the midst of its work until all the others have been asked for."""

        def told(share: float, value: object = None, /) -> None:
            progress(share, value)
            begun.set()
            all_asked.wait(60)

        return desk.handle(request, token, told)

    def deliver(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if outcome.progress is None:
            came.set()

    runner = LatestRunner(handle, deliver)
    try:
        for seed in range(30, 36):
            ticket = runner.submit("flow", MeasureFlow(PAIR, NOISY, tuple(range(seed, seed + 3))))
            assert begun.wait(60)
        all_asked.set()
        assert came.wait(120)
    finally:
        runner.close()
    final = [outcome for outcome in outcomes if outcome.progress is None]
    assert [outcome.ticket for outcome in final] == [ticket] and final[0].error is None
    growing = [outcome.value for outcome in outcomes if outcome.progress is not None and outcome.ticket == ticket]
    assert growing and all(isinstance(value, FlowMeasured) for value in growing)


# --- files


def test_numbers_are_written(desk: GradientDesk, tmp_path: Path) -> None:
    answer = measured(desk, MeasureFlow(PAIR, NOISY, (0, 1)))
    path = tmp_path / "수.csv"
    write_flows(path, answer.bands, answer.batch, plain=(True, False), notes=("step: momentum, 0.1",))
    text = path.read_text(encoding="utf-8")
    assert "# step: momentum, 0.1" in text
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert [row["net"] for row in rows] == ["plain-20"] * 11 + ["ResNet-20"] * 11
    assert float(rows[3]["weight_norm"]) == float(answer.bands[0].mean[3])
    with pytest.raises(UserError, match=r"\.png"):
        write_flows(tmp_path / "x.gif", answer.bands, "", plain=(True, False))
