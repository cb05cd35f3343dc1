"""Forward hooks that keep exactly what a layer put out.

The usual hook keeps a reference. If the next operation works in place (``ReLU(inplace=True)``,
``out += identity``) the reference then shows *that* operation's result under the layer's
name: wrong at 17 of 60 module calls of torchvision's resnet18. Copying everything is right
but costs time and memory. Here a value is copied exactly where something later overwrites it:

* Every tensor carries a version counter that in-place operations increase, also through
  views. A hook remembers the counter, and after the pass each kept value whose counter moved
  is known to be spoilt. This is checked after every pass, so control flow that depends on the
  data cannot deliver a wrong map.
* A write behind the counter's back (``x.data``, a shared NumPy array, a foreign kernel) is seen
  by a checksum, taken the first time that a call is kept.
* What was spoilt is learnt per net, and the pass is run again with copies at those calls.
  Later passes copy them at once.

Tensors of ``torch.inference_mode`` have no counter, so they are always copied: ``no_grad``
is the faster choice around a capture.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from resnet_viz.core.errors import Cancelled, LayerNotFoundError, unknown
from resnet_viz.core.token import NEVER, CancelToken

from .state import borrow, each_module

Call = tuple[str, int]
"""A layer's name and which of its calls in one pass, from 0."""

Value = tuple[str, Call]
"""One value of a pass: ("out" | "in", call)."""

REACHED = "the pass got as far as"


@dataclass(slots=True)
class _Learnt:
    """What passes through one net have shown.

    Attributes:
        spoilt: values that are overwritten later in the pass.
        proven: values that a checksum showed unharmed, by what the pass stopped behind (None: a
            whole pass); their version counter is all that later passes look at.
        heavy: where the hooks before layers with weights are entered; None before the first pass.
    """

    spoilt: set[Value] = field(default_factory=set)
    proven: dict[frozenset[Value] | None, set[Value]] = field(default_factory=dict)
    heavy: list[dict[Any, Any]] | None = None


_learnt: weakref.WeakKeyDictionary[nn.Module, _Learnt] = weakref.WeakKeyDictionary()


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
    if "#" not in name:  # nearly always; every layer's name passes here with every capture
        return name, 0
    base, _, call = name.partition("#")
    return (base, int(call)) if call.isdigit() else (name, 0)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _checksum(value: Tensor) -> int | None:
    """Return the sum of a tensor's bit patterns, in which NaN counts like any other value.

    None where there are no plain values to add: sparse, quantised and meta tensors.
    """
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        return None
    if value.is_complex():
        value = torch.view_as_real(value.resolve_conj())
    return int(value.view(_WORDS[value.element_size()]).sum(dtype=torch.int64))


class Captured:
    """A net with hooks on the chosen layers; made by :func:`capture`.

    What it holds is that of the latest pass. Values that nothing overwrites during the pass are
    the net's own tensors: clone them to keep them while the net goes on to train, or writes
    again into memory of its own.

    Attributes:
        outputs: by (name, call index), what the layer put out, detached.
        inputs: by (name, call index), the layer's tensor inputs in order, likewise.
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
        self._net, self._stop, self._token = net, stop, token
        self._reduce = {parse(name): function for name, function in reduce.items()}
        out, into = [parse(name) for name in names], [parse(name) for name in inputs]
        self._outputs_of, self._inputs_of = {name for name, _ in out}, {name for name, _ in into}
        # a dict for its order; its values mean nothing
        self._wanted: dict[Value, None] = dict.fromkeys([("out", call) for call in (*out, *self._reduce)])
        self._wanted.update(dict.fromkeys([("in", call) for call in into]))
        learnt = _learnt.setdefault(net, _Learnt())
        self._learnt, self._spoilt = learnt, learnt.spoilt
        self._proven = learnt.proven.setdefault(frozenset(self._wanted) if stop else None, set())
        self._counts: dict[str, int] = {}
        self._kept: list[tuple[Value, Tensor, int, int | None]] = []
        self._missing: set[Value] = set()  # of a pass that ends early: what it still waits for
        self._managed = self._copies_all = False
        self._tables: list[tuple[dict[Any, Any], Callable[..., None]]] = []
        self._handles: list[RemovableHandle] = []

    def run(self, *args: Tensor) -> Any:
        """Run the net on ``args``.

        Returns:
            What the net returned, None if the pass ended early after the deepest chosen call.

        Raises:
            Cancelled: if the token was set; looked at before each layer with weights.
            LayerNotFoundError: if a chosen call did not happen in this pass.
        """
        self._token.check()
        self._managed = True
        try:
            result = self._pass(args)
            if spoilt := self._overwritten():
                self._spoilt |= spoilt
                # other layers may be overwritten next time: what is copied cannot be
                self._copies_all = True
                result = self._pass(args)
        finally:
            self._managed = self._copies_all = False
            self._kept.clear()
        self._require_all()
        return result

    def _require_all(self) -> None:
        for kind, call in self._wanted:
            came = call in self.inputs if kind == "in" else call in self.outputs or call in self.reduced
            if not came:
                what = "input" if kind == "in" else "output"
                raise LayerNotFoundError(
                    f"The layer '{call[0]}' gave no {what} number {call[1]} in this pass. Choose another layer."
                )

    def _pass(self, args: tuple[Tensor, ...]) -> Any:
        try:
            return self._net(*args)
        except _Stop as stop:
            if stop.owner is not self:
                raise
            return None
        except Exception as error:
            self._say_where(error)
            raise

    def _say_where(self, error: Exception) -> None:
        """Add to an error from inside the net how far the pass got: the innermost module that was running."""
        if isinstance(error, Cancelled) or any(note.startswith(REACHED) for note in getattr(error, "__notes__", ())):
            return
        names = {id(module): name for name, module in self._net.named_modules()}
        reached, step = "", error.__traceback__
        while step is not None:
            reached = names.get(id(step.tb_frame.f_locals.get("self")), "") or reached
            step = step.tb_next
        if reached:
            error.add_note(f"{REACHED} '{reached}'")

    def _reset(self) -> None:
        self.outputs.clear()
        self.inputs.clear()
        self.reduced.clear()
        self._counts.clear()
        self._kept.clear()
        self._missing.clear()
        if self._stop:
            self._missing.update(self._wanted)  # the same set: the hooks hold it

    def _overwritten(self) -> set[Value]:
        spoilt: set[Value] = set()
        for key, tensor, version, checksum in self._kept:
            self._token.check()
            if tensor._version != version or (checksum is not None and _checksum(tensor) != checksum):
                spoilt.add(key)
            elif checksum is not None:
                self._proven.add(key)
        return spoilt

    def _keep(self, key: Value, value: Tensor) -> Tensor:
        """Return the value to hand out: a copy where it will be overwritten, else the tensor itself."""
        # outside run() nobody can repeat the pass, so every value is copied to be safe
        if self._copies_all or not self._managed or (self._spoilt and key in self._spoilt):
            return value.detach().clone()
        # detached it shares memory and version counter with the original
        kept = value.detach() if value.requires_grad else value
        try:
            version = kept._version
        except RuntimeError:  # a tensor of inference mode has none
            return kept.clone()
        self._kept.append((key, kept, version, None if key in self._proven else _checksum(kept)))
        return kept

    def _look(self, _module: nn.Module, _args: Any) -> None:
        self._token.check()

    def _before(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            call = (name, self._counts.get(name, 0))
            key = ("in", call)
            self.inputs[call] = tuple(self._keep(key, value) for value in _tensors([*args, *kwargs.values()]))
            self._missing.discard(key)

        return hook

    def _after(self, name: str) -> Callable[..., None]:
        """Return the forward hook of one layer; it runs at every call, so it does no more than it must."""
        counts, outputs, reduces, missing = self._counts, self.outputs, self._reduce, self._missing
        keep, keeps, stops = self._keep, name in self._outputs_of, self._stop
        first: Call = (name, 0)
        first_key: Value = ("out", first)  # made once: most layers are called once in a pass

        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            index = counts.get(name, 0)
            counts[name] = index + 1
            call, key = (first, first_key) if index == 0 else ((name, index), ("out", (name, index)))
            value = output if isinstance(output, Tensor) else first_tensor(output)
            if value is None:
                return
            if keeps:
                outputs[call] = keep(key, value)
            if reduces and call in reduces:
                self.reduced[call] = reduces[call](value.detach())
            if stops:
                missing.discard(key)
                if self._managed and not missing:
                    raise _Stop(self)  # only out of run(), which knows what to do with it

        return hook

    def _attach(self) -> None:
        # entered into the modules' tables directly: the weak references of a RemovableHandle for
        # every layer would cost more than all the hooks' work in a pass of a small net
        chosen = {call[0]: self._find(call[0]) for _, call in self._wanted}
        self._enter(self._net._forward_pre_hooks, lambda _module, _args: self._reset())
        if self._token is not NEVER:
            look = self._look
            for table in self._heavy():
                self._enter(table, look)
        for name, module in chosen.items():
            if name in self._inputs_of:
                self._handles.append(module.register_forward_pre_hook(self._before(name), with_kwargs=True))
            self._enter(module._forward_hooks, self._after(name))

    def _heavy(self) -> list[dict[Any, Any]]:
        """Return the tables of hooks before layers with weights: they take the time, not each ReLU.

        Kept from pass to pass: a layer put in later is not looked at before, and runs all the same.
        """
        if self._learnt.heavy is None:
            self._learnt.heavy = [
                module._forward_pre_hooks
                for module in each_module(self._net)
                if any(weight is not None and weight.ndim > 1 for weight in module._parameters.values())
            ]
        return self._learnt.heavy

    def _enter(self, table: dict[Any, Any], hook: Callable[..., None]) -> None:
        table[hook] = hook  # PyTorch's own keys are numbers
        self._tables.append((table, hook))

    def _detach(self) -> None:
        for table, hook in self._tables:
            table.pop(hook, None)
        for handle in self._handles:
            handle.remove()

    def _find(self, name: str) -> nn.Module:
        """Return the module of that name: ``get_submodule`` in a fifth of its time."""
        module: nn.Module | None = self._net
        for part in name.split("."):
            module = module._modules.get(part) if module is not None else None
        if module is None:
            names = (path for path, _ in self._net.named_modules() if path)
            raise LayerNotFoundError(unknown("layer", name, names))
        return module


@contextmanager
def capture(
    net: nn.Module,
    names: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    stop: bool = False,
    token: CancelToken = NEVER,
    reduce: Mapping[str, Callable[[Tensor], Any]] | None = None,
    training: bool | None = None,
    guard: bool = True,
) -> Iterator[Captured]:
    """Watch chosen layers while the net runs inside the ``with`` block.

    >>> with capture(net, ["layer1.0.bn2"]) as captured:        # doctest: +SKIP
    ...     captured.run(x)
    ...     maps = captured.outputs["layer1.0.bn2", 0]           # (N, C, H, W)

    Args:
        net: any module; mode, buffers, ``requires_grad`` and hooks are given back as they were.
        names: layers (leaves or containers) whose outputs are kept, of every call; ``"name#1"``
            says that there must be a second one. Of a tuple or dict the first tensor is kept.
        inputs: layers whose tensor inputs are kept, those in lists and keywords too.
        stop: end a pass of ``run`` after the deepest chosen call.
        token: looked at before each layer with weights.
        reduce: by layer name (the first call) or ``"name#1"``, a function of the output whose
            result is kept instead of the map.
        training: the mode to watch the net in; None leaves every module's own.
        guard: whether mode, buffers and ``requires_grad`` are given back, or hooks alone. Who knows that
            a pass in the net's own mode writes nothing into it is spared looking through all modules.

    Raises:
        LayerNotFoundError: listing the three nearest names.
        ValueError: if an unguarded net should change its mode.
    """
    if not guard and training is not None:
        raise ValueError("an unguarded net is watched in the mode it is in")
    captured = Captured(net, names, inputs, reduce or {}, stop, token)
    with borrow(net, training=training) if guard else nullcontext():
        try:
            captured._attach()
            yield captured
        except Exception as error:
            captured._say_where(error)  # of a pass that was called directly
            raise
        finally:
            captured._detach()
