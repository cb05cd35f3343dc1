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
import struct
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from resnet_viz.core.errors import PictureError
from resnet_viz.core.types import U8, ImageInput

from .decoders import FORMATS, foreign, opener_for, quiet
from .tones import mark_depth, over_grey, to_rgb

MAX_PIXELS = 50_000_000
"""Largest picture that is decoded, width times height."""

MAX_SIDE_PX = 32_767
"""Longest side that is decoded: beyond it no window can paint the picture."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif")
"""Endings by which a folder's pictures are found, lower case; files are told apart by contents."""

MAX_FRAMES = 100
"""Frames that are counted for the note; only the first one is shown."""

MAX_CHUNKS = 100_000
"""Parts of a PNG file; 50 megapixels of 16-bit colour that do not compress make 37,000."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION, _PHOTOMETRIC = 0x0112, 0x0106  # EXIF and TIFF tags
_PNG = b"\x89PNG\r\n\x1a\n"
_UNREAD = ("unknown pixel mode", "unknown data organization")
"""What Pillow says of an intact TIFF whose pixels it has no reader for."""


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


def from_rgba(pixels: U8, source: str) -> ImageInput:
    """Take pixels that are in memory with their alpha, uint8 (H, W, 4); transparent parts are laid over grey.

    Raises:
        PictureError: if there are no pixels, or more than :data:`MAX_PIXELS`.
    """
    _check_size(pixels.shape[1], pixels.shape[0], source)
    rgb, through = over_grey(Image.fromarray(pixels, "RGBA"))
    return ImageInput(np.ascontiguousarray(rgb), source, "transparent parts over grey" if through else "")


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
            # os.path answers where a Path raises: one link to where nobody may look hides no other picture
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and os.path.isfile(path)
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
    if head.startswith(_PNG):
        width, height = struct.unpack(">II", head[16:24].ljust(8, b"?"))
        if not (width and height) and head[12:16] == b"IHDR":  # Pillow would call it no PNG
            _check_size(width, height, source)
        _check_chunks(stream, source)
    try:
        with warnings.catch_warnings():
            # a damaged tag is no reason to warn on stderr: either the pixels are there or an error follows
            warnings.filterwarnings("ignore", module="PIL")
            image = opener(stream)
            size = image.size
    except Exception as error:
        if str(error) in _UNREAD:
            raise PictureError(
                f"{source} holds pixels of a kind that cannot be read, as colours in float values are. "
                "Save it with 8 or 16 bits per colour and open that."
            ) from error
        raise _damaged(source) from error
    _check_size(*size, source)
    return image


def _check_chunks(stream: IO[bytes], source: str) -> None:
    """Refuse a PNG of millions of tiny parts, each of which Pillow would look at for microseconds."""
    stream.seek(len(_PNG))
    for _ in range(MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            break
        stream.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
    else:
        raise PictureError(f"{source} is cut into more than {MAX_CHUNKS:,} parts. Save it anew and open that.")
    stream.seek(0)


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
            _scale_key(image)
            with quiet(image):
                image.load()
            pixels, tone = to_rgb(image)
            if _white_is_zero(image):
                np.subtract(255, pixels, out=pixels)  # exact: no 16-bit value lies halfway between two bytes
            turn = _UPRIGHT.get(_orientation(image))
    except Exception as error:  # decoders raise anything from struct.error to MemoryError on damaged bytes
        raise _damaged(source) from error
    if turn is not None:
        pixels = np.array(Image.fromarray(pixels).transpose(turn))
    notes.extend(tone)
    return np.ascontiguousarray(pixels), ", ".join(note for note in notes if note)


def _scale_key(image: ImageFile.ImageFile) -> None:
    """Bring a grey PNG's transparent value of 1, 2 or 4 bits to the 8 bits that its pixels get."""
    key = image.info.get("transparency")
    if isinstance(image, PngImagePlugin.PngImageFile) and isinstance(key, int) and image.tile:
        raw = image.tile[0].args
        step = {"1": 255, "L;2": 85, "L;4": 17}.get(raw) if isinstance(raw, str) else None
        if step is not None:
            image.info["transparency"] = key % (255 // step + 1) * step  # only the lowest bits count


def _white_is_zero(image: ImageFile.ImageFile) -> bool:
    """Whether a TIFF's whole numbers run from white to black; Pillow turns those of up to 8 bits itself."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not image.mode.startswith("I"):
        return False
    return bool(image.tag_v2.get(_PHOTOMETRIC) == 0)


def _frame_note(image: ImageFile.ImageFile) -> str:
    """Return "frame 1 of n" where there are more; counting may fail behind an intact first frame."""
    try:
        count = _frames(image)
    except Exception:
        return "first frame"
    if count > MAX_FRAMES:
        return f"frame 1 of more than {MAX_FRAMES}"
    return f"frame 1 of {count}" if count > 1 else ""


def _frames(image: ImageFile.ImageFile) -> int:
    """Count frames, at most one beyond :data:`MAX_FRAMES`.

    Pillow's ``n_frames`` reads a whole TIFF or GIF for it, minutes if it was made for that.
    """
    stream = image.fp
    if stream is None or not isinstance(image, TiffImagePlugin.TiffImageFile | GifImagePlugin.GifImageFile):
        return int(getattr(image, "n_frames", 1))  # stands in the header
    here = stream.tell()
    try:
        stream.seek(0)
        return _tiff_pages(stream) if isinstance(image, TiffImagePlugin.TiffImageFile) else _gif_frames(stream)
    finally:
        with suppress(OSError, ValueError):
            stream.seek(here)


def _tiff_pages(stream: IO[bytes]) -> int:
    """Follow the chain of directories, each of which ends with the place of the next."""
    head = stream.read(16)
    order, big = "<" if head[:2] == b"II" else ">", b"+" in head[2:4]
    # how many entries, bytes of an entry, where the next directory lies (TIFF 6.0, sec. 2; BigTIFF)
    count_of, entry, next_of = (f"{order}Q", 20, f"{order}Q") if big else (f"{order}H", 12, f"{order}L")
    (place,) = struct.unpack_from(next_of, head, 8 if big else 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) <= MAX_FRAMES:
        seen.add(place)
        stream.seek(place)
        (entries,) = struct.unpack(count_of, stream.read(struct.calcsize(count_of)))
        stream.seek(entries * entry, os.SEEK_CUR)
        (place,) = struct.unpack(next_of, stream.read(struct.calcsize(next_of)))
    return len(seen)


def _gif_frames(stream: IO[bytes]) -> int:
    """Count image descriptors (GIF89a, sec. 20), skipping what lies between them."""

    def skip_table(flags: int) -> None:
        if flags & 0x80:
            stream.seek(3 * 2 ** ((flags & 7) + 1), os.SEEK_CUR)

    skip_table(stream.read(13)[10])
    count = 0
    while count <= MAX_FRAMES:
        kind = stream.read(1)
        if kind in (b"", b";"):
            break
        if kind == b",":
            descriptor = stream.read(9)
            if len(descriptor) < 9:
                break
            count += 1
            skip_table(descriptor[8])
        if kind in (b",", b"!"):
            stream.read(1)  # code size or label
            while length := stream.read(1):
                if length == b"\0":
                    break
                stream.seek(length[0], os.SEEK_CUR)
    return count


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data: the picture is shown as it is stored
        return 1


def _damaged(source: str) -> PictureError:
    return PictureError(
        f"{source} is damaged or cut short and cannot be read whole. Get the file again, or choose another picture."
    )
