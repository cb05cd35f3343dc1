"""Draw the sample pictures that are the project's own, into ``assets/samples``.

Run ``python tools/draw_samples.py`` after a change here; the pictures are committed. Each has
something that a net's layers answer to: edges of every direction, corners, flat colour, and
two scenes made of plain shapes that a net trained on CIFAR-10 has names for.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 384
OVERSAMPLING = 4
OUT = Path(__file__).resolve().parents[1] / "assets" / "samples"

Pixels = NDArray[np.uint8]


def gratings() -> Pixels:
    """Four by four sine gratings: angle grows along a row, frequency down a column."""
    cell = SIDE // 4
    y, x = np.mgrid[:cell, :cell] - (cell - 1) / 2
    rows = []
    for cycles in (2, 4, 8, 16):
        row = []
        for degrees in (0, 45, 90, 135):
            angle = np.deg2rad(degrees)
            wave = np.sin(2 * np.pi * cycles / cell * (x * np.cos(angle) + y * np.sin(angle)))
            row.append(np.rint(127.5 + 110 * wave))
        rows.append(np.hstack(row))
    grey = np.vstack(rows).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def checkerboard() -> Pixels:
    """A checkerboard, with corners everywhere, and one red disc on it."""
    image = canvas((255, 255, 255))
    cell = SIDE // 8
    for row in range(8):
        for column in range(8):
            if (row + column) % 2:
                rectangle(image, (column * cell, row * cell), ((column + 1) * cell, (row + 1) * cell), (24, 24, 24))
    disc(image, (SIDE * 0.56, SIDE * 0.44), SIDE * 0.24, (214, 39, 40))
    return finish(image)


def shapes() -> Pixels:
    """Flat coloured shapes on grey: one of each edge direction and a few colours."""
    image = canvas((128, 128, 128))
    rectangle(image, (32, 40), (160, 168), (0, 114, 178))
    disc(image, (284, 104), 68, (230, 159, 0))
    polygon(image, [(96, 216), (168, 344), (24, 344)], (0, 158, 115))
    polygon(image, [(284, 212), (352, 280), (284, 348), (216, 280)], (213, 94, 0))
    rectangle(image, (176, 184), (208, 200), (240, 228, 66))
    return finish(image)


def ship() -> Pixels:
    """A ship on the sea under a pale sky, from plain shapes."""
    image = gradient((150, 190, 226), (214, 228, 240))
    sea = gradient((34, 92, 140), (18, 58, 100))
    horizon = int(SIDE * 0.6) * OVERSAMPLING
    image[horizon:] = sea[: len(image) - horizon]
    rectangle(image, (150, 130), (262, 178), (236, 236, 232))  # the superstructure
    rectangle(image, (172, 96), (196, 134), (196, 60, 44))  # the funnel
    rectangle(image, (172, 96), (196, 106), (30, 30, 34))
    rectangle(image, (212, 104), (250, 134), (224, 224, 220))  # the bridge
    for x in range(160, 256, 16):
        rectangle(image, (x, 148), (x + 8, 156), (60, 80, 100))
    polygon(image, [(40, 176), (348, 168), (318, 248), (76, 248)], (38, 44, 58))  # the hull
    polygon(image, [(70, 232), (325, 232), (318, 250), (76, 250)], (150, 46, 38))
    for index, y in enumerate(range(256, SIDE, 20)):
        for x in range(-40 + 37 * (index % 3), SIDE, 110):
            rectangle(image, (x, y), (x + 52, y + 3), (70, 128, 172))
    return finish(image)


def airplane() -> Pixels:
    """An airliner seen from the side in a clear sky, from plain shapes."""
    image = gradient((96, 156, 214), (190, 218, 240))
    body, shade = (238, 240, 244), (150, 160, 174)
    polygon(image, [(246, 176), (330, 92), (352, 92), (318, 182)], (36, 84, 160))  # the fin
    polygon(image, [(180, 176), (262, 96), (288, 96), (232, 180)], shade)  # the far wing
    ellipse(image, (192, 188), (160, 26), body)
    polygon(image, [(190, 176), (352, 164), (344, 186), (300, 204), (190, 214)], body)
    polygon(image, [(284, 186), (348, 158), (360, 160), (330, 194)], shade)  # the tailplane
    polygon(image, [(150, 196), (226, 196), (300, 292), (272, 292)], (120, 130, 146))  # the near wing
    ellipse(image, (206, 238), (26, 11), (90, 98, 112))
    for x in range(76, 300, 18):
        disc(image, (x, 182), 4, (52, 70, 96))
    polygon(image, [(38, 180), (62, 174), (62, 184), (36, 186)], (40, 52, 70))  # the cockpit
    return finish(image)


def canvas(colour: tuple[int, int, int]) -> Pixels:
    """Return one colour at the size that is drawn on."""
    return np.full((SIDE * OVERSAMPLING, SIDE * OVERSAMPLING, 3), colour, np.uint8)


def gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Pixels:
    """Return a vertical gradient at the size that is drawn on."""
    share = np.linspace(0, 1, SIDE * OVERSAMPLING)[:, None, None]
    return np.rint(np.array(top) * (1 - share) + np.array(bottom) * share + canvas((0, 0, 0))).astype(np.uint8)


def _points(points: list[tuple[float, float]]) -> NDArray[np.int32]:
    scaled: NDArray[np.int32] = np.rint(np.array(points) * OVERSAMPLING).astype(np.int32)
    return scaled


def polygon(image: Pixels, points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
    """Fill a polygon; points in pixels of the finished picture."""
    cv2.fillPoly(image, [_points(points)], colour)


def rectangle(
    image: Pixels, start: tuple[float, float], end: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    """Fill a rectangle from ``start`` up to, not including, ``end``."""
    (left, top), (right, bottom) = np.maximum(_points([start, end]), 0)
    image[top:bottom, left:right] = colour


def disc(image: Pixels, centre: tuple[float, float], radius: float, colour: tuple[int, int, int]) -> None:
    """Fill a disc."""
    ellipse(image, centre, (radius, radius), colour)


def ellipse(
    image: Pixels, centre: tuple[float, float], radii: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    """Fill an upright ellipse."""
    (middle, size) = _points([centre, radii])
    cv2.ellipse(image, tuple(map(int, middle)), tuple(map(int, size)), 0, 0, 360, colour, -1)


def finish(image: Pixels) -> Pixels:
    """Average the oversampled drawing down to the size that is saved."""
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def main() -> None:
    """Write every drawing as PNG."""
    OUT.mkdir(parents=True, exist_ok=True)
    for draw in (ship, airplane, shapes, checkerboard, gratings):
        cv2.imwrite(str(OUT / f"{draw.__name__}.png"), draw()[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
