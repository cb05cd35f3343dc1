"""The Train workspace's worker: data, costs, runs and judgements, away from the window and from Inspect's nets."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from resnet_viz.core.errors import UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import U8
from resnet_viz.training.alive import is_alive
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.history import find_runs, read_history

from .child_process import child_command, run_child
from .training_requests import (
    Cost,
    DataFacts,
    DescribeData,
    DescribeNet,
    Downloaded,
    DownloadOffered,
    DownloadSet,
    EstimateCost,
    JudgeRun,
    ListRuns,
    MapsWatched,
    NetDescribed,
    OfferDownload,
    RunJudged,
    RunList,
    WatchMaps,
)

SAMPLES = 30
AUGMENTED = 8
"""Copies of one picture as the net may see it, shown after the picture itself."""

Progress = Callable[[float], None]


class TrainingDesk:
    """Answers requests; belongs to one thread. The data set that was looked at last is kept."""

    def __init__(self) -> None:
        self._data: tuple[tuple[Any, ...], Any] | None = None

    def handle(self, request: object, token: CancelToken, progress: Progress) -> object:
        """Answer one request.

        Raises:
            UserError: where the input is at fault.
            Cancelled: if the token was set.
        """
        if isinstance(request, ListRuns):
            histories = [read_history(path) for path in find_runs(request.folders)]
            return RunList(tuple(histories), frozenset(run.path for run in histories if is_alive(run.path)))
        if isinstance(request, DescribeData):
            return self._describe(request.config, token, progress)
        if isinstance(request, EstimateCost):
            return _estimate(request.config, token)
        if isinstance(request, DescribeNet):
            return _describe_net(request.config)
        if isinstance(request, WatchMaps):
            return _watch(request, token)
        if isinstance(request, JudgeRun):
            return self._judge(request.run, token, progress)
        if isinstance(request, OfferDownload):
            from resnet_viz.data.download import offer

            found = offer(request.data)
            return DownloadOffered(request.data, found.title, found.hosts, found.megabytes, found.folder)
        if isinstance(request, DownloadSet):
            from resnet_viz.data.download import download

            return Downloaded(request.data, download(request.data, token=token, progress=progress))
        raise TypeError(f"the training desk does not know {type(request).__name__}")

    def _load(self, config: TrainConfig, split: str, token: CancelToken, progress: Progress) -> Any:
        from resnet_viz.training.prepare import input_size, load_part

        key = (config.data, split, input_size(config), config.model, config.test_share, config.seed)
        if self._data is None or self._data[0] != key:
            self._data = (key, load_part(config, split, token, progress))
        return self._data[1]

    def _describe(self, config: TrainConfig, token: CancelToken, progress: Progress) -> DataFacts:
        from resnet_viz.data.splits import split_train_val
        from resnet_viz.data.summary import summarise

        data = self._load(config, "train", token, progress)
        part, val = split_train_val(data.labels, config.val_share, config.seed)
        summary = summarise(data, samples=max(1, SAMPLES // len(data.classes)), token=token)
        rows = summary.samples.T  # the first of each class, then the second of each
        chosen = rows[rows >= 0][:SAMPLES]
        return DataFacts(
            data.title,
            data.classes,
            tuple(int(count) for count in summary.counts),
            len(part),
            len(val),
            summary.normalization.mean,
            summary.normalization.std,
            _colour(data.images[chosen]),
            data.labels[chosen],
            _augmented(config, data.images[chosen[0]]),
            data.skipped,
        )

    def _judge(self, run: Path, token: CancelToken, progress: Progress) -> RunJudged:
        import torch

        from resnet_viz.data.batches import logits_of
        from resnet_viz.models.checkpoint import load_checkpoint
        from resnet_viz.training import layout

        from .results import card_normalization, read_card

        config, card = TrainConfig.read(run / layout.CONFIG), read_card(run)
        net, _ = load_checkpoint(run, config.model)
        data = self._load(config, "test", token, progress)
        tensor = torch.from_numpy(data.images).permute(0, 3, 1, 2)
        batch = 250 if data.images.shape[1] <= 64 else 20
        probs = []
        for index, logits in enumerate(logits_of(net, tensor, card_normalization(card), batch=batch, token=token)):
            probs.append(logits.softmax(1))
            progress(min(1.0, (index + 1) * batch / len(tensor)))
        best, answers = torch.cat(probs).max(1)
        confusion = np.zeros((len(data.classes),) * 2, np.int64)
        np.add.at(confusion, (data.labels, answers.numpy()), 1)
        return RunJudged(run, _colour(data.images), data.labels, answers.numpy(), best.numpy(), data.classes, confusion)


def _colour(images: U8) -> U8:
    return images if images.shape[3] == 3 else np.repeat(images, 3, axis=3)


def _augmented(config: TrainConfig, image: U8) -> U8:
    """Return one picture (S, S, C) as it is, then eight times as the net may see it."""
    import torch

    from resnet_viz.data.augment import Augmentation

    made = Augmentation(config.pad, config.flip, config.crop_scale, config.jitter)
    batch = torch.from_numpy(np.stack([image] * AUGMENTED)).permute(0, 3, 1, 2)
    draws = made.draw(AUGMENTED, torch.Generator().manual_seed(config.seed))
    changed = made.apply(batch, draws).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return _colour(np.concatenate([image[None], changed]))


def _estimate(config: TrainConfig, token: CancelToken) -> Cost:
    """Ask a process of its own, which gives way to the window like a training run does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "config.toml").write_text(config.to_toml(), encoding="utf-8")
        done = run_child(child_command("--resume", str(path), "--estimate", "--json", "--controlled"), token)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason was given"]
        raise UserError(last[0].removeprefix("resnet-viz: "))
    return Cost(json.loads(done.stdout))


def _describe_net(config: TrainConfig) -> NetDescribed:
    from .loading import open_model
    from .requests import OpenModel

    options: dict[str, object] = {"batch_norm": config.batch_norm, "activation": config.activation}
    if config.shortcut:
        options["shortcut"] = config.shortcut
    request = OpenModel(config.model, untrained=True, options=options, classes=config.num_classes or None)
    return NetDescribed(config, open_model(request)[1])


def _watch(request: WatchMaps, token: CancelToken) -> MapsWatched:
    import torch

    from resnet_viz.analysis.activations import observe
    from resnet_viz.analysis.statistics import channel_stats
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.transforms import prepare
    from resnet_viz.models import models
    from resnet_viz.training import layout, runs
    from resnet_viz.training.parts import build
    from resnet_viz.training.prepare import input_size

    from .results import card_normalization, read_card

    config, card = TrainConfig.read(request.run / layout.CONFIG), read_card(request.run)
    state = runs.read_last(request.run)
    if state is None:
        raise UserError("The run has no checkpoint yet. Its maps appear after the first one.")
    net = build(dataclasses.replace(config, start_from="", num_classes=len(card["classes"])))
    net.load_state_dict(state["net"])
    net.eval()
    size, spec = input_size(config), models.get(config.model)
    kind = "imagenet" if size >= 160 else "square"
    view = prepare(request.image, request.fit, size=size, kind=kind, channels=spec.in_channels)
    x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], card_normalization(card))
    seen = observe(net, x, layers=(request.layer,), energies=(), parts=None, predict=False, token=token)
    activation = seen.activations[request.layer]
    return MapsWatched(request.run, int(state["epochs"]), activation, channel_stats(activation.maps))
