"""The registry: order kept, clashes loud, unknown names helpful."""

from __future__ import annotations

import pytest

from resnet_viz.core.errors import UnknownNameError, UserError
from resnet_viz.core.registry import Registry


@pytest.fixture
def fruits() -> Registry[int]:
    registry: Registry[int] = Registry("fruit")
    for key, value in (("pear", 3), ("apple", 1), ("peach", 2)):
        registry.add(key, value)
    return registry


def test_order_of_registration_is_kept(fruits: Registry[int]) -> None:
    assert fruits.ids() == ("pear", "apple", "peach")
    assert list(fruits) == [3, 1, 2]
    assert len(fruits) == 3


def test_membership_and_lookup(fruits: Registry[int]) -> None:
    assert "apple" in fruits
    assert "plum" not in fruits
    assert fruits.get("apple") == 1


def test_a_clash_is_a_mistake_in_the_code_and_changes_nothing(fruits: Registry[int]) -> None:
    with pytest.raises(ValueError, match="two fruits are named 'apple'") as caught:
        fruits.add("apple", 9)
    assert not isinstance(caught.value, UserError)
    assert fruits.get("apple") == 1
    assert len(fruits) == 3


def test_an_unknown_name_lists_the_nearest_first(fruits: Registry[int]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        fruits.get("peech")
    assert str(caught.value).startswith("There is no fruit named 'peech'. Did you mean peach")
    assert caught.value.__cause__ is None  # a person is not shown the KeyError behind it
    assert caught.value.__suppress_context__


def test_an_empty_registry_still_answers_in_a_sentence() -> None:
    with pytest.raises(UnknownNameError, match=r"^There is no view named 'x'\.$"):
        Registry[object]("view").get("x")


def test_the_decorator_registers_and_gives_back_what_it_decorates() -> None:
    functions: Registry[object] = Registry("function")

    @functions.register("twice")
    def twice(value: int) -> int:
        return 2 * value

    assert twice(4) == 8
    assert functions.get("twice") is twice
    with pytest.raises(ValueError, match="twice"):
        functions.register("twice")(len)
