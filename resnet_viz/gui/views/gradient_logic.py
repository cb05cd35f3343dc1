"""What the Gradients workspace says and lists, apart from any widget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication

from resnet_viz.analysis.regime import PAPER_NOTE, Kind, regime
from resnet_viz.core.gradient_types import FlowBand
from resnet_viz.core.types import ModelCard
from resnet_viz.gui.widgets.color_bar import number
from resnet_viz.gui.widgets.flow_plan import Shown
from resnet_viz.session.gradient_requests import Recording
from resnet_viz.session.recordings import recording_of
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.history_record import RunHistory


def _tr(text: str) -> str:
    return QCoreApplication.translate("Gradients", text)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A training that can be replayed.

    Attributes:
        title: for the list.
        recordings: of each net.
        cards: for the network maps, as many; empty until they are known.
        configs: of the runs, from which the cards can be had; empty where they are there already.
        live: whether it was trained in this window just now.
    """

    title: str
    recordings: tuple[Recording, ...]
    cards: tuple[ModelCard, ...] = ()
    configs: tuple[TrainConfig, ...] = ()
    live: bool = False


def names(recordings: Sequence[Recording]) -> str:
    """Return the titles of recordings as one phrase."""
    titles = [one.title for one in recordings]
    return _tr("{0} and {1}").format(*titles) if len(titles) == 2 else ", ".join(titles)


def live_source(recordings: tuple[Recording, ...], cards: tuple[ModelCard, ...]) -> Source:
    """Return what was just trained as a source."""
    return Source(_tr("Trained now: {0}").format(names(recordings)), recordings, cards, live=True)


def run_sources(runs: Iterable[RunHistory]) -> list[Source]:
    """Offer plain and residual runs of one depth and data set together, deepest first, then each run by itself."""
    usable = [run for run in runs if len(run.gradient_steps) > 1]
    groups: dict[tuple[int, str], list[RunHistory]] = {}
    for run in usable:
        groups.setdefault((run.depth, run.data), []).append(run)
    found = []
    for _, group in sorted(groups.items(), key=lambda item: -item[0][0]):
        plain = next((run for run in group if run.plain), None)
        residual = next((run for run in group if not run.plain), None)
        if plain is not None and residual is not None:
            found.append(_source((plain, residual)))
    return found + [_source((run,)) for run in usable]


def _source(runs: Sequence[RunHistory]) -> Source:
    pairs = [(recording, _config(run)) for run in runs if (recording := recording_of(run)) is not None]
    recordings = tuple(recording for recording, _ in pairs)
    title = _tr("Recorded: {0}").format(names(recordings))
    return Source(title, recordings, (), tuple(config for _, config in pairs))


def _config(run: RunHistory) -> TrainConfig:
    """Return as much of a run's configuration as its net's card needs."""
    shortcut = run.shortcut if run.shortcut in ("A", "B") else ""
    return TrainConfig(run.model, run.data, shortcut=shortcut, batch_norm=run.batch_norm, num_classes=len(run.classes))


def is_plain(card: ModelCard) -> bool:
    """Return whether a net has no skip connections that are known."""
    return not any(block.skip for block in card.blocks)


def word_of(kind: Kind) -> str:
    """Return the kind of a ratio as one or two words."""
    return {
        "vanishing": _tr("vanishing"),
        "exploding": _tr("exploding towards the input"),
        "healthy": _tr("healthy"),
        "uneven": _tr("uneven"),
        "huge": _tr("huge everywhere"),
        "overflow": _tr("beyond float range"),
        "silent": _tr("no gradient at all"),
    }[kind]


def sentence_of(nets: Sequence[Shown], setting: str, recorded: bool) -> tuple[str, str]:
    """Return what was measured in plain words, and what to make of it.

    Args:
        nets: on show.
        setting: what the untrained nets share, for example ``"batch norm, He init"``.
        recorded: whether it is a step of a training.
    """
    found = [(net, regime(net.band, net.title)) for net in nets]
    measured = " ".join(one.sentence for _, one in found)
    if setting and measured:
        measured = _tr("Untrained, with {0}. {1}").format(setting, measured)
    plain = [one.kind for net, one in found if net.plain]
    if recorded:
        aside = _tr("While a net trains the ratio alone soon tells little: see the loss over time as well.")
    elif "exploding" in plain:
        aside = f"{PAPER_NOTE} " + _tr("Turn batch norm off and choose the default initialisation to see it vanish.")
    elif "vanishing" in plain or "silent" in plain:
        aside = _tr("This is what skip connections and batch norm prevent. Turn batch norm on to see the opposite.")
    else:
        aside = PAPER_NOTE if plain else ""
    return measured, aside


def block_facts(band: FlowBand, index: int) -> list[tuple[str, str]]:
    """Return name and value of everything that is known of one block, means over the seeds."""
    facts = [(_tr("weights' gradient"), _value(float(band.mean[index])))]
    act = float(band.of("act_norm")[0][index])
    if math.isfinite(act):
        facts.append((_tr("gradient at its output"), _value(act)))
    flow = band.flows[0]
    through, f = flow.split_identity, flow.split_f
    if through is not None and f is not None and math.isfinite(through[index]):
        whole = through[index] + f[index]
        if whole > 0:
            facts.append((_tr("through the identity"), _tr("{0:.0f} %").format(100 * through[index] / whole)))
            facts.append((_tr("through F"), _tr("{0:.0f} %").format(100 * f[index] / whole)))
    for name, text in (
        ("f_to_x", "‖F(x)‖ / ‖x‖"),
        ("response_std", _tr("response, standard deviation")),
        ("update_ratio", _tr("step / weights")),
    ):
        values = getattr(flow, name)
        if values is not None and math.isfinite(values[index]):
            facts.append((text, _value(float(values[index]))))
    return facts


def _value(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "0" if value == 0 else number(value)
