"""The widgets of the Train workspace one by one, driven by mouse and keys."""

from __future__ import annotations

import csv
import io
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, QRectF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from resnet_viz.core.errors import OutputError
from resnet_viz.gui import theme
from resnet_viz.gui.widgets import curve_figure
from resnet_viz.gui.widgets.block_bars import BlockBars, log_range, ticks
from resnet_viz.gui.widgets.confusion_matrix import best_and_worst, most_confused, row_shares
from resnet_viz.gui.widgets.confusion_view import ConfusionView
from resnet_viz.gui.widgets.curve_axes import Axis, linear_ticks, log_ticks, power
from resnet_viz.gui.widgets.curve_canvas import nearest_point
from resnet_viz.gui.widgets.curve_chart import REDRAW_MS, CurveChart
from resnet_viz.gui.widgets.curve_plan import KINDS, ChartOptions, Plan, last_block, make_plan, run_styles, thin
from resnet_viz.gui.widgets.gallery_view import MOST_PX
from resnet_viz.gui.widgets.picture_gallery import Answered, PictureGallery
from resnet_viz.gui.widgets.run_columns import columns, duration
from resnet_viz.gui.widgets.run_table import RunTable
from resnet_viz.gui.widgets.run_view import fit_widths
from resnet_viz.training import events
from resnet_viz.training.history import RunHistory, read_history

ROOT = Path(__file__).parents[2]
BLOCKS = ("stem", "layer1.0", "layer2.0", "layer3.0", "fc")


@pytest.fixture(autouse=True)
def styled(qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, "dark")
    theme.set_font(qapp)
    yield


def make_run(folder: Path, model: str = "resnet56", epochs: int = 6, seed: int = 0, planned: int = 10) -> RunHistory:
    """Write a run's folder of ten steps an epoch and read it."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(f'model = "{model}"\ndata = "cifar10"\noptimizer = "momentum"\n', "utf-8")
    log: list[events.Event] = [events.Started(model, 853_018, 1280, 128, 10, planned, False, 10 * planned)]
    for epoch in range(1, epochs + 1):
        for step in (5, 10):
            at = 10 * (epoch - 1) + step
            log.append(events.Step(at, epoch, 2 / epoch + rng.normal(0, 0.05), 0.1 / epoch, 900.0))
            norms = tuple(float(norm) for norm in 10 ** rng.normal(-1, 0.5, len(BLOCKS)))
            log.append(events.Gradients(at, BLOCKS, norms))
        accuracy = 0.95 ** (seed + 1) - 0.6 / (epoch + 1)
        log.append(events.Epoch(epoch, 2 / epoch, accuracy + 0.04, 2.1 / epoch, accuracy, 0.1, 3.0 * epoch))
    (folder / "events.jsonl").write_text("".join(events.to_json(event) + "\n" for event in log), "utf-8")
    return read_history(folder)


@pytest.fixture
def runs(tmp_path: Path) -> list[RunHistory]:
    return [
        make_run(tmp_path / name, name.split("-")[0], epochs, seed)
        for seed, (name, epochs) in enumerate(
            {"resnet56-a": 6, "plain56-a": 6, "resnet20-a": 3, "plain20-a": 10}.items()
        )
    ]


def show(qtbot: QtBot, widget: QWidget, width: int = 640, height: int = 340) -> None:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()


def wheel(widget: QWidget, delta: int) -> QWheelEvent:
    centre = QPointF(widget.rect().center())
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    return QWheelEvent(centre, centre, QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, none, phase, False)


# --- curves


@pytest.fixture
def chart(qtbot: QtBot, runs: list[RunHistory]) -> Iterator[CurveChart]:
    widget = CurveChart()
    widget.set_runs(runs)
    show(qtbot, widget)
    qtbot.waitUntil(widget.settled)
    yield widget
    qtbot.waitUntil(widget.settled)


def test_pointing_reads_run_epoch_and_value(chart: CurveChart, qtbot: QtBot) -> None:
    plan = chart.plan()
    line = next(i for i, one in enumerate(plan.lines) if one.width > 2 and one.label.startswith("resnet56"))
    spot = chart.point(line, 3).toPoint()
    qtbot.mouseMove(chart.canvas, spot - QPoint(3, 3))
    qtbot.mouseMove(chart.canvas, spot)
    assert chart.canvas.reading() == "resnet56 · epoch 4 · validation error 17.00 %"
    assert chart.canvas.accessibleDescription() == chart.canvas.reading()
    qtbot.mouseMove(chart.canvas, QPoint(2, chart.canvas.height() - 2))
    assert chart.canvas.reading() == ""


def test_keys_walk_along_and_between_curves(chart: CurveChart, qtbot: QtBot) -> None:
    qtbot.keyClick(chart.canvas, Qt.Key.Key_Right)
    assert "plain20" in chart.canvas.reading() and "epoch 10" in chart.canvas.reading()
    qtbot.keyClick(chart.canvas, Qt.Key.Key_Left)
    assert "epoch 9" in chart.canvas.reading()
    qtbot.keyClick(chart.canvas, Qt.Key.Key_Home)
    assert "epoch 1 " in chart.canvas.reading()
    qtbot.keyClick(chart.canvas, Qt.Key.Key_Up)
    assert "training" in chart.canvas.reading() and "epoch 1 " in chart.canvas.reading()


def test_curves_are_where_their_values_are(chart: CurveChart) -> None:
    drawn = chart.canvas.drawn()
    assert drawn is not None
    left, top, right, bottom = drawn.area.left(), drawn.area.top(), drawn.area.right(), drawn.area.bottom()
    for line, points in zip(drawn.plan.lines, drawn.points, strict=True):
        assert (points[:, 0] >= left - 1).all() and (points[:, 0] <= right + 1).all()
        assert (points[:, 1] >= top - 1).all() and (points[:, 1] <= bottom + 1).all()
        order = np.argsort(line.y)
        assert (np.diff(points[order, 1]) <= 1e-3).all()  # larger values stand higher
    image = chart.canvas.grab().toImage()
    spot = chart.point(1, 4).toPoint()
    near = {image.pixelColor(spot + QPoint(x, y)).name().lower() for x in (-1, 0, 1) for y in (-1, 0, 1)}
    assert drawn.plan.lines[1].colour.lower() in near


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_in_dark_and_light(
    chart: CurveChart, qtbot: QtBot, qapp: QApplication, kind: str, scheme: str
) -> None:
    theme.apply(qapp, scheme)  # type: ignore[arg-type]
    chart.set_kind(kind)  # type: ignore[arg-type]
    chart.set_log(True)
    chart.set_by_step(True)
    qtbot.waitUntil(chart.settled)
    drawn = chart.canvas.drawn()
    assert drawn is not None and drawn.plan.kind == kind and drawn.look.theme.dark == (scheme == "dark")
    assert drawn.plan.log and len(drawn.plan.lines) >= 4
    assert max(line.x[-1] for line in drawn.plan.lines) == 100
    image = chart.grab().toImage()
    assert len({image.pixel(x, y) for x in range(0, 640, 9) for y in range(60, 330, 9)}) > 3


def test_buttons_choose_the_kind_and_say_so(chart: CurveChart, qtbot: QtBot) -> None:
    with qtbot.waitSignal(chart.kind_changed) as seen:
        qtbot.mouseClick(chart.buttons["gradients"], Qt.MouseButton.LeftButton)
    assert seen.args == ["gradients"] and not chart.log_button.isEnabled()
    with qtbot.waitSignal(chart.save_requested):
        qtbot.mouseClick(chart.save_button, Qt.MouseButton.LeftButton)
    for button in (*chart.buttons.values(), chart.log_button, chart.step_button, chart.save_button):
        assert button.toolTip() and button.accessibleName() and button.text()


def test_zoom_by_wheel_and_keys(chart: CurveChart, qtbot: QtBot) -> None:
    chart.canvas.wheelEvent(wheel(chart.canvas, 240))
    assert chart.options().zoom == pytest.approx(0.64)
    qtbot.keyClicks(chart.canvas, "+")
    assert chart.options().zoom == pytest.approx(0.512)
    qtbot.keyClicks(chart.canvas, "0")
    assert chart.options().zoom == 1


def test_many_events_cost_five_drawings_a_second(
    chart: CurveChart, qtbot: QtBot, runs: list[RunHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr(chart.canvas, "show_drawn", lambda *parts: drawn.append(parts))
    begun = time.monotonic()
    for _ in range(40):
        chart.set_runs(runs)
        qtbot.wait(20)
    qtbot.waitUntil(chart.settled)
    assert 2 <= len(drawn) <= (time.monotonic() - begun) / (REDRAW_MS / 1000) + 2


def test_an_empty_chart_says_what_to_do(qtbot: QtBot, tmp_path: Path) -> None:
    chart = CurveChart()
    show(qtbot, chart)
    assert "Start a run" in chart.canvas.note()
    fresh = make_run(tmp_path / "fresh", epochs=0)
    chart.set_runs([fresh])
    qtbot.waitUntil(chart.settled)
    assert "epoch" in chart.canvas.note() and chart.canvas.drawn() is None
    chart.set_kind("gradients")
    qtbot.waitUntil(chart.settled)
    assert "gradient" in chart.canvas.note()
    chart.canvas.grab()
    qtbot.keyClick(chart.canvas, Qt.Key.Key_Right)
    assert chart.canvas.reading() == ""


def test_a_hidden_chart_draws_nothing(qtbot: QtBot, runs: list[RunHistory]) -> None:
    chart = CurveChart()
    qtbot.addWidget(chart)
    chart.set_runs(runs)
    qtbot.wait(50)
    assert chart.settled() and chart.canvas.drawn() is None


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_saving(chart: CurveChart, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"곡선{ending}"
    chart.save(path)
    head = path.read_bytes()[:1000]
    assert head.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending])
    assert not list(tmp_path.glob(".*"))


def test_saving_what_cannot_be_saved(chart: CurveChart, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png, \.svg or \.pdf"):
        chart.save(tmp_path / "chart.bmp")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        chart.save(tmp_path / "file" / "chart.png")


def test_names_in_any_script_are_drawn(runs: list[RunHistory]) -> None:
    named = [replace(runs[0], title="잔차 신경망 $x^2$ \U0001f600"), replace(runs[1], title="<broken & {")]
    plan = make_plan(named, ChartOptions(), theme.DARK)
    _, image = curve_figure.draw(plan, curve_figure.Look(500, 300, 13, theme.DARK))
    assert image.width() == 500


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_sharp_on_screens_of_any_density(runs: list[RunHistory], ratio: float) -> None:
    plan = make_plan(runs, ChartOptions(), theme.DARK)
    drawn, image = curve_figure.draw(plan, curve_figure.Look(400, 240, 11, theme.DARK, ratio))
    assert (image.width(), image.height()) == (400 * ratio, 240 * ratio)
    assert drawn.area.right() <= 400


@pytest.mark.parametrize("size", [(1, 1), (60, 40), (3000, 200)])
def test_charts_of_all_sizes(runs: list[RunHistory], size: tuple[int, int]) -> None:
    for kind in KINDS:
        many = [replace(runs[index % 4], title=f"run {index}") for index in range(30)]
        curve_figure.draw(make_plan(many, ChartOptions(kind), theme.LIGHT), curve_figure.Look(*size, 28, theme.LIGHT))


def test_a_run_that_diverged_and_one_of_zeros_are_drawn(runs: list[RunHistory]) -> None:
    nan = np.full(6, math.nan)
    odd = replace(runs[0], val_loss=nan, train_loss=np.array([1.0, math.nan, 1e30, 2.0, math.nan, 3.0]))
    zero = replace(runs[1], train_error=np.zeros(6), val_error=np.zeros(6), step_loss=np.zeros(12))
    for kind in KINDS:
        for log in (True, False):
            plan = make_plan([odd, zero], ChartOptions(kind, log=log), theme.DARK)
            curve_figure.draw(plan, curve_figure.Look(400, 240, 11, theme.DARK))


def test_the_first_epoch_has_more_than_its_beginning_on_the_axis() -> None:
    area, plan = QRectF(0, 0, 500, 200), Plan("loss", "epoch", "loss", False)
    for end, least in ((0.04, 3), (0.7, 3), (1.0, 2), (30.0, 5)):
        ticks = curve_figure._x_ticks(plan, Axis(0.0, end, 0, 500), area, lambda text: 8 * len(text))
        assert least <= len(ticks) <= 11 and all(0 <= at <= end for at, _ in ticks), (end, ticks)
        assert len({text for _, text in ticks}) == len(ticks)


def test_paper_lines_only_where_they_belong(runs: list[RunHistory]) -> None:
    plan = make_plan(runs, ChartOptions(), theme.DARK)
    assert [reference.value for reference in plan.references] == [6.97, 8.75]
    assert plan.references[0].label == "paper: ResNet-56 6.97 %"
    other = [replace(run, data="cifar100") for run in runs]
    assert not make_plan(other, ChartOptions(), theme.DARK).references


def test_families_keep_their_colour_and_runs_differ(runs: list[RunHistory]) -> None:
    for dark in (True, False):
        styles = run_styles([replace(runs[i % 2], name=str(i)) for i in range(24)], dark)
        assert len(set(styles)) == 24
        for index, (colour, _) in enumerate(styles):
            red, blue = int(colour[1:3], 16), int(colour[5:7], 16)
            assert (blue > red) == (index % 2 == 0), colour
    assert run_styles(runs, True)[0][0] == theme.DARK.residual and run_styles(runs, True)[1][0] == theme.DARK.plain


def test_the_table_can_know_the_colours(chart: CurveChart, runs: list[RunHistory]) -> None:
    colours = chart.colours()
    assert list(colours) == [run.path for run in runs] and colours[runs[1].path] == theme.DARK.plain


def test_titles_that_repeat_are_told_apart(runs: list[RunHistory]) -> None:
    same = [replace(run, title="Net") for run in runs[:2]]
    assert {line.label for line in make_plan(same, ChartOptions(), theme.DARK).lines} == {
        "Net (resnet56-a)",
        "Net (plain56-a)",
    }


@pytest.mark.parametrize("count", [0, 1, 2, 399, 400, 401, 4000, 3999])
def test_thinning_keeps_the_last_point(count: int) -> None:
    kept = np.arange(count)[thin(count)]
    assert len(kept) <= 400 and (count == 0 or kept[-1] == count - 1)


def test_the_band_spans_all_blocks_but_the_head(runs: list[RunHistory]) -> None:
    assert last_block(BLOCKS) == 3 and last_block(("fc",)) == 0
    plan = make_plan(runs[:1], ChartOptions("gradients"), theme.DARK)
    np.testing.assert_array_equal(plan.bands[0].high, runs[0].weight_norm[:, :4].max(axis=1))
    empty = replace(runs[0], weight_norm=np.zeros_like(runs[0].weight_norm))
    assert make_plan([empty], ChartOptions("gradients"), theme.DARK).note


def test_the_nearest_point_is_found() -> None:
    points = (np.array([[0, 0], [10, 0]], np.float32), np.array([[math.nan, 0], [10, 8]], np.float32))
    assert nearest_point(points, 11, 7) == (1, 1)
    assert nearest_point(points, 11, 1) == (0, 1)
    assert nearest_point(points, 500, 500) is None
    assert nearest_point((), 0, 0) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, ""),
        (-1.0, ""),
        (math.nan, ""),
        (1e-30, "10⁻³⁰"),
        (0.002, "2·10⁻³"),
        (0.01, "0.01"),
        (1.0, "1"),
        (2000.0, "2000"),
        (1e4, "10⁴"),
        (3e7, "3·10⁷"),
    ],
)
def test_numbers_of_a_log_axis(value: float, text: str) -> None:
    assert power(value) == text


def test_ticks_are_round_and_few() -> None:
    assert linear_ticks(0, 83, 8) == [0, 20, 40, 60, 80]
    assert linear_ticks(0, 2.6, 6) == [0, 0.5, 1, 1.5, 2, 2.5]
    assert linear_ticks(0, 3, 10, whole=True) == [0, 1, 2, 3]
    assert linear_ticks(1, 1, 5) == [1]
    assert log_ticks(0.08, 1200, 6) == [0.1, 1, 10, 100, 1000]
    assert log_ticks(4, 90, 6) == [5, 10, 20, 50]
    assert len(log_ticks(1e-30, 1e30, 6)) <= 7
    rng = np.random.default_rng(0)
    for low, high in np.sort(10 ** rng.uniform(-9, 9, (200, 2)), axis=1):
        for most in (2, 5, 9):
            for values in (linear_ticks(low, high, most), log_ticks(low, high, most)):
                assert len(values) <= most + 1
                slack = 1e-6 * (high - low)
                assert all(low - slack <= value <= high + slack for value in values)


def test_values_lie_where_the_axis_says() -> None:
    axis = Axis(0.01, 100, 200, 0, log=True)
    np.testing.assert_allclose(axis.pixels(np.array([0.01, 1, 100])), [200, 100, 0], atol=1e-9)
    assert np.isnan(axis.pixels(np.array([0.0, -1.0, math.nan]))).all()
    np.testing.assert_allclose(Axis(0, 10, 0, 50).pixels(np.array([0, 5, 20])), [0, 25, 100])


def test_curves_need_no_plotting_library() -> None:
    code = (
        "import sys\n"
        "from PyQt6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from resnet_viz.gui.widgets.curve_chart import CurveChart\n"
        "chart = CurveChart(); chart.show(); app.processEvents()\n"
        "print([name for name in ('matplotlib', 'torch', 'PyQt6.QtSvg') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.stdout.strip() == "[]", done.stderr


# --- the table of runs


@pytest.fixture
def table(qtbot: QtBot, runs: list[RunHistory]) -> RunTable:
    widget = RunTable()
    widget.set_runs(runs)
    show(qtbot, widget, 1600, 300)
    return widget


def names(table: RunTable) -> list[str]:
    return [run.name for run in table.runs()]


def click(table: RunTable, qtbot: QtBot, name: str, modifier: Qt.KeyboardModifier) -> None:
    row = names(table).index(name)
    spot = table.view.visualRect(table.proxy.index(row, 0)).center()
    qtbot.mouseClick(table.view.surface(), Qt.MouseButton.LeftButton, modifier, spot)


def place(name: str) -> int:
    return [column.id for column in columns()].index(name)


def test_rows_sort_as_numbers_and_unknown_ones_stand_last(table: RunTable, runs: list[RunHistory]) -> None:
    table.set_runs([replace(runs[0], test_error=0.1), runs[1], replace(runs[2], test_error=0.09), runs[3]])
    column = place("test_error")
    table.view.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    assert names(table)[:2] == ["resnet20-a", "resnet56-a"]
    table.view.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    assert names(table)[:2] == ["resnet56-a", "resnet20-a"]
    table.view.sortByColumn(place("epochs"), Qt.SortOrder.DescendingOrder)
    assert names(table)[0] == "plain20-a" and names(table)[-1] == "resnet20-a"


def test_names_sort_as_people_count(table: RunTable, runs: list[RunHistory]) -> None:
    table.set_runs([replace(runs[0], name=name, path=Path(name)) for name in ("r110", "r20", "R9", "실행 2", "a")])
    table.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["a", "R9", "r20", "r110", "실행 2"]


def test_a_heading_sorts(table: RunTable, qtbot: QtBot) -> None:
    header = table.view.header()
    x = header.sectionViewportPosition(place("epochs")) + 10
    surface = header.viewport()
    assert surface is not None
    qtbot.mouseClick(surface, Qt.MouseButton.LeftButton, pos=QPoint(x, 8))
    assert names(table)[0] == "resnet20-a"


def test_choosing_several_says_which_top_first(table: RunTable, qtbot: QtBot) -> None:
    seen: list[list[Path]] = []
    table.chosen.connect(seen.append)
    click(table, qtbot, "plain56-a", Qt.KeyboardModifier.NoModifier)
    click(table, qtbot, "resnet56-a", Qt.KeyboardModifier.ControlModifier)
    assert [[path.name for path in paths] for paths in seen] == [["plain56-a"], ["resnet56-a", "plain56-a"]]
    qtbot.keyClick(table.view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(table.selected()) == 4


def test_new_numbers_keep_selection_and_order(table: RunTable, runs: list[RunHistory]) -> None:
    table.view.sortByColumn(place("val_error"), Qt.SortOrder.AscendingOrder)
    table.select([runs[0].path, runs[2].path])
    seen: list[list[Path]] = []
    table.chosen.connect(seen.append)
    before = table.selected()
    table.update_run(replace(runs[0], step=99))
    table.set_runs([*runs[:3], replace(runs[3], best_val_error=0.001)])
    assert set(table.selected()) == set(before) and not seen
    assert names(table)[0] == "plain20-a"
    table.set_runs(runs[1:])  # a chosen run is gone
    assert [path.name for path in table.selected()] == ["resnet20-a"]
    assert [path.name for path in seen[-1]] == ["resnet20-a"]
    table.update_run(replace(runs[0], path=Path("new"), name="new"))
    assert table.model.rowCount() == 4


def test_filtering_by_words(table: RunTable, qtbot: QtBot) -> None:
    qtbot.keyClicks(table.filter, "plain MOMENTUM")
    assert sorted(names(table)) == ["plain20-a", "plain56-a"]
    assert "2 of 4" in table.count.text()
    qtbot.keyClicks(table.filter, " nothing")
    assert names(table) == [] and table.view.note == "No run matches the filter."
    table.grab()


def test_enter_and_double_click_open_a_run(table: RunTable, qtbot: QtBot, runs: list[RunHistory]) -> None:
    opened: list[object] = []
    table.activated_run.connect(opened.append)
    table.select([runs[1].path])
    qtbot.keyClick(table.view, Qt.Key.Key_Return)
    assert opened == [runs[1].path]


def test_the_menu_is_the_callers(table: RunTable, runs: list[RunHistory]) -> None:
    table._on_menu(QPoint(5, 5))  # none without a caller
    asked: list[list[Path]] = []
    table.menu = lambda menu, paths: asked.append(paths)
    table.select([runs[3].path])
    table._on_menu(QPoint(5, 5))
    assert asked == [[runs[3].path]]
    assert not [menu for menu in table.findChildren(QMenu) if menu.isVisible()]


def test_as_text(table: RunTable, runs: list[RunHistory], qtbot: QtBot) -> None:
    table.set_runs([replace(runs[0], name='a|b,"c"', test_error=0.0697), *runs[1:]])
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert rows[0]["run"] == 'a|b,"c"' and rows[0]["test_error_percent"] == "6.97"
    assert rows[1]["test_error_percent"] == "" and rows[1]["optimizer"] == "momentum"
    lines = table.to_markdown().splitlines()
    assert len(lines) == 6 and len({line.replace("\\|", "").count("|") for line in lines}) == 1
    table.select([runs[1].path])
    qtbot.keyClick(table.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QApplication.clipboard()
    assert clipboard is not None and "plain56-a" in clipboard.text() and "plain20-a" not in clipboard.text()


@pytest.mark.parametrize("width", [450, 700, 1000, 1600])
@pytest.mark.parametrize("font", [11, 13, 24])
def test_columns_fit_the_room(table: RunTable, qapp: QApplication, width: int, font: int) -> None:
    theme.set_font(qapp, font)
    theme.apply(qapp, "dark")  # a style sheet hands a new font on only when it is set again
    table.resize(width, 300)
    table.fit()
    shown = table.shown_columns()
    assert shown[0] == "run" and shown[-1] == "state" and "val_error" in shown
    total = sum(table.view.columnWidth(place(name)) for name in shown)
    # run, validation error and state stay whatever the room
    assert total <= table.view.surface().width() or len(shown) == 3
    table.grab()


def test_columns_that_the_person_chose_stay(table: RunTable) -> None:
    table.resize(700, 300)
    table.fit()
    assert "data" not in table.shown_columns()
    action = next(action for action in table.column_menu().actions() if action.text() == "Data")
    action.trigger()
    assert "data" in table.shown_columns() and table.column_choice() == {"data": True}
    table.set_column_choice({"val_error": False, "run": False, "what": True})
    assert "val_error" not in table.shown_columns() and table.shown_columns()[0] == "run"
    table.column_menu().actions()[-1].trigger()
    assert table.column_choice() == {}


def test_widths() -> None:
    assert fit_widths([100, 50], [100, 50], [1, 0], [0, 1], [], 300) == {0: 250, 1: 50}
    assert fit_widths([300, 50], [100, 50], [1, 0], [0, 1], [], 200) == {0: 150, 1: 50}
    assert fit_widths([100, 50, 70], [100, 50, 70], [0, 0, 0], [0, 1, 2], [2, 1], 160) == {0: 100, 1: 50}
    assert fit_widths([100], [100], [0], [0], [0], 50) == {}


def test_every_state_is_painted(table: RunTable, runs: list[RunHistory], qapp: QApplication) -> None:
    states = ("new", "running", "paused", "stopped", "failed", "finished")
    table.set_runs([replace(runs[0], path=Path(state), name=state, state=state) for state in states])  # type: ignore[arg-type]
    table.set_colours({Path("running"): "#56b4e9"})
    for scheme in ("dark", "light"):
        theme.apply(qapp, scheme)  # type: ignore[arg-type]
        image = table.view.surface().grab().toImage()
        row = table.view.visualRect(table.proxy.index(1, 0))
        line = {image.pixelColor(x, row.center().y()).name() for x in range(row.left(), row.left() + 20)}
        assert "#56b4e9" in line
        state = table.view.visualRect(table.proxy.index(1, place("state")))
        bar = {image.pixelColor(x, state.center().y()).name() for x in range(state.left(), state.right())}
        assert theme.current().accent in bar
    tip = table.proxy.index(1, place("state")).data(int(Qt.ItemDataRole.ToolTipRole))
    assert "step 60 of 100 (60 %)" in tip and "900 images/s" in tip


def test_times_for_people() -> None:
    seconds = (math.nan, 0, 0.2, 59.4, 60, 3599, 10_260, 86_400 * 2 + 3600 * 5)
    assert [duration(value) for value in seconds] == [
        "",
        "",
        "1 s",
        "59 s",
        "1 min",
        "1 h 00 min",
        "2 h 51 min",
        "2 d 5 h",
    ]


def test_a_chosen_run_stays_in_sight_where_the_room_shrinks(table: RunTable, qtbot: QtBot) -> None:
    table.set_runs([replace(table.runs()[0], path=Path(f"run {index}"), name=f"run {index}") for index in range(9)])
    table.resize(1600, 500)
    last = table.runs()[-1].path
    table.select([last])
    table.resize(1600, 180)
    qtbot.waitUntil(lambda: table.view.surface().height() < 150)
    row = table.view.visualRect(table.view.currentIndex())
    assert table.selected() == [last] and table.view.surface().rect().contains(row.center())


def test_a_narrow_table_tells_only_how_many_runs_there_are(table: RunTable, qtbot: QtBot) -> None:
    assert "overlay" in table.count.text()
    table.resize(330, 200)
    qtbot.waitUntil(lambda: table.count.text() == str(len(table.runs())))


def test_an_empty_table_says_what_to_do(qtbot: QtBot) -> None:
    table = RunTable()
    show(qtbot, table)
    table.set_runs([])
    assert "Start" in table.view.note and table.to_markdown().count("\n") == 2
    table.grab()


# --- norms per block


@pytest.fixture
def bars(qtbot: QtBot) -> BlockBars:
    widget = BlockBars()
    widget.set_norms(BLOCKS, [100.0, 1.0, 0.0, math.nan, 0.02], True)
    show(qtbot, widget, 300, 140)
    return widget


def test_bars_are_as_high_as_the_logarithm(bars: BlockBars) -> None:
    assert bars.exponents() == (-2, 2)
    whole, half = bars.bar_rect(0).height(), bars.bar_rect(1).height()
    assert half == pytest.approx(whole / 2)
    assert bars.bar_rect(4).height() == pytest.approx(whole * math.log10(2) / 4)
    assert bars.bar_rect(2).isEmpty() and bars.bar_rect(3).isEmpty()
    image = bars.grab().toImage()
    assert image.pixelColor(bars.bar_rect(0).center().toPoint()).name() == theme.DARK.plain.lower()
    bars.set_norms(BLOCKS, [1.0] * 5, False)
    image = bars.grab().toImage()
    assert image.pixelColor(bars.bar_rect(0).center().toPoint()).name() == theme.DARK.residual.lower()


def test_bars_are_read_by_mouse_and_keys(bars: BlockBars, qtbot: QtBot) -> None:
    clicked: list[str] = []
    bars.block_clicked.connect(clicked.append)
    qtbot.mouseMove(bars, bars.bar_rect(1).center().toPoint() - QPoint(2, 2))
    qtbot.mouseMove(bars, bars.bar_rect(1).center().toPoint())
    assert bars.reading() == "layer1.0: 1"
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=bars.bar_rect(0).center().toPoint())
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    assert "vanished" in bars.reading() and bars.accessibleDescription() == bars.reading()
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    assert "no number" in bars.reading()
    qtbot.keyClick(bars, Qt.Key.Key_End)
    qtbot.keyClick(bars, Qt.Key.Key_Return)
    assert clicked == ["stem", "fc"]


def test_bars_of_one_scale_and_none(bars: BlockBars) -> None:
    bars.set_norms(("a",), [5.0], exponents=(-4, 4))
    assert bars.exponents() == (-4, 4)
    bars.clear()
    assert bars.reading() == ""
    bars.grab()
    with pytest.raises(ValueError, match="1 blocks, 2 norms"):
        bars.set_norms(("a",), [1.0, 2.0])


def test_ends_and_ticks_of_a_log_axis() -> None:
    assert log_range(np.array([0.0, math.nan])) == (-1, 0)
    assert log_range(np.array([1.0, 1.0])) == (-1, 0)
    assert log_range(np.array([3.0, 500.0])) == (0, 3)
    assert ticks(-2, 2, 5) == [0.01, 0.1, 1, 10, 100]
    assert ticks(-9, 9, 4) == pytest.approx([1e-9, 1e-3, 1e3, 1e9])


# --- confusion

COUNTS = np.array([[90, 10, 0], [6, 94, 0], [0, 1, 9]], np.int64)
ANIMALS = ("cat", "dog", "<frog & co>")


@pytest.fixture
def confusion(qtbot: QtBot) -> ConfusionView:
    widget = ConfusionView()
    widget.set_counts(COUNTS, ANIMALS)
    show(qtbot, widget, 320, 360)
    return widget


def test_cells_are_read_and_clicked(confusion: ConfusionView, qtbot: QtBot) -> None:
    matrix, clicked = confusion.matrix, []
    confusion.cell_clicked.connect(lambda true, answer: clicked.append((true, answer)))
    spot = matrix.cell_rect(0, 1).center().toPoint()
    qtbot.mouseMove(matrix, spot - QPoint(2, 2))
    qtbot.mouseMove(matrix, spot)
    assert matrix.reading() == "cat taken for dog: 10 of 100 (10.0 %)"
    qtbot.mouseClick(matrix, Qt.MouseButton.LeftButton, pos=spot)
    qtbot.keyClick(matrix, Qt.Key.Key_Down)
    assert matrix.reading() == "dog: 94 of 100 right (94.0 %)" == matrix.accessibleDescription()
    qtbot.keyClick(matrix, Qt.Key.Key_Return)
    qtbot.keyClick(matrix, Qt.Key.Key_Right)
    qtbot.keyClick(matrix, Qt.Key.Key_Right)
    assert clicked == [(0, 1), (1, 1)] and "of 100 (0.0 %)" in matrix.reading()


def test_colours_are_shares_of_the_row(confusion: ConfusionView) -> None:
    from resnet_viz.analysis.colormap import lut32

    image = confusion.matrix.grab().toImage()
    for true, answer in ((0, 0), (0, 1), (2, 2), (2, 0)):
        corner = confusion.matrix.cell_rect(true, answer).topLeft().toPoint() + QPoint(4, 4)
        share = COUNTS[true, answer] / COUNTS[true].sum()
        assert image.pixel(corner) == int(lut32("viridis")[round(float(255 * share))])


def test_the_worst_pair_is_named(confusion: ConfusionView) -> None:
    assert most_confused(COUNTS) == (0, 1, 0.08)
    assert "cat ↔ dog, 8.0 %" in confusion.sentence.text()
    asked: list[tuple[int, int]] = []
    confusion.wrong_ones_wanted.connect(lambda true, answer: asked.append((true, answer)))
    confusion.sentence.linkActivated.emit("#")
    assert asked == [(0, 1)]
    confusion.set_counts(np.array([[1, 0, 9], [0, 1, 0], [0, 0, 0]], np.int64), ANIMALS)
    assert "&lt;frog &amp; co>" in confusion.sentence.text()
    confusion.matrix._point((2, 2))
    assert confusion.matrix.reading().endswith("no pictures")
    confusion.grab()
    confusion.set_counts(np.diag([3, 4]), ANIMALS)
    assert "No picture" in confusion.sentence.text()


def test_the_best_and_the_worst_class_are_named(confusion: ConfusionView) -> None:
    assert best_and_worst(np.array([[3, 1, 0], [0, 4, 0], [0, 2, 2]])) == (1, 2)
    assert best_and_worst(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])) == (1, 0)  # a class without pictures is neither
    assert best_and_worst(np.diag([3, 4])) is None
    confusion.set_counts(np.array([[3, 1, 0], [0, 4, 0], [0, 2, 2]], np.int64), ("cat", "dog", "frog"))
    assert "dog, 100.0 %; least often: frog, 50.0 %" in confusion.sentence.text()


def test_the_colour_bar_stands_below_the_matrix(qtbot: QtBot) -> None:
    widget = ConfusionView()
    widget.set_counts(COUNTS, ANIMALS)
    show(qtbot, widget, 300, 900)
    matrix = widget.matrix

    def gap() -> int:
        return widget.bar.y() - matrix.mapTo(widget, matrix.cell_rect(len(COUNTS) - 1, 0).bottomLeft().toPoint()).y()

    qtbot.waitUntil(lambda: 0 < gap() < 50)


@pytest.mark.parametrize("count", [1, 2, 10, 24, 25, 100])
@pytest.mark.parametrize("size", [(180, 260), (320, 360), (900, 700)])
def test_matrices_of_all_sizes(qtbot: QtBot, qapp: QApplication, count: int, size: tuple[int, int]) -> None:
    widget = ConfusionView()
    counts = np.random.default_rng(0).integers(0, 9, (count, count))
    widget.set_counts(counts, [f"a class with a rather long name {i}" for i in range(count)])
    show(qtbot, widget, *size)
    for scheme in ("dark", "light"):
        theme.apply(qapp, scheme)  # type: ignore[arg-type]
        widget.grab()
    matrix = widget.matrix
    cell = matrix.cell_rect(count - 1, count - 1)
    assert matrix.rect().contains(cell.toAlignedRect().adjusted(1, 1, -1, -1))
    qtbot.mouseClick(matrix, Qt.MouseButton.LeftButton, pos=cell.center().toPoint())
    assert str(counts[-1, -1]) in matrix.reading()


def test_no_matrix_and_a_wrong_one(confusion: ConfusionView) -> None:
    confusion.matrix._point((2, 2))
    confusion.set_counts(None, ())
    assert confusion.matrix.reading() == "" and not confusion.sentence.isVisible()
    confusion.grab()
    with pytest.raises(ValueError, match="square"):
        confusion.set_counts(np.zeros((2, 3), np.int64), ())


def test_rows_without_pictures_have_no_share() -> None:
    shares = row_shares(np.array([[0, 0], [1, 3]]))
    assert np.isnan(shares[0]).all() and shares[1].tolist() == [0.25, 0.75]
    assert most_confused(np.zeros((3, 3), np.int64)) is None and most_confused(np.ones((1, 1), np.int64)) is None


# --- pictures


@pytest.fixture
def gallery(qtbot: QtBot) -> PictureGallery:
    widget = PictureGallery()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10_000, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(10_000) % 3
    answers = np.where(np.arange(10_000) % 5 == 0, 0, labels)
    widget.set_pictures(Answered(images, labels, answers, np.full(10_000, 0.871, np.float32), ANIMALS))
    show(qtbot, widget, 620, 400)
    return widget


def test_ten_thousand_pictures_paint_only_what_is_in_view(
    gallery: PictureGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resnet_viz.gui.widgets import gallery_view

    painted: list[int] = []
    real = gallery_view.from_rgb
    monkeypatch.setattr(gallery_view, "from_rgb", lambda pixels: painted.append(1) or real(pixels))
    for value in (0, 100_000, gallery.view.verticalScrollBar().maximum()):
        painted.clear()
        gallery.view.verticalScrollBar().setValue(value)
        gallery.view.viewport().grab()
        assert 4 <= len(painted) <= 60
    assert gallery.view.visible()[-1] == 9999


def test_titles_say_right_or_wrong(gallery: PictureGallery) -> None:
    data = gallery.view._data
    assert data is not None
    assert data.title(1) == ("✓ dog", "87 %") and data.title(10) == ("✗ dog →", "cat 87 %")
    assert gallery.view.reading(10) == "Picture 10: dog, taken for cat, 87.1 % sure"
    assert "1,333 of 10,000 wrong (13.33 %)" in gallery.count.text()
    image = gallery.view.viewport().grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, 600, 1) for y in (5, 6, 7)}
    assert theme.DARK.ok in colours


def test_only_the_wrong_ones(gallery: PictureGallery, qtbot: QtBot) -> None:
    qtbot.mouseClick(gallery.only_wrong, Qt.MouseButton.LeftButton, pos=QPoint(8, gallery.only_wrong.height() // 2))
    shown = gallery.shown()
    assert len(shown) == 1333 and shown[0] == 5
    picked: list[int] = []
    gallery.picked.connect(picked.append)
    qtbot.mouseClick(gallery.view.viewport(), Qt.MouseButton.LeftButton, pos=gallery.view.cell_rect(2).center())
    assert picked == [int(shown[2])]
    gallery.set_only_wrong(False)
    assert gallery.view.current() == shown[2]  # what was chosen stays chosen


def test_a_cell_of_the_confusion_matrix(gallery: PictureGallery, qtbot: QtBot) -> None:
    gallery.set_pair((1, 0))
    assert gallery.pair() == (1, 0) and "dog → cat" in gallery.pair_button.text()
    data = gallery.view._data
    assert data is not None and len(gallery.shown())
    assert (data.truth[gallery.shown()] == 1).all() and (data.answers[gallery.shown()] == 0).all()
    qtbot.mouseClick(gallery.pair_button, Qt.MouseButton.LeftButton)
    assert gallery.pair() is None and len(gallery.shown()) == 10_000
    gallery.set_pair((0, 2))
    assert "No picture of cat" in gallery.view.note
    gallery.grab()


def test_keys_walk_through_the_pictures(gallery: PictureGallery, qtbot: QtBot) -> None:
    view = gallery.view
    picked: list[int] = []
    gallery.picked.connect(picked.append)
    keys = Qt.Key
    columns = next(place for place in range(1, 99) if view.cell_rect(place).top() > view.cell_rect(0).top())
    for key in (keys.Key_Right, keys.Key_Down, keys.Key_Left, keys.Key_Up, keys.Key_Up, keys.Key_PageDown):
        qtbot.keyClick(view, key)
    assert view.current() % columns == 0 and view.current() >= columns
    qtbot.keyClick(view, keys.Key_End)
    assert view.current() == 9999 and 9999 in view.visible()
    assert view.accessibleDescription().startswith("Picture 9999")
    qtbot.keyClick(view, keys.Key_Return)
    qtbot.keyClick(view, keys.Key_Home)
    assert view.current() == 0 and picked == [9999]


def test_size_of_the_pictures(gallery: PictureGallery, qtbot: QtBot) -> None:
    view, before = gallery.view, gallery.view.side()
    qtbot.keyClicks(view, "+")
    assert view.side() > before
    qtbot.keyClicks(view, "0")
    assert view.side() == before
    view.set_side(10_000)
    assert view.side() == MOST_PX
    gallery.grab()


@pytest.mark.parametrize("shape", [(3, 28, 28, 1), (3, 224, 224, 3), (3, 10, 300, 3), (0, 32, 32, 3)])
def test_pictures_of_all_shapes(qtbot: QtBot, qapp: QApplication, shape: tuple[int, ...]) -> None:
    gallery = PictureGallery()
    labels, probs = np.zeros(shape[0], np.int64), np.ones(shape[0], np.float32)
    gallery.set_pictures(Answered(np.full(shape, 200, np.uint8), labels, labels + 7, probs, ()))
    show(qtbot, gallery, 300, 300)
    for scheme in ("dark", "light"):
        theme.apply(qapp, scheme)  # type: ignore[arg-type]
        gallery.grab()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Down):
        qtbot.keyClick(gallery.view, key)


def test_no_pictures_and_wrong_ones(qtbot: QtBot, gallery: PictureGallery) -> None:
    gallery.set_pictures(None)
    assert "Answer all" in gallery.view.note and len(gallery.shown()) == 0 and gallery.view.current() == -1
    gallery.grab()
    none = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="2 classes"):
        Answered(np.zeros((3, 8, 8, 3), np.uint8), none, none, np.zeros(2, np.float32), ())
