"""Several runs at once: every combination of the nets, depths, shortcuts and optimizers that are ticked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import product

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QGridLayout, QLabel, QPushButton, QWidget

from resnet_viz.training.config import OPTIMIZERS, TrainConfig
from resnet_viz.training.recipes import usual_lr, warm_up

from .train_options import OPTIMIZER_TITLES

FAMILIES = ("plain", "resnet")
DEPTHS = (20, 32, 44, 56, 110)


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainGrid", text)


def combinations(
    base: TrainConfig,
    families: list[str],
    depths: list[int],
    optimizers: list[str],
    norms: list[bool],
    seeds: int,
    shortcuts: list[str] | None = None,
) -> list[TrainConfig]:
    """Return every combination, all else as in ``base``, seeds counted up from its own.

    An optimizer of another kind than the base's has the learning rate that suits it.
    """
    found = []
    nets = [
        (depth, family, shortcut)
        for depth, family in product(depths, families)
        for shortcut in ([""] if family == "plain" else [base.shortcut] if shortcuts is None else shortcuts)
    ]
    for (depth, family, shortcut), optimizer, norm, seed in product(nets, optimizers, norms, range(seeds)):
        found.append(
            dataclasses.replace(
                base,
                model=f"{family}{depth}",
                shortcut=shortcut,
                optimizer=optimizer,
                lr=usual_lr(optimizer, base.optimizer, base.lr),
                **warm_up(base.recipe, f"{family}{depth}"),
                batch_norm=norm,
                seed=base.seed + seed,
            )
        )
    return found


class AblationDialog(QDialog):
    """Ticks to choose from, and how many runs they make.

    Args:
        base: what all runs have in common.
        accept: called with the configurations.
    """

    def __init__(
        self, base: TrainConfig, accept: Callable[[list[TrainConfig]], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.base, self._accept = base, accept
        self.setWindowTitle(_tr("Ablation grid"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout(self)
        grid.setHorizontalSpacing(16)
        family, depth = base.model.rstrip("0123456789"), base.model.lstrip("abcdefghijklmnopqrstuvwxyz_")
        self.families = self._row(grid, 0, _tr("Net"), [("plain", _tr("Plain")), ("resnet", "ResNet")], [family])
        self.depths = self._row(grid, 1, _tr("Depth"), [(str(one), str(one)) for one in DEPTHS], [depth])
        self.shortcuts = self._row(
            grid, 2, _tr("Shortcut"), [("A", _tr("A, no parameters")), ("B", _tr("B, 1x1 convolution"))],
            ["B" if base.shortcut == "B" else "A"],
        )  # fmt: skip
        self.optimizers = self._row(
            grid, 3, _tr("Optimizer"), [(one, OPTIMIZER_TITLES[one]) for one in OPTIMIZERS], [base.optimizer], columns=4
        )
        self.norms = self._row(grid, 4, _tr("Batch norm"), [("on", _tr("With")), ("off", _tr("Without"))], ["on"])
        self.seeds = self._row(grid, 5, _tr("Seeds"), [("1", "1"), ("3", "3")], ["1"])
        self.count = QLabel()
        grid.addWidget(self.count, 6, 0, 1, 2)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.add_button = QPushButton()
        self.add_button.setDefault(True)
        buttons.addButton(self.add_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._on_accept)
        buttons.rejected.connect(self.reject)
        grid.addWidget(buttons, 7, 0, 1, 2)
        self._reflect()

    def _row(
        self,
        grid: QGridLayout,
        row: int,
        title: str,
        choices: list[tuple[str, str]],
        ticked: list[str],
        columns: int = 5,
    ) -> dict[str, QCheckBox]:
        label = QLabel(title)
        label.setProperty("muted", True)
        grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        inner = QGridLayout()
        boxes = {}
        for index, (key, text) in enumerate(choices):
            box = boxes[key] = QCheckBox(text)
            box.setChecked(key in ticked)
            box.toggled.connect(self._reflect)
            inner.addWidget(box, index // columns, index % columns)
        grid.addLayout(inner, row, 1)
        return boxes

    def configs(self) -> list[TrainConfig]:
        """Return the runs that the ticks make."""
        seeds = [int(one) for one in _ticked(self.seeds)]
        return combinations(
            self.base,
            _ticked(self.families),
            [int(one) for one in _ticked(self.depths)],
            _ticked(self.optimizers),
            [one == "on" for one in _ticked(self.norms)],
            max(seeds, default=0),
            _ticked(self.shortcuts),
        )

    def _reflect(self) -> None:
        count = len(self.configs())
        self.count.setText(_tr("Tick at least one of each row.") if not count else "")
        self.count.setVisible(not count)
        self.add_button.setText(_tr("Queue 1 run") if count == 1 else _tr("Queue {0} runs").format(count))
        self.add_button.setEnabled(count > 0)

    def _on_accept(self) -> None:
        self._accept(self.configs())
        self.accept()


def _ticked(boxes: dict[str, QCheckBox]) -> list[str]:
    return [key for key, box in boxes.items() if box.isChecked()]
