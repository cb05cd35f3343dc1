"""What :mod:`.intervene` puts into a net: for each kind of block the hooks that change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from resnet_viz.core.errors import UserError

Watcher = Callable[[str, Tensor, Tensor], None]
"""Called with a block's name, F(x) and S(x), both (N, C, H, W)."""


class Change:
    """Hooks that change one block; they run before everybody else's, who so see the changed net."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handles: list[RemovableHandle] = []

    def attach(self) -> None:
        """Put the hooks in."""
        self._install()

    def detach(self) -> None:
        """Take them out again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._forget()

    def _install(self) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        """Let go of what a pass left behind."""

    def _before(self, module: nn.Module, hook: Callable[[nn.Module, Any], Any]) -> None:
        self._handles.append(module.register_forward_pre_hook(hook, prepend=True))

    def _after(self, module: nn.Module, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        self._handles.append(module.register_forward_hook(hook, prepend=True))


class _Branch(Change):
    """Spares the layers of F: they are given an empty batch, which costs next to nothing."""

    def __init__(self, name: str, block: nn.Module, layers: list[nn.Module], joint: nn.Module) -> None:
        super().__init__(name)
        self._first = layers[0]
        behind = layers[layers.index(joint) :]
        self._inside = [module for module in block.modules() if module is not block and module not in behind]

    def _spare(self, x: Tensor) -> tuple[Tensor] | None:
        """Return the empty batch (0, C, H, W), None where F must be computed."""
        for module in self._inside:
            waits = len(module._forward_hooks) + len(module._forward_pre_hooks) - (module is self._first)
            if waits or module.training:  # batch norm cannot train on nothing
                return None
        return (x[:0],)


class Addition(_Branch):
    """A residual block whose addition is a module of its own: one summand is replaced by zeros."""

    def __init__(
        self,
        name: str,
        action: str,
        block: nn.Module,
        layers: list[nn.Module],
        add: nn.Module,
        watcher: Watcher | None,
    ) -> None:
        super().__init__(name, block, layers, add)
        self._action, self._add, self._watcher = action, add, watcher

    def _install(self) -> None:
        if self._action == "delete":
            self._before(self._first, lambda _module, args: self._spare(args[0]))
        if self._action == "watch":  # behind everybody else's: what is really added
            self._handles.append(self._add.register_forward_pre_hook(self._watch))
        else:
            self._before(self._add, self._replace)

    def _replace(self, _module: nn.Module, args: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        branch, shortcut = args  # each (N, C, H, W), a spared branch (0, C, H, W)
        if self._action == "delete":
            return shortcut.new_zeros(()).expand_as(shortcut), shortcut
        return branch, branch.new_zeros(()).expand_as(branch)

    def _watch(self, _module: nn.Module, args: tuple[Tensor, Tensor]) -> None:
        assert self._watcher is not None
        self._watcher(self.name, *args)


class Plain(_Branch):
    """A plain block, deleted: its last activation is given x instead of F(x)."""

    def __init__(self, name: str, block: nn.Module, layers: list[nn.Module]) -> None:
        super().__init__(name, block, layers, layers[-1])
        self._last = layers[-1]
        self._x: Tensor | None = None

    def _install(self) -> None:
        self._before(self._first, self._enter)
        self._before(self._last, self._replace)

    def _forget(self) -> None:
        self._x = None

    def _enter(self, _module: nn.Module, args: tuple[Tensor]) -> tuple[Tensor] | None:
        self._x = args[0]
        return self._spare(args[0])

    def _replace(self, _module: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        assert self._x is not None
        x, self._x = self._x, None
        return (_stand_in(self.name, x, tuple(args[0].shape[1:])),)


class Passing(Change):
    """A block without a skip of its own, deleted: what goes into its first layer comes out."""

    def __init__(self, name: str, first: nn.Module, out: nn.Module, *, foreign: bool = False) -> None:
        super().__init__(name)
        self._first, self._out, self._foreign = first, out, foreign
        self._x: Tensor | None = None

    def _install(self) -> None:
        self._before(self._first, self._enter)
        self._after(self._out, self._replace)

    def _forget(self) -> None:
        self._x = None

    def _enter(self, _module: nn.Module, args: tuple[Any, ...]) -> None:
        x = args[0] if args else None
        self._x = x.clone() if isinstance(x, Tensor) else None  # the block may work in place

    def _replace(self, _module: nn.Module, _args: Any, output: Any) -> Tensor:
        if self._x is None or not isinstance(output, Tensor):
            raise UserError(f"Block '{self.name}' does not map one tensor to one. Choose another block.")
        x, self._x = self._x, None
        if self._foreign and x.shape != output.shape:
            raise UserError(_no_stand_in(self.name, tuple(x.shape[1:]), tuple(output.shape[1:])))
        return _stand_in(self.name, x, tuple(output.shape[1:]))


def is_known(module: nn.Module | None) -> bool:
    """Return whether the module is built as torchvision's BasicBlock and Bottleneck are."""
    parts = ["conv1", "bn1", "conv2", "bn2", "relu"] + (["bn3"] if hasattr(module, "conv3") else [])
    return all(isinstance(getattr(module, part, None), nn.Module) for part in parts) and isinstance(
        getattr(module, "downsample", False), nn.Module | None
    )


class KnownBlock(Change):
    """A foreign block that adds without a module: its output is computed anew from F(x) and S(x)."""

    def __init__(self, name: str, action: str, block: Any, watcher: Watcher | None) -> None:
        super().__init__(name)
        self._block, self._action, self._watcher = block, action, watcher
        self._branch: Tensor | None = None
        self._shortcut: Tensor | None = None
        self._checked = False

    def _install(self) -> None:
        last = self._block.bn3 if hasattr(self._block, "conv3") else self._block.bn2
        self._before(self._block, self._enter)
        self._after(last, self._keep_branch)
        if self._block.downsample is not None:
            self._after(self._block.downsample, self._keep_shortcut)
        self._after(self._block, self._replace)

    def _forget(self) -> None:
        self._branch = self._shortcut = None

    def _enter(self, _module: nn.Module, args: tuple[Tensor]) -> None:
        self._branch, self._shortcut = None, args[0]

    def _keep_branch(self, _module: nn.Module, _args: Any, output: Tensor) -> None:
        self._branch = output.clone()  # the block adds to it in place

    def _keep_shortcut(self, _module: nn.Module, _args: Any, output: Tensor) -> None:
        self._shortcut = output

    def _replace(self, _module: nn.Module, _args: Any, output: Tensor) -> Tensor | None:
        branch, shortcut = self._branch, self._shortcut
        self._branch = self._shortcut = None
        if branch is None or shortcut is None or not self._adds(branch, shortcut, output):
            raise UserError(f"Block '{self.name}' does not add its skip as torchvision's do. Choose another block.")
        if self._watcher is not None:
            self._watcher(self.name, branch, shortcut)
            return None
        return self._act(shortcut.clone() if self._action == "delete" else branch)

    def _adds(self, branch: Tensor, shortcut: Tensor, output: Any) -> bool:
        """Return whether the output is what is assumed of such a block; looked at in the first pass."""
        if not self._checked:
            fits = isinstance(output, Tensor) and branch.shape == shortcut.shape == output.shape
            self._checked = fits and torch.allclose(
                self._act(branch + shortcut), output, rtol=1e-4, atol=1e-5, equal_nan=True
            )
        return self._checked

    def _act(self, total: Tensor) -> Tensor:
        result: Tensor = self._block.relu.forward(total)  # past its hooks: nobody called it in this pass
        return result


def steps(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, int] | None:
    """Return the strides (down, across) that take one shape (C, H, W) to the other, None if none do."""
    if before == after:
        return 1, 1
    if len(before) != 3 or len(after) != 3 or before[0] > after[0] or not all((*before, *after)):
        return None
    down, across = -(-before[1] // after[1]), -(-before[2] // after[2])
    fits = -(-before[1] // down) == after[1] and -(-before[2] // across) == after[2]
    return (down, across) if fits else None


def _stand_in(name: str, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return x (N, C, H, W), subsampled and zero-padded to ``shape`` (C', H', W') where that differs."""
    own = tuple(x.shape[1:])
    if own == shape:
        return x
    strides = steps(own, shape)
    if strides is None:
        raise UserError(_no_stand_in(name, own, shape))
    before = (shape[0] - own[0]) // 2  # the zeros half before and half behind, as own shortcuts A have them
    after = shape[0] - own[0] - before
    return nn.functional.pad(x[:, :, :: strides[0], :: strides[1]], (0, 0, 0, 0, before, after))


def _no_stand_in(name: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    sizes = f"{' x '.join(map(str, before))} into {' x '.join(map(str, after))}"
    return f"Block '{name}' turns {sizes}; nothing can stand in for it. Choose another block."
