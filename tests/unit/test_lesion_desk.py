"""The lesion board's desk: confidences first, errors over ever more pictures, all equal to the library's own."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from desk_parts import Parts, stopped, trained
from PIL import Image

from resnet_viz.analysis.lesion import delete_at_random, error_of, f_to_x, final, lesion_each
from resnet_viz.analysis.lesion_now import LesionCount, lesion_now, slices
from resnet_viz.core.errors import DataError, UserError
from resnet_viz.core.lesion_types import LesionStudy, RandomLesion
from resnet_viz.core.paths import assets_dir
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import Fit, ModelCard
from resnet_viz.data.images import load_image
from resnet_viz.hooks.intervene import intervene
from resnet_viz.session import lesion_desk
from resnet_viz.session.gradient_desk import GradientDesk
from resnet_viz.session.gradient_requests import (
    NOISE,
    SAMPLES,
    LesionEach,
    LesionMeasured,
    LesionRandom,
    LesionsMeasured,
    MeasureLesion,
)
from resnet_viz.session.lesion_pictures import Labelled, pick_labelled
from resnet_viz.session.loading import open_model
from resnet_viz.session.pace import Pace
from resnet_viz.session.requests import Look, OpenModel
from resnet_viz.session.service import Workbench

NET, PLAIN = "resnet20-cifar10", "plain20-cifar10"
CAT = load_image(assets_dir() / "samples" / "cat.jpg")


@pytest.fixture(scope="module")
def desk() -> GradientDesk:
    return GradientDesk()


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return open_model(OpenModel(NET))[1]


@pytest.fixture(scope="module")
def labelled(card: ModelCard) -> Labelled:
    return pick_labelled("shapes", card, count=170)


def measured(desk: GradientDesk, request: MeasureLesion, parts: Parts | None = None) -> LesionMeasured:
    answer = desk.handle(request, CancelToken(), parts or Parts())
    assert isinstance(answer, LesionMeasured)
    return answer


def test_confidences_come_first_then_ever_more_pictures(desk: GradientDesk, labelled: Labelled) -> None:
    parts = Parts()
    request = MeasureLesion(trained(NET), "shapes", pictures=170, deleted=frozenset(["layer2.1"]), image=CAT)
    answer = measured(desk, request, parts)
    first: LesionMeasured = parts.values[0]
    assert first.error is None and first.base_error is None and first.n == 0 and first.prediction is not None
    counts = [value.n for value in parts.values]
    assert counts == sorted(counts) and parts.shares == sorted(parts.shares)
    net, card = open_model(OpenModel(NET))
    asked = (net, labelled.images, labelled.labels, card.normalization)
    assert (answer.error, answer.n) == error_of(*asked, deleted=["layer2.1"])
    assert answer.base_error == error_of(*asked)[0]
    assert answer.data.startswith("170 test pictures of Shapes") and "in order" in answer.data
    assert answer.can_delete == answer.can_cut == tuple(block.name for block in card.blocks if block.skip)


def test_ratios_are_those_of_the_changed_net(desk: GradientDesk, labelled: Labelled) -> None:
    whole = measured(desk, MeasureLesion(trained(NET), "shapes", pictures=170))
    net, card = open_model(OpenModel(NET))
    assert whole.f_to_x == pytest.approx(f_to_x(net, labelled.images, card.normalization), rel=1e-6)
    assert whole.error == whole.base_error and whole.prediction is None
    change = MeasureLesion(
        trained(NET), "shapes", pictures=170, deleted=frozenset(["layer2.0"]), cut=frozenset(["layer2.2", "layer3.0"])
    )
    now = measured(desk, change).f_to_x
    assert list(now) == list(whole.f_to_x)
    assert now["layer2.0"] == 0 and now["layer2.2"] == now["layer3.0"] == math.inf
    before, behind = ("layer1.0", "layer1.1", "layer1.2"), ("layer2.1", "layer3.1", "layer3.2")
    assert all(now[name] == pytest.approx(whole.f_to_x[name], rel=1e-6) for name in before)
    assert all(now[name] != pytest.approx(whole.f_to_x[name], rel=1e-3) for name in behind)


def test_confidences_are_those_of_a_pass(desk: GradientDesk) -> None:
    fit = Fit("pad")
    request = MeasureLesion(trained(NET), "shapes", pictures=20, cut=frozenset(["layer1.1"]), image=CAT, fit=fit)
    answer = measured(desk, request)
    bench = Workbench()
    bench.handle(OpenModel(NET))
    look = Look(answer.card.id, CAT, fit, "conv1")
    seen = bench.handle(look)
    assert answer.base_prediction is not None and answer.prediction is not None
    assert answer.base_prediction.probs == pytest.approx(seen.prediction.probs, abs=1e-6)  # type: ignore[attr-defined]
    other = Workbench()
    other.handle(OpenModel(NET))
    with intervene(other._net(answer.card.id).net, cut=["layer1.1"]):
        changed = other.handle(look)
    assert answer.prediction.probs == pytest.approx(changed.prediction.probs, abs=1e-6)  # type: ignore[attr-defined]
    assert answer.prediction.probs != pytest.approx(answer.base_prediction.probs, abs=1e-3)
    # nothing changed: one answer
    whole = measured(desk, MeasureLesion(trained(NET), "shapes", pictures=20, image=CAT, fit=fit))
    assert whole.prediction is whole.base_prediction


def test_what_was_counted_is_kept_also_of_a_measurement_that_was_stopped(
    desk: GradientDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesion_desk, "Pace", partial(Pace, every_s=0.0))  # every part, on a fast machine too
    request = MeasureLesion(trained(NET), "shapes", pictures=300, deleted=frozenset(["layer3.1"]))
    token = CancelToken()
    seen: list[int] = []

    def stop(_share: float, value: object = None, /) -> None:
        if isinstance(value, LesionMeasured) and value.n:
            seen.append(value.n)
            token.cancel()

    assert stopped_by(desk, request, token, stop)
    assert seen == [50]
    parts = Parts()
    answer = measured(desk, request, parts)
    assert next(value.n for value in parts.values if value.n) >= 50 and answer.n == 300
    parts = Parts()
    monkeypatch.setattr(lesion_desk, "Pace", partial(Pace, every_s=600.0))  # the first alone, on a slow one too
    again = measured(desk, request, parts)
    assert again == answer or (again.error, again.f_to_x) == (answer.error, answer.f_to_x)
    # known at once: the error of the whole net is not taken back either
    assert parts.values[0].base_error in (None, answer.base_error) and len(parts.values) <= 2


def stopped_by(desk: GradientDesk, request: object, token: CancelToken, progress: object) -> bool:
    from resnet_viz.core.errors import Cancelled

    with pytest.raises(Cancelled):
        desk.handle(request, token, progress)  # type: ignore[arg-type]
    return True


def test_a_plain_net(desk: GradientDesk) -> None:
    answer = measured(
        desk, MeasureLesion(trained(PLAIN), "shapes", pictures=60, deleted=frozenset(["layer1.2", "layer2.0"]))
    )
    assert answer.can_cut == () and len(answer.can_delete) == 9 and answer.f_to_x == {} and answer.error is not None
    with pytest.raises(UserError, match="no skip connection"):
        desk.handle(LesionEach(trained(PLAIN), "cut", "shapes", pictures=20))


@pytest.mark.parametrize("kind", ["delete", "cut"])
def test_every_block_in_turn(desk: GradientDesk, kind: str) -> None:
    parts = Parts()
    answer = desk.handle(LesionEach(trained(NET), kind, "shapes", pictures=80), CancelToken(), parts)  # type: ignore[arg-type]
    assert isinstance(answer, LesionsMeasured) and isinstance(answer.result, LesionStudy)
    net, card = open_model(OpenModel(NET))
    some = pick_labelled("shapes", card, count=80)
    own = final(lesion_each(net, some.images, some.labels, card.normalization, kind=kind))  # type: ignore[arg-type]
    assert (answer.result.base_error, answer.result.n, answer.result.kind) == (own.base_error, 80, kind)
    for one, other in zip(answer.result.blocks, own.blocks, strict=True):
        assert (one.block, one.title, one.error) == (other.block, other.title, other.error)
        assert one.f_to_x == pytest.approx(other.f_to_x, rel=1e-6)
    assert [value.result.n for value in parts.values] == [50, 80] and parts.shares == sorted(parts.shares)
    assert len(parts.shares) > 2  # the bar moves between the answers too
    assert (answer.title, answer.plain) == (card.title, False)


def test_blocks_at_random(desk: GradientDesk) -> None:
    answer = desk.handle(LesionRandom(trained(NET), 2, 4, "shapes", pictures=70, seed=5))
    assert isinstance(answer, LesionsMeasured) and isinstance(answer.result, RandomLesion)
    net, card = open_model(OpenModel(NET))
    some = pick_labelled("shapes", card, count=70, seed=5)
    own = final(delete_at_random(net, some.images, some.labels, card.normalization, k=2, repeats=4, seed=5))
    assert answer.result.deleted == own.deleted and np.array_equal(answer.result.errors, own.errors)
    assert (answer.result.n, answer.result.base_error) == (70, own.base_error)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (MeasureLesion(trained("no-such-net")), "no-such-net"),
        (MeasureLesion(trained("resnet20")), "architecture without weights"),
        (MeasureLesion(trained(NET), "no such folder"), "no such folder"),
        (MeasureLesion(trained(NET), NOISE), "labelled pictures"),
        (MeasureLesion(trained(NET), SAMPLES), "labelled pictures"),
        (MeasureLesion(trained(NET), "shapes", pictures=-1), "-1 pictures"),
        (MeasureLesion(trained(NET), "shapes", seed=-1), "seed -1"),
        (MeasureLesion(trained(NET), "shapes", pictures=10, deleted=frozenset(["layer9.9"])), r"layer9\.9"),
        (MeasureLesion(trained(NET), "shapes", pictures=10, cut=frozenset(["stem"])), "stem"),
        (MeasureLesion(trained(PLAIN), "shapes", pictures=10, cut=frozenset(["layer1.0"])), "no skip connection"),
        (
            MeasureLesion(
                trained(NET), "shapes", pictures=10, deleted=frozenset(["layer1.0"]), cut=frozenset(["layer1.0"])
            ),
            "deleted and cut at once",
        ),
        (LesionRandom(trained(NET), 20, data="shapes", pictures=10), "the net has 9"),
        (LesionRandom(trained(NET), 1, 0, "shapes", pictures=10), "0 draws"),
    ],
)
def test_bad_input_gives_one_sentence(desk: GradientDesk, request_: object, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        desk.handle(request_)
    assert "\n" not in str(error.value)


def test_classes_that_the_net_lacks(desk: GradientDesk, card: ModelCard, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "ship", "oak"):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(tmp_path / name / f"{index}.png")
    with pytest.raises(DataError, match="no class oak"):
        desk.handle(MeasureLesion(trained(NET), str(tmp_path)))
    for path in (tmp_path / "oak").iterdir():
        path.unlink()
    (tmp_path / "oak").rmdir()
    (tmp_path / "cat" / "0.png").write_bytes(b"no picture")
    some = pick_labelled(str(tmp_path), card, count=0)  # what cannot be read is left out
    assert sorted(some.labels.tolist()) == [3, 3, 3, 8, 8, 8, 8] and some.images.shape == (7, 32, 32, 3)
    assert measured(desk, MeasureLesion(trained(NET), str(tmp_path), pictures=0)).n == 7
    # another picture in the folder is seen
    (tmp_path / "cat" / "0.png").unlink()
    assert len(pick_labelled(str(tmp_path), card, count=0).labels) == 7
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(tmp_path / "ship" / "9.png")
    assert measured(desk, MeasureLesion(trained(NET), str(tmp_path), pictures=0)).n == 8


@pytest.mark.parametrize("after_s", [0.02, 0.2])
def test_work_stops_soon(desk: GradientDesk, after_s: float) -> None:
    desk.handle(MeasureLesion(trained(NET), "shapes", pictures=10))  # opening the data set is another matter
    for number, request in enumerate(
        (
            MeasureLesion(
                trained(NET), "shapes", pictures=0, seed=1, deleted=frozenset([f"layer1.{round(10 * after_s)}"])
            ),
            LesionEach(trained(NET), data="shapes", pictures=0),
            LesionRandom(trained(NET), 3, 100, "shapes", pictures=0),
        )
    ):
        assert stopped(lambda token, request=request: desk.handle(request, token), after_s) < 1.0, number
    net, _ = desk._shelf.net(trained(NET), 0)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules()) and not net.training


def test_counts_can_be_added() -> None:
    one, two = LesionCount(3, 10, {"a": 5.0}), LesionCount(1, 30, {"a": 1.0})
    both = LesionCount() + one + two
    assert (both.error, both.f_to_x) == (0.1, {"a": 0.15})
    assert math.isnan(LesionCount().error) and LesionCount().f_to_x == {}


def test_batches_are_small_at_first_and_never_too_large() -> None:
    parts = slices(1000, 32)
    assert [part.stop - part.start for part in parts] == [50, 100, 250, 250, 250, 100]
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert max(part.stop - part.start for part in slices(100, 224)) == 8
    assert slices(0, 32) == [] and [part.stop for part in slices(7, 32)] == [7]


def test_no_pictures_are_no_error(card: ModelCard) -> None:
    net, _ = open_model(OpenModel(NET))
    none = np.empty((0, 32, 32, 3), np.uint8)
    with pytest.raises(DataError, match="no pictures"):
        final(lesion_now(net, none, np.empty(0, np.int64), card.normalization, blocks=card.blocks))


def test_the_shipped_net_on_cifar(desk: GradientDesk, shared_data: Path) -> None:
    if not (shared_data / "cifar10").is_dir():
        pytest.skip("CIFAR-10 is not among the development data")
    request = MeasureLesion(trained(NET), str(shared_data / "cifar10"), pictures=300, deleted=frozenset(["layer2.1"]))
    answer = measured(desk, request)
    assert answer.base_error is not None and answer.error is not None
    assert answer.base_error < 0.13 and answer.base_error < answer.error < 0.5
    assert answer.data == "300 test pictures of CIFAR-10" or answer.data == "300 test pictures of cifar10"
