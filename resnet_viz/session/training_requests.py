"""Frozen questions of the Train workspace to its worker, and the answers; no torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_viz.core.types import F32, I64, U8, Activation, ChannelStats, Fit, ImageInput, ModelCard
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.history_record import RunHistory


@dataclass(frozen=True, slots=True)
class DescribeData:
    """Look at a run's data before it is trained on."""

    config: TrainConfig


@dataclass(frozen=True, slots=True, eq=False)
class DataFacts:
    """The answer to :class:`DescribeData`.

    Attributes:
        title: for people.
        classes, counts: names, and training pictures of each.
        train, val: how many pictures are trained on and held out.
        mean, std: per channel on the scale 0-1.
        samples: uint8 (K, S, S, 3), one of each class in turn.
        sample_labels: (K,).
        augmented: uint8 (9, S, S, 3), one picture as it is, then as the net may see it.
        skipped: one sentence for each picture that could not be read.
    """

    title: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    train: int
    val: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    samples: U8
    sample_labels: I64
    augmented: U8
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EstimateCost:
    """Measure what a run would cost, in a process of its own."""

    config: TrainConfig


@dataclass(frozen=True, slots=True)
class Cost:
    """The answer to :class:`EstimateCost`: see :class:`resnet_viz.training.estimate.Estimate`."""

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OfferDownload:
    """Say what a download would be; nobody on the network is asked."""

    data: str


@dataclass(frozen=True, slots=True)
class DownloadOffered:
    """The answer to :class:`OfferDownload`: who is asked, how much comes, where it is put."""

    data: str
    title: str
    hosts: tuple[str, ...]
    megabytes: float
    folder: Path


@dataclass(frozen=True, slots=True)
class DownloadSet:
    """Fetch a known data set; asked only after the person agreed."""

    data: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Where it lies now."""

    data: str
    folder: Path


@dataclass(frozen=True, slots=True)
class ListRuns:
    """Read all runs in these folders."""

    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RunList:
    """The answer to :class:`ListRuns`; ``alive`` are those that some process trains."""

    runs: tuple[RunHistory, ...]
    alive: frozenset[Path]


@dataclass(frozen=True, slots=True)
class DescribeNet:
    """Describe the net of a run, for the network map."""

    config: TrainConfig


@dataclass(frozen=True, slots=True, eq=False)
class NetDescribed:
    """The answer to :class:`DescribeNet`."""

    config: TrainConfig
    card: ModelCard


@dataclass(frozen=True, slots=True, eq=False)
class WatchMaps:
    """Show what a running net makes of a picture, with the weights of its last checkpoint."""

    run: Path
    image: ImageInput
    fit: Fit
    layer: str


@dataclass(frozen=True, slots=True, eq=False)
class MapsWatched:
    """The answer to :class:`WatchMaps`."""

    run: Path
    epoch: int
    activation: Activation
    stats: ChannelStats


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """Let a run's best weights answer every test picture."""

    run: Path


@dataclass(frozen=True, slots=True, eq=False)
class RunJudged:
    """The answer to :class:`JudgeRun`.

    Attributes:
        run: the run.
        images: uint8 (N, S, S, 3).
        labels, answers: (N,).
        probs: (N,) of the answers.
        classes: names.
        confusion: (C, C) counts, true class by row.
    """

    run: Path
    images: U8
    labels: I64
    answers: I64
    probs: F32
    classes: tuple[str, ...]
    confusion: I64
