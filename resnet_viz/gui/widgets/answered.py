"""Pictures, their true classes and what a net answered, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnet_viz.core.types import F32, I64, U8


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """Pictures with their true classes and a net's answers.

    Attributes:
        images: uint8 (N, H, W, 3) RGB or (N, H, W, 1) grey.
        truth: (N,) true classes.
        answers: (N,) the class the net gives.
        probs: (N,) 0-1, how sure it is of its answer.
        classes: names by index.
    """

    images: U8
    truth: I64
    answers: I64
    probs: F32
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that all belong together.

        Raises:
            ValueError: if the lengths or shapes do not fit.
        """
        sizes = {len(self.images), len(self.truth), len(self.answers), len(self.probs)}
        if len(sizes) != 1 or self.images.ndim != 4 or self.images.shape[3] not in (1, 3):
            raise ValueError(f"pictures {self.images.shape}, {len(self.truth)} classes, {len(self.answers)} answers")

    def name(self, index: int) -> str:
        """Return a class's name, its number where it has none."""
        return self.classes[index] if 0 <= index < len(self.classes) else str(index)

    def right(self) -> NDArray[np.bool_]:
        """Return (N,) which answers are right."""
        return np.equal(self.truth, self.answers)

    def title(self, index: int) -> tuple[str, str]:
        """Return what stands below a picture, in two parts: ``("✗ cat →", "dog 87 %")``."""
        truth, answer = int(self.truth[index]), int(self.answers[index])
        name, sure = self.name(answer), f"{100 * float(self.probs[index]):.0f} %"
        return (f"✓ {name}", sure) if truth == answer else (f"✗ {self.name(truth)} →", f"{name} {sure}")
