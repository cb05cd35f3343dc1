"""Accuracy on a labelled data set, counted picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from resnet_viz.core.errors import DataError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import I64, U8, Evaluation, Normalization
from resnet_viz.data.batches import logits_of


def evaluate(
    net: nn.Module,
    images: U8,
    labels: I64,
    classes: Sequence[str],
    normalization: Normalization,
    *,
    batch: int = 250,
    token: CancelToken = NEVER,
    progress: Callable[[float], None] | None = None,
    skipped: Sequence[str] = (),
) -> Evaluation:
    """Run every picture through the net in eval mode, in float32, single view.

    Args:
        net: maps normalised pictures to logits.
        images: uint8 (N, H, W, C), of the net's input size.
        labels: int64 (N,), indices into ``classes``.
        classes: names by index, as many as the net has outputs.
        normalization: what the net was trained with.
        batch: pictures per pass.
        token: looked at before each pass.
        progress: called with the share done, 0-1.
        skipped: pictures that could not be read, passed on into the result.

    Raises:
        DataError: if there are no pictures, or a label the net cannot answer.
    """
    if not len(labels):
        raise DataError("There are no pictures to evaluate on. Choose another folder.")
    count = len(classes)
    outside = labels[(labels < 0) | (labels >= count)]
    if len(outside):
        raise DataError(f"The data set has class {int(outside[0])}, the net has {count} classes. Choose another one.")
    confusion = np.zeros((count, count), np.int64)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    done = 0
    for logits in logits_of(net, tensor, normalization, batch=batch, token=token):
        answers = logits.argmax(1).numpy()
        np.add.at(confusion, (labels[done : done + len(answers)], answers), 1)
        done += len(answers)
        if progress is not None:
            progress(done / len(labels))
    totals = confusion.sum(axis=1)
    right = confusion.diagonal()
    per_class = {name: float(right[i] / totals[i]) if totals[i] else None for i, name in enumerate(classes)}
    return Evaluation(float(right.sum() / done), done, per_class, confusion, tuple(classes), tuple(skipped))
