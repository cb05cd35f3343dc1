"""The parts of the gradient page and how they show what was measured; nothing is asked for here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from resnet_viz.analysis.regime import kind_of
from resnet_viz.core.types import ModelCard
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.color_bar import number
from resnet_viz.gui.widgets.column_scroll import ColumnScroll
from resnet_viz.gui.widgets.flow_plan import (
    Shown,
    depth_plan,
    flow_plan,
    quantity_titles,
    time_plan,
    time_titles,
    values_of,
)
from resnet_viz.session.gradient_requests import DepthsSwept

from .gradient_center import GradientCenter
from .gradient_form import GradientForm
from .gradient_logic import Source, block_facts, sentence_of, word_of
from .gradient_side import GradientSide


def _tr(text: str) -> str:
    return QCoreApplication.translate("Gradients", text)


class GradientPanels(QWidget):
    """Switches at the left, maps and chart in the middle, numbers at the right.

    Attributes:
        block: name of the block that is looked at, empty for none.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.banner = Banner()
        self.form = GradientForm()
        self.center = GradientCenter()
        self.side = GradientSide()
        self.block = ""
        self._lay_out()
        self.center.show_chart("blocks")
        self.center.set_progress(None)

    def _lay_out(self) -> None:
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("gradients-columns")
        self.columns.setChildrenCollapsible(False)
        for widget, least, stretch in ((self.form, 0, 0), (self.center, 380, 1), (self.side, 230, 0)):
            # the form scrolls by itself
            self.columns.addWidget(widget if widget is self.form else ColumnScroll(widget, least))
            self.columns.setStretchFactor(self.columns.count() - 1, stretch)
        self.columns.setSizes([290, 880, 260])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.columns, 1)

    def show_maps(self, nets: Sequence[Shown], cards: Sequence[ModelCard]) -> None:
        """Colour one map for each net by what the chart shows, all on one scale."""
        self.center.show_cards(cards, [net.title for net in nets][: len(cards)])
        if len(cards) != len(nets):
            return
        quantity = self.form.quantity.value()
        rows = [values_of(net.band, quantity) for net in nets]  # type: ignore[arg-type]
        log = quantity not in ("response", "f_to_x")
        known = [v for ways in rows for v in ways[:1]]
        shown = np.concatenate([values[0] for values in known]) if known else np.zeros(0)
        shown = shown[np.isfinite(shown) & ((shown > 0) | (not log))]
        low, high = (float(shown.min()), float(shown.max())) if len(shown) else (1.0, 1.0)
        title = _tr("gradient norm") if log and quantity != "update" else quantity_titles()[quantity][0]  # type: ignore[index]
        for widget, net, ways in zip(self.center.maps, nets, rows, strict=False):
            values = dict(zip(net.band.blocks, map(float, ways[0][0]), strict=True)) if ways else None
            # one scale for all maps, or their colours could not be compared
            widget.set_values(values, title, vmin=low if log else 0.0, vmax=high, log=log, colormap="magma")

    def show_numbers(self, nets: Sequence[Shown], colours: Sequence[str]) -> None:
        """Show ratio and coherence of each net."""
        act = self.form.quantity.value() == "activations"
        rows = []
        for net, colour in zip(nets, colours, strict=True):
            band = net.band
            ratios = [flow.first_to_last_act if act else flow.first_to_last for flow in band.flows]
            known = [one for one in ratios if one is not None]
            value = (float(np.exp(np.mean(np.log(known)))) if known and min(known) > 0 else 0.0) if known else None
            words = []
            if len(known) > 1:
                words.append(_tr("seeds {0} to {1}").format(number(min(known)), number(max(known))))
            core = band.flows[0].core
            norms = band.of("act_norm")[0] if act else band.mean
            words.append(word_of(kind_of(value, float(norms[core[0]]), float(norms[core[1]]))))
            if math.isfinite(band.loss):
                words.append(_tr("loss {0}").format(number(band.loss)))
            rows.append((net.title, colour, value, " · ".join(words)))
        self.side.show_ratios(rows)
        self.side.coherence.set_rows(
            [(net.title, colour, net.band.coherence) for net, colour in zip(nets, colours, strict=True)]
        )

    def show_chart(self, nets: Sequence[Shown], source: Source | None, step: float, swept: DepthsSwept | None) -> None:
        """Show the chosen chart.

        Args:
            nets: what is on show.
            source: the training on show, None for a measurement.
            step: of that training.
            swept: the sweep over depths, None for none yet.
        """
        kind, center = self.center.charts.value(), self.center
        quantity = self.form.quantity.value()
        cursor = self._cursor(nets)
        if kind == "blocks":
            heading, sub = quantity_titles()[quantity]  # type: ignore[index]
            if source is None and nets:
                count = len(nets[0].band.flows)
                sub += " · " + (_tr("mean of {0} seeds").format(count) if count > 1 else _tr("one seed"))
            center.chart.show_plan(lambda colours: flow_plan(nets, quantity, colours, cursor))  # type: ignore[arg-type]
        elif kind == "time":
            what = self.center.times.value()
            heading, sub = time_titles()[what], source.title if source else ""  # type: ignore[index]
            recordings = source.recordings if source is not None else ()
            at = step if source is not None else None
            center.chart.show_plan(lambda colours: time_plan(recordings, what, colours, at))  # type: ignore[arg-type]
        else:
            what = self.center.depths.value()
            heading = (
                _tr("First block / last block against depth") if what == "ratio" else _tr("Coherence against depth")
            )
            sub = swept.batch if swept else ""
            points = swept.points if swept else ()
            center.chart.show_plan(lambda colours: depth_plan(points, what, colours))  # type: ignore[arg-type]
        center.heading.setText(heading)
        center.sub.setText(sub)

    def _cursor(self, nets: Sequence[Shown]) -> float | None:
        for net in nets:
            if self.block in net.band.blocks:
                return float(net.band.blocks.index(self.block) + 1)
        return None

    def show_sentence(self, nets: Sequence[Shown], recorded: bool) -> None:
        """Say in plain words what is on show."""
        measured, aside = sentence_of(nets, "" if recorded else self.form.setting(), recorded)
        self.center.sentence.show_text(measured, aside)

    def show_block(self, nets: Sequence[Shown], colours: Sequence[str]) -> None:
        """Show the numbers of the block that is looked at."""
        rows = []
        title = ""
        for net, colour in zip(nets, colours, strict=True):
            if self.block not in net.band.blocks:
                continue
            index = net.band.blocks.index(self.block)
            title = _tr("Block {0}").format(net.labels[index])
            rows.append((net.title, colour, block_facts(net.band, index)))
        self.side.show_block(title or _tr("Click a block to read its numbers"), rows)
