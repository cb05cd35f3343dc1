"""How a number becomes a colour, and the numbers beside the colour bar; no Qt in here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from resnet_viz.analysis.numerals import SUPERSCRIPT

RGB = tuple[int, int, int]

DARK_INK: RGB = (0, 0, 0)
LIGHT_INK: RGB = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class ColorScale:
    """A range of values and the colours they get.

    Attributes:
        vmin, vmax: values at the two ends of the bar; above zero where ``log`` is set.
        log: whether equal ratios, not equal differences, get equal steps of colour.
        colors: 256 colours, first for ``vmin``.
    """

    vmin: float
    vmax: float
    log: bool
    colors: tuple[RGB, ...]

    def fraction(self, value: float) -> float | None:
        """Return where ``value`` stands on the bar, 0-1, clipped; None for NaN and infinity."""
        if not math.isfinite(value):
            return None
        low, high = self.vmin, self.vmax
        if self.log:
            if value <= 0:
                return 0.0
            value, low, high = math.log(value), math.log(low), math.log(high)
        if high <= low:
            # one single value: the middle of the bar, unless it is the zero that scales start at
            return 0.0 if value <= low and low == 0 and not self.log else 0.5
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def rgb(self, value: float | None) -> RGB | None:
        """Return the colour of ``value``; None where there is no finite value."""
        at = None if value is None else self.fraction(value)
        return None if at is None else self.colors[min(255, int(at * 256))]

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Return (place on the bar 0-1, text): the ends, and what is worth a mark between them."""
        low, high = format_value(self.vmin), format_value(self.vmax)
        if self.vmax <= self.vmin:
            return ((0.5, low),)
        ticks = [(0.0, low), (1.0, high)]
        if self.log:
            decades = range(math.ceil(math.log10(self.vmin)), math.floor(math.log10(self.vmax)) + 1)
            inner = [(self.fraction(10.0**decade), format_value(10.0**decade)) for decade in decades]
        else:
            middle = 0.0 if self.vmin < 0 < self.vmax else (self.vmin + self.vmax) / 2
            inner = [(self.fraction(middle), format_value(middle))]
        ticks += [(at, text) for at, text in inner if at is not None and 0.001 < at < 0.999]
        return tuple(sorted(ticks))


def make_scale(
    values: Iterable[float],
    vmin: float | None = None,
    vmax: float | None = None,
    *,
    log: bool = False,
    colormap: str = "viridis",
) -> ColorScale:
    """Return the scale that holds all finite values.

    A linear scale starts at zero where no value is negative, so that a colour means an amount;
    the ``"signed"`` map is centred at zero; a log scale runs from the smallest to the largest
    value above zero.

    Args:
        values: what is to be coloured; NaN and infinity do not count.
        vmin: lower end of the range, None to take it from the values, as is an end that a log
            scale cannot have (zero or less).
        vmax: upper end, in the same way.
        log: logarithmic colours.
        colormap: name of a colour map.
    """
    finite = [float(value) for value in values if math.isfinite(value)]
    if log:
        above = [value for value in finite if value > 0] or [1.0]
        low = vmin if vmin is not None and vmin > 0 else min(above)
        high = vmax if vmax is not None and vmax > 0 else max(above)
    else:
        finite = finite or [0.0]
        low = min(0.0, *finite) if vmin is None else vmin
        high = max(finite) if vmax is None else vmax
        if colormap == "signed" and vmin is None and vmax is None:
            high = max(abs(low), abs(high))
            low = -high
    return ColorScale(low, max(low, high), log, _colors(colormap))


_luts: dict[str, tuple[RGB, ...]] = {}


def _colors(name: str) -> tuple[RGB, ...]:
    if name not in _luts:
        from resnet_viz.analysis.colormap import lut

        _luts[name] = tuple((int(r), int(g), int(b)) for r, g, b in np.asarray(lut(name)))
    return _luts[name]


def format_value(value: float) -> str:
    """Return a number in at most three significant digits, short enough to stand below a bar.

    >>> [format_value(v) for v in (0, 1.4142, 0.05, 1234.5, 2.6e6, 1e-9)]
    ['0', '1.41', '0.05', '1,230', '2.6·10⁶', '10⁻⁹']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    size = abs(rounded)
    if size >= 1e5 or size < 1e-3:
        mantissa, exponent = f"{rounded:.2e}".split("e")
        lead = mantissa.rstrip("0").rstrip(".").replace("-", "−")
        power = f"10{str(int(exponent)).translate(SUPERSCRIPT)}"
        return power if lead == "1" else f"{lead}·{power}"
    if size >= 100:
        text = f"{rounded:,.0f}"
    else:
        text = f"{rounded:.{2 - math.floor(math.log10(size))}f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


@lru_cache(4096)
def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Return ``first`` with ``share`` (0-1) of ``second`` in it."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


def luminance(rgb: RGB) -> float:
    """Return the relative luminance 0-1 of an sRGB colour (WCAG 2.1)."""
    r, g, b = ((c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(first: RGB, second: RGB) -> float:
    """Return the contrast ratio of two colours, 1-21 (WCAG 2.1)."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(4096)
def ink(background: RGB) -> RGB:
    """Return dark or light ink, whichever reads better; the ratio is at least 4.5 on any colour."""
    return max((DARK_INK, LIGHT_INK), key=lambda color: contrast(color, background))
