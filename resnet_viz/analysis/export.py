"""Writing what the grid shows: a picture, a drawing, the numbers; each file says where it comes from."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from resnet_viz import __version__
from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path
from resnet_viz.core.types import Activation, ChannelStats

from .export_sheet import Sheet, scale_note, sheet, to_rgb, to_svg
from .montage import GridOptions, Montage

SUFFIXES = (".png", ".svg", ".npz", ".csv")


def write_activation(
    path: Path,
    activation: Activation,
    stats: ChannelStats,
    options: GridOptions,
    provenance: Mapping[str, str],
    *,
    pinned: frozenset[int] = frozenset(),
) -> None:
    """Write one layer's output in the form that the file's ending names.

    Args:
        path: ``.png`` and ``.svg`` the grid at full resolution with numbers and scale, ``.npz`` the maps,
            ``.csv`` the statistics of each channel.
        activation: the maps.
        stats: of these maps.
        options: how the grid is drawn.
        provenance: model, image, layer and the like, written into the file.
        pinned: channels that are marked in a picture, and come first where the options say so.

    Raises:
        OutputError: for another ending, or if the file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in SUFFIXES:
        raise OutputError(f"'{Path(path).name}' has no ending that can be written. Use one of {', '.join(SUFFIXES)}.")
    known = {"program": f"resnet-viz {__version__}", **provenance}
    if ending == ".npz":
        content = _npz(activation, known)
    elif ending == ".csv":
        content = _csv(stats, known)
    else:
        made = sheet(activation, stats, options, known, pinned)
        known |= _scale(made.grid, options)
        content = _png(made, known) if ending == ".png" else _svg(made, known)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)


def _png(made: Sheet, known: Mapping[str, str]) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in known.items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.fromarray(to_rgb(made)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _svg(made: Sheet, known: Mapping[str, str]) -> bytes:
    return to_svg(made, json.dumps(known, ensure_ascii=False)).encode("utf-8", "replace")


def _npz(activation: Activation, known: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, maps=activation.maps, layer=activation.layer, provenance=json.dumps(known, allow_nan=False)
    )
    return buffer.getvalue()


def _csv(stats: ChannelStats, known: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    for key, value in known.items():
        text.write(f"# {key}: {' '.join(value.split())}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["channel", "mean", "std", "min", "max", "zeros", "dead"])
    for channel in range(len(stats.mean)):
        numbers = (array[channel] for array in (stats.mean, stats.std, stats.min, stats.max, stats.zeros))
        rows.writerow([channel, *(f"{value:.9g}" for value in numbers), int(stats.dead[channel])])
    return text.getvalue().encode("utf-8")


def _scale(grid: Montage, options: GridOptions) -> dict[str, str]:
    if options.normalize == "channel":
        return {"scale": scale_note(options), "colours": options.colormap}
    return {"scale": f"{grid.low[0]:.6g} to {grid.high[0]:.6g}", "colours": options.colormap}
