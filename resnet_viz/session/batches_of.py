"""The batch that gradients are measured on: pictures of a data set, the sample pictures, or noise."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from resnet_viz.core.errors import DataError, PictureError, UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import U8, Fit, ImageInput, ModelCard
from resnet_viz.data import labels as names
from resnet_viz.data import layouts
from resnet_viz.data.batches import normalise
from resnet_viz.data.finding import find
from resnet_viz.data.images import load_image
from resnet_viz.data.places import known_sets, locate
from resnet_viz.data.samples import sample_pictures
from resnet_viz.data.transforms import prepare_pixels

from .gradient_requests import AUTO, MAX_PICTURES, NOISE, SAMPLES, BatchRequest


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pictures as a net takes them.

    Attributes:
        images: normalised float32 (N, C, H, W).
        labels: int64 (N,), all below the net's number of classes.
        title: what they are, for people: ``"64 test pictures of CIFAR-10, seed 0"``.
        note: a sentence where the labels are not the pictures' own, else empty.
    """

    images: Tensor
    labels: Tensor
    title: str
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of any size with their classes, before they are fitted to a net.

    Attributes:
        pixels: one uint8 (H, W, 3) for each; empty for noise.
        labels: indices into ``classes``, -1 where a picture has none.
        classes: names.
        title: what they are, for people.
        request: what asked for them.
    """

    pixels: tuple[U8, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    title: str
    request: BatchRequest


def find_batch(request: BatchRequest, card: ModelCard, token: CancelToken = NEVER) -> Batch:
    """Find a batch for one net; for several nets :func:`choose` once and :func:`fit_batch` for each.

    Raises:
        UserError: as the two.
    """
    return fit_batch(choose(request, token), card)


def choose(request: BatchRequest, token: CancelToken = NEVER, *, pool: Pool | None = None) -> Pictures:
    """Choose the pictures.

    Args:
        request: which.
        token: looked at while folders are listed, and before each picture.
        pool: of the same source and part, where it has been opened already.

    Raises:
        DataError: if the data set is missing or damaged.
        UserError: for a count that makes no batch, or a seed below 0.
    """
    check(request)
    if request.source == NOISE:
        return Pictures((), (), (), f"{request.count} pictures of noise, seed {request.seed}", request)
    if request.source == SAMPLES:
        return _samples(request, token)
    return _of_set(request, pool or open_pool(request.source, request.split, token), token)


def check(request: BatchRequest) -> None:
    """Raise UserError where there can be no such batch, before anything is read."""
    if not 1 <= request.count <= MAX_PICTURES:
        raise UserError(f"A batch of {request.count} pictures makes no sense. Give a number from 1 to {MAX_PICTURES}.")
    if request.seed < 0:
        raise UserError(f"{request.seed} is no seed. Give a number from 0 up.")


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """One part of a labelled data set, open: finding it and unpacking it takes seconds, drawing from it does not.

    Attributes:
        data: its id or folder.
        source: where its pictures come from.
        stack: all of them, uint8 (N, H, W, 3), where they lie in arrays; None for files, which are
            decoded one by one.
    """

    data: str
    source: layouts.Source
    stack: U8 | None

    def pixels(self, index: int) -> U8:
        """Return one picture, uint8 (H, W, 3); raises PictureError if it cannot be read."""
        return _rgb(self.source.item(index).pixels if self.stack is None else self.stack[index])

    def title(self, count: int) -> str:
        """Return what some of its pictures are, for people: ``"64 test pictures of CIFAR-10"``."""
        part = f"{self.source.part} " if self.source.part else ""
        return f"{count:,} {part}pictures of {self.source.title}"


def open_pool(data: str, split: str = "test", token: CancelToken = NEVER) -> Pool:
    """Open one part of a data set.

    Args:
        data: id, folder, or ``"auto"``.
        split: the part.
        token: looked at while folders are listed and sheets are unpacked.

    Raises:
        DataError: if it is missing or damaged.
    """
    data = resolve(data)
    source = find(data, split, token)
    return Pool(data, source, None if isinstance(source, layouts.FileSource) else source.stack(token))


def resolve(data: str, preferred: str = "") -> str:
    """Return the data set that ``"auto"`` means on this machine; every other name as it is.

    Args:
        data: id, folder, or ``"auto"``.
        preferred: id of the data set to take if it is there, before CIFAR-10 and Shapes.
    """
    if data != AUTO:
        return data
    for name in (preferred, "cifar10"):
        if name in known_sets:
            with suppress(DataError):
                locate(name)
                return name
    return "shapes"


def fit_batch(pictures: Pictures, card: ModelCard) -> Batch:
    """Make the pictures the net's input, and their classes its labels.

    Classes are matched by name; where that is not possible they are taken in order, and
    ``note`` says so. Noise is standard normal, after normalising, and has random labels.

    Args:
        pictures: what was chosen.
        card: of the net.
    """
    request, count = pictures.request, len(card.classes)
    if request.source == NOISE:
        draw = torch.Generator().manual_seed(request.seed)
        shape = (request.count, card.in_channels, card.input_size, card.input_size)
        images = torch.randn(shape, generator=draw)
        return Batch(images, torch.randint(count, (request.count,), generator=draw), pictures.title)
    fitted = [
        prepare_pixels(pixels, Fit(), size=card.input_size, kind=card.fit, channels=card.in_channels)
        for pixels in pictures.pixels
    ]
    stack = torch.from_numpy(np.stack(fitted)).permute(0, 3, 1, 2)  # (N, C, H, W)
    labels, note = _labels(pictures, card.classes)
    return Batch(normalise(stack, card.normalization).contiguous(), torch.tensor(labels), pictures.title, note)


def _of_set(request: BatchRequest, pool: Pool, token: CancelToken) -> Pictures:
    source = pool.source
    order = np.random.default_rng(request.seed).permutation(len(source.labels))
    pixels: list[U8] = []
    labels: list[int] = []
    for index in order:
        token.check()
        if len(pixels) == request.count:
            break
        try:
            pixels.append(pool.pixels(int(index)))
        except PictureError:
            continue  # another one takes its place
        labels.append(int(source.labels[index]))
    if not pixels:
        raise DataError(f"{pool.data} holds no picture that can be read. Choose another data set.")
    title = f"{pool.title(len(pixels))}, seed {request.seed}"
    return Pictures(tuple(pixels), tuple(labels), tuple(source.classes), title, request)


def _rgb(pixels: U8) -> U8:
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)


def _samples(request: BatchRequest, token: CancelToken) -> Pictures:
    """Cut random squares out of the sample pictures, each at least 60 % of the shorter side, half of them mirrored."""
    found: list[tuple[ImageInput, str]] = []
    for sample in sample_pictures():
        token.check()
        found.append((load_image(sample.path), sample.id))
    if not found:
        raise DataError("The sample pictures are missing. Choose a data set, or noise.")
    rng = np.random.default_rng(request.seed)
    classes = tuple(name for _, name in found)
    pixels, labels = [], []
    for number in range(request.count):
        picture = found[number % len(found)][0].pixels
        height, width = picture.shape[:2]
        side = int(min(height, width) * rng.uniform(0.6, 1.0))
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        cut = picture[top : top + side, left : left + side]
        pixels.append(np.ascontiguousarray(cut[:, ::-1] if rng.random() < 0.5 else cut))
        labels.append(number % len(found))
    title = f"{request.count} cuttings of {len(found)} sample pictures, seed {request.seed}"
    return Pictures(tuple(pixels), tuple(labels), classes, title, request)


def _labels(pictures: Pictures, classes: Sequence[str]) -> tuple[list[int], str]:
    own = {names.plain(name): index for index, name in reversed(list(enumerate(classes)))}
    target = [own.get(names.plain(name)) for name in pictures.classes]
    used = sorted(set(pictures.labels))
    if all(label >= 0 and target[label] is not None for label in used):
        return [int(target[label] or 0) for label in pictures.labels], ""
    if pictures.request.source == SAMPLES:
        # each picture keeps one class: its own where the net knows it, else one drawn from the seed
        rng = np.random.default_rng(pictures.request.seed)
        drawn = [int(rng.integers(len(classes))) for _ in pictures.classes]
        known = [drawn[index] if label is None else label for index, label in enumerate(target)]
        strange = [name for name, label in zip(pictures.classes, target, strict=True) if label is None]
        return [known[label] for label in pictures.labels], (
            f"The net has no class {', '.join(strange[:3])}{' …' if len(strange) > 3 else ''}; one is drawn for each."
        )
    note = "The class names differ from the net's; they are taken in order."
    if max(used) >= len(classes):
        note = f"The data set has {len(pictures.classes)} classes, the net {len(classes)}; they are counted round."
    return [label % len(classes) for label in pictures.labels], note
