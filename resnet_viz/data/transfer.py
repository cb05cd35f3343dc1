"""Fetching one file from the network: resumed where it stopped, checked, and never half of it under its real name."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_viz.core.errors import DataError, OutputError
from resnet_viz.core.token import NEVER, CancelToken

BLOCK_BYTES = 1 << 16
MAX_BYTES = 1 << 30
"""Most that one file may have."""

_TRIES = 4  # of each address, as long as each brings some of the file


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the network whose content is known.

    Attributes:
        name: what it is called.
        urls: addresses that have it, tried in order.
        md5: of the whole file, hexadecimal.
    """

    name: str
    urls: tuple[str, ...]
    md5: str


class _CutOffError(OSError):
    """A transfer that ended early, or gave something else."""


def fetch(
    file: RemoteFile,
    folder: Path,
    token: CancelToken = NEVER,
    progress: Callable[[float], None] | None = None,
    timeout_s: float = 20.0,
) -> Path:
    """Fetch a file into ``folder``, going on with what an earlier call left there.

    What has arrived is kept as ``NAME.part`` when the connection breaks or the token is set; the
    file gets its name when it is whole and its checksum is right.

    Args:
        file: what to fetch.
        folder: where to; made if it does not exist.
        token: looked at with each block that arrives, at the latest after ``timeout_s``.
        progress: called with the share that is there, 0-1, never falling.
        timeout_s: longest silence of the other side.

    Returns:
        The file's path; nothing is fetched if it is there and right.

    Raises:
        DataError: if no address gives the file, with the reason.
        OutputError: if it cannot be written or there is not enough space.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    with writing(target):
        folder.mkdir(parents=True, exist_ok=True)
        if target.is_file() and md5_of(target, token) == file.md5:
            return target
    best = 0.0

    def report(share: float) -> None:
        nonlocal best
        best = max(best, min(share, 1.0))
        if progress is not None:
            progress(best)

    reason = "no address is known"
    for url in file.urls:
        for _ in range(_TRIES):
            before = part.stat().st_size if part.exists() else 0
            try:
                _go_on(url, part, token, report, timeout_s)
                if md5_of(part, token) == file.md5:
                    with writing(target):
                        os.replace(part, target)
                    return target
                part.unlink(missing_ok=True)
                raise _CutOffError("what came is not the file that is known, its checksum differs")
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = _reason(error)
            after = part.stat().st_size if part.exists() else 0
            if after == before:
                break  # nothing came: the next address
    raise DataError(f"{file.name} could not be downloaded ({reason}).")


def _go_on(url: str, part: Path, token: CancelToken, report: Callable[[float], None], timeout_s: float) -> None:
    """Append the rest of a file to ``part``; return when all of it came, raise OSError if it breaks off."""
    token.check()
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "resnet-viz"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response: Any = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            return  # nothing is left to send; the checksum decides
        raise
    with response:
        if have and not str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            have = 0  # it sends the whole file again
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        if max(total or 0, have) > MAX_BYTES:
            raise _CutOffError(f"it has more than {MAX_BYTES / 2**30:.0f} GB")
        _check_space(part, (total or 0) - have)
        with writing(part), open(part, "ab" if have else "wb") as stream:
            while True:
                token.check()
                with _outside():
                    block = response.read1(BLOCK_BYTES)
                if not block:
                    break
                stream.write(block)
                have += len(block)
                if total:
                    report(have / total)
                if have > MAX_BYTES:
                    raise _CutOffError(f"it has more than {MAX_BYTES / 2**30:.0f} GB")
    if total is not None and have < total:
        raise _CutOffError(f"the connection broke off at {have / 1e6:.1f} of {total / 1e6:.1f} MB")


class _Outside(Exception):  # noqa: N818 - carries an error of the network out of a block that writes
    pass


@contextmanager
def _outside() -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise _Outside from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of an OSError in the block that ``path`` cannot be written; errors of the network pass."""
    try:
        yield
    except _Outside as outside:
        assert outside.__cause__ is not None
        raise outside.__cause__ from None
    except _CutOffError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{path} cannot be written ({reason}). Choose another folder or free some space.") from error


def _check_space(part: Path, need: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if need > free:
        raise OutputError(
            f"{part.parent} has {free / 1e6:,.0f} MB left, the download needs {need / 1e6:,.0f} MB. Free some space."
        )


def md5_of(path: Path, token: CancelToken = NEVER) -> str:
    """Return a file's MD5, hexadecimal; it tells damage, and no other file with it can be made on purpose."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            token.check()
            digest.update(block)
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError):
        return inner.strerror or str(inner) or type(inner).__name__
    return str(inner) or type(inner).__name__
