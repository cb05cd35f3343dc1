"""Forward hooks that keep exactly what a layer put out.

The usual hook keeps a reference. If the next operation works in place (``ReLU(inplace=True)``,
``out += identity``) the reference then shows *that* operation's result under the layer's
name: wrong at 17 of 60 module calls of torchvision's resnet18. Copying everything is right
but costs time and memory. Here a value is copied exactly where something later overwrites it:

* Every tensor carries a version counter that in-place operations increase, also through
  views. A hook remembers the counter, and after the pass each kept value whose counter moved
  is known to be spoilt.
* What was spoilt is learnt per net, and the pass is run again with copies at those calls.
  Later passes copy them at once. The check is made after every pass, so control flow that
  depends on the data cannot deliver a wrong map either.

``torch.inference_mode`` must not be used around a capture: its tensors have no counter.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from resnet_viz.core.errors import LayerNotFoundError, unknown
from resnet_viz.core.token import NEVER, CancelToken

from .state import borrow

Call = tuple[str, int]
"""A layer's name and which of its calls in one pass, from 0."""

_spoilt: weakref.WeakKeyDictionary[nn.Module, set[tuple[str, Call]]] = weakref.WeakKeyDictionary()
"""What is known to be overwritten later in the pass, per net: ("out" | "in", call)."""


class _Stop(BaseException):
    """Ends a pass; a BaseException, so that a layer's own ``except Exception`` cannot catch it."""

    def __init__(self, owner: object) -> None:
        self.owner = owner


def first_tensor(value: object) -> Tensor | None:
    """Return the first tensor in a layer's output: itself, or of a tuple, list or dict; else None."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        for item in value:
            found = first_tensor(item)
            if found is not None:
                return found
    return None


def parse(name: str) -> Call:
    """Return name and call index of ``"layer1.0.relu"`` (call 0) or ``"layer1.0.relu#1"``."""
    base, mark, call = name.partition("#")
    return (base, int(call)) if mark and call.isdigit() else (name, 0)


class Captured:
    """A net with hooks on the chosen layers; made by :func:`capture`.

    Attributes:
        outputs: by (name, call index), what the layer put out, detached, never overwritten.
        inputs: by (name, call index), the layer's tensor inputs, likewise.
        reduced: by (name, call index), what ``reduce`` made of the output.
    """

    def __init__(
        self,
        net: nn.Module,
        names: Sequence[str],
        inputs: Sequence[str],
        reduce: Mapping[str, Callable[[Tensor], Any]],
        stop: bool,
        token: CancelToken,
    ) -> None:
        self.outputs: dict[Call, Tensor] = {}
        self.inputs: dict[Call, tuple[Tensor, ...]] = {}
        self.reduced: dict[Call, Any] = {}
        self._net, self._stop, self._token, self._reduce = net, stop, token, reduce
        self._wanted = {("out", parse(name)) for name in (*names, *reduce)} | {("in", parse(name)) for name in inputs}
        self._known = _spoilt.setdefault(net, set())
        self._counts: dict[str, int] = {}
        self._kept: list[tuple[tuple[str, Call], Tensor, int]] = []
        self._missing = set(self._wanted)
        self._reached = ""
        self._managed = False
        self._outputs_of = {parse(name)[0] for name in names}
        self._inputs_of = {parse(name)[0] for name in inputs}

    def run(self, *args: Tensor) -> Any:
        """Run the net on ``args``.

        Returns:
            What the net returned, None if the pass ended early after the deepest chosen call.

        Raises:
            Cancelled: if the token was set; looked at before each layer with weights.
            LayerNotFoundError: if a chosen call did not happen in this pass.
        """
        self._managed = True
        try:
            for _attempt in range(4):
                result = self._pass(args)
                spoilt = self._overwritten()
                if not spoilt:
                    break
                self._known |= spoilt
            else:
                raise RuntimeError("the net overwrites other layers in every pass; its maps cannot be captured")
        finally:
            self._managed = False
        if self._missing:
            kind, (name, call) = sorted(self._missing)[0]
            what = "input" if kind == "in" else "output"
            raise LayerNotFoundError(
                f"The layer '{name}' gave no {what} number {call} in this pass. Choose another layer."
            )
        return result

    def _pass(self, args: tuple[Tensor, ...]) -> Any:
        self._reset()
        try:
            return self._net(*args)
        except _Stop as stop:
            if stop.owner is not self:
                raise
            return None
        except Exception as error:
            if self._reached:
                error.add_note(f"the pass got as far as '{self._reached}'")
            raise

    def _reset(self) -> None:
        self.outputs.clear()
        self.inputs.clear()
        self.reduced.clear()
        self._counts.clear()
        self._kept.clear()
        self._missing.clear()
        self._missing |= self._wanted  # the same set: the hooks hold it

    def _overwritten(self) -> set[tuple[str, Call]]:
        return {key for key, tensor, version in self._kept if tensor._version != version}

    def _keep(self, key: tuple[str, Call], value: Tensor) -> Tensor:
        """Return the value to hand out: a copy where it will be overwritten, else the tensor itself."""
        if key in self._known:
            return value.detach().clone()
        # detached it shares memory and version counter with the original
        kept = value.detach() if value.requires_grad else value
        self._kept.append((key, kept, kept._version))
        # outside run() nobody can repeat the pass, so the first one copies to be safe
        return kept if self._managed else kept.clone()

    def _look(self, _module: nn.Module, _args: Any, name: str) -> None:
        self._reached = name
        self._token.check()

    def _before(self, module: nn.Module, args: tuple[Any, ...], name: str) -> None:
        call = (name, self._counts.get(name, 0))
        key = ("in", call)
        self.inputs[call] = tuple(self._keep(key, arg) for arg in args if isinstance(arg, Tensor))
        self._missing.discard(key)

    def _after(self, name: str) -> Callable[..., None]:
        """Return the forward hook of one layer; it runs at every call, so it does no more than it must."""
        counts, outputs, missing = self._counts, self.outputs, self._missing
        keeps, reduce = name in self._outputs_of, self._reduce.get(name)
        watched = self._stop
        first: Call = (name, 0)

        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            index = counts.get(name, 0)
            counts[name] = index + 1
            call = (name, index) if index else first
            value = output if isinstance(output, Tensor) else first_tensor(output)
            if value is None:
                return
            if keeps:
                outputs[call] = self._keep(("out", call), value)
            if reduce is not None:
                self.reduced[call] = reduce(value.detach())
            missing.discard(("out", call))
            if watched and self._managed and not missing:
                raise _Stop(self)  # only out of run(), which knows what to do with it

        return hook

    def _attach(self) -> list[RemovableHandle]:
        wanted = {call[0] for _, call in self._wanted}
        chosen = {name: self._find(name) for name in sorted(wanted)}
        handles = []
        if self._token is not NEVER:
            for name, module in self._net.named_modules():
                # layers with weights take the time; looking before each ReLU as well would double the cost
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    handles.append(module.register_forward_pre_hook(_named(self._look, name)))
        for name, module in chosen.items():
            if name in self._inputs_of:
                handles.append(module.register_forward_pre_hook(_named(self._before, name)))
            handles.append(module.register_forward_hook(self._after(name)))
        return handles

    def _find(self, name: str) -> nn.Module:
        try:
            module = self._net.get_submodule(name)
        except AttributeError:
            module = self._net
        if module is self._net:
            names = (path for path, _ in self._net.named_modules() if path)
            raise LayerNotFoundError(unknown("layer", name, names))
        return module


def _named(hook: Callable[..., None], name: str) -> Callable[..., None]:
    def with_name(*args: Any) -> None:
        hook(*args, name)

    return with_name


@contextmanager
def capture(
    net: nn.Module,
    names: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    stop: bool = False,
    token: CancelToken = NEVER,
    reduce: Mapping[str, Callable[[Tensor], Any]] | None = None,
) -> Iterator[Captured]:
    """Watch chosen layers while the net runs inside the ``with`` block.

    >>> with capture(net, ["layer1.0.bn2"]) as captured:        # doctest: +SKIP
    ...     captured.run(x)
    ...     maps = captured.outputs["layer1.0.bn2", 0]           # (N, C, H, W)

    Args:
        net: any module; mode, buffers, ``requires_grad`` and hooks are given back as they were.
        names: layers (leaves or containers) whose outputs are kept; ``"name#1"`` asks for the
            second call. Of a tuple or dict the first tensor is kept.
        inputs: layers whose tensor inputs are kept.
        stop: end a pass of ``run`` after the deepest chosen call.
        token: looked at before each layer with weights.
        reduce: by layer name, a function of the output whose result is kept instead of the map.

    Raises:
        LayerNotFoundError: listing the three nearest names.
    """
    if torch.is_inference_mode_enabled():
        raise RuntimeError("capture needs version counters: use torch.no_grad() instead of inference_mode()")
    captured = Captured(net, names, inputs, reduce or {}, stop, token)
    with borrow(net):
        handles: list[RemovableHandle] = []
        try:
            handles = captured._attach()
            yield captured
        finally:
            for handle in handles:
                handle.remove()
