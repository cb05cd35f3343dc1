"""What every architecture of the registry must hold to, whatever family it is of."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from resnet_viz.models import create, models
from resnet_viz.models.checkpoint import RawCheckpoint, recognise
from resnet_viz.models.describe import describe
from resnet_viz.models.registry import ModelSpec

every_model = pytest.mark.parametrize("model_id", models.ids())
# deeper nets come out of the same loop and would only cost time
every_shallow_model = pytest.mark.parametrize("model_id", [spec.id for spec in models if (spec.depth or 0) <= 56])


def small_input(spec: ModelSpec, batch: int = 2) -> Tensor:
    """Return the smallest picture at which the net still shows all it has, to be quick."""
    size = max(spec.min_size, 34) if spec.any_size else spec.input_size
    made = torch.Generator().manual_seed(7)
    return torch.randn(batch, spec.in_channels, size, size, generator=made)


def leaves(net: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in net.named_modules() if not any(True for _ in module.children())}


@every_model
def test_one_row_of_finite_logits_for_each_picture(model_id: str) -> None:
    spec = models.get(model_id)
    net = create(model_id, seed=1, num_classes=7)
    with torch.no_grad():
        out = net(small_input(spec))
    assert not net.training
    assert out.shape == (2, 7) and torch.isfinite(out).all()


@every_model
def test_a_pass_in_eval_mode_writes_nothing_into_the_net(model_id: str) -> None:
    """Inspect relies on it: it does not look through a net of ours before and after each pass."""
    net = create(model_id, seed=1)

    def state() -> list[object]:
        tensors = [*net.named_parameters(), *net.named_buffers()]
        held = [(name, id(tensor), tensor._version, tensor.requires_grad) for name, tensor in tensors]
        plain = (bool, int, float)
        inside = [
            (name, {key: value if isinstance(value, plain) else id(value) for key, value in vars(one).items()})
            for name, one in net.named_modules()
        ]
        return [held, inside]

    before, values = state(), {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        net(small_input(models.get(model_id)))
    assert state() == before
    assert all(torch.equal(value, values[name]) for name, value in net.state_dict().items())


@every_model
def test_every_module_is_used_once_and_nothing_works_in_place(model_id: str) -> None:
    net = create(model_id, seed=1)
    calls: Counter[str] = Counter()
    kept: dict[str, tuple[Tensor, Tensor]] = {}

    def watch(name: str, out: Tensor) -> None:
        calls[name] += 1
        kept[name] = out, out.clone()

    for name, module in net.named_modules():
        module.register_forward_hook(lambda _module, _args, out, name=name: watch(name, out))
    with torch.no_grad():
        net(small_input(models.get(model_id)))
    assert calls == Counter(name for name, _ in net.named_modules())
    assert [name for name, (kept_out, copy) in kept.items() if not torch.equal(kept_out, copy)] == []


@every_model
def test_training_reaches_every_parameter(model_id: str) -> None:
    spec = models.get(model_id)
    net = create(model_id, seed=1).train()
    torch.manual_seed(0)  # dropout
    out = net(small_input(spec, batch=4))
    nn.functional.cross_entropy(out, torch.tensor([0, 1, 0, 1])).backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters() if parameter.grad is not None)
    # where BN takes the mean away a bias has no gradient, so not all can be asked to be above zero
    assert sum(bool(p.grad.abs().sum() > 0) for p in net.parameters() if p.grad is not None and p.ndim > 1) > 1


@every_model
def test_blocks_hold_every_layer_once_and_in_forward_order(model_id: str) -> None:
    net = create(model_id, seed=1)
    specs = net.block_specs()  # type: ignore[operator]
    named = [layer for spec in specs for layer in spec.layers]
    assert sorted(named) == sorted(leaves(net))
    assert len({spec.name for spec in specs}) == len(specs)
    order: list[str] = []
    for name, module in leaves(net).items():
        module.register_forward_hook(lambda _module, _args, _out, name=name: order.append(name))
    with torch.no_grad():
        net(small_input(models.get(model_id)))
    block_of = {layer: spec.name for spec in specs for layer in spec.layers}
    visited = list(dict.fromkeys(block_of[name] for name in order))
    assert visited == [spec.name for spec in specs]
    for spec in specs:
        net.get_submodule(spec.out)
        assert (spec.skip is None) == (spec.add is None) == (spec.kind != "residual")
        assert spec.add is None or spec.add in spec.layers


@every_model
def test_the_description_is_complete_and_the_net_comes_back_as_it_was(model_id: str) -> None:
    spec = models.get(model_id)
    net = create(model_id, seed=1).train()
    next(net.parameters()).requires_grad_(False)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    size = small_input(spec).shape[-1]
    layers, blocks = describe(net, (spec.in_channels, size, size))
    assert all(module.training for module in net.modules())
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert [p.requires_grad for p in net.parameters()].count(False) == 1
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert [layer.name for layer in layers] and {layer.name for layer in layers} == {
        name for name, _ in net.named_modules() if name
    }
    total = sum(parameter.numel() for parameter in net.parameters())
    assert sum(layer.params for layer in layers if not layer.container) == total
    assert sum(block.params for block in blocks) == total
    assert len(blocks) == len(net.block_specs())  # type: ignore[operator]
    seen: set[str] = set()
    for layer in layers:
        parent = layer.name.rpartition(".")[0]
        assert not parent or parent in seen, f"{layer.name} stands before its container"
        assert layer.calls == 1 and layer.out_shape
        seen.add(layer.name)
    assert blocks[-1].out_shape == (spec.defaults.num_classes,)


@every_shallow_model
def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone(model_id: str) -> None:
    state = torch.random.get_rng_state()
    one, two, other = (create(model_id, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@every_model
def test_its_own_weights_are_recognised(model_id: str) -> None:
    spec = models.get(model_id)
    net = create(model_id, seed=1, num_classes=6)
    found = recognise(RawCheckpoint(dict(net.state_dict()), {}, ()))
    # the tensors of a CIFAR plain net and of its residual twin are the same, so a warning says so
    wanted = model_id.replace("plain", "resnet") if spec.family == "cifar-plain" else model_id
    assert found.arch == wanted and found.options.num_classes == 6
    assert bool(found.warnings) == ("plain" in model_id or spec.family == "cifar-resnet")
    params = sum(parameter.numel() for parameter in net.parameters())
    assert "6 classes" in found.found and f"{params:,} parameters" in found.found
    told = recognise(RawCheckpoint(dict(net.state_dict()), {}, ()), model_id)
    assert told.arch == model_id and not told.warnings


@every_shallow_model
@pytest.mark.parametrize("changed", [{"batch_norm": False}, {"activation": "tanh"}, {"init": "xavier"}])
def test_every_ablation_builds_and_runs(model_id: str, changed: dict[str, object]) -> None:
    spec = models.get(model_id)
    net = create(model_id, seed=1, **changed)
    kinds = {type(module) for module in net.modules()}
    if changed.get("batch_norm") is False:
        assert not kinds & {nn.BatchNorm1d, nn.BatchNorm2d}
    if changed.get("activation") == "tanh":
        assert nn.Tanh in kinds and nn.ReLU not in kinds
    if changed.get("init") == "xavier":
        usual = create(model_id, seed=1).state_dict()
        assert any(not torch.equal(usual[key], value) for key, value in net.state_dict().items())
    with torch.no_grad():
        assert torch.isfinite(net(small_input(spec))).all()


@every_model
def test_the_smallest_input_is_told_truly(model_id: str) -> None:
    spec = models.get(model_id)
    net = create(model_id, seed=1)
    with torch.no_grad():
        net(torch.zeros(1, spec.in_channels, spec.min_size, spec.min_size))
        if spec.any_size:
            height, width = spec.min_size + 13, spec.min_size + 2
            assert net(torch.zeros(1, spec.in_channels, height, width)).shape == (1, spec.defaults.num_classes)
