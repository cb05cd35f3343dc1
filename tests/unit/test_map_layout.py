"""Geometry of the network map, on nets of every family as describe() sees them."""

from __future__ import annotations

import itertools
import math
from functools import cache

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import LogNorm, Normalize, to_rgb
from torch import nn

from resnet_viz.core.types import BlockInfo, LayerInfo
from resnet_viz.gui.widgets.color_scale import contrast, format_value, ink, luminance, make_scale
from resnet_viz.gui.widgets.map_cursor import locate, move
from resnet_viz.gui.widgets.map_layout import MapLayout, affordable, content_width, hit_test, make_layout
from resnet_viz.gui.widgets.map_plan import Metrics, Plan, make_plan
from resnet_viz.models import create, models
from resnet_viz.models.describe import describe

METRICS = Metrics(13.0, 13.0, lambda text: 6.6 * len(text))
NETS = [
    name
    for name in [
        "resnet20",
        "plain20",
        "resnet56",
        "resnet110",
        "plain110",
        "resnet18",
        "resnet50",
        "resnet152",
        "hresnet",
        "xai",
        "fashion_dnn",
        "fashion_cnn",
    ]
    if name in models.ids()
]


@cache
def described(name: str) -> tuple[tuple[LayerInfo, ...], tuple[BlockInfo, ...]]:
    if name == "long":
        return describe(nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(200))), (3, 8, 8))
    spec = models.get(name)
    size = min(spec.input_size, 64) if spec.any_size else spec.input_size
    return describe(create(name, seed=0), (spec.in_channels, size, size))


def plan_of(name: str) -> Plan:
    layers, blocks = described(name)
    return make_plan(blocks, layers, METRICS)


def lay(name: str, width: float = 1160, height: float = 112, **how: object) -> MapLayout:
    return make_layout(plan_of(name), width, height, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("width", [780, 1160, 1800])
def test_every_block_has_a_place_of_its_own_inside_the_view(name: str, width: float) -> None:
    layout = lay(name, width)
    blocks = described(name)[1]
    assert [column.block for column in layout.columns] == [block.name for block in blocks]
    assert layout.width == pytest.approx(width), "54 blocks fit into a window 900 px wide without scrolling"
    x = layout.source.right
    for column in layout.columns:
        assert column.slot.x >= x - 1e-6
        assert column.slot.x <= column.body.x and column.body.right <= column.slot.right
        assert column.body.w >= 3
        x = column.slot.right
    assert x <= width


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("focused", [False, True])
def test_layers_stand_in_forward_order_and_do_not_overlap(name: str, focused: bool) -> None:
    plan = plan_of(name)
    for index in range(0, len(plan.columns), 7):
        column = lay(name, focus={index: 1.0} if focused else {}).columns[index]
        order = [cell.layer for cell in plan.columns[index].cells]
        assert [cell.layer for cell in column.cells] == [n for n in order if n in {c.layer for c in column.cells}]
        rects = [cell.rect for cell in column.cells if cell.place in ("body", "tail", "add")]
        for left, right in itertools.pairwise(rects):
            assert left.right <= right.x + 1e-6
        for cell in column.cells:
            assert cell.rect.w > 0 and cell.rect.h > 0
            assert column.slot.x <= cell.rect.x and cell.rect.right <= column.slot.right
            if cell.place == "body":
                assert column.body.contains(cell.rect.x, cell.rect.y)
                assert column.body.contains(cell.rect.right, cell.rect.bottom)


@pytest.mark.parametrize("name", [n for n in NETS if n not in ("fashion_dnn",)])
def test_height_falls_with_the_resolution(name: str) -> None:
    pairs = []
    for block, column in zip(described(name)[1], lay(name).columns, strict=True):
        if len(block.out_shape) == 3 and block.out_shape[1] > 1 and block.kind != "pool":
            pairs.append((block.out_shape[1], column.body.h))
    for side, height in pairs:
        for other_side, other_height in pairs:
            assert (side > other_side) == (height > other_height + 1e-6)


def test_more_channels_make_a_wider_block() -> None:
    layout = lay("resnet20")
    widths = {column.block: column.slot.w for column in layout.columns}
    assert widths["layer1.1"] < widths["layer2.1"] < widths["layer3.1"]


@pytest.mark.parametrize("depth", [20, 56, 110])
def test_a_plain_net_and_its_residual_twin_align(depth: int) -> None:
    for residual, plain in zip(lay(f"resnet{depth}").columns, lay(f"plain{depth}").columns, strict=True):
        assert residual.block == plain.block
        assert residual.body == plain.body
        assert plain.arc is None


@pytest.mark.parametrize("name", ["resnet20", "resnet50", "hresnet"])
def test_an_arc_spans_its_block_and_lands_on_the_addition(name: str) -> None:
    layers, blocks = described(name)
    assert layers
    for block, column in zip(blocks, lay(name).columns, strict=True):
        assert (column.arc is None) == (block.skip is None)
        if column.arc is None:
            continue
        add = next(cell for cell in column.cells if cell.layer == block.add)
        assert column.arc.end == pytest.approx(add.rect.cx)
        assert column.arc.start <= column.body.x and column.arc.end >= column.body.right
        assert column.arc.top < column.body.y and column.arc.top > 0
        assert column.arc.skip == block.skip


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("width", [900, 1160, 1500, 1800, 2400])
def test_labels_inside_a_block_are_complete_or_only_the_convolutions(name: str, width: float) -> None:
    for column in lay(name, width).columns:
        body = [cell for cell in column.cells if cell.place == "body"]
        told = [cell for cell in body if cell.text]
        assert told in ([], body, [cell for cell in body if cell.heavy])
        assert all(METRICS.measure(cell.text) <= cell.rect.w for cell in told)


def test_what_follows_the_addition_stands_behind_it() -> None:
    layout = lay("resnet20", focus={3: 1.0})
    cells = {cell.layer: cell for cell in layout.columns[3].cells}
    name = layout.columns[3].block
    assert cells[f"{name}.bn2"].rect.right <= cells[f"{name}.add"].rect.x
    assert cells[f"{name}.add"].rect.right <= cells[f"{name}.relu2"].rect.x


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_click_hits_what_is_drawn_there(name: str, mirrored: bool) -> None:
    for focus in ({}, {min(4, len(described(name)[1]) - 1): 1.0}):
        layout = lay(name, focus=focus, mirrored=mirrored)
        for column in layout.columns:
            for cell in column.cells:
                hit = hit_test(layout, cell.rect.cx, cell.rect.cy)
                assert hit is not None and hit.block == column.block
                if cell.clickable:
                    assert hit.layer == cell.layer
                    assert hit.kind == ("add" if cell.place == "add" else "layer")
                else:
                    assert hit.kind == "block"
            hit = hit_test(layout, column.body.cx, column.body.bottom - 0.5)
            assert hit is not None and (hit.kind, hit.block, hit.layer) == ("block", column.block, "")
            if column.arc is not None:
                quarter = column.arc.start + 0.12 * (column.arc.end - column.arc.start)
                hit = hit_test(layout, quarter, (column.arc.top + column.body.y) / 2, slack=1.0)
                assert hit is not None and (hit.kind, hit.block) == ("arc", column.block)
        assert hit_test(layout, -5, 50) is None
        assert hit_test(layout, layout.source.cx, layout.source.cy) is None


@pytest.mark.parametrize("name", ["resnet110", "resnet152", "resnet20"])
def test_a_block_in_focus_shows_every_layer_by_name(name: str) -> None:
    plan = plan_of(name)
    for index in (1, len(plan.columns) // 2, len(plan.columns) - 3):
        column = lay(name, focus={index: 1.0}).columns[index]
        assert {cell.layer for cell in column.cells} == {cell.layer for cell in plan.columns[index].cells}
        for cell in column.cells:
            assert cell.text and cell.clickable
            if cell.place != "add":
                assert METRICS.measure(cell.text) <= cell.rect.w


@pytest.mark.parametrize("name", ["resnet110", "resnet152", "resnet56"])
@pytest.mark.parametrize("selected", [None, 2, 30])
def test_a_growing_block_never_slips_from_under_the_mouse(name: str, selected: int | None) -> None:
    base: dict[int, float] = {} if selected is None else {selected: 1.0}
    before = lay(name, focus=base)
    for x in np.linspace(before.columns[0].slot.x + 1, before.columns[-1].slot.right - 1, 60):
        hit = hit_test(before, float(x), before.trunk_y)
        assert hit is not None
        for amount in (1.0,) if hit.index in base else (0.3, 1.0):
            after = hit_test(lay(name, focus=base | {hit.index: amount}), float(x), before.trunk_y)
            assert after is not None and after.index == hit.index


@pytest.mark.parametrize("name", [*NETS, "long"])
@pytest.mark.parametrize("width", [500, 1160])
def test_texts_never_overlap(name: str, width: float) -> None:
    layout = lay(name, width, focus={1: 1.0})
    for line in (layout.labels, layout.captions):
        shown = sorted((text for text in line if text.text), key=lambda text: text.x)
        for left, right in itertools.pairwise(shown):
            assert left.x + METRICS.measure(left.text) / 2 <= right.x - METRICS.measure(right.text) / 2
    if name != "fashion_dnn":
        assert any(label.index == 1 for label in layout.labels), "the block in focus keeps its label"


def test_stages_are_captioned_with_resolution_and_channels() -> None:
    texts = [caption.text for caption in lay("resnet20").captions]
    assert texts[1:4] == [
        "stage 1 · 32×32 · 16 channels",
        "stage 2 · 16×16 · 32 channels",
        "stage 3 · 8×8 · 64 channels",
    ]
    assert texts[-1] == "10"


@pytest.mark.skipif("hresnet" not in models.ids(), reason="this family is not built")
def test_a_stage_that_ends_in_a_pool_is_captioned_by_its_blocks() -> None:
    texts = [caption.text for caption in lay("hresnet", 2000).captions]
    assert texts[:2] == ["stage 1 · 32×32 · 64 channels", "stage 2 · 16×16 · 128 channels"]


def test_very_long_nets_scroll_and_zoom_widens() -> None:
    plan = plan_of("long")
    assert content_width(plan, 1160) > 1160
    layout = make_layout(plan, 1160, 112)
    assert min(column.slot.w for column in layout.columns) >= 0.5 * METRICS.em
    assert layout.columns[-1].slot.right <= layout.width
    twice = lay("resnet20", zoom=2.0)
    assert twice.width == pytest.approx(2 * lay("resnet20").width)
    assert twice.columns[-1].slot.right > 1.5 * lay("resnet20").columns[-1].slot.right


def test_mirrored_is_the_same_picture_in_a_mirror() -> None:
    there, back = lay("resnet20"), lay("resnet20", mirrored=True)
    for one, other in zip(there.columns, back.columns, strict=True):
        assert other.body.x == pytest.approx(there.width - one.body.right)
        assert one.arc is None or (
            other.arc is not None and other.arc.start == pytest.approx(there.width - one.arc.start)
        )
    assert back.columns[0].slot.x > back.columns[-1].slot.x


@pytest.mark.parametrize("height", [60, 84, 112, 240])
def test_any_height_keeps_everything_inside(height: float) -> None:
    layout = lay("resnet20", height=height)
    for column in layout.columns:
        assert column.body.y >= 0 and column.body.bottom < height
        assert column.arc is None or column.arc.top >= 0
    assert layout.label_y + METRICS.line <= height + 3
    assert (layout.caption_y is None) == (height < 80)


def test_a_net_without_blocks_and_a_layer_that_is_missing() -> None:
    assert make_layout(make_plan((), (), METRICS), 500, 100).columns == ()
    block = BlockInfo("b", "b", "module", ("b.gone",), "b", (3, 8, 8), (4, 8, 8), 0)
    layout = make_layout(make_plan((block,), (), METRICS), 500, 100)
    assert layout.columns[0].cells == ()


# ---- keys ----


def test_keys_walk_every_block_and_every_layer_once() -> None:
    plan = plan_of("resnet20")
    seen = [(0, "")]
    while (after := move(plan, seen[-1], "forward")) != seen[-1]:
        seen.append(after)
    assert [index for index, _ in seen] == list(range(len(plan.columns)))
    layers = [move(plan, (0, ""), "in")]
    while (after := move(plan, layers[-1], "forward")) != layers[-1]:
        layers.append(after)
    assert [name for _, name in layers] == [cell.layer for column in plan.columns for cell in column.cells]
    while (before := move(plan, layers[-1], "back")) != layers[-1]:
        layers.append(before)
    assert layers[-1] == layers[0]


def test_keys_into_and_out_of_a_block() -> None:
    plan = plan_of("resnet20")
    assert move(plan, (2, ""), "in") == (2, "layer1.1.conv1")
    assert move(plan, (2, "layer1.1.bn2"), "out") == (2, "")
    assert move(plan, (2, ""), "last") == (len(plan.columns) - 1, "")
    assert move(plan, (2, ""), "first") == (0, "")
    head = len(plan.columns) - 1
    assert move(plan, (head, ""), "in") == (head, ""), "a block of one layer has nothing inside"
    assert move(plan, (99, "no such layer"), "back") == (head - 1, "")


def test_names_lead_to_their_blocks() -> None:
    plan = plan_of("resnet20")
    assert locate(plan, "layer2.0.conv1") == locate(plan, "layer2.0") == locate(plan, "layer2.0.add") == (4,)
    assert locate(plan, "relu") == (0,)
    assert locate(plan, "layer2") == (4, 5, 6)
    assert locate(plan, "nothing") == locate(plan, None) == ()
    assert locate(plan, "layer2.0.anything", "layer2.0") == (4,)


# ---- colours, against matplotlib ----


@pytest.mark.parametrize("colormap", ["viridis", "magma"])
def test_colours_are_those_of_matplotlib(colormap: str) -> None:
    values = [0.0, 0.3, 0.7, 1.4]
    scale = make_scale(values, colormap=colormap)
    for value in values:
        expected = np.round(255 * np.array(matplotlib.colormaps[colormap](Normalize(0, 1.4)(value))[:3]))
        assert np.abs(np.array(scale.rgb(value)) - expected).max() <= 1


@pytest.mark.parametrize("value", [1e-6, 3e-5, 1.0, 42.0])
def test_log_scale_agrees_with_matplotlib(value: float) -> None:
    scale = make_scale([1e-6, 42.0], log=True)
    assert scale.fraction(value) == pytest.approx(float(LogNorm(1e-6, 42.0)(value)), abs=1e-9)


def test_the_range_says_the_truth() -> None:
    assert (make_scale([0.5, 2.0]).vmin, make_scale([0.5, 2.0]).vmax) == (0.0, 2.0)
    assert make_scale([0.5, 2.0], 0.1, 3.0).fraction(0.1) == 0.0
    assert (make_scale([-3, 1], colormap="signed").vmin, make_scale([-3, 1], colormap="signed").vmax) == (-3, 3)
    log = make_scale([0.0, 1e-3, math.nan, math.inf, 10.0], vmin=0.0, log=True)
    assert (log.vmin, log.vmax) == (1e-3, 10.0)
    assert log.rgb(0.0) == log.rgb(1e-3), "zero is below any log scale and gets its lowest colour"
    assert log.rgb(math.nan) is None and log.rgb(math.inf) is None and log.rgb(None) is None
    assert make_scale([0.0, 0.0]).fraction(0.0) == 0.0
    assert make_scale([]).rgb(0.0) is not None


def test_ticks_carry_the_ends_and_decades() -> None:
    assert make_scale([0.0, 1.4]).ticks() == ((0.0, "0"), (0.5, "0.7"), (1.0, "1.4"))
    assert [text for _, text in make_scale([1e-4, 5.0], log=True).ticks()] == ["10⁻⁴", "0.001", "0.01", "0.1", "1", "5"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.4142, "1.41"),
        (0.05, "0.05"),
        (0.99999, "1"),
        (100, "100"),
        (1234.5, "1,230"),
        (99999, "10⁵"),
        (2.6e6, "2.6·10⁶"),
        (1e-9, "10⁻⁹"),
        (-0.5, "−0.5"),
        (-2e-7, "−2·10⁻⁷"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
    ],
)
def test_numbers_are_short_and_right(value: float, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize("colormap", ["viridis", "magma", "grey", "signed"])
def test_ink_reads_on_every_colour(colormap: str) -> None:
    for color in make_scale([0, 1], colormap=colormap).colors:
        assert contrast(color, ink(color)) >= 4.5


def test_luminance_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert luminance((255, 0, 0)) == pytest.approx(0.2126)
    # WCAG's usual example of the least grey that still reads on white
    grey = tuple(round(255 * c) for c in to_rgb("#767676"))
    assert contrast(grey, (255, 255, 255)) == pytest.approx(4.54, abs=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "width"), [("resnet110", 780), ("resnet110", 1160), ("resnet152", 860)])
@pytest.mark.parametrize("wanted", [[5], [5, 40], [40, 5]])
def test_blocks_in_focus_leave_the_net_in_the_view(name: str, wanted: list[int], width: float) -> None:
    plan = plan_of(name)
    chosen = affordable(plan, wanted, width)
    assert chosen[0] == wanted[0], "what a person does now is never given up"
    layout = make_layout(plan, width, 112, focus=dict.fromkeys(chosen, 1.0))
    assert layout.width == pytest.approx(width)
    assert min(column.body.w for column in layout.columns) >= 1
    for index in chosen:
        assert all(cell.text for cell in layout.columns[index].cells)


def test_one_focus_less_where_two_have_no_room() -> None:
    plan = plan_of("resnet152")
    need = plan.columns[5].need_px
    assert affordable(plan, [5, 40], 780) == [5]
    assert affordable(plan, [5, 40], 4 * need) == [5, 40]
    assert affordable(plan, [5, 5], 4 * need) == [5]
    assert affordable(plan, [], 780) == []
