"""What deleting blocks and cutting skips does to a net's error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .types import F64

LesionKind = Literal["delete", "cut"]
"""Blocks deleted (the shortcut alone is left), or skips cut (F alone is left)."""


@dataclass(frozen=True, slots=True)
class BlockLesion:
    """One block deleted, or its skip cut.

    Attributes:
        block: its name.
        title: short label, for example ``"2.0"``.
        error: share of wrong answers without it, 0-1.
        f_to_x: ||F(x)|| / ||x|| in the whole net, the mean over pictures, with x what the skip
            carries to the addition; inf where that is zero, None for a block without a skip.
    """

    block: str
    title: str
    error: float
    f_to_x: float | None


@dataclass(frozen=True, slots=True)
class LesionStudy:
    """Every block in turn.

    Attributes:
        kind: what was done to each.
        base_error: share of wrong answers of the whole net, 0-1.
        n: pictures that all errors are over.
        blocks: from input to output.
    """

    kind: LesionKind
    base_error: float
    n: int
    blocks: tuple[BlockLesion, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RandomLesion:
    """k blocks at random, several times.

    Attributes:
        k: blocks deleted at once.
        seed: that drew them.
        base_error: share of wrong answers of the whole net, 0-1.
        errors: float64 (S,), the share of wrong answers after each of S draws.
        deleted: the S sets of block names, each from input to output.
        n: pictures that all errors are over.
    """

    k: int
    seed: int
    base_error: float
    errors: F64
    deleted: tuple[tuple[str, ...], ...]
    n: int
