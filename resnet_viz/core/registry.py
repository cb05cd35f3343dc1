"""One registry for everything that can be added in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from .errors import UnknownNameError, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries by id, in the order in which they were registered.

    Args:
        what: what one entry is called in messages, for example ``"model"``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, T] = {}

    def add(self, key: str, entry: T) -> T:
        """Register ``entry`` under ``key``.

        Raises:
            ValueError: if ``key`` is taken. A clash is a mistake in the code, never a warning.
        """
        if key in self._entries:
            raise ValueError(f"two {self.what}s are named '{key}'")
        self._entries[key] = entry
        return entry

    def register(self, key: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under ``key``."""
        return lambda entry: self.add(key, entry)

    def get(self, key: str) -> T:
        """Return the entry named ``key``.

        Raises:
            UnknownNameError: listing the three nearest ids.
        """
        try:
            return self._entries[key]
        except KeyError:
            raise UnknownNameError(unknown(self.what, key, self._entries)) from None

    def ids(self) -> tuple[str, ...]:
        """Return all ids in order of registration."""
        return tuple(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)
