"""What the two buttons at the top left offer: nets and pictures, filled each time they open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QLabel, QMenu, QWidgetAction

from resnet_viz.data.samples import sample_pictures
from resnet_viz.session import store
from resnet_viz.session.requests import OpenModel

from .opening import Opener
from .plain import tip, without_mnemonic

MAX_RECENT = 8
LONGEST_NAME = 60
"""Letters of a name that a menu shows."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Menus", text)


def fill_models(menu: QMenu, opener: Opener, actions: dict[str, QAction]) -> None:
    """Offer the nets that ship, finished runs, recent files, untrained nets, and opening a file."""
    for old in menu.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly):
        old.deleteLater()  # clear() leaves it behind, one more each time
    menu.clear()
    menu.setToolTipsVisible(True)  # two files of one name are told apart by their folders
    _heading(menu, _tr("Trained"))
    trained = store.trained_models()
    for model_id, card in trained:
        title = without_mnemonic(str(card.get("title", model_id)))
        menu.addAction(title, lambda model_id=model_id: opener.open_model(OpenModel(ref=model_id)))
    above = (str(card.get("folder", "")) for _, card in trained)
    _recent(menu, "model", above, lambda path: opener.open_model(OpenModel(ref=path)))
    menu.addSeparator()
    untrained = menu.addMenu(_tr("Untrained"))
    assert untrained is not None
    for model_id, title in store.architectures():
        request = OpenModel(ref=model_id, untrained=True)
        untrained.addAction(title, lambda request=request: opener.open_model(request))
    for name in ("open_model", "open_run"):
        menu.addAction(actions[name])


def fill_pictures(menu: QMenu, opener: Opener, actions: dict[str, QAction]) -> None:
    """Offer the samples, recent files, and every other way to open a picture."""
    menu.clear()
    menu.setToolTipsVisible(True)
    _heading(menu, _tr("Samples"))
    samples = sample_pictures()
    for sample in samples:
        menu.addAction(sample.title, lambda path=str(sample.path): opener.open_picture(path))
    _recent(menu, "picture", (str(sample.path) for sample in samples), opener.open_picture)
    menu.addSeparator()
    for name in ("open_picture", "paste", "camera", "open_folder"):
        menu.addAction(actions[name])


def _heading(menu: QMenu, text: str) -> None:
    """Name what follows in a menu; ``addSection`` says nothing where a style sheet draws the separators."""
    label = QLabel(text, menu)
    label.setProperty("muted", True)
    label.setProperty("heading", True)
    label.setContentsMargins(10, 8, 10, 2)
    action = QWidgetAction(menu)
    action.setText(text)
    action.setDefaultWidget(label)
    action.setEnabled(False)
    action.setSeparator(True)  # keys step over it
    menu.addAction(action)


def _recent(menu: QMenu, kind: str, above: Iterable[str], open_path: Callable[[str], None]) -> None:
    """Offer what was opened last, except what stands in the menu already."""
    # os.path answers where a Path raises: a folder that may not be entered any more, links in a circle
    known = {os.path.realpath(path) for path in above}
    paths = [path for path in store.recent(kind) if os.path.exists(path) and os.path.realpath(path) not in known]
    if paths:
        _heading(menu, _tr("Recent"))
    for path in paths[:MAX_RECENT]:
        action = menu.addAction(without_mnemonic(_short(Path(path).name)), lambda path=path: open_path(path))
        assert action is not None
        action.setToolTip(tip(path))


def _short(name: str) -> str:
    """Return a name that leaves the menu narrower than the screen."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 :]}"
