"""What tests of training share."""

from __future__ import annotations

from resnet_viz.core.token import CancelToken


class StopAfter(CancelToken):
    """Says stop at the n-th question."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self.left = questions

    @property
    def cancelled(self) -> bool:
        self.left -= 1
        return self.left < 0
