"""A cache that forgets what was used longest ago once it holds too many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class ByteLRU(Generic[V]):
    """Values by key within a budget of bytes; for one thread.

    Args:
        max_bytes: the budget; a single value above it is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return the value of ``key`` and mark it as just used; None if it is not kept."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: V, nbytes: int) -> None:
        """Keep ``value``, which takes ``nbytes``, and forget old ones until all fit."""
        self.drop(key)
        if nbytes > self.max_bytes:
            return
        self._entries[key] = (value, nbytes)
        self.nbytes += nbytes
        while self.nbytes > self.max_bytes:
            _, (_, size) = self._entries.popitem(last=False)
            self.nbytes -= size

    def drop(self, key: Hashable) -> None:
        """Forget ``key`` if it is kept."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.nbytes -= entry[1]

    def drop_where(self, chosen: Callable[[Hashable], bool]) -> None:
        """Forget the values whose keys are chosen."""
        for key in [key for key in self._entries if chosen(key)]:
            self.drop(key)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries
