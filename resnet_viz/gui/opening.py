"""Everything that can be opened, from wherever it comes: dialog, drop, paste, camera, samples, command line."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, QMimeData, QObject, QUrl, pyqtSignal
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from resnet_viz.core.types import ImageInput, ModelCard
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session import store
from resnet_viz.session.pictures import BrowseFolder, DecodePicture, GrabCamera, LoadPicture
from resnet_viz.session.requests import Opened, OpenModel

from .context import Context

MODEL_SUFFIXES = (".safetensors", ".pt", ".pth", ".th")
PICTURE_FILTER = "*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.gif *.svg"


def _tr(text: str) -> str:
    return QCoreApplication.translate("Opening", text)


def is_model(path: Path) -> bool:
    """Whether a dropped path is a checkpoint or a run's folder, by its name and contents."""
    if path.is_dir():
        return (path / "weights.safetensors").is_file()
    return path.suffix.lower() in MODEL_SUFFIXES


class Opener(QObject):
    """Sends opening requests to the workers and says what came of them.

    Signals:
        busy: a sentence while something is being opened, empty when it is done.
        model_opened: the ModelCard.
        picture_opened: the ImageInput.
        folder_opened: a browsable source.
        failed: a sentence with a next step.
    """

    busy = pyqtSignal(str)
    model_opened = pyqtSignal(object)
    picture_opened = pyqtSignal(object)
    folder_opened = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        context.nets.arrived.connect(self._on_net)
        context.files.arrived.connect(self._on_file)

    def open_model(self, request: OpenModel) -> None:
        """Open a net."""
        self.busy.emit(_tr("Opening {0}…").format(Path(request.ref).name or request.ref))
        self._context.nets.ask("model", request)

    def open_picture(self, path: str) -> None:
        """Open a picture file; SVG is drawn by Qt, everything else decoded by the file worker."""
        if path.lower().endswith(".svg"):
            self._open_svg(path)
            return
        self.busy.emit(_tr("Opening {0}…").format(Path(path).name))
        self._context.files.ask("picture", LoadPicture(path))

    def show_picture(self, image: ImageInput) -> None:
        """Show a picture that is decoded already, overtaking one that is still being read."""
        self._context.files.cancel("picture")
        self.picture_opened.emit(image)

    def open_folder(self, path: str) -> None:
        """Browse a folder of pictures or a data set."""
        self.busy.emit(_tr("Reading {0}…").format(Path(path).name))
        self._context.files.ask("folder", BrowseFolder(path))

    def take_picture(self) -> None:
        """Take one picture with the camera."""
        self.busy.emit(_tr("Waiting for the camera…"))
        self._context.files.ask("picture", GrabCamera())

    def cancel(self) -> None:
        """Give up whatever is being opened; what is on screen stays."""
        self._context.nets.cancel("model")
        for kind in ("picture", "folder"):
            self._context.files.cancel(kind)
        self.busy.emit("")

    def open_any(self, paths: list[str]) -> None:
        """Open what was dropped: a checkpoint, a run, a picture, a folder, or several of them."""
        pictures = []
        for text in paths:
            path = Path(text)
            if is_model(path):
                self.open_model(OpenModel(ref=text))
            elif path.is_dir():
                self.open_folder(text)
            else:
                pictures.append(text)
        if pictures:
            self.open_picture(pictures[0])
        if len(pictures) > 1:
            self.open_folder(str(Path(pictures[0]).parent))

    def open_mime(self, mime: QMimeData | None) -> bool:
        """Open what lies in the clipboard or was dropped; False if there is nothing to open."""
        if mime is None:
            return False
        local = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
        if local:
            self.open_any(local)
            return True
        if mime.hasImage():
            image = mime.imageData()
            if isinstance(image, QImage) and not image.isNull():
                self.busy.emit(_tr("Reading the clipboard…"))
                self._context.files.ask("picture", DecodePicture(_png(image), _tr("clipboard")))
                return True
        text = mime.text().strip().strip("\"'")
        if text.startswith("file:"):
            text = QUrl(text).toLocalFile()
        if text and len(text) < 4096 and "\n" not in text and Path(text).exists():
            self.open_any([text])
            return True
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
        self.busy.emit("")
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
        self.busy.emit("")
        if outcome.error is not None:
            self.failed.emit(str(outcome.error))
        elif outcome.kind == "folder":
            self.folder_opened.emit(outcome.value)
        elif isinstance(outcome.value, ImageInput):
            if outcome.value.path:
                store.remember_recent("picture", outcome.value.path)
            self.picture_opened.emit(outcome.value)


def _png(image: QImage) -> bytes:
    """Return the picture as PNG bytes, so that one decoder sees every picture."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())
