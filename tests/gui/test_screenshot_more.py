"""``resnet-viz screenshot``: what cannot be drawn is one sentence, and no file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resnet_viz import __main__ as program


def shoot(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["resnet-viz", "screenshot", *words])
    return program.main()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--size", "²x³"), "²x³"),
        (("--size", "9999999999x900"), "--size"),
        (("--channel", "-1"), "-1"),
        (("--channel", "16", "--layer", "conv1"), "0 to 15"),
        (("--image", "x" * 5000), "too long"),
        (("--out", "s.jpg"), ".png"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_drawn_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shoot(monkeypatch, "--out", "shot.png", *words) == 2
    err = capsys.readouterr().err
    assert part in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
