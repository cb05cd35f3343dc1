"""Downloading data sets that torchvision knows, only when asked to: whoever calls has the user's consent.

Addresses and checksums are torchvision's; no host is named here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import urllib.parse
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_viz.core.errors import DataError, unknown
from resnet_viz.core.token import NEVER, CancelToken

from .finding import find
from .places import known_sets, locate, own_root
from .transfer import MAX_BYTES, RemoteFile, fetch, writing

_KNOWN = {
    # class in torchvision, megabytes of its files
    "cifar10": ("CIFAR10", (170.5,)),
    "cifar100": ("CIFAR100", (169.0,)),
    "fashionmnist": ("FashionMNIST", (26.4, 0.03, 4.4, 0.01)),
    "mnist": ("MNIST", (9.9, 0.03, 1.6, 0.01)),
}

_FETCHED = 0.95
# share of the progress that the network takes; the rest is unpacking


@dataclass(frozen=True, slots=True)
class Offer:
    """What a download would do, to be shown before the user agrees.

    Attributes:
        id: data set id.
        title: for people.
        hosts: who is asked for the files.
        megabytes: about how much comes.
        folder: where it is put.
        files: what is fetched.
        members: paths below ``folder`` when all is there, with the MD5 of those that come in an
            archive and are checked one by one, else empty.
    """

    id: str
    title: str
    hosts: tuple[str, ...]
    megabytes: float
    folder: Path
    files: tuple[RemoteFile, ...]
    members: tuple[tuple[str, str], ...]

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return all((self.folder / path).is_file() for path, _ in self.members)


def downloadable() -> tuple[str, ...]:
    """Return the ids of the data sets that can be downloaded."""
    return tuple(_KNOWN)


def offer(dataset_id: str, root: Path | None = None) -> Offer:
    """Say what :func:`download` would fetch; asks nobody on the network.

    Loads torchvision, which takes a second: not for a window's own thread.

    Args:
        dataset_id: one of :func:`downloadable`.
        root: folder in which the data set's folder is made; the user's data folder by default.

    Raises:
        DataError: if that data set cannot be downloaded.
    """
    if dataset_id not in _KNOWN:
        raise DataError(unknown("data set to download", dataset_id, _KNOWN))
    import torchvision.datasets

    name, megabytes = _KNOWN[dataset_id]
    source: Any = getattr(torchvision.datasets, name)
    files: tuple[RemoteFile, ...]
    if hasattr(source, "mirrors"):
        files = tuple(
            RemoteFile(file, tuple(f"{mirror}{file}" for mirror in source.mirrors), md5)
            for file, md5 in source.resources
        )
        members = tuple((f"raw/{file.name}", "") for file in files)
    else:
        files = (RemoteFile(source.filename, (source.url,), source.tgz_md5),)
        listed = [*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"])]
        members = tuple((f"{source.base_folder}/{file}", md5) for file, md5 in listed)
    return Offer(
        dataset_id,
        known_sets.get(dataset_id).title,
        tuple(dict.fromkeys(urllib.parse.urlsplit(url).hostname or "" for file in files for url in file.urls)),
        sum(megabytes),
        (own_root() if root is None else root) / dataset_id,
        files,
        members,
    )


def installed(dataset_id: str) -> Path | None:
    """Return the folder of a data set that is there with both its parts and readable, else None."""
    try:
        folder, _ = locate(dataset_id)
        for part in ("test", "train"):
            find(dataset_id, part)
    except DataError:
        return None
    return folder


def download(
    dataset_id: str,
    *,
    root: Path | None = None,
    token: CancelToken = NEVER,
    progress: Callable[[float], None] | None = None,
    timeout_s: float = 20.0,
) -> Path:
    """Download a data set, unless it is there; call only with the user's consent.

    A download that was cancelled or broke off goes on where it stopped. The data set's folder
    appears when all of its files are there and their checksums are right.

    Args:
        dataset_id: one of :func:`downloadable`.
        root: folder in which the data set's folder is made; by default the user's data folder,
            where :func:`.datasets.load` finds it by its id.
        token: looked at with each block that arrives, at the latest after ``timeout_s``.
        progress: called with the share that is done, 0-1, never falling.
        timeout_s: longest silence of the other side.

    Returns:
        The folder, for :func:`.datasets.load`.

    Raises:
        DataError: if it cannot be downloaded (no network, another file than the known one); says
            why and how to go on without.
        OutputError: if it cannot be written or there is not enough space.
    """
    plan = offer(dataset_id, root)
    there = installed(dataset_id) if root is None else plan.folder if plan.complete else None
    if there is not None:
        return there
    report = progress or (lambda share: None)
    staging = plan.folder.with_name(f".{dataset_id}.download")
    weights = _KNOWN[dataset_id][1]
    done, paths = 0.0, []
    try:
        for file, weight in zip(plan.files, weights, strict=True):
            share = _FETCHED * weight / sum(weights)
            paths.append(fetch(file, staging, token, _part_of(report, done, share), timeout_s))
            done += share
    except DataError as error:
        names = ", ".join(file.name for file in plan.files)
        verb = "unpack" if plan.members[0][1] else "put"
        raise DataError(
            f"{error} Check the connection and try again, or {verb} {names}, got elsewhere, into {plan.folder}."
        ) from error
    report(_FETCHED)
    unpacked = staging / "unpacked"
    if plan.members[0][1]:
        _unpack(paths[0], unpacked, plan.members, token)
    else:
        with writing(unpacked):
            (unpacked / "raw").mkdir(parents=True, exist_ok=True)
            for path in paths:
                os.replace(path, unpacked / "raw" / path.name)
    _install(unpacked, plan)
    shutil.rmtree(staging, ignore_errors=True)
    report(1.0)
    return plan.folder


def _part_of(report: Callable[[float], None], start: float, share: float) -> Callable[[float], None]:
    return lambda done: report(start + share * done)


def _unpack(archive: Path, folder: Path, members: tuple[tuple[str, str], ...], token: CancelToken) -> None:
    """Take the expected files out of a .tar.gz, checking each; nothing else in it is written anywhere.

    The paths written are ours, not the archive's, so that none can lead elsewhere: links, devices
    and files that are not expected are passed over.
    """
    wanted = dict(members)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                token.check()
                if member.name not in wanted or not member.isreg() or member.size > MAX_BYTES:
                    continue
                stream = tar.extractfile(member)
                content = b"" if stream is None else stream.read()
                if hashlib.md5(content, usedforsecurity=False).hexdigest() != wanted.pop(member.name):
                    raise DataError(f"{member.name} in {archive.name} is damaged. Download it again.")
                path = folder / member.name
                with writing(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive.name} cannot be unpacked. Remove it and download it again.") from error
    if wanted:
        raise DataError(f"{archive.name} lacks {', '.join(wanted)}. Remove it and download it again.")


def _install(unpacked: Path, plan: Offer) -> None:
    """Put the files in their place: the whole folder in one step, or one by one into a folder that is there."""
    with writing(plan.folder):
        if not plan.folder.exists():
            os.replace(unpacked, plan.folder)
            return
        for path, _ in plan.members:
            (plan.folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(unpacked / path, plan.folder / path)
