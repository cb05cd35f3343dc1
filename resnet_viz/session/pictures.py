"""What the file worker does: decode pictures, take one with the camera, list a folder.

Decoding a large photograph takes up to a second, so none of it happens in the window's thread.
Nor does shrinking it: a picture arrives with the small version that the window paints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_viz.core.errors import UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import U8, ImageInput

if TYPE_CHECKING:
    from resnet_viz.data.browse import BrowsedSet

PREVIEW_PX = 1024
"""Longer side of the preview: the window paints a picture at most some hundred pixels long."""


@dataclass(frozen=True, slots=True, eq=False)
class Photograph(ImageInput):
    """A picture too large to be scaled while the window waits.

    Attributes:
        preview: all of it, small: uint8 (h, w, 3), the longer side :data:`PREVIEW_PX`.
    """

    preview: U8 | None = None


@dataclass(frozen=True, slots=True)
class LoadPicture:
    """Decode a picture file."""

    path: str


@dataclass(frozen=True, slots=True)
class DrawPicture:
    """Have a picture file drawn that no decoder reads; ``draw`` gets the path and the token and returns it."""

    path: str
    draw: Callable[[str, CancelToken], ImageInput]


@dataclass(frozen=True, slots=True)
class DecodePicture:
    """Decode a picture's bytes, for example from the clipboard."""

    data: bytes
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class DecodePixels:
    """Lay pixels that are in memory, uint8 (H, W, 4) with alpha, over grey."""

    pixels: U8
    source: str


@dataclass(frozen=True, slots=True)
class GrabCamera:
    """Take one picture with camera number ``index``."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class BrowseFolder:
    """List the pictures of a folder or a data set, lazily; the answer is a :class:`Browsed`.

    Attributes:
        data: the folder, or a data set's id.
        first: the picture of it to begin with, None for the first.
        keep: whether it is this folder that is wanted even where ``first`` is none of its pictures.
    """

    data: str
    first: str | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class BrowseFiles:
    """Make a row of these pictures, wherever they lie; the answer is a :class:`Browsed`."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Browsed:
    """A folder that was listed.

    Attributes:
        source: its pictures.
        first: where the picture to begin with stands; None if it is not among them.
        named: whether that one was asked for, and so is opened by its name already.
    """

    source: BrowsedSet
    first: int | None
    named: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LoadItem:
    """Decode one picture of a folder, with its true label."""

    source: BrowsedSet
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class LoadThumbnail:
    """Decode one picture of a folder small, its longer side at most ``side``: uint8 (H, W, 3)."""

    source: BrowsedSet
    index: int
    side: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write files; ``write`` gets nothing and returns what the status line says."""

    write: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw what is saved or copied; ``draw`` gets nothing and returns uint8 (H, W, 3)."""

    draw: Callable[[], U8]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, as a sentence."""

    message: str


def handle(request: object, token: CancelToken, progress: Callable[[float], None]) -> object:
    """Do one request; raises UserError where the input is at fault."""
    if isinstance(request, LoadPicture):
        from resnet_viz.data.images import load_image

        return _with_preview(load_image(Path(request.path)))
    if isinstance(request, DrawPicture):
        return _with_preview(request.draw(request.path, token))
    if isinstance(request, DecodePicture):
        from resnet_viz.data.images import from_bytes

        return _with_preview(from_bytes(request.data, request.source))
    if isinstance(request, DecodePixels):
        from resnet_viz.data.images import from_rgba

        return _with_preview(from_rgba(request.pixels, request.source))
    if isinstance(request, LoadItem):
        return _with_preview(request.source.item(request.index))
    if isinstance(request, LoadThumbnail):
        return request.source.thumbnail(request.index, request.side)
    if isinstance(request, GrabCamera):
        from resnet_viz.data.camera import grab_frame

        return _with_preview(grab_frame(request.index))
    if isinstance(request, BrowseFolder | BrowseFiles):
        browsed = _browse(request, token) if isinstance(request, BrowseFolder) else _row(request)
        browsed.source.index_of("")  # makes the table of paths here: of many files it takes too long for the window
        return browsed
    if isinstance(request, Write):
        return Written(request.write())
    if isinstance(request, Draw):
        return request.draw()
    raise TypeError(f"the file worker does not know {type(request).__name__}")


def _with_preview(image: ImageInput) -> ImageInput:
    """Return the picture with a small version of it, itself if it is small already."""
    if max(image.pixels.shape[:2]) <= PREVIEW_PX:
        return image
    from resnet_viz.data.images import shrink

    known = {field.name: getattr(image, field.name) for field in fields(image)}
    return Photograph(**known, preview=shrink(image.pixels, PREVIEW_PX))


def _row(request: BrowseFiles) -> Browsed:
    from resnet_viz.data.browse import browse_files

    return Browsed(browse_files(request.paths), 0, named=True)


def _browse(request: BrowseFolder, token: CancelToken) -> Browsed:
    from resnet_viz.data.browse import browse

    source = browse(request.data, token=token)
    if request.first is None:
        return Browsed(source, 0)
    first = source.index_of(request.first)
    if first is None and request.keep:
        return Browsed(source, None, named=True)
    if first is None:
        # the folder is a data set, and the picture none of its own: the pictures that lie beside it, then
        try:
            beside = browse(request.first, token=token)
        except UserError:  # such as an SVG, which no folder lists
            return Browsed(source, None, named=True)
        source, first = beside, beside.index_of(request.first)
    return Browsed(source, first, named=True)
