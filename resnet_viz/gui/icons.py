"""Icons from a font, in the colours of the scheme; imported with the first icon that is asked for."""

from __future__ import annotations

from PyQt6.QtGui import QIcon

from . import theme


def icon(name: str) -> QIcon:
    """Return the icon ``name`` (``"mdi6.camera"``) in the scheme's text colour."""
    import qtawesome

    made: QIcon = qtawesome.icon(name, color=theme.current().text, color_disabled=theme.current().muted)
    return made
