"""Gradients at initialisation: what is known must come out of the app's own way to measure it.

Measured by others with code of their own: batches of 64, three seeds. Seeds scatter, so ResNets
are held to a factor of 3, plain nets to 10, coherence to 0.15. The ratio is first block / last
block of the norms of the gradients of the blocks' first convolutions.

Without batch norm and with He's init the known ratio of plain-110, 0.20, is of nets whose biases
are drawn as PyTorch draws them; ours start at 0, as He et al. 2015b have it, and such a plain-110
has 4. Coherence is of pictures: noise has no smooth parts, and 1 % of noise disturbs it less.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_viz.analysis.gradient_flow import flow_over_seeds
from resnet_viz.core.gradient_types import FlowBand
from resnet_viz.models import create
from resnet_viz.session.batches_of import choose, fit_batch
from resnet_viz.session.gradient_requests import BatchRequest
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

PLAIN, RESIDUAL = 10.0, 3.0
COHERENCE = 0.15
DEFAULT = (("batch_norm", False), ("init", "default"))

WITH_NORM = {"plain20": (8.7, 0.40), "resnet20": (2.1, 0.85), "plain56": (3.1e3, 0.00), "resnet56": (5.1, 0.65)}
DEEP = {"plain110": (7.3e6, 0.00), "resnet110": (12.9, 0.52)}
"""First block / last block, and coherence, with batch norm and He's init."""

WITHOUT = {
    ("plain20", (("batch_norm", False),)): 0.14,
    ("plain56", (("batch_norm", False),)): 0.37,
    ("plain20", DEFAULT): 2e-7,
    ("resnet20", DEFAULT): 0.31,
    ("resnet56", DEFAULT): 0.18,
}


@functools.cache
def measured(
    model_id: str, options: tuple[tuple[str, Any], ...], source: str, coherence: bool, seeds: int = 3
) -> FlowBand:
    """Measure as the workspace and the command line do: one batch, a net for each seed."""
    _, card = open_model(OpenModel(model_id, untrained=True))
    batch = fit_batch(choose(BatchRequest(source, 64)), card)
    return flow_over_seeds(
        lambda seed: create(model_id, seed=seed, **dict(options)),
        batch.images,
        batch.labels,
        range(seeds),
        coherence=coherence,
    )


def factor(model_id: str) -> float:
    return PLAIN if model_id.startswith("plain") else RESIDUAL


def assert_within(value: float | None, known: float, times: float) -> None:
    assert value is not None and known / times <= value <= known * times


def assert_known(found: FlowBand, model_id: str, ratio: float, coherence: float) -> None:
    assert_within(found.ratio, ratio, factor(model_id))
    assert found.coherence == pytest.approx(coherence, abs=COHERENCE)


@pytest.mark.parametrize("model_id", WITH_NORM)
def test_batch_norm_on_drawn_pictures(model_id: str) -> None:
    found = measured(model_id, (), "shapes", True)
    assert_known(found, model_id, *WITH_NORM[model_id])
    assert len(found.flows) == 3 and found.flows[0].weights == "first" and found.flows[0].train_mode


@pytest.mark.parametrize("model_id", WITH_NORM)
def test_batch_norm_on_cifar_10(model_id: str, cifar10: Path) -> None:
    assert_known(measured(model_id, (), str(cifar10), True), model_id, *WITH_NORM[model_id])


@pytest.mark.parametrize(("model_id", "options"), WITHOUT, ids=lambda value: value if isinstance(value, str) else None)
def test_without_batch_norm(model_id: str, options: tuple[tuple[str, Any], ...]) -> None:
    assert_within(measured(model_id, options, "noise", False).ratio, WITHOUT[model_id, options], factor(model_id))


@pytest.mark.parametrize("model_id", DEEP)
def test_110_layers_deep(model_id: str) -> None:
    found = measured(model_id, (), "shapes", True, seeds=1)  # the benchmark takes all three
    assert_known(found, model_id, *DEEP[model_id])


def test_plain_56_vanishes_to_float_precision() -> None:
    """Without batch norm, with PyTorch's init: the ratio is 0 as float32 counts, and the norm itself is shown."""
    found = measured("plain56", DEFAULT, "noise", False)
    assert found.ratio == 0.0 and found.ratios.tolist() == [0.0] * 3
    assert all(0 < flow.weight_norm[1] < 1e-19 < 1e-4 < flow.weight_norm[-1] for flow in found.flows)
    # what the usual sum of squares in float32 makes of it
    gradient = torch.full((16, 16, 3, 3), float(found.mean[1]) / 48)
    assert gradient.square().sum().sqrt() == 0 != gradient.count_nonzero()


def test_skips_keep_the_gradient_where_plain_nets_lose_it() -> None:
    """The story of the workspace in one line, whatever the seeds scatter."""
    plain, residual = (measured(f"{family}20", DEFAULT, "noise", False) for family in ("plain", "resnet"))
    assert plain.ratios.max() < 1e-4 and residual.ratios.min() > 0.1
    plain, residual = (measured(f"{family}56", (), "shapes", True) for family in ("plain", "resnet"))
    assert plain.ratios.min() > 100 and residual.ratios.max() < 20  # with batch norm: exploding, not vanishing
