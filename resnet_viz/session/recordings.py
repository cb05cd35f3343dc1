"""Runs and measurements as recordings: how gradients moved while a net was trained; no torch here."""

from __future__ import annotations

import numpy as np

from resnet_viz.core.gradient_types import FlowBand, GradientFlow, band, ratio
from resnet_viz.core.types import F64
from resnet_viz.training.history_record import RunHistory

from .gradient_requests import Recording


def recording_of(run: RunHistory) -> Recording | None:
    """Return what a run has recorded of its gradients, None for nothing.

    The ratio compares the blocks of the stages; stem and classifier do not count. Runs that
    recorded no loss with their gradients lend it from the nearest step that has one.
    """
    if not len(run.gradient_steps) or not run.blocks:
        return None
    inner = [index for index, name in enumerate(run.blocks) if name.startswith("layer")]
    core = (inner[0], inner[-1]) if len(inner) > 1 else (0, len(run.blocks) - 1)
    return Recording(
        run.title,
        run.plain,
        run.blocks,
        tuple(name.removeprefix("layer") for name in run.blocks),
        run.gradient_steps,
        _losses(run),
        run.weight_norm,
        run.act_norm,
        run.coherence,
        core,
        run.diverged,
    )


def _losses(run: RunHistory) -> F64:
    """Return the loss at each record, (K,)."""
    if np.isfinite(run.gradient_loss).any() or not len(run.steps):
        return run.gradient_loss
    after = np.searchsorted(run.steps, run.gradient_steps).clip(0, len(run.steps) - 1)
    before = (after - 1).clip(0)
    closer = np.abs(run.steps[before] - run.gradient_steps) < np.abs(run.steps[after] - run.gradient_steps)
    losses: F64 = run.step_loss[np.where(closer, before, after)]
    return losses


def nearest_record(recording: Recording, step: float) -> int:
    """Return the number of the last record that is not after a step; the first one before all."""
    return max(0, int(np.searchsorted(recording.steps, step, side="right")) - 1)


def flow_at(recording: Recording, index: int) -> FlowBand:
    """Return one record as a measurement, which charts and maps show like any other.

    What a run does not record (splits, responses, updates) is None.
    """
    first, last = recording.core
    weight = recording.weight_norm[index]
    act = recording.act_norm[index] if recording.act_norm is not None else np.full(len(weight), np.nan)
    near = float(recording.coherence[index])
    flow = GradientFlow(
        title=recording.title,
        blocks=recording.blocks,
        labels=recording.labels,
        act_norm=act,
        weight_norm=weight,
        loss=float(recording.loss[index]),
        first_to_last=ratio(float(weight[first]), float(weight[last])),
        first_to_last_act=ratio(float(act[first]), float(act[last])),
        coherence=None if np.isnan(near) else near,
        split_identity=None,
        split_f=None,
        response_std=None,
        f_to_x=None,
        update_ratio=None,
        train_mode=True,
        core=recording.core,
    )
    return band([flow], recording.title)
