"""The main window: the bar at the top, the workspaces below it, and what every workspace shares.

Only Qt is imported at the top. The empty window is on screen within a tenth of a second;
``fill`` then imports what the workspaces need and builds them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QCoreApplication, QSettings, Qt, QUrl
from PyQt6.QtGui import (
    QAction,
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
)
from PyQt6.QtWidgets import (
    QButtonGroup,
    QLabel,
    QMainWindow,
    QMenu,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QWidget,
)

from resnet_viz import __version__

from . import theme
from .actions import menu_titles, table
from .plain import one_line, tip

if TYPE_CHECKING:
    from resnet_viz.core.types import ImageInput, ModelCard, Normalization
    from resnet_viz.training.config import TrainConfig

    from .context import Context
    from .widgets.banner import Banner
    from .widgets.bar import Bar


def _tr(text: str) -> str:
    return QCoreApplication.translate("Window", text)


class MainWindow(QMainWindow):
    """The app's one window, empty until it is filled.

    Args:
        settings: window layout and choices.
    """

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.settings = settings
        self.setObjectName("main-window")
        self.setWindowTitle("ResNet Viz")
        self.setAcceptDrops(True)
        self.actions_by_id: dict[str, QAction] = {}
        self._menus: list[QMenu] = []
        self._filled = False
        self._leaving = ""
        self._ending = False  # as soon as what is being written is written
        self._switch: QButtonGroup | None = None
        waiting = QLabel(_tr("Opening ResNet Viz…"))
        waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setCentralWidget(waiting)
        geometry = settings.value("geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            screen = QGuiApplication.primaryScreen()
            room = screen.availableSize() if screen is not None else self.size()
            self.resize(min(1440, room.width()), min(900, room.height()))

    def fill(self, context: Context) -> None:
        """Build the workspaces and everything around them; closing the window closes the context's workers."""
        from .appearance import Appearance
        from .asking import Asker
        from .browsing import Browser
        from .opening import Opener
        from .saving import Saver
        from .views.gradients import GradientsView
        from .views.inspect import InspectView
        from .views.registry import in_order, position
        from .views.train import TrainView
        from .workspaces import Workspaces

        self.context = context
        self.opener = Opener(context, self)
        self.asker = Asker(self.settings, self.opener, self)
        self._make_actions()
        self.appearance = Appearance(self.settings, self.actions_by_id, self)
        self.stack = Workspaces()
        for spec in in_order():
            self.stack.addWidget(spec.make(context))
        inspect = self.stack.widget(position("inspect"))
        assert isinstance(inspect, InspectView)
        self.inspect = inspect
        train = self.stack.widget(position("train"))
        assert isinstance(train, TrainView)
        self.train = train
        gradients = self.stack.widget(position("gradients"))
        assert isinstance(gradients, GradientsView)
        self.gradients = gradients
        self.saver = Saver(context, inspect, self)
        self.browser = Browser(context, self.opener, inspect.strip, self)
        self._make_bar()
        self._make_status()
        self._connect()
        self.appearance.restore()
        for splitter in self._splitters():
            state = self.settings.value(splitter.objectName())
            if state is not None:
                splitter.restoreState(state)
        self.setCentralWidget(self.stack)
        inspect.center.grid.setFocus()
        self.training.look()
        self._filled = True

    def _splitters(self) -> tuple[QSplitter, ...]:
        inspect, train = self.inspect, self.train
        return inspect.rows, inspect.columns, train.columns, train.center.split, *self.gradients.splitters

    # ---- assembling ----

    def _make_actions(self) -> None:
        titles = menu_titles()
        menus: dict[str, QMenu] = {}
        for spec in table():
            menu = menus.get(spec.menu)
            if menu is None:
                menu = menus[spec.menu] = QMenu(titles[spec.menu], self)
                self._menus.append(menu)
            action = QAction(spec.text, self)
            action.setToolTip(spec.tip)
            action.setStatusTip(spec.tip)
            action.setCheckable(spec.checkable)
            action.setShortcuts([QKeySequence(key) for key in spec.key.split("|") if key])
            if spec.separator:
                menu.addSeparator()
            menu.addAction(action)
            self.addAction(action)  # its key works although the menu hides behind a button
            self.actions_by_id[spec.id] = action

    def _make_bar(self) -> None:
        from .icons import icon
        from .menus import fill_models, fill_pictures
        from .views.registry import in_order
        from .widgets.bar import Bar
        from .widgets.elided_label import ElidedLabel
        from .widgets.menu_button import MenuButton

        self.bar = bar = Bar(_tr("Main bar"))
        bar.setObjectName("main-bar")
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.model_button = MenuButton(_tr("No model"), _tr("Choose or open a net (Ctrl+M opens a file)"))
        self.picture_button = MenuButton(
            _tr("No picture"), _tr("Choose or open a picture (Ctrl+O opens a file, Ctrl+V pastes)")
        )
        model_menu = self.model_button.menu()
        picture_menu = self.picture_button.menu()
        assert model_menu is not None and picture_menu is not None
        model_menu.aboutToShow.connect(lambda: fill_models(model_menu, self.opener, self.actions_by_id))
        picture_menu.aboutToShow.connect(lambda: fill_pictures(picture_menu, self.opener, self.actions_by_id))
        open_button = QToolButton()
        open_button.setText(_tr("Open…"))
        open_button.setToolTip(_tr("Open a picture or a checkpoint; dropping it on the window does the same"))
        open_button.clicked.connect(self.asker.open_anything)
        self.facts = ElidedLabel(asks=False)
        self.facts.setProperty("muted", True)
        self.facts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        for widget in (self.model_button, self.picture_button, open_button):
            bar.addWidget(widget)
        for name in ("camera", "help"):
            button = QToolButton()
            button.setDefaultAction(self.actions_by_id[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setAccessibleName(self.actions_by_id[name].toolTip())
            bar.addWidget(button)
        bar.addWidget(self.facts)
        self._make_switch(bar, [spec.title() for spec in in_order()])
        menu_button = MenuButton("", _tr("All commands"))
        self.appearance.changed.connect(lambda: menu_button.setIcon(icon("mdi6.menu")))
        menu_button.setProperty("bare", True)
        everything = menu_button.menu()
        assert everything is not None
        for menu in self._menus:
            everything.addMenu(menu)
        bar.addWidget(menu_button)
        self.addToolBar(bar)

    def _make_switch(self, bar: Bar, titles: list[str]) -> None:
        group = self._switch = QButtonGroup(self)
        for index, title in enumerate(titles):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setChecked(index == 0)
            button.clicked.connect(lambda _checked, index=index: self.stack.setCurrentIndex(index))
            group.addButton(button, index)
            bar.addWidget(button)

    def _make_status(self) -> None:
        from .widgets.elided_label import ElidedLabel

        status = self.statusBar()
        assert status is not None
        status.setSizeGripEnabled(False)
        self.found = ElidedLabel()
        self.timing = QLabel()
        self.work = QLabel()
        for label in (self.found, self.timing, self.work):
            label.setProperty("muted", True)
            label.setContentsMargins(8, 2, 8, 2)
        status.addWidget(self.found)
        status.addWidget(self.timing)
        self.cancel_button = QToolButton()
        self.cancel_button.setText(_tr("Cancel"))
        self.cancel_button.setToolTip(_tr("Give up what is being opened"))
        self.cancel_button.hide()
        from .training_note import TrainingNote

        queue = self.train.queue
        self.training = TrainingNote(
            self.context.book, lambda: None if queue.current is None else queue.current.run, status
        )
        queue.changed.connect(self.training.refresh)
        self.training.clicked.connect(lambda: self.show_workspace("train"))
        status.addPermanentWidget(self.training)
        status.addPermanentWidget(self.work)
        status.addPermanentWidget(self.cancel_button)

    def _connect(self) -> None:
        for name, command in self._commands().items():
            # the lambda drops triggered's argument, which a command would take for its own
            self.actions_by_id[name].triggered.connect(lambda _checked, command=command: command())
        opener, inspect = self.opener, self.inspect
        opener.busy.connect(self.work.setText)
        opener.failed.connect(self._tell_failure)
        opener.model_opened.connect(self.show_model)
        opener.picture_opened.connect(self.show_picture)
        inspect.open_requested.connect(self.asker.ask_picture)
        inspect.save_requested.connect(self.saver.save_grid)
        inspect.python_requested.connect(self.saver.copy_python)
        inspect.picture_picked.connect(self.browser.pick)
        inspect.normalization_chosen.connect(self._remember_normalization)
        inspect.arch_chosen.connect(self._reopen_as)
        opener.busy.connect(lambda text: self.cancel_button.setVisible(bool(text)))
        self.cancel_button.clicked.connect(opener.cancel)
        self.train.open_run.connect(self._open_run)
        self.train.open_picture.connect(self._show_in_inspect)
        for view in (inspect, self.train, self.gradients):
            view.status.connect(lambda text, view=view: self._note(view, text))
        self.stack.switched.connect(lambda: self.timing.setText(self.stack.noted()))
        self.gradients.race.race_requested.connect(self._start_race)
        self.saver.said.connect(lambda text: inspect.banner.show_message(text, "info"))
        self.saver.failed.connect(lambda text: inspect.banner.show_message(text, "error"))
        self.context.files.settled.connect(self._on_written)

    def _note(self, view: QWidget, text: str) -> None:
        """Keep what a workspace says of its work, and show what the one on screen has said."""
        self.stack.note(view, text)
        self.timing.setText(self.stack.noted())

    def _tell_failure(self, text: str) -> None:
        """Show what could not be opened, in the workspace on show and, for later, in Inspect."""
        for banner in {self.inspect.banner, self._banner()}:
            banner.show_message(text, "error")

    def _banner(self) -> Banner:
        """Return the banner of the workspace on show."""
        banner = getattr(self.stack.currentWidget(), "banner", self.inspect.banner)
        assert isinstance(banner, type(self.inspect.banner))
        return banner

    # ---- showing what was opened ----

    def show_model(self, card: ModelCard) -> None:
        """Show a net that was opened."""
        self.model_button.setText(card.title)
        facts = [_tr("{0:,} parameters").format(card.params)]
        if card.test_error is not None:
            facts.append(_tr("test error {0:.2f} %").format(100 * card.test_error))
        self.facts.setText("  " + " · ".join(facts))
        self.found.setText(card.found)
        self.inspect.set_card(card)
        self.gradients.set_model(card)

    def show_picture(self, image: ImageInput) -> None:
        """Show a picture that was opened."""
        name = one_line(image.source)
        self.picture_button.setText(name if len(name) <= 28 else f"{name[:12]}…{name[-12:]}")
        self.picture_button.setToolTip(tip(image.path or image.source))
        self.inspect.banner.clear()
        self.inspect.set_picture(image)
        self.train.set_picture(image)
        self.gradients.set_picture(image)

    def _reopen_as(self, arch: str) -> None:
        """Open the same file as another architecture, with the mean/std that was answered already."""
        from resnet_viz.session.normalizing import as_text
        from resnet_viz.session.requests import OpenModel

        card, shown = self.inspect.card, self.inspect.normalization
        if card is not None:
            answered = shown is not None and (card.normalization_known or shown != card.normalization)
            normalize = as_text(shown) if shown is not None and answered else None
            self.opener.open_model(OpenModel(ref=card.source, arch=arch, normalize=normalize))

    def _remember_normalization(self, normalization: Normalization) -> None:
        from resnet_viz.session import store

        card = self.inspect.card
        if card is not None and card.source:
            store.remember_normalization(card.source, normalization)

    def _open_run(self, run: Path) -> None:
        """Open a run's net in Inspect."""
        from resnet_viz.session.requests import OpenModel

        self.opener.open_model(OpenModel(ref=str(run)))
        self.show_workspace("inspect")

    def _show_in_inspect(self, image: ImageInput) -> None:
        """Show a picture in Inspect, to the net of the run on show."""
        run = self.train.shown
        if run is not None and (self.inspect.card is None or self.inspect.card.source != str(run.resolve())):
            self._open_run(run)
        self.opener.show_picture(image)
        self.show_workspace("inspect")

    def _start_race(self, configs: list[TrainConfig]) -> None:
        """Queue the runs of a race; its page shows them as they grow."""
        from resnet_viz.core.errors import UserError

        try:
            runs = self.train.enqueue(configs)
        except UserError as error:
            self.gradients.race.banner.show_message(str(error), "error")
        else:
            self.gradients.race.watch(runs)

    def _in_gradients(self) -> bool:
        return self.stack.currentWidget() is self.gradients

    def _save(self) -> None:
        """Save what the workspace on show holds."""
        self.gradients.save() if self._in_gradients() else self.saver.save_grid()

    def _copy_python(self) -> None:
        self.gradients.copy_python() if self._in_gradients() else self.saver.copy_python()

    def show_workspace(self, workspace: str) -> None:
        """Switch to another workspace."""
        from .views.registry import position

        index = position(workspace)
        self.stack.setCurrentIndex(index)
        if self._switch is not None and (button := self._switch.button(index)) is not None:
            button.setChecked(True)

    # ---- commands ----

    def _toggle_fullscreen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _show_log(self) -> None:
        from resnet_viz.core.paths import log_dir

        log_dir().mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_dir())))

    def _about(self) -> None:
        text = _tr(
            "<b>ResNet Viz {0}</b><p>See what a convolutional network does.</p>"
            "<p>Free software under the GNU General Public License, version 3 or later.</p>"
            "<p>Nets after He et al. 2015, “Deep Residual Learning for Image Recognition”.</p>"
        ).format(__version__)
        box = QMessageBox(QMessageBox.Icon.NoIcon, _tr("About ResNet Viz"), text, parent=self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _commands(self) -> dict[str, Callable[[], object]]:
        """Return what each action of the table does."""
        from .help import HelpPanel

        inspect, saver, look = self.inspect, self.saver, self.appearance
        return {
            "open_picture": self.asker.ask_picture,
            "open_model": self.asker.ask_model,
            "open_folder": self.asker.ask_pictures,
            "open_run": self.asker.ask_run,
            "camera": self.opener.take_picture,
            "save_grid": self._save,
            "save_map": saver.save_map,
            "quit": self.close,
            "paste": self.opener.paste,
            "copy_picture": saver.copy_picture,
            "copy_python": self._copy_python,
            "find_layer": inspect.tree.focus_filter,
            "next_layer": lambda: inspect.step_layer(1),
            "previous_layer": lambda: inspect.step_layer(-1),
            "show_maps": lambda: inspect.show_mode("maps"),
            "show_parts": lambda: inspect.show_mode("parts"),
            "show_filters": lambda: inspect.show_mode("filters"),
            "unpin": inspect.unpin_all,
            "show_inspect": lambda: self.show_workspace("inspect"),
            "show_gradients": lambda: self.show_workspace("gradients"),
            "show_train": lambda: self.show_workspace("train"),
            "next_picture": lambda: self.browser.step(1),
            "previous_picture": lambda: self.browser.step(-1),
            "bigger": lambda: look.step_font(2),
            "smaller": lambda: look.step_font(-2),
            "normal_size": lambda: look.set_font(theme.BASE_PX),
            "scheme_system": lambda: look.set_scheme("system"),
            "scheme_light": lambda: look.set_scheme("light"),
            "scheme_dark": lambda: look.set_scheme("dark"),
            "fullscreen": self._toggle_fullscreen,
            "help": lambda: HelpPanel.show_beside(self),
            "show_log": self._show_log,
            "about": self._about,
        }

    def _on_written(self, well: bool) -> None:
        """Close the window if it waited for what was being written; it stays where that failed."""
        ending, self._ending = self._ending, False
        if ending and well:
            self.close()
        elif ending:
            self._leaving = ""

    def _leave(self, how: str) -> None:
        self._leaving = how
        self.close()

    # ---- drop, state, end ----

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        if event is not None and self._filled and self.opener.takes(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        if event is not None and self.opener.drop(event.mimeData()):
            event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        if event is not None and self._filled and self.train.queue.current is not None and not self._leaving:
            from .leaving import ask_about_training

            event.ignore()
            ask_about_training(self.train.queue.current.run.name, len(self.train.queue.waiting), self._leave, self)
            return
        if event is not None and self._filled and self.context.files.is_due() and not self._ending:
            event.ignore()
            self._ending = True
            text = _tr("A file is being written; the window closes when it is done. Close it again to give it up.")
            self._banner().show_message(text, "info")
            return
        self.settings.setValue("geometry", self.saveGeometry())
        if self._filled:
            for splitter in self._splitters():
                self.settings.setValue(splitter.objectName(), splitter.saveState())
            self.hide()  # gone at once, whatever the workers still have to finish
            self.train.queue.close(keep=self._leaving == "keep")
            self.context.close()
        self.settings.sync()
        super().closeEvent(event)
