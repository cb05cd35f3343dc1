"""From logits to what the net believes; NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resnet_viz.core.types import F32, ClassScore, Prediction


def softmax(logits: F32) -> F32:
    """Return probabilities (classes,), computed in float64; of a log-softmax they are its exponential.

    Where a logit is NaN or +inf every probability is NaN: the net's answer has no meaning and
    must not be dressed up as one.
    """
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        powers = np.exp(values - values.max())
        probs: F32 = (powers / powers.sum()).astype(np.float32)
    return probs


def prediction(logits: F32, classes: Sequence[str], top: int) -> Prediction:
    """Return the ``top`` best classes; equal ones in order of their index.

    Args:
        logits: (classes,).
        classes: labels by index; missing ones become "class 12".
        top: how many to list.
    """
    probs = softmax(logits)
    order = np.argsort(-logits.astype(np.float64), kind="stable")[:top]  # NaN sorts last
    scores = tuple(
        ClassScore(
            index=int(index),
            label=classes[index] if index < len(classes) else f"class {index}",
            prob=float(probs[index]),
            logit=float(logits[index]),
        )
        for index in order
    )
    return Prediction(logits, probs, scores)
