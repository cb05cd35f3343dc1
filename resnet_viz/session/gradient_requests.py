"""Frozen questions of the Gradients workspace to its workers, and the answers; no torch here.

What a view asks holds all that the worker needs. An answer that grows (a sweep over depths, a
short training, every block in turn) is delivered part by part through ``progress``, each part
the whole answer so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from resnet_viz.core.gradient_types import FlowBand, WeightChoice
from resnet_viz.core.lesion_types import LesionKind, LesionStudy, RandomLesion
from resnet_viz.core.types import F64, Fit, ImageInput, ModelCard, Normalization, Prediction

AUTO, NOISE, SAMPLES = "auto", "noise", "samples"
"""Sources of a batch besides data sets: the best there is, normal noise, the sample pictures."""

MAX_PICTURES = 4096


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Which pictures.

    Attributes:
        source: ``"auto"`` (CIFAR-10 if it is on this machine, else shapes), ``"noise"``,
            ``"samples"``, a data set's id, or a folder.
        count: pictures, 1 to 4,096.
        seed: chooses the pictures, or draws the noise.
        split: part of a data set.
    """

    source: str = AUTO
    count: int = 64
    seed: int = 0
    split: str = "test"


@dataclass(frozen=True, slots=True)
class NetChoice:
    """One of the nets that are compared, or the one that a lesion is about.

    Attributes:
        ref: architecture id where ``untrained``, else id of a trained net, checkpoint or run folder;
            empty where the factory makes the weights as well.
        untrained: draw its weights, one net for each seed.
        options: fields of NetOptions that differ from the architecture's own, in any order.
        title: for people; empty lets the worker choose.
        arch: architecture that a person says a file is, None for the recognised one.
        normalization: mean/std that a person chose, None for what the file or its kind says.
        seed: of untrained weights, where the request names no seeds of its own.
        factory, input_size, classes: as of OpenModel, for a net of no known family.
    """

    ref: str
    untrained: bool = True
    options: tuple[tuple[str, object], ...] = ()
    title: str = ""
    arch: str | None = None
    normalization: Normalization | None = None
    seed: int = 0
    factory: str | None = None
    input_size: int | None = None
    classes: int | None = None


@dataclass(frozen=True, slots=True)
class MeasureFlow:
    """Measure two to four nets on one batch, block by block.

    Attributes:
        nets: what is compared; an answer's bands are in this order.
        batch: which pictures; the same for every net.
        seeds: of untrained weights; a trained net is measured once, with the first.
        train_mode: whether batch norm uses the batch's statistics.
        weights: which weights of a block count.
        optimizer, lr: whose first step is compared with the weights.
        per: ``"layer"`` gives each convolution and linear layer a row of its own.
    """

    nets: tuple[NetChoice, ...]
    batch: BatchRequest = BatchRequest()
    seeds: tuple[int, ...] = (0,)
    train_mode: bool = True
    weights: WeightChoice = "first"
    optimizer: str = "momentum"
    lr: float = 0.1
    per: Literal["block", "layer"] = "block"


@dataclass(frozen=True, slots=True, eq=False)
class FlowMeasured:
    """The answer to :class:`MeasureFlow`; while it runs, with the seeds that are done.

    Attributes:
        bands: one for each net that has been measured so far, in the order asked for.
        cards: of the same nets, for the network maps.
        batch: what the pictures are, for people.
        notes: sentences a person should read, such as that labels do not fit.
        pass_s: seconds that forward and backward take by themselves, over all nets, one seed.
        measured_s: the same with all norms; both 0 until the end, and where timing them would take long.
    """

    bands: tuple[FlowBand, ...]
    cards: tuple[ModelCard, ...]
    batch: str
    notes: tuple[str, ...] = ()
    pass_s: float = 0.0
    measured_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SweepDepths:
    """Measure ratio and coherence of several families over depth.

    Attributes:
        families: beginnings of architecture ids, such as ``"plain"`` and ``"resnet"``.
        depths: each makes an architecture id with each family, such as ``plain56``.
        options: as of :class:`NetChoice`, for all nets.
        batch, seeds, train_mode, weights: as of :class:`MeasureFlow`.
    """

    families: tuple[str, ...] = ("plain", "resnet")
    depths: tuple[int, ...] = (20, 32, 44, 56, 110)
    options: tuple[tuple[str, object], ...] = ()
    batch: BatchRequest = BatchRequest()
    seeds: tuple[int, ...] = (0, 1, 2)
    train_mode: bool = True
    weights: WeightChoice = "first"


@dataclass(frozen=True, slots=True, eq=False)
class SweepPoint:
    """One family at one depth, over the seeds that are done, S of them.

    Attributes:
        family, depth: which.
        ratios, ratios_act: first block / last block of each seed, (S,), weights and activations; NaN where none.
        coherences: (S,), NaN where none.
    """

    family: str
    depth: int
    ratios: F64
    ratios_act: F64
    coherences: F64


@dataclass(frozen=True, slots=True, eq=False)
class DepthsSwept:
    """The answer to :class:`SweepDepths`; while it runs, the points that are known."""

    points: tuple[SweepPoint, ...]
    batch: str


@dataclass(frozen=True, slots=True)
class TrainSteps:
    """Train the nets for some steps now and record the gradients at each.

    Attributes:
        nets: untrained or trained; what is trained is a copy.
        batch: source, seed and size of the batches; every step draws another one from the source.
        steps: optimizer steps.
        optimizer, lr: one for all nets.
        seed: of untrained weights.
        weights: which weights of a block count.
    """

    nets: tuple[NetChoice, ...]
    batch: BatchRequest = BatchRequest()
    steps: int = 50
    optimizer: str = "momentum"
    lr: float = 0.1
    seed: int = 0
    weights: WeightChoice = "first"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """How gradients moved while one net was trained, K records.

    Attributes:
        title: of the net.
        plain: whether it has no skip connections.
        blocks, labels: names and short titles, (B,).
        steps: (K,) steps done before each record.
        loss: (K,).
        weight_norm: (K, B).
        act_norm: (K, B), None where never taken.
        coherence: (K,), NaN where not taken.
        core: first and last block of the ratio.
        diverged: whether the loss became infinite or no number at the end.
    """

    title: str
    plain: bool
    blocks: tuple[str, ...]
    labels: tuple[str, ...]
    steps: F64
    loss: F64
    weight_norm: F64
    act_norm: F64 | None
    coherence: F64
    core: tuple[int, int]
    diverged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StepsTrained:
    """The answer to :class:`TrainSteps`; while it runs, the steps that are done."""

    recordings: tuple[Recording, ...]
    cards: tuple[ModelCard, ...]
    batch: str


@dataclass(frozen=True, slots=True)
class MeasureLesion:
    """Measure a net with some blocks deleted and some skips cut.

    Attributes:
        model: the net.
        data, split: which labelled pictures.
        pictures: how many, evenly from the classes; 0 for all.
        seed: picks the pictures.
        deleted, cut: names of blocks.
        image, fit: the picture whose confidences are wanted too, None for none.
    """

    model: NetChoice
    data: str = AUTO
    split: str = "test"
    pictures: int = 1000
    seed: int = 0
    deleted: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()
    image: ImageInput | None = None
    fit: Fit = field(default_factory=Fit)


@dataclass(frozen=True, slots=True, eq=False)
class LesionMeasured:
    """The answer to :class:`MeasureLesion`.

    The confidences come first, then the error over ever more pictures, last over all.

    Attributes:
        card: of the net.
        error: share of wrong answers, None before the first pictures are through.
        base_error: of the whole net on the same pictures, None likewise.
        n: pictures that both are over.
        f_to_x: ||F||/||x|| by block in the changed net.
        prediction: of the picture, None without one.
        base_prediction: of the whole net for the same picture.
        can_delete, can_cut: names of the blocks that can be.
        data: what the pictures are, for people.
    """

    card: ModelCard
    error: float | None
    base_error: float | None
    n: int
    f_to_x: Mapping[str, float]
    prediction: Prediction | None
    base_prediction: Prediction | None
    can_delete: tuple[str, ...]
    can_cut: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True)
class LesionEach:
    """Delete every block, or cut every skip, in turn; fields as of :class:`MeasureLesion`."""

    model: NetChoice
    kind: LesionKind = "delete"
    data: str = AUTO
    split: str = "test"
    pictures: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LesionRandom:
    """Delete k blocks at random, ``repeats`` times; fields as of :class:`MeasureLesion`."""

    model: NetChoice
    k: int = 1
    repeats: int = 10
    data: str = AUTO
    split: str = "test"
    pictures: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LesionsMeasured:
    """The answer to :class:`LesionEach` and :class:`LesionRandom`; while it runs, over the pictures so far."""

    title: str
    plain: bool
    result: LesionStudy | RandomLesion
    data: str
