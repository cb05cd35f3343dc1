"""Logits to beliefs, against PyTorch's softmax."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnet_viz.analysis.predictions import prediction, softmax
from resnet_viz.core.types import F32


def logits(*values: float) -> F32:
    return np.array(values, np.float32)


def test_softmax_equals_pytorchs_in_double_precision() -> None:
    values = np.random.default_rng(0).normal(0, 8, 1000).astype(np.float32)
    expected = torch.from_numpy(values).double().softmax(0).float().numpy()
    probs = softmax(values)
    assert probs.dtype == np.float32 and probs.shape == (1000,)
    np.testing.assert_allclose(probs, expected, rtol=1e-6)
    assert probs.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)


def test_of_log_probabilities_softmax_is_the_exponential() -> None:
    values = torch.randn(10, generator=torch.Generator().manual_seed(1)).log_softmax(0).numpy()
    np.testing.assert_allclose(softmax(values), np.exp(values), rtol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 3e4, -3e4])
def test_large_logits_do_not_overflow(shift: float) -> None:
    np.testing.assert_allclose(softmax(logits(shift, shift + 1)), [0.26894143, 0.73105860], rtol=1e-6)


def test_a_class_that_is_ruled_out_has_no_share() -> None:
    np.testing.assert_array_equal(softmax(logits(0.0, -np.inf, 0.0)), [0.5, 0.0, 0.5])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_without_meaning_is_not_dressed_up(bad: float) -> None:
    assert np.isnan(softmax(logits(1.0, bad, 2.0))).all()


@pytest.mark.parametrize("top", [1, 3, 4, 100])
def test_the_best_come_first(top: int) -> None:
    values = logits(0.5, 3.0, -1.0, 2.0)
    seen = prediction(values, ("a", "b", "c", "d"), top)
    assert [score.label for score in seen.top] == ["b", "d", "a", "c"][:top]
    for score in seen.top:
        assert score.logit == values[score.index]
        assert score.prob == seen.probs[score.index]
    np.testing.assert_array_equal(seen.logits, values)
    np.testing.assert_array_equal(seen.probs, softmax(values))


def test_equal_logits_keep_the_order_of_the_classes() -> None:
    seen = prediction(logits(1, 2, 2, 1, 2), tuple("abcde"), 5)
    assert [score.index for score in seen.top] == [1, 2, 4, 0, 3]


def test_nan_comes_last_and_is_shown_as_nan() -> None:
    seen = prediction(logits(np.nan, 1.0, 2.0), tuple("abc"), 3)
    assert [score.index for score in seen.top] == [2, 1, 0]
    assert np.isnan(seen.top[2].logit) and all(np.isnan(score.prob) for score in seen.top)


def test_a_class_without_a_label_has_its_number() -> None:
    assert [score.label for score in prediction(logits(1, 2, 3), ("a",), 3).top] == ["class 2", "class 1", "a"]


def test_scores_are_plain_numbers_for_json() -> None:
    score = prediction(logits(1, 2), ("a", "b"), 1).top[0]
    assert (type(score.index), type(score.prob), type(score.logit)) == (int, float, float)
