"""Gradients at blocks against autograd's own, computed without a hook on any tensor."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_viz.core.errors import Cancelled, LayerNotFoundError, UserError
from resnet_viz.core.gradient_types import WeightChoice
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import BlockInfo
from resnet_viz.hooks.block_tensors import block_tensors
from resnet_viz.hooks.gradients import Watched, watch_blocks, watch_tensors
from resnet_viz.hooks.norms import norm, weight_norms
from resnet_viz.models import create
from resnet_viz.models.describe import describe

OWN: list[tuple[str, dict[str, Any], tuple[int, int, int]]] = [
    ("resnet20", {}, (3, 32, 32)),
    ("resnet20", {"shortcut": "B"}, (3, 32, 32)),
    ("resnet20", {"batch_norm": False}, (3, 32, 32)),
    ("resnet20", {"batch_norm": False, "shortcut": "B", "activation": "tanh"}, (3, 32, 32)),
    ("plain20", {}, (3, 32, 32)),
    ("plain20", {"batch_norm": False}, (3, 32, 32)),
    ("resnet18", {"num_classes": 7}, (3, 48, 48)),
    ("resnet50", {"num_classes": 7}, (3, 40, 40)),
    ("plain18", {"num_classes": 7}, (3, 48, 48)),
    ("hresnet", {}, (3, 32, 32)),
    ("xai", {}, (3, 36, 36)),
    ("fashion_cnn", {}, (1, 28, 28)),
    ("fashion_dnn", {}, (1, 28, 28)),
]
every_net = pytest.mark.parametrize(("model_id", "options", "shape"), OWN)
every_mode = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])


def with_statistics(net: nn.Module) -> nn.Module:
    """Give batch norms statistics and weights that are not trivial."""
    drawn = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2, generator=drawn)
            module.running_var.uniform_(0.5, 2, generator=drawn)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=drawn)
            nn.init.normal_(module.bias, 0, 0.2, generator=drawn)
    return net


def made(model_id: str, options: dict[str, Any], training: bool = True) -> nn.Module:
    return with_statistics(create(model_id, seed=1, **options)).train(training)


def batch(shape: tuple[int, int, int], count: int = 5, classes: int = 2) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(3)
    return torch.randn(count, *shape, generator=drawn), torch.randint(classes, (count,), generator=drawn)


def loss_of(net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(5)  # dropout
        loss: Tensor = nn.functional.cross_entropy(net(images), labels)
        return loss


def length(value: Tensor | None) -> float:
    """Return the L2 norm, summed by NumPy in double precision."""
    return 0.0 if value is None else float(np.sqrt(np.square(value.detach().numpy().astype(np.float64)).sum()))


def joint(values: Any) -> float:
    return math.hypot(*(length(value) for value in values))


class Witness:
    """The tensors that went into and came out of modules in one pass, and the loss's gradients there."""

    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.inputs: dict[str, list[Any]] = {}
        self.outputs: dict[str, list[Tensor]] = {}
        handles = []
        for name, module in net.named_modules():
            handles += [
                module.register_forward_pre_hook(lambda _m, args, name=name: self._add(self.inputs, name, args)),
                module.register_forward_hook(lambda _m, _a, out, name=name: self._add(self.outputs, name, out)),
            ]
        self.loss = loss_of(net, images, labels)
        for handle in handles:
            handle.remove()

    @staticmethod
    def _add(table: dict[str, list[Any]], name: str, value: Any) -> None:
        table.setdefault(name, []).append(value)

    def gradients(self, tensors: list[Tensor], of: Tensor | None = None, along: Tensor | None = None) -> list[Tensor]:
        found = torch.autograd.grad(
            self.loss if of is None else of, tensors, along, retain_graph=True, allow_unused=True
        )
        return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]

    def act_norms(self, outs: list[str]) -> list[float]:
        found = iter(self.gradients([value for out in outs for value in self.outputs[out]]))
        return [joint(next(found) for _ in self.outputs[out]) for out in outs]


def measured(
    net: nn.Module, images: Tensor, labels: Tensor, **how: Any
) -> tuple[Watched, dict[str, Tensor | None], float]:
    """Return what was watched during forward and backward, the weights' gradients, and the loss."""
    named = dict(net.named_parameters())
    with watch_blocks(net, **how) as watched:
        loss = loss_of(net, images, labels)
        wanted = [*named.values(), *([images] if images.requires_grad else [])]
        found = torch.autograd.grad(loss, wanted, allow_unused=True)[: len(named)]
    return watched, dict(zip(named, found, strict=True)), float(loss.detach())


def specs_of(net: nn.Module, shape: tuple[int, int, int]) -> list[Any]:
    """Return blocks that have a convolution or linear layer."""
    own = getattr(net, "block_specs", None)
    blocks = own() if own is not None else describe(net, shape)[1]
    weighted = {n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    return [block for block in blocks if weighted & set(block.layers)]


def no_hooks(net: nn.Module) -> bool:
    return not any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks for m in net.modules()
    )


# ---- norms ----


@every_net
@every_mode
def test_norms_are_autograds_own(
    model_id: str, options: dict[str, Any], shape: tuple[int, int, int], training: bool
) -> None:
    net, (images, labels) = made(model_id, options, training), batch(shape)
    specs = specs_of(net, shape)
    witness = Witness(net, images, labels)
    parameters = dict(net.named_parameters())
    outs = [witness.outputs[spec.out][0] for spec in specs]
    right = witness.gradients([*outs, *parameters.values()])
    own = dict(zip(parameters, right[len(outs) :], strict=True))
    watched, found, loss = measured(net, images, labels)
    assert loss == float(witness.loss.detach())
    assert watched.names == tuple(spec.name for spec in specs)
    norms = watched.act_norms()
    assert norms == pytest.approx([length(gradient) for gradient in right[: len(outs)]], rel=1e-6) and min(norms) > 0
    tensors = block_tensors(net)
    name_of = {id(parameter): name for name, parameter in net.named_parameters()}
    modules = dict(net.named_modules())
    for choice in ("first", "convs", "all"):
        theirs = [joint(own[name] for name in weight_names(modules, spec.layers, choice)) for spec in specs]
        groups = [block.weights(choice) for block in tensors]
        ours = weight_norms([[found[name_of[id(parameter)]] for parameter in group] for group in groups])
        assert ours == pytest.approx(theirs, rel=1e-6) and min(ours) > 0
    assert no_hooks(net)


def weight_names(modules: dict[str, nn.Module], layers: tuple[str, ...], choice: WeightChoice) -> list[str]:
    """Return the names of the parameters that count, from the names of the layers alone."""
    convs = [f"{layer}.weight" for layer in layers if isinstance(modules[layer], (nn.Conv2d, nn.Linear))]
    if choice != "all":
        return convs[:1] if choice == "first" else convs
    return [f"{layer}.{name}" for layer in layers for name, _ in modules[layer].named_parameters()]


@pytest.mark.parametrize("model_id", ["resnet20", "hresnet", "plain20"])
def test_norms_of_a_net_in_double_precision(model_id: str) -> None:
    net, (images, labels) = made(model_id, {}).double(), batch((3, 32, 32))
    specs = specs_of(net, (3, 32, 32))
    right = Witness(net, images.double(), labels).act_norms([spec.out for spec in specs])
    watched, _, _ = measured(net, images.double(), labels)
    assert watched.act_norms() == pytest.approx(right, rel=1e-12)


def torchvisions(name: str, training: bool) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return with_statistics(getattr(torchvision.models, name)(num_classes=9)).train(training)


def not_in_place(net: nn.Module) -> nn.Module:
    net = copy.deepcopy(net)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v3_small", "densenet121"])
@every_mode
def test_torchvision_nets_that_work_in_place(name: str, training: bool) -> None:
    net, (images, labels) = torchvisions(name, training), batch((3, 64, 64), 3, 9)
    assert any(getattr(module, "inplace", False) for module in net.modules())
    blocks = specs_of(net, (3, 64, 64))
    right = Witness(not_in_place(net), images, labels)
    watched, _, loss = measured(net, images, labels, blocks=describe(net, (3, 64, 64))[1])
    assert watched.names == tuple(block.name for block in blocks) and len(blocks) > 8
    assert loss == float(right.loss.detach())
    assert watched.act_norms() == pytest.approx(right.act_norms([block.out for block in blocks]), rel=1e-6)
    assert no_hooks(net)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_every_convolution_of_nets_that_work_in_place(name: str) -> None:
    net, (images, labels) = torchvisions(name, True), batch((3, 64, 64), 3, 9)
    layers = [n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.BatchNorm2d))]
    right = Witness(not_in_place(net), images, labels)
    convs = [n for n in layers if not isinstance(net.get_submodule(n), nn.BatchNorm2d)]
    blocks = [BlockInfo(n, n, "module", (n,), n, (), (), 0) for n in convs]
    watched, _, _ = measured(net, images, labels, blocks=blocks)
    assert watched.act_norms() == pytest.approx(right.act_norms(convs), rel=1e-6)


class Foreign(nn.Module):
    """A net of parts that are made by the test."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def blocks(self) -> list[BlockInfo]:
        found = []
        for index, part in enumerate(self.parts):
            inside = [n for n, m in part.named_modules() if not list(m.children())]
            layers = tuple(f"parts.{index}.{n}".rstrip(".") for n in inside)
            found.append(BlockInfo(f"parts.{index}", str(index), "module", layers, f"parts.{index}", (), (), 0))
        return found


@pytest.fixture
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        yield


@pytest.mark.usefixtures("seeded")
def test_what_is_written_into_in_place_behind_the_block() -> None:
    """Views too, which PyTorch cuts off from the hooks that they had."""
    view = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    plain = nn.Linear(4 * 6 * 6, 20)
    net = Foreign(view, nn.ReLU(True), plain, nn.ReLU(True), nn.Linear(20, 5))
    images, labels = batch((3, 8, 8))
    right = Witness(not_in_place(net), images, labels)
    watched, _, _ = measured(net, images, labels, blocks=net.blocks())
    assert watched.names == ("parts.0", "parts.2", "parts.4")
    assert watched.act_norms() == pytest.approx(right.act_norms(list(watched.names)), rel=1e-6)
    assert min(watched.act_norms()) > 0


@pytest.mark.usefixtures("seeded")
def test_a_block_used_twice_counts_as_one() -> None:
    twice = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    net = Foreign(nn.Conv2d(3, 4, 3), twice, nn.MaxPool2d(2), twice, nn.Sequential(nn.Flatten(), nn.Linear(36, 5)))
    images, labels = batch((3, 8, 8))
    blocks = [block for block in net.blocks() if block.name != "parts.3"]  # a module has one name
    witness = Witness(net, images, labels)
    assert len(witness.outputs["parts.1"]) == 2
    watched, found, _ = measured(net, images, labels, blocks=blocks, details=True)
    one, other = witness.gradients(witness.outputs["parts.1"])
    assert watched.act_norms()[1] == pytest.approx(math.hypot(length(one), length(other)), rel=1e-6)
    assert length(one) > 0 and length(other) > 0
    parameters = list(net.parameters())
    assert {name: length(value) for name, value in found.items()} == pytest.approx(
        dict(zip(found, map(length, witness.gradients(parameters)), strict=True)), rel=1e-6
    )
    assert watched.response_stds()[1] == pytest.approx(
        float(witness.outputs["parts.1.1"][1].detach().std(correction=0)), 1e-6
    )


@pytest.mark.usefixtures("seeded")
def test_several_passes_are_taken_together() -> None:
    net = Foreign(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    images, labels = torch.randn(7, 6), torch.arange(7) % 4
    with watch_blocks(net, blocks=net.blocks()) as whole:
        nn.functional.cross_entropy(net(images), labels, reduction="sum").backward()
    with watch_blocks(net, blocks=net.blocks()) as parts:
        for part in ([0, 1, 2], [3, 4, 5, 6]):
            nn.functional.cross_entropy(net(images[part]), labels[part], reduction="sum").backward()
    assert parts.act_norms() == pytest.approx(whole.act_norms(), rel=1e-6)


def test_a_block_that_no_gradient_reaches_has_norm_0() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle, self.cut = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.idle(x)
            out: Tensor = self.used(x) + self.cut(x).detach()
            return out

    net = Idle()
    blocks = [BlockInfo(n, n, "dense", (n,), n, (), (), 0) for n in ("used", "idle", "cut")]
    watched, found, _ = measured(net, torch.ones(3, 6), torch.tensor([0, 1, 2]), blocks=blocks, details=True)
    norms = watched.act_norms()
    assert norms[0] > 0 and norms[1:] == [0.0, 0.0]
    assert weight_norms([[found["idle.weight"]], [found["used.weight"]], []])[::2] == [0.0, 0.0]
    assert all(math.isnan(value) for values in (*watched.splits(), watched.f_to_x()) for value in values)
    with torch.no_grad(), watch_blocks(net, blocks=blocks, details=True) as watched:
        net(torch.ones(3, 6))
    assert watched.act_norms() == [0.0] * 3 and min(watched.response_stds()) > 0


# ---- details ----

ADDING = [
    ("resnet20", {}),
    ("resnet20", {"shortcut": "B"}),
    ("resnet20", {"batch_norm": False}),
    ("resnet18", {"num_classes": 7}),
    ("resnet50", {"num_classes": 7}),
    ("hresnet", {}),
]


@pytest.mark.parametrize(("model_id", "options"), ADDING)
@every_mode
def test_split_at_each_addition(model_id: str, options: dict[str, Any], training: bool) -> None:
    """Through the skip plus through F is the gradient at x; each norm is autograd's."""
    net = made(model_id, options, training).double()
    images, labels = batch((3, 32, 32), 3)
    images = images.double().requires_grad_()
    witness = Witness(net, images, labels)
    watched, _, _ = measured(net, images, labels, details=True)
    ours = dict(zip(watched.names, zip(*watched.splits(), watched.f_to_x(), strict=True), strict=True))
    adding = {spec.name: spec for spec in specs_of(net, (3, 32, 32)) if spec.add is not None}
    assert len(adding) >= 3
    tensors = [witness.outputs[spec.add][0] for spec in adding.values()] + [
        witness.inputs[name][0][0] for name in adding
    ]
    found = witness.gradients(tensors)
    for (name, spec), at_sum, at_x in zip(adding.items(), found[: len(adding)], found[len(adding) :], strict=True):
        [[branch, skip]], [[x]] = witness.inputs[spec.add], witness.inputs[name]
        [through_f] = witness.gradients([x], branch, at_sum)
        through_skip = at_sum if skip is x else witness.gradients([x], skip, at_sum)[0]
        torch.testing.assert_close(through_skip + through_f, at_x, rtol=1e-9, atol=float(at_x.abs().max()) * 1e-12)
        right = (length(through_skip), length(through_f), length(branch) / length(skip))
        assert ours[name] == pytest.approx(right, rel=1e-10) and min(right) > 0
    for name in set(ours) - set(adding):
        assert all(math.isnan(value) for value in ours[name])


@every_net
def test_details_change_nothing_and_responses_are_those_of_figure_7(
    model_id: str, options: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    net, (images, labels) = made(model_id, options), batch(shape)
    without, plain_gradients, plain_loss = measured(net, images, labels)
    watched, gradients, loss = measured(net, images, labels, details=True)
    assert loss == plain_loss and watched.act_norms() == without.act_norms()
    assert all(torch.equal(g, plain_gradients[name]) for name, g in gradients.items() if g is not None)  # type: ignore[arg-type]
    assert all(math.isnan(value) for value in without.response_stds())
    witness = Witness(net, images, labels)
    for spec, ours in zip(specs_of(net, shape), watched.response_stds(), strict=True):
        right = witness.outputs[responding(net, spec)][0].detach().numpy().astype(np.float64).std()
        assert ours == pytest.approx(right, rel=1e-5) and right > 0


def responding(net: nn.Module, spec: Any) -> str:
    """Return the last batch norm of F, else its last layer with weights; by name, as the builders name them."""
    main = [layer for layer in spec.layers if "downsample" not in layer and "shortcut" not in layer]
    norms = [n for n in main if isinstance(net.get_submodule(n), (nn.BatchNorm1d, nn.BatchNorm2d))]
    return (norms or [n for n in main if isinstance(net.get_submodule(n), (nn.Conv2d, nn.Linear))])[-1]


def test_f_to_x_where_a_summand_is_0() -> None:
    net, (images, labels) = made("resnet20", {}), batch((3, 32, 32))
    last = net.get_submodule("layer1.1.bn2")
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    watched, _, _ = measured(net, images, labels, details=True)
    ratios = dict(zip(watched.names, watched.f_to_x(), strict=True))
    split = dict(zip(watched.names, zip(*watched.splits(), strict=True), strict=True))
    assert ratios["layer1.1"] == 0 and split["layer1.1"][1] == 0 < split["layer1.1"][0]
    stem = net.get_submodule("bn1")
    assert isinstance(stem, nn.BatchNorm2d)
    nn.init.zeros_(stem.weight)
    nn.init.zeros_(stem.bias)
    watched, _, _ = measured(net, images, labels, details=True)
    assert math.isinf(dict(zip(watched.names, watched.f_to_x(), strict=True))["layer1.0"])  # F of nothing is BN's bias


# ---- what is watched ----


def test_chosen_blocks_and_names_that_are_none() -> None:
    net, (images, labels) = made("resnet20", {}), batch((3, 32, 32))
    everything, _, _ = measured(net, images, labels)
    watched, _, _ = measured(net, images, labels, names=["layer3.2", "stem"])
    assert watched.names == ("layer3.2", "stem")
    of = dict(zip(everything.names, everything.act_norms(), strict=True))
    assert watched.act_norms() == [of["layer3.2"], of["stem"]]
    assert measured(net, images, labels, names=[])[0].act_norms() == []
    with pytest.raises(LayerNotFoundError, match=r"layer3\.3.*layer3\.2"), watch_blocks(net, ["layer3.3"]):
        raise AssertionError("nothing to watch")
    with pytest.raises(LayerNotFoundError, match="avgpool"), watch_blocks(net, ["avgpool"]):
        raise AssertionError("a pool has no weights")
    assert no_hooks(net)


def test_nets_without_blocks_or_weights() -> None:
    with pytest.raises(UserError, match="does not say which blocks"):
        block_tensors(torchvision.models.resnet18())
    net = nn.Sequential(nn.Flatten(), nn.ReLU())
    with pytest.raises(UserError, match="no convolution or linear layer"):
        block_tensors(net, describe(net, (1, 4, 4))[1])


def test_parameters_that_a_block_has_beside_its_layers() -> None:
    net = torchvision.models.convnext_tiny(num_classes=4)
    blocks = {block.name: block for block in block_tensors(net, describe(net, (3, 32, 32))[1])}
    scaled = blocks["features.1.0"]
    assert {id(p) for p in scaled.all} == {id(p) for p in net.get_submodule("features.1.0").parameters()}
    assert any(p is net.get_parameter("features.1.0.layer_scale") for p in scaled.all)


def test_without_norms_only_the_token_is_looked_at() -> None:
    net, (images, labels) = made("resnet20", {}), batch((3, 32, 32))
    token = Counting()
    with watch_tensors(block_tensors(net), norms=False, token=token) as watched:
        torch.autograd.grad(loss_of(net, images, labels), list(net.parameters()))
    assert watched.act_norms() == [0.0] * 11 and token.looks == 22


# ---- stopping ----


class Counting(CancelToken):
    """Counts how often it was looked at, and is set at one of the looks."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.looks, self.stop_at = 0, stop_at

    def check(self) -> None:
        self.looks += 1
        if self.looks == self.stop_at:
            self.cancel()
        super().check()


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("look", [1, 6, 11, 12, 17, 22])
def test_a_set_token_ends_the_pass_at_the_next_block(look: int, details: bool) -> None:
    net, (images, labels) = made("resnet20", {}), batch((3, 32, 32), 2)
    ran: list[str] = []
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _a, _o, name=name: ran.append(name))
    before = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())
    token = Counting(look)
    with pytest.raises(Cancelled), watch_blocks(net, details=details, token=token):
        loss_of(net, images, labels).backward()
    blocks = 11  # the stem, nine blocks, the classifier: each looks once forward and once backward
    assert token.looks >= look and len(ran) <= 1 + 2 * min(look - 1, 9)
    done = [name for name, p in net.named_parameters() if p.grad is not None]
    assert (done == []) == (look <= blocks + 1) and len(done) < len(list(net.parameters()))
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()) == before


class Crash(torch.autograd.Function):
    """Nothing forward, an error backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        raise RuntimeError("crashed on the way back")


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("details", [False, True])
def test_a_crashing_layer_leaves_no_hook(backward: bool, details: bool) -> None:
    net, (images, labels) = made("resnet20", {}), batch((3, 32, 32), 2)

    def crash(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        if backward:
            result: Tensor = Crash.apply(output)
            return result
        raise RuntimeError("crashed on the way")

    handle = net.get_submodule("layer2.1.conv2").register_forward_hook(crash)
    with pytest.raises(RuntimeError, match="crashed on the way"), watch_blocks(net, details=details):
        loss_of(net, images, labels).backward()
    handle.remove()
    assert no_hooks(net)


# ---- norms of tensors ----


SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (7,), (1023,), (1024,), (1025,), (5, 700), (3, 5, 17, 19)]


@pytest.mark.parametrize(
    ("shape", "scale"),
    [(shape, scale) for shape in SHAPES for scale in (1.0, 1e-8, 1e-15, 1e-23, 1e-38, 1e8, 1e18, 1e30)]
    + [((8, 64, 112, 112), 1.0)],
)
def test_norm_of_any_size(shape: tuple[int, ...], scale: float) -> None:
    value = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale
    assert float(norm(value)) == pytest.approx(length(value), rel=1e-7, abs=0)
    assert norm(value).dtype == torch.float64 and norm(value).shape == ()
    assert weight_norms([[value], [None, value, value]]) == pytest.approx(
        [length(value), joint([value] * 2)], rel=1e-7, abs=0
    )


def test_norm_of_any_layout_and_kind() -> None:
    value = torch.randn(6, 8, 20, 20, generator=torch.Generator().manual_seed(0))
    kinds = {
        "channels last": value.to(memory_format=torch.channels_last),
        "transposed": value.transpose(0, 2),
        "every second": value[:, ::2, :, 1::2],
        "expanded": value[:, :1, :1].expand(6, 8, 20, 20),
        "flipped, repeated": value.flip(0).repeat(2, 1, 1, 1),
        "double": value.double(),
        "bfloat16": value.bfloat16(),
        "half": value.half(),
        "leaf": value.clone().requires_grad_(),
    }
    for kind, one in kinds.items():
        assert float(norm(one)) == pytest.approx(length(one.detach().float()), rel=1e-7, abs=0), kind
        assert not norm(one).requires_grad
        assert weight_norms([[one]]) == pytest.approx([length(one.detach().float())], rel=1e-7, abs=0), kind


def test_one_large_value_among_many_small_ones() -> None:
    value = torch.full((4, 100_000), 1e-20)
    assert float(norm(value)) == pytest.approx(1e-20 * math.sqrt(400_000), rel=1e-6, abs=0)
    value[0, 0] = 1e-3
    assert float(norm(value)) == pytest.approx(1e-3, rel=1e-7, abs=0)
    assert float(norm(torch.full((3, 5000), 1e-44))) > 0  # even where float32 has hardly a digit left
    assert float(norm(torch.zeros(3, 5000))) == 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(wrong: float) -> None:
    value = torch.ones(3, 5000)
    value[1, 7] = wrong
    assert math.isnan(float(norm(value))) if math.isnan(wrong) else float(norm(value)) == math.inf
    [one, other] = weight_norms([[value], [torch.ones(4)]])
    assert not math.isfinite(one) and other == 2
