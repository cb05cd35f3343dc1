"""Numbers on screen where floats run out: against plain NumPy in double precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resnet_viz.analysis import montage as grids
from resnet_viz.analysis.activations import observe
from resnet_viz.analysis.colormap import lut32
from resnet_viz.analysis.export_sheet import scale_note, sheet
from resnet_viz.analysis.montage import GridLayout, GridOptions
from resnet_viz.analysis.numerals import number, share
from resnet_viz.analysis.statistics import channel_stats, histogram
from resnet_viz.core.types import F32, Activation, BlockInfo


def one(*values: float) -> F32:
    return np.array(values, np.float32).reshape(1, 1, -1)


@pytest.mark.parametrize(
    "values",
    [(1.0, 1.0000001), (1e30, 1.0000001e30), (-3e38, 3e38), (1e-45, 3e-45), (-2.0, 5.0)],
    ids=["neighbours", "large neighbours", "whole range", "smallest", "plain"],
)
def test_a_histogram_counts_whatever_floats_there_are(values: tuple[float, float]) -> None:
    maps = one(*values)
    counts, edges = histogram(maps)
    assert counts.sum() == 2 and counts[0] == counts[-1] == 1
    assert (edges[0], edges[-1]) == (maps.min(), maps.max())
    assert (np.diff(edges) > 0).all()


def test_a_histogram_of_equal_values_has_no_ends_that_no_value_has() -> None:
    counts, edges = histogram(np.full((4, 4), 1e-9, np.float32))
    assert counts.tolist() == [16] and edges == pytest.approx([1e-9, 1e-9], abs=0, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1e-12, 1.0, 1e12, 1e25, 1e37])
def test_the_deviation_is_right_where_squares_have_no_room(scale: float) -> None:
    maps = (np.random.default_rng(0).normal(size=(3, 8, 8)) * scale).astype(np.float32)
    maps[1] = maps[1, 0, 0]
    expected = maps.reshape(3, -1).astype(np.float64).std(axis=1)
    expected[1] = 0
    np.testing.assert_allclose(channel_stats(maps).std, expected, rtol=1e-5)


def test_a_scale_spans_the_finite_values_of_a_map_that_holds_others() -> None:
    maps = np.random.default_rng(1).normal(size=(4, 5, 5)).astype(np.float32)
    maps[0, 0, 0], maps[0, 1, 1] = np.nan, 7.0
    maps[1, 0, 0], maps[1, 1, 1] = np.inf, -9.0
    maps[3] = np.nan
    stats = channel_stats(maps)
    low, high = grids.ranges(stats, GridOptions())
    assert (low[0], high[0]) == (-9.0, 7.0)
    low, high = grids.ranges(stats, GridOptions(normalize="channel"))
    assert (low[1], high[0]) == (-9.0, 7.0)
    assert (low[3], high[3]) == (0, 0)
    assert high[1] == maps[1][np.isfinite(maps[1])].max()
    # what can be told apart is
    coloured = grids.colour(maps, stats, GridOptions(normalize="channel"))
    assert len(np.unique(coloured[0])) > 10 and len(np.unique(coloured[1])) > 10
    assert np.isnan(stats.min[0]) and np.isposinf(stats.max[1])  # which the layer put out, and is shown as such


@pytest.mark.parametrize("fixed", [(0.0, 2.0), (-1.0, 3.0), (-4.0, 1.0), (0.5, 2.0)])
def test_white_is_zero_on_every_signed_scale(fixed: tuple[float, float]) -> None:
    maps = one(-1.0, 0.0, 1.5)
    stats, options = channel_stats(maps), GridOptions(colormap="signed", normalize="fixed", fixed=fixed)
    low, high = grids.ranges(stats, options)
    assert -low[0] == high[0] == max(map(abs, fixed))
    negative, zero, positive = (int(word) for word in grids.colour(maps, stats, options)[0, 0])
    table = lut32("signed")
    assert zero in (table[127], table[128])
    assert negative & 0xFF > negative >> 16 & 0xFF and positive >> 16 & 0xFF > positive & 0xFF  # blue, red
    clipped = grids.with_percentiles(
        np.abs(np.random.default_rng(0).normal(size=(2, 9, 9))).astype(np.float32), options
    )
    assert clipped.fixed[0] == -clipped.fixed[1]


def test_a_signed_scale_for_each_channel_says_what_it_spans() -> None:
    maps = np.array([[[-1.0, 3.0]], [[0.5, 2.0]]], np.float32)
    options = GridOptions(colormap="signed", normalize="channel")
    stats = channel_stats(maps)
    low, high = grids.ranges(stats, options)
    assert low.tolist() == [-3, -2] and high.tolist() == [3, 2]  # neither its own least nor its own greatest value
    texts = [getattr(part, "text", "") for part in sheet(Activation("a", 0, maps), stats, options, {}).parts]
    assert scale_note(options) in texts and "−max" in texts and "min" not in texts
    assert scale_note(options) != scale_note(replace(options, colormap="viridis"))


def test_numbers_are_written_as_people_write_them() -> None:
    assert [number(v) for v in (-0.0, 999.4, 999.5, -999.7, 1000.0, 999999.7)] == [
        "0", "999", "1,000", "−1,000", "1,000", "1,000,000",
    ]  # fmt: skip
    assert [share(v, 0) for v in (0, 0.001, 0.5, 0.999, 1)] == ["0 %", "< 1 %", "50 %", "> 99 %", "100 %"]


@pytest.mark.parametrize("side", [7, 14, 26, 28, 49, 56, 112])
@pytest.mark.parametrize("zoom", [1.0, 1.37, 2.0, 2.6, 3.3, 5.5])
def test_a_saved_or_mosaic_cell_shows_the_value_below_each_pixel(side: int, zoom: float) -> None:
    cell = int(side * zoom + 1e-6)
    maps = np.arange(side * side, dtype=np.uint32).reshape(1, side, side)
    layout = GridLayout(1, 1, cell, cell, 0)
    drawn = grids.draw(maps, np.zeros(1, np.int64), layout, range(1), 0)
    for at in range(cell):
        found = layout.hit(at + 0.499, at + 0.499)
        assert found is not None
        row = int(found[2] * side)
        assert drawn[at, at] == maps[0, row, row]


class _Idle(nn.Module):
    def __init__(self, branch: float, carried: float) -> None:
        super().__init__()
        self.branch, self.carried = branch, carried
        self.add = _Sum()

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.add(x * self.branch, x * self.carried)
        return total.mean((2, 3))


class _Sum(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


@pytest.mark.parametrize(("branch", "carried", "ratio"), [(2, 4, 0.5), (1, 0, np.inf), (0, 0, 0), (0, 1, 0)])
def test_nothing_beside_nothing_is_not_infinitely_much(branch: float, carried: float, ratio: float) -> None:
    block = BlockInfo("b", "b", "residual", ("add",), "add", (3, 4, 4), (3, 4, 4), 0, "identity", "add")
    seen = observe(_Idle(branch, carried), torch.ones(1, 3, 4, 4), parts=block)
    assert seen.parts is not None and seen.parts.f_to_x == pytest.approx(ratio)
