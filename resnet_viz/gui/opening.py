"""Everything that can be opened, from wherever it comes: dialog, drop, paste, camera, samples, command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PyQt6.QtCore import QCoreApplication, QMimeData, QObject, QTimer, QUrl, pyqtSignal
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import U8, ImageInput, ModelCard
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session import store
from resnet_viz.session.pictures import (
    Browsed,
    BrowseFiles,
    BrowseFolder,
    DecodePicture,
    DecodePixels,
    DrawPicture,
    GrabCamera,
    LoadItem,
    LoadPicture,
)
from resnet_viz.session.requests import Opened, OpenModel

from .context import Context
from .plain import in_a_sentence

if TYPE_CHECKING:
    from resnet_viz.data.browse import BrowsedSet

MODEL_SUFFIXES = (".safetensors", ".pt", ".pth", ".th")
DATA_SUFFIXES = (".csv", ".npz")
"""Data sets that lie in one file."""
# written out, since the module that decodes them is imported only after the window is on screen
PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"),
    ".svg",
)
PICTURE_FILTER = " ".join(f"*{suffix}" for suffix in PICTURE_SUFFIXES)
ENCODED = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif")
"""Kinds of files that a clipboard hands out, the best first."""
LONGEST_NAME = 40
"""Letters of a file's name while it is being opened: the status line has room for little more."""
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


def is_row(path: Path) -> bool:
    """Whether a dropped path is many pictures: a folder, or a data set in one file."""
    return os.path.isdir(path) or (path.suffix.lower() in DATA_SUFFIXES and os.path.isfile(path))


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

    Attributes:
        item: which picture of which folder was opened last, None for one from elsewhere.
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
        self._failed: dict[str, str] = {}  # what went wrong while something else was being opened
        self.item: tuple[BrowsedSet, int] | None = None
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
        """Open a picture file; SVG is drawn by Qt, everything else decoded."""
        self._failed.pop("picture", None)
        drawn = path.lower().endswith(".svg") and os.path.isfile(path)
        self._context.files.ask("picture", DrawPicture(path, _draw_svg) if drawn else LoadPicture(path))
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
        self._show(image, None)

    def open_folder(self, path: str, first: str | None = None, *, keep: bool = False) -> None:
        """Browse a folder of pictures or a data set.

        Args:
            path: the folder, a data set in one file, or a data set's id.
            first: one of its pictures that is opened by its name; None to begin with the first of all.
            keep: whether it is this folder that is wanted even where that picture is none of its own.
        """
        self._context.files.ask("folder", BrowseFolder(path, first, keep))
        self._begin("folder", _tr("Reading {0}…").format(Path(path).name))

    def open_row(self, paths: list[str]) -> None:
        """Browse pictures that lie in several folders; the first is opened by its name."""
        self._context.files.ask("folder", BrowseFiles(tuple(paths)))
        self._begin("folder", _tr("Reading {0} pictures…").format(len(paths)))

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
        if not self._opening:
            self._failed.clear()
        self.given_up.emit(kind)

    def _begin(self, kind: str, sentence: str) -> None:
        """Say what is being opened; it is the newest now."""
        if kind == "picture":
            self._slow.stop()
        self._failed.pop(kind, None)
        self._opening.pop(kind, None)
        self._opening[kind] = sentence = in_a_sentence(sentence, LONGEST_NAME)
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
        """Open what was dropped: a net, a row of pictures, one picture, or one of each; say what is left out.

        What is no picture by its name is tried where nothing else is there: contents decide, not names.
        """
        models = [text for text in paths if is_model(Path(text))]
        rows = [text for text in paths if not is_model(Path(text)) and is_row(Path(text))]
        taken = {*models, *rows}
        rest = [text for text in paths if text not in taken]
        pictures = [text for text in rest if text.lower().endswith(PICTURE_SUFFIXES)]
        if not pictures and not models and not rows:
            pictures = rest[:1]
        if models:
            self.open_model(OpenModel(ref=models[0]))
        if pictures:
            self.open_picture(pictures[0])
        if rows:
            self.open_folder(rows[0], pictures[0] if pictures else None, keep=True)
        elif len({Path(text).parent for text in pictures}) > 1:
            self.open_row(pictures)
        elif len(pictures) > 1:
            self.open_folder(str(Path(pictures[0]).parent), pictures[0])
        beside = pictures[1:] if rows else []  # where a folder fills the strip they have no place in it
        shown = set(pictures)
        left = [*models[1:], *rows[1:], *beside, *(text for text in rest if text not in shown)]
        if left:
            more = _tr(" and {0} more").format(len(left) - 1) if len(left) > 1 else ""
            text = _tr("Not opened: {0}{1}. One net and one folder are shown at a time; drop the others by themselves.")
            self._fail("rest", text.format(Path(left[0]).name, more))

    def takes(self, mime: QMimeData | None) -> bool:
        """Whether something that hangs over the window can be dropped; why an address is not opened is said then."""
        return mime is not None and (mime.hasUrls() or mime.hasImage() or bool(_named(mime)))

    def open_mime(self, mime: QMimeData | None) -> bool:
        """Open what lies in the clipboard or was dropped; False if there is nothing to open."""
        if mime is None:
            return False
        local = [path for url in mime.urls() if url.isLocalFile() and (path := url.toLocalFile())]
        if local:
            self.open_any(local)
            return True
        if self._open_pixels(mime):
            return True
        if named := _named(mime):
            self.open_any(named)
        return bool(named)

    def _open_pixels(self, mime: QMimeData) -> bool:
        """Open a picture that was copied; whoever copied it has it as a file mostly, which the worker decodes."""
        request: DecodePicture | DecodePixels | None = None
        for kind in ENCODED:
            if (data := mime.data(kind)).size():
                request = DecodePicture(bytes(data.data()), _tr("clipboard"))
                break
        if request is None:
            image = mime.imageData()
            if not isinstance(image, QImage) or image.isNull():
                return False
            request = DecodePixels(_rgba(image), _tr("clipboard"))
        self._context.files.ask("picture", request)
        self._begin("picture", _tr("Reading the clipboard…"))
        return True

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
        mime = clipboard.mimeData() if clipboard is not None else None
        if self.open_mime(mime):
            return
        if mime is not None and QUrl(mime.text().strip()).scheme() in ("http", "https", "ftp", "data"):
            self.failed.emit(
                _tr("In the clipboard is a web address, not a picture. Copy the picture itself, then paste again.")
            )
        else:
            self.failed.emit(_tr("There is no picture in the clipboard. Copy one, then paste again."))

    def _on_net(self, outcome: Outcome) -> None:
        if outcome.kind != "model" or outcome.progress is not None:
            return
        self._end("model")
        if outcome.error is not None:
            self._fail("model", str(outcome.error))
        elif isinstance(outcome.value, Opened):
            card: ModelCard = outcome.value.card
            if card.source:
                store.remember_recent("model", card.source)
            self._failed.pop("model", None)
            self.model_opened.emit(card)
            self._say_again()

    def _on_file(self, outcome: Outcome) -> None:
        if outcome.kind not in ("picture", "folder") or outcome.progress is not None:
            return
        self._end(outcome.kind)
        request = outcome.request
        if outcome.error is not None:
            self._fail(outcome.kind, str(outcome.error))
        elif isinstance(outcome.value, Browsed):
            self.folder_opened.emit(outcome.value)
            if not self._opening and not self._slow.isActive():
                self._failed.clear()  # it has been said, and nothing is on its way that clears the banner
        elif isinstance(outcome.value, ImageInput):
            if outcome.value.path and not isinstance(request, LoadItem):
                store.remember_recent("picture", outcome.value.path)
            self._show(outcome.value, (request.source, request.index) if isinstance(request, LoadItem) else None)

    def _show(self, image: ImageInput, item: tuple[BrowsedSet, int] | None) -> None:
        self._failed.pop("picture", None)
        self.item = item
        self.picture_opened.emit(image)
        self._say_again()

    def _fail(self, kind: str, text: str) -> None:
        """Say what went wrong; what is still being opened clears the banner, so then it is said again."""
        self._failed[kind] = in_a_sentence(text)
        self._say_again()

    def _say_again(self) -> None:
        texts = list(self._failed.values())
        if not self._opening:
            self._failed.clear()
        if texts:
            self.failed.emit(" ".join(texts))


def _draw_svg(path: str, token: CancelToken) -> ImageInput:
    from .widgets.svg import draw_svg

    return draw_svg(path, token)


def _named(mime: QMimeData) -> list[str]:
    """Return the paths that a text consists of, one to a line; none where it says anything else."""
    lines = [_local(line) for line in mime.text().splitlines() if line.strip()]
    return lines if all(os.path.exists(line) for line in lines) else []  # False for a text that can be no path at all


def _local(text: str) -> str:
    """Return the path that a line of text names: bare, quoted, or as an address."""
    text = text.strip().strip("\"'")
    return QUrl(text).toLocalFile() if text.startswith("file:") else os.path.expanduser(text)


def _rgba(image: QImage) -> U8:
    """Return the picture's pixels, uint8 (H, W, 4); to make a file of them takes seconds where the screen is large."""
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(cast(bytes, bits), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).copy()
