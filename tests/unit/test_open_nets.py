"""What a person has answered about a net in Inspect goes with it into the gradient lab and its scripts."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from desk_parts import trained

from resnet_viz.analysis.gradient_flow import gradient_flow
from resnet_viz.analysis.lesion import error_of, final, lesion_each
from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import assets_dir
from resnet_viz.core.types import ModelCard, Normalization
from resnet_viz.data.images import load_image
from resnet_viz.data.presets import presets
from resnet_viz.session import store
from resnet_viz.session.batches_of import choose, fit_batch
from resnet_viz.session.gradient_desk import GradientDesk
from resnet_viz.session.gradient_nets import Shelf
from resnet_viz.session.gradient_requests import (
    BatchRequest,
    FlowMeasured,
    LesionEach,
    LesionMeasured,
    LesionsMeasured,
    MeasureFlow,
    MeasureLesion,
    NetChoice,
)
from resnet_viz.session.gradient_snippets import gradient_script, lesion_script
from resnet_viz.session.lesion_pictures import pick_labelled
from resnet_viz.session.loading import open_model
from resnet_viz.session.open_nets import MADE, as_opened, on_offer
from resnet_viz.session.requests import Look, OpenModel
from resnet_viz.session.service import Workbench

NET, PLAIN = "resnet20-cifar10", "plain20-cifar10"
OWN = "0.1,0.2,0.3/0.4,0.5,0.6"
CAT = load_image(assets_dir() / "samples" / "cat.jpg")


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """The weights of the plain net that ships in a bare file, which a residual net's would look like."""
    path = tmp_path / "남의 'plain'.pth"
    torch.save(open_model(OpenModel(PLAIN))[0].state_dict(), path)
    return str(path)


def opened(request: OpenModel) -> NetChoice:
    found = as_opened(open_model(request)[1])
    assert found is not None
    return found


def printed(script: str) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "script", "exec"), {"__name__": "__main__"})
    return out.getvalue().splitlines()


def own_error(request: OpenModel, normalization: Normalization | None = None, **lesion: list[str]) -> float:
    """Return an error over 40 drawn pictures, measured without the desk."""
    net, card = open_model(request)
    some = pick_labelled("shapes", card, count=40)
    return error_of(net, some.images, some.labels, normalization or card.normalization, **lesion)[0]


def asks(bare: str) -> list[OpenModel]:
    return [
        OpenModel(NET),
        OpenModel(NET, normalize="half"),
        OpenModel(bare),
        OpenModel(bare, arch="plain20"),
        OpenModel(bare, arch="plain20", normalize=OWN),
        OpenModel("plain20", untrained=True, seed=3, options={"init": "xavier"}, classes=7),
        OpenModel("resnet20", untrained=True, normalize=OWN),
    ]


def test_the_shelf_opens_the_very_net_that_was_opened(bare: str) -> None:
    shelf = Shelf()
    keys = set()
    for request in asks(bare):
        net, card = open_model(request)
        choice = as_opened(card)
        assert choice is not None
        keys.add((shelf.key(choice), choice.seed))
        again, told = shelf.net(choice, choice.seed)
        assert (told.arch, told.title, told.classes) == (card.arch, card.title, card.classes)
        assert (told.normalization, told.normalization_known) == (card.normalization, card.normalization_known)
        weights = again.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    assert len(keys) == len(asks(bare))


def test_a_guess_stays_a_guess_and_what_is_remembered_does_not_outweigh_what_is_chosen(bare: str) -> None:
    shelf = Shelf()
    guess, own = opened(OpenModel(bare)), opened(OpenModel(bare, normalize=OWN))
    assert guess.normalization is None and not shelf.net(guess, 0)[1].normalization_known
    store.remember_normalization(bare, presets.get("half"))
    assert shelf.net(guess, 0)[1].normalization == presets.get("half")
    assert shelf.net(own, 0)[1].normalization == own.normalization != presets.get("half")
    # a run's card outweighs what is remembered, though not what is chosen
    folder = store.trained_folder(NET)
    assert folder is not None
    store.remember_normalization(str(folder), presets.get("half"))
    assert shelf.net(trained(NET), 0)[1].normalization == presets.get("cifar10")
    chosen = replace(trained(NET), normalization=presets.get("half"))
    assert shelf.net(chosen, 0)[1].normalization == presets.get("half")


FACTORIES = """
import functools, torch, torchvision

def seeded():
    torch.manual_seed(7)
    return torchvision.models.resnet18(num_classes=10)

def drawn():
    return torchvision.models.resnet18(num_classes=10)

@functools.cache
def kept():
    return seeded()

ready = seeded()

def lazy():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(10))
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "lesion_factories"
    (tmp_path / f"{name}.py").write_text(FACTORIES, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_net_that_a_function_makes(factories: str, tmp_path: Path) -> None:
    weights = str(tmp_path / "w.pth")
    torch.save(open_model(OpenModel("", factory=f"{factories}:drawn", input_size=32))[0].state_dict(), weights)
    desk, errors = GradientDesk(), set()
    for request in (
        OpenModel("", factory=f"{factories}:seeded", input_size=32),
        OpenModel("", factory=f"{factories}:seeded", input_size=48, normalize=OWN),
        OpenModel(weights, factory=f"{factories}:drawn", input_size=32),
    ):
        asked = MeasureLesion(opened(request), "shapes", pictures=40, deleted=frozenset(["layer1.0"]), image=CAT)
        answer = desk.handle(asked)
        assert isinstance(answer, LesionMeasured) and answer.prediction is not None
        assert answer.base_error == own_error(request) and answer.error == own_error(request, deleted=["layer1.0"])
        lines = printed(lesion_script(asked))
        best = answer.prediction.top[0]
        assert lines[2] == f"changed net {answer.error}" and f"{best.label:20} {best.prob:.4f}" in lines
        errors.add(best.prob)
    assert len(errors) == 3
    assert "can be imported" in lesion_script(asked) and "seeds its weights" not in lesion_script(asked)


@pytest.mark.parametrize(
    ("name", "words"),
    [("drawn", "other weights"), ("kept", "same net"), ("ready", "same net"), ("lazy", "other weights")],
)
def test_a_function_that_makes_no_net_of_its_own_is_refused(factories: str, name: str, words: str) -> None:
    choice = opened(OpenModel("", factory=f"{factories}:{name}", input_size=32))
    with pytest.raises(UserError, match=words):
        GradientDesk().handle(MeasureLesion(choice, "shapes", pictures=10))


def test_a_card_that_does_not_say_how_its_net_was_opened() -> None:
    assert as_opened(replace(open_model(OpenModel(NET))[1], opened={})) is None


def test_lesions_are_of_the_net_as_it_was_opened(bare: str) -> None:
    """One desk, one file, four readings in turn: whatever is kept of one is not taken for another's."""
    desk, errors = GradientDesk(), []
    for _ in range(2):
        for request in asks(bare):
            if request.classes is not None:
                continue  # no data set has as many
            choice = opened(request)
            answer = desk.handle(MeasureLesion(choice, "shapes", pictures=40, deleted=frozenset(["layer1.2"])))
            assert isinstance(answer, LesionMeasured)
            assert answer.base_error == own_error(request)
            assert answer.error == own_error(request, deleted=["layer1.2"])
            errors.append((answer.base_error, answer.error))
    assert len(set(errors)) > 3


def test_confidences_are_those_of_inspect(bare: str) -> None:
    request = OpenModel(bare, arch="plain20", normalize=OWN)
    bench = Workbench()
    card = bench.handle(request).card  # type: ignore[attr-defined]
    look = Look(
        card.id, CAT, MeasureLesion(opened(request)).fit, card.layers[-1].name, normalization=card.normalization
    )
    shown = bench.handle(look).prediction  # type: ignore[attr-defined]
    answer = GradientDesk().handle(MeasureLesion(opened(request), "shapes", pictures=10, image=CAT))
    assert isinstance(answer, LesionMeasured) and answer.base_prediction is not None
    assert answer.base_prediction.probs == pytest.approx(shown.probs, abs=1e-6)
    other = GradientDesk().handle(MeasureLesion(opened(OpenModel(bare)), "shapes", pictures=10, image=CAT))
    assert isinstance(other, LesionMeasured) and other.base_prediction is not None
    assert np.abs(other.base_prediction.probs - shown.probs).max() > 1e-3


def test_every_block_in_turn_of_a_net_that_was_said_to_be_plain(bare: str) -> None:
    request = OpenModel(bare, arch="plain20", normalize=OWN)
    answer = GradientDesk().handle(LesionEach(opened(request), data="shapes", pictures=40))
    assert isinstance(answer, LesionsMeasured) and answer.plain
    net, card = open_model(request)
    some = pick_labelled("shapes", card, count=40)
    own = final(lesion_each(net, some.images, some.labels, card.normalization))
    assert [one.error for one in answer.result.blocks] == [one.error for one in own.blocks]  # type: ignore[union-attr]


# ---- scripts ----


@pytest.mark.parametrize("at", [2, 4, 6])
def test_a_copied_script_of_lesions_opens_the_same_net(bare: str, at: int) -> None:
    choice = opened(asks(bare)[at])
    request = MeasureLesion(choice, "shapes", pictures=20, deleted=frozenset(["layer2.1"]), image=CAT)
    answer = GradientDesk().handle(request)
    assert isinstance(answer, LesionMeasured) and answer.prediction is not None
    lines = printed(lesion_script(request))
    assert lines[1] == f"whole net {answer.base_error} n = 20" and lines[2] == f"changed net {answer.error}"
    best = answer.prediction.top[0]
    assert f"{best.label:20} {best.prob:.4f}" in lines
    each = LesionEach(choice, data="shapes", pictures=20)
    assert printed(lesion_script(each))[1] == f"whole net {answer.base_error} n = 20"


def test_a_copied_script_of_gradients_opens_the_same_nets(bare: str) -> None:
    plain, net = (opened(OpenModel(bare, arch="plain20", normalize=OWN)), opened(OpenModel(NET)))
    # two nets of one title are two nets
    request = MeasureFlow(
        (replace(plain, title="mine"), replace(net, title="mine"), NetChoice("resnet20", title="new")),
        BatchRequest("shapes", 4),
        train_mode=False,
    )
    answer = GradientDesk().handle(request)
    assert isinstance(answer, FlowMeasured)
    found = [line for line in printed(gradient_script(request)) if ": loss " in line]
    assert len(found) == 3
    for line, band in zip(found, answer.bands, strict=True):
        assert float(line.split("loss ")[1].split(",")[0]) == pytest.approx(band.loss, rel=1e-5)


def test_gradients_are_measured_with_the_mean_and_std_that_was_chosen(bare: str) -> None:
    own = OpenModel(bare, arch="plain20", normalize=OWN)
    request = MeasureFlow((opened(own), opened(OpenModel(bare))), BatchRequest("shapes", 4), train_mode=False)
    answer = GradientDesk().handle(request)
    assert isinstance(answer, FlowMeasured)
    for band, one in zip(answer.bands, (own, OpenModel(bare)), strict=True):
        net, card = open_model(one)
        batch = fit_batch(choose(request.batch), card)
        flow = gradient_flow(net, batch.images, batch.labels, train_mode=False)
        assert band.loss == pytest.approx(flow.loss, rel=1e-6)
    assert answer.bands[0].loss != pytest.approx(answer.bands[1].loss, rel=1e-2)
    # of the guess, and of it alone, a person is told
    assert sum("does not say which mean and std" in note for note in answer.notes) == 1


# ---- what is on offer ----


def test_the_net_in_inspect_is_offered_once(bare: str) -> None:
    shipped: ModelCard = open_model(OpenModel(NET))[1]
    choices, key = on_offer(None)
    assert key == "" and choices[NET] == as_opened(shipped)  # one that is open as it was trained is no other net
    choices, key = on_offer(opened(OpenModel(NET, normalize="half")))
    assert key == NET and choices[NET].normalization == presets.get("half") and len(choices) == len(on_offer(None)[0])
    folder = str(store.trained_folder(PLAIN))
    choices, key = on_offer(NetChoice(folder, False, arch="resnet20"))
    assert key == PLAIN and choices[PLAIN].arch == "resnet20"
    choices, key = on_offer(opened(OpenModel(bare, arch="plain20")))
    assert key == bare == next(iter(choices)) and choices[bare].arch == "plain20"
    choices, key = on_offer(opened(OpenModel("resnet20", untrained=True)))
    assert key == MADE and choices[MADE].untrained
