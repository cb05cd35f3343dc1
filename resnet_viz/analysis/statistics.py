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
    return ChannelStats(low, high, (low == 0) & (high == 0), cache(partial(_moments, flat)))


def _moments(flat: F32) -> tuple[F32, F32, F32]:
    """Return mean, standard deviation and share of exact zeros of each row, each (C,)."""
    size = flat.shape[1]
    with np.errstate(invalid="ignore", over="ignore"):
        # widened first and then summed: NumPy's sum of float32 into float64 goes by small buffers
        mean = flat.astype(np.float64).sum(axis=1) / size
        # centred in float32, where little is lost: half the time of ``std``
        centred = flat - mean[:, None].astype(np.float32)
        std = np.sqrt(np.square(centred, out=centred).astype(np.float64).sum(axis=1) / size)
        # NumPy adds floats several times faster than booleans; float32 counts exactly up to 2^24
        zeros = (flat == 0).astype(np.float32 if size < 2**24 else np.float64).sum(axis=1) / size
        return mean.astype(np.float32), std.astype(np.float32), zeros.astype(np.float32)


def histogram(values: F32, bins: int = 32) -> tuple[I64, F64]:
    """Return counts (bins,) and edges (bins + 1,) of the finite values of one channel."""
    finite = values[np.isfinite(values)]
    counts, edges = np.histogram(finite, bins=bins)
    return counts.astype(np.int64), edges.astype(np.float64)
