"""What the lesion board works on: the net, the pictures, and how many of them."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QSettings, pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from resnet_viz.data.places import known_sets
from resnet_viz.gui.widgets.flow_layout import FlowLayout
from resnet_viz.gui.widgets.option_fields import ChoiceField
from resnet_viz.session.gradient_requests import AUTO, NetChoice
from resnet_viz.session.open_nets import on_offer

COUNTS = (100, 500, 1000, 2000, 0)
FOLDER = "folder"


def _tr(text: str) -> str:
    return QCoreApplication.translate("LesionPicker", text)


class LesionPicker(QWidget):
    """Three combo boxes.

    Signals:
        net_changed: another net was chosen.
        data_changed: other pictures, or another number of them, were chosen.
    """

    net_changed = pyqtSignal()
    data_changed = pyqtSignal()

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._open: NetChoice | None = None
        self._choices: dict[str, NetChoice] = {}
        self._by_hand = False
        self.net = ChoiceField(())
        self.net.combo.setMinimumContentsLength(30)
        sets = [(key, known_sets.get(key).title) for key in known_sets.ids()]
        self.data = ChoiceField([(AUTO, _tr("The net's own")), *sets, (FOLDER, _tr("Folder…"))])
        self.data.combo.setMinimumContentsLength(16)
        titles = {0: _tr("all")}
        self.pictures = ChoiceField([(str(count), titles.get(count, f"{count:,}")) for count in COUNTS])
        remembered = str(settings.value("lesion_pictures", "500", type=str))
        self.pictures.set_value(remembered if remembered in map(str, COUNTS) else "500")
        self._chosen_data = str(settings.value("lesion_data", AUTO, type=str)) or AUTO
        if self._chosen_data not in (AUTO, *known_sets.ids()) and not Path(self._chosen_data).is_dir():
            self._chosen_data = AUTO
        self.data.set_value(self._chosen_data)
        self.net.changed.connect(self._on_net)
        self.data.changed.connect(self._on_data)
        self.pictures.changed.connect(self._on_pictures)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.setProperty("muted", True)
        self._lay_out()

    def _lay_out(self) -> None:
        row = FlowLayout(12)
        for label, field, tip in (
            (_tr("Net"), self.net, _tr("A trained net, or the one that is open in Inspect")),
            (
                _tr("Data"),
                self.data,
                _tr("Labelled pictures; the net's own are those it was trained for, or else CIFAR-10 or Shapes"),
            ),
            (_tr("Pictures"), self.pictures, _tr("Taken evenly from the classes; fewer are faster, more are surer")),
        ):
            pair = QWidget()
            inside = QHBoxLayout(pair)
            inside.setContentsMargins(0, 0, 0, 0)
            inside.setSpacing(6)
            name = QLabel(label)
            name.setProperty("muted", True)
            name.setBuddy(field)
            field.combo.setToolTip(tip)
            field.combo.setAccessibleName(label)
            inside.addWidget(name)
            inside.addWidget(field)
            row.addWidget(pair)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 4)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.hint)

    # ---- nets ----

    def model(self) -> str:
        """Return the entry of the chosen net, empty while there is none."""
        return str(self.net.combo.currentData() or "")

    def choice(self) -> NetChoice | None:
        """Return the chosen net: the one that is open in Inspect as it is there, any other as it was trained."""
        return self._choices.get(self.model())

    def set_open(self, choice: NetChoice | None) -> None:
        """Offer the net that is open in Inspect; it is chosen unless a person chose another one here."""
        self._open = choice
        self.refresh()

    def refresh(self) -> bool:
        """List the nets that there are now; returns whether another one is chosen by that."""
        before, combo = self.choice(), self.net.combo
        chosen = self.model()
        self._choices, opened = on_offer(self._open)
        combo.blockSignals(True)
        combo.clear()
        for key, one in self._choices.items():
            title = one.title or one.ref
            combo.addItem(_tr("{0} (open in Inspect)").format(title) if key == opened else title, key)
        at = combo.findData(chosen if self._by_hand and chosen in self._choices else opened or chosen)
        combo.setCurrentIndex(max(0, at) if combo.count() else -1)
        combo.blockSignals(False)
        return self.choice() != before

    def _on_net(self) -> None:
        self._by_hand = True
        self.net_changed.emit()

    # ---- pictures ----

    def source(self) -> str:
        """Return the data set's id, or a folder."""
        return self._chosen_data

    def count(self) -> int:
        """Return how many pictures are wanted, 0 for all."""
        return int(self.pictures.value())

    def _on_data(self) -> None:
        wanted = self.data.value()
        if wanted == FOLDER:
            start = str(self._settings.value("data-folder", "", type=str))
            wanted = QFileDialog.getExistingDirectory(self, _tr("Choose a folder of class folders"), start)
            if wanted:
                self._settings.setValue("data-folder", wanted)
        if wanted:
            self.set_source(wanted)
        else:
            self.data.set_value(self._chosen_data)

    def set_source(self, data: str) -> None:
        """Choose a data set or folder."""
        self.data.set_value(data)
        if data != self._chosen_data:
            self._chosen_data = data
            self._settings.setValue("lesion_data", data)
            self.data_changed.emit()

    def _on_pictures(self) -> None:
        self._settings.setValue("lesion_pictures", self.pictures.value())
        self.data_changed.emit()
