"""File names as they can be shown: on one line, with room for them, and never taken for markup or a key."""

from __future__ import annotations

import html
import re

LONGEST_WORD = 100
"""Letters of a word without a blank that a sentence shows: a longer one fits no line and cannot be broken."""


def one_line(text: str) -> str:
    """Return text without line breaks and control letters, which a file name may hold."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)


def in_a_sentence(text: str, longest: int = LONGEST_WORD) -> str:
    """Return a sentence on one line, its longest words cut in the middle."""

    def cut(word: re.Match[str]) -> str:
        whole = word.group()
        return f"{whole[: longest // 2]}…{whole[-(longest // 2) :]}"

    return re.sub(rf"\S{{{longest + 1},}}", cut, one_line(text))


def without_mnemonic(text: str) -> str:
    """Return text for a menu, in which an ampersand is one and makes no letter a key."""
    return one_line(text).replace("&", "&&")


def tip(text: str) -> str:
    """Return text for a tool tip, which shows it as it stands even where it looks like markup."""
    if "<" not in text:
        return text
    return f"<p style='white-space:pre'>{html.escape(text)}</p>"
