"""The chart of lesions: what it shows, where its bars stand, how it is read; and confidences before and after."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from resnet_viz.core.lesion_types import BlockLesion, LesionStudy, RandomLesion
from resnet_viz.core.types import BlockInfo, ClassScore, Prediction
from resnet_viz.gui import theme
from resnet_viz.gui.widgets.confidences import Confidences, rows_of
from resnet_viz.gui.widgets.lesion_bars import LesionBars
from resnet_viz.gui.widgets.lesion_plan import (
    TOPS,
    Bar,
    LesionChart,
    axis_ticks,
    axis_top,
    draws_chart,
    place,
    ratio_top,
    study_chart,
    thinned,
)


def block(stage: int, index: int) -> BlockInfo:
    name = f"layer{stage}.{index}"
    shape = (16 * stage, 32, 32)
    return BlockInfo(name, f"{stage}.{index}", "residual", (), name, shape, shape, 10, "identity", f"{name}.add", stage)


def blocks(depth: int = 3) -> list[BlockInfo]:
    return [block(stage, index) for stage in (1, 2, 3) for index in range(depth)]


def study(of: list[BlockInfo], base: float = 0.1, n: int = 500) -> LesionStudy:
    errors = np.linspace(0.12, 0.6, len(of))
    ratios = np.linspace(0.2, 1.4, len(of))
    lesions = [BlockLesion(b.name, b.title, float(e), float(r)) for b, e, r in zip(of, errors, ratios, strict=True)]
    return LesionStudy("delete", base, n, tuple(lesions))


@pytest.fixture
def app(qapp: QApplication) -> Iterator[QApplication]:
    font = qapp.font()
    theme.apply(qapp, "dark")
    theme.set_font(qapp)
    yield qapp
    qapp.setFont(font)


@pytest.fixture
def bars(qtbot: QtBot, app: QApplication) -> LesionBars:
    widget = LesionBars()
    qtbot.addWidget(widget)
    widget.resize(760, 330)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def spot(widget: LesionBars, index: int) -> QPoint:
    return widget.spot_of(index).toPoint()


def colour(widget: LesionBars, x: float, y: float) -> str:
    return widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32).pixelColor(round(x), round(y)).name()


# ---- plan ----


def test_the_axis_ends_above_every_bar_at_a_round_number() -> None:
    for most in np.linspace(0.0, 1.0, 101):
        top = axis_top(LesionChart((Bar("a", "a", float(most)),)))
        assert top >= most and top in TOPS
        ticks = axis_ticks(top)
        assert ticks[0] == 0 and ticks[-1] == pytest.approx(top) and 3 <= len(ticks) <= 7
        assert all(round(100 * tick, 6) == round(100 * tick, 1) for tick in ticks)
    near = LesionChart((Bar("a", "a", 0.7),), chance=0.9)
    assert axis_top(near) >= 0.9 > axis_top(LesionChart((Bar("a", "a", 0.2),), chance=0.9))


def test_the_axis_of_ratios_leaves_out_what_is_infinite() -> None:
    chart = LesionChart((Bar("a", "a", whole=0.83, now=math.inf), Bar("b", "b", whole=0.1)))
    assert ratio_top(chart) == 1.0 and chart.has_strip
    assert not LesionChart((Bar("a", "a", 0.3),)).has_strip  # a plain net


def test_a_study_brings_its_own_base_and_ratios() -> None:
    of = blocks()
    before = study_chart(of, None, base=0.3, whole={of[0].name: 9.0}, ratios={of[1].name: 2.0}, changed={of[1].name})
    assert before.base == 0.3 and before.bars[0].whole == 9.0 and all(bar.error is None for bar in before.bars)
    assert before.bars[1].now == 2.0 and [bar.changed for bar in before.bars[:3]] == [False, True, False]
    after = study_chart(of, study(of), base=0.3, whole={of[0].name: 9.0})
    assert after.base == 0.1 and after.bars[0].whole == pytest.approx(0.2) and after.bars[-1].error == 0.6


def test_draws_say_where_their_blocks_lie() -> None:
    of = blocks()
    names = [one.name for one in of]
    result = RandomLesion(2, 0, 0.1, np.array([0.3, 0.8]), ((names[0], names[8]), (names[3], names[4])), 200)
    chart = draws_chart(of, result, changed={names[3], names[4]})
    assert [bar.label for bar in chart.bars] == ["1", "2"] and chart.draws
    assert chart.bars[0].parts == (0.0, 1.0) and chart.bars[1].parts == (0.375, 0.5)
    assert [bar.changed for bar in chart.bars] == [False, True]


def test_54_blocks_have_a_column_each_and_labels_that_do_not_touch() -> None:
    of = blocks(18)
    chart = study_chart(of, study(of), now=0.4)

    def measure(text: str) -> float:
        return 6.5 * len(text)

    places = place(chart, 660, 260, 14, measure, ("whole", "now"))
    assert len(places.slots) == 54 and places.now is not None
    lefts = np.array([left for left, _ in places.slots])
    wide = places.slots[0][1]
    assert (np.diff(lefts) == pytest.approx(wide)) and wide >= 8
    assert lefts[-1] + wide <= places.plot.right + 1e-6 and lefts[0] >= places.now[0] + places.now[1]
    for index, (left, width) in enumerate(places.slots):
        assert places.slot_at(left + width / 2, places.plot.cy) == index
    assert places.slot_at(places.whole[0] + 1, places.plot.cy) == -1
    chosen = thinned(chart, wide, measure)
    assert {0, 18, 36} <= set(chosen)  # each stage's first one
    for a, b in pairwise(chosen):
        assert (b - a) * wide >= (measure(of[a].title) + measure(of[b].title)) / 2


# ---- bars ----


def test_bars_are_as_high_as_their_errors(bars: LesionBars) -> None:
    of = blocks()
    bars.set_chart(study_chart(of, study(of)))
    bars.finish_animation()
    plot, top = bars.places().plot, axis_top(bars.chart())
    for index, one in enumerate(study(of).blocks):
        rect = bars.bar_rect(index)
        assert rect.bottom() == pytest.approx(plot.bottom)
        assert rect.height() == pytest.approx(one.error / top * plot.h, abs=0.01)
        assert colour(bars, rect.center().x(), rect.bottom() - 2) == QColor(theme.current().residual).name()
    bars.set_chart(study_chart(of, study(of), plain=True))
    rect = bars.bar_rect(4)
    assert colour(bars, rect.center().x(), rect.bottom() - 2) == QColor(theme.current().plain).name()


def test_growing_results_move_the_bars_smoothly(bars: LesionBars, qtbot: QtBot) -> None:
    of = blocks()
    bars.set_chart(study_chart(of, study(of)))
    bars.finish_animation()
    before = bars.bar_rect(0).height()
    more = LesionStudy("delete", 0.1, 900, tuple(BlockLesion(b.name, b.title, 0.5, 1.0) for b in of))
    bars.set_chart(study_chart(of, more))
    assert bars.bar_rect(0).height() == pytest.approx(before, abs=1)  # it begins where it was
    qtbot.waitUntil(lambda: bars.bar_rect(0).height() > 3.5 * before)
    heights = []
    for at_ms in (0, 60, 120, bars._growing.duration()):
        bars._growing.setCurrentTime(at_ms)
        heights.append(bars.bar_rect(0).height())
    assert heights == sorted(set(heights)) and heights[-1] > 3.5 * before
    bars.set_chart(study_chart(of[:4], None))  # another net: nothing is left of the one before
    assert all(bars.bar_rect(index).isEmpty() for index in range(4))


def test_keys_and_mouse_read_a_bar(bars: LesionBars) -> None:
    of = blocks()
    bars.set_chart(study_chart(of, study(of), ratios={of[0].name: 0.75}))
    bars.finish_animation()
    bars.setFocus()
    clicked: list[str] = []
    bars.block_clicked.connect(clicked.append)
    QTest.keyClick(bars, Qt.Key.Key_Home)
    assert bars.reading() == "layer1.0 · error 12.0 % · +2.0 points · ‖F‖/‖x‖ 0.2 · now 0.75"
    assert bars.accessibleDescription() == bars.reading()
    QTest.keyClick(bars, Qt.Key.Key_Right)
    assert bars.reading().startswith("layer1.1")
    QTest.keyClick(bars, Qt.Key.Key_End)
    assert bars.reading().startswith("layer3.2 · error 60.0 % · +50.0 points")
    QTest.keyClick(bars, Qt.Key.Key_Return)
    QTest.mouseMove(bars, spot(bars, 4))
    assert bars.reading().startswith("layer2.1")
    QTest.mouseClick(bars, Qt.MouseButton.LeftButton, pos=spot(bars, 5))
    assert clicked == ["layer3.2", "layer2.2"]
    whole = bars.places().whole
    QTest.mouseMove(bars, QPoint(round(whole[0] + 3), spot(bars, 0).y()))
    assert bars.reading() == ""


def test_a_click_on_a_draw_tells_its_number(bars: LesionBars) -> None:
    of = blocks()
    result = RandomLesion(1, 3, 0.1, np.array([0.2, 0.4]), ((of[2].name,), (of[5].name,)), 100)
    bars.set_chart(draws_chart(of, result))
    bars.finish_animation()
    drawn: list[int] = []
    named: list[str] = []
    bars.draw_clicked.connect(drawn.append)
    bars.block_clicked.connect(named.append)
    QTest.mouseClick(bars, Qt.MouseButton.LeftButton, pos=spot(bars, 1))
    assert drawn == [1] and named == [] and bars.reading().startswith("draw 2 · error 40.0 %")


def test_the_whole_net_is_a_grey_bar_and_a_dashed_line(bars: LesionBars) -> None:
    of = blocks()
    bars.set_chart(study_chart(of, study(of), base=0.1))
    bars.finish_animation()
    places, top = bars.places(), axis_top(bars.chart())
    y = places.plot.bottom - 0.1 / top * places.plot.h
    middle = places.whole[0] + places.whole[1] / 2
    assert colour(bars, middle, places.plot.bottom - 3) == QColor(theme.current().muted).name()
    image = bars.grab().toImage()
    gap = places.slots[3][0]  # between two bars
    text = QColor(theme.current().text)
    near = [image.pixelColor(x, round(y) + dy) for x in range(round(gap) - 8, round(gap) + 8) for dy in (-1, 0)]
    assert any(abs(one.red() - text.red()) < 40 and abs(one.blue() - text.blue()) < 40 for one in near)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [(320, 160), (660, 220), (1400, 500)])
def test_every_size_can_be_drawn(bars: LesionBars, app: QApplication, scheme: str, size: tuple[int, int]) -> None:
    theme.apply(app, scheme)  # type: ignore[arg-type]
    bars.resize(*size)
    of = blocks(18)
    for chart in (
        LesionChart(),
        study_chart(of, None, base=0.0),
        study_chart(of, study(of), now=1.0, chance=0.9, ratios={of[0].name: math.inf}, changed={of[3].name}),
        draws_chart(of, RandomLesion(1, 0, 0.1, np.array([0.2]), ((of[2].name,),), 100)),
    ):
        bars.set_chart(chart)
        bars.finish_animation()
        assert not bars.grab().isNull()


# ---- confidences before and after ----


def prediction(probs: list[float]) -> Prediction:
    values = np.array(probs, np.float32)
    order = np.argsort(-values)[:3]
    top = tuple(ClassScore(int(i), f"class {i}", float(values[i]), float(np.log(values[i]))) for i in order)
    return Prediction(np.log(values), values, top)


def test_what_was_best_before_stays_on_show() -> None:
    before, now = prediction([0.9, 0.04, 0.03, 0.02, 0.01]), prediction([0.01, 0.02, 0.27, 0.3, 0.4])
    shown = rows_of(now, before)
    assert [score.index for score in shown] == [4, 3, 0]
    assert shown[-1].prob == pytest.approx(0.01) and shown[-1].label == "class 0"
    assert rows_of(now, None) == now.top and rows_of(before, before) == before.top and rows_of(None, before) == ()


def test_confidences_tell_before_and_after(qtbot: QtBot, app: QApplication) -> None:
    widget = Confidences()
    qtbot.addWidget(widget)
    widget.resize(280, 200)
    widget.show()
    before, now = prediction([0.9, 0.04, 0.03, 0.02, 0.01]), prediction([0.1, 0.02, 0.2, 0.28, 0.4])
    widget.set_prediction(before)
    assert widget.bars.accessibleDescription().startswith("class 0 90.0 %")
    plain = widget.grab().toImage()
    widget.set_before(before)
    widget.set_prediction(now)
    assert "class 0 90.0 → 10.0 %" in widget.bars.accessibleDescription()
    widget.set_before(None)
    widget.set_prediction(before)
    assert widget.grab().toImage() == plain
