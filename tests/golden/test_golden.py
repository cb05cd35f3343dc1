"""What the shipped net computes and how the grid draws it, against stored results.

``RESNET_VIZ_ACCEPT=1`` writes the results anew; look at the difference before committing it.
Kernels differ between CPUs, so logits and means agree within 1e-3, and a picture's pixels
within 2 of 255 on average.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_viz.analysis.activations import observe
from resnet_viz.analysis.montage import GridOptions, montage
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.paths import assets_dir
from resnet_viz.core.types import Fit
from resnet_viz.data.batches import normalise
from resnet_viz.data.images import load_image
from resnet_viz.data.transforms import prepare
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

HERE = Path(__file__).parent
ACCEPT = os.environ.get("RESNET_VIZ_ACCEPT") == "1"
LAYERS = ("conv1", "layer1.2", "layer2.0.bn2", "layer3.2", "avgpool")


def see(model: str) -> tuple[dict[str, object], np.ndarray]:
    net, card = open_model(OpenModel(ref=model))
    view = prepare(load_image(assets_dir() / "samples" / "cat.jpg"), Fit(), size=32, kind="square")
    x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], card.normalization)
    seen = observe(net, x, layers=LAYERS)
    assert seen.logits is not None
    numbers = {
        "logits": [float(value) for value in seen.logits],
        "means": {name: float(seen.activations[name].maps.mean()) for name in LAYERS},
        "deviations": {name: float(seen.activations[name].maps.std()) for name in LAYERS},
    }
    maps = seen.activations["layer2.0.bn2"].maps
    options = GridOptions(sort="max", colormap="signed")
    return numbers, montage(maps, channel_stats(maps), options).image


@pytest.mark.parametrize("model", ["resnet20-cifar10", "plain20-cifar10"])
def test_the_shipped_nets_compute_what_they_did(model: str) -> None:
    numbers, image = see(model)
    stored, picture = HERE / f"{model}.json", HERE / f"{model}.png"
    if ACCEPT:
        stored.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
        Image.fromarray(image).save(picture, optimize=True)
    expected = json.loads(stored.read_text(encoding="utf-8"))
    assert numbers["logits"] == pytest.approx(expected["logits"], abs=1e-3)
    for key in ("means", "deviations"):
        assert numbers[key] == pytest.approx(expected[key], abs=1e-3)
    with Image.open(picture) as right:
        assert np.abs(np.asarray(right).astype(int) - image.astype(int)).mean() < 2
