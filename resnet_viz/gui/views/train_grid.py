"""Several runs at once: every combination of the nets, depths, shortcuts and optimizers that are ticked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import product

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QGridLayout, QLabel, QPushButton, QWidget

from resnet_viz.training.config import OPTIMIZERS, TrainConfig

FAMILIES = ("plain", "resnet")
DEPTHS = (20, 32, 44, 56, 110)


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainGrid", text)


def combinations(
    base: TrainConfig, families: list[str], depths: list[int], optimizers: list[str], norms: list[bool], seeds: int
) -> list[TrainConfig]:
    """Return every combination, all else as in ``base``, seeds counted up from its own."""
    found = []
    for depth, family, optimizer, norm, seed in product(depths, families, optimizers, norms, range(seeds)):
        shortcut = "" if family == "plain" else base.shortcut
        found.append(
            dataclasses.replace(
                base,
                model=f"{family}{depth}",
                shortcut=shortcut,
                optimizer=optimizer,
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
        self.optimizers = self._row(
            grid, 2, _tr("Optimizer"), [(one, one) for one in OPTIMIZERS], [base.optimizer], columns=4
        )
        self.norms = self._row(grid, 3, _tr("Batch norm"), [("on", _tr("With")), ("off", _tr("Without"))], ["on"])
        self.seeds = self._row(grid, 4, _tr("Seeds"), [("1", "1"), ("3", "3")], ["1"])
        self.count = QLabel()
        grid.addWidget(self.count, 5, 0, 1, 2)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.add_button = QPushButton()
        self.add_button.setDefault(True)
        buttons.addButton(self.add_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._on_accept)
        buttons.rejected.connect(self.reject)
        grid.addWidget(buttons, 6, 0, 1, 2)
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
        )

    def _reflect(self) -> None:
        count = len(self.configs())
        self.count.setText(_tr("Tick at least one of each row.") if not count else "")
        self.count.setVisible(not count)
        self.add_button.setText(_tr("Queue {0} runs").format(count))
        self.add_button.setEnabled(count > 0)

    def _on_accept(self) -> None:
        self._accept(self.configs())
        self.accept()


def _ticked(boxes: dict[str, QCheckBox]) -> list[str]:
    return [key for key, box in boxes.items() if box.isChecked()]
