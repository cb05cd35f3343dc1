"""Moving along a folder or a data set: the strip asks, the file worker decodes, the opener shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PyQt6.QtCore import QObject

from resnet_viz.core.types import ImageInput
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.pictures import Browsed, LoadItem, LoadThumbnail

from .context import Context
from .opening import Opener
from .widgets.film_strip import DECODED_PX, FilmStrip

if TYPE_CHECKING:
    from resnet_viz.data.browse import BrowsedSet

KIND = "thumbnail"


class Browser(QObject):
    """Knows which folder is open and which of its pictures is wanted.

    Args:
        context: its file worker decodes.
        opener: shows a picture; one chosen here is opened like any other, so that the newest wins.
        strip: where the folder is shown; it is hidden until there is one.
        parent: the window.
    """

    def __init__(self, context: Context, opener: Opener, strip: FilmStrip, parent: QObject) -> None:
        super().__init__(parent)
        self._files, self._opener, self._strip = context.files, opener, strip
        self._source: BrowsedSet | None = None
        self._index = -1  # the one that is wanted, or the last of this folder; from here it is stepped on
        self._shown = -1  # the one on show, -1 while that is a picture from elsewhere
        opener.folder_opened.connect(self.show_folder)
        opener.picture_opened.connect(self._on_picture)
        opener.given_up.connect(self._on_given_up)
        strip.closed.connect(self.close_folder)
        strip.thumbnail_wanted.connect(self._ask_thumbnail)
        strip.thumbnail_unwanted.connect(lambda: self._files.cancel(KIND))
        self._files.arrived.connect(self._on_arrived)

    def show_folder(self, opened: Browsed) -> None:
        """Show a folder or data set, and the picture of it that was asked for."""
        self._source = opened.source
        self._index = self._shown = -1
        self._strip.set_source(opened.source, opened.source.title)
        self._strip.show()
        if opened.first is None:
            self._mark(-1)
        elif opened.named and opened.source.label(opened.first) is None:
            self._shown = opened.first  # it is being opened by its name, and the folder knows no more of it
            self._mark(opened.first)
        else:
            self.pick(opened.first)

    def close_folder(self) -> None:
        """Put the strip away; the picture on show stays."""
        self._source, self._index, self._shown = None, -1, -1
        self._strip.set_source(None)
        self._strip.hide()

    def pick(self, index: int) -> None:
        """Show one picture of the folder, if there is such a one."""
        if self._source is None or not 0 <= index < len(self._source):
            return
        self._mark(index)
        self._opener.open_item(self._source, index)

    def step(self, step: int) -> None:
        """Show the picture ``step`` further."""
        self.pick(self._index + step)

    def _mark(self, index: int) -> None:
        self._index = index
        self._strip.set_current(index)

    def _on_picture(self, image: ImageInput) -> None:
        """Mark the picture that came where it is one of the folder's; no other may seem to be on show."""
        if self._source is None:
            return
        source, index = self._opener.item or (None, -1)
        if source is not self._source:
            found = self._source.index_of(image.path) if image.path else None
            index = -1 if found is None else found
        self._shown = index
        if index >= 0:
            self._index = index
        self._strip.set_current(index)

    def _on_given_up(self, kind: str) -> None:
        if kind == "picture":
            self._strip.set_current(self._shown)
            if self._shown >= 0:
                self._index = self._shown

    def _ask_thumbnail(self, index: int) -> None:
        if self._source is not None:
            self._files.ask(KIND, LoadThumbnail(self._source, index, DECODED_PX))

    def _on_arrived(self, outcome: Outcome) -> None:
        request = outcome.request
        if outcome.progress is not None or not isinstance(request, LoadThumbnail | LoadItem):
            return
        if request.source is not self._source:
            return
        value = outcome.value
        if outcome.kind == KIND:
            # without an answer it is drawn as a broken picture; the others go on
            self._strip.set_thumbnail(request.index, value if isinstance(value, np.ndarray) else None)
        elif isinstance(request, LoadItem):
            self._strip.set_readable(request.index, outcome.error is None)
            if outcome.error is not None:
                self._strip.set_current(self._shown, then=request.index)
