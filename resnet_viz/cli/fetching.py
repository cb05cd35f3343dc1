"""``--download``: a known data set that is not on this machine is fetched if the person says so, else offered."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_download(parser: argparse.ArgumentParser) -> None:
    """Add ``--download``."""
    parser.add_argument(
        "--download", action="store_true", help="fetch the data set if it is not on this machine (CIFAR, MNIST sets)"
    )


def fetch(data: str | None, wanted: bool) -> None:
    """Download a known data set that is not here, if the person agreed; else say how.

    Args:
        data: id or folder, None for none.
        wanted: whether ``--download`` was given.

    Raises:
        DataError: if it is not here and not wanted, or cannot be fetched.
    """
    from resnet_viz.core.errors import DataError
    from resnet_viz.data.download import download, downloadable, offer
    from resnet_viz.data.labels import plain
    from resnet_viz.data.places import locate

    if data is None or Path(data).name != data or plain(data) not in downloadable():
        return
    try:
        locate(data)
        return
    except DataError as error:
        found = offer(plain(data))
        if not wanted:
            what = f"fetches {found.megabytes:.0f} MB from {', '.join(found.hosts)}"
            raise DataError(f"{error} Or add --download, which {what} into {found.folder}.") from error
    from tqdm import tqdm

    with tqdm(total=100, unit="%", desc=found.title, disable=not sys.stderr.isatty(), leave=False) as meter:
        download(found.id, progress=lambda share: meter.update(round(100 * share) - meter.n) and None)
