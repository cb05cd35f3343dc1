"""The rules of the house that no single module can see: what imports what, and that all is described."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import resnet_viz

PACKAGE = Path(resnet_viz.__file__).parent
ROOT = PACKAGE.parent

WITHOUT_TORCH = (
    "core",
    "jobs",
    "data.images",
    "data.transforms",
    "data.presets",
    "data.labels",
    "data.datasets",
    "analysis.montage",
    "analysis.colormap",
    "analysis.statistics",
    "analysis.predictions",
    "session.requests",
    "session.state",
    "session.store",
    "cli",
    "__main__",
    "gui",
)
"""Modules that must import without torch, and packages with all that lies in them."""

HEAVY = ("torch", "torchvision", "captum")


def below(name: str) -> Iterator[str]:
    """Yield ``name`` and, where it is a package, every module in it."""
    full = f"{resnet_viz.__name__}.{name}"
    yield full
    path = PACKAGE.joinpath(*name.split("."))
    if path.is_dir():
        for module in pkgutil.walk_packages([str(path)], f"{full}."):
            yield module.name


def there(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in an interpreter that has imported nothing yet."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )


# --- torch stays out of the window's way


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows the entry point imports torch first, on purpose")
def test_light_modules_import_without_torch() -> None:
    # one interpreter for all: it names the first module after which torch is there
    names = [module for name in WITHOUT_TORCH if there(name) for module in below(name)]
    assert len(names) > 50
    done = fresh(
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        f"    heavy = [module for module in {HEAVY!r} if module in sys.modules]\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_check_above_can_fail() -> None:
    done = fresh(f"import resnet_viz.hooks.capture, sys; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert done.stdout.strip() == "['torch']", done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"], ["screenshot", "--help"]])
def test_help_loads_neither_torch_nor_qt(arguments: list[str]) -> None:
    done = fresh(
        "import sys\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from resnet_viz.__main__ import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ending:\n"
        "    assert not ending.code, ending\n"
        f"heavy = [module for module in {(*HEAVY, 'PyQt6')!r} if module in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    assert done.returncode == 0, done.stderr
    assert "resnet-viz" in done.stdout


# --- rooms


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Return, for each module of the package, all modules it names in an import anywhere."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        relative = path.relative_to(PACKAGE.parent).with_suffix("")
        parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
        folder = relative.parts[:-1]
        names = found.setdefault(".".join(parts), set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                start = folder[: len(folder) - node.level + 1] if node.level else ()
                names.add(".".join([*start, *(node.module or "").split(".")]).strip("."))
    return found


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    assert lint_imports(no_cache=True, no_logo=True) == 0


def test_qt_is_named_only_in_the_window(imports: dict[str, set[str]]) -> None:
    users = {name for name, used in imports.items() if any(module.split(".")[0] == "PyQt6" for module in used)}
    assert users
    assert not {name for name in users if not name.startswith("resnet_viz.gui")}


def test_the_window_names_neither_torch_nor_rooms_that_need_it(imports: dict[str, set[str]]) -> None:
    for name, used in imports.items():
        if name.startswith("resnet_viz.gui"):
            assert not {module for module in used if module.split(".")[0] in HEAVY}, name


# --- everything public is described


def public() -> Iterator[tuple[str, object]]:
    for module in pkgutil.walk_packages([str(PACKAGE)], "resnet_viz."):
        loaded = importlib.import_module(module.name)
        yield module.name, loaded
        for name, entry in vars(loaded).items():
            if (
                not name.startswith("_")
                and (inspect.isclass(entry) or inspect.isfunction(entry))
                and entry.__module__ == module.name
            ):
                yield f"{module.name}.{name}", entry


def test_every_public_module_function_and_class_has_a_docstring() -> None:
    entries = dict(public())
    assert len(entries) > 200
    # dataclasses write a docstring of their own, the signature, where there is none
    bare = [
        name
        for name, entry in entries.items()
        if not (entry.__doc__ or "").strip() or (entry.__doc__ or "").startswith(f"{name.rsplit('.', 1)[-1]}(")
    ]
    assert not bare


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 500
    }
    assert not long


def test_no_file_names_a_place_on_one_machine_or_a_registry() -> None:
    """Text that ships or builds names no home folder, temporary folder or package host."""
    words = tuple("/".join(parts) for parts in (("", "home", ""), ("", "root", ""), ("", "work", ""), ("", "tmp", "")))
    words += ("pypi." + "org", "python" + "hosted", "--extra-" + "index-url", "--find-" + "links")
    files = [ROOT / name for name in ("Makefile", "pyproject.toml", "setup.py", "requirements.lock", ".ci/run")]
    files += [path for folder in ("resnet_viz", "tools", "benchmarks") for path in (ROOT / folder).rglob("*")]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in files
        if path.suffix in ("", ".py", ".sh", ".toml", ".lock", ".html") and path.is_file()
        for word in words
        if word in path.read_text("utf-8")
    ]
    assert not found


def test_the_empty_window_waits_for_neither_numpy_nor_torch() -> None:
    """It is on screen before they are imported; NumPy alone would cost as much as PyQt6."""
    found = "import sys, resnet_viz.gui.app; print({'numpy', 'torch', 'matplotlib'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
