"""What the two buttons at the top left offer: nets and pictures, filled each time they open."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QCoreApplication
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu

from resnet_viz.data.samples import sample_pictures
from resnet_viz.session import store
from resnet_viz.session.requests import OpenModel

from .opening import Opener

MAX_RECENT = 8


def _tr(text: str) -> str:
    return QCoreApplication.translate("Menus", text)


def fill_models(menu: QMenu, opener: Opener, actions: dict[str, QAction]) -> None:
    """Offer the nets that ship, finished runs, recent files, untrained nets, and opening a file."""
    menu.clear()
    menu.addSection(_tr("Trained"))
    for model_id, card in store.trained_models():
        title = str(card.get("title", model_id))
        menu.addAction(title, lambda model_id=model_id: opener.open_model(OpenModel(ref=model_id)))
    _recent(menu, "model", lambda path: opener.open_model(OpenModel(ref=path)))
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
    menu.addSection(_tr("Samples"))
    for sample in sample_pictures():
        menu.addAction(sample.title, lambda path=str(sample.path): opener.open_picture(path))
    _recent(menu, "picture", opener.open_picture)
    menu.addSeparator()
    for name in ("open_picture", "paste", "camera", "open_folder"):
        menu.addAction(actions[name])


def _recent(menu: QMenu, kind: str, open_path: object) -> None:
    assert callable(open_path)
    paths = [path for path in store.recent(kind) if Path(path).exists()][:MAX_RECENT]
    if paths:
        menu.addSection(_tr("Recent"))
    for path in paths:
        action = menu.addAction(Path(path).name, lambda path=path: open_path(path))
        assert action is not None
        action.setToolTip(path)
