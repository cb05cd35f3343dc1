"""SVG pictures: drawn by Qt, since no other decoder here reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QImage, QPainter

from resnet_viz.core.types import ImageInput

LONG_SIDE_PX = 1024
MAX_BYTES = 10_000_000


def render_svg(path: str) -> ImageInput | None:
    """Draw an SVG file over mid grey, its longer side 1024 px; None if it is no valid SVG."""
    from PyQt6.QtSvg import QSvgRenderer  # 10 ms that only an SVG needs

    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    renderer = QSvgRenderer()
    if len(data) > MAX_BYTES or not renderer.load(data) or renderer.defaultSize().isEmpty():
        return None
    size = renderer.defaultSize().scaled(LONG_SIDE_PX, LONG_SIDE_PX, Qt.AspectRatioMode.KeepAspectRatio)
    image = QImage(size, QImage.Format.Format_RGB888)
    image.fill(0xFF808080)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, size.width(), size.height()))
    painter.end()
    bits = image.constBits()
    assert bits is not None
    data = bytes(bits.asarray(image.sizeInBytes()))
    rows = np.frombuffer(data, np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()
    return ImageInput(pixels, Path(path).name, "drawn from SVG", str(Path(path).resolve()))
