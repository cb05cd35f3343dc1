"""Shared fixtures. Qt must find a platform before pytest-qt makes the application."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyqt6")

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
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
