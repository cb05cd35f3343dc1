"""What a run answers: every test picture, its confusion matrix, and one picture opened in Inspect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, pyqtSignal

from resnet_viz.core.types import ImageInput
from resnet_viz.gui.context import Context
from resnet_viz.gui.widgets.answered import Answered
from resnet_viz.session.training_requests import JudgeRun, RunJudged

from .train_center import TrainCenter
from .train_side import TrainSide


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainAnswers", text)


class TrainAnswers(QObject):
    """Gallery and confusion matrix of one run at a time.

    Args:
        context: workers.
        center: holds the gallery.
        side: holds the confusion matrix.
        shown: returns the folder of the run on show.
        parent: the view.

    Signals:
        open_picture: a test picture that shall be opened in Inspect, ImageInput.
        status: a sentence for the status line.
    """

    open_picture = pyqtSignal(object)
    status = pyqtSignal(str)

    def __init__(
        self, context: Context, center: TrainCenter, side: TrainSide, shown: Callable[[], Path | None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._context, self._center, self._side, self._shown = context, center, side, shown
        self._judged: RunJudged | None = None
        self._wanted: tuple[int, int] | None = None
        center.gallery.picked.connect(self._on_picture)
        side.judge_requested.connect(self.judge)
        side.confusion.cell_clicked.connect(self._on_cell)
        side.confusion.wrong_ones_wanted.connect(self._on_cell)

    def judge(self) -> None:
        """Let the run on show answer every test picture."""
        if (run := self._shown()) is not None:
            self._context.desk.ask("judge", JudgeRun(run))
            self._side.judge_button.setEnabled(False)
            self.status.emit(_tr("Answering the test pictures…"))

    def take(self, judged: RunJudged) -> None:
        """Show the answers."""
        self._judged = judged
        self.status.emit("")
        self._side.judge_button.setEnabled(True)
        if judged.run == self._shown():
            self._side.show_confusion(judged.confusion, judged.classes)
        self._center.gallery.set_pictures(
            Answered(judged.images, judged.labels, judged.answers, judged.probs, judged.classes)
        )
        self._center.show_gallery(judged.run.name)
        if self._wanted is not None:
            self._center.gallery.set_pair(self._wanted)
            self._wanted = None

    def give_up(self) -> None:
        """Forget what was asked, as it cannot be answered."""
        self._wanted = None
        self._side.judge_button.setEnabled(True)

    def _on_cell(self, true: int, predicted: int) -> None:
        if self._judged is None or self._judged.run != self._shown():
            self._wanted = (true, predicted)
            self.judge()
            return
        self._center.show_gallery(self._judged.run.name)
        self._center.gallery.set_pair((true, predicted))

    def _on_picture(self, index: int) -> None:
        if self._judged is not None:
            judged = self._judged
            name = judged.classes[judged.labels[index]]
            self.open_picture.emit(ImageInput(judged.images[index], f"{name} {index}", label=name))
