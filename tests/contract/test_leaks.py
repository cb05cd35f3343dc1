"""The check that every test runs under can fail: a thread or a window left behind is found."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = "pytester"

LEAKS = """
import threading

import conftest
import pytest
from PyQt6.QtWidgets import QWidget

conftest.PATIENCE_S = 2
kept = []


def test_thread():
    kept.append(threading.Event())
    threading.Thread(target=kept[0].wait, args=(20,), name="forgotten", daemon=True).start()


def test_window(qtbot):
    kept.append(QWidget())


def test_tidy(qtbot):
    shown = QWidget()
    qtbot.addWidget(shown)
    shown.show()
    thread = threading.Thread(target=lambda: None)
    thread.start()


def test_window_in_a_cycle(qtbot):
    widget = QWidget()
    widget.me = widget
"""


def test_leaks_are_found(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((Path(__file__).resolve().parents[1] / "conftest.py").read_text("utf-8"))
    pytester.makepyfile(LEAKS)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(["*threads still running: ?'forgotten'?*", "*windows left behind: *QWidget*"])
