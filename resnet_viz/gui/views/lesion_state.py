"""What the lesion board knows: what was done to the net, what was answered, and how that is shown. No widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PyQt6.QtCore import QCoreApplication

from resnet_viz.core.lesion_types import RandomLesion
from resnet_viz.core.types import BlockInfo, ModelCard
from resnet_viz.gui.widgets.lesion_plan import LesionChart, draws_chart, study_chart
from resnet_viz.session.gradient_requests import LesionEach, LesionMeasured, LesionRandom, LesionsMeasured

from . import lesion_words as words

Study = LesionEach | LesionRandom
SEED = 0
"""Picks the pictures of everything but draws at random, which bring a seed of their own."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionBoard", text)


@dataclass(slots=True)
class LesionState:
    """Everything about one net on one choice of pictures.

    Attributes:
        deleted, cut: names of blocks, none in both.
        card: of the net, None until it is open.
        measured: the last answer about the net on the map, without what a change has made untrue.
        whole: ||F|| / ||x|| by block of the whole net.
        running: the question about every block in turn that is being answered.
        answered: the question that ``study`` answers.
        study: every block in turn, as far as it is known.
        failed: whether the last question about the net on the map had no answer.
    """

    deleted: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()
    card: ModelCard | None = None
    measured: LesionMeasured | None = None
    whole: Mapping[str, float] = field(default_factory=dict)
    running: Study | None = None
    answered: Study | None = None
    study: LesionsMeasured | None = None
    failed: bool = False

    @property
    def changed(self) -> frozenset[str]:
        """All blocks to which anything was done."""
        return self.deleted | self.cut

    # ---- what happens ----

    def toggled_block(self, block: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return what is deleted and cut after a click on a block; None where nothing can be done."""
        if self.measured is None or block not in self.measured.can_delete:
            return None
        return self.deleted ^ {block}, self.cut - {block}

    def toggled_skip(self, block: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return what is deleted and cut after a click on an arc; None where nothing can be done."""
        if self.measured is None or block not in self.measured.can_cut:
            return None
        return self.deleted - {block}, self.cut ^ {block}

    def change(self, deleted: frozenset[str], cut: frozenset[str]) -> None:
        """Delete and cut otherwise; numbers of the net before are forgotten, those of the whole net are not."""
        self.deleted, self.cut = deleted, cut
        if self.measured is not None and self.changed:
            self.measured = replace(self.measured, error=None, f_to_x={})
        elif self.measured is not None:
            self.measured = replace(
                self.measured,
                error=self.measured.base_error,
                f_to_x=self.whole,
                prediction=self.measured.base_prediction,
            )

    def forget_numbers(self) -> None:
        """Forget everything that was measured on other pictures."""
        self.study = self.answered = None
        self.whole = {}
        if self.measured is not None:
            self.measured = replace(self.measured, error=None, base_error=None, n=0, f_to_x={}, data="")

    def take(self, measured: LesionMeasured) -> None:
        """Take an answer, or a part of one, about the net as it is now."""
        before = self.measured
        if before is not None and measured.base_error is None:  # the whole net's error does not come and go
            measured = replace(measured, base_error=before.base_error, data=measured.data or before.data)
        self.card, self.measured, self.failed = measured.card, measured, False
        if not self.changed and measured.f_to_x:
            self.whole = measured.f_to_x

    def take_study(self, study: LesionsMeasured) -> None:
        """Take an answer, or a part of one, to the running question."""
        self.study, self.answered = study, self.running

    # ---- how it is shown ----

    @property
    def cutting(self) -> bool:
        """Whether the bars are about skips."""
        request = self.running or self.answered
        return isinstance(request, LesionEach) and request.kind == "cut"

    def blocks(self) -> list[BlockInfo]:
        """Return the blocks that stand below the bars: those that the measurement is about."""
        if self.card is None or self.measured is None:
            return []
        names = set(self.measured.can_cut if self.cutting else self.measured.can_delete)
        return [block for block in self.card.blocks if block.name in names]

    def chart(self) -> LesionChart:
        """Return the bars."""
        measured = self.measured
        base = measured.base_error if measured is not None else None
        now = measured.error if measured is not None and self.changed else None
        chance, plain = words.chance_error(self.card), words.is_plain(self.card)
        result = self.study.result if self.study is not None else None
        if isinstance(result, RandomLesion):
            same = self.deleted if not self.cut else ()
            if result.seed != SEED:
                now = None  # measured on other pictures
            return draws_chart(self.blocks(), result, now=now, chance=chance, plain=plain, changed=same)
        return study_chart(
            self.blocks(),
            result,
            base=base,
            now=now,
            chance=chance,
            plain=plain,
            whole=self.whole,
            ratios=measured.f_to_x if measured is not None and self.changed else None,
            changed=self.changed,
        )

    def map_top(self) -> float:
        """Return the upper end of the map's colours: the largest finite ||F|| / ||x|| before and after the change."""
        now = self.measured.f_to_x if self.measured is not None else {}
        return max((value for value in (*self.whole.values(), *now.values()) if value < float("inf")), default=1.0)

    def heading(self) -> tuple[str, str]:
        """Return what the bars are, and over what they were measured."""
        request = self.running or self.answered
        if isinstance(request, LesionRandom):
            heading = _tr("Error without {0} blocks at random").format(request.k)
        elif self.cutting:
            heading = _tr("Error without each skip")
        else:
            heading = _tr("Error without each block")
        if self.study is not None and request is not None:
            n, wanted = self.study.result.n, request.pictures
            count = _tr("n = {0:,} of {1:,}").format(n, wanted) if n < wanted else _tr("n = {0:,}").format(n)
            return heading, f"{count} · {self.study.data}" if self.study.data else count
        return heading, _tr("measuring…") if self.running is not None else ""

    def sentence(self) -> tuple[str, str]:
        """Return what it comes to, and an aside."""
        if self.card is None or self.measured is None:
            return "", ""
        result = self.study.result if self.study is not None else None
        if isinstance(result, RandomLesion):
            return words.of_draws(result, len(self.blocks()), self.card)
        if result is not None:
            return words.of_study(result, self.card)
        return words.of_board(self.measured, self.deleted, self.cut)

    def hint(self) -> str:
        """Say what can be done on the map."""
        if self.card is None:
            return "" if self.failed else _tr("Opening the net…")
        if words.is_plain(self.card):
            return _tr("Click a block to delete it (Del), again to put it back. This net has no skips to cut.")
        return _tr("Click a block to delete it (Del), an arc to cut the skip (X), again to put it back.")

    def bars_hint(self) -> str:
        """Say what fills the bars, where they are empty."""
        if self.card is None or self.running is not None:
            return ""
        text = _tr("“Each block in turn” measures the error without each of the {0} blocks.")
        return text.format(len(self.blocks()))
