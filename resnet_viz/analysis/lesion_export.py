"""Lesions as a chart or as numbers in a file."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from resnet_viz import __version__
from resnet_viz.core.errors import OutputError
from resnet_viz.core.lesion_types import LesionStudy, RandomLesion
from resnet_viz.core.paths import atomic_path

ENDINGS = (".png", ".svg", ".pdf", ".csv")
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#777777"
"""Residual and plain nets as everywhere in the program (on white), and the whole net to compare with."""


def write_lesion(path: Path, result: LesionStudy | RandomLesion, title: str, *, plain: bool = False) -> None:
    """Write a bar chart, errors in percent, or a table, errors as shares 0-1.

    Args:
        path: ``.png``, ``.svg`` or ``.pdf`` a chart, ``.csv`` the table; what stood there is replaced.
        result: what was measured.
        title: the net's.
        plain: whether the net has no skip connections; it is drawn in another colour.

    Raises:
        OutputError: for another ending, or if the file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise OutputError(f"'{Path(path).name}' has no ending that can be written. Use one of {', '.join(ENDINGS)}.")
    content = _table(result) if ending == ".csv" else _chart(result, title, plain, ending[1:])
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)


def _table(result: LesionStudy | RandomLesion) -> bytes:
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    if isinstance(result, LesionStudy):
        write(["block", "title", "done", "error", "f_to_x", "n"])
        write(["", "whole net", "", result.base_error, "", result.n])
        for one in result.blocks:
            ratio = "" if one.f_to_x is None else one.f_to_x
            write([one.block, one.title, result.kind, one.error, ratio, result.n])
    else:
        write(["draw", "k", "seed", "deleted", "error", "n"])
        write(["", 0, "", "", result.base_error, result.n])
        for draw, (error, some) in enumerate(zip(result.errors, result.deleted, strict=True), start=1):
            write([draw, result.k, result.seed, " ".join(some), float(error), result.n])
    return text.getvalue().encode()


def _chart(result: LesionStudy | RandomLesion, title: str, plain: bool, kind: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names, errors = _bars(result)
    ratios = [one.f_to_x for one in result.blocks] if isinstance(result, LesionStudy) else []
    known = [ratio for ratio in ratios if ratio is not None and math.isfinite(ratio)]
    figure = Figure((max(6.0, 1.5 + 0.32 * len(names)), 5.5 if known else 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    color, places = (VERMILLION if plain else BLUE), range(1, len(names) + 1)
    if known:
        axes, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        below.plot(places, [math.nan if ratio is None else ratio for ratio in ratios], "o", color=color)
        below.set(ylabel="||F|| / ||x||", ylim=(0, 1.15 * max(known)))
        below.grid(axis="y", alpha=0.3)
    else:
        axes = below = figure.add_subplot()
    axes.bar(places, errors, color=color)
    axes.bar([0], [100 * result.base_error], color=GREY)
    axes.axhline(100 * result.base_error, color="black", linestyle="--", linewidth=1)
    axes.set(ylabel="error, %", ylim=(0, None), title=f"{title}: {_what(result)}, n = {result.n}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    below.set_xticks([0, *places], ["whole", *names], rotation=90 if len(names) > 20 else 0)
    below.set_xlabel("block" if isinstance(result, LesionStudy) else "draw")
    made = io.BytesIO()
    figure.savefig(made, format=kind, dpi=150, metadata=_metadata(kind))
    return made.getvalue()


def _bars(result: LesionStudy | RandomLesion) -> tuple[list[str], list[float]]:
    """Return labels and errors in percent."""
    if isinstance(result, LesionStudy):
        return [one.title for one in result.blocks], [100 * one.error for one in result.blocks]
    return [str(draw + 1) for draw in range(len(result.errors))], (100 * result.errors).tolist()


def _what(result: LesionStudy | RandomLesion) -> str:
    if isinstance(result, RandomLesion):
        return f"{result.k} blocks deleted at random, seed {result.seed}"
    return "one skip cut" if result.kind == "cut" else "one block deleted"


def _metadata(kind: str) -> dict[str, Any]:
    made_by = f"resnet-viz {__version__}"
    return {"Creator": made_by} if kind in ("svg", "pdf") else {"Software": made_by}
