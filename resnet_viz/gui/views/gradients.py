"""The Gradients workspace: plain against residual, the degradation race, the lesion board (DESIGN section 2)."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, pyqtSignal
from PyQt6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from resnet_viz.gui.context import Context
from resnet_viz.gui.widgets.banner import Banner

from .gradient_page import GradientPage
from .race import RacePage
from .registry import ViewSpec, views


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
        self.book = context.book
        self.page = GradientPage(context, self.book)
        self.race = RacePage(self.book)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.page, _tr("Block by block"))
        self.tabs.addTab(self.race, _tr("Degradation race"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tabs)
        self.page.status.connect(self.status)
        self._listed = False

    @property
    def columns(self) -> QSplitter:
        """Return the splitter whose state is remembered."""
        return self.page.columns

    @property
    def banner(self) -> Banner:
        """Return the banner of the page on show."""
        page = self.tabs.currentWidget()
        assert isinstance(page, (GradientPage, RacePage))
        return page.banner

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        if not self._listed:
            self._listed = True
            self.book.read()

    def settled(self) -> bool:
        """Return whether everything that was asked for is on show."""
        return self.page.settled()


views.add("gradients", ViewSpec("gradients", lambda: _tr("Gradients"), GradientsView, 20))
