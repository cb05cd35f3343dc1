"""L2 norms that are exact to seven digits and never underflow.

Squares of a million float32 values added up in float32 are off in the fifth digit, and a norm
below 1e-19 comes out as 0. So norms of short rows are taken in float32, those are added up in
double precision, and what is too small or too large for that is done again in double precision
altogether, which takes seven times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_ROW = 1024
"""Values whose squares are added up in float32: the sum is right to 1e-7."""

_SMALL = 16384
"""Up to so many values, double precision takes no longer than rows do."""

_SAFE = (1e-12, 1e15)
"""Between these no square that counts is too small or too large for float32."""


def norm(value: Tensor) -> Tensor:
    """Return the L2 norm of a tensor of any shape as a float64 scalar, exact to 1e-7, without underflow."""
    value = value.detach()
    if value.device.type == "cpu" and value.dtype == torch.float32 and value.numel() >= _ROW:
        flat = _flat(value)
        whole = flat.numel() // _ROW * _ROW
        rows = torch.linalg.vector_norm(flat[:whole].view(-1, _ROW), dim=1)
        if whole < flat.numel():
            rows = torch.cat([rows, torch.linalg.vector_norm(flat[whole:]).view(1)])
        result: Tensor = torch.linalg.vector_norm(rows, dtype=torch.float64)
        if _SAFE[0] < float(result) < _SAFE[1]:
            return result
    exact: Tensor = torch.linalg.vector_norm(value, dtype=torch.float64)
    return exact


def _flat(value: Tensor) -> Tensor:
    """Return all values in any order, (numel,); a copy only where they do not fill their memory."""
    if not value.is_contiguous():  # channels last, mostly
        value = value.permute(sorted(range(value.ndim), key=value.stride, reverse=True))
    return value.reshape(-1)


def weight_norms(gradients: Sequence[Sequence[Tensor | None]]) -> list[float]:
    """Return one L2 norm for each group of gradients; a gradient that is None counts as 0."""
    flat = [gradient.detach() for group in gradients for gradient in group if gradient is not None]
    # one call for all that are small: most of a net's parameters hold a few numbers only
    small = [gradient for gradient in flat if gradient.numel() <= _SMALL]
    quick = iter(torch._foreach_norm(small, 2, torch.float64) if small else ())
    norms = [next(quick) if gradient.numel() <= _SMALL else norm(gradient) for gradient in flat]
    each = iter(torch.stack(norms).tolist() if norms else ())  # one wait for all of them
    return [math.hypot(*(next(each) for gradient in group if gradient is not None)) for group in gradients]
