"""Messages that a person reads: a sentence of what is wrong, and the nearest names."""

from __future__ import annotations

import difflib

import pytest

from resnet_viz.core import errors

NAMES = ("layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "fc")


def test_what_the_user_can_mend_is_a_user_error_and_a_change_of_mind_is_not() -> None:
    for kind in (
        errors.UnknownNameError,
        errors.LayerNotFoundError,
        errors.CheckpointError,
        errors.PictureError,
        errors.DataError,
        errors.OutputError,
    ):
        assert issubclass(kind, errors.UserError)
    assert not issubclass(errors.Cancelled, errors.UserError)


def test_nearest_puts_the_most_similar_first_and_at_most_three() -> None:
    found = errors.nearest("layer1.0.conv3", [*NAMES, "layer1.0.conv4"])
    assert len(found) == 3
    ratios = [difflib.SequenceMatcher(None, "layer1.0.conv3", name).ratio() for name in found]
    assert ratios == sorted(ratios, reverse=True)
    assert "fc" not in found


def test_unknown_names_what_was_asked_for_and_what_comes_near() -> None:
    text = errors.unknown("layer", "layer1.0.conv", iter(NAMES))  # a generator is read once only
    assert text.startswith("There is no layer named 'layer1.0.conv'. Did you mean layer1.0.conv")
    assert text.endswith("?")


def test_unknown_offers_the_first_names_where_nothing_is_near() -> None:
    assert errors.unknown("model", "zzz", ["a", "b", "c", "d"]).endswith("Did you mean a, b, c?")


@pytest.mark.parametrize("name", ["", "x"])
def test_unknown_without_any_names_gives_no_hint(name: str) -> None:
    assert errors.unknown("model", name, []) == f"There is no model named '{name}'."
