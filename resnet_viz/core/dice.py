"""torch's global generator, which all threads of a process share: one owner at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_OWNED = threading.RLock()


@contextmanager
def own_generator(devices: Sequence[Any] = ()) -> Iterator[None]:
    """Own the generator: seed it and draw from it inside; it is given back as it was.

    Two workers that seed it at once draw from each other's numbers, and the weights of a seed
    are then not those of that seed. A lock is the only way: ``torch.nn`` draws its default
    weights from this generator and takes no other.

    Args:
        devices: whose generators are given back besides the processor's.
    """
    import torch

    with _OWNED, torch.random.fork_rng(devices=list(devices)):
        yield
