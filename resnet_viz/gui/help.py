"""A short guide to the window, beside it and not in its way."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QTextBrowser

from resnet_viz.core.paths import assets_dir


class HelpPanel:
    """Makes and shows the guide; its text lies in ``assets/texts/guide.html``."""

    @staticmethod
    def show_beside(window: QMainWindow) -> None:
        """Show the guide in a dock on the right, or hide it if it is there already."""
        dock = window.findChild(QDockWidget, "help-dock")
        if dock is not None:
            dock.setVisible(not dock.isVisible())
            return
        dock = QDockWidget(QCoreApplication.translate("Help", "How to read this window"), window)
        dock.setObjectName("help-dock")
        dock.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        text = QTextBrowser()
        text.setOpenExternalLinks(True)
        text.setAccessibleName(dock.windowTitle())
        text.setHtml((assets_dir() / "texts" / "guide.html").read_text(encoding="utf-8"))
        text.setMinimumWidth(280)
        dock.setWidget(text)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        dock.show()
