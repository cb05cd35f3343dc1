"""Which runs race against each other, and what their curves say; no widget here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication

from resnet_viz.training.history_record import RunHistory
from resnet_viz.training.recipes import recipes

CHANCE_SLACK = 0.02
"""Errors closer to each other than this are called alike: seeds scatter about as much."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Race", text)


@dataclass(frozen=True, slots=True, eq=False)
class Race:
    """Plain and residual nets trained with one recipe on one data set.

    Attributes:
        title: for the list.
        runs: plain before residual, shallow before deep.
        fair: whether they share recipe, length, batch and learning rate.
    """

    title: str
    runs: tuple[RunHistory, ...]
    fair: bool


def races_of(runs: Iterable[RunHistory]) -> list[Race]:
    """Return every race among runs: first the fair ones with most nets, last all nets of a data set."""
    usable = [run for run in runs if run.depth and run.model.startswith(("plain", "resnet")) and run.step > 0]
    fair: dict[tuple[object, ...], dict[str, RunHistory]] = {}
    every: dict[str, dict[str, RunHistory]] = {}
    for run in usable:
        key = (run.data, run.recipe, run.epochs_planned, run.batch, run.lr_max)
        fair.setdefault(key, {}).setdefault(run.model, run)
        every.setdefault(run.data, {}).setdefault(run.model, run)
    found = []
    for (data, recipe, epochs, *_), nets in fair.items():
        if len({run.plain for run in nets.values()}) == 2:
            how = recipes.get(str(recipe)).title if recipe in recipes else str(recipe)
            found.append(Race(_tr("{0}, {1} epochs: {2}").format(how, epochs, _listed(nets)), _sorted(nets), True))
            _ = data
    found.sort(key=lambda race: (-len(race.runs), -max(run.depth for run in race.runs)))
    for nets in every.values():
        if len({run.plain for run in nets.values()}) == 2 and all(len(nets) > len(race.runs) for race in found):
            found.append(Race(_tr("Different recipes: {0}").format(_listed(nets)), _sorted(nets), False))
    return found


def _sorted(nets: dict[str, RunHistory]) -> tuple[RunHistory, ...]:
    return tuple(sorted(nets.values(), key=lambda run: (run.depth, not run.plain)))


def _listed(nets: dict[str, RunHistory]) -> str:
    return ", ".join(net_name(run) for run in _sorted(nets))


def net_name(run: RunHistory) -> str:
    """Return a net's short name: ``"plain-56"``."""
    return f"plain-{run.depth}" if run.plain else f"ResNet-{run.depth}"


def results(race: Race) -> list[tuple[str, str, str, str]]:
    """Return net, epochs, training error and validation or test error of each run, as a table shows them."""
    rows = []
    for run in race.runs:
        train = "–" if run.last_train_error is None else f"{100 * run.last_train_error:.1f} %"
        if run.test_error is not None:
            other = _tr("{0:.2f} % (test)").format(100 * run.test_error)
        elif run.best_val_error is not None:
            other = f"{100 * run.best_val_error:.1f} %"
        else:
            other = "–"
        rows.append((net_name(run), f"{run.epochs_done} / {run.epochs_planned}", train, other))
    return rows


def sentence(race: Race) -> str:
    """Say what the training errors of the nets show, as measured."""
    if not race.fair:
        return _tr("These nets had different recipes, so their curves prove little. Start a race to compare fairly.")
    known = {run.model: run for run in race.runs if run.last_train_error is not None}
    words = []
    for depth in sorted({run.depth for run in known.values()}, reverse=True):
        plain, residual = known.get(f"plain{depth}"), known.get(f"resnet{depth}")
        if plain is not None and residual is not None:
            words.append(_pair(plain, residual))
            break
    words += _deeper([run for run in known.values() if run.plain])
    return " ".join(words)


def _pair(plain: RunHistory, residual: RunHistory) -> str:
    one, other = plain.last_train_error or 0.0, residual.last_train_error or 0.0
    same = min(plain.epochs_done, residual.epochs_done)
    if plain.epochs_done != residual.epochs_done:
        one, other = float(plain.train_error[same - 1]), float(residual.train_error[same - 1])
    text = _tr("After epoch {0} {1} gets {2:.1f} % of its training pictures wrong, {3} {4:.1f} %.")
    return text.format(same, net_name(residual), 100 * other, net_name(plain), 100 * one)


def _deeper(plain: Sequence[RunHistory]) -> list[str]:
    if len(plain) < 2:
        return []
    shallow, deep = min(plain, key=lambda run: run.depth), max(plain, key=lambda run: run.depth)
    same = min(shallow.epochs_done, deep.epochs_done)
    one, other = float(shallow.train_error[same - 1]), float(deep.train_error[same - 1])
    if other > one + CHANCE_SLACK:
        text = _tr(
            "The deeper plain net is worse than the shallower one ({0:.1f} % against {1:.1f} %) on the very pictures "
            "it was trained on: not overfitting, but the degradation that skips cure (He et al. 2015, fig. 1)."
        )
        return [text.format(100 * other, 100 * one)]
    text = _tr("So far {0} is not worse than {1} on its training pictures ({2:.1f} % against {3:.1f} %).")
    return [text.format(net_name(deep), net_name(shallow), 100 * other, 100 * one)]
