"""The lesion board: blocks deleted and skips cut on the map of a trained net (Veit et al. 2016, section 4)."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import QCoreApplication, QEvent, QSettings, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QLabel, QSplitter, QVBoxLayout, QWidget

from resnet_viz.core.lesion_types import LesionKind, RandomLesion
from resnet_viz.core.types import Fit, ImageInput
from resnet_viz.gui.bridge import Bridge
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.column_scroll import ColumnScroll
from resnet_viz.gui.widgets.network_map import NetworkMap
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.gradient_requests import (
    LesionEach,
    LesionMeasured,
    LesionRandom,
    LesionsMeasured,
    MeasureLesion,
    NetChoice,
)

from . import lesion_words as words
from .lesion_center import LesionCenter
from .lesion_files import LesionFiles
from .lesion_picker import LesionPicker
from .lesion_side import LesionSide
from .lesion_state import SEED, LesionState, Study

MAP_SHARE, MAP_EM = 0.22, (10.5, 17.0)
"""Height of the map: as a share of the page, and its limits in sizes of the font."""
ROOMY_EM = 46.0
"""Pages at least this high have room for what the papers say."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionBoard", text)


class LesionBoard(QWidget):
    """The map, the bars, the numbers; asks, computes nothing itself.

    Args:
        lab: the worker that answers a click (``GradientDesk``).
        files: the worker that writes files.
        settings: choices that are remembered.
        parent: the widget that shows it.
        studies: another worker of the same kind for every block in turn. Without one, a click
            interrupts that measurement, which begins anew once the click is answered.

    Signals:
        status: a sentence for the status line.
    """

    status = pyqtSignal(str)

    def __init__(
        self,
        lab: Bridge,
        files: Bridge,
        settings: QSettings,
        parent: QWidget | None = None,
        *,
        studies: Bridge | None = None,
    ) -> None:
        super().__init__(parent)
        self._lab, self._studies = lab, studies or lab
        self.state = LesionState()
        self._image: ImageInput | None = None
        self._fit = Fit()
        self._asked: MeasureLesion | None = None
        self._again: Study | None = None
        self.banner = Banner()
        self.picker = LesionPicker(settings)
        self.map = NetworkMap()
        self.center = LesionCenter()
        self.side = LesionSide()
        self.files = LesionFiles(files, settings, self)
        self.empty = QLabel()
        self._lay_out()
        self._connect()
        self._reflect()

    def _lay_out(self) -> None:
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("lesion-columns")
        self.columns.setChildrenCollapsible(False)
        self.columns.addWidget(self.center)
        self.columns.addWidget(ColumnScroll(self.side, least_px=270))
        self.columns.setStretchFactor(0, 1)
        self.columns.setSizes([1000, 280])
        self.empty.setText(
            _tr(
                "No trained net is on this machine. Train one in the Train workspace, or open a checkpoint "
                "in Inspect: its blocks can then be deleted and its skip connections cut here."
            )
        )
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("muted", True)
        self.empty.setContentsMargins(48, 48, 48, 48)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.banner, self.picker, self.map):
            column.addWidget(widget)
        column.addWidget(self.columns, 1)
        column.addWidget(self.empty, 1)

    def _connect(self) -> None:
        self.picker.net_changed.connect(self._start_over)
        self.picker.data_changed.connect(self._on_data)
        self.map.block_clicked.connect(self.toggle_block)
        self.map.arc_clicked.connect(self.toggle_skip)
        self.center.each_requested.connect(self.measure_each)
        self.center.random_requested.connect(self.measure_random)
        self.center.stop_requested.connect(self.stop)
        self.center.bars.block_clicked.connect(self._on_bar)
        self.center.bars.draw_clicked.connect(self._on_draw)
        self.side.restore_requested.connect(self.restore_all)
        self.side.save_requested.connect(self.ask_save)
        self.side.python_requested.connect(self.copy_python)
        self.files.said.connect(lambda text: self.banner.show_message(text, "info"))
        self.files.failed.connect(lambda text: self.banner.show_message(text, "error"))
        for bridge in {self._lab, self._studies}:
            bridge.arrived.connect(self._on_arrived)

    # ---- what the window tells ----

    def set_model(self, choice: NetChoice | None) -> None:
        """Offer the net that is open in Inspect as it is there; None for none."""
        before = self.picker.choice()
        self.picker.set_open(choice)
        now = self.picker.choice()
        if now == before:
            return
        if now is not None and before is not None and now == replace(before, normalization=now.normalization):
            self._on_data()  # the same net sees the pictures otherwise: what was done to it stays
        else:
            self._start_over()

    def set_picture(self, image: ImageInput, fit: Fit) -> None:
        """Show the confidences of this picture."""
        self._image, self._fit = image, fit
        self.side.show_picture(image)
        self._ask()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        if self.picker.refresh() or self.state.card is None:
            self._start_over()
        else:
            self._ask()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit_map()
        self._show_sentence()

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._fit_map()

    def _fit_map(self) -> None:
        least, most = (limit * self.fontInfo().pixelSize() for limit in MAP_EM)
        self.map.setFixedHeight(round(min(most, max(least, MAP_SHARE * self.height()))))

    # ---- what is done to the net ----

    def toggle_block(self, block: str) -> None:
        """Delete a block, or put it back."""
        self._change(self.state.toggled_block(block))

    def toggle_skip(self, block: str) -> None:
        """Cut a block's skip connection, or mend it."""
        self._change(self.state.toggled_skip(block))

    def restore_all(self) -> None:
        """Put everything back."""
        self._change((frozenset(), frozenset()))

    def _change(self, wanted: tuple[frozenset[str], frozenset[str]] | None) -> None:
        if wanted is None:
            return
        self.state.change(*wanted)
        self.map.set_lesions(*wanted)
        self._reflect()
        self._ask()

    def _on_bar(self, block: str) -> None:
        (self.toggle_skip if self.state.cutting else self.toggle_block)(block)

    def _on_draw(self, draw: int) -> None:
        """Do to the net on the map what a draw did."""
        study = self.state.study
        if study is not None and isinstance(study.result, RandomLesion):
            self._change((frozenset(study.result.deleted[draw]), frozenset()))

    # ---- asking ----

    def _start_over(self) -> None:
        """Forget everything of the net before, and ask about the chosen one."""
        self._lab.cancel("lesion")
        self.stop()
        self.state, self._asked = LesionState(), None
        self.map.set_card(None)
        self.map.set_operable(())
        self.banner.clear()
        self._reflect()
        self._ask()

    def _on_data(self) -> None:
        """Measure on other pictures, or the same ones seen otherwise."""
        self._lab.cancel("lesion")
        self.stop()
        self.state.forget_numbers()
        self._asked = None
        self.banner.clear()
        self._reflect()
        self._ask()

    def request(self) -> MeasureLesion:
        """Return the question that the board asks now, while there is a net."""
        choice = self.picker.choice()
        assert choice is not None
        return MeasureLesion(
            choice,
            self.picker.source(),
            pictures=self.picker.count(),
            seed=SEED,
            deleted=self.state.deleted,
            cut=self.state.cut,
            image=self._image,
            fit=self._fit,
        )

    def _ask(self) -> None:
        """Ask about the net on the map, unless nobody would see the answer or it was asked already."""
        if not self.isVisible() or self.picker.choice() is None:
            return
        wanted = self.request()
        if wanted == self._asked:
            return
        self._asked = wanted
        if self.state.running is not None and self._studies is self._lab:
            self._again = self.state.running
            self._lab.cancel("lesions")
        self.side.set_waiting()
        self._lab.ask("lesion", wanted)

    def measure_each(self, kind: LesionKind) -> None:
        """Delete every block, or cut every skip, in turn."""
        choice, data, pictures = self.picker.choice(), self.picker.source(), self.picker.count()
        if choice is not None:
            self._begin(LesionEach(choice, kind, data, pictures=pictures, seed=SEED))

    def measure_random(self, k: int, draws: int, seed: int) -> None:
        """Delete k blocks at random, several times."""
        choice, data, pictures = self.picker.choice(), self.picker.source(), self.picker.count()
        if choice is not None:
            self._begin(LesionRandom(choice, k, draws, data, pictures=pictures, seed=seed))

    def _begin(self, request: Study) -> None:
        self.banner.clear()
        self._again = None
        self.state.running, self.state.study = request, None
        self.center.set_running(0.0)
        self._reflect()
        self._studies.ask("lesions", request)

    def stop(self) -> None:
        """Give up the running measurement; what is known of it stays."""
        self._studies.cancel("lesions")
        self.state.running = self._again = None
        self.center.set_running(None)
        self._reflect()

    # ---- answers ----

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.kind == "lesion":
            self._on_lesion(outcome)
        elif outcome.kind == "lesions":
            self._on_lesions(outcome)

    def _on_lesion(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.banner.show_message(str(outcome.error), "error")
            self._asked = None  # to be asked again when the board is shown again
            self.state.failed = True
            self._reflect()
        elif isinstance(outcome.value, LesionMeasured):
            self._take(outcome.value)
        self.side.card.set_progress(outcome.progress)
        if outcome.progress is None and self._again is not None:
            self._begin(self._again)

    def _take(self, measured: LesionMeasured) -> None:
        state = self.state
        if state.card != measured.card:
            self.map.set_card(measured.card)
        state.take(measured)
        self.map.set_lesions(state.deleted, state.cut)
        self.map.set_operable(measured.can_delete, measured.can_cut)
        if measured.f_to_x:
            self.map.set_values(measured.f_to_x, "‖F‖ / ‖x‖", vmin=0.0, vmax=state.map_top())
        self._reflect()

    def _on_lesions(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.banner.show_message(str(outcome.error), "error")
        elif isinstance(outcome.value, LesionsMeasured):
            self.state.take_study(outcome.value)
        if outcome.progress is None:
            self.state.running = None
        self.center.set_running(outcome.progress)
        self._reflect()

    def _reflect(self) -> None:
        """Show what is known now."""
        state, has_net = self.state, self.picker.choice() is not None
        self.empty.setVisible(not has_net)
        for widget in (self.map, self.columns, self.picker.hint):
            widget.setVisible(has_net)
        self.picker.hint.setText(state.hint())
        measured = state.measured
        done = words.changes(state.card, state.deleted, state.cut) if state.card is not None else ""
        self.side.show_changes(done[:1].upper() + done[1:])
        self.side.show_measured(measured, self.picker.count(), bool(state.changed))
        self.center.set_limits(
            len(measured.can_delete) if measured is not None else 0,
            len(measured.can_cut) if measured is not None else 0,
        )
        self.center.bars.set_chart(state.chart())
        self.center.bars.set_hint(state.bars_hint())
        heading, facts = state.heading()
        self.center.heading.setText(heading)
        self.center.sub.setText(facts)
        self._show_sentence()
        self.side.save_button.setEnabled(state.study is not None)
        self.side.python_button.setEnabled(measured is not None)

    def _show_sentence(self) -> None:
        self.center.show_sentence(*self.state.sentence(), self.height() > ROOMY_EM * self.fontInfo().pixelSize())

    # ---- taking it along ----

    def ask_save(self) -> None:
        """Ask for a file name and save the bars or their numbers."""
        self.files.ask_save(self.state.study)

    def copy_python(self) -> None:
        """Copy a script that measures what is on show: the bars where there are any, else the net on the map."""
        known = self.state.measured is not None
        self.files.copy_python((self.state.answered or self.request()) if known else None)
