"""The Gradients workspace's worker: it answers the lab's questions, away from the window and from Inspect's nets."""

from __future__ import annotations

from resnet_viz.core.allocator import keep_memory
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.jobs.latest import Progress

from .gradient_flows import FlowMeter
from .gradient_nets import Shelf
from .gradient_requests import LesionEach, LesionRandom, MeasureFlow, MeasureLesion, SweepDepths, TrainSteps
from .gradient_steps import train_steps
from .lesion_desk import LesionDesk


def _no_progress(_share: float, _value: object = None, /) -> None:
    pass


class GradientDesk:
    """Answers requests; belongs to one thread.

    Nets, open data sets, chosen pictures and measurements are kept, so that a switch turned back
    costs nothing, and another seed or net only itself.
    """

    def __init__(self) -> None:
        keep_memory()
        self._shelf = Shelf()
        self._flows = FlowMeter(self._shelf)
        self._lesions = LesionDesk(self._shelf)

    def handle(self, request: object, token: CancelToken = NEVER, progress: Progress = _no_progress) -> object:
        """Answer one request; ``progress`` gets partial answers, each the whole answer so far.

        Raises:
            UserError: where the input is at fault.
            Cancelled: if the token was set.
        """
        if isinstance(request, MeasureFlow):
            return self._flows.measure(request, token, progress)
        if isinstance(request, SweepDepths):
            return self._flows.sweep(request, token, progress)
        if isinstance(request, TrainSteps):
            return train_steps(self._shelf, request, token, progress)
        if isinstance(request, MeasureLesion):
            return self._lesions.measure(request, token, progress)
        if isinstance(request, LesionEach):
            return self._lesions.each(request, token, progress)
        if isinstance(request, LesionRandom):
            return self._lesions.random(request, token, progress)
        raise TypeError(f"the gradient desk does not know {type(request).__name__}")
