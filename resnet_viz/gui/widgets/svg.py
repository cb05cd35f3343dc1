"""SVG pictures: drawn by Qt, since no other decoder here reads them, and in a process of its own.

Some take minutes and none can be interrupted, so one that nobody waits for any more is ended with its process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QCoreApplication

from resnet_viz.core.errors import PictureError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import U8, ImageInput
from resnet_viz.session.child_process import child_environment, run_child

LONG_SIDE_PX = 1024
MAX_BYTES = 10_000_000
LONGEST_S = 60.0


def _tr(text: str) -> str:
    return QCoreApplication.translate("Svg", text)


def draw_svg(path: str, token: CancelToken) -> ImageInput:
    """Draw an SVG file over mid grey, its longer side 1024 px.

    Raises:
        PictureError: it is no valid SVG, is too large, or takes more than a minute.
        Cancelled: nobody waits for it any more.
    """
    name = Path(path).name
    try:
        size = os.path.getsize(path)
    except OSError:
        size = 0
    if size > MAX_BYTES:
        text = _tr(
            "{0} has {1:.0f} MB, and a drawing of more than {2:.0f} MB is not opened. Save it as PNG and open that."
        )
        raise PictureError(text.format(name, size / 1e6, MAX_BYTES / 1e6))
    data = _from_child(path, token)
    try:
        pixels = np.frombuffer(data[4:], np.uint8).reshape(*np.frombuffer(data[:4], np.uint16), 3)
    except ValueError:  # the child has said nothing, or crashed
        text = _tr("{0} cannot be drawn. Choose another picture, or save it as PNG and open that.")
        raise PictureError(text.format(name)) from None
    return ImageInput(pixels, name, "drawn from SVG", str(Path(path).resolve()))


def _from_child(path: str, token: CancelToken) -> bytes:
    """Return what the drawing process writes: height and width as uint16, then the pixels."""
    environment = child_environment()
    if sys.platform.startswith("linux"):
        environment["QT_QPA_PLATFORM"] = "offscreen"
    try:
        return run_child([sys.executable, "-m", __name__, path], token, environment, LONGEST_S).stdout
    except subprocess.TimeoutExpired:
        text = _tr("{0} takes more than {1:.0f} seconds to draw. Save it as PNG and open that.")
        raise PictureError(text.format(Path(path).name, LONGEST_S)) from None


def render(data: bytes) -> U8 | None:
    """Draw an SVG, uint8 (H, W, 3), over mid grey; None if it is no valid one. Needs an application object."""
    from PyQt6.QtCore import QRectF, Qt
    from PyQt6.QtGui import QImage, QPainter
    from PyQt6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer()
    if not renderer.load(data) or renderer.defaultSize().isEmpty():
        return None
    size = renderer.defaultSize().scaled(LONG_SIDE_PX, LONG_SIDE_PX, Qt.AspectRatioMode.KeepAspectRatio)
    if size.isEmpty():  # a thousand times as long as high
        return None
    image = QImage(size, QImage.Format.Format_RGB888)
    image.fill(0xFF808080)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, size.width(), size.height()))
    painter.end()
    bits = image.constBits()
    assert bits is not None
    rows = np.frombuffer(bytes(bits.asarray(image.sizeInBytes())), np.uint8).reshape(image.height(), -1)
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3)


def _draw_and_write(path: str) -> None:
    from PyQt6.QtGui import QGuiApplication

    app = QGuiApplication(sys.argv[:1])  # letters need it
    pixels = render(Path(path).read_bytes())
    if pixels is not None:
        sys.stdout.buffer.write(np.array(pixels.shape[:2], np.uint16).tobytes() + pixels.tobytes())
    del app


if __name__ == "__main__":
    _draw_and_write(sys.argv[1])
