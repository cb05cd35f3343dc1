"""The page of the Gradients workspace that measures: it holds the choices and asks, and computes nothing itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QTimer, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QFileDialog, QWidget

from resnet_viz.core.errors import UserError
from resnet_viz.core.types import ModelCard
from resnet_viz.gui import theme
from resnet_viz.gui.context import Context
from resnet_viz.gui.run_book import RunBook
from resnet_viz.gui.widgets.curve_plan import family_styles
from resnet_viz.gui.widgets.flow_plan import Shown
from resnet_viz.gui.writing import FileWriter, with_ending
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.gradient_requests import (
    DepthsSwept,
    FlowMeasured,
    MeasureFlow,
    NetChoice,
    StepsTrained,
)
from resnet_viz.session.recordings import flow_at, nearest_record
from resnet_viz.session.training_requests import DescribeNet, NetDescribed

from .gradient_logic import Source, is_plain, live_source, run_sources
from .gradient_panels import GradientPanels

SETTLE_MS = 150
STEPS = 50
ENDINGS = (".png", ".svg", ".pdf", ".csv")


def _tr(text: str) -> str:
    return QCoreApplication.translate("Gradients", text)


class GradientPage(GradientPanels):
    """Nets side by side on one batch: measured now, recorded, or trained for some steps.

    Args:
        context: the workers and settings.
        book: the runs that the window knows.

    Signals:
        status: a sentence for the status line.
    """

    status = pyqtSignal(str)

    def __init__(self, context: Context, book: RunBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.book = book
        self.measured: FlowMeasured | None = None
        self.request: MeasureFlow | None = None
        self.swept: DepthsSwept | None = None
        self.sources: list[Source] = []
        self.source: Source | None = None
        self.record = 0
        self._cards: dict[str, ModelCard] = {}
        self._waiting: set[str] = set()
        self._writer = FileWriter(context.files, self)
        self._writer.said.connect(lambda text: self.banner.show_message(text, "info"))
        self._writer.failed.connect(lambda text: self.banner.show_message(text, "error"))
        self._begun = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.measure)
        self._connect()
        self._show()

    def _connect(self) -> None:
        form, center, side = self.form, self.center, self.side
        form.changed.connect(self._on_switch)
        form.shown_changed.connect(self._show)
        form.file_requested.connect(self._ask_file)
        form.folder_requested.connect(self._ask_folder)
        center.block_chosen.connect(self._on_block)
        center.chart.clicked.connect(self._on_point)
        center.chart_chosen.connect(self._on_chart)
        center.time_chosen.connect(self._show)
        center.sweep_requested.connect(self.sweep)
        center.cancel_requested.connect(lambda: self._cancel("sweep"))
        center.replay.moved.connect(self._on_moved)
        center.replay.source_chosen.connect(self._on_source)
        center.replay.train_requested.connect(self.train_steps)
        center.replay.cancel_requested.connect(lambda: self._cancel("steps"))
        side.python_requested.connect(self.copy_python)
        side.save_requested.connect(self.ask_save)
        self.book.listed.connect(self._on_listed)
        for bridge in (self._context.lab, self._context.studies, self._context.desk):
            bridge.arrived.connect(self._on_arrived)

    # ---- asking ----

    def set_open(self, choice: NetChoice | None) -> None:
        """Offer the net that is open in Inspect among those that can be chosen, as it is there."""
        if not self.form.chosen.set_open(choice) or self.form.source.value() != "file":
            return
        self._begun = False  # it is measured already, but otherwise
        if self.isVisible():
            self._begin()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self._begin()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.measure()

    def settled(self) -> bool:
        """Return whether everything that was asked for is on show."""
        idle = not self._settle.isActive() and not self._waiting
        return self._begun and idle and self.center.chart.settled()

    def _on_switch(self) -> None:
        """Another measurement is wanted: what runs is given up, so that the answer comes at once."""
        for kind in ("flow", "steps"):
            self._cancel(kind)
        self.swept = None
        self._cancel("sweep")
        self.source = None
        self._settle.start()

    def measure(self) -> None:
        """Measure the nets that the switches describe."""
        self._settle.stop()
        try:
            request = self.form.request()
        except UserError as error:
            self.banner.show_message(str(error), "warn")
            return
        self.banner.clear()
        self.request = request
        self._ask("flow", request)
        self._list_sources()

    def sweep(self) -> None:
        """Measure all depths in the background."""
        try:
            request = self.form.sweep()
        except UserError as error:
            self.banner.show_message(str(error), "warn")
            return
        self.swept = None
        self.center.set_sweeping(True)
        self._ask("sweep", request)

    def train_steps(self) -> None:
        """Train copies of the nets for some steps, live."""
        try:
            request = self.form.training(STEPS)
        except UserError as error:
            self.banner.show_message(str(error), "warn")
            return
        self.banner.clear()
        self.center.replay.set_training(True)
        self.center.show_chart("time")
        self._ask("steps", request)

    def _ask(self, kind: str, request: object) -> None:
        self._waiting.add(kind)
        bridge = self._context.lab if kind == "flow" else self._context.studies
        bridge.ask(kind, request)
        self.center.set_progress(0.0)

    def _cancel(self, kind: str) -> None:
        bridge = self._context.lab if kind == "flow" else self._context.studies
        if kind in self._waiting:
            bridge.cancel(kind)
            self._done(kind)

    def _done(self, kind: str) -> None:
        self._waiting.discard(kind)
        if kind == "sweep":
            self.center.set_sweeping(False)
        if kind == "steps":
            self.center.replay.set_training(False)
        if not self._waiting:
            self.center.set_progress(None)

    # ---- answers ----

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.kind not in self._waiting and not outcome.kind.startswith("lab:"):
            return
        if outcome.progress is not None:
            self.center.set_progress(outcome.progress)
        elif not outcome.kind.startswith("lab:"):
            self._done(outcome.kind)
        if outcome.error is not None:
            self.banner.show_message(str(outcome.error), "error")
            return
        value = outcome.value
        if isinstance(value, FlowMeasured):
            self.measured = value
            if value.notes and outcome.progress is None:
                self.banner.show_message(" ".join(value.notes), "info")
            self._tell_cost(value)
            if self.source is None:
                self._show()
        elif isinstance(value, DepthsSwept):
            self.swept = value
            self.center.show_chart("depth")
            self._show()
        elif isinstance(value, StepsTrained):
            self._take_steps(value, outcome.progress is None)
        elif isinstance(value, NetDescribed):
            self._take_card(outcome.kind, value.card)

    def _tell_cost(self, measured: FlowMeasured) -> None:
        if measured.pass_s > 0:
            extra = 100 * (measured.measured_s / measured.pass_s - 1)
            text = _tr("forward + backward {0:.2f} s · norms {1:+.0f} % · {2}")
            self.status.emit(text.format(measured.pass_s, extra, measured.batch))
        else:
            self.status.emit(measured.batch)

    def _take_steps(self, trained: StepsTrained, last: bool) -> None:
        self.source = live_source(trained.recordings, trained.cards)
        self.record = max((len(one.steps) for one in trained.recordings), default=1) - 1
        if last:
            self.sources = [self.source, *(one for one in self.sources if not one.live)]
            self._list_sources()
        self._show()

    # ---- recordings ----

    def _on_listed(self) -> None:
        """List the runs that can be replayed."""
        self.sources = [one for one in self.sources if one.live] + run_sources(self.book.histories.values())
        self._list_sources()

    def _list_sources(self) -> None:
        titles = [_tr("Measured now"), *(one.title for one in self.sources)]
        chosen = 0 if self.source is None else next((i + 1 for i, s in enumerate(self.sources) if s is self.source), 0)
        self.center.replay.set_sources(titles, chosen)

    def _on_source(self, index: int) -> None:
        self._cancel("steps")
        self.source = self.sources[index - 1] if index else None
        self.record = 0
        if self.source is not None and not self.source.cards:
            self._ask_cards(self.source)
        if self.source is not None and self.center.charts.value() == "depth":
            self.center.show_chart("blocks")
        self._show()

    def _ask_cards(self, source: Source) -> None:
        for index, config in enumerate(source.configs):
            self._context.desk.ask(f"lab:{index}", DescribeNet(config))

    def _take_card(self, kind: str, card: ModelCard) -> None:
        self._cards[kind] = card
        source = self.source
        if source is None or source.cards:
            return
        known = [self._cards.get(f"lab:{index}") for index in range(len(source.configs))]
        if all(one is not None and one.arch == config.model for one, config in zip(known, source.configs, strict=True)):
            whole = replace(source, cards=tuple(one for one in known if one is not None))
            self.sources = [whole if one is source else one for one in self.sources]
            self.source = whole
            self._show()

    def _on_moved(self, index: int) -> None:
        self.record = index
        self._show()

    # ---- showing ----

    def nets(self) -> list[Shown]:
        """Return what is on show, in the order of the legend."""
        if self.source is not None:
            step = self._step()
            bands = [flow_at(one, nearest_record(one, step)) for one in self.source.recordings if len(one.steps)]
            return [
                Shown(one.title, one.plain, one.labels, band)
                for one, band in zip(self.source.recordings, bands, strict=False)
            ]
        if self.measured is None:
            return []
        return [
            Shown(band.title, is_plain(card), band.labels, band)
            for band, card in zip(self.measured.bands, self.measured.cards, strict=True)
        ]

    def _step(self) -> float:
        """Return the step on show: a record of the recording with the most of them."""
        assert self.source is not None
        longest = max(self.source.recordings, key=lambda one: len(one.steps))
        return float(longest.steps[min(self.record, len(longest.steps) - 1)]) if len(longest.steps) else 0.0

    def cards(self) -> tuple[ModelCard, ...]:
        """Return what is known of the nets on show, for their maps."""
        if self.source is not None:
            return self.source.cards
        return self.measured.cards if self.measured is not None else ()

    def _show(self) -> None:
        nets = self.nets()
        colours = [colour for colour, _ in family_styles([net.plain for net in nets], theme.current().dark)]
        self.show_maps(nets, self.cards())
        self.show_numbers(nets, colours)
        self.show_chart(nets, self.source, self._step() if self.source is not None else 0.0, self.swept)
        self.show_block(nets, colours)
        self.show_sentence(nets, self.source is not None)
        self._show_replay()

    def _show_replay(self) -> None:
        replay = self.center.replay
        if self.source is None:
            replay.set_records(0)
            replay.at.setText("")
            return
        count = max((len(one.steps) for one in self.source.recordings), default=0)
        replay.set_records(count, min(self.record, max(0, count - 1)))
        last = max((float(one.steps[-1]) for one in self.source.recordings if len(one.steps)), default=0)
        replay.at.setText(_tr("step {0:,} of {1:,}").format(int(self._step()), int(last)))

    # ---- a block ----

    def _on_block(self, index: int, layer: str) -> None:
        cards = self.cards()
        if index < len(cards):
            self.choose_block(cards[index].layer(layer).block or layer)

    def _on_point(self, line: int, index: int) -> None:
        if self.center.charts.value() != "blocks":
            return
        nets = self.nets()
        plan = self.center.chart.plan()
        net = next((net for net in nets if plan and net.title == plan.lines[line].label), None)
        if net is not None:
            self.choose_block(net.band.blocks[index])

    def choose_block(self, block: str) -> None:
        """Look at one block: in the chart, on the maps, in the column at the right."""
        self.block = block
        for widget in self.center.maps:
            card = widget.card()
            known = next((one for one in card.blocks if one.name == block), None) if card is not None else None
            widget.set_selected(known.out if known is not None else None)
        self._show()

    def _on_chart(self) -> None:
        kind = self.center.charts.value()
        self.center.show_chart(kind)
        if kind == "time" and self.source is None and self.sources:
            self._on_source(1)
            self._list_sources()
            return
        self._show()

    # ---- files ----

    def _ask_file(self) -> None:
        from resnet_viz.gui.opening import MODEL_SUFFIXES

        start = str(self._context.settings.value("folder", "", type=str))
        models = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self, _tr("Open a model"), start, f"{_tr('Checkpoints')} ({models})")
        if path:
            self.form.add_net(path)

    def _ask_folder(self) -> None:
        start = str(self._context.settings.value("data-folder", "", type=str))
        if path := QFileDialog.getExistingDirectory(self, _tr("Choose a folder of class folders"), start):
            self.form.set_folder(path)

    def ask_save(self) -> None:
        """Ask for a file name and save the chart or the numbers."""
        start = str(Path(str(self._context.settings.value("save_folder", "", type=str))) / "gradients.png")
        filters = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf);;" + _tr("Numbers (*.csv)")
        path, chosen = QFileDialog.getSaveFileName(self, _tr("Save chart or numbers"), start, filters)
        path = with_ending(path, chosen, ENDINGS, self)
        if path:
            self._context.settings.setValue("save_folder", str(Path(path).parent))
            self.save(path)

    def save(self, path: str) -> None:
        """Save what is on show; the ending says how."""
        nets = self.nets()
        if not nets:
            self.banner.show_message(_tr("There is nothing to save yet. Wait for the measurement."), "info")
            return
        if path.lower().endswith(".csv"):
            title = self.source.title if self.source is not None else self.measured.batch if self.measured else ""
            flows, plain = tuple(net.band for net in nets), tuple(net.plain for net in nets)
            notes: tuple[str, ...] = ()
            if self.source is None and self.request is not None:
                notes = (f"update_ratio: first step of {self.request.optimizer}, learning rate {self.request.lr:g}",)
            target = Path(path)

            def write() -> None:
                from resnet_viz.analysis.gradient_export import write_flows

                write_flows(target, flows, title, plain=plain, notes=notes)

            # the file worker: a study would keep it waiting for minutes
            self._writer.write(target, write)
            return
        try:
            self.center.chart.save(Path(path))
        except UserError as error:
            self.banner.show_message(str(error), "error")
        else:
            self.banner.show_message(_tr("{0} is written.").format(path), "info")

    def copy_python(self) -> None:
        """Copy a script that prints the numbers on show."""
        from resnet_viz.session.gradient_snippets import gradient_script

        clipboard = QGuiApplication.clipboard()
        if self.request is not None and clipboard is not None:
            clipboard.setText(gradient_script(self.request))
            self.banner.show_message(_tr("The script is in the clipboard."), "info")
