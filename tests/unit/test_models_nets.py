"""The nets against the numbers of their papers and against nets that somebody else wrote."""

from __future__ import annotations

import itertools
import threading

import pytest
import torch
import torchvision
from torch import Tensor, nn

from resnet_viz.models import create

CIFAR = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(("depth", "params"), CIFAR.items())
def test_cifar_nets_have_the_papers_parameter_counts(depth: int, params: int) -> None:
    assert count(create(f"resnet{depth}")) == params
    assert count(create(f"plain{depth}")) == params
    assert count(create(f"resnet{depth}", shortcut="B")) == params + 2752


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_imagenet_nets_have_torchvisions_names_and_shapes(depth: int) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None).state_dict()
    ours = create(f"resnet{depth}").state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_imagenet_nets_give_torchvisions_logits(depth: int) -> None:
    torch.manual_seed(depth)
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    for module in theirs.modules():  # statistics that are not zero and one
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    ours = create(f"resnet{depth}")
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        assert float((ours(x) - theirs.eval()(x)).abs().max()) == 0


def _vgg_like(classes: int) -> nn.Sequential:
    """Write the XAI net down once more, line by line as its table reads."""
    features: list[nn.Module] = []

    def conv(inputs: int, outputs: int, padding: int, dropout: float | None) -> None:
        features.extend([nn.Conv2d(inputs, outputs, 3, 1, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()])
        if dropout is not None:
            features.append(nn.Dropout(dropout))

    def pool() -> None:
        features.append(nn.MaxPool2d(2, 2))

    conv(3, 64, 0, 0.3)
    conv(64, 64, 1, None)
    pool()
    conv(64, 128, 1, 0.4)
    conv(128, 128, 1, None)
    pool()
    conv(128, 256, 1, 0.4)
    conv(256, 256, 1, 0.4)
    conv(256, 256, 1, None)
    pool()
    conv(256, 512, 1, 0.4)
    conv(512, 512, 1, 0.4)
    conv(512, 512, 1, None)
    pool()
    conv(512, 512, 1, 0.4)
    conv(512, 512, 1, 0.4)
    conv(512, 512, 1, None)
    pool()
    classifier = nn.Sequential(
        nn.Dropout(0.5),
        nn.Linear(512, 512, bias=False),
        nn.BatchNorm1d(512),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(512, classes),
    )
    whole = nn.Sequential()
    whole.add_module("features", nn.Sequential(*features))
    whole.add_module("classifier", classifier)
    return whole


def test_xai_is_the_net_of_its_table() -> None:
    torch.manual_seed(0)
    written = _vgg_like(2).eval()
    net = create("xai")
    net.load_state_dict(written.state_dict(), strict=True)
    x = torch.randn(2, 3, 50, 41)
    with torch.no_grad():
        maps = written.features(x)  # type: ignore[operator]
        logits = written.classifier(maps.mean((2, 3)))  # type: ignore[operator]
        got = net(x)
    assert torch.allclose(got, torch.log_softmax(logits, 1), atol=1e-6)
    assert torch.allclose(got.exp().sum(1), torch.ones(2))
    drops = [module.p for module in net.modules() if isinstance(module, nn.Dropout)]
    assert drops == [module.p for module in written.modules() if isinstance(module, nn.Dropout)]


def test_xai_needs_34_pixels() -> None:
    net = create("xai")
    assert net(torch.zeros(1, 3, 34, 34)).shape == (1, 2)
    with pytest.raises(RuntimeError):
        net(torch.zeros(1, 3, 33, 33))


def test_hresnet_by_hand() -> None:
    net = create("hresnet", seed=5)
    state = net.state_dict()

    def conv(x: Tensor, name: str, padding: int) -> Tensor:
        return nn.functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return nn.functional.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])

    for key, value in state.items():
        if key.endswith("running_mean"):
            value.uniform_(-0.3, 0.3)
        if key.endswith("running_var"):
            value.uniform_(0.5, 2)
    picture = x = torch.randn(2, 3, 32, 32)
    for block in ("block1", "block2", "block3"):
        branch = norm(conv(x, f"{block}.conv1", 1), f"{block}.bn1").relu()
        branch = norm(conv(branch, f"{block}.conv2", 1), f"{block}.bn2")
        x = nn.functional.avg_pool2d(branch + conv(x, f"{block}.shortcut", 0), 2)
    x = x.flatten(1)
    assert x.shape == (2, 4096)
    for name in ("fc1", "fc2"):
        x = nn.functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"]).relu()
    x = nn.functional.linear(x, state["fc3.weight"], state["fc3.bias"])
    assert state["fc1.weight"].shape == (2048, 4096) and state["fc2.weight"].shape == (512, 2048)
    with torch.no_grad():
        assert torch.allclose(net(picture), x, atol=1e-5)
    widths = (3, 64, 128, 256)
    expected = sum(
        (9 * a * b + b) + 2 * b + (9 * b * b + b) + 2 * b + (a * b + b) for a, b in itertools.pairwise(widths)
    )
    expected += 4096 * 2048 + 2048 + 2048 * 512 + 512 + 512 * 10 + 10
    assert count(net) == expected


def test_fashion_nets_are_the_ones_of_the_table() -> None:
    dnn = create("fashion_dnn", seed=0)
    cnn = create("fashion_cnn", seed=0)
    assert count(dnn) == 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10
    convs = (9 * 32 + 32) + 2 * 32 + (32 * 64 * 9 + 64) + 2 * 64
    assert count(cnn) == convs + 2304 * 600 + 600 + 600 * 120 + 120 + 120 * 10 + 10
    written = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.25),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10),
    ).eval()  # fmt: skip
    theirs = zip(written.state_dict(), dnn.state_dict().values(), strict=True)
    written.load_state_dict(dict(theirs))
    x = torch.randn(3, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(dnn(x), written(x))
        assert cnn(x).shape == (3, 10)
    assert [module.p for module in dnn.modules() if isinstance(module, nn.Dropout)] == [0.25, 0.25]


def test_dropout_works_in_training_only() -> None:
    for model_id, channels, size in (("xai", 3, 34), ("fashion_dnn", 1, 28), ("fashion_cnn", 1, 28)):
        net = create(model_id, seed=0)
        x = torch.randn(4, channels, size, size)
        with torch.no_grad():
            assert torch.equal(net(x), net(x)), model_id
            net.train()
            torch.manual_seed(0)
            assert not torch.equal(net(x), net(x)), model_id


def test_a_net_with_a_small_stem_keeps_its_resolution() -> None:
    net = create("resnet18", seed=0, stem="cifar")
    assert net.conv1.weight.shape == (64, 3, 3, 3) and net.maxpool is None
    assert net.layer1(net.relu(net.bn1(net.conv1(torch.zeros(1, 3, 32, 32))))).shape == (1, 64, 32, 32)  # type: ignore[operator]


def test_threads_that_draw_weights_at_once_get_those_of_their_seeds() -> None:
    expected = [create("plain20", seed=seed).state_dict() for seed in range(3)]
    drawn: dict[int, dict[str, torch.Tensor]] = {}

    def draw(seed: int) -> None:
        for _ in range(6):
            drawn[seed] = create("plain20", seed=seed).state_dict()
            if not torch.equal(drawn[seed]["layer3.2.conv2.weight"], expected[seed]["layer3.2.conv2.weight"]):
                return

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, state in drawn.items():
        assert all(torch.equal(state[name], value) for name, value in expected[seed].items())
