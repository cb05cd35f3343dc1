"""Writing what the grid shows: a picture, a drawing, the numbers; each file says where it comes from."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, PngImagePlugin

from resnet_viz import __version__
from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path
from resnet_viz.core.types import Activation, ChannelStats

from .colormap import lut
from .montage import GridOptions, Montage, montage

SUFFIXES = (".png", ".svg", ".npz", ".csv")


def write_activation(
    path: Path,
    activation: Activation,
    stats: ChannelStats,
    options: GridOptions,
    provenance: Mapping[str, str],
) -> None:
    """Write one layer's output in the form that the file's ending names.

    Args:
        path: ``.png`` and ``.svg`` the grid at full resolution, ``.npz`` the maps,
            ``.csv`` the statistics of each channel.
        activation: the maps.
        stats: of these maps.
        options: how the grid is drawn.
        provenance: model, image, layer and the like, written into the file.

    Raises:
        OutputError: for another ending, or if the file cannot be written.
    """
    writers = {".png": _png, ".svg": _svg, ".npz": _npz, ".csv": _csv}
    write = writers.get(Path(path).suffix.lower())
    if write is None:
        raise OutputError(f"'{Path(path).name}' has no ending that can be written. Use one of {', '.join(SUFFIXES)}.")
    content = write(activation, stats, options, {"program": f"resnet-viz {__version__}", **provenance})
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)


def _png(activation: Activation, stats: ChannelStats, options: GridOptions, provenance: Mapping[str, str]) -> bytes:
    grid = montage(activation.maps, stats, options)
    info = PngImagePlugin.PngInfo()
    for key, value in {**provenance, **_scale(grid, options)}.items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.fromarray(grid.image).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _npz(activation: Activation, stats: ChannelStats, options: GridOptions, provenance: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, maps=activation.maps, layer=activation.layer, provenance=json.dumps(dict(provenance), allow_nan=False)
    )
    return buffer.getvalue()


def _csv(activation: Activation, stats: ChannelStats, options: GridOptions, provenance: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    for key, value in provenance.items():
        text.write(f"# {key}: {' '.join(value.split())}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["channel", "mean", "std", "min", "max", "zeros", "dead"])
    for channel in range(len(stats.mean)):
        numbers = (array[channel] for array in (stats.mean, stats.std, stats.min, stats.max, stats.zeros))
        rows.writerow([channel, *(f"{value:.9g}" for value in numbers), int(stats.dead[channel])])
    return text.getvalue().encode("utf-8")


def _scale(grid: Montage, options: GridOptions) -> dict[str, str]:
    if options.normalize == "channel":
        return {"scale": "each channel from its own least to its own greatest value", "colours": options.colormap}
    return {"scale": f"{grid.low[0]:.6g} to {grid.high[0]:.6g}", "colours": options.colormap}


def _svg(activation: Activation, stats: ChannelStats, options: GridOptions, provenance: Mapping[str, str]) -> bytes:
    """Draw the grid with the maps embedded losslessly and labels, scale and origin as text."""
    grid = montage(activation.maps, stats, options)
    height, width = grid.image.shape[:2]
    head, foot = 28, 44
    width_all = max(width, 360)
    title = f"{provenance.get('model', '')} · {activation.layer} · {len(activation.maps)} channels"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width_all}" height="{head + height + foot}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width_all}" height="{head + height + foot}" fill="#ffffff"/>',
        f"<metadata>{escape(json.dumps(dict(provenance), ensure_ascii=False))}</metadata>",
        f'<text x="4" y="18" font-size="13">{escape(title)}</text>',
        f'<image x="0" y="{head}" width="{width}" height="{height}" style="image-rendering:pixelated" '
        f'xlink:href="{_data_uri(grid.image)}"/>',
    ]
    if grid.layout.cell_w >= 24:
        for position, channel in enumerate(grid.shown):
            x, y = grid.layout.cell(position)
            number = f"{channel} dead" if stats.dead[channel] else str(channel)
            parts.append(
                f'<text x="{x + 2}" y="{head + y + 11}" fill="#fff" stroke="#000" stroke-width="2" '
                f'paint-order="stroke">{number}</text>'
            )
    scale = _scale(grid, options)
    bar = np.repeat(lut(options.colormap)[None], 8, axis=0)
    y = head + height + 12
    parts.append(
        f'<image x="4" y="{y}" width="160" height="8" preserveAspectRatio="none" xlink:href="{_data_uri(bar)}"/>'
    )
    parts.append(f'<text x="172" y="{y + 9}">{escape(scale["scale"])}</text>')
    origin = " · ".join(value for key, value in provenance.items() if key in ("program", "image", "found") and value)
    parts.append(f'<text x="4" y="{y + 26}" fill="#555">{escape(origin)}</text></svg>')
    return "\n".join(parts).encode("utf-8")


def _data_uri(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
