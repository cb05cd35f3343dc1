"""Axes of a chart as pure functions: which values are written at them, and where values lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from resnet_viz.training.history_log import F64

from .curve_plan import Plan

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: values ``low`` to ``high`` on pixels ``start`` to ``end``; the end may be the smaller one."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def pixels(self, values: F64) -> F64:
        """Return where values lie, NaN where they have no place."""
        low, high, at = self.low, self.high, values
        if self.log:
            low, high = math.log10(low), math.log10(high)
            with np.errstate(divide="ignore", invalid="ignore"):
                at = np.log10(np.where(values > 0, values, np.nan))
        return self.start + (at - low) * ((self.end - self.start) / (high - low))


def vertical_range(plan: Plan) -> tuple[float, float]:
    """Return the lowest and highest value that the vertical axis shows."""
    if plan.y_range is not None:
        return plan.y_range
    parts = [line.y for line in plan.lines] + [edge for band in plan.bands for edge in (band.low, band.high)]
    known = np.concatenate(parts) if parts else np.zeros(0)
    known = known[np.isfinite(known)]
    if not plan.log:
        top = float(known.max()) * 1.04 if len(known) and known.max() > 0 else 1.0
        return 0.0, top * plan.zoom
    known = known[known > 0]
    if not len(known):
        return 0.1, 1.0
    low, high = float(known.min()), float(known.max())
    low = min([low, *(reference.value for reference in plan.references if reference.value > 0)])
    return low / 1.2, high * 1.2


def linear_ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Return at most ``most`` + 1 round values (1, 2, 2.5 or 5 times a power of ten apart) within the range.

    Args:
        low: first value of the range.
        high: last value of the range.
        most: how many steps there may be.
        whole: whether only whole numbers are wanted.
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    raw = span / max(1, most)
    base = 10.0 ** math.floor(math.log10(raw))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(factor * base for factor in factors if factor * base >= raw * (1 - 1e-9))
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    return [count * step for count in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return the values written at a logarithmic axis: powers of ten, or finer where there are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in (tuple(range(1, 10)), (1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**exponent for exponent in exponents for factor in factors]
        found = [value for value in found if low <= value <= high]
        if len(found) <= most:
            return found
    stride = -(-len(found) // max(1, most))
    return [10.0**exponent for exponent in exponents if exponent % stride == 0 and low <= 10.0**exponent <= high]


def plain_number(value: float) -> str:
    """Return a number of a linear axis."""
    return f"{value:,.0f}" if value == round(value) else f"{value:.6g}"


def power(value: float) -> str:
    """Return a number of a log axis: 0.01 to 1000 as they are, others as a power of ten."""
    if not value > 0 or not math.isfinite(value):
        return ""
    exponent = math.floor(math.log10(value) + 1e-9)
    if -3 < exponent < 4:
        return f"{value:g}"
    factor = value / 10.0**exponent
    lead = "" if abs(factor - 1) < 1e-6 else f"{factor:g}·"
    return f"{lead}10{str(exponent).translate(_SUPERSCRIPT)}"
