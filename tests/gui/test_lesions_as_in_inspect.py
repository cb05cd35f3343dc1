"""The Gradients workspace takes the net in Inspect as a person has answered about it there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from resnet_viz.analysis.lesion import error_of
from resnet_viz.core.types import Normalization
from resnet_viz.data.presets import presets
from resnet_viz.gui.views.lesion_board import LesionBoard
from resnet_viz.gui.window import MainWindow
from resnet_viz.session.gradient_requests import NetChoice
from resnet_viz.session.lesion_pictures import pick_labelled
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import OpenModel

NET, PLAIN = "resnet20-cifar10", "plain20-cifar10"
OWN = "0.1,0.2,0.3/0.4,0.5,0.6"
PATIENCE_MS = 60_000
Open = Callable[..., MainWindow]


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """The weights of the plain net that ships in a bare file, which a residual net's would look like."""
    path = tmp_path / "남의 것.pth"
    torch.save(open_model(OpenModel(PLAIN))[0].state_dict(), path)
    return str(path)


@pytest.fixture
def window(open_window: Open) -> MainWindow:
    """The window with a board on a hundred drawn pictures, and a first page that measures nothing by itself."""
    made = open_window()
    made.gradients.page._begun = True
    made.gradients.lesions.picker.set_source("shapes")
    made.gradients.lesions.picker.pictures.set_value("100")
    return made


def open_net(window: MainWindow, qtbot: QtBot, request: OpenModel) -> None:
    with qtbot.waitSignal(window.opener.model_opened, timeout=PATIENCE_MS):
        window.opener.open_model(request)
    qtbot.waitUntil(window.inspect.settled, timeout=PATIENCE_MS)


def choose_normalization(window: MainWindow, qtbot: QtBot, title: str) -> None:
    combo = window.inspect.picture.picker.combo
    combo.setCurrentIndex(combo.findText(title))
    combo.activated.emit(combo.currentIndex())
    qtbot.waitUntil(window.inspect.settled, timeout=PATIENCE_MS)


def show_board(window: MainWindow, qtbot: QtBot) -> LesionBoard:
    board = window.gradients.lesions
    window.gradients.show_page("lesions")
    window.show_workspace("gradients")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    return board


def settled(board: LesionBoard) -> bool:
    measured = board.state.measured
    return measured is not None and measured.error is not None and not board.side.card.progress.isVisible()


def true_error(request: OpenModel, normalization: Normalization, deleted: tuple[str, ...] = ()) -> float:
    """Return the error measured without the desk, on the same pictures."""
    net, card = open_model(request)
    some = pick_labelled("shapes", card, count=100)
    return error_of(net, some.images, some.labels, normalization, deleted=deleted)[0]


def test_a_foreign_file_that_was_said_to_be_plain_and_with_which_mean_and_std(
    window: MainWindow, qtbot: QtBot, bare: str
) -> None:
    open_net(window, qtbot, OpenModel(bare))
    with qtbot.waitSignal(window.opener.model_opened, timeout=PATIENCE_MS):
        window.inspect.banner._buttons[0].click()  # it is the plain net
    qtbot.waitUntil(window.inspect.settled, timeout=PATIENCE_MS)
    choose_normalization(window, qtbot, "ImageNet")
    plain, imagenet, half = OpenModel(bare, arch="plain20"), presets.get("imagenet"), presets.get("half")
    board = show_board(window, qtbot)
    assert "open in Inspect" in board.picker.net.combo.currentText()
    assert board.state.card is not None and board.state.card.arch == "plain20"
    assert board.state.measured is not None and board.state.measured.can_cut == ()
    assert board.state.measured.error == true_error(plain, imagenet) != true_error(plain, presets.get("cifar10"))
    assert "mean/std ImageNet" in board.side.card.evidence.text()
    looked = window.inspect.looked
    assert looked is not None and looked.prediction is not None and board.state.measured.prediction is not None
    assert board.state.measured.prediction.probs == pytest.approx(looked.prediction.probs, abs=1e-5)
    board.toggle_block("layer1.2")
    qtbot.waitUntil(lambda: settled(board), timeout=PATIENCE_MS)
    assert board.state.measured.error == true_error(plain, imagenet, ("layer1.2",))
    board.copy_python()
    script = QApplication.clipboard().text()
    assert f"OpenModel({bare!r}, arch='plain20')" in script and f"Normalization('ImageNet', {imagenet.mean!r}" in script
    # another mean/std is chosen: the bars are of the one before and go, what was done to the net stays
    board.measure_each("delete")
    qtbot.waitUntil(lambda: board.state.study is not None and board.state.running is None, timeout=PATIENCE_MS)
    assert board.state.study is not None and board.state.study.result.base_error == true_error(plain, imagenet)
    window.show_workspace("inspect")
    choose_normalization(window, qtbot, half.title)
    assert board.state.study is None and board.state.measured.error is None
    board = show_board(window, qtbot)
    assert board.state.deleted == {"layer1.2"}
    assert board.state.measured is not None
    assert board.state.measured.error == true_error(plain, half, ("layer1.2",))
    assert board.state.measured.base_error == true_error(plain, half)
    assert f"mean/std {half.title}" in board.side.card.evidence.text()
    # and back again, twice, without the board being seen in between
    window.show_workspace("inspect")
    choose_normalization(window, qtbot, "ImageNet")
    choose_normalization(window, qtbot, half.title)
    board = show_board(window, qtbot)
    assert board.state.measured.error == true_error(plain, half, ("layer1.2",))


def test_the_mean_and_std_of_the_command_line(window: MainWindow, qtbot: QtBot) -> None:
    open_net(window, qtbot, OpenModel(NET, normalize=OWN))
    board = show_board(window, qtbot)
    card = window.inspect.card
    assert card is not None and board.state.measured is not None and board.picker.model() == NET
    assert board.state.measured.error == true_error(OpenModel(NET), card.normalization)
    assert board.state.measured.error != true_error(OpenModel(NET), presets.get("cifar10"))
    assert "mean/std 0.1 0.2 0.3 / 0.4 0.5 0.6" in board.side.card.evidence.text()
    # opened as it was trained, it is so here too
    open_net(window, qtbot, OpenModel(NET))
    board = show_board(window, qtbot)
    assert board.state.measured.error == true_error(OpenModel(NET), presets.get("cifar10"))


def test_the_crop_that_inspect_shows(window: MainWindow, qtbot: QtBot) -> None:
    open_net(window, qtbot, OpenModel(NET))
    probs = []
    for mode in ("crop", "squash"):
        combo = window.inspect.picture.mode
        combo.setCurrentIndex(combo.findData(mode))
        combo.activated.emit(combo.currentIndex())
        qtbot.waitUntil(window.inspect.settled, timeout=PATIENCE_MS)
        measured, looked = show_board(window, qtbot).state.measured, window.inspect.looked
        assert measured is not None and measured.prediction is not None
        assert looked is not None and looked.prediction is not None
        assert measured.prediction.probs == pytest.approx(looked.prediction.probs, abs=1e-5)
        probs.append(measured.prediction.probs)
        window.show_workspace("inspect")
    assert abs(probs[0] - probs[1]).max() > 1e-3  # a picture that is not square


def test_a_net_whose_weights_were_drawn(window: MainWindow, qtbot: QtBot) -> None:
    request = OpenModel("plain20", untrained=True, seed=5)
    open_net(window, qtbot, request)
    board = show_board(window, qtbot)
    assert board.state.measured is not None and board.state.card is not None
    assert board.state.card.title in board.picker.net.combo.currentText()
    assert board.state.measured.error == true_error(request, board.state.card.normalization)
    looked = window.inspect.looked
    assert looked is not None and looked.prediction is not None and board.state.measured.prediction is not None
    assert board.state.measured.prediction.probs == pytest.approx(looked.prediction.probs, abs=1e-5)


def test_chosen_nets_of_the_first_page_are_taken_as_they_are_in_inspect(
    window: MainWindow, qtbot: QtBot, bare: str
) -> None:
    page = window.gradients.page
    page.form.add_net(bare)
    page.form.add_net(NET)
    page.form.pictures.set_value("shapes")
    page.form.batch_size.set_values("16")
    assert [one.arch for one in page.form.nets()] == [None, None]
    open_net(window, qtbot, OpenModel(bare, arch="plain20", normalize=OWN))
    mine, other = page.form.nets()
    assert (mine.ref, mine.arch) == (bare, "plain20") and other == NetChoice(NET, False, (), NET)
    chosen = mine.normalization
    assert chosen is not None and chosen.mean == (0.1, 0.2, 0.3)
    item = page.form.chosen.list.item(0)
    assert item is not None and item.text() == "Plain-20 · 남의 것" and "read as plain20" in item.toolTip()
    window.show_workspace("gradients")  # what was measured before is measured again
    qtbot.waitUntil(page.settled, timeout=PATIENCE_MS)
    assert page.measured is not None and page.request is not None and page.request.nets == (mine, other)
    assert [card.arch for card in page.measured.cards] == ["plain20", "resnet20"]
    assert page.measured.cards[0].normalization == chosen
    # one that is added now is so at once; another net in Inspect leaves it alone
    page.form.chosen.list.setCurrentRow(0)
    page.form.chosen._remove()
    page.form.add_net(bare)
    assert page.form.nets()[-1] == mine
    open_net(window, qtbot, OpenModel(NET))
    assert page.form.nets()[-1] == mine


def test_a_net_that_a_function_makes_is_offered(window: MainWindow) -> None:
    window.gradients.set_model(open_model(OpenModel("", factory="torchvision.models:squeezenet1_1", input_size=64))[1])
    choice = window.gradients.lesions.picker.choice()
    assert choice is not None and choice.factory == "torchvision.models:squeezenet1_1" and choice.input_size == 64
    assert window.gradients.lesions.picker.net.combo.currentText() == "squeezenet1_1 (open in Inspect)"


@pytest.mark.parametrize("normalize", [OWN, "half", None])
def test_saying_that_a_net_is_plain_keeps_the_mean_and_std_of_the_command_line(
    window: MainWindow, qtbot: QtBot, bare: str, normalize: str | None
) -> None:
    open_net(window, qtbot, OpenModel(bare, normalize=normalize))
    before = window.inspect.normalization
    with qtbot.waitSignal(window.opener.model_opened, timeout=PATIENCE_MS):
        window.inspect.arch_chosen.emit("plain20")
    assert window.inspect.card is not None and window.inspect.card.arch == "plain20"
    assert window.inspect.normalization == before
    assert window.inspect.card.normalization_known == (normalize is not None)
