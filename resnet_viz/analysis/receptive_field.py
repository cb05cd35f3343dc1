"""Exact receptive fields, followed operation by operation through any net.

Every tensor operation of one forward pass is seen by a dispatch mode, so an addition written
as ``+=`` or a subsampling written as a slice counts like a module does.

The rule of each operation is that of Araujo, Norris and Sim 2019 ("Computing receptive fields
of convolutional neural networks", eqns 2-4), with starts kept as well as sizes, and the union
taken where paths meet. What cannot be followed exactly is left out rather than guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from resnet_viz.core.types import ReceptiveField
from resnet_viz.hooks.capture import first_tensor
from resnet_viz.hooks.state import borrow

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class _Axis:
    """Position i of this axis depends on input [start + i step, start + i step + size)."""

    size: float
    step: float
    start: float

    def window(self, kernel: int, stride: int, pad: int, dilation: int) -> _Axis:
        return _Axis(self.size + (kernel - 1) * dilation * self.step, self.step * stride, self.start - pad * self.step)

    def union(self, other: _Axis) -> _Axis | None:
        if self.step != other.step:
            return None
        start = min(self.start, other.start)
        return _Axis(max(self.start + self.size, other.start + other.size) - start, self.step, start)

    def hull(self, count: int) -> _Axis:
        """Return what all ``count`` positions depend on together."""
        return _Axis(self.size + (count - 1) * self.step, 0.0, self.start)


@dataclass(frozen=True, slots=True)
class _Field:
    """Both axes; ``exact`` is False where single values could be told apart but are not here."""

    y: _Axis
    x: _Axis
    exact: bool = True

    def union(self, other: _Field) -> _Field | None:
        y, x = self.y.union(other.y), self.x.union(other.x)
        return None if y is None or x is None else _Field(y, x, self.exact and other.exact)


def receptive_fields(net: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, ReceptiveField]:
    """Return the receptive field of every module's (first) output.

    Args:
        net: any net; given back as it was.
        input_shape: (C, H, W) of the picture.

    Returns:
        By module path. Modules whose field cannot be followed exactly are absent.
    """
    # a real pass, since PyTorch imports its compiler (1 s) with the first operation on the meta device
    parameter = next(net.parameters(), None)
    return _follow(net, input_shape, parameter.device if parameter is not None else torch.device("cpu"))


def _follow(net: nn.Module, input_shape: tuple[int, int, int], device: torch.device | str) -> dict[str, ReceptiveField]:
    _, height, width = input_shape
    tracker = _Tracker()
    fields: dict[str, ReceptiveField] = {}

    def after(name: str, output: object) -> None:
        value = first_tensor(output)
        field = tracker.field(value) if value is not None else None
        if field is not None and field.exact and name not in fields:
            fields[name] = _public(field, height, width)

    x = torch.zeros(1, *input_shape, device=device)
    handles = []
    with torch.no_grad(), borrow(net, training=False):
        try:
            for name, module in net.named_modules():
                if name:
                    handles.append(module.register_forward_hook(lambda _m, _a, out, name=name: after(name, out)))
            with tracker:
                net(x)
        finally:
            for handle in handles:
                handle.remove()
    return fields


def _public(field: _Field, height: int, width: int) -> ReceptiveField:
    y, x = field.y, field.x
    fixed = y.step == 0 and x.step == 0
    covers = y.start <= 0 and x.start <= 0 and y.start + y.size >= height and x.start + x.size >= width
    return ReceptiveField(int(y.size), int(x.size), y.step, x.step, y.start, x.start, whole=fixed and covers)


def _pair(value: Any, default: int = 0) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    items = list(value) if value is not None else []
    if not items:
        return default, default
    return (items[0], items[0]) if len(items) == 1 else (items[0], items[1])


class _Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Carries a field along with every tensor of a pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # tensors are kept alive with their fields, so that an id is never used twice
        self._fields: dict[int, tuple[Tensor, _Field]] = {}
        self._started = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # nothing is compiled here, and keeping the compiler out of it would import it first: 1 s
        return False

    def field(self, tensor: Tensor) -> _Field | None:
        found = self._fields.get(id(tensor))
        return found[1] if found else None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self._started and args and isinstance(args[0], Tensor) and args[0].ndim == 4:
            # the first operation on a picture-shaped tensor reads the picture itself
            self._started = True
            self._fields[id(args[0])] = (args[0], _Field(_Axis(1, 1, 0), _Axis(1, 1, 0)))
        out = func(*args, **kwargs)
        value = first_tensor(out)
        if value is not None:
            field = self._rule(func, args, kwargs, value)
            if field is not None:
                self._fields[id(value)] = (value, field)
            else:
                self._fields.pop(id(value), None)
        return out

    def _rule(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> _Field | None:
        flat = [item for arg in args for item in (arg if isinstance(arg, (list, tuple)) else [arg])]
        tensors = [item for item in flat if isinstance(item, Tensor)]
        known = [(tensor, field) for tensor in tensors if (field := self.field(tensor)) is not None]
        if not known:
            return None
        first, field = known[0]
        packet = func.overloadpacket
        if packet is aten.convolution:
            return _convolution(field, args)
        if packet in (aten.max_pool2d_with_indices, aten.max_pool2d, aten.avg_pool2d):
            return _pool(field, packet, args)
        if packet in (aten._adaptive_avg_pool2d, aten.adaptive_avg_pool2d, aten.adaptive_max_pool2d):
            return _adaptive(field, first, out)
        if packet is aten.mean or packet is aten.sum:
            dims = {
                dim % first.ndim for dim in (args[1] if len(args) > 1 and args[1] is not None else range(first.ndim))
            }
            if first.ndim == 4 and {2, 3} <= dims:
                return _hull(field, first)
            return field if first.ndim != 4 or not dims & {2, 3} else None
        if packet in (aten.addmm, aten.mm, aten.bmm, aten.linear, aten.matmul):
            return self._mixed(known)
        if packet is aten.slice:
            return _slice(field, first, args)
        if packet is aten.constant_pad_nd:
            return _pad(field, args)
        if packet is aten.cat:
            dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % first.ndim
            return self._union(known) if dim == 1 or first.ndim != 4 else None
        if packet in (aten.view, aten._unsafe_view, aten.reshape, aten.flatten, aten.squeeze, aten.unsqueeze):
            return _reshape(field, first, out)
        if packet in _SAME:
            return field
        if torch.Tag.pointwise in func.tags:
            return self._pointwise(known, out)
        return None

    def _union(self, known: Sequence[tuple[Tensor, _Field]]) -> _Field | None:
        field: _Field | None = known[0][1]
        for _, other in known[1:]:
            field = field.union(other) if field is not None else None
        return field

    def _mixed(self, known: Sequence[tuple[Tensor, _Field]]) -> _Field | None:
        """Return the field after a matrix product: each value depends on all the values before it."""
        hulls = [_Field(field.y.hull(1), field.x.hull(1)) for _, field in known if field.y.step == 0]
        if len(hulls) != len(known):
            return None
        return self._union([(known[0][0], field) for field in hulls])

    def _pointwise(self, known: Sequence[tuple[Tensor, _Field]], out: Tensor) -> _Field | None:
        if out.ndim != 4:
            return self._union(known)
        field: _Field | None = None
        for tensor, one in known:
            if tensor.ndim != 4:
                return None
            if tensor.shape[2:] != out.shape[2:]:
                # a gate of one value per channel (squeeze-and-excitation) was pooled from the whole
                # map, so wherever it is multiplied in, a position sees all that the map saw
                return one if one.y.step == 0 and one.x.step == 0 else None
            field = one if field is None else field.union(one)
            if field is None:
                return None
        return field


_SAME = {
    aten.native_batch_norm,
    aten._native_batch_norm_legit_no_training,
    aten._native_batch_norm_legit,
    aten.cudnn_batch_norm,
    aten.native_dropout,
    aten.hardswish,
    aten.hardswish_,
    aten.hardsigmoid,
    aten.hardtanh,
    aten.hardtanh_,
    aten.silu,
    aten.silu_,
    aten.elu,
    aten.leaky_relu,
    aten.leaky_relu_,
    aten.gelu,
    aten.clone,
    aten.detach,
    aten.alias,
    aten._to_copy,
    aten._log_softmax,
    aten._softmax,
}


def _convolution(field: _Field, args: tuple[Any, ...]) -> _Field | None:
    weight, (stride, padding, dilation), transposed = args[1], args[3:6], args[6]
    if transposed or weight.ndim != 4:
        return None
    (sy, sx), (py, px), (dy, dx) = _pair(stride), _pair(padding), _pair(dilation)
    kernel_y, kernel_x = weight.shape[2:]
    return _Field(field.y.window(kernel_y, sy, py, dy), field.x.window(kernel_x, sx, px, dx), field.exact)


def _pool(field: _Field, packet: Any, args: tuple[Any, ...]) -> _Field:
    kernel_y, kernel_x = _pair(args[1])
    stride = args[2] if len(args) > 2 and args[2] else args[1]
    (sy, sx), (py, px) = _pair(stride), _pair(args[3] if len(args) > 3 else 0)
    dilation = args[4] if packet is not aten.avg_pool2d and len(args) > 4 else 1
    dy, dx = _pair(dilation, 1)
    return _Field(field.y.window(kernel_y, sy, py, dy), field.x.window(kernel_x, sx, px, dx), field.exact)


def _adaptive(field: _Field, before: Tensor, out: Tensor) -> _Field | None:
    axes = []
    for axis, had, has in zip((field.y, field.x), before.shape[2:], out.shape[2:], strict=True):
        if has == 1:
            axes.append(axis.hull(had))
        elif had % has == 0:
            axes.append(axis.window(had // has, had // has, 0, 1))
        else:
            return None  # windows of unequal size: no single step describes them
    return _Field(axes[0], axes[1], field.exact)


def _hull(field: _Field, tensor: Tensor) -> _Field:
    return _Field(field.y.hull(tensor.shape[2]), field.x.hull(tensor.shape[3]), field.exact)


def _slice(field: _Field, tensor: Tensor, args: tuple[Any, ...]) -> _Field | None:
    dim = (args[1] if len(args) > 1 else 0) % tensor.ndim
    start = args[2] if len(args) > 2 and args[2] is not None else 0
    step = args[4] if len(args) > 4 else 1
    if tensor.ndim != 4 or dim < 2:
        return field
    start = start + tensor.shape[dim] if start < 0 else min(start, tensor.shape[dim])
    axis = field.y if dim == 2 else field.x
    moved = _Axis(axis.size, axis.step * step, axis.start + start * axis.step)
    return _Field(moved, field.x, field.exact) if dim == 2 else _Field(field.y, moved, field.exact)


def _pad(field: _Field, args: tuple[Any, ...]) -> _Field:
    pads = [*args[1], 0, 0, 0, 0]
    left, top = pads[0], pads[2]
    y, x = field.y, field.x
    return _Field(
        _Axis(y.size, y.step, y.start - top * y.step), _Axis(x.size, x.step, x.start - left * x.step), field.exact
    )


def _reshape(field: _Field, before: Tensor, out: Tensor) -> _Field | None:
    if before.ndim == 4 and out.ndim == 4 and before.shape[2:] == out.shape[2:]:
        return field
    if before.ndim != 4:
        return field if out.ndim != 4 else None
    single = before.shape[2] == 1 and before.shape[3] == 1
    if out.ndim == 4 and not single:
        return None
    hull = _hull(field, before)
    return _Field(hull.y, hull.x, field.exact and single)
