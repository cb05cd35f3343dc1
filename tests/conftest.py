"""Shared fixtures. Qt must find a platform before pytest-qt makes the application."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyqt6")
# the nets of the tests are small: more threads would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")
if sys.platform == "win32":
    import torch  # noqa: F401 - its DLLs fail to load once PyQt6 is in the process

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
PATIENCE_S = 30.0
"""A wait that is met ends at once: a long one costs only where something is wrong, and busy machines need it."""


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread running or a window behind."""
    threads, windows = set(threading.enumerate()), set(_windows())
    yield
    end = time.monotonic() + PATIENCE_S
    while (running := _threads() - threads) and time.monotonic() < end:
        time.sleep(0.01)
    assert not running, f"threads still running: {sorted(thread.name for thread in running)}"
    left = [window for window in _windows() if window not in windows]
    if left:
        names = [repr(window) for window in left]
        left.clear()
        gc.collect()  # a window in a reference cycle goes with its cycle
        left = [window for window in _windows() if window not in windows]
        assert not left, f"windows left behind: {names}"


def _threads() -> set[threading.Thread]:
    # tqdm keeps one watching thread for the process
    return {thread for thread in threading.enumerate() if type(thread).__module__ != "tqdm._monitor"}


def _windows() -> list[object]:
    """Return all top-level widgets, after those that wait to be deleted are."""
    widgets = sys.modules.get("PyQt6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return []
    from PyQt6.QtCore import QEvent

    widgets.QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return list(widgets.QApplication.topLevelWidgets())


@pytest.fixture(autouse=True)
def home(no_leaks: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a user folder of its own, so that none sees another's settings."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("RESNET_VIZ_HOME", str(folder))
    return folder


@pytest.fixture
def shared_data() -> Path:
    """Return the development data beside the checkout, or skip."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development data set lies beside the checkout and is absent here")
    return SHARED_DATA


@pytest.fixture
def cifar10(shared_data: Path) -> Path:
    """Return the folder of CIFAR-10 beside the checkout, or skip."""
    if not (shared_data / "cifar10").is_dir():
        pytest.skip("CIFAR-10 lies beside the checkout and is absent here")
    return shared_data / "cifar10"
