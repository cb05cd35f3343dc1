"""Every picture file becomes upright uint8 RGB here, or one sentence of why it cannot.

Files come from anywhere, so the header is read first and the size checked before a pixel is
decoded, a truncated file is an error (never a half-grey picture), and whatever a decoder
raises on damaged bytes leaves this module as a :class:`PictureError`.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin

from resnet_viz.core.errors import PictureError
from resnet_viz.core.types import U8, ImageInput

from .decoders import FORMATS, foreign, opener_for, quiet
from .tones import mark_depth, to_rgb

MAX_PIXELS = 50_000_000
"""Largest picture that is decoded, width times height."""

MAX_SIDE_PX = 32_767
"""Longest side that is decoded: beyond it no window can paint the picture."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif")
"""Endings by which a folder's pictures are found, lower case; files are told apart by contents."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112  # EXIF tag


def load_image(path: str | os.PathLike[str]) -> ImageInput:
    """Decode a picture file: PNG, JPEG, WebP, BMP, TIFF or GIF (first frame), of any depth.

    Turned upright by its EXIF data; transparent parts are laid over grey (#808080); 16-bit
    and float values are scaled as ``note`` says.

    Args:
        path: the file; its name decides nothing, its contents do.

    Returns:
        ImageInput; pixels uint8 (H, W, 3).

    Raises:
        PictureError: if it is missing, no file, no picture, damaged, cut short, or larger
            than :data:`MAX_PIXELS`.
    """
    path = Path(path)
    with _open(path) as stream:
        image = _open_header(stream, path.name)
        pixels, note = _decode(image, path.name)
    return ImageInput(pixels, path.name, note, str(path.absolute()))


def from_bytes(data: bytes, source: str) -> ImageInput:
    """Decode a picture from memory, for example from the clipboard; like :func:`load_image`."""
    image = _open_header(io.BytesIO(data), source)
    pixels, note = _decode(image, source)
    return ImageInput(pixels, source, note)


def from_array(rgb: NDArray[np.uint8], source: str, *, note: str = "", label: str | None = None) -> ImageInput:
    """Wrap pixels that are in memory already.

    Args:
        rgb: uint8 (H, W, 3), or (H, W) and (H, W, 1) for grey; copied.
        source: where they came from, for people.
        note: what was done to them.
        label: true class where it is known.

    Raises:
        PictureError: if there are no pixels, or not bytes, or not one or three channels.
    """
    array = np.asarray(rgb)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3):
        raise PictureError(f"{source} is no 8-bit colour or grey picture. Convert it to RGB first.")
    _check_size(array.shape[1], array.shape[0], source)
    pixels: U8 = np.array(np.broadcast_to(array, (*array.shape[:2], 3)), order="C")
    return ImageInput(pixels, source, note, label=label)


def size_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return (width, height) in pixels as stored, from the header alone; errors as :func:`load_image`."""
    path = Path(path)
    with _open(path) as stream:
        size: tuple[int, int] = _open_header(stream, path.name).size
    return size


def load_thumbnail(path: str | os.PathLike[str], side: int) -> U8:
    """Decode a small version, shape (H, W, 3) with the longer side at most ``side`` pixels.

    A JPEG is decoded at a fraction of its size, about ten times faster than whole.

    Raises:
        PictureError: as :func:`load_image`.
    """
    path = Path(path)
    with _open(path) as stream:
        image = _open_header(stream, path.name)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            image.draft(None, (2 * side, 2 * side))  # never smaller than asked for
        pixels, _ = _decode(image, path.name)
    return shrink(pixels, side)


def shrink(pixels: U8, side: int) -> U8:
    """Return ``pixels`` (H, W, 3) with the longer side at most ``side``, area-averaged; never enlarged."""
    from .transforms import resize

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def list_pictures(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the pictures that lie directly in a folder, ordered as people count ("2" before "10").

    Raises:
        PictureError: if it is no folder, cannot be listed, or holds no pictures.
    """
    folder = Path(folder)
    name = folder.name or str(folder)
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except (OSError, ValueError) as error:
        raise PictureError(f"The folder {name} cannot be read ({_reason(error)}). Choose another folder.") from error
    if not found:
        raise PictureError(f"The folder {name} holds no pictures. Choose one with {FORMATS} files.")
    return sorted(found, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that orders numbers in names by value and letters without case."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    keys = ((0, int(part), part) if part[0] in "0123456789" else (1, 0, part.casefold()) for part in parts)
    return (*keys, (0, 0, name))


def _open(path: Path) -> IO[bytes]:
    """Open a regular file for reading; the caller closes it."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{path.name or path} is a folder. Open a picture in it, or browse the folder.")
        if not stat.S_ISREG(mode):  # reading a pipe or a device could wait for ever
            raise PictureError(f"{path.name} is not a file. Choose a {FORMATS} file.")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {path}. Check the name, or choose another picture.") from error
    except (OSError, ValueError) as error:
        raise PictureError(f"{path.name} cannot be read ({_reason(error)}). Choose another picture.") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _open_header(stream: IO[bytes], source: str) -> ImageFile.ImageFile:
    """Read the header only and check the size; no pixel is decoded yet."""
    try:
        head = stream.read(1024)
        stream.seek(0)
    except OSError as error:
        raise PictureError(f"{source} cannot be read ({_reason(error)}). Choose another picture.") from error
    if not head:
        raise PictureError(f"{source} is empty. Choose another picture.")
    opener = opener_for(head)
    if opener is None:
        raise PictureError(foreign(head, source))
    try:
        with warnings.catch_warnings():
            # a damaged tag is no reason to warn on stderr: either the pixels are there or an error follows
            warnings.filterwarnings("ignore", module="PIL")
            image = opener(stream)
            size = image.size
    except Exception as error:
        raise _damaged(source) from error
    _check_size(*size, source)
    return image


def _check_size(width: int, height: int, source: str) -> None:
    if width < 1 or height < 1:
        raise PictureError(f"{source} has no pixels ({width} x {height}). Choose another picture.")
    if width * height > MAX_PIXELS:
        size = f"{width} x {height} = {width * height / 1e6:,.0f} megapixels"
        raise PictureError(
            f"{source} has {size}; the limit is {MAX_PIXELS / 1e6:.0f}. Scale it down and open it again."
        )
    if max(width, height) > MAX_SIDE_PX:
        size = f"{width} x {height} pixels; the limit for a side is {MAX_SIDE_PX:,}"
        raise PictureError(f"{source} has {size}. Cut it and open it again.")


def _decode(image: ImageFile.ImageFile, source: str) -> tuple[U8, str]:
    """Decode the first frame; returns uint8 (H, W, 3) and what was done to it."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            notes = [_frame_note(image)]
            mark_depth(image)
            with quiet(image):
                image.load()
            pixels, tone = to_rgb(image)
            turn = _UPRIGHT.get(_orientation(image))
    except Exception as error:  # decoders raise anything from struct.error to MemoryError on damaged bytes
        raise _damaged(source) from error
    if turn is not None:
        pixels = np.array(Image.fromarray(pixels).transpose(turn))
    notes.extend(tone)
    return np.ascontiguousarray(pixels), ", ".join(note for note in notes if note)


def _frame_note(image: ImageFile.ImageFile) -> str:
    """Return "frame 1 of n" where there are more; counting may fail behind an intact first frame."""
    try:
        count = int(getattr(image, "n_frames", 1))
    except Exception:
        image.seek(0)
        return "first frame"
    return f"frame 1 of {count}" if count > 1 else ""


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data: the picture is shown as it is stored
        return 1


def _damaged(source: str) -> PictureError:
    return PictureError(
        f"{source} is damaged or cut short and cannot be read whole. Get the file again, or choose another picture."
    )
