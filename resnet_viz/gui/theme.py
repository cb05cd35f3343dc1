"""One look for light and dark: a full palette of our own on Qt's Fusion style.

``setColorScheme`` does nothing where the platform has no scheme (offscreen, a bare X
server), so the palette is always ours; the scheme is asked for as well, for native dialogs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication

from resnet_viz.core.paths import assets_dir

SchemeName = Literal["system", "light", "dark"]

BASE_PX = 13
MIN_PX, MAX_PX = 11, 28


@dataclass(frozen=True, slots=True)
class Theme:
    """Named colours as ``#rrggbb``; residual is always blue and plain always vermillion."""

    dark: bool
    window: str
    panel: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    accent_text: str
    selection: str
    grid: str
    residual: str
    plain: str
    ok: str
    warn: str
    error: str


DARK = Theme(
    dark=True,
    window="#1e1f24",
    panel="#25272e",
    raised="#333740",
    line="#3a3d47",
    text="#e8e9ed",
    muted="#9da1ad",
    accent="#2f6fed",
    accent_text="#ffffff",
    selection="#2d4a80",
    grid="#3c3f46",
    residual="#56B4E9",
    plain="#D55E00",
    ok="#3fb68b",
    warn="#e0a526",
    error="#f0736a",
)
LIGHT = Theme(
    dark=False,
    window="#f4f5f7",
    panel="#ffffff",
    raised="#e6e8ed",
    line="#d0d3da",
    text="#1d2026",
    muted="#5c616d",
    accent="#1f5fd6",
    accent_text="#ffffff",
    selection="#cfe0ff",
    grid="#b9bcc4",
    residual="#0072B2",
    plain="#D55E00",
    ok="#18794e",
    warn="#8a5a00",
    error="#b3261e",
)

_state: dict[str, Theme] = {"theme": DARK}


def current() -> Theme:
    """Return the theme in use; read it at paint time, it changes with the scheme."""
    return _state["theme"]


def apply(app: QApplication, scheme: SchemeName = "system") -> Theme:
    """Give the application our palette and style sheet and return the theme."""
    hints = QGuiApplication.styleHints()
    assert hints is not None
    wanted = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(scheme, Qt.ColorScheme.Unknown)
    hints.setColorScheme(wanted)
    dark = scheme == "dark" or (scheme == "system" and hints.colorScheme() != Qt.ColorScheme.Light)
    theme = DARK if dark else LIGHT
    _state["theme"] = theme
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    app.setStyleSheet(_style_sheet(theme))
    return theme


def set_font(app: QApplication, px: int = BASE_PX) -> int:
    """Set the base font size in pixels, kept within limits; return the size in use."""
    px = max(MIN_PX, min(MAX_PX, px))
    font = QFont(app.font())
    families = QFontDatabase.families()
    for family in ("Inter", "Segoe UI", ".AppleSystemUIFont", "Noto Sans", "DejaVu Sans"):
        if family in families:
            # glyphs the first one lacks (Korean, Chinese, Japanese) come from the others
            font.setFamilies([family, "Noto Sans CJK KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"])
            break
    font.setPixelSize(px)
    app.setFont(font)
    if app.styleSheet():
        # under a style sheet a new font reaches no widget that exists, until the sheet is set again
        app.setStyleSheet(app.styleSheet())
    return px


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.window,
        role.Text: theme.text,
        role.PlaceholderText: theme.muted,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.error,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Highlight: theme.selection,
        role.HighlightedText: theme.text,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Accent: theme.accent,
        role.Light: theme.raised,
        role.Midlight: theme.line,
        role.Mid: theme.line,
        role.Dark: theme.window,
        role.Shadow: "#000000" if theme.dark else "#9a9ea8",
    }
    for which, colour in colours.items():
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        faded = QColor(theme.muted)
        faded.setAlphaF(0.6)
        palette.setColor(QPalette.ColorGroup.Disabled, which, faded)
    return palette


def _style_sheet(theme: Theme) -> str:
    icons, scheme = assets_dir() / "icons", "dark" if theme.dark else "light"
    arrow, up = ((icons / f"chevron-{way}{scheme}.svg").as_posix() for way in ("", "up-"))
    check = (icons / "check.svg").as_posix()
    return f"""
QToolTip {{ background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line}; padding: 4px; }}
QPushButton, QToolButton {{
    background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 6px; padding: 4px 10px; }}
QToolButton[popupMode="1"], QToolButton[popupMode="2"] {{ padding-right: 20px; }}
QPushButton:hover, QToolButton:hover {{ border-color: {theme.accent}; }}
QPushButton:pressed, QToolButton:pressed, QToolButton:checked, QPushButton:checked {{ background: {theme.selection}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {theme.muted}; background: {theme.panel}; }}
QPushButton:focus, QToolButton:focus, QLineEdit:focus {{ border-color: {theme.accent}; }}
QPushButton[primary="true"] {{
    background: {theme.accent}; color: {theme.accent_text}; border-color: {theme.accent}; }}
QSpinBox {{
    background: {theme.panel}; border: 1px solid {theme.line}; border-radius: 6px; padding: 2px 8px;
    min-height: 22px; color: {theme.text}; selection-background-color: {theme.accent};
    selection-color: {theme.accent_text}; }}
QSpinBox:hover, QSpinBox:focus {{ border-color: {theme.accent}; }}
QSpinBox:disabled {{ color: {theme.muted}; background: {theme.window}; }}
QSpinBox::up-button, QSpinBox::down-button {{ background: transparent; border: none; width: 18px; }}
QSpinBox::up-arrow {{ image: url("{up}"); width: 10px; height: 10px; }}
QSpinBox::down-arrow {{ image: url("{arrow}"); width: 10px; height: 10px; }}
QCheckBox::indicator {{
    background: {theme.panel}; border: 1px solid {theme.muted}; border-radius: 3px; width: 14px; height: 14px; }}
QCheckBox::indicator:hover, QCheckBox::indicator:focus {{ border-color: {theme.accent}; }}
QCheckBox::indicator:checked {{
    background: {theme.accent}; border-color: {theme.accent}; image: url("{check}"); }}
QCheckBox::indicator:disabled {{ background: {theme.line}; border-color: {theme.line}; }}
QComboBox {{
    background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 6px; padding: 2px 8px;
    min-height: 22px; }}
QComboBox:hover, QComboBox:focus, QComboBox:on {{ border-color: {theme.accent}; }}
QComboBox:disabled {{ color: {theme.muted}; background: {theme.panel}; }}
QComboBox::drop-down {{ border: none; width: 20px; }}
QComboBox::down-arrow {{ image: url("{arrow}"); width: 12px; height: 12px; }}
QComboBox QAbstractItemView {{
    background: {theme.panel}; border: 1px solid {theme.line}; selection-background-color: {theme.selection};
    selection-color: {theme.text}; padding: 4px; }}
QHeaderView {{ background: {theme.window}; border: none; }}
QHeaderView::section {{
    background: {theme.window}; color: {theme.muted}; border: none; border-bottom: 1px solid {theme.line};
    padding: 4px 6px; }}
QTabBar::tab {{
    background: transparent; color: {theme.muted}; padding: 6px 12px; border: none;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {theme.text}; border-bottom-color: {theme.accent}; }}
QTabBar::tab:hover {{ color: {theme.text}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {theme.line}; }}
QProgressBar {{ background: {theme.line}; border: none; border-radius: 3px; }}
QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}
QLineEdit {{
    background: {theme.panel}; border: 1px solid {theme.line}; border-radius: 6px; padding: 4px 8px;
    selection-background-color: {theme.accent}; selection-color: {theme.accent_text}; }}
QMenu {{ background: {theme.panel}; border: 1px solid {theme.line}; padding: 4px; }}
QMenu::item {{ padding: 4px 24px 4px 24px; border-radius: 4px; }}
QMenu::item:selected {{ background: {theme.selection}; }}
QMenu::separator {{ height: 1px; background: {theme.line}; margin: 4px 8px; }}
QSplitter::handle {{ background: {theme.line}; }}
QSplitter::handle:horizontal {{ width: 1px; }}
QSplitter::handle:vertical {{ height: 1px; }}
QLabel[muted="true"] {{ color: {theme.muted}; }}
QLabel[heading="true"] {{ font-weight: 600; }}
QTreeView, QListView, QTableView {{ background: {theme.window}; border: none; outline: none; }}
QTreeView::item, QListView::item {{ padding: 3px 4px; border-radius: 4px; }}
QTreeView::item:selected, QListView::item:selected {{ background: {theme.selection}; color: {theme.text}; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {theme.line}; border-radius: 5px; min-width: 24px; min-height: 24px; }}
QScrollBar::handle:hover {{ background: {theme.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QStatusBar {{ background: {theme.panel}; border-top: 1px solid {theme.line}; }}
QStatusBar::item {{ border: none; }}
QToolBar {{
    background: {theme.panel}; border: none; border-bottom: 1px solid {theme.line}; spacing: 8px; padding: 8px; }}
"""
