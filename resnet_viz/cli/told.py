"""What a person is told of a training run in a terminal: a bar, a line for each epoch, what it is worth."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet_viz.training.events import Started

FAILED = 1


class Told:
    """Shows events as they come.

    Args:
        meter: a tqdm bar.
        run: the run's folder.
        data: what the data set is called.
        quiet: whether only what goes wrong is said.

    Attributes:
        status: exit status so far.
        finished: whether the run came to its end.
    """

    def __init__(self, meter: Any, run: Path, data: str, quiet: bool) -> None:
        self.meter, self.run, self.data, self.quiet = meter, run, data, quiet
        self.status, self.finished, self._best = 0, False, ""

    def take(self, event: object) -> None:
        """Show an event."""
        from resnet_viz.training.events import Epoch, Failed, Finished, Started, Step

        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Step):
            self.meter.update(event.step - self.meter.n)
            self.meter.set_postfix_str(f"loss {event.loss:.3f}{self._best}, {event.images_per_s:.0f} pictures/s")
        elif isinstance(event, Epoch):
            share = event.train_acc if event.val_acc is None else event.val_acc
            self._best = f", accuracy {100 * share:.1f} %"
            val = "" if event.val_acc is None else f", validation {100 * event.val_acc:.2f} %"
            self._say(f"epoch {event.epoch}: loss {event.train_loss:.4f}, training {100 * event.train_acc:.2f} %{val}")
        elif isinstance(event, Failed):
            print(f"resnet-viz: {event.reason}", file=sys.stderr)
            self.status = FAILED
        elif isinstance(event, Finished):
            self.finished = not event.stopped
            if self.finished:
                self.meter.update(self.meter.total - self.meter.n)
                self.meter.close()
            if event.stopped:
                self._say(f"stopped and saved; go on with: resnet-viz train --resume {shlex.quote(str(self.run))}")

    def _start(self, event: Started) -> None:
        from resnet_viz.models import models

        self.meter.reset(event.total_steps)
        self.meter.update(event.step)
        again = f", from step {event.step:,} of {event.total_steps:,}" if event.step else ""
        many = f", {event.processes} processes" if event.processes > 1 else ""
        self._say(
            f"{models.get(event.model).title} on {self.data}: {event.params:,} parameters, "
            f"{event.train_pictures:,} pictures to train on, {event.val_pictures:,} held out, "
            f"{'bfloat16' if event.bf16 else 'float32'}{many}{again}"
        )

    def say_result(self, card: dict[str, Any]) -> None:
        """Show what the finished run is worth."""
        if "test_error" in card:
            self._say(f"test error {100 * card['test_error']:.2f} % on {card['test_pictures']:,} pictures")
        elif "not_measured" in card:
            self._say(f"test error not measured: {card['not_measured']}")
        self._say(f"open it with: resnet-viz {shlex.quote(str(self.run))}")

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.meter.write(line, file=sys.stdout)
            sys.stdout.flush()
