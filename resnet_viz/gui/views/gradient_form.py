"""The switches of the Gradients workspace: which nets, on which batch, what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PyQt6.QtCore import QCoreApplication, pyqtSignal
from PyQt6.QtWidgets import (
    QLabel,
    QVBoxLayout,
    QWidget,
)

from resnet_viz.core.errors import UserError
from resnet_viz.data.places import known_sets
from resnet_viz.gui.widgets.chosen_nets import ChosenNets
from resnet_viz.gui.widgets.column_scroll import ColumnScroll
from resnet_viz.gui.widgets.option_fields import ChoiceField, NumberField, OptionField
from resnet_viz.gui.widgets.segmented import Segmented, StopSlider
from resnet_viz.session import store
from resnet_viz.session.gradient_requests import (
    AUTO,
    NOISE,
    SAMPLES,
    BatchRequest,
    MeasureFlow,
    NetChoice,
    SweepDepths,
    TrainSteps,
)
from resnet_viz.training.config import OPTIMIZERS

DEPTHS = (20, 32, 44, 56, 110)
MAX_NETS = 4
OPTIMIZER_TITLES = {
    "sgd": "SGD", "momentum": "SGD, momentum", "nesterov": "SGD, Nesterov", "adam": "Adam", "adamw": "AdamW",
    "rmsprop": "RMSprop", "adagrad": "Adagrad", "adadelta": "Adadelta",
}  # fmt: skip


Choice = tuple[str, str, str]
"""Key, text and tooltip."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("GradientForm", text)


class GradientForm(QWidget):
    """Every switch of the lab; each redraws at once.

    Signals:
        changed: something else is to be measured.
        shown_changed: the same measurement is to be shown otherwise.
        file_requested: the person wants to add a checkpoint.
        folder_requested: the person wants pictures of a folder.
    """

    changed = pyqtSignal()
    shown_changed = pyqtSignal()
    file_requested = pyqtSignal()
    folder_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(12, 12, 14, 12)
        self._column.setSpacing(4)
        self._rows: dict[str, list[QWidget]] = {}
        self._make_nets()
        self._make_batch()
        self._make_shown()
        self._column.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(ColumnScroll(inside, least_px=280))
        self.batch_size.set_values("64")
        self.seeds.set_values("3")
        self.depth_slider.set_value(56)
        self.shortcuts.set_values("none", "A")
        self._reflect()

    # ---- assembling ----

    def _heading(self, text: str) -> None:
        label = QLabel(text)
        label.setProperty("heading", True)
        if self._column.count():
            self._column.addSpacing(8)
        self._column.addWidget(label)

    def _row(self, name: str, label: str, widget: QWidget) -> None:
        text = QLabel(label)
        text.setProperty("muted", True)
        text.setBuddy(widget)
        self._column.addWidget(text)
        self._column.addWidget(widget)
        self._rows[name] = [text, widget]

    def _segments(
        self, name: str, label: str, choices: Sequence[tuple[str, str, str]], several: bool = False
    ) -> Segmented:
        made = Segmented(choices, label, several)
        made.changed.connect(self._on_changed)
        self._row(name, label, made)
        return made

    def _make_nets(self) -> None:
        t = _tr
        self._heading(t("Nets"))
        self.source = self._segments(
            "source", t("Weights"),
            (
                ("untrained", t("untrained"), t("Weights drawn from a seed, as before the first step")),
                ("trained", t("trained"), t("The trained nets of this depth that ship or that you trained")),
                ("file", t("chosen…"), t("Any checkpoints or runs, up to four side by side")),
            ),
        )  # fmt: skip
        self.depth_slider = StopSlider(DEPTHS, t("Depth"), t("Layers with weights, as the paper counts them: 6n + 2"))
        self.depth_slider.changed.connect(self._on_changed)
        self._row("depth", t("Depth"), self.depth_slider)
        self.shortcuts = self._segments(
            "shortcuts", t("Shortcut: each one chosen is a net"),
            (
                ("none", t("none"), t("The plain net: the same layers, no skip connections")),
                ("A", "A", t("Identity, zero-padded where the width changes: no parameters (He et al., sec. 3.3)")),
                ("B", "B", t("Identity, a 1×1 convolution where the width changes")),
            ),
            several=True,
        )  # fmt: skip
        self.norm = self._segments(
            "norm", t("Batch norm"),
            (("on", t("on"), t("Batch norm after each convolution")), ("off", t("off"), t("No batch norm at all"))),
        )  # fmt: skip
        self.init = self._segments(
            "init", t("Initialisation"),
            (
                ("he", "He", t("Normal, variance 2 / fan-out (He et al. 2015b)")),
                ("xavier", "Xavier", t("Normal, variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010)")),
                ("default", t("default"), t("PyTorch's own: uniform, a third of He's variance or less")),
                ("normal", t("normal"), t("Normal with the standard deviation below")),
            ),
        )  # fmt: skip
        self.std = NumberField()
        self.std.set_value(0.01)
        self.std.setToolTip(t("Standard deviation of every weight"))
        self.std.changed.connect(self._on_changed)
        self._row("std", t("Standard deviation"), self.std)
        self.activation = self._segments(
            "activation", t("Activation"),
            (
                ("relu", "ReLU", t("max(0, x)")),
                ("tanh", "tanh", t("Saturates at −1 and 1")),
                ("sigmoid", "sigmoid", t("Saturates at 0 and 1; its slope is at most 1/4")),
            ),
        )  # fmt: skip
        self.chosen = ChosenNets(MAX_NETS)
        self.chosen.changed.connect(self._on_changed)
        self.chosen.file_requested.connect(self.file_requested)
        self._row("chosen", t("Up to four nets"), self.chosen)

    def _make_batch(self) -> None:
        t = _tr
        self._heading(t("Batch"))
        sets = [(key, known_sets.get(key).title) for key in known_sets.ids()]
        choices = [
            (AUTO, t("CIFAR-10, else Shapes")), (SAMPLES, t("Sample pictures")), (NOISE, t("Noise")), *sets,
            ("folder", t("Folder…")),
        ]  # fmt: skip
        self.pictures = ChoiceField(choices)
        self.pictures.setToolTip(t("Every net gets the same pictures"))
        self.pictures.changed.connect(self._on_pictures)
        self._row("pictures", t("Pictures"), self.pictures)
        self.batch_size = self._segments(
            "size", t("Size"), [(str(n), str(n), t("{0} pictures in one batch").format(n)) for n in (16, 32, 64, 128)]
        )
        self.seeds = self._segments(
            "seeds", t("Seeds"),
            [(str(n), str(n), t("{0} draws of the weights; the area is their scatter").format(n)) for n in (1, 3, 5)],
        )  # fmt: skip
        self.mode = self._segments(
            "mode", t("Batch norm works as in"),
            (
                ("train", t("training"), t("It normalises by this batch's own mean and variance")),
                ("eval", t("evaluation"), t("It uses the running mean and variance; an untrained net has none yet")),
            ),
        )  # fmt: skip

    def _make_shown(self) -> None:
        t = _tr
        self._heading(t("Show"))
        self.quantity = ChoiceField(
            (
                ("weights", t("Gradient of the weights")),
                ("activations", t("Gradient at the outputs")),
                ("split", t("Through identity and through F")),
                ("response", t("Standard deviation of responses")),
                ("f_to_x", "‖F(x)‖ / ‖x‖"),
                ("update", t("Step / weights, for an optimizer")),
            )
        )
        self.quantity.setToolTip(t("What the chart and the colours of the maps show"))
        self.quantity.changed.connect(self._on_shown)
        self._row("quantity", t("Over the blocks"), self.quantity)
        self.count = self._segments(
            "count", t("Weights of a block that count"),
            (
                ("first", t("first"), t("Its first convolution: comparable in every net")),
                ("convs", t("all conv"), t("All its convolutions together")),
                ("all", t("all"), t("All its parameters, batch norm's too")),
            ),
        )  # fmt: skip
        self.per = self._segments(
            "per", t("One point for each"),
            (
                ("block", t("block"), t("The blocks of the network map")),
                ("layer", t("layer"), t("Every convolution and linear layer by itself")),
            ),
        )  # fmt: skip
        self.optimizer = ChoiceField([(key, OPTIMIZER_TITLES[key]) for key in OPTIMIZERS])
        self.optimizer.set_value("momentum")
        self.lr = NumberField()
        self.lr.set_value(0.1)
        for name, label, field in (
            ("optimizer", t("Optimizer"), self.optimizer),
            ("lr", t("Learning rate"), self.lr),
        ):
            widget: OptionField = field
            widget.setToolTip(t("Of the step that is compared with the weights, and of “Train 50 steps”"))
            widget.changed.connect(self._on_changed)
            self._row(name, label, widget)

    # ---- what is chosen ----

    def nets(self) -> tuple[NetChoice, ...]:
        """Return the nets that are compared.

        Raises:
            UserError: if there are none; says what can be done.
        """
        kind = self.source.value()
        if kind == "file":
            nets = self.chosen.nets()
            if not nets:
                raise UserError(_tr("No net is chosen yet. Press Add and choose up to four."))
            return tuple(nets)
        depth = self.depth_slider.value()
        wanted = [(key, f"plain{depth}" if key == "none" else f"resnet{depth}") for key in self.shortcuts.values()]
        if kind == "trained":
            return self._trained(depth)
        options = self.net_options()
        made = []
        for key, arch in wanted:
            own = (*options, ("shortcut", key)) if key != "none" else options
            title = f"plain-{depth}" if key == "none" else f"ResNet-{depth}"
            if key == "B" or (key == "A" and "B" in self.shortcuts.values()):
                title += f" {key}"
            made.append(NetChoice(arch, True, own, title))
        return tuple(made)

    def net_options(self) -> tuple[tuple[str, object], ...]:
        """Return what all untrained nets share, as fields of NetOptions."""
        options: list[tuple[str, object]] = [
            ("batch_norm", self.norm.value() == "on"),
            ("init", self.init.value()),
            ("activation", self.activation.value()),
        ]
        if self.init.value() == "normal":
            options.append(("init_std", self._number(self.std, _tr("The standard deviation"), 10.0)))
        return tuple(options)

    def setting(self) -> str:
        """Return in words what the untrained nets share, empty for trained ones."""
        if self.source.value() != "untrained":
            return ""
        norm = _tr("batch norm") if self.norm.value() == "on" else _tr("no batch norm")
        init = {
            "he": _tr("He init"), "xavier": _tr("Xavier init"), "default": _tr("default init"),
            "normal": _tr("normal init"),
        }[self.init.value()]  # fmt: skip
        words = [norm, init, *([] if self.activation.value() == "relu" else [self.activation.value()])]
        return ", ".join(words)

    def _number(self, field: NumberField, name: str, most: float) -> float:
        value = field.value()
        if isinstance(value, str) or not 0 < value <= most:
            raise UserError(_tr("{0} is '{1}'. Give a number above 0, up to {2:g}.").format(name, value, most))
        return value

    def _trained(self, depth: int) -> tuple[NetChoice, ...]:
        known = store.trained_models()
        found = []
        for arch, title in ((f"plain{depth}", f"plain-{depth}"), (f"resnet{depth}", f"ResNet-{depth}")):
            own = [model_id for model_id, card in known if card.get("arch") == arch]
            found += [NetChoice(own[0], False, (), title)] if own else []
        if not found:
            listed = sorted({d for d in DEPTHS for _, card in known if card.get("arch") in (f"plain{d}", f"resnet{d}")})
            there = ", ".join(map(str, listed)) or _tr("none yet")
            raise UserError(
                _tr(
                    "No trained net with {0} layers is here; there are some with {1}. Choose one, or train one."
                ).format(depth, there)
            )
        return tuple(found)

    def batch(self) -> BatchRequest:
        """Return which pictures are measured on."""
        return BatchRequest(str(self.pictures.value()), int(self.batch_size.value()))

    def request(self) -> MeasureFlow:
        """Return what is to be measured.

        Raises:
            UserError: if a choice makes no sense.
        """
        return MeasureFlow(
            self.nets(),
            self.batch(),
            tuple(range(int(self.seeds.value()))),
            self.mode.value() == "train",
            self.count.value(),  # type: ignore[arg-type]
            str(self.optimizer.value()),
            self._number(self.lr, _tr("The learning rate"), 100.0),
            self.per.value(),  # type: ignore[arg-type]
        )

    def sweep(self) -> SweepDepths:
        """Return the sweep over all depths with the same switches."""
        return SweepDepths(
            depths=DEPTHS,
            options=self.net_options(),
            batch=self.batch(),
            seeds=tuple(range(int(self.seeds.value()))),
            train_mode=self.mode.value() == "train",
            weights=self.count.value(),  # type: ignore[arg-type]
        )

    def training(self, steps: int) -> TrainSteps:
        """Return the short training of the same nets."""
        request = self.request()
        return TrainSteps(
            request.nets, replace(request.batch, split="train"), steps, request.optimizer, request.lr,
            weights=request.weights,
        )  # fmt: skip

    def add_net(self, ref: str, title: str = "") -> None:
        """Add a trained net or a checkpoint to the chosen ones."""
        self.source.set_values("file")
        self.chosen.add(ref, title)

    # ---- changes ----

    def _on_pictures(self) -> None:
        if self.pictures.value() == "folder":
            self.pictures.set_value(AUTO)
            self.folder_requested.emit()
        else:
            self._on_changed()

    def set_folder(self, path: str) -> None:
        """Measure on the pictures of a folder of class folders."""
        self.pictures.set_value(path)
        self._on_changed()

    def _on_changed(self) -> None:
        self._reflect()
        self.changed.emit()

    def _on_shown(self) -> None:
        self._reflect()
        self.shown_changed.emit()

    def _reflect(self) -> None:
        """Show what belongs to the choices; what the weights of a trained net decide is not asked."""
        kind = self.source.value()
        untrained = kind == "untrained"
        visible = {
            "depth": kind != "file",
            "chosen": kind == "file",
            "std": untrained and self.init.value() == "normal",
            "seeds": untrained,
        }
        visible |= dict.fromkeys(("shortcuts", "norm", "init", "activation"), untrained)
        for name, shown in visible.items():
            for widget in self._rows[name]:
                widget.setVisible(shown)
