"""Colours, order, scale, geometry: the grid as plain functions on arrays."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest

from resnet_viz.analysis import montage as grids
from resnet_viz.analysis.colormap import CHUNK, apply, colormaps, indices, lut, lut32, rgb_words, words
from resnet_viz.analysis.montage import GridLayout, GridOptions
from resnet_viz.analysis.statistics import channel_stats, histogram
from resnet_viz.core.types import F32

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("name", "theirs"), [("viridis", "viridis"), ("magma", "magma"), ("signed", "RdBu_r")])
def test_tables_are_matplotlibs(name: str, theirs: str) -> None:
    expected = mpl.colormaps[theirs](np.arange(256), bytes=True)[:, :3]
    assert np.abs(lut(name).astype(int) - expected.astype(int)).max() <= 1  # it rounds down, we round


def test_indices_cover_the_range_and_mark_what_is_no_number() -> None:
    values = np.array([-5, 0, 1, 2, 9, np.nan, np.inf, -np.inf], np.float32)
    assert indices(values, 0.0, 2.0).tolist() == [0, 0, 128, 255, 255, 256, 255, 0]
    assert indices(np.full(3, 7, np.float32), 7.0, 7.0).tolist() == [0, 0, 0]
    assert apply(np.array([np.nan], np.float32), "viridis").tolist() == [[255, 0, 255]]


def test_words_hold_rgb_in_qts_order() -> None:
    assert rgb_words(np.array([[[1, 2, 3]]], np.uint8)).tolist() == [[0xFF010203]]
    for name in colormaps.ids():
        assert lut32(name).shape == (257,) and (lut32(name) >> 24 == 255).all()


def test_statistics_against_numpy_in_double_precision() -> None:
    maps = RNG.normal(3, 2, (5, 9, 7)).astype(np.float32)
    maps[2] = 0
    maps[3, :3] = 0
    stats = channel_stats(maps)
    double = maps.astype(np.float64).reshape(5, -1)
    assert np.allclose(stats.mean, double.mean(1), rtol=1e-6)
    assert np.allclose(stats.std, double.std(1), rtol=1e-6)
    assert np.array_equal(stats.max, maps.reshape(5, -1).max(1))
    assert stats.zeros[3] == pytest.approx(21 / 63)
    assert stats.dead.tolist() == [False, False, True, False, False]
    counts, edges = histogram(maps[0])
    expected = np.histogram(maps[0], 32)
    assert np.array_equal(counts, expected[0]) and np.allclose(edges, expected[1])


def test_a_large_offset_does_not_swallow_the_spread() -> None:
    maps = np.full((1, 100, 100), 1e6, np.float32) + RNG.normal(0, 1, (1, 100, 100)).astype(np.float32)
    assert channel_stats(maps).std[0] == pytest.approx(maps.astype(np.float64).std(), rel=1e-3)


def test_colouring_and_ordering_by_number_need_no_moments() -> None:
    maps = RNG.normal(size=(5, 7, 9)).astype(np.float32)
    stats = channel_stats(maps)
    grids.colour(maps, stats, GridOptions())
    grids.order(stats, GridOptions())
    assert stats.moments.cache_info().misses == 0  # type: ignore[attr-defined]
    assert stats.mean == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-6)
    assert stats.std == pytest.approx(maps.std(axis=(1, 2)), rel=1e-5)
    assert stats.moments.cache_info().misses == 1  # type: ignore[attr-defined]


def test_one_scale_for_all_colours_as_the_same_scale_for_each() -> None:
    for maps in (RNG.normal(size=(4, 6, 6)), np.maximum(RNG.normal(size=(4, 6, 6)), 0)):
        maps = maps.astype(np.float32)
        maps[0, 0, :3] = np.nan, np.inf, -np.inf
        low, high = grids.ranges(channel_stats(maps[1:]), GridOptions())
        each = indices(maps, np.full((4, 1, 1), low[0]), np.full((4, 1, 1), high[0]))
        np.testing.assert_array_equal(indices(maps, float(low[0]), float(high[0])), each)


def hard_maps() -> Iterator[tuple[str, F32]]:
    """Yield maps of every kind that a layer puts out, and what is hard about them."""
    plain = RNG.normal(size=(9, 30, 40)).astype(np.float32)
    yield "both signs", plain
    yield "after a ReLU", np.maximum(plain, 0)
    yield "above zero", np.abs(plain) + 3
    yield "below zero", -np.abs(plain) - 3
    yield "all zero", np.zeros((3, 4, 5), np.float32)
    yield "constant", np.full((3, 4, 5), -2.5, np.float32)
    yield "single values", RNG.normal(size=(2048, 1, 1)).astype(np.float32)
    yield "one map larger than a chunk", RNG.normal(size=(2, 200, 190)).astype(np.float32)
    yield "as large as numbers get", plain * np.float32(3e38 / np.abs(plain).max())
    yield "as small as numbers get", plain * np.float32(1e-45)
    for name, value in (("NaN", np.nan), ("inf", np.inf), ("-inf", -np.inf)):
        some = np.maximum(plain, 0)
        some[3, 7, 11] = value
        yield f"with {name}", some
        yield f"one map of {name}", np.concatenate([plain, np.full((1, 30, 40), value, np.float32)])


@pytest.mark.parametrize("scale", grids.SCALES)
@pytest.mark.parametrize("colormap", ["viridis", "signed"])
@pytest.mark.parametrize("chunk", [1, 1000, CHUNK])
def test_maps_coloured_piece_by_piece_have_the_colours_of_the_table(
    scale: grids.Scale, colormap: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnet_viz.analysis.colormap.CHUNK", chunk)
    for name, maps in hard_maps():
        stats, options = channel_stats(maps), GridOptions(normalize=scale, colormap=colormap, fixed=(-0.5, 1.0))
        low, high = (ends[:, None, None] for ends in grids.ranges(stats, options))
        expected = lut32(colormap)[indices(maps, low, high)]
        np.testing.assert_array_equal(grids.colour(maps, stats, options), expected, err_msg=name)


@pytest.mark.parametrize("chunk", [1, 25, CHUNK])
def test_either_end_of_a_scale_may_differ_from_map_to_map(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnet_viz.analysis.colormap.CHUNK", chunk)
    maps = RNG.normal(size=(4, 3, 5)).astype(np.float32)
    maps[1, 2, 3], maps[2, 0, 0] = np.nan, np.inf
    many = np.arange(1, 5, dtype=np.float32)[:, None, None]
    for low, high in ((0.0, many), (-many, 1.0), (-many, many), (0.0, 1.0)):
        at = [[[index(value, low, high, n) for value in row] for row in one] for n, one in enumerate(maps)]
        expected = lut32("magma")[at]
        np.testing.assert_array_equal(words(maps, low, high, "magma"), expected)
        np.testing.assert_array_equal(lut32("magma")[indices(maps, low, high)], expected)
    one = indices(np.float32(np.nan), np.zeros(3, np.float32), np.ones(3, np.float32))
    assert one.tolist() == [256] * 3  # one value, three scales


def index(value: np.float32, low: F32 | float, high: F32 | float, at: int) -> int:
    """Return one value's table index by the definition, in Python's own floats."""
    low, high = (float(end) if isinstance(end, float) else float(end[at, 0, 0]) for end in (low, high))
    if np.isnan(value):
        return 256
    return int(min(max((float(value) - low) * 255 / (high - low) + 0.5, 0), 255))


@pytest.mark.parametrize("sort", grids.SORTS)
@pytest.mark.parametrize("descending", [True, False])
def test_order_is_a_stable_permutation(sort: grids.SortKey, descending: bool) -> None:
    maps = RNG.normal(size=(40, 4, 4)).astype(np.float32)
    maps[[3, 9, 20]] = 0
    stats = channel_stats(maps)
    shown = grids.order(stats, GridOptions(sort=sort, descending=descending))
    assert sorted(shown) == list(range(40))
    if sort != "index":
        key = {"mean": stats.mean, "max": stats.max, "std": stats.std, "sparsity": stats.zeros}[sort]
        ordered = key[shown] if not descending else -key[shown]
        assert (np.diff(ordered) >= 0).all()
        equal = [channel for channel in shown if channel in (3, 9, 20)]
        assert equal == [3, 9, 20]


def test_pinned_channels_come_first_when_asked() -> None:
    stats = channel_stats(RNG.normal(size=(10, 2, 2)).astype(np.float32))
    shown = grids.order(stats, GridOptions(sort="mean", pinned_first=True), frozenset({7, 2}))
    assert set(shown[:2]) == {2, 7}
    assert grids.order(stats, GridOptions(sort="mean"), frozenset({7, 2})).tolist() != shown.tolist()
    maps = RNG.normal(size=(10, 2, 2)).astype(np.float32)
    made = grids.montage(maps, channel_stats(maps), GridOptions(pinned_first=True), pinned=frozenset({7, 2}))
    assert made.shown.tolist() == [2, 7, 0, 1, 3, 4, 5, 6, 8, 9]


def test_ranges_are_what_the_choice_says() -> None:
    maps = np.stack([np.full((2, 2), value, np.float32) for value in (-1.0, 0.0, 4.0)])
    maps[0, 0, 0] = -3
    stats = channel_stats(maps)
    low, high = grids.ranges(stats, GridOptions(normalize="layer"))
    assert set(low) == {-3.0} and set(high) == {4.0}
    low, high = grids.ranges(stats, GridOptions(normalize="channel"))
    assert low.tolist() == [-3, 0, 4] and high.tolist() == [-1, 0, 4]
    low, high = grids.ranges(stats, GridOptions(normalize="fixed", fixed=(-2.0, 7.0)))
    assert set(low) == {-2.0} and set(high) == {7.0}
    low, high = grids.ranges(stats, GridOptions(colormap="signed"))
    assert set(low) == {-4.0} and set(high) == {4.0}


def test_a_scale_without_the_outermost_values_never_shrinks_to_nothing() -> None:
    maps = RNG.random((4, 20, 20)).astype(np.float32)
    cut = grids.with_percentiles(maps, GridOptions())
    assert cut.normalize == "fixed" and cut.fixed == pytest.approx(np.percentile(maps, [1, 99]))
    sparse = np.zeros((4, 20, 20), np.float32)
    sparse[2, 3, 4] = 0.0022
    assert grids.with_percentiles(sparse, GridOptions()).fixed == (0.0, pytest.approx(0.0022))
    assert grids.with_percentiles(np.full((1, 2, 2), np.nan, np.float32), GridOptions()) == GridOptions()


def test_values_that_are_no_numbers_do_not_spoil_the_scale() -> None:
    maps = RNG.random((3, 4, 4)).astype(np.float32)
    maps[1, 2, 2] = np.nan
    maps[2, 0, 0] = np.inf
    stats = channel_stats(maps)
    low, high = grids.layer_range(stats)
    assert np.isfinite([low, high]).all() and low >= 0 and high <= 1
    assert grids.colour(maps, stats, GridOptions())[1, 2, 2] == 0xFFFF00FF
    assert grids.holds_nan(stats) and not grids.holds_nan(channel_stats(maps[2:]))


@pytest.mark.parametrize(
    ("count", "width", "height"), [(64, 56, 56), (2048, 7, 7), (16, 32, 32), (10, 1, 1), (5, 9, 4)]
)
@pytest.mark.parametrize("room", [(900, 600), (300, 900), (160, 120)])
def test_the_fitted_grid_fits_or_keeps_its_least_cell(
    count: int, width: int, height: int, room: tuple[int, int]
) -> None:
    zoom = grids.fit(count, width, height, *room, gap=3, least=30)
    layout = grids.arrange(count, width, height, room[0], zoom, 3)
    assert layout.width <= room[0] or layout.columns == 1
    assert layout.cell_w >= 30
    if layout.cell_w >= 30 + width:  # whole multiples that are not the least one
        assert layout.height <= room[1]


def test_every_cell_is_hit_where_it_is_drawn() -> None:
    layout = GridLayout(count=23, columns=5, cell_w=12, cell_h=8, gap=3)
    for position in range(23):
        x, y = layout.cell(position)
        assert layout.hit(x, y) == (position, 0.0, 0.0)
        found = layout.hit(x + 11.9, y + 7.9)
        assert found is not None and found[0] == position and found[1] < 1 and found[2] < 1
        assert layout.hit(x + 12.5, y) is None and layout.hit(x, y - 1) is None
    assert layout.hit(layout.width + 50, 5) is None and layout.hit(-5, -5) is None
    x, y = layout.cell(22)
    assert layout.hit(x + 15 + 2, y + 2) is None  # the empty places of the last row


@pytest.mark.parametrize("zoom", [1, 2, 5])
def test_the_montage_shows_every_value_where_it_belongs(zoom: int) -> None:
    maps = RNG.random((7, 3, 4)).astype(np.float32)
    stats = channel_stats(maps)
    options = GridOptions(sort="max", colormap="magma")
    made = grids.montage(maps, stats, options, zoom=zoom, columns=3, gap=2)
    words = grids.colour(maps, stats, options)
    for position, channel in enumerate(made.shown):
        x, y = made.layout.cell(position)
        cell = made.image[y : y + 3 * zoom, x : x + 4 * zoom]
        expected = words[channel].repeat(zoom, 0).repeat(zoom, 1)
        assert np.array_equal(rgb_words(cell), expected)
    assert made.image.shape == (made.layout.height, made.layout.width, 3)


def test_a_reduced_map_keeps_its_mean_colour() -> None:
    coloured = rgb_words(RNG.integers(0, 256, (2, 40, 40, 3), dtype=np.uint8))
    layout = GridLayout(2, 2, 10, 10, 1)
    drawn = grids.draw(coloured, np.arange(2), layout, range(1), 0xFF000000)
    x, y = layout.cell(0)
    part = drawn[y : y + 10, x : x + 10]
    for shift in (0, 8, 16):
        whole = ((coloured[0] >> shift) & 0xFF).mean()
        assert ((part >> shift) & 0xFF).mean() == pytest.approx(whole, abs=1)


def test_drawing_some_rows_equals_that_part_of_the_whole() -> None:
    maps = RNG.random((17, 5, 5)).astype(np.float32)
    stats = channel_stats(maps)
    coloured, shown = grids.colour(maps, stats, GridOptions()), np.arange(17)
    layout = grids.arrange(17, 5, 5, 60, 2.0, 2)
    whole = grids.draw(coloured, shown, layout, range(layout.rows), 0xFF112233)
    part = grids.draw(coloured, shown, layout, range(1, 3), 0xFF112233)
    step = layout.cell_h + layout.gap
    assert np.array_equal(part, whole[step : step * 3 + layout.gap])
