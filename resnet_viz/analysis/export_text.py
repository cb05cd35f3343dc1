"""Text in pictures that are drawn without a window: measured, wrapped and written with Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

CJK_FONTS = ("Noto Sans CJK KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans CJK JP")
"""Families that have what DejaVu Sans lacks, the names of pictures above all; the first one there is used."""


@cache
def _plain_file() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@cache
def _wide_file() -> str | None:
    from matplotlib.font_manager import fontManager

    files = {font.name: font.fname for font in fontManager.ttflist}
    return next((files[name] for name in CJK_FONTS if name in files), None)


@cache
def _plain_letters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(_plain_file()).get_charmap())


@lru_cache(maxsize=32)
def _font(file: str, px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, px)


def _pieces(text: str, px: int) -> Iterator[tuple[str, ImageFont.FreeTypeFont]]:
    """Yield the text in pieces that one font has all letters of."""
    plain = _font(_plain_file(), px)
    if text.isascii() or all(ord(letter) in _plain_letters() for letter in text):
        yield text, plain
        return
    other = _wide_file()
    wide = plain if other is None else _font(other, px)  # a box is better than no text
    piece, font = "", plain
    for letter in text:
        here = plain if ord(letter) in _plain_letters() else wide
        if here is not font and piece:
            yield piece, font
            piece = ""
        piece, font = piece + letter, here
    yield piece, font


@lru_cache(maxsize=8192)  # channel numbers are the same in every picture
def text_width(text: str, px: int) -> float:
    """Return how many pixels wide a text of a size is."""
    return sum(font.getlength(piece) for piece, font in _pieces(text, px))


def wrap(text: str, px: int, width: float) -> list[str]:
    """Return the lines of a text that is to be no wider than ``width`` pixels; nothing is left out.

    A word that is wider than a line, such as a long path, goes on in the next one.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, px) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while text_width(word, px) > width and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or text_width(word[:n], px) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def write(draw: ImageDraw.ImageDraw, x: float, base: float, text: str, px: int, colour: str) -> None:
    """Write a text from ``x`` on the base line ``base``."""
    for piece, font in _pieces(text, px):
        draw.text((x, base), piece, fill=colour, font=font, anchor="ls")
        x += font.getlength(piece)
