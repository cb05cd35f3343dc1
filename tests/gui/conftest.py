"""The real window with the real workers, on small untrained nets so that a test takes no second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from resnet_viz.gui import app as gui_app
from resnet_viz.gui import errors
from resnet_viz.gui.app import Start
from resnet_viz.gui.window import MainWindow
from resnet_viz.session.requests import OpenModel

PATIENCE_MS = 60_000
"""A wait that is met ends at once: a long one costs only where something is wrong, and busy machines need it."""


class PatientBot(QtBot):
    """Waits a minute where a test does not say how long."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE_MS) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE_MS, **how: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **how)

    def waitSignals(self, signals: Any, *, timeout: int = PATIENCE_MS, **how: Any) -> Any:
        return super().waitSignals(signals, timeout=timeout, **how)

    def waitExposed(self, widget: QWidget, *, timeout: int = PATIENCE_MS) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """The plugin's bot with more patience."""
    return PatientBot(request)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """A small picture with a Korean file name."""
    path = tmp_path / "고양이 사진.png"
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def open_window(qtbot: QtBot, picture: str) -> Iterator[Callable[..., MainWindow]]:
    """Return a function that opens the window on an untrained net and waits until it shows the maps."""
    opened: list[MainWindow] = []

    def open_one(model: str = "resnet20", wait: bool = True, size: tuple[int, int] = (1280, 800)) -> MainWindow:
        gui_app.make_application()
        start = Start(model=OpenModel(ref=model, untrained=True), image=picture)
        window = gui_app.make_window(start)
        qtbot.addWidget(window)
        opened.append(window)
        window.resize(*size)
        window.show()
        gui_app.open_first(window, start)
        if wait:
            qtbot.waitUntil(window.inspect.settled)
        return window

    yield open_one
    for window in opened:
        window.close()


@pytest.fixture(autouse=True)
def no_unexpected_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which something ended in the error dialog."""
    seen: list[str] = []
    monkeypatch.setattr(errors, "report_text", lambda summary, details: seen.append(f"{summary}\n{details}"))
    yield
    assert not seen, "\n".join(seen)
