"""Measured gradients as a chart or as numbers in a file."""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resnet_viz import __version__
from resnet_viz.core.errors import OutputError
from resnet_viz.core.gradient_types import FLOAT_ZERO, FlowBand, GradientFlow, NormName, band, spread
from resnet_viz.core.paths import atomic_path
from resnet_viz.core.types import F64

ENDINGS = (".png", ".svg", ".pdf", ".csv")
BLUE, VERMILLION = "#0072B2", "#D55E00"
"""Residual and plain nets as everywhere in the program, on white."""

DASHES = ("-", "--", ":", "-.")
"""Tell nets of one family apart."""

FONTS = ("DejaVu Sans", "Noto Sans CJK KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")

PANELS: tuple[tuple[NormName, str], ...] = (
    ("weight_norm", "gradient of the weights, L2 norm"),
    ("act_norm", "gradient at the output, L2 norm"),
)
DETAILS = ("split_identity", "split_f", "response_std", "f_to_x", "update_ratio")
WEIGHTS = {
    "first": "weights of each block's first convolution",
    "convs": "weights of all convolutions of each block",
    "all": "all parameters of each block",
}
COLUMNS = (
    "net", "block", "label", "act_norm", "act_norm_low", "act_norm_high",
    "weight_norm", "weight_norm_low", "weight_norm_high", *DETAILS,
)  # fmt: skip


def write_flows(
    path: Path,
    flows: Sequence[FlowBand | GradientFlow],
    title: str,
    *,
    plain: Sequence[bool] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write a chart of both norms over the blocks, on a log axis, or a table of all numbers.

    Norms over several seeds are geometric means, with the smallest and the largest.

    Args:
        path: ``.png``, ``.svg`` or ``.pdf`` a chart, ``.csv`` the table; what stood there is replaced.
        flows: one for each net, at least one.
        title: what the pictures are.
        plain: whether each net has no skip connections; those are drawn in another colour.
        notes: further lines of provenance for the table.

    Raises:
        OutputError: for another ending, or if the file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise OutputError(f"'{Path(path).name}' has no ending that can be written. Use one of {', '.join(ENDINGS)}.")
    bands = [one if isinstance(one, FlowBand) else band([one]) for one in flows]
    families = [*plain, *[False] * (len(bands) - len(plain))]
    content = _table(bands, title, notes) if ending == ".csv" else _chart(bands, families, title, ending[1:])
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)


# ---- numbers ----


def _table(bands: Sequence[FlowBand], title: str, notes: Sequence[str]) -> bytes:
    text = io.StringIO()
    for line in (f"program: resnet-viz {__version__}", f"pictures: {title}", *map(_facts, bands), *notes):
        text.write(f"# {' '.join(line.split())}\n")
    write = csv.writer(text, lineterminator="\n").writerow
    write(COLUMNS)
    for one in bands:
        columns = [*one.of("act_norm"), *one.of("weight_norm"), *(_detail(one, name) for name in DETAILS)]
        for index, (block, label) in enumerate(zip(one.blocks, one.labels, strict=True)):
            write([one.title, block, label, *(_cell(column, index) for column in columns)])
    return text.getvalue().encode("utf-8")


def _facts(one: FlowBand) -> str:
    """Return what holds for a whole net as one line."""
    flow, record = one.flows[0], one.record()
    numbers = [f"{name} {record[name]}" for name in ("loss", "first_to_last", "first_to_last_act", "coherence")]
    return f"{one.title}: {', '.join(numbers)}, seeds {len(one.flows)}, {_mode(flow)}, {WEIGHTS[flow.weights]}"


def _mode(flow: GradientFlow) -> str:
    return f"batch norm as in {'training' if flow.train_mode else 'evaluation'}"


def _detail(one: FlowBand, name: str) -> F64 | None:
    """Return the geometric mean over the seeds, (B,); None where it was not measured."""
    values = [getattr(flow, name) for flow in one.flows]
    return None if any(value is None for value in values) else spread(values)[0]


def _cell(column: F64 | None, index: int) -> str:
    """Return one number with all its digits; nothing where there is none."""
    value = math.nan if column is None else float(column[index])
    return "" if math.isnan(value) else repr(value)


# ---- chart ----


def _chart(bands: Sequence[FlowBand], plain: Sequence[bool], title: str, kind: str) -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    fonts = [name for name in FONTS if name in there]
    panels = [(name, label) for name, label in PANELS if any(np.isfinite(one.of(name)[0]).any() for one in bands)]
    panels = panels or list(PANELS[:1])
    most = max(len(one.blocks) for one in bands)
    made = io.BytesIO()
    with rc_context({"font.family": fonts or ["sans-serif"]}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box is better than no chart
        figure = Figure((max(7.0, 2.0 + 0.22 * most), 1.2 + 3.3 * len(panels)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for one, (name, label) in zip(axes, panels, strict=True):
            _panel(one, bands, plain, name, label)
        _blocks(axes[-1], bands, most)
        axes[0].legend(loc="best", fontsize=9)
        figure.suptitle(_heading(bands, _words(title) if title else ""), fontsize=10)
        figure.savefig(made, format=kind, dpi=150, metadata=_metadata(kind))
    return made.getvalue()


def _panel(axes: Any, bands: Sequence[FlowBand], plain: Sequence[bool], name: NormName, label: str) -> None:
    """Draw one norm of all nets; what a log axis cannot show is marked at its edge and said below."""
    counts = {True: 0, False: 0}
    off: list[tuple[FlowBand, str, F64, str]] = []
    for one, family in zip(bands, plain, strict=True):
        color, dash = (VERMILLION if family else BLUE), DASHES[counts[family] % len(DASHES)]
        counts[family] += 1
        mean, low, high = one.of(name)
        x = np.arange(1, len(mean) + 1, dtype=np.float64)
        shown = np.isfinite(mean) & (mean > 0)
        axes.plot(x, np.where(shown, mean, np.nan), dash, marker=".", color=color, label=_words(one.title))
        if len(one.flows) > 1:
            known = shown & np.isfinite(high) & (low > 0)
            axes.fill_between(x, np.where(known, low, np.nan), np.where(known, high, np.nan), color=color, alpha=0.2)
        off.append((one, color, np.where(mean == 0, x, np.nan), "v"))
        off.append((one, color, np.where(np.isfinite(mean), np.nan, x), "^"))
    if not any(len(line.get_ydata()) and np.isfinite(line.get_ydata()).any() for line in axes.lines):
        axes.set_ylim(1e-3, 1e3)  # there is nothing to fit an axis to
    axes.set_yscale("log")
    axes.set_ylabel(label)
    axes.grid(axis="y", alpha=0.3)
    if any(np.any((values > 0) & (values < FLOAT_ZERO)) for values in (one.of(name)[0] for one in bands)):
        axes.axhline(FLOAT_ZERO, color="#777777", linestyle=":", linewidth=1)
        axes.text(
            1.0, FLOAT_ZERO, " 0 to\n float\n precision", fontsize=7, va="top", transform=axes.get_yaxis_transform()
        )
    notes = []
    for one, color, x, marker in off:
        places = x[np.isfinite(x)]
        if not len(places):
            continue
        edge = 0.02 if marker == "v" else 0.98
        axes.plot(
            places, np.full(len(places), edge), marker, color=color, transform=axes.get_xaxis_transform(), clip_on=False
        )
        what = "0 (▼)" if marker == "v" else "no finite number (▲)"
        notes.append(f"{_words(one.title)}: {what} in {len(places)} of {len(one.blocks)} blocks")
    if notes:
        axes.set_title("Not on a log axis: " + "; ".join(notes), fontsize=9, loc="left")


def _blocks(axes: Any, bands: Sequence[FlowBand], most: int) -> None:
    """Name the blocks where all nets have the same ones, else number them."""
    same = len({one.labels for one in bands}) == 1
    names = bands[0].labels if same else tuple(str(number) for number in range(1, most + 1))
    axes.set_xticks(range(1, most + 1), names, rotation=90 if most > 12 else 0, fontsize=8)
    axes.set_xlabel("block, input → output")


def _heading(bands: Sequence[FlowBand], title: str) -> str:
    flow, seeds = bands[0].flows[0], sorted({len(one.flows) for one in bands})
    parts = [title, _mode(flow), WEIGHTS[flow.weights]]
    if seeds[-1] > 1:
        parts.append(f"mean of {' or '.join(map(str, seeds))} seeds, area from least to most")
    return "\n".join(part for part in (parts[0], " · ".join(parts[1:])) if part)


def _words(title: str) -> str:
    """Return a title as matplotlib shows it: dollars are no formula, and what begins with _ is not left out."""
    title = (title or "net").replace("$", r"\$")
    return f" {title}" if title.startswith("_") else title


def _metadata(kind: str) -> dict[str, Any]:
    made_by = f"resnet-viz {__version__}"
    return {"Creator": made_by} if kind in ("svg", "pdf") else {"Software": made_by}
