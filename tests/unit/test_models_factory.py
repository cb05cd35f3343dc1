"""Nets that a user's own code makes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from resnet_viz.core.errors import UserError
from resnet_viz.models.factory import check_anew, load_factory

MODULE = """
import sys
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(2, 3))

class Shelf:
    @staticmethod
    def make():
        return Net()

ready = Net()
number = 3

def make(): return Net()
def wrong(): return "a net"
def needs(width): return Net()
def breaks(): raise RuntimeError("two\\nlines")
def leaves(): sys.exit(3)
def drawn(): return Net()
def same(net=ready): return nn.Sequential(net)

def shares(act=nn.SiLU()):
    import torch
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), act)

def seeded():
    import torch
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.SiLU())
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a module into the current folder; the name is new for every test."""
    name = f"own_{tmp_path.name}"
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_crash.py").write_text("raise OSError('no such device')")
    (tmp_path / f"{name}_exit.py").write_text("raise SystemExit(1)")
    (tmp_path / f"{name}_broken.py").write_text("def make(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "package", raising=False)
    return name


@pytest.mark.parametrize("what", ["make", "Net", "ready", "Shelf.make"])
def test_functions_classes_and_ready_nets(module: str, what: str) -> None:
    path = list(sys.path)
    net = load_factory(f"{module}:{what}")
    assert isinstance(net, nn.Module) and type(net).__name__ == "Net"
    assert sys.path == path, "the current folder stays importable only while the factory is looked for"


def test_a_module_in_a_package(module: str) -> None:
    assert isinstance(load_factory(f"package.{module}:make"), nn.Sequential)


def test_an_installed_one() -> None:
    assert isinstance(load_factory("torchvision.models:squeezenet1_1"), nn.Module)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "names no factory"),
        ("make", "names no factory"),
        (":make", "names no factory"),
        ("{0}:", "names no factory"),
        ("nowhere_at_all:make", "nowhere_at_all cannot be imported (ModuleNotFoundError"),
        ("..:make", "cannot be imported"),
        ("{0}_crash:make", "no such device"),
        ("{0}_exit:make", "SystemExit"),
        ("{0}_broken:make", "SyntaxError"),
        ("{0}:absent", "has no function 'absent'"),
        ("{0}:number", "is no function but of type int"),
        ("{0}:wrong", "of type str"),
        ("{0}:needs", "must work without arguments"),
        ("{0}:breaks", "RuntimeError: two lines"),
        ("{0}:leaves", "SystemExit"),
    ],
)
def test_whatever_is_wrong_is_one_sentence_and_a_next_step(module: str, spec: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_factory(spec.format(module))
    text = str(caught.value)
    assert words in text and text.endswith(".") and ". " in text and "\n" not in text


def test_a_net_for_each_worker(module: str) -> None:
    check_anew(f"{module}:seeded", weights=True)
    check_anew(f"{module}:drawn", weights=False)
    with pytest.raises(UserError, match="draws other weights"):
        check_anew(f"{module}:drawn", weights=True)
    for same in ("same", "ready"):
        with pytest.raises(UserError, match="gives the same net again"):
            check_anew(f"{module}:{same}", weights=True)
    with pytest.raises(UserError, match="one and the same SiLU"):
        check_anew(f"{module}:shares", weights=True)
