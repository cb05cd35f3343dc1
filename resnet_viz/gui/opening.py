"""Everything that can be opened, from wherever it comes: dialog, drop, paste, camera, samples, command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, QMimeData, QObject, QTimer, QUrl, pyqtSignal
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from resnet_viz.core.types import ImageInput, ModelCard
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session import store
from resnet_viz.session.pictures import Browsed, BrowseFolder, DecodePicture, GrabCamera, LoadItem, LoadPicture
from resnet_viz.session.requests import Opened, OpenModel

from .context import Context

if TYPE_CHECKING:
    from resnet_viz.data.browse import BrowsedSet

MODEL_SUFFIXES = (".safetensors", ".pt", ".pth", ".th")
PICTURE_FILTER = "*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.gif *.svg"
SLOW_MS = 200
"""How long a picture of a folder is waited for before anything is said: most are there at once."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Opening", text)


def is_model(path: Path) -> bool:
    """Whether a dropped path is a checkpoint or a run's folder, by its name and contents."""
    # os.path answers False where a Path raises: a name too long, a folder that may not be entered
    if os.path.isdir(path):
        return os.path.isfile(path / "weights.safetensors")
    return path.suffix.lower() in MODEL_SUFFIXES


class Opener(QObject):
    """Sends opening requests to the workers and says what came of them.

    Signals:
        busy: a sentence while something is being opened, the newest where it is several things; empty when all
            is done.
        model_opened: the ModelCard.
        picture_opened: the ImageInput.
        folder_opened: a Browsed.
        given_up: the kind of what the person cancelled: ``"model"``, ``"picture"`` or ``"folder"``.
        failed: a sentence with a next step.
    """

    busy = pyqtSignal(str)
    model_opened = pyqtSignal(object)
    picture_opened = pyqtSignal(object)
    folder_opened = pyqtSignal(object)
    given_up = pyqtSignal(str)
    failed = pyqtSignal(str)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._opening: dict[str, str] = {}  # what is said of each kind, the newest last
        self._slow_name = ""
        self._slow = QTimer(self)
        self._slow.setSingleShot(True)
        self._slow.setInterval(SLOW_MS)
        self._slow.timeout.connect(self._begin_slow)
        context.nets.arrived.connect(self._on_net)
        context.files.arrived.connect(self._on_file)

    def open_model(self, request: OpenModel) -> None:
        """Open a net."""
        self._context.nets.ask("model", request)
        self._begin("model", _tr("Opening {0}…").format(Path(request.ref).name or request.ref))

    def open_picture(self, path: str) -> None:
        """Open a picture file; SVG is drawn by Qt, everything else decoded by the file worker."""
        if path.lower().endswith(".svg"):
            self._open_svg(path)
            return
        self._context.files.ask("picture", LoadPicture(path))
        self._begin("picture", _tr("Opening {0}…").format(Path(path).name))

    def open_item(self, source: BrowsedSet, index: int) -> None:
        """Open one picture of a folder, overtaking every other that is still being read."""
        self._context.files.ask("picture", LoadItem(source, index))
        self._slow_name = source.name(index)
        if "picture" in self._opening:
            self._begin_slow()
        elif not self._slow.isActive():  # who moves along quickly is told as well
            self._slow.start()

    def show_picture(self, image: ImageInput) -> None:
        """Show a picture that is decoded already, overtaking one that is still being read."""
        self._context.files.cancel("picture")
        self._end("picture")
        self.picture_opened.emit(image)

    def open_folder(self, path: str, first: str | None = None) -> None:
        """Browse a folder of pictures or a data set, perhaps beginning with one of its pictures."""
        self._context.files.ask("folder", BrowseFolder(path, first))
        self._begin("folder", _tr("Reading {0}…").format(Path(path).name))

    def take_picture(self) -> None:
        """Take one picture with the camera."""
        self._context.files.ask("picture", GrabCamera())
        self._begin("picture", _tr("Waiting for the camera…"))

    def cancel(self) -> None:
        """Give up what the sentence names, the newest thing being opened; what is on screen stays."""
        if not self._opening:
            return
        kind = list(self._opening)[-1]
        (self._context.nets if kind == "model" else self._context.files).cancel(kind)
        self._end(kind)
        self.given_up.emit(kind)

    def _begin(self, kind: str, sentence: str) -> None:
        """Say what is being opened; it is the newest now."""
        if kind == "picture":
            self._slow.stop()
        self._opening.pop(kind, None)
        self._opening[kind] = sentence
        self.busy.emit(sentence)

    def _begin_slow(self) -> None:
        self._begin("picture", _tr("Opening {0}…").format(self._slow_name))

    def _end(self, kind: str) -> None:
        """Say what is still being opened, if anything."""
        if kind == "picture":
            self._slow.stop()
        if self._opening.pop(kind, None) is not None:
            self.busy.emit(list(self._opening.values())[-1] if self._opening else "")

    def open_any(self, paths: list[str]) -> None:
        """Open what was dropped: a checkpoint, a run, a picture, a folder, or several of them."""
        pictures = []
        for text in paths:
            path = Path(text)
            if is_model(path):
                self.open_model(OpenModel(ref=text))
            elif os.path.isdir(path):
                self.open_folder(text)
            else:
                pictures.append(text)
        if pictures:
            self.open_picture(pictures[0])
        if len(pictures) > 1:
            self.open_folder(str(Path(pictures[0]).parent), pictures[0])

    def open_mime(self, mime: QMimeData | None) -> bool:
        """Open what lies in the clipboard or was dropped; False if there is nothing to open."""
        if mime is None:
            return False
        local = [path for url in mime.urls() if url.isLocalFile() and (path := url.toLocalFile())]
        if local:
            self.open_any(local)
            return True
        if mime.hasImage():
            image = mime.imageData()
            if isinstance(image, QImage) and not image.isNull():
                self._context.files.ask("picture", DecodePicture(_png(image), _tr("clipboard")))
                self._begin("picture", _tr("Reading the clipboard…"))
                return True
        text = mime.text().strip().strip("\"'")
        if text.startswith("file:"):
            text = QUrl(text).toLocalFile()
        if text and os.path.exists(text):  # False for a text that can be no path at all
            self.open_any([text])
            return True
        return False

    def drop(self, mime: QMimeData | None) -> bool:
        """Open what was dropped; where there is nothing to open say so, and what to do."""
        if self.open_mime(mime):
            return True
        if mime is not None and any(not url.isLocalFile() for url in mime.urls()):
            text = _tr(
                "A web address was dropped, not a picture. Copy the picture and paste it, or save it and open the file."
            )
        else:
            text = _tr("There is nothing to open in what was dropped. Drop a picture, a folder or a checkpoint.")
        self.failed.emit(text)
        return False

    def paste(self) -> None:
        """Open what lies in the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is None or not self.open_mime(clipboard.mimeData()):
            self.failed.emit(_tr("There is no picture in the clipboard. Copy one, then paste again."))

    def _open_svg(self, path: str) -> None:
        from .widgets.svg import render_svg

        image = render_svg(path)
        if image is None:
            self.failed.emit(_tr("{0} cannot be drawn. Choose another picture.").format(Path(path).name))
        else:
            self.show_picture(image)

    def _on_net(self, outcome: Outcome) -> None:
        if outcome.kind != "model" or outcome.progress is not None:
            return
        self._end("model")
        if outcome.error is not None:
            self.failed.emit(str(outcome.error))
        elif isinstance(outcome.value, Opened):
            card: ModelCard = outcome.value.card
            if card.source:
                store.remember_recent("model", card.source)
            self.model_opened.emit(card)

    def _on_file(self, outcome: Outcome) -> None:
        if outcome.kind not in ("picture", "folder") or outcome.progress is not None:
            return
        self._end(outcome.kind)
        if outcome.error is not None:
            self.failed.emit(str(outcome.error))
        elif isinstance(outcome.value, Browsed):
            self.folder_opened.emit(outcome.value)
        elif isinstance(outcome.value, ImageInput):
            if outcome.value.path and not isinstance(outcome.request, LoadItem):
                store.remember_recent("picture", outcome.value.path)
            self.picture_opened.emit(outcome.value)


def _png(image: QImage) -> bytes:
    """Return the picture as PNG bytes, so that one decoder sees every picture."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())
