"""Statistics of feature maps; NumPy only, so that the window can use them before torch is loaded."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from resnet_viz.core.types import F32, F64, I64, ChannelStats


def channel_stats(maps: F32) -> ChannelStats:
    """Return per-channel statistics.

    Sums run in float64; values that are not finite make that channel's mean, std, min and max
    NaN, which is what the layer put out and is shown as such.

    Args:
        maps: float32 (C, H, W), which must not change while the statistics are in use.

    Returns:
        ChannelStats, each (C,); ``std`` is the population's, ``zeros`` counts exact zeros.
    """
    flat = maps.reshape(len(maps), -1)  # (C, H W)
    with np.errstate(invalid="ignore"):
        low, high = flat.min(axis=1), flat.max(axis=1)
    least, greatest = _finite_ends(flat, low, high)
    return ChannelStats(low, high, least, greatest, (low == 0) & (high == 0), cache(partial(_moments, flat, low, high)))


def _finite_ends(flat: F32, low: F32, high: F32) -> tuple[F32, F32]:
    """Return the least and the greatest finite value of each row (C,): what a scale can span."""
    odd = ~(np.isfinite(low) & np.isfinite(high))
    if not odd.any():  # nearly always
        return low, high
    least, greatest, rows = low.copy(), high.copy(), flat[odd]
    finite = np.isfinite(rows)
    for ends, worst, extreme in ((least, np.inf, np.min), (greatest, -np.inf, np.max)):
        found = extreme(np.where(finite, rows, np.float32(worst)), axis=1)
        ends[odd] = np.where(np.isinf(found), np.nan, found)
    return least, greatest


def _moments(flat: F32, low: F32, high: F32) -> tuple[F32, F32, F32]:
    """Return mean, standard deviation and share of exact zeros of each row, each (C,)."""
    size = flat.shape[1]
    with np.errstate(invalid="ignore", over="ignore"):
        # widened first and then summed: NumPy's sum of float32 into float64 goes by small buffers
        mean = flat.astype(np.float64).sum(axis=1) / size
        # centred in float32, where little is lost: half the time of ``std``
        centred = flat - mean[:, None].astype(np.float32)
        std = np.sqrt(np.square(centred, out=centred).astype(np.float64).sum(axis=1) / size)
        # float32 has no room for the squares of what a net without batch norm may put out
        lost = ~((std > 1e-15) & np.isfinite(std)) & (low != high) & np.isfinite(mean)
        if lost.any():
            std[lost] = flat[lost].astype(np.float64).std(axis=1)
        # NumPy adds floats several times faster than booleans; float32 counts exactly up to 2^24
        zeros = (flat == 0).astype(np.float32 if size < 2**24 else np.float64).sum(axis=1) / size
        return mean.astype(np.float32), std.astype(np.float32), zeros.astype(np.float32)


def histogram(values: F32, bins: int = 32) -> tuple[I64, F64]:
    """Return counts (bins,) and edges (bins + 1,) of the finite values of one channel.

    Where all of them are one and the same there is one bin, and both its edges are that value.
    """
    # float32 has no edges between neighbouring values, nor between the least and the greatest that it knows
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size and finite.min() == finite.max():
        return np.array([finite.size], np.int64), np.full(2, finite[0])
    counts, edges = np.histogram(finite, bins=bins)
    return counts.astype(np.int64), edges.astype(np.float64)
