"""Starting the app, and drawing its real window where there is no screen."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QEvent, QLoggingCategory, QSettings, QTimer
from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QApplication

from resnet_viz.core.paths import assets_dir, config_dir

from . import errors, quiet_wheel, theme
from .window import MainWindow

if TYPE_CHECKING:
    from resnet_viz.session.requests import OpenModel

os.environ.setdefault("QT_API", "pyqt6")  # matplotlib and superqt ask for it when they are imported


@dataclass(frozen=True, slots=True)
class Start:
    """What the window opens with.

    Attributes:
        model: what to open, None for the net that ships.
        image: path of the first picture, None for the first sample.
        layer: layer to choose, None for the default one.
        folder: folder or data set for the strip.
        more: further pictures, for the strip where there is no folder.
    """

    model: OpenModel | None = None
    image: str | None = None
    layer: str | None = None
    folder: str | None = None
    more: tuple[str, ...] = ()


def make_application() -> QApplication:
    """Return the application, made once, with errors caught and our name set."""
    app = QApplication.instance()
    if app is None:
        app = QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("ResNet Viz")
    app.setApplicationDisplayName("ResNet Viz")
    app.setDesktopFileName("resnet-viz")
    errors.install()
    quiet_wheel.install(app)
    return app


def empty_window(app: QApplication) -> MainWindow:
    """Return the window as it first appears: our colours and size, nothing in it yet."""
    # values come back from the file as text, so a type is always asked for
    settings = QSettings(str(config_dir() / "window.ini"), QSettings.Format.IniFormat)
    theme.set_font(app, settings.value("font_px", theme.BASE_PX, type=int))
    wanted = str(settings.value("scheme", "system", type=str))
    theme.apply(app, "light" if wanted == "light" else "dark" if wanted == "dark" else "system")
    return MainWindow(settings)


def fill_window(window: MainWindow, start: Start) -> None:
    """Build what is in the window and start its workers; this imports most of the program, but not torch."""
    from resnet_viz.session import pictures

    from .bridge import Bridge, lazy_handler
    from .context import Context
    from .run_book import RunBook

    desk = Bridge(lazy_handler("resnet_viz.session.training_desk", "TrainingDesk"), "desk")
    context = Context(
        Bridge(lazy_handler("resnet_viz.session.service", "Workbench"), "networks"),
        Bridge(pictures.handle, "files"),
        desk,
        Bridge(lazy_handler("resnet_viz.session.training_desk", "TrainingDesk"), "costs"),
        Bridge(lazy_handler("resnet_viz.session.gradient_desk", "GradientDesk"), "lab"),
        Bridge(lazy_handler("resnet_viz.session.gradient_desk", "GradientDesk"), "studies"),
        RunBook(desk, window),
        window.settings,
    )
    window.fill(context)
    window.opener.busy.connect(window.inspect.set_opening)
    quiet_wheel.calm(window)
    if start.layer:
        window.inspect.layer = start.layer


def make_window(start: Start) -> MainWindow:
    """Return the window with everything in it."""
    window = empty_window(make_application())
    fill_window(window, start)
    return window


def open_first(window: MainWindow, start: Start) -> None:
    """Ask for what the window shows first; torch is imported by the worker meanwhile."""
    # not at the top: NumPy, which they import, would keep the empty window off the screen
    from resnet_viz.session.requests import OpenModel
    from resnet_viz.session.store import FIRST_MODEL

    window.opener.open_model(start.model or OpenModel(ref=FIRST_MODEL))
    if start.folder:  # perhaps a data set's id, and no path
        if start.image:
            window.opener.open_picture(start.image)
        window.opener.open_folder(start.folder, start.image, keep=True)
    elif start.image:
        window.opener.open_any([start.image, *start.more])
    else:
        from resnet_viz.data.samples import sample_pictures

        samples = sample_pictures()
        if samples:
            window.opener.open_picture(str(samples[0].path))


def run_app(start: Start | None = None) -> int:
    """Open the window and run until it is closed; returns the exit status."""
    start = start or Start()
    app = make_application()
    window = empty_window(app)
    window.show()
    app.processEvents()  # the empty window is on screen before anything else is imported

    def go_on() -> None:
        fill_window(window, start)
        app.processEvents()
        open_first(window, start)

    QTimer.singleShot(0, go_on)
    # Qt's loop never returns to Python by itself, so Ctrl+C needs a heartbeat to be noticed
    signal.signal(signal.SIGINT, lambda *_: app.quit())
    heartbeat = QTimer()
    heartbeat.start(500)
    heartbeat.timeout.connect(lambda: None)
    app.setWindowIcon(_window_icon())
    return app.exec()


def _window_icon() -> QIcon:
    return QIcon(str(assets_dir() / "icons" / "resnet-viz.svg"))


def render_screenshot(
    start: Start,
    out: str,
    *,
    workspace: str = "inspect",
    size: tuple[int, int] = (1440, 900),
    scheme: theme.SchemeName = "dark",
    mode: str = "maps",
    channel: int | None = None,
    page: str = "",
    timeout_s: float = 120.0,
) -> Path:
    """Draw the real window, with a real pass through the net, into a PNG; needs no screen.

    Args:
        start: what to open.
        out: path of the PNG.
        workspace: id of the view.
        size: of the window in pixels.
        scheme: ``"dark"`` or ``"light"``.
        mode: ``"maps"``, ``"parts"`` or ``"filters"``.
        channel: channel to look at, None for the first.
        page: of the Gradients workspace: ``"blocks"``, ``"race"`` or ``"lesions"``; empty for the first.
        timeout_s: how long the net may take.

    Raises:
        UserError: if the model, picture, layer or workspace cannot be shown, or time ran out.
    """
    if QApplication.instance() is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        # that platform complains of every least size that a window sets
        QLoggingCategory.setFilterRules("default.warning=false")
    from resnet_viz.core.errors import UserError
    from resnet_viz.core.paths import atomic_path

    app = make_application()
    window = make_window(start)

    try:
        window.show_workspace(workspace)
        if page:
            window.gradients.show_page(page)
        window.appearance.set_scheme(scheme, remember=False)
        theme.set_font(app, theme.BASE_PX)
        window.resize(*size)
        window.show()
        problems: list[str] = []
        window.opener.failed.connect(problems.append)
        window.inspect.failed.connect(problems.append)
        open_first(window, start)
        _wait(app, lambda: bool(problems) or window.inspect.settled(), timeout_s)
        if not problems and start.layer and window.inspect.card is not None:
            window.inspect.card.layer(start.layer)  # raises for a name the net does not have
        looked = window.inspect.looked
        if not problems and channel is not None and looked is not None and looked.activation is not None:
            count = len(looked.activation.maps)
            if channel >= count:
                raise UserError(f"{looked.layer} has no channel {channel}. Give a number from 0 to {count - 1}.")
        if not problems and (mode != "maps" or channel is not None):
            if channel is not None:
                window.inspect.select_channel(channel)
            window.inspect.center.set_mode(mode)
            _wait(app, lambda: bool(problems) or window.inspect.settled(), timeout_s)
        if problems:
            raise UserError(problems[0])
        if workspace == "gradients":
            _wait(app, window.gradients.settled, timeout_s)
            if page == "lesions":
                window.gradients.lesions.measure_each("delete")
                _wait(app, window.gradients.settled, timeout_s)
        if workspace == "train":
            with suppress(UserError):  # costs that take longer are not waited for
                _wait(app, window.train.form.settled, min(timeout_s, 30))
        window.resize(*size)
        _drain(app)
        picture = window.grab().toImage()
        with atomic_path(Path(out)) as temporary:
            if not picture.save(str(temporary), "PNG"):
                raise UserError(f"{out} cannot be written. Choose another folder.")
        return Path(out)
    finally:
        window.close()
        window.deleteLater()
        _drain(app)


def _drain(app: QApplication) -> None:
    for _ in range(10):
        app.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        time.sleep(0.01)


def _wait(app: QApplication, ready: Callable[[], bool], timeout_s: float) -> None:
    from resnet_viz.core.errors import UserError

    end = time.monotonic() + timeout_s
    while not ready():
        app.processEvents()
        time.sleep(0.005)
        if time.monotonic() > end:
            raise UserError(f"The picture was not ready after {timeout_s:.0f} s. Try a smaller net.")
