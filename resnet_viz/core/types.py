"""Values that travel between rooms: frozen, on the CPU, NumPy arrays instead of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FitMode = Literal["crop", "pad", "squash"]


@dataclass(frozen=True, slots=True)
class Normalization:
    """Per-channel mean and standard deviation on the scale 0-1.

    Attributes:
        title: name for people, for example ``"CIFAR-10"``.
        mean: (R, G, B).
        std: (R, G, B), all above zero.
    """

    title: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class CropBox:
    """A rectangle on the original picture in its pixels: left and top edge, width, height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PictureOrigin:
    """Where a picture of a data set is found again: what ``data.browse`` and its ``item`` take.

    Attributes:
        data: the data set's folder or file, absolute; its id where the program draws it.
        split: the part that was asked for.
        index: its place in the row.
    """

    data: str
    split: str
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class ImageInput:
    """A decoded picture.

    Attributes:
        pixels: uint8 (H, W, 3) RGB, upright.
        source: where it came from, for people: a file name, "clipboard", "camera".
        note: what was done to it that a person should know ("frame 1 of 12"), or empty.
        path: absolute path, None where there is no file.
        label: true class where it is known, else None.
        origin: its place in a data set, None where there is none or ``path`` says it all.
    """

    pixels: U8
    source: str
    note: str = ""
    path: str | None = None
    label: str | None = None
    origin: PictureOrigin | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture becomes the square that a net sees.

    Attributes:
        mode: ``"crop"`` the box is cut out; ``"pad"`` the whole picture, grey bars added;
            ``"squash"`` the whole picture, aspect not kept.
        box: the square crop box on the original, None for the net's default crop.
    """

    mode: FitMode = "crop"
    box: CropBox | None = None


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Which input pixels one position of a layer can depend on (exact, padding included).

    Row r depends on input rows ``start_y + r * step_y`` up to, not including, that plus
    ``size_y``; parts outside the picture are padding. ``whole`` is set where every position
    sees the whole input, as after a global pool.
    """

    size_y: int
    size_x: int
    step_y: float
    step_x: float
    start_y: float
    start_x: float
    whole: bool = False

    def box(self, row: int, column: int) -> CropBox:
        """Return the box of one position in input pixels; it may reach beyond the picture."""
        return CropBox(self.start_x + column * self.step_x, self.start_y + row * self.step_y, self.size_x, self.size_y)

    def extent(self, rows: int, columns: int) -> CropBox:
        """Return where a map lies over the input, in its pixels: one step for each value, about its field's middle.

        Strides and padding move it: the values of ResNet-18's last stage lie 15.5 pixels up and left of where
        the map would lie if it were stretched over the whole input.
        """
        if self.whole:
            return self.box(0, 0)
        left = self.start_x + (self.size_x - self.step_x) / 2
        top = self.start_y + (self.size_y - self.step_y) / 2
        return CropBox(left, top, columns * self.step_x, rows * self.step_y)


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer as a person sees it.

    Attributes:
        name: dotted module path, for example ``"layer2.0.conv1"``.
        kind: class name, for example ``"Conv2d"``.
        out_shape: without the batch: (C, H, W) of a map, (F,) of a vector.
        params: parameters of the module and all below it.
        block: name of the block it belongs to, empty for containers above blocks.
        role: its part in a residual block: ``"F(x)"``, ``"shortcut"``, ``"x + F(x)"``, ``"after ReLU"``, or empty.
        container: whether it has children that are listed too.
        depth: nesting level, 0 at the top.
        calls: how often a forward pass calls it.
        receptive_field: None where it could not be followed.
        has_filters: whether it holds convolution kernels to show.
    """

    name: str
    kind: str
    out_shape: tuple[int, ...]
    params: int
    block: str
    role: str = ""
    container: bool = False
    depth: int = 0
    calls: int = 1
    receptive_field: ReceptiveField | None = None
    has_filters: bool = False


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """One block of the network map.

    Attributes:
        name: module path or group name; unique in the net.
        title: short label, for example ``"2.0"``.
        kind: ``"stem" "residual" "plain" "conv" "pool" "head" "dense" "module"``.
        layers: names of its layers in forward order.
        out: layer whose output is the block's output.
        in_shape, out_shape: without the batch.
        params: parameters of the block.
        skip: ``"identity"``, ``"A"``, ``"B"`` or None.
        add: layer name of the addition, None without a skip.
        stage: number of the stage from 1; 0 outside the stages.
    """

    name: str
    title: str
    kind: str
    layers: tuple[str, ...]
    out: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    params: int
    skip: str | None = None
    add: str | None = None
    stage: int = 0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that is known of an opened net.

    Attributes:
        id: registry id, path, or factory as the user named it; unique among opened nets.
        title: for people, for example ``"ResNet-20 . CIFAR-10"``.
        arch: architecture id, empty for a generic net.
        family: architecture family, ``"generic"`` for a foreign net.
        depth: the paper's count of weighted layers, None where there is none.
        params: number of parameters.
        classes: labels by index.
        input_size: side of the square input in pixels.
        in_channels: 3 or 1.
        normalization: mean/std in use.
        normalization_known: False where the file does not say, so a person must choose.
        fit: id of the default crop: ``"imagenet"`` (256, centre 224) or ``"square"``.
        dataset: what it was trained on, empty if unknown.
        test_error: measured share 0-1, None if unknown.
        found: what the recogniser says: "ResNet-20, shortcut A, 10 classes, ...".
        warnings: sentences a person should read ("3 weights are NaN").
        layers: all layers in forward order.
        blocks: all blocks from input to output.
        source: path of the file or folder, empty for untrained nets.
        extra: everything else the run's card.json holds, which may come from anywhere.
        opened: fields of the request that opens this very net again, from any folder; those at
            their default and the normalisation left out. Only the program writes it.
    """

    id: str
    title: str
    arch: str
    family: str
    depth: int | None
    params: int
    classes: tuple[str, ...]
    input_size: int
    in_channels: int
    normalization: Normalization
    normalization_known: bool
    fit: str
    dataset: str
    test_error: float | None
    found: str
    warnings: tuple[str, ...]
    layers: tuple[LayerInfo, ...]
    blocks: tuple[BlockInfo, ...]
    source: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    opened: Mapping[str, object] = field(default_factory=dict)

    def layer(self, name: str) -> LayerInfo:
        """Return the layer called ``name``.

        Raises:
            LayerNotFoundError: listing the three nearest names.
        """
        from .errors import LayerNotFoundError, unknown

        for layer in self.layers:
            if layer.name == name:
                return layer
        raise LayerNotFoundError(unknown("layer", name, (layer.name for layer in self.layers)))

    def block(self, name: str) -> BlockInfo:
        """Return the block called ``name``; raises LayerNotFoundError otherwise."""
        from .errors import LayerNotFoundError, unknown

        for block in self.blocks:
            if block.name == name:
                return block
        raise LayerNotFoundError(unknown("block", name, (block.name for block in self.blocks)))


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """What one layer put out for one picture.

    Attributes:
        layer: its name.
        call_index: which call of the layer, from 0.
        maps: float32 (C, H, W); a vector of F values is (F, 1, 1).
    """

    layer: str
    call_index: int
    maps: F32


@dataclass(frozen=True, slots=True, eq=False)
class ChannelStats:
    """Per-channel statistics of one activation, each (C,).

    Least and greatest value are what painting needs; the rest is computed when it is first
    asked for, after the maps are on screen.

    Attributes:
        min, max: least and greatest value; NaN where any value is.
        least, greatest: likewise of the finite values alone; NaN where there are none.
        dead: whether a channel is zero everywhere.
        moments: returns mean, standard deviation and share of exact zeros; remembers them.
    """

    min: F32
    max: F32
    least: F32
    greatest: F32
    dead: NDArray[np.bool_]
    moments: Callable[[], tuple[F32, F32, F32]]

    @property
    def mean(self) -> F32:
        """Mean of each channel (C,)."""
        return self.moments()[0]

    @property
    def std(self) -> F32:
        """Population standard deviation of each channel (C,)."""
        return self.moments()[1]

    @property
    def zeros(self) -> F32:
        """Share of values that are exactly zero, 0-1, (C,)."""
        return self.moments()[2]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class with its logit and softmax probability (0-1)."""

    index: int
    label: str
    prob: float
    logit: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the net believes.

    Attributes:
        logits: float32 (classes,). For nets that end in a log-softmax: the log-probabilities.
        probs: float32 (classes,), sum 1.
        top: best first.
    """

    logits: F32
    probs: F32
    top: tuple[ClassScore, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BlockParts:
    """The residual-block microscope: y = ReLU(x + F(x)) taken apart.

    Attributes:
        block: its name.
        x: what the skip carries to the addition, float32 (C, H, W).
        f: F(x), float32 (C, H, W).
        total: x + F(x), float32 (C, H, W).
        out: after the last activation, float32 (C, H, W).
        f_to_x: ||F(x)|| / ||x||, L2 over the whole map; inf where x alone is zero, 0 where both are.
    """

    block: str
    x: F32
    f: F32
    total: F32
    out: F32
    f_to_x: float


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """A convolution's kernels, float32 (O, I, kH, kW); ``rgb`` if I is 3 and the layer sees the picture."""

    layer: str
    weights: F32
    rgb: bool


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a net does on a labelled data set.

    Attributes:
        accuracy: share 0-1 of right answers.
        n: number of pictures.
        per_class: share of right answers by class name; None where a class has no pictures.
        confusion: int64 (K, K), rows the true class, columns the answer.
        classes: names by index.
        skipped: names of pictures that could not be read.
    """

    accuracy: float
    n: int
    per_class: dict[str, float | None]
    confusion: I64
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()
