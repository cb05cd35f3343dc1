"""How a run's row is painted: a dot in the colour of its curve, a bar while it runs."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QModelIndex, QObject, QPointF, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from resnet_viz.gui import theme
from resnet_viz.training.history import RunHistory

from .run_model import RUN_ROLE, RunModel, RunProxy

BAR_PX = 60


class RunDelegate(QStyledItemDelegate):
    """Paints one cell.

    Attributes:
        colours: colour of the curve by folder, for the runs that have one on screen.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.colours: dict[Path, str] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(20, option.fontMetrics.height() + 12)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        run = index.data(RUN_ROLE)
        if painter is None or not isinstance(run, RunHistory):
            return
        self.initStyleOption(option, index)
        colours, metrics = theme.current(), option.fontMetrics
        text, option.text = option.text, ""
        option.state &= ~QStyle.StateFlag.State_HasFocus
        style = option.widget.style() if option.widget is not None else None
        if style is not None:
            style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(QRect(option.rect.left(), option.rect.bottom(), option.rect.width(), 1), QColor(colours.line))
        rect = option.rect.adjusted(8, 0, -8, 0)
        name, colour = _column(index), QColor(colours.text)
        if name == "run":
            self._dot(painter, rect, run)
            rect.setLeft(rect.left() + 16)
            font = painter.font()
            font.setWeight(600)
            painter.setFont(font)
            metrics = painter.fontMetrics()
        elif name == "state":
            rect, colour = _paint_state(painter, rect, run)
        painter.setPen(colour)
        elide = Qt.TextElideMode.ElideMiddle if name in ("run", "data") else Qt.TextElideMode.ElideRight
        right = option.displayAlignment & Qt.AlignmentFlag.AlignRight
        flags = (Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect, int(flags), metrics.elidedText(text, elide, rect.width()))
        painter.restore()

    def _dot(self, painter: QPainter, rect: QRect, run: RunHistory) -> None:
        colour = self.colours.get(run.path)
        if colour is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(QPointF(rect.left() + 4, rect.center().y() + 0.5), 4, 4)


def _paint_state(painter: QPainter, rect: QRect, run: RunHistory) -> tuple[QRect, QColor]:
    """Paint the bar of a run that is not over; return the room for the text, and its colour."""
    colours = theme.current()
    text = {"failed": colours.error, "finished": colours.ok, "stopped": colours.warn}
    if run.state not in ("running", "paused", "stopped"):
        return rect, QColor(text.get(run.state, colours.muted))
    track = QRectF(rect.left(), rect.center().y() - 3, BAR_PX, 7)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.raised if run.state != "running" else colours.line))
    painter.drawRoundedRect(track, 3.5, 3.5)
    if run.progress > 0:
        painter.setBrush(QColor(colours.accent if run.state == "running" else colours.muted))
        painter.drawRoundedRect(QRectF(track.left(), track.top(), max(7.0, BAR_PX * run.progress), 7), 3.5, 3.5)
    return rect.adjusted(BAR_PX + 8, 0, 0, 0), QColor(text.get(run.state, colours.text))


def _column(index: QModelIndex) -> str:
    proxy = index.model()
    model = proxy.sourceModel() if isinstance(proxy, RunProxy) else proxy
    return model.columns[index.column()].id if isinstance(model, RunModel) else ""
