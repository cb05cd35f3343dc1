"""The Train workspace: choose, start, watch, compare; training itself is another process (DESIGN section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QEvent, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QFrame, QMenu, QScrollArea, QSplitter, QVBoxLayout, QWidget

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import atomic_path, runs_dir, trained_dir
from resnet_viz.core.types import Fit, ImageInput, ModelCard
from resnet_viz.gui.context import Context
from resnet_viz.gui.training_process import RunQueue
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.training_requests import DescribeNet, MapsWatched, NetDescribed, RunJudged, WatchMaps
from resnet_viz.training import layout
from resnet_viz.training.alive import ask_to_stop, is_alive
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.history_record import RunHistory

from .registry import ViewSpec, views
from .train_answers import TrainAnswers
from .train_center import TrainCenter
from .train_files import export_table, save_chart
from .train_form import TrainForm, unused_name
from .train_grid import AblationDialog
from .train_inputs import TrainInputs
from .train_side import TrainSide
from .train_start import first_shown

CENTER_LETTERS = 52
"""How many digits wide the middle is at least, before the right column moves into a tab."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Train", text)


class TrainView(QWidget):
    """Form, curves, table; holds the choices and asks, computes nothing itself.

    Signals:
        open_run: folder of a run that shall be opened in Inspect.
        open_picture: a test picture that shall be opened in Inspect, ImageInput.
        status: a sentence for the status line.
    """

    open_run = pyqtSignal(object)
    open_picture = pyqtSignal(object)
    status = pyqtSignal(str)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.queue = RunQueue(self)
        self.book = context.book
        self.shown: Path | None = None
        self._card: ModelCard | None = None
        self._card_of: TrainConfig | None = None
        self._image: ImageInput | None = None
        self.layer = ""
        self._saved = 0
        self.banner = Banner()
        self.form = TrainForm()
        self.center = TrainCenter()
        self.side = TrainSide()
        self._listed = False
        self._fitting = QTimer(self)  # later: while fonts and sizes are handed down no widget may move
        self._fitting.setSingleShot(True)
        self._fitting.setInterval(0)
        self._fitting.timeout.connect(self._fit)
        self._lay_out()
        self.inputs = TrainInputs(context, self.form, self.banner, self)
        self.answers = TrainAnswers(context, self.center, self.side, lambda: self.shown, self)
        self.queue.blocked = lambda: bool(self._elsewhere())
        self._connect()
        self.center.show_run(None, False, False, None, False)
        self.side.show_run(None, "")

    def _lay_out(self) -> None:
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("train-columns")
        self.columns.setChildrenCollapsible(False)
        self.aside = QScrollArea()
        self.aside.setWidgetResizable(True)
        self.aside.setFrameShape(QFrame.Shape.NoFrame)
        self.aside.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.aside.setWidget(self.side)
        self.aside.setMinimumWidth(300)
        for place, (widget, stretch) in enumerate(((self.form, 0), (self.center, 1), (self.aside, 0))):
            self.columns.addWidget(widget)
            self.columns.setStretchFactor(place, stretch)
        self.columns.setSizes([310, 780, 320])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.columns, 1)

    def _connect(self) -> None:
        form, center = self.form, self.center
        form.start_requested.connect(self.start)
        form.grid_requested.connect(self._ask_grid)
        center.pause_requested.connect(lambda: self.queue.set_paused(not self.queue.paused))
        center.stop_requested.connect(self.stop)
        center.resume_requested.connect(self.resume)
        center.inspect_requested.connect(lambda: self._open_chosen(self._chosen()))
        center.export_requested.connect(lambda: export_table(self, center.table, self.banner))
        center.chart.save_requested.connect(lambda: save_chart(self, center.chart, self.banner))
        center.table.chosen.connect(self._on_chosen)
        center.table.activated_run.connect(lambda path: self._open_chosen([path]))
        center.table.menu = self._fill_menu
        center.map.layer_selected.connect(self._on_layer)
        self.answers.open_picture.connect(self.open_picture)
        self.answers.status.connect(self.status)
        self.inputs.status.connect(self.status)
        self.queue.said.connect(lambda run, line: center.log.appendPlainText(f"{run.name}: {line}"))
        self.queue.failed.connect(self._on_failed)
        self.queue.done.connect(self._on_done)
        self.book.listed.connect(self._on_listed)
        self.book.changed.connect(self._on_run)
        self.book.ended.connect(self._on_ended)
        self.queue.changed.connect(self._show_shown)
        self._context.desk.arrived.connect(self._on_arrived)
        self._context.costs.arrived.connect(self._on_arrived)

    # ---- what the window tells ----

    def set_picture(self, image: ImageInput) -> None:
        """Use this picture for the maps of running nets."""
        self._image = image
        self._ask_maps()

    # ---- room ----

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._fitting.start()
        if self._listed:
            self._ask_maps()
            return
        self._listed = True
        self.book.read()
        self.inputs.look()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fitting.start()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is None or not hasattr(self, "_fitting"):
            return
        if event.type() == QEvent.Type.FontChange:
            self._fitting.start()
        elif event.type() == QEvent.Type.PaletteChange:
            self._show_curves()

    def _fit(self) -> None:
        """Make the form as wide as its letters need, and move the right column into a tab where that leaves no room."""
        form_px = max(300, self.form.least_px())
        center_px = self.fontMetrics().horizontalAdvance("0") * CENTER_LETTERS
        self.form.setMinimumWidth(form_px)
        apart = self.width() >= form_px + center_px + self.aside.minimumWidth()
        tabs = self.center.tabs
        if apart == (tabs.indexOf(self.aside) < 0):
            return
        if apart:
            tabs.removeTab(tabs.indexOf(self.aside))
            self.columns.addWidget(self.aside)
            self.aside.show()
        else:
            tabs.addTab(self.aside, _tr("Gradients and maps"))

    # ---- starting and stopping ----

    def start(self) -> None:
        """Queue the run that the form describes."""
        try:
            self.enqueue([self.form.config()])
        except UserError as error:
            self.banner.show_message(str(error), "error")

    def enqueue(self, configs: Sequence[TrainConfig]) -> list[Path]:
        """Write each run's folder and queue it; return the folders.

        Raises:
            UserError: if a configuration makes no sense or the folder cannot be written.
        """
        made = []
        for config in configs:
            run = runs_dir() / unused_name((runs_dir(), trained_dir()), config.check())
            with atomic_path(run / layout.CONFIG) as path:
                path.write_text(config.to_toml(), encoding="utf-8")
            made.append(run)
        self.banner.clear()
        for run in made:
            self.book.refresh(run)
            self.queue.add(run)
        self.center.table.select([made[0]] if len(made) == 1 else made)
        self.center.tabs.setCurrentIndex(0)
        if others := self._elsewhere():
            text = _tr("{0} is being trained outside this window. What was queued begins when it has ended.")
            self.banner.show_message(text.format(others[0].name), "info")
        return made

    def _elsewhere(self) -> list[Path]:
        """Return the runs that others train on this machine."""
        own = self.queue.current.run if self.queue.current is not None else None
        return sorted(run for run in self.book.alive if run != own)

    def stop(self) -> None:
        """Ask the run on show to save and end, or take it out of the queue."""
        run = self.shown
        if run is not None and run in self.queue.waiting:
            self.queue.remove(run)
            return
        if self.queue.current is not None and self.queue.current.run == run:
            self.queue.stop()
        elif run is not None and is_alive(run):
            ask_to_stop(run)
        self.status.emit(_tr("The run is saved and ends…"))

    def resume(self) -> None:
        """Queue the chosen runs that did not come to their end."""
        for run in self._chosen():
            history = self.book.get(run)
            if history is None or (history.state == "finished" and history.test_error is not None):
                self.banner.show_message(_tr("{0} has come to its end already.").format(run.name), "info")
            elif is_alive(run):
                self.banner.show_message(_tr("{0} is being trained already.").format(run.name), "info")
            else:
                self.queue.add(run)

    def _ask_grid(self) -> None:
        try:
            base = self.form.config()
        except UserError as error:
            self.banner.show_message(str(error), "error")
            return
        AblationDialog(base, self.enqueue, self).open()

    # ---- runs ----

    def _chosen(self) -> list[Path]:
        return self.center.table.selected() or ([self.shown] if self.shown else [])

    def _on_chosen(self, paths: list[Path]) -> None:
        if paths:
            self.shown = paths[0]
        self._show_curves()
        self._show_shown()

    def _show_curves(self) -> None:
        chosen = [run for path in self._chosen() if (run := self.book.get(path)) is not None]
        self.center.chart.set_runs(chosen)
        self.center.table.set_colours(self.center.chart.colours())

    def _show_shown(self) -> None:
        own = self.queue.current.run if self.queue.current is not None else None
        self.book.set_queue(own, self.queue.waiting)
        run = self.book.get(self.shown)
        ours = own is not None and own == self.shown
        alive = self.shown in self.book.alive
        before = None
        if self.shown in self.queue.waiting:
            before = self.queue.waiting.index(self.shown) + 1
        self.center.show_run(run, ours, alive, before, self.queue.paused and ours)
        self.center.show_newest(run, ours or alive)
        self.side.show_run(run, self.layer)
        if run is not None:
            self._show_map(run)

    def _show_map(self, run: RunHistory) -> None:
        """Ask for the net's card when another run is shown, and colour the map with its gradients."""
        try:
            config = TrainConfig.read(run.path / layout.CONFIG)
        except UserError:
            return
        if self._card_of is None or config != self._card_of:
            self._card_of, self._card = config, None
            self.side.show_maps(None, "")
            self._context.desk.ask("net", DescribeNet(config))
        if self._card is not None and len(run.gradient_steps):
            values = dict(zip(run.blocks, map(float, run.weight_norm[-1]), strict=True))
            self.center.map.set_values(values, _tr("gradient norm"), log=True, colormap="magma")

    def _on_run(self, run: Path) -> None:
        """Show what a run has added to its log."""
        history = self.book.histories[run]
        if any(known.path == run for known in self.center.table.runs()):
            self.center.table.update_run(history)
        else:
            self.center.table.set_runs(list(self.book.histories.values()))
        if run in self._chosen():
            self._show_curves()
        if run == self.shown:
            self._show_shown()
            if (saved := _saved_at(run)) != self._saved:  # whoever trains it has written a checkpoint
                self._saved = saved
                self._ask_maps()

    def _on_listed(self) -> None:
        runs = list(self.book.histories.values())
        self.center.table.set_runs(runs)
        self._offer_starts()
        if self.shown is None and runs:
            self.center.table.select([run.path for run in first_shown(runs, self.book.alive)])

    def _offer_starts(self) -> None:
        runs = [run for run in self.book.histories.values() if (run.path / layout.WEIGHTS).is_file()]
        self.form.set_starts([(str(run.path), run.name, run.model) for run in runs])

    def _on_done(self, run: Path) -> None:
        self.book.refresh(run)
        self._offer_starts()
        self.status.emit("")

    def _on_ended(self, _run: Path) -> None:
        self.status.emit("")
        self.queue.go_on()
        self._show_shown()

    def _on_failed(self, run: Path, reason: str) -> None:
        self.book.refresh(run)
        self.banner.show_message(f"{run.name}: {reason}", "error")
        self.center.log.appendPlainText(f"{run.name}: {reason}")

    def _fill_menu(self, menu: QMenu, paths: list[Path]) -> None:
        entries: list[tuple[str, Callable[[], object]]] = [
            (_tr("Open in Inspect"), lambda: self._open_chosen(paths)),
            (_tr("Resume"), self.resume),
            (_tr("Take its values into the form"), lambda: self._take(paths[0])),
            (_tr("Answer all test pictures"), self.answers.judge),
        ]
        if waiting := [path for path in paths if path in self.queue.waiting]:
            entries[1] = (_tr("Do not start"), lambda: self.queue.remove(*waiting))
        for text, slot in entries:
            action = menu.addAction(text)
            assert action is not None
            action.triggered.connect(lambda _checked, slot=slot: slot())

    def _take(self, run: Path) -> None:
        try:
            self.form.set_config(TrainConfig.read(run / layout.CONFIG))
        except UserError as error:
            self.banner.show_message(str(error), "error")

    def _open_chosen(self, paths: list[Path]) -> None:
        if not paths:
            self.banner.show_message(_tr("Choose a run in the table first."), "info")
        elif not (paths[0] / layout.WEIGHTS).is_file():
            self.banner.show_message(
                _tr("{0} has no weights yet: its first epoch is not over.").format(paths[0].name), "info"
            )
        else:
            self.open_run.emit(paths[0])

    # ---- looking closer ----

    def _on_layer(self, layer: str) -> None:
        self.layer = layer
        self.center.map.set_selected(layer)
        self._ask_maps()

    def _ask_maps(self) -> None:
        run, image = self.shown, self._image
        if run is None or image is None or not self.layer or not (run / layout.LAST).is_file():
            return
        if not self.isVisible():  # the cores belong to what is on show; asked again when this is
            return
        self._context.desk.ask("maps", WatchMaps(run, image, Fit(), self.layer))

    # ---- answers ----

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.kind.startswith("lab:"):  # asked by the Gradients workspace
            return
        if outcome.progress is not None:
            self._on_progress(outcome.kind, outcome.progress)
            return
        if outcome.error is not None:
            self._on_error(outcome.kind, str(outcome.error))
            return
        value = outcome.value
        if outcome.kind in ("data", "download"):
            self.status.emit("")
        if self.inputs.take(value):
            return
        if isinstance(value, NetDescribed) and value.config == self._card_of:
            self._take_card(value.card)
        elif isinstance(value, MapsWatched) and value.run == self.shown and self._image is not None:
            self.side.show_maps(value, self._image.source)
        elif isinstance(value, RunJudged):
            self.answers.take(value)

    def _on_progress(self, kind: str, share: float) -> None:
        texts = {"data": _tr("Reading the pictures"), "download": _tr("Downloading"), "judge": _tr("Answering")}
        if kind in texts:
            self.status.emit(f"{texts[kind]}: {100 * share:.0f} %")

    def _on_error(self, kind: str, text: str) -> None:
        self.status.emit("")
        if kind == "data":
            self.inputs.no_data(text)
        elif kind == "cost":
            self.form.show_cost(None, text)
        else:
            self.banner.show_message(text, "error")
        if kind == "judge":
            self.answers.give_up()

    def _take_card(self, card: ModelCard) -> None:
        self._card = card
        self.center.show_net(card)
        names = [layer.name for layer in card.layers]
        if self.layer not in names:
            blocks = [block for block in card.blocks if block.kind in ("residual", "plain", "conv")]
            self.layer = blocks[len(blocks) // 2].out if blocks else names[0]
        self.center.map.set_selected(self.layer)
        self._show_shown()
        self._ask_maps()


def _saved_at(run: Path) -> int:
    try:
        return (run / layout.LAST).stat().st_mtime_ns
    except OSError:
        return 0


views.add("train", ViewSpec("train", lambda: _tr("Train"), TrainView, 30))
