"""Which runs are on show when the Train workspace is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resnet_viz.core.paths import runs_dir
from resnet_viz.training import layout
from resnet_viz.training.history_record import RunHistory


def first_shown(runs: Sequence[RunHistory], alive: set[Path]) -> list[RunHistory]:
    """Return the runs that are worth seeing first.

    One that is being trained; else the person's own newest; else a plain net and its residual
    twin of those that ship, of the greatest depth that both have.
    """
    going = [run for run in runs if run.path in alive]
    own = [run for run in runs if runs_dir() in run.path.parents]
    if going or own:
        return going[:1] or [max(own, key=lambda run: _changed_at(run.path))]
    pairs = [
        (plain.depth, [plain, other])
        for plain in runs
        for other in runs
        if plain.plain and not other.plain and (plain.depth, plain.data) == (other.depth, other.data) and plain.depth
    ]
    return max(pairs, key=lambda pair: pair[0])[1] if pairs else [runs[0]]


def _changed_at(run: Path) -> float:
    try:
        return (run / layout.EVENTS).stat().st_mtime
    except OSError:
        return 0.0
