"""Receptive fields against autograd: which input pixels does one position really depend on?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_viz.analysis.receptive_field import receptive_fields
from resnet_viz.models import create


def positive(net: nn.Module) -> nn.Module:
    """Make every path count: positive weights, neutral batch norm, and average for max pools.

    With positive inputs every ReLU passes, and no two paths cancel, so the gradient is not
    zero exactly where there is a path.
    """
    net = net.double().eval()
    for name, module in list(net.named_modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.MaxPool2d):
            parent, _, child = name.rpartition(".")
            pool = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            setattr(net.get_submodule(parent), child, pool)
    return net


def seen_box(maps: Tensor, x: Tensor, row: int, column: int) -> tuple[int, int, int, int]:
    """Return first and last row and column of the pixels with a gradient, by autograd."""
    (gradient,) = torch.autograd.grad(maps[0, :, row, column].sum(), x, retain_graph=True)
    rows, columns = np.nonzero(gradient[0].abs().sum(0).numpy())
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def check(net: nn.Module, shape: tuple[int, int, int], layers: list[str], *, exact_at_edges: bool = True) -> None:
    net = positive(net)
    fields = receptive_fields(net.float(), shape)
    net.double()
    x = torch.rand(1, *shape, dtype=torch.float64, requires_grad=True)
    values: dict[str, Tensor] = {}
    handles = [
        net.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: values.update({name: out}))
        for name in layers
    ]
    net(x)
    for handle in handles:
        handle.remove()
    for name in layers:
        maps, field = values[name], fields[name]
        height, width = maps.shape[2:]
        for row, column in {(0, 0), (height // 2, width // 2), (height - 1, width - 1), (0, width - 1)}:
            box = field.box(row, column)
            expected = (
                max(0, box.top),
                min(shape[1], box.top + box.height),
                max(0, box.left),
                min(shape[2], box.left + box.width),
            )
            seen = seen_box(maps, x, row, column)
            if exact_at_edges or (box.top, box.left) == (expected[0], expected[2]) == (
                expected[1] - box.height,
                expected[3] - box.width,
            ):
                assert seen == expected, (name, row, column, field)
            else:
                # padding between two layers can stand where pixels were that no window reached
                assert expected[0] <= seen[0] and seen[1] <= expected[1], (name, row, column, field)
                assert expected[2] <= seen[2] and seen[3] <= expected[3], (name, row, column, field)


@pytest.mark.parametrize(("name", "options"), [("resnet20", {}), ("plain20", {}), ("resnet20", {"shortcut": "B"})])
def test_cifar_nets(name: str, options: dict[str, object]) -> None:
    layers = ["conv1", "layer1.0.conv1", "layer1.2", "layer2.0.conv1", "layer2.0", "layer2.1.conv2", "layer3.0"]
    check(create(name, seed=0, **options), (3, 64, 64), layers)


def test_shortcut_a_is_followed_through_its_slice() -> None:
    check(create("resnet20", seed=0), (3, 48, 48), ["layer2.0.downsample", "layer2.0.add"])


@pytest.mark.parametrize("own", [True, False])
def test_resnet18(own: bool) -> None:
    net = create("resnet18", seed=0) if own else torchvision.models.resnet18(weights=None)
    check(net, (3, 128, 128), ["conv1", "maxpool", "layer1.0", "layer2.0", "layer2.1.conv1"])


def test_other_families() -> None:
    check(create("hresnet", seed=0), (3, 32, 32), ["block1", "pool1", "block2", "pool2"])
    check(create("fashion_cnn", seed=0), (1, 28, 28), ["pool1", "conv2", "pool2"])
    check(create("xai", seed=0), (3, 64, 64), ["features.0", "features.6", "features.7", "features.15"])


@pytest.mark.parametrize("seed", range(6))
def test_random_stacks_with_strides_padding_and_pools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    channels = 3
    for _ in range(4):
        kernel = int(rng.integers(1, 4))
        padding = int(rng.integers(0, kernel))
        # gaps inside a window (stride larger than kernel) still have the hull of their pixels as box
        layers.append(nn.Conv2d(channels, 4, kernel, int(rng.integers(1, 3)), padding))
        channels = 4
        if rng.random() < 0.3:
            layers.append(nn.AvgPool2d(2, ceil_mode=bool(rng.random() < 0.5)))
    check(nn.Sequential(*layers), (3, 61, 53), [str(index) for index in range(len(layers))], exact_at_edges=False)


def test_published_values() -> None:
    """435 for the last stage of ResNet-18 (Araujo et al. 2019, table 1 of the authors' calculator)."""
    fields = receptive_fields(torchvision.models.resnet18(weights=None), (3, 224, 224))
    assert (fields["layer4"].size_y, fields["layer4"].step_y) == (435, 32)
    assert fields["avgpool"].whole and fields["fc"].whole
    # by hand: 3 + 2 per convolution in stage 1, 4 per convolution in stage 2
    own = receptive_fields(create("resnet20", seed=0), (3, 32, 32))
    assert own["layer1.2"].size_y == 3 + 6 * 2
    assert own["layer2.0"].size_y == 15 + 2 + 4


def test_what_cannot_be_followed_is_left_out() -> None:
    class Rolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)
            self.after = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.after(torch.fft.fft2(self.conv(x)).real)

    fields = receptive_fields(Rolled(), (3, 8, 8))
    assert set(fields) == {"conv"}


def test_the_net_is_given_back_as_it_was() -> None:
    net = create("resnet20", seed=0).train()
    before = [buffer.clone() for buffer in net.buffers()]
    receptive_fields(net, (3, 32, 32))
    assert net.training and all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))
    assert sum(len(module._forward_hooks) for module in net.modules()) == 0
