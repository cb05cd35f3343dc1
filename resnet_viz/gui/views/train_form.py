"""The form of a new run: net, data and recipe, every value of it, and what it will see and cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.errors import UserError
from resnet_viz.gui.widgets.option_fields import ChoiceField, OptionField
from resnet_viz.gui.widgets.thumbnails import Thumbnails
from resnet_viz.session.training_requests import Cost, DataFacts
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.recipes import from_recipe, propose, recipes, usual_lr

from .train_options import make_field, options

LOOK_AFTER_MS = 400
COUNTED = 12
"""Classes whose pictures are counted one by one in the form; of more it tells the range."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainForm", text)


class TrainForm(QWidget):
    """A new run.

    Signals:
        start_requested: the person pressed Start.
        grid_requested: the person wants several runs at once.
        look_requested: the choices changed and have settled: look at the data, measure the cost.
        folder_requested, table_requested: the person wants to choose a folder, or a CSV file, as data.
        weights_requested: the person wants to choose a checkpoint to start from.
    """

    start_requested = pyqtSignal()
    grid_requested = pyqtSignal()
    look_requested = pyqtSignal()
    folder_requested = pyqtSignal()
    table_requested = pyqtSignal()
    weights_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[str, OptionField] = {}
        self._labels: dict[str, QLabel] = {}
        self._holders: dict[str, QWidget] = {}
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(LOOK_AFTER_MS)
        self._settle.timeout.connect(self.look_requested)
        self._facts: DataFacts | None = None
        self._cost: Cost | None = None
        self._instead = ""
        self._nets: dict[str, str] = {}
        self._lr_of = ("", 0.0)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        heading = QLabel(_tr("New run"))
        heading.setProperty("heading", True)
        column.addWidget(heading)
        column.addLayout(self._rows(True))
        column.addWidget(self._make_advice())
        self.augmented = Thumbnails(9, _tr("One picture unchanged, then eight times as the net may see it"))
        column.addWidget(self.augmented)
        self.more = QToolButton()
        self.more.setCheckable(True)
        self.more.setText(_tr("More options"))
        self.more.setToolTip(_tr("Show everything that can be changed"))
        column.addWidget(self.more)
        self.rest = QWidget()
        rest = self._rows(False)
        rest.setContentsMargins(0, 0, 0, 0)
        self.rest.setLayout(rest)
        self.rest.hide()
        self.more.toggled.connect(self.rest.setVisible)
        column.addWidget(self.rest)
        column.addWidget(self._make_facts())
        column.addStretch(1)
        self._lay_out(inside)
        self.set_config(from_recipe("quick", "resnet20", "cifar10"))

    # ---- assembling ----

    def _lay_out(self, inside: QWidget) -> None:
        """Let the options scroll, and keep the cost and the buttons in sight below them."""
        self._inside, self._scroll = inside, QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(inside)
        below = QVBoxLayout()
        below.setContentsMargins(12, 8, 12, 12)
        below.setSpacing(8)
        below.addWidget(self.cost)
        below.addLayout(self._make_buttons())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._scroll, 1)
        column.addLayout(below)

    def _rows(self, basic: bool) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for option in options():
            if option.basic is not basic:
                continue
            field = self.fields[option.name] = make_field(option.name)
            label = self._labels[option.name] = QLabel(option.label)
            label.setProperty("muted", True)
            for widget in (label, field, field.focusProxy()):
                if widget is not None:
                    widget.setToolTip(option.tip)
                    widget.setAccessibleName(option.label)
            label.setBuddy(field)
            field.changed.connect(lambda name=option.name: self._on_changed(name))
            form.addRow(label, self._with_button(option.name, field))
        return form

    def least_px(self) -> int:
        """Return how narrow the form can be without cutting its fields off, with the letters it has."""
        bar = self._scroll.verticalScrollBar()
        return self._inside.minimumSizeHint().width() + (bar.sizeHint().width() if bar is not None else 0)

    def _with_button(self, name: str, field: OptionField) -> QWidget:
        """Return a field with a button that opens a file, where files make sense."""
        if name not in ("data", "start_from"):
            return field
        holder, button = QWidget(), QToolButton()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(field, 1)
        row.addWidget(button)
        button.setText("…")
        if name == "data":
            self.folder_button = button
            button.setToolTip(_tr("Choose a folder of class folders, or a CSV file"))
            menu = QMenu(button)
            for text, signal in (
                (_tr("Folder of class folders…"), self.folder_requested),
                (_tr("CSV file beside its pictures…"), self.table_requested),
            ):
                action = menu.addAction(text)
                assert action is not None
                action.triggered.connect(signal)
            button.setMenu(menu)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        else:
            self.weights_button = button
            button.setMaximumWidth(button.fontMetrics().horizontalAdvance("…") + 22)
            button.setToolTip(_tr("Choose a checkpoint: a file of weights from elsewhere"))
            button.clicked.connect(self.weights_requested)
        button.setAccessibleName(button.toolTip())
        self._holders[name] = holder
        return holder

    def _make_advice(self) -> QWidget:
        """Make the two questions of transfer learning, and the answer that follows from them."""
        self.advice = QFrame()
        form = QFormLayout(self.advice)
        form.setContentsMargins(0, 0, 0, 0)
        self.amount = ChoiceField([("little", _tr("Little (tens a class)")), ("much", _tr("Much (thousands)"))])
        self.likeness = ChoiceField([("similar", _tr("Similar")), ("different", _tr("Different"))])
        for label, field, tip in (
            (_tr("How much data"), self.amount, _tr("How many pictures you have for each class")),
            (_tr("How similar"), self.likeness, _tr("Whether your pictures look like those the net was trained on")),
        ):
            field.setToolTip(tip)
            field.combo.setAccessibleName(label)
            field.changed.connect(self._advise)
            name = QLabel(label)
            name.setProperty("muted", True)
            form.addRow(name, field)
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        form.addRow(self.reason)
        return self.advice

    def _make_facts(self) -> QWidget:
        self.samples = Thumbnails(10, _tr("Training pictures, one of each class in turn"))
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setProperty("muted", True)
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.cost.setProperty("muted", True)
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widget in (self.samples, self.facts):
            column.addWidget(widget)
        return holder

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.start_button = QPushButton(_tr("Start"))
        self.start_button.setProperty("primary", True)
        self.start_button.setToolTip(_tr("Train this net now, or after the runs that wait (Ctrl+Return)"))
        self.start_button.setShortcut("Ctrl+Return")
        self.start_button.clicked.connect(self.start_requested)
        self.grid_button = QPushButton(_tr("Ablation grid…"))
        self.grid_button.setToolTip(_tr("Several runs at once: every combination of nets, depths and optimizers"))
        self.grid_button.clicked.connect(self.grid_requested)
        row.addWidget(self.start_button, 1)
        row.addWidget(self.grid_button)
        return row

    # ---- values ----

    def config(self) -> TrainConfig:
        """Return what the form says.

        Raises:
            UserError: if a value makes no sense.
        """
        values = {name: field.value() for name, field in self.fields.items()}
        recipe, model, data = (str(values.pop(name)) for name in ("recipe", "model", "data"))
        if recipes.get(recipe).needs_start and not values["start_from"]:
            raise UserError(_tr("Choose under “Start from” the trained net whose weights this run begins with."))
        return from_recipe(recipe, model, data, **values)

    def set_config(self, config: TrainConfig) -> None:
        """Show a configuration."""
        for name, field in self.fields.items():
            field.set_value(getattr(config, name))
        self._lr_of = (config.optimizer, config.lr)
        self._reflect()
        self._settle.start()

    def set_data(self, data: str) -> None:
        """Choose a folder or file as data."""
        self.fields["data"].set_value(data)
        self._on_changed("data")

    def set_start(self, path: str) -> None:
        """Start from this checkpoint."""
        self.fields["start_from"].set_value(path)
        self._on_changed("start_from")

    def set_starts(self, starts: list[tuple[str, str, str]]) -> None:
        """Offer these nets to start from: id or folder, name for people, architecture."""
        field = self.fields["start_from"]
        assert isinstance(field, ChoiceField)
        self._nets = {key: net for key, _, net in starts}
        now = field.value()
        field.combo.blockSignals(True)
        field.combo.clear()
        field.combo.addItem(_tr("New weights"), "")
        for key, title, _ in starts:
            field.combo.addItem(title, key)
        field.combo.blockSignals(False)
        field.set_value(now)

    def _on_changed(self, name: str) -> None:
        if name == "start_from" and (net := self._nets.get(str(self.fields[name].value()))):
            self.fields["model"].set_value(net)  # its weights fit no other
        if name in ("recipe", "model"):
            self._choose_start(name)
            self._take_recipe()
        if name == "optimizer":
            self._take_rate()
        if name in ("pad", "flip", "crop_scale", "jitter", "data", "model"):
            self.augmented.set_faded(True)
        self._reflect()
        self._settle.start()

    def _take_rate(self) -> None:
        """Give another optimizer a learning rate that suits it, unless the person chose one."""
        known, lr = self._lr_of
        if self.fields["lr"].value() == lr:
            optimizer = str(self.fields["optimizer"].value())
            rate = usual_lr(optimizer, known, lr)
            self.fields["lr"].set_value(rate)
            if rate != lr:
                self._lr_of = (optimizer, rate)

    def _choose_start(self, changed: str) -> None:
        """Choose weights that fit, so that Start can be pressed; none where the recipe begins anew."""
        field, model = self.fields["start_from"], str(self.fields["model"].value())
        if recipes.get(str(self.fields["recipe"].value())).needs_start:
            start = str(field.value())
            if not start or self._nets.get(start, model) != model:
                field.set_value(next((key for key, net in self._nets.items() if net == model), ""))
        elif changed == "recipe":
            field.set_value("")

    def _take_recipe(self) -> None:
        """Put the recipe's values into the form; net, data and what the run starts from stay."""
        recipe, model = str(self.fields["recipe"].value()), str(self.fields["model"].value())
        keep = {name: self.fields[name].value() for name in ("start_from", "seed")}
        needs = recipes.get(recipe).needs_start
        start = str(keep["start_from"])
        try:
            made = from_recipe(
                recipe, model, str(self.fields["data"].value()), start_from=start or ("?" if needs else "")
            )
        except UserError:
            return
        made = dataclasses.replace(made, start_from=start)
        for name, field in self.fields.items():
            if name not in ("recipe", "model", "data", *keep):
                field.set_value(getattr(made, name))
        self._lr_of = (made.optimizer, made.lr)

    def _advise(self) -> None:
        found = propose(self.amount.value() == "much", self.likeness.value() == "similar")
        self.fields["train_part"].set_value(found.train_part)
        self.reason.setText(_tr(found.reason))
        self._settle.start()

    def _reflect(self) -> None:
        """Show only what makes sense for the choices."""
        needs = recipes.get(str(self.fields["recipe"].value())).needs_start
        started = bool(self.fields["start_from"].value())
        for name, shown in (("start_from", needs or started), ("train_part", needs or started)):
            self._holders.get(name, self.fields[name]).setVisible(shown)
            self._labels[name].setVisible(shown)
        self.advice.setVisible(needs)
        if needs and not self.reason.text():
            self._advise()
        plain = str(self.fields["model"].value()).startswith("plain")
        self.fields["shortcut"].setEnabled(not plain)

    # ---- what the run will see and cost ----

    def show_facts(self, facts: DataFacts | None) -> None:
        """Show what the data is; None if it cannot be used."""
        self._facts = facts
        if facts is None:
            for thumbnails in (self.augmented, self.samples):
                thumbnails.hide()
            self.facts.clear()
            self._show_cost()
            return
        self.augmented.set_faded(False)
        self.augmented.set_pictures(facts.augmented)
        names = [facts.classes[label] for label in facts.sample_labels]
        count = len(facts.classes)
        self.samples.set_pictures(facts.samples, names, count if 5 <= count <= 12 else 10)
        least, most = min(facts.counts), max(facts.counts)
        each = _tr("{0:,} each").format(least) if least == most else _tr("{0:,} to {1:,} each").format(least, most)
        counts = [_tr("{0} {1:,}").format(name, one) for name, one in zip(facts.classes, facts.counts, strict=True)]
        lines = [
            _tr("{0}: {1} classes, {2}").format(facts.title, len(facts.classes), each),
            *([", ".join(counts)] if least != most and count <= COUNTED else []),
            _tr("{0:,} to train on, {1:,} held out").format(facts.train, facts.val),
            _tr("mean {0}, std {1}").format(_numbers(facts.mean), _numbers(facts.std)),
        ]
        tips = [", ".join(counts)]
        if facts.skipped:
            lines.append(_tr("{0} not readable, left out").format(len(facts.skipped)))
            tips += facts.skipped[:20]
        self.facts.setToolTip("\n".join(tips))
        self.facts.setText("\n".join(lines))
        self._show_cost()

    def show_cost(self, cost: Cost | None, instead: str = "") -> None:
        """Show what the run costs; None while it is measured, or where a sentence stands instead."""
        self._cost, self._instead = cost, instead
        self._show_cost()

    def settled(self) -> bool:
        """Whether what the run costs is said, or why it is not."""
        return self._cost is not None or bool(self._instead)

    def _show_cost(self) -> None:
        if self._cost is None:
            self.cost.setText(self._instead or _tr("Measuring a few batches…"))
            return
        values = self._cost.values
        lines = [
            _tr("{0:,} parameters · {1:.1f} million multiply-adds a picture").format(
                values["params"], values["macs"] / 1e6
            )
        ]
        epochs = self.fields["epochs"].value()
        if self._facts is not None and isinstance(epochs, int):
            epoch_s = self._facts.train / values["batch"] * values["step_s"]
            lines.append(_tr("{0} an epoch here, {1} in all").format(duration(epoch_s), duration(epoch_s * epochs)))
        if values.get("peak_bytes"):
            lines.append(_tr("{0:.1f} GB of memory").format(values["peak_bytes"] / 1e9))
        self.cost.setText("\n".join(lines))


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def duration(seconds: float) -> str:
    """Return a time for people: "41 min", "2 h 51 min"."""
    if seconds < 60:
        return _tr("{0:.0f} s").format(seconds)
    minutes = round(seconds / 60)
    if minutes < 60:
        return _tr("{0} min").format(minutes)
    return _tr("{0} h {1} min").format(minutes // 60, minutes % 60)


def unused_name(folders: Sequence[Path], config: TrainConfig) -> str:
    """Return a name for a new run that none of these folders holds: "resnet20-cifar10", then with a number."""
    name = f"{config.model}-{Path(config.data).stem}"
    names = (name, *(f"{name}-{number}" for number in range(2, 10_000)))
    return next(one for one in names if not any((folder / one).exists() for folder in folders))
