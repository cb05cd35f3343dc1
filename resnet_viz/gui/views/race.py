"""The degradation race: plain and residual nets of two depths, trained with one recipe, as curves that grow."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.errors import UserError
from resnet_viz.data.places import known_sets
from resnet_viz.gui.run_book import RunBook
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.column_scroll import ColumnScroll
from resnet_viz.gui.widgets.curve_chart import CurveChart
from resnet_viz.gui.widgets.option_fields import ChoiceField, NumberField, WholeField
from resnet_viz.gui.widgets.segmented import Segmented
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.recipes import from_recipe

from .gradient_center import Sentence
from .race_logic import Race, races_of, results, sentence

DEPTHS = (20, 32, 44, 56, 110)


def _tr(text: str) -> str:
    return QCoreApplication.translate("Race", text)


class RacePage(QWidget):
    """A short form, the curves, the results and what they say.

    Args:
        book: the runs that the window knows.

    Signals:
        race_requested: list of TrainConfig to be queued, in this order.
    """

    race_requested = pyqtSignal(object)

    def __init__(self, book: RunBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._book = book
        self._races: list[Race] = []
        self._own: set[Path] = set()
        self.banner = Banner()
        self.chart = CurveChart()
        self.chart.save_requested.connect(self.ask_save)
        self.choice = QComboBox()
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setToolTip(_tr("Which nets race: those that ship, and your own"))
        self.choice.setAccessibleName(_tr("Race on show"))
        self.choice.activated.connect(lambda _index: self._show())
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(
            [_tr("Net"), _tr("Epochs"), _tr("Training error"), _tr("Validation error")]
        )
        for column in range(4):
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            if (head := self.table.horizontalHeaderItem(column)) is not None:
                head.setTextAlignment(int(side | Qt.AlignmentFlag.AlignVCenter))
        self.table.setAccessibleName(_tr("Results of the race"))
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setShowGrid(False)
        rows, heads = self.table.verticalHeader(), self.table.horizontalHeader()
        assert rows is not None and heads is not None
        rows.hide()
        heads.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.sentence = Sentence()
        self._lay_out()
        book.listed.connect(self._on_listed)
        book.changed.connect(lambda _run: self._on_listed())

    def _lay_out(self) -> None:
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(8)
        head = QHBoxLayout()
        label = QLabel(_tr("On show"))
        label.setProperty("muted", True)
        label.setBuddy(self.choice)
        head.addWidget(label)
        head.addWidget(self.choice, 1)
        column.addLayout(head)
        column.addWidget(self.chart, 1)
        column.addWidget(self.sentence)
        column.addWidget(self.table)
        split.addWidget(ColumnScroll(self._make_form(), least_px=250))
        split.addWidget(middle)
        split.setStretchFactor(1, 1)
        split.setSizes([260, 1100])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.banner)
        whole.addWidget(split, 1)

    def _make_form(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(4)
        heading = QLabel(_tr("A race of your own"))
        heading.setProperty("heading", True)
        why = QLabel(
            _tr(
                "A deeper plain net could copy the shallower one and leave its other layers idle, so it should never "
                "be worse. Train both and see; then give them skip connections."
            )
        )
        why.setWordWrap(True)
        why.setProperty("muted", True)
        column.addWidget(heading)
        column.addWidget(why)
        self.depths = Segmented(
            [(str(d), str(d), _tr("Plain-{0} and ResNet-{0}").format(d)) for d in DEPTHS], _tr("Depths"), several=True
        )
        self.depths.set_values("20", "56")
        self.data = ChoiceField([(key, known_sets.get(key).title) for key in known_sets.ids()])
        self.data.set_value("cifar10")
        self.data.setToolTip(_tr("Shapes is drawn by the program and always there"))
        self.recipe = ChoiceField((("paper", _tr("Paper: SGD 0.1, steps")), ("quick", _tr("Quick, one cycle"))))
        self.recipe.setToolTip(_tr("The same for every net of the race"))
        self.epochs = WholeField(1, 1000)
        self.epochs.set_value(10)
        self.epochs.setToolTip(_tr("Ten are enough to see the effect"))
        self.lr = NumberField()
        self.lr.set_value(0.1)
        self.lr.setToolTip(_tr("Largest learning rate, the same for every net"))
        self.seed = WholeField(0, 2**31 - 1)
        for text, field in (
            (_tr("Depths"), self.depths),
            (_tr("Data"), self.data),
            (_tr("Recipe"), self.recipe),
            (_tr("Epochs"), self.epochs),
            (_tr("Learning rate"), self.lr),
            (_tr("Seed"), self.seed),
        ):
            label = QLabel(text)
            label.setProperty("muted", True)
            label.setBuddy(field)
            column.addSpacing(4)
            column.addWidget(label)
            column.addWidget(field)
        self.start_button = QPushButton(_tr("Start the race"))
        self.start_button.setProperty("primary", True)
        self.start_button.setToolTip(_tr("Queue these runs; they are trained one after another in the background"))
        self.start_button.clicked.connect(self.start)
        column.addSpacing(12)
        column.addWidget(self.start_button)
        column.addStretch(1)
        return holder

    # ---- starting ----

    def configs(self) -> list[TrainConfig]:
        """Return the runs of the race, shallow before deep, plain before residual.

        Raises:
            UserError: if a value makes no sense.
        """
        lr = self.lr.value()
        if isinstance(lr, str):
            raise UserError(_tr("The learning rate is '{0}'. Give a number such as 0.1.").format(lr))
        changes: dict[str, object] = {"epochs": self.epochs.value(), "lr": lr, "seed": self.seed.value()}
        if self.recipe.value() == "paper":
            changes["max_steps"] = 0  # the epochs say how long the race is
        data = str(self.data.value())
        nets = [f"{family}{depth}" for depth in map(int, self.depths.values()) for family in ("plain", "resnet")]
        return [from_recipe(str(self.recipe.value()), net, data, **changes) for net in nets]

    def start(self) -> None:
        """Ask for the runs to be queued."""
        try:
            self.race_requested.emit(self.configs())
        except UserError as error:
            self.banner.show_message(str(error), "error")

    def watch(self, runs: list[Path]) -> None:
        """Show the race that was just queued, as its curves grow."""
        self._own = set(runs)
        self.banner.show_message(
            _tr("{0} runs are queued. They train in the background; “Train” shows their progress.").format(len(runs)),
            "info",
        )
        self._on_listed()
        self.choice.setCurrentIndex(0)
        self._show()

    # ---- showing ----

    def _on_listed(self) -> None:
        chosen = self.choice.currentText()
        runs = list(self._book.histories.values())
        own = [run for run in runs if run.path in self._own]
        self._races = races_of(runs)
        if own:
            order = sorted(own, key=lambda run: (run.depth, not run.plain))
            self._races.insert(0, Race(_tr("The race you started"), tuple(order), True))
        titles = [race.title for race in self._races]
        if titles != [self.choice.itemText(index) for index in range(self.choice.count())]:
            self.choice.clear()
            self.choice.addItems(titles)
            self.choice.setCurrentIndex(titles.index(chosen) if chosen in titles else 0)
        self._show()

    def race(self) -> Race | None:
        """Return the race on show."""
        index = self.choice.currentIndex()
        return self._races[index] if 0 <= index < len(self._races) else None

    def _show(self) -> None:
        race = self.race()
        self.choice.setEnabled(race is not None)
        self.chart.set_runs(race.runs if race is not None else ())
        rows = results(race) if race is not None else []
        self.table.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
                self.table.setItem(row, column, item)
        self.table.setVisible(bool(rows))
        tall = self.fontMetrics().height() + 12
        rows_header = self.table.verticalHeader()
        assert rows_header is not None
        rows_header.setDefaultSectionSize(tall)
        self.table.setFixedHeight(tall * (len(rows) + 1) + 6)
        self.sentence.show_text(sentence(race) if race is not None else "", "")

    def ask_save(self) -> None:
        """Ask for a file name and save the curves."""
        filters = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        path, _ = QFileDialog.getSaveFileName(self, _tr("Save the chart"), "race.png", filters)
        if path:
            try:
                self.chart.save(Path(path))
            except UserError as error:
                self.banner.show_message(str(error), "error")
            else:
                self.banner.show_message(_tr("{0} is written.").format(path), "info")
