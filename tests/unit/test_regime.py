"""One true sentence for what was measured."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from resnet_viz.analysis.regime import FAR, HEALTHY, HUGE, PAPER_NOTE, kind_of, regime, size, times
from resnet_viz.core.gradient_types import FLOAT_ZERO, GradientFlow, band, ratio


def flow(*norms: float, title: str = "net") -> GradientFlow:
    """Return a measurement of stem, blocks and head with these norms of the weights' gradients."""
    values = np.array(norms)
    core = (1, len(norms) - 2)
    return GradientFlow(
        title=title,
        blocks=tuple(map(str, range(len(norms)))),
        labels=tuple(map(str, range(len(norms)))),
        act_norm=values,
        weight_norm=values,
        loss=2.3,
        first_to_last=ratio(norms[core[0]], norms[core[1]]),
        first_to_last_act=None,
        coherence=None,
        split_identity=None,
        split_f=None,
        response_std=None,
        f_to_x=None,
        update_ratio=None,
        train_mode=True,
        core=core,
    )


@pytest.mark.parametrize(
    ("first", "last", "kind", "words"),
    [
        (3100.0, 1.0, "exploding", "is 3,100 times the last block's: it explodes towards the input"),
        (4.8, 1.0, "healthy", "is 4.8 times the last block's: healthy"),
        (0.2, 1.0, "healthy", "is 0.2 of the last block's: healthy"),
        (2e-7, 1.0, "vanishing", "is 2·10⁻⁷ of the last block's: it vanishes on the way to the input"),
        (0.0, 0.5, "vanishing", "the first block is 0 to float precision: vanishing"),
        (1e-25, 0.5, "vanishing", "the first block is 0 to float precision: vanishing"),
        (50.0, 1.0, "uneven", "is 50 times the last block's: uneven"),
        (0.03, 1.0, "uneven", "is 0.03 of the last block's: uneven"),
        (2e4, 3e4, "huge", "huge in the first block (20,000) and in the last (30,000)"),
        (1e9, 1e5, "exploding", "explodes towards the input"),
        (math.inf, 1.0, "overflow", "no finite number"),
        (1.0, math.nan, "overflow", "no finite number"),
        (0.0, 0.0, "silent", "0 to float precision: nothing can learn"),
        (1.5, 0.0, "exploding", "the last block's gradient is 0 to float precision, the first block's 1.5"),
    ],
)
def test_sentences(first: float, last: float, kind: str, words: str) -> None:
    for measured in (flow(1, first, last, 1), band([flow(1, first, last, 1)] * 2)):
        with np.errstate(all="ignore"):
            found = regime(measured, "plain-56", "no batch norm")
        assert found.kind == kind
        assert found.sentence.startswith("plain-56, no batch norm: ") and found.sentence.endswith(".")
        assert words in found.sentence and found.word


def test_stem_and_classifier_do_not_count() -> None:
    assert regime(flow(1e9, 2.0, 1.0, 1e-9)).kind == "healthy"


def test_title_comes_from_the_measurement() -> None:
    assert regime(flow(1, 2, 1, 1, title="ResNet-20")).sentence.startswith("ResNet-20: the first")
    assert regime(flow(1, 2, 1, 1, title="")).sentence.startswith("The net: ")


def test_seeds_that_differ_are_counted() -> None:
    some = band([flow(1, 0.0, 1.0, 1), flow(1, 1e-9, 1.0, 1), flow(1, 0.0, 1.0, 1)])
    found = regime(some)
    assert found.kind == "vanishing" and "in 2 of 3 seeds" in found.sentence
    # the geometric mean counts
    assert "10 times" in regime(band([flow(1, 1.0, 1.0, 1), flow(1, 100.0, 1.0, 1)])).sentence


def test_thresholds_are_those_that_are_documented() -> None:
    assert kind_of(HEALTHY[0], HEALTHY[0], 1) == kind_of(HEALTHY[1], HEALTHY[1], 1) == "healthy"
    assert kind_of(HEALTHY[0] * 0.99, 1, 1) == kind_of(HEALTHY[1] * 1.01, 1, 1) == "uneven"
    assert kind_of(FAR[0] * 0.99, 1, 1) == "vanishing" and kind_of(FAR[1] * 1.01, 1, 1) == "exploding"
    assert kind_of(1.0, HUGE * 1.01, HUGE * 1.01) == "huge" and kind_of(1.0, HUGE, HUGE) == "healthy"
    assert kind_of(None, FLOAT_ZERO / 2, 0) == "silent"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1310.0, "1,300"), (12.9, "13"), (4.84, "4.8"), (0.998, "1.0"), (0.14, "0.14"), (2.04e-7, "2·10⁻⁷"),
        (7.26e6, "7.3·10⁶"), (9.96e-8, "1·10⁻⁷"), (999_999.0, "1,000,000"), (0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_in_words(value: float, text: str) -> None:
    assert size(value) == text
    assert times(value) == f"{text} {'times' if value >= 0.995 else 'of'}"


def test_the_paper_is_named_with_its_section() -> None:
    assert re.search(r"He et al\. 2015 \(sec\. 4\.1\)", PAPER_NOTE) and "unlikely" in PAPER_NOTE


def test_no_torch_is_needed() -> None:
    import subprocess
    import sys

    code = "import sys, resnet_viz.analysis.regime; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
