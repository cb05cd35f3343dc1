"""What the lesion board says: every sentence is made of what was measured, apart from any widget."""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import median

from PyQt6.QtCore import QCoreApplication

from resnet_viz.core.lesion_types import LesionStudy, RandomLesion
from resnet_viz.core.types import ModelCard
from resnet_viz.session.gradient_requests import LesionMeasured

SMALL = 0.05
"""A block that costs less error than this, 0-1, is said to be hardly missed."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionBoard", text)


def percent(error: float) -> str:
    """Return a share for people: ``"22.4 %"``."""
    return f"{100 * error:.1f} %"


def chance_error(card: ModelCard | None) -> float | None:
    """Return the error of guessing among the net's classes, None where that says nothing."""
    count = len(card.classes) if card is not None else 0
    return 1 - 1 / count if count > 1 else None


def half_width(error: float, n: int) -> float:
    """Return half of the 95 % interval of an error over ``n`` pictures (Wilson's, 0-1)."""
    if n < 1:
        return math.nan
    z = 1.96
    return z * math.sqrt(error * (1 - error) / n + z * z / (4 * n * n)) / (1 + z * z / n)


def guesses(error: float, chance: float | None, n: int) -> bool:
    """Return whether an error over ``n`` pictures cannot be told from guessing, or is worse."""
    return chance is not None and n > 0 and error >= chance - 2 * math.sqrt(chance * (1 - chance) / n)


def is_plain(card: ModelCard | None) -> bool:
    """Return whether a net has no skip connection at all."""
    return card is not None and not any(block.skip for block in card.blocks)


def nothing_to_lose(chance: float | None) -> str:
    """Say that the whole net itself does no better than guessing."""
    text = _tr(
        "The whole net itself is no better than guessing ({0}), so there is nothing to lose: "
        "choose a trained net and the data it was trained on."
    )
    return text.format(percent(chance or 0.0))


def titles(card: ModelCard, names: Collection[str]) -> str:
    """Return short titles of blocks, from input to output, at most six of them."""
    found = [block.title for block in card.blocks if block.name in names]
    return ", ".join(found[:6]) + (" …" if len(found) > 6 else "")


def changes(card: ModelCard, deleted: Collection[str], cut: Collection[str]) -> str:
    """Say what was done to the net, empty for nothing."""
    parts = []
    if deleted:
        words = _tr("without block {0}") if len(deleted) == 1 else _tr("without blocks {0}")
        parts.append(words.format(titles(card, deleted)))
    if cut:
        words = _tr("without the skip of {0}") if len(cut) == 1 else _tr("without the skips of {0}")
        parts.append(words.format(titles(card, cut)))
    return _tr("{0} and {1}").format(*parts) if len(parts) == 2 else "".join(parts)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def of_board(measured: LesionMeasured, deleted: Collection[str], cut: Collection[str]) -> tuple[str, str]:
    """Say what the net on the map does, and an aside: what follows from it, or what the paper found."""
    card, plain = measured.card, is_plain(measured.card)
    why = (
        _tr("It has no skip connections, so no arc can be cut, and a deleted block breaks the one path there is.")
        if plain
        else ""
    )
    if measured.error is None or measured.base_error is None:
        return why, ""
    if not deleted and not cut:
        text = _tr("{0}: error {1} on {2:,} pictures.").format(card.title, percent(measured.base_error), measured.n)
        what = _tr("Click a block to delete it.") if plain else _tr("Click a block to delete it, an arc to cut it.")
        return f"{text} {why}".strip(), what
    text = _tr("{0} the error is {1} instead of {2}").format(
        _upper(changes(card, deleted, cut)), percent(measured.error), percent(measured.base_error)
    )
    chance = chance_error(card)
    if guesses(measured.base_error, chance, measured.n):
        return f"{text}. {nothing_to_lose(chance)}", ""
    if guesses(measured.error, chance, measured.n):
        text += _tr(": no better than guessing ({0})").format(percent(chance or 0.0))
    elif plain and chance is not None:
        text += _tr("; guessing would be {0}").format(percent(chance))
    return f"{text}. {why}".strip(), _aside(plain, bool(cut) and not deleted)


def _aside(plain: bool, cut: bool) -> str:
    if plain:
        return _tr("Veit et al. 2016 (sec. 4.1) report that a VGG without any one of its layers guesses.")
    if cut:
        return _tr("Without the skip, all that goes on is F(x): what the block adds, not what it was given.")
    return _tr("x still passes through the skip; Veit et al. 2016 (sec. 4.1): one path of many is gone.")


def of_study(study: LesionStudy, card: ModelCard) -> tuple[str, str]:
    """Say what every block in turn comes to, and an aside on the paper."""
    if not study.blocks:
        return "", ""
    errors = [one.error for one in study.blocks]
    base, count = study.base_error, len(errors)
    worst = max(study.blocks, key=lambda one: one.error)
    middle = _tr("median error {0}, whole net {1}").format(percent(median(errors)), percent(base))
    what = _tr("One skip cut") if study.kind == "cut" else _tr("One block deleted")
    text = f"{what}: {middle}. "
    plain = is_plain(card)
    chance = chance_error(card)
    lost = sum(guesses(error, chance, study.n) for error in errors)
    if guesses(base, chance, study.n):
        return text + nothing_to_lose(chance), ""
    if plain or lost == count:
        text += _tr("{0} of {1} leave it guessing ({2}).").format(lost, count, percent(chance or 0.0))
        if plain:
            text += " " + _tr(
                "It has no skip connections: what follows a deleted block never sees what it was trained on."
            )
    else:
        block = next((block for block in card.blocks if block.name == worst.block), None)
        change = block is not None and block.in_shape != block.out_shape
        place = _tr("Worst {0}, where the resolution changes: {1}.") if change else _tr("Worst {0}: {1}.")
        small = sum(error - base < SMALL for error in errors)
        text += place.format(worst.title, percent(worst.error)) + " "
        if small:
            text += _tr("{0} of {1} cost less than {2:.0f} points.").format(small, count, 100 * SMALL)
        else:
            text += _tr("Each of the {0} costs {1:.0f} points or more.").format(count, 100 * SMALL)
    return text, _study_aside(plain, study.kind == "cut")


def _study_aside(plain: bool, cut: bool) -> str:
    if plain:
        return _tr("Veit et al. 2016 (sec. 4.1) report that a VGG without any one of its layers guesses.")
    if cut:
        return _tr("He et al. 2016b (sec. 3) keep the skip clean, since nothing else carries x past a block.")
    return _tr(
        "Veit et al. 2016 (sec. 4.1) report that a ResNet-110 hardly misses any one block, "
        "and most those where the resolution changes."
    )


def of_draws(result: RandomLesion, blocks: int, card: ModelCard) -> tuple[str, str]:
    """Say what several blocks at random come to, and an aside on the paper."""
    errors = sorted(result.errors.tolist())
    if not errors:
        return "", ""
    text = _tr("{0} of {1} blocks at random, {2} draws: error {3} to {4}, median {5}, whole net {6}.").format(
        result.k, blocks, len(errors), *map(percent, (errors[0], errors[-1], median(errors), result.base_error))
    )
    if guesses(result.base_error, chance_error(card), result.n):
        return f"{text} {nothing_to_lose(chance_error(card))}", ""
    lost = sum(guesses(error, chance_error(card), result.n) for error in errors)
    if lost:
        text += " " + _tr("{0} of them are no better than guessing.").format(lost)
    if is_plain(card):
        return text, _aside(True, False)
    return text, _tr("Veit et al. 2016 (sec. 4.2): the more blocks, the more error, but smoothly, as in an ensemble.")
