"""The training loop: ``train(config, run, token)`` yields events and touches nothing but its folder.

The whole data set lies in memory as bytes; crop, flip and normalisation work on batches.
A run that was killed goes on at the start of the epoch it was in, with the same weights,
optimizer, order and augmentation as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resnet_viz.core.paths import atomic_path
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import Normalization
from resnet_viz.data.batches import logits_of, normalise, pad_crop_flip
from resnet_viz.data.datasets import ArraySet
from resnet_viz.data.presets import presets
from resnet_viz.models import create

from . import runs
from .config import TrainConfig
from .events import Checkpoint, Epoch, Event, Failed, Finished, Gradients, Started, Step, to_json

STEP_EVERY = 50
"""Optimizer steps between two ``Step`` events."""


def train(config: TrainConfig, data: ArraySet, run: Path, token: CancelToken = NEVER) -> Iterator[Event]:
    """Train a net and yield what happens; each event is also appended to ``events.jsonl``.

    Args:
        config: the run.
        data: the training part; ``config.val_pictures`` of it are held out for validation.
        run: the run's folder; if it holds a ``last.ckpt`` the run goes on from there.
        token: looked at before each step; stopping writes a checkpoint first.
    """
    run.mkdir(parents=True, exist_ok=True)
    with atomic_path(run / runs.CONFIG) as path:
        path.write_text(config.to_toml(), encoding="utf-8")
    with open(run / runs.EVENTS, "a", encoding="utf-8") as log:
        for event in _Trainer(config, data, run).events(token):
            log.write(to_json(event) + "\n")
            log.flush()
            yield event


class _Trainer:
    def __init__(self, config: TrainConfig, data: ArraySet, run: Path) -> None:
        self.config, self.run = config, run
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.normalization: Normalization = presets.get(config.normalize)
        images = torch.from_numpy(data.images).permute(0, 3, 1, 2)  # (N, 3, H, W), channels last in memory
        labels = torch.from_numpy(data.labels)
        order = np.random.default_rng(config.seed).permutation(len(labels))
        val, part = np.sort(order[: config.val_pictures]), np.sort(order[config.val_pictures :])
        self.train_images, self.train_labels = images[part].to(self.device), labels[part].to(self.device)
        self.val_images, self.val_labels = images[val].to(self.device), labels[val].to(self.device)
        net = create(config.model, seed=config.seed, num_classes=config.num_classes)
        self.net = net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.steps_per_epoch = math.ceil(len(part) / config.batch)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
        )
        self.generator = torch.Generator().manual_seed(config.seed)
        self.bf16 = self._bf16()
        self.step = 0
        self.best = -1.0
        self.blocks = _block_weights(self.net)

    def events(self, token: CancelToken) -> Iterator[Event]:
        """Yield the events of the whole run."""
        config, first, spent = self.config, 1, 0.0
        if state := runs.read_last(self.run):
            self._restore(state)
            first, spent = int(state["epoch"]) + 1, float(state["elapsed_s"])
        else:
            yield Started(
                config.model,
                sum(parameter.numel() for parameter in self.net.parameters()),
                len(self.train_labels),
                len(self.val_labels),
                self.steps_per_epoch,
                config.epochs,
                self.bf16,
            )
        begun = time.monotonic() - spent
        for epoch in range(first, config.epochs + 1):
            loss_sum, right, seen = 0.0, 0, 0
            marked, since = time.monotonic(), 0
            self.net.train()
            order = torch.randperm(len(self.train_labels), generator=self.generator).to(self.device)
            for batch in torch.split(order, config.batch):
                if token.cancelled:
                    yield Finished(epoch - 1, time.monotonic() - begun, stopped=True)
                    return
                loss, correct = self._step(batch)
                if not math.isfinite(loss):
                    yield Failed(
                        f"the loss became {loss} at step {self.step}; the last good weights are kept. "
                        "Lower the learning rate.",
                        diverged=True,
                    )
                    return
                loss_sum, right, seen = loss_sum + loss * len(batch), right + correct, seen + len(batch)
                since += len(batch)
                if config.gradients_every and self.step % config.gradients_every == 1:
                    yield self._gradients()
                if self.step % STEP_EVERY == 0:
                    now = time.monotonic()
                    yield Step(self.step, epoch, loss, self._lr(), since / (now - marked))
                    marked, since = now, 0
            val_loss, val_acc = self._validate()
            elapsed = time.monotonic() - begun
            yield Epoch(epoch, loss_sum / seen, right / seen, val_loss, val_acc, self._lr(), elapsed)
            score = right / seen if val_acc is None else val_acc
            best = score >= self.best
            self.best = max(score, self.best)
            self._save(epoch, best, elapsed)
            yield Checkpoint(epoch, runs.WEIGHTS if best else runs.LAST, best)
        yield Finished(config.epochs, time.monotonic() - begun)

    def _step(self, batch: Tensor) -> tuple[float, int]:
        images = pad_crop_flip(self.train_images[batch], self.config.pad, self.generator, self.config.flip)
        labels = self.train_labels[batch]
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = self.net(normalise(images, self.normalization))  # (N, classes)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        return loss.item(), int((logits.argmax(1) == labels).sum())

    def _lr(self) -> float:
        """Return the learning rate of the next step."""
        config = self.config
        if config.schedule == "steps":
            return config.lr * 0.1 ** sum(self.step >= milestone for milestone in config.milestones)
        # one cycle (Smith 2018): a line up to lr, then half a cosine down to 0
        progress = self.step / max(1, self.steps_per_epoch * config.epochs)
        if progress < config.warmup:
            return config.lr * (0.04 + 0.96 * progress / config.warmup)
        return config.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - config.warmup) / (1 - config.warmup))))

    def _gradients(self) -> Gradients:
        norms = []
        for weights in self.blocks.values():
            grads = [weight.grad for weight in weights if weight.grad is not None]
            norms.append(torch.stack(torch._foreach_norm(grads)).norm())
        return Gradients(self.step, tuple(self.blocks), tuple(torch.stack(norms).tolist()))

    def _validate(self) -> tuple[float | None, float | None]:
        if not len(self.val_labels):
            return None, None
        # the batches all lie on the device: joining them costs one copy of (N, classes)
        logits = torch.cat(list(logits_of(self.net, self.val_images, self.normalization)))
        loss = nn.functional.cross_entropy(logits, self.val_labels)
        return loss.item(), (logits.argmax(1) == self.val_labels).float().mean().item()

    def _save(self, epoch: int, best: bool, elapsed_s: float) -> None:
        if best:
            runs.write_weights(self.run, self.net.state_dict())
        runs.write_last(
            self.run,
            {
                "epoch": epoch,
                "step": self.step,
                "best": self.best,
                "elapsed_s": elapsed_s,
                "net": self.net.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "generator": self.generator.get_state(),
                "rng": torch.get_rng_state(),
            },
        )

    def _restore(self, state: dict[str, object]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self.generator.set_state(state["generator"])  # type: ignore[arg-type]
        torch.set_rng_state(state["rng"])  # type: ignore[arg-type]
        self.step, self.best = int(state["step"]), float(state["best"])  # type: ignore[call-overload, arg-type]

    def _bf16(self) -> bool:
        """Return whether bfloat16 is faster here: six times slower on some CPUs, twice as fast on others."""
        if self.config.bf16 != "auto":
            return self.config.bf16 == "on"
        images = normalise(self.train_images[: self.config.batch], self.normalization)
        times = []
        modes = self.net.training
        self.net.eval()  # running statistics of BN stay as they are
        for enabled in (False, True):
            for attempt in range(3):  # the first pass of each kind pays for choosing kernels
                begun = time.perf_counter()
                with torch.autocast(self.device.type, torch.bfloat16, enabled=enabled):
                    loss = self.net(images).float().mean()
                torch.autograd.grad(loss, list(self.net.parameters()))
                if attempt:
                    times.append(time.perf_counter() - begun)
        self.net.train(modes)
        return min(times[2:]) < min(times[:2])


def _block_weights(net: nn.Module) -> dict[str, list[Tensor]]:
    """Return each block's convolution and linear weights, input side first."""
    specs = net.block_specs() if hasattr(net, "block_specs") else ()  # type: ignore[operator]
    weights: dict[str, list[Tensor]] = {}
    for spec in specs:
        found = [net.get_submodule(name) for name in spec.layers]
        tensors = [module.weight for module in found if isinstance(module, (nn.Conv2d, nn.Linear))]
        if tensors:
            weights[spec.name] = list(tensors)
    return weights
