"""The probes of the set-up: which libraries are missing, and whether a window can be opened."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from resnet_viz.cli.main import make_parser
from resnet_viz.core.paths import trained_dir
from resnet_viz.training.recipes import recipes

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the set-up looks at libraries on Linux only")


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


libraries = tool("missing_libraries")
display = tool("has_display")


# --- libraries


@linux
def test_only_what_cannot_be_loaded_is_missing() -> None:
    needed = {"libc.so.6": "libc6", "libnowhere.so.9": "libnowhere9", "libm.so.6": "libc6"}
    assert list(libraries.missing(needed)) == ["libnowhere9"]


def test_a_window_needs_more_and_wayland_its_own() -> None:
    base = libraries.libraries("base", {"WAYLAND_DISPLAY": "wayland-0"})
    window = libraries.libraries("window", {})
    wayland = libraries.libraries("screen", {"WAYLAND_DISPLAY": "wayland-0"})
    assert base.items() < window.items() < wayland.items()
    assert "libxcb-cursor0" not in base.values()
    assert "libwayland-cursor0" in wayland.values()


@linux
@pytest.mark.skipif(shutil.which("ldd") is None, reason="ldd is not installed")
def test_the_list_names_what_qt_is_linked_to() -> None:
    """Every library that Qt's own parts name directly and that a list holds is really one Qt uses."""
    from PyQt6.QtCore import QLibraryInfo

    plugins = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath))
    qt = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.LibrariesPath))
    files = [*plugins.glob("platforms/*.so"), *qt.glob("libQt6Gui.so.6"), *qt.glob("libQt6XcbQpa.so.6")]
    linked = ""
    for path in [*files, *qt.glob("libQt6Core.so.6"), *qt.glob("libQt6DBus.so.6")]:
        linked += subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    for library in {**libraries.BASE, **libraries.WINDOW}:
        assert library in linked, f"nothing of Qt needs {library}"


def test_the_script_prints_one_package_a_line() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "missing_libraries.py", "base"], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= set(libraries.BASE.values())


# --- display


def test_no_variable_means_no_display() -> None:
    assert display.problem({}, "linux") == "there is no display here"


def test_other_systems_always_have_one() -> None:
    assert display.problem({}, "darwin") is None


@linux
def test_a_display_that_does_not_answer_is_named() -> None:
    assert display.problem({"DISPLAY": ":4711"}, "linux") == "nothing answers at the display :4711"
    environment = {"WAYLAND_DISPLAY": "wayland-9", "XDG_RUNTIME_DIR": "nowhere"}
    assert display.problem(environment, "linux") == "nothing answers at the display wayland-9"


@pytest.fixture
def runtime_folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="rv"))
    yield folder
    shutil.rmtree(folder)


@linux
def test_a_wayland_socket_answers(runtime_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(runtime_folder / "wayland-0"))
        environment = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(runtime_folder)}
        assert display.problem(environment, "linux") is not None  # nobody listens yet
        server.listen()
        assert display.problem(environment, "linux") is None


@linux
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_virtual_screen_answers() -> None:
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "64x64x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writing)
        with open(reading) as answer:
            number = answer.readline().strip()
        assert display.problem({"DISPLAY": f":{number}"}, "linux") is None
    finally:
        server.terminate()
        server.wait(20)


# --- the nets that ship

zoo = tool("train_zoo")
ship = tool("ship_run")


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_net_that_ships_can_be_trained_anew(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_VIZ_HOME", str(tmp_path))
    train, *ship = zoo.commands(name)
    model, _, data = name.partition("-")
    assert train[train.index("--model") + 1] == model and train[train.index("--data") + 1] == data
    assert train[-1] == str(tmp_path / "runs" / f"zoo-{name}")
    arguments = make_parser().parse_args(train[3:])
    assert vars(arguments)["recipe"] in recipes.ids()
    assert [command[1:] for command in ship] in ([[str(ROOT / "tools" / "ship_run.py"), train[-1], name]], [])
    (tmp_path / "runs" / f"zoo-{name}").mkdir(parents=True)
    (tmp_path / "runs" / f"zoo-{name}" / "last.ckpt").touch()
    assert zoo.commands(name)[0][-2:] == ["--resume", train[-1]]


def test_whatever_ships_is_in_the_zoo() -> None:
    assert {folder.name for folder in trained_dir().iterdir() if folder.is_dir()} <= set(zoo.ZOO)


def test_what_ships_is_under_80_megabytes() -> None:
    assert sum(path.stat().st_size for path in trained_dir().rglob("*") if path.is_file()) < 80e6


def test_a_shipped_log_is_shorter_and_tells_the_same() -> None:
    events: list[dict[str, object]] = [{"event": "started", "epochs": 2, "threads": 1}]
    events += [{"event": "step", "step": step, "loss": 1.23456789, "lr": 0.1} for step in range(1, 2502)]
    events += [{"event": "gradients", "step": 1, "blocks": ["a", "b"], "weight_norm": [505.00231, 1e-7 / 3]}]
    events += [{"event": "epoch", "epoch": 1, "train_loss": 0.123456789}]
    kept = [json.loads(line) for line in ship.shortened([json.dumps(event) for event in events])]
    steps = [event["step"] for event in kept if event["event"] == "step"]
    assert len(steps) <= ship.STEPS + 1 and steps[-1] == 2501 and steps[:2] == [3, 6]
    assert [event["event"] for event in kept if event["event"] != "step"] == ["started", "gradients", "epoch"]
    assert kept[-2] == {"event": "gradients", "step": 1, "blocks": ["a", "b"], "weight_norm": [505.0, 3.333e-08]}
    assert kept[-1]["train_loss"] == 0.123457 and kept[0] == events[0]


def test_half_precision_is_refused_where_it_overflows() -> None:
    assert ship.holds(torch.tensor([65504.0])) and not ship.holds(torch.tensor([1e5]))
    assert not ship.holds(torch.tensor(3))  # a counter
