"""What capture hands out is what every layer put out: checked at every module call of every net.

The witness is independent of hooks: a torch.fx Interpreter that runs the traced graph node by
node and copies every value the moment it is computed, before anything can overwrite it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, fx, nn

from resnet_viz.hooks.capture import capture
from resnet_viz.models import create, models
from resnet_viz.models.blocks import Add, Subsample

Calls = dict[tuple[str, int], Tensor]


class LeafTracer(fx.Tracer):
    """Keeps our own small modules whole, as fx keeps those of torch.nn."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (Add, Subsample)) or super().is_leaf_module(m, module_qualified_name)


class Witness(fx.Interpreter):
    """Copies every module's output at once."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: Calls = {}
        self.counts: Counter[str] = Counter()

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        out = super().call_module(target, args, kwargs)
        self.seen[str(target), self.counts[str(target)]] = out.clone()
        self.counts[str(target)] += 1
        return out


def witness(net: nn.Module, x: Tensor) -> Calls:
    interpreter = Witness(fx.GraphModule(net, LeafTracer().trace(net)))
    interpreter.run(x)
    return interpreter.seen


def with_statistics(net: nn.Module) -> nn.Module:
    """Give batch norm statistics that are not trivial, so that a wrong map cannot equal a right one."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.5, generator=generator)
    return net.eval()


def theirs(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return with_statistics(getattr(torchvision.models, name)())


def same(ours: Tensor, right: Tensor) -> bool:
    return torch.equal(ours, right)


@pytest.mark.parametrize(("name", "calls", "naive_wrong"), [("resnet18", 60, 17), ("resnet50", 158, 49)])
def test_torchvision_nets_at_every_call(name: str, calls: int, naive_wrong: int) -> None:
    net = theirs(name)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    names = [path for path, module in net.named_modules() if path and not list(module.children())]
    with torch.no_grad():
        right = witness(net, x)
        for _again in range(2):  # the first pass learns what is overwritten, the second knows it
            with capture(net, names) as captured:
                captured.run(x)
            assert set(captured.outputs) == set(right)
            wrong = [key for key, value in right.items() if not same(captured.outputs[key], value)]
            assert wrong == []
        kept: Calls = {}
        counts: Counter[str] = Counter()
        handles = []
        for path in names:

            def keep(_module: nn.Module, _args: Any, out: Tensor, path: str = path) -> None:
                kept[path, counts[path]] = out.detach()
                counts[path] += 1

            handles.append(net.get_submodule(path).register_forward_hook(keep))
        net(x)
        for handle in handles:
            handle.remove()
    assert len(right) == calls
    # the test has teeth: the usual hook, which keeps a reference, is wrong at this many calls
    assert sum(not same(kept[key], value) for key, value in right.items()) == naive_wrong


def test_torchvisions_own_extractor_is_wrong_where_capture_is_right() -> None:
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    net = theirs("resnet18")
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    nodes = [node for node in get_graph_node_names(net)[1] if "." in node or node in ("conv1", "bn1", "relu")]
    with torch.no_grad():
        right = witness(net, x)
        maps = create_feature_extractor(net, nodes)(x)
    first_calls = {path: value for (path, call), value in right.items() if call == 0 and path in maps}
    assert sum(not same(maps[path], value) for path, value in first_calls.items()) > 0


def small_input(name: str) -> tuple[int, int, int]:
    spec = models.get(name)
    size = spec.input_size if spec.input_size <= 32 else 64
    return spec.in_channels, size, size


@pytest.mark.parametrize("name", models.ids())
def test_our_nets_at_every_call(name: str) -> None:
    net = with_statistics(create(name, seed=0))
    x = torch.randn(1, *small_input(name), generator=torch.Generator().manual_seed(1))
    names = [path for path, module in net.named_modules() if path]
    with torch.no_grad():
        right = witness(net, x)
        with capture(net, names) as captured:
            captured.run(x)
    assert all(same(captured.outputs[key], value) for key, value in right.items())
    leaves = {path for path in names if not list(net.get_submodule(path).children())}
    leaves -= {path for path in leaves if isinstance(net.get_submodule(path), nn.Identity) and (path, 0) not in right}
    assert {path for path, _ in right} == leaves  # nothing functional hides: every leaf is a module call
    for block in net.block_specs():  # type: ignore[operator]
        if block.kind in ("residual", "plain") and block.out == block.name:
            assert same(captured.outputs[block.name, 0], right[block.layers[-1], 0])


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_stopping_early_changes_no_map(name: str) -> None:
    net = theirs(name)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        right = witness(net, x)
        for path in ("bn1", "layer1.0.bn1", "layer2.0.conv2", "layer3.1.bn2"):
            with capture(net, [path], stop=True) as captured:
                assert captured.run(x) is None
            assert same(captured.outputs[path, 0], right[path, 0])
        # what was safe while the pass stopped behind it is overwritten when it goes on
        with capture(net, ["bn1", "layer1.0.bn1", "fc"]) as captured:
            captured.run(x)
        assert same(captured.outputs["bn1", 0], right["bn1", 0])
        assert same(captured.outputs["layer1.0.bn1", 0], right["layer1.0.bn1", 0])
