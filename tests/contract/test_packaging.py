"""What a person gets who installs the package: the lock, the wheel, the command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BUILT_FROM = (
    "pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "README.md", "requirements.lock", "Makefile",
    "resnet_viz", "assets", "trained", "benchmarks", "tools",
)  # fmt: skip

PLATFORMS = [
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
]
ENVIRONMENTS = [
    {**platform, "python_version": version, "python_full_version": f"{version}.3", "implementation_name": "cpython"}
    for platform in PLATFORMS
    for version in ("3.11", "3.12", "3.13", "3.14")
]


# --- the lock


def locked(environment: dict[str, str]) -> dict[str, str]:
    """Return the version of every package that the lock chooses there."""
    chosen: dict[str, str] = {}
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", "")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words, *hashes = line.split("--hash=")
        assert hashes, f"no hash: {line[:60]}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value.strip()) for value in hashes)
        requirement = Requirement(words.strip())
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in chosen, f"{name} is chosen twice"
            chosen[name] = pin.version
    return chosen


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: f"{e['sys_platform']}-{e['python_version']}")
def test_the_lock_serves_every_python_and_platform(environment: dict[str, str]) -> None:
    chosen = locked(environment)
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in chosen
        assert requirement.specifier.contains(chosen[name]), f"{name} {chosen[name]}: run `make lock`"
    # a CPU-only torch beside the default torchvision fails at import: neither may carry a local version
    assert "+" not in chosen["torch"] + chosen["torchvision"]
    assert "opencv-python" not in chosen  # carries a second Qt
    assert any(name.startswith("nvidia-") for name in chosen) == (environment["sys_platform"] == "linux")


def test_the_lock_holds_pins_hashes_and_comments_only() -> None:
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        assert re.match(r"^(#|[a-z0-9][a-z0-9._-]*==|    --hash=|\s*$)", line), line
        assert "://" not in line


# --- the wheel


def build(folder: Path, what: str) -> Path:
    """Build in ``folder`` with the project's own backend and return the file."""
    code = f"import sys; from setuptools import build_meta as b; print(b.build_{what}('out'))"
    (folder / "out").mkdir(exist_ok=True)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (built,) = (folder / "out").glob("*.whl" if what == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that a build reads, because building writes beside its sources."""
    folder = tmp_path_factory.mktemp("source")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    return build(source, "wheel")


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_wheel_carries_pictures_and_trained_nets_inside_the_package(wheel: Path) -> None:
    inside = names(wheel)
    for folder in ("assets/samples", "assets/labels", "assets/icons", "trained/resnet20-cifar10"):
        for path in (ROOT / folder).iterdir():
            if path.is_file():
                assert f"resnet_viz/{folder}/{path.name}" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    inside = names(wheel)
    modules = {str(path.relative_to(ROOT).as_posix()) for path in (ROOT / "resnet_viz").rglob("*.py")}
    assert {name for name in inside if name.endswith(".py")} == modules
    tops = {name.split("/")[0] for name in inside}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"resnet_viz"}
    assert not {name for name in inside if name.endswith((".pyc", ".ckpt"))}


def test_the_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build(source, "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    again = build(unpacked, "wheel")
    assert names(again) == names(wheel)
    with zipfile.ZipFile(again) as one, zipfile.ZipFile(wheel) as other:
        for name in names(wheel):
            if not name.endswith("RECORD"):
                assert one.read(name) == other.read(name), name


def test_the_installed_package_finds_what_it_carries(wheel: Path, tmp_path: Path) -> None:
    # unpacking is what installing does to a pure wheel; the script is made from entry_points.txt
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "from importlib.metadata import distribution\n"
        "import resnet_viz, resnet_viz.core.paths as paths, sys\n"
        "package = paths._PACKAGE\n"
        "assert package.parent.name == 'site', package\n"
        "assert paths.assets_dir() == package / 'assets' and paths.trained_dir() == package / 'trained'\n"
        "(entry,) = (e for e in distribution('resnet-viz').entry_points if e.name == 'resnet-viz')\n"
        "sys.argv = ['resnet-viz', 'models', '--json']\n"
        "sys.exit(entry.load()())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert '"resnet20-cifar10"' in done.stdout


def test_the_licence_is_the_one_it_says() -> None:
    assert PROJECT["license"] == "GPL-3.0-or-later"
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "Version 3, 29 June 2007" in text
