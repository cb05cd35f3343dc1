"""What a run starts from and which part of it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import exists, named_path, runs_dir, trained_dir
from resnet_viz.models import create, models
from resnet_viz.models.blocks import BlockSpec
from resnet_viz.models.checkpoint import load_checkpoint

from .config import TrainConfig


def net_options(config: TrainConfig) -> dict[str, object]:
    """Return the builder's options that a run asks for."""
    options: dict[str, object] = {
        "num_classes": config.num_classes,
        "batch_norm": config.batch_norm,
        "activation": config.activation,
    }
    if config.shortcut:
        options["shortcut"] = config.shortcut
    if config.init:
        options |= {"init": config.init, "init_std": config.init_std}
    return options


def build(config: TrainConfig) -> nn.Module:
    """Build the run's net: drawn from its seed, or with the weights it starts from.

    Raises:
        UserError: if the architecture is unknown, or the weights do not fit it.
    """
    net = create(config.model, seed=config.seed, **net_options(config))
    if config.dropout >= 0:
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.p = config.dropout
    if config.start_from:
        _load_start(net, config)
    return net


def find_start(name: str) -> Path:
    """Return where the weights to start from lie: a shipped net's id, a user's run, or a path.

    Raises:
        UserError: if there is no such thing, or it cannot be looked at.
    """
    for path in (trained_dir() / name, runs_dir() / name, named_path(name)):
        if exists(path):
            return path
    shipped = ", ".join(sorted(path.name for path in trained_dir().iterdir() if path.is_dir()))
    raise UserError(f"There are no weights named {name}. Give a checkpoint, a run's folder, or one of {shipped}.")


def _load_start(net: nn.Module, config: TrainConfig) -> None:
    source, _ = load_checkpoint(find_start(config.start_from))
    given, own = source.state_dict(), net.state_dict()
    head = _prefixes(_head(net))
    taken: dict[str, Tensor] = {}
    for name, value in own.items():
        if name.startswith(head):  # the head learns other classes: always new
            continue
        if name not in given or given[name].shape != value.shape:
            title = models.get(config.model).title
            raise UserError(
                f"The weights of {config.start_from} do not fit {title} ('{name}'). "
                "Choose the architecture that they were trained with."
            )
        taken[name] = given[name]
    net.load_state_dict(taken, strict=False)


def _specs(net: nn.Module) -> tuple[BlockSpec, ...]:
    return net.block_specs()  # type: ignore[operator, no-any-return]


def _head(net: nn.Module) -> list[str]:
    """Return the names of the last block's layers that hold weights."""
    return [name for name in _specs(net)[-1].layers if any(True for _ in net.get_submodule(name).parameters())]


def _prefixes(names: list[str]) -> tuple[str, ...]:
    return tuple(name + "." for name in names)


@dataclass(frozen=True, slots=True)
class Split:
    """A net's modules by whether they are trained."""

    parameters: tuple[Tensor, ...]
    frozen: tuple[nn.Module, ...]

    def train_mode(self, net: nn.Module) -> None:
        """Put the net into train mode, the frozen part into eval mode: its statistics stay."""
        net.train()
        for module in self.frozen:
            module.eval()


def freeze(net: nn.Module, part: str) -> Split:
    """Switch off gradients of what is not trained.

    Args:
        net: a net with blocks.
        part: ``"all"``; ``"head"`` the last linear layer; ``"late"`` the last stage and all after it.
    """
    if part == "all":
        return Split(tuple(net.parameters()), ())
    specs = _specs(net)
    first = len(specs) - 1
    if part == "late":
        last = max(spec.stage for spec in specs)
        first = min(index for index, spec in enumerate(specs) if spec.stage == last)
    chosen = _prefixes([name for spec in specs[first:] for name in spec.layers])
    parameters, frozen = [], []
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith(chosen))
        if parameter.requires_grad:
            parameters.append(parameter)
    for name, module in net.named_modules():
        if name and not any(True for _ in module.children()) and not (name + ".").startswith(chosen):
            frozen.append(module)
    return Split(tuple(parameters), tuple(frozen))
