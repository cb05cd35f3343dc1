"""The training loop: ``train(config, data, run, token)`` yields events and writes only into its folder.

The whole data set lies in memory as bytes; augmentation and normalisation work on batches.
A run that was killed goes on from its last checkpoint, inside an epoch too, with the same
weights, optimizer, order and random numbers: on the CPU, with as many threads, bit for bit
as if it had never stopped.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.data.augment import Augmentation
from resnet_viz.data.batches import logits_of, normalise
from resnet_viz.data.datasets import ArraySet
from resnet_viz.data.splits import split_train_val

from . import layout, onednn, runs
from .config import TrainConfig
from .control import RunControl
from .events import Checkpoint, Epoch, Event, Failed, Finished, Gradients, Paused, Started, Step, to_json
from .fast_layers import speed_up
from .lanes import Lanes, lanes_of
from .measure import Measure, in_bf16
from .optimizers import make_optimizer
from .parts import build, freeze
from .prepare import complete, first_card, normalization_of, recorded_normalization
from .schedules import learning_rate
from .step_graph import StepGraph
from .tensorboard import TensorBoardLog
from .world import World, joined

STEP_EVERY = 50
"""Optimizer steps between two ``Step`` events, fewer where they take longer than ``STEP_EVERY_S``."""

STEP_EVERY_S = 1.0


def train(config: TrainConfig, data: ArraySet, run: Path, token: CancelToken = NEVER) -> Iterator[Event]:
    """Train a net and yield what happens; each event is also a line of the run's ``events.jsonl``.

    Under torchrun every process calls this alike; only rank 0 writes, validates and yields.

    Args:
        config: the run.
        data: the training part; ``config.val_share`` of it is held out for validation.
        run: the run's folder; if it holds a ``last.ckpt`` the run goes on from there.
        token: looked at before each step; stopping writes a checkpoint first. A
            :class:`.control.RunControl` can also hold the run.

    Raises:
        UserError: if the configuration, the weights it starts from or its checkpoint do not
            fit, or the folder cannot be written. What goes wrong later is a ``Failed`` event.
    """
    with joined() as world:
        # the net goes before the process group does: DDP's threads use it
        yield from _lead(config, data, run, token, world) if world.leads else _follow(config, data, run, token, world)


def _follow(config: TrainConfig, data: ArraySet, run: Path, token: CancelToken, world: World) -> Iterator[Event]:
    for _ in _Trainer(complete(config, data), data, run, world).events(token):
        pass
    yield from ()


def _lead(config: TrainConfig, data: ArraySet, run: Path, token: CancelToken, world: World) -> Iterator[Event]:
    trainer = _Trainer(complete(config, data), data, run, world)
    log = runs.EventLog(run, trainer.log_bytes)
    trainer.log = log
    board: TensorBoardLog | None = None
    try:
        if config.tensorboard:
            board = TensorBoardLog(run, trainer.step)
        for event in trainer.events(token):
            log.add(to_json(event))
            if board is not None:
                board.add(event)
            yield event
    except OutputError as error:  # a full disk: what was written before is whole
        failed = Failed(str(error))
        with contextlib.suppress(OutputError):
            log.add(to_json(failed))
        yield failed
    finally:
        for one in (log, board):
            with contextlib.suppress(OutputError):
                if one is not None:
                    one.close()
        trainer.lanes.close()


Part = tuple[Tensor, Tensor, Tensor, Tensor]
"""Images (n, C, H, W), labels (n,), how many answers were right, and the loss."""


class _Trainer:
    """One run in one process; the events are its only way out."""

    def __init__(self, config: TrainConfig, data: ArraySet, run: Path, world: World) -> None:
        self.run, self.world = run, world
        device = world.device
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # batches are all of one shape
        part, val = split_train_val(data.labels, config.val_share, config.seed)
        kept = replace(data, images=data.images[part], labels=data.labels[part]) if len(val) else data
        state = runs.read_last(run)
        known = None if state is None else recorded_normalization(run)
        self.normalization = known or normalization_of(config, kept)
        images = torch.from_numpy(data.images).permute(0, 3, 1, 2)  # (N, C, H, W), channels last in memory
        labels = torch.from_numpy(data.labels)
        self.images, self.labels = images[part].to(device), labels[part].to(device)
        self.val_images, self.val_labels = images[val].to(device), labels[val].to(device)
        self.log_bytes = None if state is None else int(state["log_bytes"])
        # a run that goes on has its weights: those it once started from may be gone
        net = build(config if state is None else replace(config, start_from=""))
        layout_ = torch.channels_last if config.channels_last else torch.contiguous_format
        self.net = net.to(device, memory_format=layout_)  # type: ignore[call-overload]
        self.config = config
        # kept in the checkpoint: what was chosen may be "as many as are good", and must stay what it was
        self.chosen_lanes = lanes_of(config, net, world) if state is None else int(state.get("lanes", 1))
        several = world.size > 1 or device.type != "cpu"  # a run may go on elsewhere than it began
        self.sizes = _batch_sizes(len(part), config.batch, world.size)
        self.total_steps = len(self.sizes) * config.epochs
        if config.max_steps:
            self.total_steps = min(self.total_steps, config.max_steps)
        self.part = freeze(self.net, config.train_part)
        self.optimizer: Any = make_optimizer(config, self.part.parameters, fused=True)
        self.augmentation = Augmentation(config.pad, config.flip, config.crop_scale, config.jitter)
        self.generator = torch.Generator().manual_seed(config.seed)
        torch.manual_seed(config.seed + world.rank)  # of dropout
        self.step, self.position, self.done_epochs, self.spent_s = 0, 0, 0, 0.0
        self.best, self.bf16 = -math.inf, False
        self.order: Tensor | None = None
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)  # loss, right answers, pictures
        self.log: runs.EventLog | None = None
        if state is None:
            self.bf16 = world.agree(self._choose_bf16())
        else:
            self._restore(state)
        speed_up(self.net)
        fits = not several and onednn.worthwhile(net)
        wanted = onednn.chosen(config, net, self.bf16) if state is None else bool(state.get("onednn"))
        self.onednn = fits and wanted and onednn.adapt(self.net)
        # kept in the checkpoint, like the lanes
        self.chosen_onednn = self.onednn if state is None else wanted
        self.lanes = Lanes(self.net, 1 if several else self.chosen_lanes, config.batch)
        self.measure = Measure(self.lanes.nets)
        if world.leads:
            self._write_beginning(data)
        self.replays = device.type == "cuda" and world.size == 1 and not config.compile
        self.graph: StepGraph | None = None
        self.forward: nn.Module = world.wrap(self.net)
        if config.compile:
            self.forward = torch.compile(self.forward)  # type: ignore[assignment]

    def _write_beginning(self, data: ArraySet) -> None:
        with atomic_path(self.run / layout.CONFIG) as path:
            path.write_text(self.config.to_toml(), encoding="utf-8")
        params = sum(parameter.numel() for parameter in self.net.parameters())
        runs.sweep(self.run)
        hardware = self.world.hardware()
        if (self.run / layout.CARD).exists():
            runs.add_hardware(self.run, hardware)
        else:
            lanes = self.chosen_lanes
            card = first_card(self.config, self.run, data, self.normalization, params, lanes, hardware)
            runs.write_card(self.run, card)

    def events(self, token: CancelToken) -> Iterator[Event]:
        """Yield the events of the whole run, or of what is left of it."""
        yield self._started()
        self.begun = self.saved = time.monotonic()
        for epoch in range(self.done_epochs + 1, self.config.epochs + 1):
            if self.step >= self.total_steps and self.order is None:
                break
            with self.lanes.narrowed():
                for event in self._epoch(epoch, token):
                    yield event
                    if isinstance(event, (Failed, Finished)):
                        return
            for event in self._end_epoch(epoch):
                yield event
                if isinstance(event, Failed):
                    return
        yield Finished(self.done_epochs, self._elapsed())

    def _epoch(self, epoch: int, token: CancelToken) -> Iterator[Event]:
        if self.order is None:
            self.order = torch.randperm(len(self.labels), generator=self.generator)
            self.sums.zero_()
            self.position = 0
        self.part.train_mode(self.net)
        self.lanes.align_modes()
        batches = torch.split(self.order.to(self.world.device), [*self.sizes, len(self.labels) - sum(self.sizes)])
        marked, since, last = time.monotonic(), 0, 0.0
        for batch in batches[self.position : len(self.sizes)]:
            if self.step >= self.total_steps:
                break
            stops = self.world.any(token.cancelled)
            control = token if isinstance(token, RunControl) and token.paused and not stops else None
            # both save: what is saved must be worth going on with
            if (stops or control) and self.world.any(not self._finite()):
                yield self._diverged(last)
                return
            if control:
                yield from self._hold(control)
                marked, since = time.monotonic(), 0
                stops = self.world.any(token.cancelled)
            if stops:
                yield self._save(False)
                yield Finished(self.done_epochs, self._elapsed(), stopped=True)
                return
            loss, gradients = self._step(batch)
            now = time.monotonic()
            since += len(batch)
            cpu, due = loss.device.type == "cpu", self.step % STEP_EVERY == 0
            speak = due or now - marked >= STEP_EVERY_S
            if cpu or speak:  # on a GPU, looking at the loss waits for it
                last = loss.item()
                # several processes must ask each other at the same steps, and each is late in its own way
                asks = cpu or due or self.world.size == 1
                # oneDNN's ReLU makes 0 of NaN: there the loss may not show what has become of the weights
                if asks and self.world.any(not math.isfinite(last) or (speak and not self._finite())):
                    yield self._diverged(last)
                    return
            if gradients is not None:
                yield gradients
            if speak:
                yield Step(self.step, epoch, last, self._lr(), since / max(now - marked, 1e-9))
                marked, since = now, 0
                every = self.config.checkpoint_every_s
                if every and now - self.saved > every and self.world.size == 1:
                    yield self._save(False)

    def _end_epoch(self, epoch: int) -> Iterator[Event]:
        sums = self.world.sums(self.sums)
        loss, accuracy = float(sums[0] / sums[2]), float(sums[1] / sums[2])
        # no training loss tells what the last step did
        if not math.isfinite(loss) or self.world.any(not self._finite()):
            yield self._diverged(loss)
            return
        val_loss, val_acc = self._validate() if self.world.leads else (None, None)
        if self.world.any(val_loss is not None and not math.isfinite(val_loss)):
            yield self._diverged(math.nan)
            return
        self.order, self.done_epochs = None, epoch
        yield Epoch(epoch, loss, accuracy, val_loss, val_acc, self._lr(), self._elapsed())
        score = accuracy if val_acc is None else val_acc
        best = score >= self.best
        self.best = max(score, self.best)
        yield self._save(best)

    def _step(self, batch: Tensor) -> tuple[Tensor, Gradients | None]:
        """Do one optimizer step with this process's share of a batch of indices."""
        rows = self.world.shard(len(batch))
        mine = batch[rows]
        draws = self.augmentation.draw(len(batch), self.generator)[rows]
        record = self.world.leads and self._recorded()
        parts = self._replayed(mine, draws) if not record and len(mine) == self.config.batch else None
        if parts is None:
            self.optimizer.zero_grad(set_to_none=True)
            whole = len(batch)

            def work(net: nn.Module, part: slice) -> Part:
                # a compiled net would be compiled anew for the hooks of a recorded step
                forward = net if net is not self.net or (record and self.config.compile) else self.forward
                return self._pass(forward, mine[part], draws[part], whole, self.onednn and not record)

            with self.measure.watching(record):
                parts = self.lanes.run(work, len(mine))
            self.lanes.gather()
        lr = self._lr()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        loss = torch.stack([one * (len(labels) / len(mine)) for _, labels, _, one in parts]).sum()
        gradients = None
        if record:
            with self.lanes.widened():
                gradients = self.measure.gradients(self.step + 1, loss, *parts[0][:2])
        self.optimizer.step()
        self.step, self.position = self.step + 1, self.position + 1
        for _, labels, right, one in parts:
            seen = right.new_full((), len(labels), dtype=torch.float64)
            self.sums += torch.stack((one.double() * len(labels), right.double(), seen))
        return loss, gradients

    def _pass(self, forward: nn.Module, chosen: Tensor, draws: Tensor, whole: int, enters: bool = False) -> Part:
        """Return images, labels, right answers and loss of a part of a batch, its gradients left in the net.

        Args:
            forward: the net, one of its replicas, or what wraps it.
            chosen: indices of the part's pictures, (n,).
            draws: (n, DRAWS).
            whole: pictures of the batch.
            enters: whether the pass is in oneDNN's layout, which hooks cannot read.
        """
        images = normalise(self.augmentation.apply(self.images[chosen], draws), self.normalization)
        labels = self.labels[chosen]
        # DDP divides by the number of processes; parts of a batch may differ by one picture
        share = len(chosen) * self.world.size / whole
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.bf16):
            logits = forward(onednn.enter(images) if enters else images)  # (n, classes)
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=self.config.label_smoothing)
        (loss if share == 1 else loss * share).backward()  # type: ignore[no-untyped-call]
        return images, labels, (logits.detach().argmax(1) == labels).sum(), loss.detach()

    def _replayed(self, batch: Tensor, draws: Tensor) -> list[Part] | None:
        """Do a full batch's pass by replaying its graph, recorded at the first one; None where there is none."""
        if not self.replays:
            return None
        if self.graph is None:

            def work(chosen: Tensor, rows: Tensor) -> Part:
                return self._pass(self.net, chosen, rows, len(chosen))

            try:
                self.graph = StepGraph(work, self.net, batch, draws)
            except RuntimeError:  # the step of this net cannot be recorded; it still runs, one kernel at a time
                self.replays = False
                return None
        images, labels, right, loss = self.graph.run(batch, draws)
        return [(images, labels, right, loss)]

    def _recorded(self) -> bool:
        """Return whether this step's gradients are recorded: every so many steps, and densely at the beginning.

        In the first ten steps norms move by factors of thousands.
        """
        every = self.config.gradients_every
        return bool(every) and (self.step % every == 0 or (self.step < every and self.step & (self.step - 1) == 0))

    def _lr(self) -> float:
        """Return the learning rate of the next step."""
        return learning_rate(self.config, self.step, self.total_steps)

    def _elapsed(self) -> float:
        return self.spent_s + time.monotonic() - self.begun

    def _hold(self, token: RunControl) -> Iterator[Event]:
        yield self._save(False)
        yield Paused(self.step, True)
        held = time.monotonic()
        token.wait()
        self.begun += time.monotonic() - held  # waiting is no training time
        yield Paused(self.step, False)

    def _finite(self) -> bool:
        """Return whether all weights and running statistics are numbers."""
        values = [one for one in (*self.part.parameters, *self.net.buffers()) if one.is_floating_point()]
        return bool(torch.stack([one.detach().isfinite().all() for one in values]).all())

    def _diverged(self, loss: float) -> Failed:
        finite = math.isfinite(loss)
        what = "Weights or running statistics are no longer numbers" if finite else f"The loss became {loss}"
        return Failed(
            f"{what} at step {self.step}: training diverged. The last good weights are kept. "
            f"Start again with a smaller learning rate than {self.config.lr:g}.",
            diverged=True,
        )

    def _started(self) -> Started:
        return Started(
            self.config.model,
            sum(parameter.numel() for parameter in self.net.parameters()),
            len(self.labels),
            len(self.val_labels),
            len(self.sizes),
            self.config.epochs,
            self.bf16,
            self.total_steps,
            self.step,
            self.world.size,
            torch.get_num_threads(),
            len(self.lanes.nets),
        )

    def _validate(self) -> tuple[float | None, float | None]:
        if not len(self.val_labels):
            return None, None
        # the batches all lie on the device: joining them costs one copy of (N, classes)
        batch = 500 if self.images.shape[-1] <= 64 else 50
        logits = torch.cat(list(logits_of(self.net, self.val_images, self.normalization, batch=batch)))
        loss = nn.functional.cross_entropy(logits, self.val_labels)
        return loss.item(), (logits.argmax(1) == self.val_labels).float().mean().item()

    def _save(self, best: bool) -> Checkpoint:
        """Write the checkpoint, the best weights where these are, and the epoch's where it is over."""
        over = self.order is None
        name = layout.WEIGHTS if best else layout.LAST
        if not self.world.leads:
            return Checkpoint(self.done_epochs, name, best)
        weights = self.net.state_dict()
        if best:
            runs.write_weights(self.run / layout.WEIGHTS, weights)
        if over and self.config.keep_epochs:
            runs.write_weights(runs.epoch_path(self.run, self.done_epochs), weights)
        runs.write_last(
            self.run,
            {
                "step": self.step,
                "position": self.position,
                "epochs": self.done_epochs,
                "order": self.order,
                "sums": self.sums.cpu(),
                "best": self.best,
                "elapsed_s": self._elapsed(),
                "bf16": self.bf16,
                "lanes": self.chosen_lanes,
                "onednn": self.chosen_onednn,
                "log_bytes": self.log.size() if self.log is not None else 0,
                "net": weights,
                "optimizer": self.optimizer.state_dict(),
                "generator": self.generator.get_state(),
                "rng": torch.get_rng_state(),
            },
        )
        self.saved = time.monotonic()
        return Checkpoint(self.done_epochs, name, best)

    def _restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["rng"])
        if self.world.rank:  # the state is rank 0's: others draw dropout of their own
            torch.manual_seed(self.config.seed + int(state["step"]) * self.world.size + self.world.rank)
        elif self.images.is_cuda:  # what is kept is the processor's
            torch.cuda.manual_seed(self.config.seed + int(state["step"]))
        self.step, self.position = int(state["step"]), int(state["position"])
        self.done_epochs, self.best = int(state["epochs"]), float(state["best"])
        self.order, self.bf16 = state["order"], bool(state["bf16"])
        self.spent_s = float(state["elapsed_s"])
        self.sums.copy_(state["sums"])

    def _choose_bf16(self) -> bool:
        images = normalise(self.images[: self.config.batch], self.normalization)
        return in_bf16(self.config.bf16, self.net, images)


def _batch_sizes(pictures: int, batch: int, processes: int) -> list[int]:
    """Return the sizes of an epoch's batches.

    A last batch that leaves a process fewer than two pictures is left out (batch norm cannot
    work with one), unless it is the only one.
    """
    sizes = [batch] * (pictures // batch)
    rest = pictures % batch
    if rest and (rest >= 2 * processes or not sizes):
        sizes.append(rest)
    return sizes
