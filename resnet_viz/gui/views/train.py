"""The Train workspace: choose, start, watch, compare; training itself is another process (DESIGN section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QFrame, QMenu, QScrollArea, QSplitter, QVBoxLayout, QWidget

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import atomic_path, runs_dir
from resnet_viz.core.types import Fit, ImageInput, ModelCard
from resnet_viz.gui.context import Context
from resnet_viz.gui.training_process import RunQueue
from resnet_viz.gui.widgets.answered import Answered
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.training_requests import (
    Cost,
    DataFacts,
    DescribeData,
    DescribeNet,
    Downloaded,
    DownloadOffered,
    DownloadSet,
    EstimateCost,
    JudgeRun,
    MapsWatched,
    NetDescribed,
    OfferDownload,
    RunJudged,
    WatchMaps,
)
from resnet_viz.training import layout
from resnet_viz.training.alive import ask_to_stop, is_alive
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.history_record import RunHistory

from .registry import ViewSpec, views
from .train_center import TrainCenter
from .train_form import TrainForm, unused_name
from .train_grid import AblationDialog
from .train_side import TrainSide


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
        self._judged: RunJudged | None = None
        self.layer = ""
        self.banner = Banner()
        self.form = TrainForm()
        self.center = TrainCenter()
        self.side = TrainSide()
        self._listed = False
        self._lay_out()
        self._connect()
        self.center.show_run(None, False, False, 0, False)
        self.side.show_run(None, "")

    def _lay_out(self) -> None:
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("train-columns")
        self.columns.setChildrenCollapsible(False)
        for widget, least, stretch in ((self.form, 300, 0), (self.center, 360, 1), (self.side, 300, 0)):
            place: QWidget = widget
            if widget is self.side:
                scroll = QScrollArea()
                scroll.setWidgetResizable(True)
                scroll.setFrameShape(QFrame.Shape.NoFrame)
                scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
                scroll.setWidget(widget)
                place = scroll
            place.setMinimumWidth(least)
            self.columns.addWidget(place)
            self.columns.setStretchFactor(self.columns.count() - 1, stretch)
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
        form.look_requested.connect(self._look)
        form.folder_requested.connect(self._ask_folder)
        center.pause_requested.connect(lambda: self.queue.set_paused(not self.queue.paused))
        center.stop_requested.connect(self.stop)
        center.resume_requested.connect(self.resume)
        center.inspect_requested.connect(lambda: self._open_chosen(self._chosen()))
        center.export_requested.connect(self._export_table)
        center.chart.save_requested.connect(self._save_chart)
        center.table.chosen.connect(self._on_chosen)
        center.table.activated_run.connect(lambda path: self._open_chosen([path]))
        center.table.menu = self._fill_menu
        center.gallery.picked.connect(self._on_picture)
        center.map.layer_selected.connect(self._on_layer)
        self.side.judge_requested.connect(self.judge)
        self.side.confusion.cell_clicked.connect(self._on_cell)
        self.side.confusion.wrong_ones_wanted.connect(self._on_cell)
        self.queue.told.connect(self._on_told)
        self.queue.said.connect(lambda run, line: center.log.appendPlainText(f"{run.name}: {line}"))
        self.queue.failed.connect(self._on_failed)
        self.queue.done.connect(self.book.refresh)
        self.book.listed.connect(self._on_listed)
        self.book.changed.connect(self._on_run)
        self.book.ended.connect(lambda _run: self._show_shown())
        self.queue.changed.connect(self._show_shown)
        self._context.desk.arrived.connect(self._on_arrived)
        self._context.costs.arrived.connect(self._on_arrived)

    # ---- what the window tells ----

    def set_picture(self, image: ImageInput) -> None:
        """Use this picture for the maps of running nets."""
        self._image = image
        self._ask_maps()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        if not self._listed:
            self._listed = True
            self.book.read()
            self._look()

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
            run = runs_dir() / unused_name(runs_dir(), config.check())
            with atomic_path(run / layout.CONFIG) as path:
                path.write_text(config.to_toml(), encoding="utf-8")
            made.append(run)
        self.banner.clear()
        for run in made:
            self.book.refresh(run)
            self.queue.add(run)
        self.center.table.select([made[0]] if len(made) == 1 else made)
        self.center.tabs.setCurrentIndex(0)
        return made

    def stop(self) -> None:
        """Ask the run on show to save and end."""
        if self.queue.current is not None and self.queue.current.run == self.shown:
            self.queue.stop()
        elif self.shown is not None and is_alive(self.shown):
            ask_to_stop(self.shown)
        self.status.emit(_tr("The run is saved and ends…"))

    def resume(self) -> None:
        """Queue the chosen runs that did not come to their end."""
        for run in self._chosen():
            history = self.book.get(run)
            if history is None or history.state == "finished":
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

    # ---- the form ----

    def _look(self) -> None:
        if not self.isVisible():
            return
        try:
            config = self.form.config()
        except UserError as error:
            self.banner.show_message(str(error), "error")
            return
        self.banner.clear()
        self.form.show_cost(None)
        self._context.desk.ask("data", DescribeData(config))
        self._context.costs.ask("cost", EstimateCost(config))

    def _ask_folder(self) -> None:
        start = str(self._context.settings.value("data-folder", "", type=str))
        if path := QFileDialog.getExistingDirectory(self, _tr("Choose a folder of class folders"), start):
            self._context.settings.setValue("data-folder", path)
            self.form.set_data(path)

    def _no_data(self, error: str) -> None:
        """Say why the data cannot be used, and ask what a download would be where there is one."""
        from resnet_viz.data.download import downloadable

        self.banner.show_message(error, "error")
        data = str(self.form.fields["data"].value())
        if data in downloadable():
            self._context.desk.ask("offer", OfferDownload(data))

    def _offer(self, offered: DownloadOffered) -> None:
        if offered.data != self.form.fields["data"].value():
            return
        text = _tr("{0} is not on this machine. Download {1:.0f} MB from {2} into {3}?").format(
            offered.title, offered.megabytes, ", ".join(offered.hosts), offered.folder
        )
        self.banner.show_message(text, "warn", [(_tr("Download"), lambda: self._download(offered.data))])

    def _download(self, data: str) -> None:
        self._context.desk.ask("download", DownloadSet(data))
        self.banner.show_message(
            _tr("Downloading…"), "info", [(_tr("Cancel"), lambda: self._context.desk.cancel("download"))]
        )

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
        run = self.book.get(self.shown)
        own = self.queue.current.run if self.queue.current is not None else None
        self.book.set_own(own)
        ours = own is not None and own == self.shown
        alive = self.shown in self.book.alive
        self.center.show_run(run, ours, alive, len(self.queue.waiting), self.queue.paused and ours)
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

    def _on_listed(self) -> None:
        runs = list(self.book.histories.values())
        self.center.table.set_runs(runs)
        starts = [(str(run.path), run.title) for run in runs if (run.path / layout.WEIGHTS).is_file()]
        self.form.set_starts(starts)
        if self.shown is None and runs:
            first = next((run.path for run in runs if run.path in self.book.alive), runs[0].path)
            self.center.table.select([first])

    def _on_told(self, run: Path, event: dict[str, object]) -> None:
        if event.get("event") == "checkpoint" and run == self.shown:
            self._ask_maps()

    def _on_failed(self, run: Path, reason: str) -> None:
        self.book.refresh(run)
        self.banner.show_message(f"{run.name}: {reason}", "error")
        self.center.log.appendPlainText(f"{run.name}: {reason}")

    def _fill_menu(self, menu: QMenu, paths: list[Path]) -> None:
        for text, slot in (
            (_tr("Open in Inspect"), lambda: self._open_chosen(paths)),
            (_tr("Resume"), self.resume),
            (_tr("Take its values into the form"), lambda: self._take(paths[0])),
            (_tr("Answer all test pictures"), self.judge),
        ):
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

    def judge(self) -> None:
        """Let the run on show answer every test picture."""
        if self.shown is not None:
            self._context.desk.ask("judge", JudgeRun(self.shown))
            self.side.judge_button.setEnabled(False)
            self.status.emit(_tr("Answering the test pictures…"))

    def _on_cell(self, true: int, predicted: int) -> None:
        if self._judged is None or self._judged.run != self.shown:
            self.judge()
            return
        self.center.tabs.setCurrentWidget(self.center.gallery)
        self.center.gallery.set_pair((true, predicted))

    def _on_picture(self, index: int) -> None:
        if self._judged is not None:
            judged = self._judged
            name = judged.classes[judged.labels[index]]
            self.open_picture.emit(ImageInput(judged.images[index], f"{name} {index}", label=name))

    def _on_layer(self, layer: str) -> None:
        self.layer = layer
        self.center.map.set_selected(layer)
        self._ask_maps()

    def _ask_maps(self) -> None:
        run, image = self.shown, self._image
        if run is None or image is None or not self.layer or not (run / layout.LAST).is_file():
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
        if isinstance(value, DataFacts):
            self.form.show_facts(value)
        elif isinstance(value, Cost):
            self.form.show_cost(value)
        elif isinstance(value, NetDescribed) and value.config == self._card_of:
            self._take_card(value.card)
        elif isinstance(value, MapsWatched) and value.run == self.shown and self._image is not None:
            self.side.show_maps(value, self._image.source)
        elif isinstance(value, RunJudged):
            self._take_judged(value)
        elif isinstance(value, DownloadOffered):
            self._offer(value)
        elif isinstance(value, Downloaded):
            self.banner.clear()
            self._look()

    def _on_progress(self, kind: str, share: float) -> None:
        texts = {"data": _tr("Reading the pictures"), "download": _tr("Downloading"), "judge": _tr("Answering")}
        if kind in texts:
            self.status.emit(f"{texts[kind]}: {100 * share:.0f} %")

    def _on_error(self, kind: str, text: str) -> None:
        if kind == "data":
            self._no_data(text)
        elif kind == "cost":
            self.form.cost.setText(text)
        else:
            self.banner.show_message(text, "error")
        if kind == "judge":
            self.side.judge_button.setEnabled(True)

    def _take_card(self, card: ModelCard) -> None:
        self._card = card
        self.center.map.set_card(card)
        self.center.map.show()
        names = [layer.name for layer in card.layers]
        if self.layer not in names:
            blocks = [block for block in card.blocks if block.kind in ("residual", "plain", "conv")]
            self.layer = blocks[len(blocks) // 2].out if blocks else names[0]
        self.center.map.set_selected(self.layer)
        self._show_shown()
        self._ask_maps()

    def _take_judged(self, judged: RunJudged) -> None:
        self._judged = judged
        self.status.emit("")
        self.side.judge_button.setEnabled(True)
        self.side.confusion.set_counts(judged.confusion, judged.classes)
        self.side.confusion.show()
        self.side.confusion_title.show()
        self.center.gallery.set_pictures(
            Answered(judged.images, judged.labels, judged.answers, judged.probs, judged.classes)
        )
        self.center.tabs.setCurrentWidget(self.center.gallery)

    # ---- files ----

    def _save_chart(self) -> None:
        filters = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        path, _ = QFileDialog.getSaveFileName(self, _tr("Save the chart"), "curves.png", filters)
        if path:
            self._write(lambda: self.center.chart.save(Path(path)), path)

    def _export_table(self) -> None:
        filters = "CSV (*.csv);;Markdown (*.md)"
        path, _ = QFileDialog.getSaveFileName(self, _tr("Export the table"), "runs.csv", filters)
        if path:
            text = self.center.table.to_markdown() if path.endswith(".md") else self.center.table.to_csv()

            def write() -> None:
                with atomic_path(Path(path)) as temporary:
                    temporary.write_text(text, encoding="utf-8")

            self._write(write, path)

    def _write(self, write: object, path: str) -> None:
        try:
            write()  # type: ignore[operator]
        except UserError as error:
            self.banner.show_message(str(error), "error")
        else:
            self.banner.show_message(_tr("{0} is written.").format(path), "info")


views.add("train", ViewSpec("train", lambda: _tr("Train"), TrainView, 30))
