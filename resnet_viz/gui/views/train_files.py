"""Saving what the Train workspace shows: the chart as a picture, the table as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QCoreApplication
from PyQt6.QtWidgets import QFileDialog, QWidget

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import atomic_path
from resnet_viz.gui.widgets.banner import Banner
from resnet_viz.gui.widgets.curve_chart import CurveChart
from resnet_viz.gui.widgets.run_table import RunTable


def _tr(text: str) -> str:
    return QCoreApplication.translate("TrainFiles", text)


def save_chart(parent: QWidget, chart: CurveChart, banner: Banner) -> None:
    """Ask for a file and write the chart."""
    filters = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
    path, _ = QFileDialog.getSaveFileName(parent, _tr("Save the chart"), "curves.png", filters)
    if path:
        _write(lambda: chart.save(Path(path)), path, banner)


def export_table(parent: QWidget, table: RunTable, banner: Banner) -> None:
    """Ask for a file and write the runs that the filter leaves, as CSV or Markdown."""
    filters = "CSV (*.csv);;Markdown (*.md)"
    path, chosen = QFileDialog.getSaveFileName(parent, _tr("Export the table"), "runs.csv", filters)
    if not path:
        return
    markdown = Path(path).suffix.lower() == ".md" or ("*.md" in chosen and not Path(path).suffix)
    text = table.to_markdown() if markdown else table.to_csv()

    def write() -> None:
        with atomic_path(Path(path)) as temporary:
            temporary.write_text(text, encoding="utf-8")

    _write(write, path, banner)


def _write(write: Callable[[], None], path: str, banner: Banner) -> None:
    try:
        write()
    except UserError as error:
        banner.show_message(str(error), "error")
    else:
        banner.show_message(_tr("{0} is written.").format(path), "info")
