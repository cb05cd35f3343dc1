"""Where things lie: the files that ship with the program and the user's own folders."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from .errors import OutputError, UserError

APP = "resnet-viz"
MAX_SHOWN = 200
"""Letters of a path that a message shows."""
_PACKAGE = Path(__file__).resolve().parent.parent


def _shipped(name: str) -> Path:
    """Return a shipped folder: inside the package in a wheel, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def assets_dir() -> Path:
    """Return the folder of icons, sample pictures and texts."""
    return _shipped("assets")


def trained_dir() -> Path:
    """Return the folder of the nets that ship, one folder each."""
    return _shipped("trained")


def config_dir() -> Path:
    """Return the user's configuration folder; ``RESNET_VIZ_HOME`` overrides it (tests do)."""
    home = os.environ.get("RESNET_VIZ_HOME")
    return Path(home) / "config" if home else Path(platformdirs.user_config_dir(APP, False))


def log_dir() -> Path:
    """Return the user's log folder."""
    home = os.environ.get("RESNET_VIZ_HOME")
    return Path(home) / "log" if home else Path(platformdirs.user_log_dir(APP, False))


def runs_dir() -> Path:
    """Return the folder in which the user's training runs lie, one folder each."""
    home = os.environ.get("RESNET_VIZ_HOME")
    return Path(home) / "runs" if home else Path(platformdirs.user_data_dir(APP, False)) / "runs"


def named_path(text: str) -> Path:
    """Return the path that a person wrote; ``~`` and ``~name`` are home folders.

    Raises:
        UserError: if there is no such user, or nobody knows where home is.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        name = Path(text).parts[0]
        raise UserError(f"{name} in {_short(text)} is no home folder. Write the path out.") from error


def exists(path: Path) -> bool:
    """Return whether there is a file or folder; in no Python version is what cannot be looked at taken for absent.

    Raises:
        UserError: if that cannot be told: the name is too long, or a folder above may not be entered.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{_short(str(path))} cannot be looked at ({reason}). Check the path.") from error
    return True


def _short(text: str) -> str:
    """Return a name that a message has room for, cut in the middle."""
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]}...{text[-MAX_SHOWN // 2 :]}"


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; on success it replaces ``target`` in one step.

    A reader therefore sees the old file or the new one, never half of one.

    Raises:
        OutputError: if the folder cannot be written or the disk is full; nothing that stood
            there before is lost.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        # mkstemp makes the file private (0600); a result is a file like any other
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_write(target: Path, error: OSError) -> OutputError:
    reason = error.strerror or type(error).__name__
    return OutputError(f"{target} cannot be written ({reason}). Choose another folder or free some space.")
