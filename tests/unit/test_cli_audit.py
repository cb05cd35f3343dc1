"""What a newcomer meets who types what the README says, and what comes near it."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from resnet_viz.__main__ import SCREENSHOT, _check_display, _load_qt
from resnet_viz.cli.main import make_parser, run
from resnet_viz.core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def cli(words: list[str]) -> int:
    return run(words, extra=(SCREENSHOT,))


# --- the README's own lines


def examples() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    block = text.split("## The command line", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("line", examples())
def test_a_line_of_the_readme_is_understood(line: str) -> None:
    words = shlex.split(line)
    words = words[words.index("resnet-viz" if "resnet-viz" in words else "resnet_viz") + 1 :]
    make_parser((SCREENSHOT,)).parse_args(words)


def test_the_lines_of_the_readme_lead_to_each_other() -> None:
    """The run that is resumed is the one that was started, and it kept the epochs that are asked for."""
    lines = examples()
    (asked,) = [line for line in lines if "--all-epochs" in line]
    run_folder = shlex.split(asked)[2]
    (started,) = [line for line in lines if line.endswith(f"--out {run_folder}")]
    assert "--keep-epochs" in started
    assert any(f"--resume {run_folder}" in line for line in lines)


def test_every_command_prints_json_if_asked() -> None:
    """The README promises it."""
    for command in ("models", "layers", "predict", "features", "evaluate", "gradients", "lesion", "train"):
        assert "--json" in help_of(command)
    assert "--json" in help_of("screenshot")


def help_of(command: str) -> str:
    parser = make_parser((SCREENSHOT,))
    (places,) = [action for action in parser._actions if action.dest == "command"]
    assert isinstance(places.choices, dict)
    return str(places.choices[command].format_help())


def test_the_readme_names_every_list_that_a_new_net_stands_in() -> None:
    text = (ROOT / "README.md").read_text("utf-8").split("### Adding things", 1)[1]
    for path in re.findall(r"`((?:resnet_viz|tests)/[a-z_/]+\.py)", text):
        assert (ROOT / path).is_file(), path
    for path in ("models/__init__.py", "session/architectures.py", "gui/views/train_options.py", "gui/window.py"):
        assert path in text


# --- no screen


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_the_app_says_so_where_there_is_no_display() -> None:
    """Qt would abort the process with a core dump."""
    with pytest.raises(UserError, match=r"there is no display here.*--help"):
        _check_display({}, "linux")
    with pytest.raises(UserError, match="nothing answers at the display :4711"):
        _check_display({"DISPLAY": ":4711"}, "linux")
    _check_display({"QT_QPA_PLATFORM": "offscreen"}, "linux")
    _check_display({}, "win32")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_without_a_display_the_program_ends_with_status_2(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "resnet_viz"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "RESNET_VIZ_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.splitlines() == [
        "resnet-viz: No window can be opened: there is no display here. "
        "Run it on a desktop; resnet-viz --help lists what works without one."
    ]


def test_a_library_that_qt_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resnet_viz.gui.app", None)  # an import of it raises ImportError
    with pytest.raises(UserError, match=r"Qt cannot be loaded .* apt-get install"):
        _load_qt()


def test_the_libraries_named_there_are_those_that_the_tools_ask_for() -> None:
    spec = importlib.util.spec_from_file_location("missing_libraries", ROOT / "tools" / "missing_libraries.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = (ROOT / "resnet_viz" / "__main__.py").read_text("utf-8")
    said = re.search(r"apt-get install ([^.\"]+2\.0-0 [^.\"]+)", source)
    assert said is not None and set(said[1].split()) == set(module.BASE.values())


# --- what was ignored in silence


def test_a_chart_of_one_accuracy_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "chart.png"
    assert cli(["evaluate", "resnet20-cifar10", "shapes", "--out", str(out)]) == 2
    assert "--all-epochs" in capsys.readouterr().err and not out.exists()


def test_a_page_of_another_workspace_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli(["screenshot", "--page", "lesions", "--out", str(tmp_path / "shot.png")]) == 2
    assert "--workspace gradients" in capsys.readouterr().err and not list(tmp_path.iterdir())


# --- what is said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "resnet20-cifar10", "x.jpg", "--top", "many"], "--top takes a whole number, not 'many'"),
        (["train", "--lr", "fast"], "--lr takes a number, not 'fast'"),
    ],
)
def test_a_number_is_asked_for_in_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(words) == 2
    err = capsys.readouterr().err
    assert said in err and "--help" in err and "invalid" not in err


def test_the_help_names_the_workspaces() -> None:
    from resnet_viz.gui.views import gradients, inspect, train  # noqa: F401 - each registers
    from resnet_viz.gui.views.registry import views

    listed = " ".join(help_of("screenshot").split())
    assert all(name in listed.rsplit("--workspace WORKSPACE", 1)[1][:60] for name in views.ids())


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "resnet20-cifar10", "cifar100"],
        ["evaluate", "resnet20-cifar10", "CIFAR-100", "--all-epochs"],
        ["lesion", "resnet20-cifar10", "--data", "cifar100"],
        ["gradients", "resnet20-cifar10", "--data", "cifar100"],
    ],
)
def test_an_absent_data_set_is_offered(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_viz.data.download import installed

    if installed("cifar100") is not None:
        pytest.skip("CIFAR-100 is on this machine")
    assert cli(words) == 2
    said = capsys.readouterr().err
    assert "is not on this machine" in said and "--download" in said and "MB" in said


def test_a_data_set_is_fetched_only_if_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    from resnet_viz.cli.fetching import fetch
    from resnet_viz.core.errors import DataError
    from resnet_viz.data import download, places

    asked: list[str] = []
    monkeypatch.setattr(places, "roots", tuple)  # nothing is on this machine
    monkeypatch.setattr(download, "download", lambda name, **_: asked.append(name))
    for data in (None, "catdog", "./cifar10", "shapes"):
        fetch(data, True)
    with pytest.raises(DataError, match="--download"):
        fetch("cifar10", False)
    assert asked == []
    fetch("CIFAR-10", True)
    assert asked == ["cifar10"]


def test_the_epochs_of_a_run_ask_for_the_data_of_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resnet_viz.cli import evaluate
    from resnet_viz.training import runs

    asked: list[tuple[str | None, bool]] = []

    def stop(data: str | None, wanted: bool) -> None:
        asked.append((data, wanted))
        raise UserError("enough")

    monkeypatch.setattr(evaluate, "fetch", stop)
    monkeypatch.setattr(runs, "kept_epochs", lambda _run: [(1, tmp_path)])
    run_of = str(ROOT / "trained" / "resnet20-cifar10")
    assert cli(["evaluate", run_of, "--all-epochs", "--download"]) == 2
    assert asked == [("cifar10", True)]
