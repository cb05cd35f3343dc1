"""What happens when something breaks: a log, a dialog with details to copy, and the app lives on.

PyQt6 aborts the process when an exception leaves a slot, unless ``sys.excepthook`` is ours.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import platform
import sys
import threading
import traceback
from types import TracebackType

from PyQt6.QtCore import QCoreApplication, QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QApplication, QMessageBox, QPushButton

from resnet_viz import __version__
from resnet_viz.core.paths import log_dir

log = logging.getLogger("resnet_viz")


def start_log() -> None:
    """Write warnings and errors to a rotating file in the user's log folder, if it can be written."""
    log.setLevel(logging.INFO)
    if log.handlers:
        return
    try:
        log_dir().mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            log_dir() / "resnet-viz.log", maxBytes=500_000, backupCount=2, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()  # a read-only home must not keep the app from starting
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)


class _Reporter(QObject):
    """Brings an error from whatever thread it happened in to a dialog in the window's thread."""

    raised = pyqtSignal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._shown: QMessageBox | None = None
        self.raised.connect(self._show, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]

    def _show(self, summary: str, details: str) -> None:
        if self._shown is not None:
            return  # one dialog at a time: an error in a paint event would bring hundreds
        box = QMessageBox(QApplication.activeWindow())
        self._shown = box
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(QCoreApplication.translate("Errors", "Something went wrong"))
        box.setText(
            QCoreApplication.translate("Errors", "This action failed. The app goes on and your work is still there.")
        )
        box.setInformativeText(summary)
        box.setDetailedText(details)
        copy = QPushButton(QCoreApplication.translate("Errors", "Copy details"))
        box.addButton(copy, QMessageBox.ButtonRole.ActionRole)
        box.addButton(QMessageBox.StandardButton.Close)
        copy.clicked.connect(lambda: _copy(details))
        box.finished.connect(self._closed)
        box.open()  # not exec(): the event loop of the window goes on

    def _closed(self) -> None:
        if self._shown is not None:
            self._shown.deleteLater()
        self._shown = None


def _copy(text: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)


_reporters: list[_Reporter] = []


def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an unexpected error and show it; the app lives on."""
    if issubclass(kind, KeyboardInterrupt):
        QApplication.quit()
        return
    details = "".join(traceback.format_exception(kind, error, trace))
    report_text(f"{kind.__name__}: {error}", details)


def report_text(summary: str, details: str) -> None:
    """Log and show an unexpected error that has already been turned into text."""
    log.error("%s\n%s", summary, details)
    versions = f"ResNet Viz {__version__}, Python {platform.python_version()}, {platform.platform()}"
    if _reporters:
        _reporters[0].raised.emit(summary, f"{versions}\n\n{details}")
    else:
        sys.stderr.write(details)


def install() -> None:
    """Catch what nobody else caught: in slots, in threads, and crashes in C code."""
    start_log()
    if not faulthandler.is_enabled() and sys.stderr is not None:
        faulthandler.enable()
    if not _reporters:
        _reporters.append(_Reporter())
    sys.excepthook = report

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            report(args.exc_type, args.exc_value, args.exc_traceback)

    threading.excepthook = in_thread
