"""Numbers as people write them, the same in the window and in the files it saves."""

from __future__ import annotations

import math

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Return a value with three significant digits, a real minus sign, and powers of ten as people write them.

    >>> [number(v) for v in (-0.0, 0.0022, -1.5, 999.7, 12345.6, -1.66e9, float('nan'))]
    ['0', '0.0022', '−1.5', '1,000', '12,346', '−1.66·10⁹', 'NaN']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    value = value or 0.0  # −0 is a zero like any other
    text = f"{value:,.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"  # 999.7 would be said as 1·10³
    lead, _, exponent = text.partition("e")
    if exponent:
        text = f"{lead}·10{str(int(exponent)).translate(SUPERSCRIPT)}"
    return text.replace("-", "−")


def share(value: float, digits: int = 1) -> str:
    """Return a share 0-1 in per cent, never rounded to none or to all where it is neither.

    >>> [share(v) for v in (0.0, 0.0001, 0.5, 0.99999, 1.0)]
    ['0.0 %', '< 0.1 %', '50.0 %', '> 99.9 %', '100.0 %']
    """
    least = 10.0**-digits
    text = f"{100 * value:.{digits}f}"
    if 0 < value < 1 and float(text) in (0.0, 100.0):
        return f"< {least:.{digits}f} %" if value < 0.5 else f"> {100 - least:.{digits}f} %"
    return f"{text} %"
