"""Which decoder reads a file, told by its first bytes, and what other files are.

The decoders are Pillow's, but not opened through ``Image.open``: its limit for decompression
bombs is one global number for the whole program, and up to twice that it only warns.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# Pillow logs some complaints; where nobody listens, Python would print them beside our sentence
logging.getLogger("PIL").addHandler(logging.NullHandler())

FORMATS = "PNG, JPEG, WebP, BMP, TIFF or GIF"

_Opener = Callable[[IO[bytes]], ImageFile.ImageFile]
# JpegImageFile itself and not the registered factory: that one turns a phone's multi-picture
# JPEG into another class and warns about damaged ones; the first picture is what is wanted
_SIGNATURES: tuple[tuple[bytes, _Opener], ...] = (
    (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (rb"RIFF....WEBP", WebPImagePlugin.WebPImageFile),
    (rb"BM", BmpImagePlugin.BmpImageFile),
    (rb"(II[*+]\x00|MM\x00[*+])", TiffImagePlugin.TiffImageFile),
    (rb"GIF8[79]a", GifImagePlugin.GifImageFile),
)
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (rb"....ftyp(heic|heix|hevc|mif1|msf1)", "a HEIC picture"),
    (rb"....ftypavi[fs]", "an AVIF picture"),
    (rb"....ftyp", "a film"),
    (rb"\x1aE\xdf\xa3|RIFF....AVI ", "a film"),
    (rb"%PDF", "a PDF document"),
    (rb"8BPS", "a Photoshop document"),
    (rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (rb"\x00\x00\x01\x00", "an icon file"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"(?i)\s*<(!doctype html|html)", "a web page"),
)


def opener_for(head: bytes) -> _Opener | None:
    """Return what opens a file that begins with ``head`` (16 bytes suffice), None if nothing here does."""
    return next((opener for signature, opener in _SIGNATURES if re.match(signature, head, re.DOTALL)), None)


def foreign(head: bytes, source: str) -> str:
    """Return the sentences for a file that no decoder here reads: what it is, and what to do."""
    if re.search(rb"(?i)<svg[\s>]", head):
        return f"{source} is an SVG drawing, which only the window can draw. Open it there, or save it as PNG."
    for signature, what in _OTHERS:
        if re.match(signature, head, re.DOTALL):
            return f"{source} is {what}, which cannot be read. Save it as PNG or JPEG and open that."
    text = all((byte >= 32 and byte != 127) or byte in b"\t\n\r" for byte in head)
    what = "text, not a picture" if text else "not a picture"
    return f"{source} is {what}. Choose a {FORMATS} file."


_one_at_a_time = threading.Lock()


@contextmanager
def quiet(image: ImageFile.ImageFile) -> Iterator[None]:
    """Keep libtiff from writing its own complaints about a damaged TIFF to stderr.

    It writes to the file descriptor, past Python, and Pillow has no switch for it; the reader
    gets one sentence instead. Other formats are left alone.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        yield
        return
    # two at once would each restore what the other had put there
    with _one_at_a_time:
        saved = nowhere = -1
        with suppress(OSError):  # a window without a console has no stderr to keep quiet
            saved = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
        try:
            yield
        finally:
            if saved >= 0:
                os.dup2(saved, 2)
                os.close(saved)
            if nowhere >= 0:
                os.close(nowhere)
