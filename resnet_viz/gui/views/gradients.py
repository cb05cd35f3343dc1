"""The Gradients workspace: plain against residual, the degradation race, the lesion board (DESIGN section 2)."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import QCoreApplication, pyqtSignal
from PyQt6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from resnet_viz.core.errors import UserError, unknown
from resnet_viz.core.types import Fit, ImageInput, ModelCard
from resnet_viz.gui.context import Context
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.gradient_requests import NetChoice
from resnet_viz.session.open_nets import as_opened
from resnet_viz.session.requests import Look

from .gradient_page import GradientPage
from .lesion_board import LesionBoard
from .race import RacePage
from .registry import ViewSpec, views

PAGES = ("blocks", "race", "lesions")
"""Names of the pages, in the order of their tabs."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Gradients", text)


class GradientsView(QWidget):
    """Three pages of one question: why does a skip connection help?

    Signals:
        status: a sentence for the status line.
    """

    status = pyqtSignal(str)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.book, self._lab = context.book, context.lab
        self._card: ModelCard | None = None
        self._open: NetChoice | None = None
        self._image: ImageInput | None = None
        self._fit = Fit()
        self.page = GradientPage(context, self.book)
        self.race = RacePage(self.book)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.page, _tr("Block by block"))
        self.tabs.addTab(self.race, _tr("Degradation race"))
        self.lesions = LesionBoard(context.lab, context.files, context.settings, studies=context.studies)
        self.tabs.addTab(self.lesions, _tr("Lesion board"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tabs)
        self.page.status.connect(self.status)
        self.lesions.status.connect(self.status)
        context.nets.arrived.connect(self._on_looked)
        self._listed = False

    @property
    def splitters(self) -> tuple[QSplitter, ...]:
        """Return the splitters whose state is remembered."""
        return self.page.columns, self.lesions.columns

    def set_model(self, card: ModelCard) -> None:
        """Offer the net that is open in Inspect, as it was opened there."""
        self._card = card
        self._offer(as_opened(card))

    def _offer(self, choice: NetChoice | None) -> None:
        self._open = choice
        self.page.set_open(choice)
        self.lesions.set_model(choice)

    def set_picture(self, image: ImageInput) -> None:
        """Show the confidences for this picture where a net is changed."""
        self._image, self._fit = image, Fit()
        self.lesions.set_picture(image, self._fit)

    def _on_looked(self, outcome: Outcome) -> None:
        """See the pictures as Inspect shows them: mean/std and crop can be chosen there at any time."""
        look, card = outcome.request, self._card
        if not isinstance(look, Look) or outcome.kind != "look" or card is None or look.model != card.id:
            return
        if look.image is self._image and look.fit != self._fit:
            self._fit = look.fit
            self.lesions.set_picture(look.image, look.fit)
        choice, shown = self._open, look.normalization
        if choice is not None and shown is not None and shown != (choice.normalization or card.normalization):
            self._offer(replace(choice, normalization=shown))

    def save(self) -> None:
        """Save what the page on show holds."""
        page = self.tabs.currentWidget()
        page.ask_save() if isinstance(page, (GradientPage, RacePage, LesionBoard)) else None

    def copy_python(self) -> None:
        """Copy a script that prints the numbers of the page on show."""
        page = self.tabs.currentWidget()
        if isinstance(page, (GradientPage, LesionBoard)):
            page.copy_python()
        else:
            self.banner.show_message(_tr("A race is trained, not computed: see “resnet-viz train”."), "info")

    @property
    def banner(self) -> Banner:
        """Return the banner of the page on show."""
        page = self.tabs.currentWidget()
        assert isinstance(page, (GradientPage, RacePage, LesionBoard))
        return page.banner

    def hideEvent(self, event: object) -> None:
        self._lab.keep_thread(False)
        super().hideEvent(event)  # type: ignore[arg-type]

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self._lab.keep_thread(True)
        if not self._listed:
            self._listed = True
            self.book.read()

    def show_page(self, name: str) -> None:
        """Show one of the pages.

        Raises:
            UserError: if there is no such page.
        """
        if name not in PAGES:
            raise UserError(unknown("page", name, PAGES))
        self.tabs.setCurrentIndex(PAGES.index(name))

    def settled(self) -> bool:
        """Return whether everything that was asked for is on show."""
        page = self.tabs.currentWidget()
        if page is self.race:
            return self.race.race() is not None and self.race.chart.settled()
        if page is self.lesions:
            state = self.lesions.state
            known = state.measured is not None and state.measured.error is not None
            return state.running is None and (known or state.failed)
        return self.page.settled()


views.add("gradients", ViewSpec("gradients", lambda: _tr("Gradients"), GradientsView, 20))
