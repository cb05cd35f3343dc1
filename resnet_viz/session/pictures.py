"""What the file worker does: decode pictures, take one with the camera, list a folder.

Decoding a large photograph takes up to a second, so none of it happens in the window's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import ImageInput


@dataclass(frozen=True, slots=True)
class LoadPicture:
    """Decode a picture file."""

    path: str


@dataclass(frozen=True, slots=True)
class DecodePicture:
    """Decode a picture's bytes, for example from the clipboard."""

    data: bytes
    source: str


@dataclass(frozen=True, slots=True)
class GrabCamera:
    """Take one picture with camera number ``index``."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class BrowseFolder:
    """List the pictures of a folder or a data set, lazily."""

    data: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write files; ``write`` gets nothing and returns what the status line says."""

    write: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, as a sentence."""

    message: str


def handle(request: object, token: CancelToken, progress: Callable[[float], None]) -> object:
    """Do one request; raises UserError where the input is at fault."""
    if isinstance(request, LoadPicture):
        from resnet_viz.data.images import load_image

        return load_image(Path(request.path))
    if isinstance(request, DecodePicture):
        from resnet_viz.data.images import from_bytes

        return from_bytes(request.data, request.source)
    if isinstance(request, GrabCamera):
        from resnet_viz.data.camera import grab_frame

        image: ImageInput = grab_frame(request.index)
        return image
    if isinstance(request, BrowseFolder):
        from resnet_viz.data.browse import browse

        return browse(request.data)
    if isinstance(request, Write):
        return Written(request.write())
    raise TypeError(f"the file worker does not know {type(request).__name__}")
