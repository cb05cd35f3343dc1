"""Where things lie, and writing so that a reader never sees half a file."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from pathlib import Path

import platformdirs
import pytest

from resnet_viz.core import paths
from resnet_viz.core.errors import OutputError, UserError
from resnet_viz.core.paths import atomic_path


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- folders


def test_shipped_folders_hold_what_ships() -> None:
    assert (paths.assets_dir() / "samples" / "cat.jpg").is_file()
    assert (paths.trained_dir() / "resnet20-cifar10" / "card.json").is_file()


def test_a_folder_inside_the_package_comes_before_one_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "resnet_viz"
    (package / "assets").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert paths.assets_dir() == package / "assets"
    assert paths.trained_dir() == tmp_path / "site" / "trained"


def test_the_users_folders_follow_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_VIZ_HOME", str(tmp_path))
    folders = [paths.config_dir(), paths.log_dir(), paths.runs_dir()]
    assert all(folder.parent == tmp_path for folder in folders)
    assert len(set(folders)) == 3
    assert leftovers(tmp_path) == []  # asking for a folder makes none


def test_without_the_variable_they_are_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESNET_VIZ_HOME")
    assert paths.config_dir() == platformdirs.user_config_path("resnet-viz", False)
    assert paths.log_dir() == platformdirs.user_log_path("resnet-viz", False)
    assert paths.runs_dir() == platformdirs.user_data_path("resnet-viz", False) / "runs"


# --- atomic_path: what it does


def test_the_target_appears_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "지도.npz"  # missing folders are made
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent  # the same file system, or replacing is not one step
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert leftovers(target.parent) == ["지도.npz"]


def test_an_old_file_is_replaced_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_the_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with atomic_path(tmp_path / "ours") as temporary:
        temporary.write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


@pytest.mark.parametrize("failure", [ValueError("boom"), KeyboardInterrupt()])
def test_a_failure_inside_passes_through_and_keeps_the_old_file(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(type(failure)) as caught, atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert caught.value is failure
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == ["a.csv"]


# --- atomic_path: where it cannot. Permission bits do not bind an administrator, so files stand in the way.


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "file" / "a.csv"):
        pytest.fail("there is nothing to write to")
    assert str(tmp_path / "file" / "a.csv") in str(caught.value)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_where_the_file_should_go(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OutputError), atomic_path(target) as temporary:
        temporary.write_text("new")
    assert leftovers(tmp_path) == ["a.csv"]
    assert (target / "inside").is_dir()


def test_a_name_too_long_for_the_file_system(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too long"), atomic_path(tmp_path / ("x" * 400)):
        pytest.fail("there is nothing to write to")


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs a file system that takes no files")
def test_a_folder_that_takes_no_files() -> None:
    with pytest.raises(OutputError), atomic_path(Path("/proc/a.csv")):
        pytest.fail("there is nothing to write to")


def test_a_full_disk(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(OutputError, match=os.strerror(errno.ENOSPC)) as caught, atomic_path(target) as temporary:
        temporary.write_text("half")
        if os.path.exists("/dev/full"):
            with open("/dev/full", "w") as full:  # the real thing
                full.write("more")
        else:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(target) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == ["a.csv"]


def test_the_folder_vanishes_while_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(OutputError), atomic_path(folder / "a.csv") as temporary:
        temporary.write_text("new")
        shutil.rmtree(folder)


def test_a_users_own_error_inside_is_not_rewritten(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^mine$"), atomic_path(tmp_path / "a.csv"):
        raise UserError("mine")


def test_the_message_is_one_line_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "file" / "a.csv"):
        pytest.fail("there is nothing to write to")
    assert "\n" not in str(caught.value)
    assert "Choose another folder" in str(caught.value)
