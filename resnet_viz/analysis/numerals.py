"""Numbers as people write them, the same in the window and in the files it saves."""

from __future__ import annotations

import math

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Return a value with three significant digits, a real minus sign, and powers of ten as people write them.

    >>> [number(v) for v in (0.0022, -1.5, 12345.6, -1.66e9, float('nan'))]
    ['0.0022', '−1.5', '12,346', '−1.66·10⁹', 'NaN']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    lead, _, exponent = text.partition("e")
    if exponent:
        text = f"{lead}·10{str(int(exponent)).translate(SUPERSCRIPT)}"
    return text.replace("-", "−")
