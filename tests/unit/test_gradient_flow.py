"""A measurement of gradients: what it says, against plain re-computations, and that it leaves no trace."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_viz.analysis.gradient_flow import (
    NOISE,
    core_blocks,
    flow_over_seeds,
    gradient_flow,
    mean_cosine,
    update_ratio,
)
from resnet_viz.analysis.update_rules import OPTIMIZERS, UpdateRule
from resnet_viz.core.errors import Cancelled, UserError
from resnet_viz.core.gradient_types import FLOAT_ZERO, GradientFlow, band, geometric_mean, ratio
from resnet_viz.core.token import CancelToken
from resnet_viz.models import create
from resnet_viz.models.describe import describe

OFF = {"details": False, "coherence": False}


def batch(count: int = 6, side: int = 32, classes: int = 10, channels: int = 3) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(3)
    images = torch.randn(count, channels, side, side, generator=drawn)
    return images, torch.randint(classes, (count,), generator=drawn)


def length(value: Tensor) -> float:
    return float(np.sqrt(np.square(value.detach().numpy().astype(np.float64)).sum()))


def plainly(net: nn.Module, images: Tensor, labels: Tensor, outs: list[str], seed: int = 0) -> dict[str, Any]:
    """Return loss and gradients of a copy of the net, at module outputs, weights and input."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    for parameter in net.parameters():
        parameter.requires_grad_()
    seen: dict[str, Tensor] = {}
    for name in outs:
        net.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: seen.update({name: out}))
    inputs = images.clone().requires_grad_()
    named = dict(net.named_parameters())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        loss = nn.functional.cross_entropy(net(inputs), labels)
    found = torch.autograd.grad(loss, [*seen.values(), *named.values(), inputs], allow_unused=True)
    lengths = [0.0 if g is None else length(g) for g in found]
    return {
        "loss": float(loss.detach()),
        "act": dict(zip(seen, lengths, strict=False)),
        "weight": dict(zip(named, lengths[len(seen) :], strict=False)),
        "input": found[-1],
    }


# ---- the numbers ----

NETS: list[tuple[str, dict[str, Any]]] = [
    ("resnet20", {}),
    ("resnet20", {"shortcut": "B", "batch_norm": False, "init": "default"}),
    ("plain20", {}),
    ("plain20", {"activation": "sigmoid", "init": "xavier"}),
    ("hresnet", {}),
    ("xai", {"num_classes": 10}),
]


@pytest.mark.parametrize("train_mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("model_id", "options"), NETS)
def test_flow_is_autograds_own(model_id: str, options: dict[str, Any], train_mode: bool) -> None:
    net = create(model_id, seed=1, **options)
    images, labels = batch(side=36 if model_id == "xai" else 32)
    flow = gradient_flow(net, images, labels, title="a net", train_mode=train_mode, seed=9, **OFF)
    specs = [s for s in net.block_specs() if any(net.get_submodule(n)._parameters for n in s.layers)]  # type: ignore[operator]
    right = plainly(net.train(train_mode), images, labels, [spec.out for spec in specs], seed=9)
    first = [next(f"{n}.weight" for n in s.layers if f"{n}.weight" in right["weight"]) for s in specs]
    assert flow.title == "a net" and flow.train_mode == train_mode and flow.weights == "first"
    assert flow.blocks == tuple(s.name for s in specs) and flow.labels == tuple(s.title for s in specs)
    assert flow.loss == pytest.approx(right["loss"], rel=1e-6)
    assert flow.act_norm == pytest.approx([right["act"][s.out] for s in specs], rel=1e-6)
    assert flow.weight_norm == pytest.approx([right["weight"][name] for name in first], rel=1e-6)
    core = [i for i, s in enumerate(specs) if s.kind in ("residual", "plain")] or [*range(1, len(specs) - 1)]
    assert flow.core == (core[0], core[-1])
    assert flow.first_to_last == flow.weight_norm[core[0]] / flow.weight_norm[core[-1]]
    assert flow.first_to_last_act == flow.act_norm[core[0]] / flow.act_norm[core[-1]]
    for left_out in (flow.coherence, flow.split_f, flow.split_identity, flow.response_std, flow.f_to_x):
        assert left_out is None


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_nets_by_block_and_by_layer(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = getattr(torchvision.models, name)(num_classes=10)
    images, labels = batch(3, 64)
    blocks = [block for block in describe(net, (3, 64, 64))[1] if block.params]
    convs = [n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    right = plainly(net.train(), images, labels, [*(block.out for block in blocks), *convs])
    flow = gradient_flow(net, images, labels, weights="all", **OFF)
    assert flow.blocks == tuple(block.name for block in blocks)
    assert flow.act_norm == pytest.approx([right["act"][block.out] for block in blocks], rel=1e-6)
    for block, norm in zip(blocks, flow.weight_norm, strict=True):
        names = [n for n in right["weight"] if n.rpartition(".")[0] in block.layers]
        assert norm == pytest.approx(math.hypot(*(right["weight"][n] for n in names)), rel=1e-6)
    core = [block.name for block in blocks if block.kind == "module"]
    assert core == [n for n, m in net.named_modules() if type(m).__name__ in ("BasicBlock", "Bottleneck")]
    assert (flow.blocks[flow.core[0]], flow.blocks[flow.core[1]]) == (core[0], core[-1])
    layers = gradient_flow(net, images, labels, per="layer", **OFF)
    assert sorted(layers.blocks) == sorted(convs) and layers.labels == layers.blocks
    assert layers.act_norm == pytest.approx([right["act"][n] for n in layers.blocks], rel=1e-6)
    assert layers.weight_norm == pytest.approx([right["weight"][f"{n}.weight"] for n in layers.blocks], rel=1e-6)


@pytest.mark.parametrize(("model_id", "options"), [("resnet20", {"shortcut": "B"}), ("hresnet", {}), ("plain20", {})])
def test_every_layer_has_a_row(model_id: str, options: dict[str, Any]) -> None:
    net, (images, labels) = create(model_id, seed=1, **options), batch()
    flow = gradient_flow(net, images, labels, per="layer")
    convs = [n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    right = plainly(net.train(), images, labels, convs)
    assert sorted(flow.blocks) == sorted(convs)
    assert flow.act_norm == pytest.approx([right["act"][n] for n in flow.blocks], rel=1e-6)
    assert flow.weight_norm == pytest.approx([right["weight"][f"{n}.weight"] for n in flow.blocks], rel=1e-6)
    first, last = flow.blocks[flow.core[0]], flow.blocks[flow.core[1]]
    assert first == ("block1.conv1" if model_id == "hresnet" else "layer1.0.conv1")
    assert last == ("block3.shortcut" if model_id == "hresnet" else "layer3.2.conv2")


@pytest.mark.parametrize("coherence", [True, False])
def test_details_of_a_first_block_that_adds(coherence: bool) -> None:
    """HResNet's first block takes the picture itself: its split needs the picture's gradient."""
    net, (images, labels) = create("hresnet", seed=1), batch()
    flow = gradient_flow(net, images, labels, coherence=coherence)
    assert flow.split_f is not None and flow.split_identity is not None and flow.f_to_x is not None
    assert (np.isfinite(flow.split_f) == [True] * 3 + [False] * 3).all()
    assert min(flow.split_f[:3]) > 0 and min(flow.split_identity[:3]) > 0 and min(flow.f_to_x[:3]) > 0
    assert flow.response_std is not None and min(flow.response_std) > 0
    x = images.clone().requires_grad_()
    skip: list[Tensor] = []
    net.train().get_submodule("block1.shortcut").register_forward_hook(lambda _m, _a, out: skip.append(out))
    loss = nn.functional.cross_entropy(net(x), labels)
    [at_sum] = torch.autograd.grad(loss, skip, retain_graph=True)
    [through_skip] = torch.autograd.grad(skip[0], x, at_sum, retain_graph=True)
    [at_x] = torch.autograd.grad(loss, x)
    assert flow.split_identity[0] == pytest.approx(length(through_skip), rel=1e-6)
    assert flow.split_f[0] == pytest.approx(length(at_x - through_skip), rel=1e-4)


def test_double_precision_is_kept() -> None:
    net, (images, labels) = create("resnet20", seed=1).double(), batch()
    flow = gradient_flow(net, images.double(), labels, **OFF)
    right = plainly(net.train(), images.double(), labels, list(flow.blocks[1:-1]))
    assert flow.loss == pytest.approx(right["loss"], rel=1e-14)
    assert flow.act_norm[1:-1] == pytest.approx(list(right["act"].values()), rel=1e-11)


def test_bfloat16_nets_are_measured() -> None:
    net, (images, labels) = create("resnet20", seed=1), batch()
    flow = gradient_flow(net.bfloat16(), images.bfloat16(), labels)
    full = gradient_flow(create("resnet20", seed=1), images, labels)
    assert flow.weight_norm == pytest.approx(full.weight_norm, rel=0.2)


# ---- coherence ----


@pytest.mark.parametrize("model_id", ["resnet20", "plain20", "xai"])
def test_coherence_is_the_mean_cosine_at_x_and_near_x(model_id: str) -> None:
    net = create(model_id, seed=1, num_classes=10)
    images, labels = batch(5, 36)
    images = images * 3 + 1
    flow = gradient_flow(net, images, labels, seed=4, details=False)
    shift = torch.randn(images.shape, generator=torch.Generator().manual_seed(271_828_182 + 4))
    noisy = images + 0.01 * images.std() * shift
    assert pytest.approx(0.01) == NOISE
    here, near = (plainly(net.train(), x, labels, [], seed=4)["input"].flatten(1).double() for x in (images, noisy))
    cosines = [float(a @ b / a.norm() / b.norm()) for a, b in zip(here, near, strict=True)]
    assert flow.coherence == pytest.approx(np.mean(cosines), abs=1e-6)
    other = gradient_flow(net, images, labels, seed=5, details=False)
    assert other.coherence is not None and other.coherence != flow.coherence


def test_coherence_by_hand() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    y = torch.tensor([[3.0, 0.0], [0.0, -1e-3], [1.0, 1.0]])
    assert mean_cosine(x, y) == pytest.approx(0.0) and mean_cosine(x[:1], y[:1]) == 1
    assert mean_cosine(x * 1e-30, y * 1e-30) == pytest.approx(0.0)  # products of 1e-60 are below float32
    assert mean_cosine(x[2:], y[2:]) is None and mean_cosine(None, y) is None and mean_cosine(x, None) is None
    assert mean_cosine(x, torch.full_like(x, math.nan)) is None
    assert mean_cosine(torch.full_like(x, math.inf), y) is None


def test_the_same_question_has_the_same_answer() -> None:
    net, (images, labels) = create("xai", seed=1, num_classes=10), batch(4, 36)
    with torch.random.fork_rng():
        one = gradient_flow(net, images, labels, seed=3)
        torch.rand(1)  # whatever else was drawn meanwhile
        two = gradient_flow(net, images, labels, seed=3)
    assert one.record() == two.record()
    assert gradient_flow(net, images, labels, seed=4).loss != one.loss  # another dropout


def test_measuring_less_gives_the_same_numbers() -> None:
    net, (images, labels) = create("resnet20", seed=1), batch()
    whole, part = gradient_flow(net, images, labels), gradient_flow(net, images, labels, **OFF)
    assert (whole.act_norm == part.act_norm).all() and (whole.weight_norm == part.weight_norm).all()
    assert whole.loss == part.loss


# ---- one optimizer step ----


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_update_ratio_is_a_real_optimizers_first_step(optimizer: str, decay: float) -> None:
    from resnet_viz.training.config import TrainConfig
    from resnet_viz.training.optimizers import make_optimizer

    net, (images, labels) = create("resnet20", seed=1).double(), batch(2, 16)
    rule = UpdateRule(optimizer, lr=0.03, weight_decay=decay)
    flow = gradient_flow(net, images.double(), labels, weights="convs", rule=rule, **OFF)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    config = TrainConfig("resnet20", "cifar10", optimizer=optimizer, lr=0.03, weight_decay=decay)
    stepper: Any = make_optimizer(config, net.train().parameters(), fused=False)
    nn.functional.cross_entropy(net(images.double()), labels).backward()
    stepper.step()
    after = dict(net.named_parameters())
    assert flow.update_ratio is not None
    for spec, ours in zip(net.block_specs()[:10], flow.update_ratio, strict=False):  # type: ignore[operator]
        names = [f"{n}.weight" for n in spec.layers if isinstance(net.get_submodule(n), nn.Conv2d)]
        moved = math.hypot(*(length(after[n] - before[n]) for n in names))
        assert ours == pytest.approx(moved / math.hypot(*(length(before[n]) for n in names)), rel=1e-7) and ours > 0


def test_update_ratio_without_weights_or_gradients() -> None:
    weights = [[torch.zeros(3)], [torch.ones(4)], [torch.full((4,), 2.0), torch.zeros(1)]]
    gradients: list[list[Tensor | None]] = [[torch.ones(3)], [None], [torch.full((4,), 1.0), None]]
    ratios = update_ratio(weights, gradients, UpdateRule("sgd", lr=0.5))
    assert math.isnan(ratios[0]) and ratios[1:] == [0.0, 0.25]
    assert update_ratio(weights, gradients, UpdateRule("sgd", lr=0.5, weight_decay=1.0))[1] == 0.5
    with pytest.raises(UserError, match="momentum"):
        UpdateRule("momentun")


def test_optimizers_are_those_of_training() -> None:
    from resnet_viz.training import config

    assert OPTIMIZERS == config.OPTIMIZERS


# ---- extremes ----


def test_a_norm_below_float_precision_is_shown_as_it_is() -> None:
    net = create("plain56", seed=0, batch_norm=False, init="default")
    images, labels = batch(8)
    flow = gradient_flow(net, images, labels)
    assert 0 < flow.weight_norm[1] < 1e-18 and 0 < flow.act_norm[1] < 1e-18
    specs = net.block_specs()[:-2]  # type: ignore[operator]
    right = plainly(net.train(), images, labels, [spec.out for spec in specs])
    assert flow.act_norm[:-1] == pytest.approx(list(right["act"].values()), rel=1e-6, abs=0)
    assert flow.weight_norm[1] == pytest.approx(right["weight"]["layer1.0.conv1.weight"], rel=1e-6, abs=0)
    assert flow.first_to_last == 0.0 == flow.first_to_last_act  # to float precision
    assert flow.coherence is not None and flow.coherence > 0.5


def test_exactly_0_where_every_value_is_0() -> None:
    net, (images, labels) = create("plain110", seed=0, batch_norm=False, init="default"), batch(2)
    flow = gradient_flow(net, images, labels)
    right = plainly(net.train(), images, labels, ["layer1.0"])
    assert right["act"]["layer1.0"] == 0 == flow.act_norm[1] and flow.weight_norm[1] == 0 < flow.weight_norm[-1]
    assert flow.first_to_last == 0.0 and flow.coherence is None


@pytest.mark.parametrize("scale", [math.nan, math.inf, 1e38])
def test_losses_that_are_not_finite(scale: float) -> None:
    net, (images, labels) = create("resnet20", seed=1), batch()
    flow = gradient_flow(net, images * scale, labels, rule=UpdateRule(), train_mode=False)
    assert not math.isfinite(flow.loss) and not np.isfinite(flow.weight_norm).any()
    assert flow.first_to_last is None and flow.first_to_last_act is None and flow.coherence is None
    record = flow.record()
    assert record["loss"] is None and record["weight_norm"] == [None] * 11 and record["first_to_last"] is None
    one = band([flow, gradient_flow(net, images, labels)])
    assert one.ratio is None and one.record()["loss"] is None and np.isfinite(one.ratios).tolist() == [False, True]
    assert one.coherence is not None  # of the seed that has one


def test_exploding_norms_are_finite() -> None:
    net, (images, labels) = create("resnet110", seed=0, batch_norm=False), batch(4)
    flow = gradient_flow(net, images, labels, **OFF)
    assert np.isfinite(flow.weight_norm).all() and flow.weight_norm[1] > 1e6
    assert flow.first_to_last is not None and flow.first_to_last_act is not None and flow.first_to_last_act > 1e6


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        (3.0, 2.0, 1.5),
        (0.0, 2.0, 0.0),
        (FLOAT_ZERO / 2, 1e-3, 0.0),
        (FLOAT_ZERO * 2, 1.0, FLOAT_ZERO * 2),
        (1.0, 0.0, None),
        (0.0, 0.0, None),
        (1.0, FLOAT_ZERO / 2, None),
        (math.nan, 1.0, None),
        (1.0, math.nan, None),
        (math.inf, 1.0, None),
        (1.0, math.inf, None),
    ],
)
def test_ratio(first: float, last: float, wanted: float | None) -> None:
    assert ratio(first, last) == wanted
    assert np.float32(FLOAT_ZERO / 2) ** 2 < np.finfo(np.float32).tiny  # what the border means


def test_geometric_mean() -> None:
    assert geometric_mean(np.array([[1.0, 0.0, 4.0], [100.0, 5.0, 9.0]])) == pytest.approx([10, 0, 6])
    assert math.isnan(geometric_mean(np.array([1.0, math.nan])))


def test_core_blocks() -> None:
    assert core_blocks(["stem", "residual", "residual", "plain", "head"]) == (1, 3)
    assert core_blocks(["conv", "module", "conv", "module", "head"]) == (1, 3)
    assert core_blocks(["stem", "residual", "conv", "head"]) == (1, 2)
    assert core_blocks(["conv", "conv", "dense", "head"]) == (1, 2)
    assert core_blocks(["dense", "dense", "head"]) == (0, 2) and core_blocks(["head"]) == (0, 0)


# ---- seeds ----


def test_flow_over_seeds() -> None:
    images, labels = batch()
    shares: list[float] = []
    made: list[int] = []

    def make(seed: int) -> nn.Module:
        made.append(seed)
        return create("plain20", seed=seed)

    found = flow_over_seeds(make, images, labels, (0, 5, 7), title="plain", progress=shares.append)
    assert made == [0, 5, 7] and shares == pytest.approx([1 / 3, 2 / 3, 1]) and found.title == "plain"
    flows = [gradient_flow(create("plain20", seed=s), images, labels, seed=s, details=False) for s in (0, 5, 7)]
    norms = np.stack([flow.weight_norm for flow in flows])
    assert found.mean == pytest.approx(np.exp(np.log(norms).mean(0)), rel=1e-12)
    assert (found.low == norms.min(0)).all() and (found.high == norms.max(0)).all()
    ratios = [flow.first_to_last for flow in flows]
    assert found.ratios.tolist() == ratios and found.ratio == pytest.approx(np.prod(ratios) ** (1 / 3))
    assert found.coherence == pytest.approx(np.mean([flow.coherence for flow in flows]))
    assert found.loss == pytest.approx(np.mean([flow.loss for flow in flows]))
    acts = np.stack([flow.act_norm for flow in flows])
    assert found.of("act_norm")[0] == pytest.approx(np.exp(np.log(acts).mean(0)), rel=1e-12)
    record = found.record()
    assert record["seeds"] == 3 and record["first_to_last"] == found.ratio
    assert record["act_norm_low"] == acts.min(0).tolist() and record["weight_norm_high"] == norms.max(0).tolist()
    assert set(flows[0].record()) < set(record)
    with pytest.raises(ValueError, match="same blocks"):
        flow_over_seeds(make, images, labels, ())
    other = gradient_flow(create("resnet32", seed=0), images, labels, **OFF)
    with pytest.raises(ValueError, match="same blocks"):
        band([flows[0], other])


# ---- bad questions ----


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 3, 32, 32), torch.tensor([3, 10]), "class 10, the net has 10 classes"),
        (torch.zeros(2, 3, 32, 32), torch.tensor([3, -1]), "class -1, the net has 10 classes"),
        (torch.zeros(2, 3, 32, 32), torch.tensor([3]), "one row of logits for each picture"),
        (torch.zeros(0, 3, 32, 32), torch.tensor([], dtype=torch.int64), "batch is empty"),
    ],
)
def test_batches_that_do_not_fit(images: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        gradient_flow(create("resnet20", seed=1), images, labels)


def test_one_picture_and_batch_norm() -> None:
    images, labels = batch(1, 34)
    net = create("xai", seed=1, num_classes=10)
    with pytest.raises(UserError, match="needs more than one picture"):
        gradient_flow(net, images, labels)
    assert gradient_flow(net, images, labels, train_mode=False).loss > 0


def test_labels_of_any_whole_type_and_nets_with_several_heads() -> None:
    images, labels = batch(3, 80, 5)
    net = torchvision.models.googlenet(num_classes=5, init_weights=True, aux_logits=True)
    flow = gradient_flow(net, images, labels.to(torch.int32), **OFF)
    assert flow.first_to_last is not None and len(flow.blocks) > 10
    right = plainly(net.train(False), images, labels, ["inception4a"])
    still = gradient_flow(net, images, labels, train_mode=False, **OFF)
    assert still.act_norm[still.blocks.index("inception4a")] == pytest.approx(right["act"]["inception4a"], rel=1e-6)
    with pytest.raises(UserError, match="Choose a classifier"):
        gradient_flow(nn.Sequential(nn.Conv2d(3, 5, 1)), images, labels)


# ---- what is given back ----


def snapshot(net: nn.Module) -> tuple[Any, ...]:
    """Return all that must come back, and the identity of what must stay the same object."""
    return (
        [
            (m.training, dict(m._forward_hooks), dict(m._forward_pre_hooks), dict(m._backward_hooks), sorted(vars(m)))
            for m in net.modules()
        ],
        [(id(p), p.requires_grad, id(p.grad), dict(p._backward_hooks or {})) for p in net.parameters()],
        [id(b) for b in net.buffers()],
    )


def values_of(net: nn.Module) -> list[Tensor]:
    tensors = [*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None)]
    return [torch.random.get_rng_state(), *(tensor.clone() for tensor in tensors)]


def used(model_id: str = "resnet20") -> nn.Module:
    """Return a net in the middle of its life: some layers frozen, some in eval mode, gradients there."""
    net = create(model_id, seed=1, num_classes=10).train()
    images, labels = batch(4, 36)
    with torch.random.fork_rng():
        nn.functional.cross_entropy(net(images), labels).backward()
    for number, parameter in enumerate(net.parameters()):
        parameter.requires_grad_(number % 3 > 0)
        if number % 4 == 0:
            parameter.grad = None
    for number, module in enumerate(net.modules()):
        module.training = number % 5 != 1
    next(net.children()).register_forward_hook(lambda _m, _a, _o: None)
    return net


class Crash(torch.autograd.Function):
    """Nothing forward, an error backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        raise ArithmeticError("crashed")


class StopAt(CancelToken):
    """Is set at one of the looks."""

    def __init__(self, look: int) -> None:
        super().__init__()
        self.look = look

    def check(self) -> None:
        self.look -= 1
        if self.look == 0:
            self.cancel()
        super().check()


ENDS = ["whole", "wrong class", "crash forward", "crash backward", "crash near x", "stop at once"]
STOPS = [f"stop {look}" for look in (2, 8, 13, 20, 25, 30, 40)]  # in both passes, forward and backward


@pytest.mark.parametrize("train_mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    ("model_id", "end"),
    [("resnet20", end) for end in ENDS + STOPS] + [("xai", end) for end in ("whole", "crash backward", "stop 40")],
)
def test_everything_is_given_back(model_id: str, end: str, train_mode: bool) -> None:
    net, (images, labels) = used(model_id), batch(4, 36)
    calls: list[int] = []

    def spoil(_module: nn.Module, _args: Any, output: Tensor) -> Tensor | None:
        calls.append(1)
        if end == "crash forward" or (end == "crash near x" and len(calls) == 2):
            raise ArithmeticError("crashed")
        if end != "crash backward":
            return None
        result: Tensor = Crash.apply(output)
        return result

    middle = "layer2.1.conv2" if model_id == "resnet20" else "features.10"
    net.get_submodule(middle).register_forward_hook(spoil)
    token = StopAt(1 if end == "stop at once" else int(end.split()[1]) if end.startswith("stop ") else 0)
    before, values = snapshot(net), values_of(net)
    images_before = images.clone()

    def measure() -> GradientFlow:
        wrong = labels + 7 if end == "wrong class" else labels
        return gradient_flow(net, images, wrong, train_mode=train_mode, rule=UpdateRule(), token=token)

    if end == "whole":
        assert measure().loss > 0 and len(calls) == 2
    else:
        kind = UserError if end == "wrong class" else ArithmeticError if end.startswith("crash") else Cancelled
        with pytest.raises(kind):
            measure()
    assert snapshot(net) == before
    assert all(torch.equal(one, other) for one, other in zip(values_of(net), values, strict=True))
    assert torch.equal(images, images_before) and images.grad is None and not images.requires_grad


def test_images_that_need_a_gradient_get_none() -> None:
    net, (images, labels) = create("resnet20", seed=1), batch()
    images.requires_grad_()
    with torch.no_grad():  # the caller's own setting
        assert gradient_flow(net, images, labels).loss > 0
        assert not torch.is_grad_enabled()
    assert images.grad is None and images.requires_grad and all(p.grad is None for p in net.parameters())


def test_a_net_that_writes_into_its_input() -> None:
    class Greedy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)

        def forward(self, x: Tensor) -> Tensor:
            x.mul_(2).add_(1)
            out: Tensor = self.fc(self.conv(x).mean((2, 3)))
            return out

    images, labels = batch(4, 8)
    before = images.clone()
    flow = gradient_flow(Greedy(), images, labels)
    assert torch.equal(images, before) and flow.coherence is not None and min(flow.act_norm) > 0
