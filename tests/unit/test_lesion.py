"""Errors without blocks: against evaluation of a net taken apart, shared work against whole passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resnet_viz.analysis import lesion_walk
from resnet_viz.analysis.evaluation import evaluate
from resnet_viz.analysis.lesion import (
    delete_at_random,
    error_of,
    f_to_x,
    final,
    lesion_blocks,
    lesion_each,
    pick_evenly,
)
from resnet_viz.analysis.lesion_walk import Lesion, Pictures, count_wrong
from resnet_viz.core.errors import Cancelled, DataError, LayerNotFoundError, UserError
from resnet_viz.core.lesion_types import LesionStudy
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, Normalization
from resnet_viz.data.batches import normalise
from resnet_viz.hooks.intervene import intervene
from resnet_viz.models import create, models

HALF = Normalization("half", (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
CLASSES = tuple("abcdefghij")


def pictures(count: int = 23, side: int = 32, channels: int = 3) -> tuple[U8, I64]:
    drawn = np.random.default_rng(0)
    return drawn.integers(0, 256, (count, side, side, channels), dtype=np.uint8), drawn.integers(0, 10, count)


def plainly(net: nn.Module, images: U8, labels: I64, **change: Any) -> float:
    """Return the error of whole passes over all pictures at once."""
    with intervene(net, **change), torch.no_grad():
        logits = net(normalise(torch.from_numpy(images).permute(0, 3, 1, 2), HALF))
    return float((logits.argmax(1).numpy() != labels).mean())


def bare(net: nn.Module) -> bool:
    return not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


@pytest.mark.parametrize("batch", [None, 1, 7, 23, 100])
def test_whole_net_as_evaluated(batch: int | None) -> None:
    net, (images, labels) = create("resnet20", seed=0), pictures()
    shares: list[float] = []
    error, n = error_of(net, images, labels, HALF, batch=batch, progress=shares.append)
    assert n == 23
    assert error == pytest.approx(1 - evaluate(net, images, labels, CLASSES, HALF).accuracy)
    assert shares == sorted(shares) and shares[-1] == 1


@pytest.mark.parametrize("model_id", [name for name in models.ids() if name not in ("resnet101", "resnet152")])
def test_blocks_run_one_by_one_are_the_net(model_id: str) -> None:
    spec = models.get(model_id)
    side = min(spec.input_size, 40)
    net = create(model_id, seed=0, num_classes=10)
    x = torch.randn(2, spec.in_channels, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert lesion_walk._steps(net, x) is not None  # compares to the last bit


@pytest.mark.parametrize("kind", ["delete", "cut"])
@pytest.mark.parametrize("model_id", ["resnet20", "plain20", "hresnet", "resnet18", "resnet50", "xai"])
def test_every_block_in_turn(model_id: str, kind: Any) -> None:
    net = create(model_id, seed=0, num_classes=10)
    side = 36 if model_id == "xai" else 32
    images, labels = pictures(5, side)
    if kind == "cut" and model_id in ("plain20", "xai"):
        with pytest.raises(UserError, match="no skip connection that can be cut"):
            final(lesion_each(net, images, labels, HALF, kind=kind))
        return
    study = final(lesion_each(net, images, labels, HALF, kind=kind, batch=3))
    assert study.kind == kind and study.n == 5
    assert study.base_error == plainly(net, images, labels)
    blocks = lesion_blocks(net, (3, side, side), kind)
    assert [(one.block, one.title) for one in study.blocks] == [(block.name, block.title) for block in blocks]
    ratios = {} if model_id in ("plain20", "xai") else f_to_x(net, images, HALF)
    for one in study.blocks:
        assert one.error == plainly(net, images, labels, **{"deleted" if kind == "delete" else "cut": {one.block}})
        assert one.f_to_x == (pytest.approx(ratios[one.block]) if one.block in ratios else None)
    assert bare(net) and not net.training


@pytest.mark.parametrize("model_id", ["resnet20", "hresnet", "plain20"])
@torch.inference_mode()
def test_shared_work_gives_the_same_logits_to_the_last_bit(model_id: str) -> None:
    net = create(model_id, seed=0)
    images, _ = pictures(6)
    x = normalise(torch.from_numpy(images).permute(0, 3, 1, 2), HALF)
    names = [block.name for block in lesion_blocks(net, (3, 32, 32))]
    lesions = [Lesion(), *(Lesion(frozenset([name])) for name in names), Lesion(frozenset(names[1:3]))]
    if model_id != "plain20":
        lesions += [Lesion(cut=frozenset([name])) for name in names] + [
            Lesion(frozenset(names[:1]), frozenset(names[1:2]))
        ]
    steps = lesion_walk._steps(net, x)
    assert steps is not None
    shared = dict(lesion_walk._Walk(net, steps, lesions, {}).run(x, NEVER))
    whole = dict(lesion_walk._Walk(net, None, lesions, {}).run(x, NEVER))
    assert sorted(shared) == sorted(whole) == list(range(len(lesions)))
    assert all(torch.equal(shared[index], whole[index]) for index in whole)


def test_earlier_studies_are_over_fewer_pictures_and_the_net_is_free_between_them() -> None:
    net, (images, labels) = create("resnet20", seed=0).train(), pictures(10)
    net.get_submodule("layer1").eval()
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    sizes = []
    for study in lesion_each(net, images, labels, HALF, batch=4):
        sizes.append(study.n)
        part = slice(0, study.n)
        assert bare(net) and modes == [module.training for module in net.modules()]
        assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
        assert study.base_error == error_of(net, images[part], labels[part], HALF)[0]
    assert sizes == [4, 8, 10]
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())


def test_f_to_x_by_hand() -> None:
    net, (images, _) = create("resnet20", seed=0, shortcut="B"), pictures(4)
    found = f_to_x(net, images, HALF, batch=3)
    x = normalise(torch.from_numpy(images).permute(0, 3, 1, 2), HALF)
    with torch.no_grad():
        x = net.relu(net.bn1(net.conv1(x)))
        for name in found:
            block = net.get_submodule(name)
            branch = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
            skip = x if block.downsample is None else block.downsample(x)
            ratio = branch.flatten(1).norm(dim=1) / skip.flatten(1).norm(dim=1)
            assert found[name] == pytest.approx(float(ratio.mean()), rel=1e-5)
            x = torch.relu(branch + skip)
    assert len(found) == 9


def test_f_to_x_where_nothing_comes_in() -> None:
    net, (images, labels) = create("resnet20", seed=0), pictures(3)
    nn.init.zeros_(net.get_parameter("bn1.weight"))
    nn.init.zeros_(net.get_parameter("bn1.bias"))
    assert f_to_x(net, images, HALF)["layer1.0"] == float("inf")
    assert final(lesion_each(net, images, labels, HALF)).blocks[0].f_to_x == float("inf")


def test_at_random() -> None:
    net, (images, labels) = create("resnet20", seed=0), pictures(8)
    result = final(delete_at_random(net, images, labels, HALF, k=3, repeats=5, seed=4, batch=5))
    assert (result.k, result.seed, result.n) == (3, 4, 8)
    assert result.base_error == plainly(net, images, labels)
    assert result.errors.shape == (5,) and len(result.deleted) == 5 and len(set(result.deleted)) > 1
    names = [block.name for block in lesion_blocks(net, (3, 32, 32))]
    for error, some in zip(result.errors, result.deleted, strict=True):
        assert len(set(some)) == 3 and list(some) == [name for name in names if name in some]
        assert error == plainly(net, images, labels, deleted=some)
    again = final(delete_at_random(net, images, labels, HALF, k=3, repeats=5, seed=4))
    other = final(delete_at_random(net, images, labels, HALF, k=3, repeats=5, seed=5))
    assert again.deleted == result.deleted != other.deleted
    everything = final(delete_at_random(net, images, labels, HALF, k=9, repeats=1))
    assert everything.deleted == (tuple(names),)
    for wrong in ({"k": 0}, {"k": 10}, {"k": 2, "repeats": 0}):
        with pytest.raises(UserError):
            final(delete_at_random(net, images, labels, HALF, **wrong))


def test_foreign_nets_take_whole_passes() -> None:
    import torchvision

    torch.manual_seed(0)
    net, (images, labels) = torchvision.models.resnet18(num_classes=10).eval(), pictures(4)
    study = final(lesion_each(net, images, labels, HALF, batch=2))
    assert [one.block for one in study.blocks] == [f"layer{stage}.{index}" for stage in range(1, 5) for index in (0, 1)]
    assert all(one.error == plainly(net, images, labels, deleted={one.block}) for one in study.blocks)
    own = create("resnet18", seed=0, num_classes=10)
    own.load_state_dict(net.state_dict())
    mine = final(lesion_each(own, images, labels, HALF))
    for theirs, ours in zip(study.blocks, mine.blocks, strict=True):
        assert theirs.f_to_x == pytest.approx(ours.f_to_x, rel=1e-4)
    assert bare(net)


class Counting(nn.Module):
    """A net with own blocks whose last step is no module: its parts one by one are not the net."""

    def __init__(self) -> None:
        super().__init__()
        self.net = create("resnet20", seed=0)

    def block_specs(self) -> Any:
        return self.net.block_specs()

    def named_modules(self, *args: Any, **kwargs: Any) -> Any:
        return self.net.named_modules(*args, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = -self.net(x)
        return out


def test_a_net_that_is_more_than_its_blocks_takes_whole_passes() -> None:
    net, (images, labels) = Counting().eval(), pictures(6)
    with torch.inference_mode():
        assert lesion_walk._steps(net, torch.zeros(1, 3, 32, 32)) is None
    count = final(
        count_wrong(Pictures(net, images, labels, HALF, 4), [Lesion(), Lesion(frozenset(["layer2.1"]))], (), NEVER)
    )
    assert count.wrong[1] / 6 == plainly(net, images, labels, deleted={"layer2.1"})


def test_cancel_between_blocks_gives_the_net_back() -> None:
    net, (images, labels) = create("resnet20", seed=0).train(), pictures(8)
    token, calls = CancelToken(), []
    real = net.get_submodule("layer2.0.conv1").forward

    def counted(x: Tensor) -> Tensor:
        calls.append(len(x))
        if len(calls) == 5:
            token.cancel()
        return real(x)

    net.get_submodule("layer2.0.conv1").forward = counted
    with pytest.raises(Cancelled):
        final(lesion_each(net, images, labels, HALF, token=token))
    assert len(calls) == 5
    assert bare(net) and net.training
    with pytest.raises(Cancelled):
        error_of(net, images, labels, HALF, token=token)


def test_given_back_when_a_layer_crashes() -> None:
    net, (images, labels) = create("resnet20", seed=0).train(), pictures(8)
    blocks = lesion_blocks(net, (3, 32, 32))

    def fail(x: Tensor) -> Tensor:
        raise ZeroDivisionError

    net.get_submodule("layer3.1.conv2").forward = fail
    state = {name: value.clone() for name, value in net.state_dict().items()}
    for work in (
        lambda: final(lesion_each(net, images, labels, HALF, blocks=blocks)),
        lambda: final(delete_at_random(net, images, labels, HALF, k=1, blocks=blocks)),
        lambda: f_to_x(net, images, HALF, blocks=blocks),
        lambda: error_of(net, images, labels, HALF, deleted={"layer1.0"}, cut={"layer3.1"}),
    ):
        with pytest.raises(ZeroDivisionError):
            work()
        assert bare(net) and net.training
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())


def test_what_cannot_be_measured() -> None:
    net, (images, labels) = create("resnet20", seed=0), pictures(4)
    with pytest.raises(DataError, match="no pictures"):
        error_of(net, images[:0], labels[:0], HALF)
    with pytest.raises(DataError, match="class 10, the net has 10"):
        error_of(net, images, labels * 0 + 10, HALF)
    with pytest.raises(LayerNotFoundError, match=r"layer1\.9"):
        error_of(net, images, labels, HALF, deleted={"layer1.9"})
    with pytest.raises(UserError, match="stem"):
        error_of(net, images, labels, HALF, cut={"stem"})
    with pytest.raises(UserError, match="classifier"):
        error_of(nn.Conv2d(3, 4, 3), images, labels, HALF)
    with pytest.raises(UserError, match="no block that can be deleted"):
        lesion_blocks(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), (3, 32, 32))


def test_pictures_are_even_from_the_first_on() -> None:
    labels = np.repeat(np.arange(4), [50, 3, 50, 50])[np.random.default_rng(0).permutation(153)]
    part = pick_evenly(labels, 80)
    assert len(set(part.tolist())) == 80
    assert np.bincount(labels[part]).tolist() in ([26, 3, 26, 25], [26, 3, 25, 26], [25, 3, 26, 26])
    assert sorted(labels[part[:4]]) == sorted(labels[part[4:8]]) == [0, 1, 2, 3]
    assert (pick_evenly(labels, 80) == part).all() and (pick_evenly(labels, 80, 1) != part).any()
    assert sorted(pick_evenly(labels, 1000)) == list(range(153))
    assert len(pick_evenly(labels[:0], 5)) == 0


def test_the_shipped_net(shared_data: Any) -> None:
    from resnet_viz.data.datasets import align, load
    from resnet_viz.session.loading import open_model
    from resnet_viz.session.requests import OpenModel

    if not (shared_data / "cifar10").is_dir():
        pytest.skip("CIFAR-10 is not among the development data")
    net, card = open_model(OpenModel("resnet20-cifar10"))
    data = align(load(str(shared_data / "cifar10"), "test", size=32), card.classes)
    part = pick_evenly(data.labels, 300)
    images, labels = data.images[part], data.labels[part]
    study: LesionStudy = final(lesion_each(net, images, labels, card.normalization))
    assert study.base_error < 0.13
    errors = {one.title: one.error for one in study.blocks}
    # every block matters in so short a net, those that begin a stage most
    assert all(error > study.base_error for error in errors.values())
    assert min(errors["2.0"], errors["3.0"]) > 0.5 and max(errors["2.1"], errors["2.2"]) < 0.3
    assert all(one.f_to_x is not None and 0.3 < one.f_to_x < 3.5 for one in study.blocks)
    plain, plain_card = open_model(OpenModel("plain20-cifar10"))
    chance = final(lesion_each(plain, images[:200], labels[:200], plain_card.normalization))
    assert all(one.error > 0.75 and one.f_to_x is None for one in chance.blocks)
