"""A short training whose gradients are recorded at every step, live."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resnet_viz.analysis.gradient_flow import NOISE, blocks_of, core_blocks, mean_cosine
from resnet_viz.core.errors import UserError
from resnet_viz.core.token import CancelToken
from resnet_viz.core.types import ModelCard
from resnet_viz.hooks.capture import first_tensor
from resnet_viz.hooks.gradients import block_tensors, watch_blocks, weight_norms
from resnet_viz.hooks.state import borrow, dice
from resnet_viz.jobs.latest import Progress
from resnet_viz.training.config import TrainConfig
from resnet_viz.training.optimizers import make_optimizer

from .batches_of import Batch, fit_batch
from .gradient_nets import Shelf
from .gradient_requests import Recording, StepsTrained, TrainSteps
from .pace import Pace

MAX_NETS = 4
MAX_STEPS = 10_000
COHERENCE_EVERY = 5
"""Steps between two looks at the coherence, which costs a second pass; denser at the beginning."""


def train_steps(shelf: Shelf, request: TrainSteps, token: CancelToken, progress: Progress) -> StepsTrained:
    """Train copies of some nets side by side; step k of each sees the same pictures, those of seed + k.

    No weight decay, schedule or augmentation. A net whose loss is no finite number any more stops
    there, the others go on.

    Args:
        shelf: where nets and pictures come from; its nets stay as they are.
        request: what is trained.
        token: looked at at every block.
        progress: gets a StepsTrained of the steps so far, about ten a second at most.

    Raises:
        UserError: if a net, the pictures or a number makes no sense.
        Cancelled: if the token was set.
    """
    if not 1 <= len(request.nets) <= MAX_NETS:
        raise UserError(f"{len(request.nets)} nets cannot be trained side by side. Choose from 1 to {MAX_NETS}.")
    if not 1 <= request.steps <= MAX_STEPS:
        raise UserError(f"{request.steps} steps cannot be trained here. Give a number from 1 to {MAX_STEPS:,}.")
    config = TrainConfig("", "", optimizer=request.optimizer, lr=request.lr, weight_decay=0.0).check()
    opened = [shelf.net(choice, request.seed, token) for choice in request.nets]
    cards = [card for _, card in opened]
    first = shelf.pictures(request.batch, token)
    title = f"{request.steps} steps · {first.title}"
    learners = [
        _Learner(name, net, card, request, config)
        for name, (net, card) in zip(shelf.titles(request.nets, cards), opened, strict=True)
    ]
    pace = Pace(progress)

    def answer() -> StepsTrained:
        return StepsTrained(tuple(one.recording() for one in learners), tuple(cards), title)

    for step in range(request.steps + 1):
        pictures = shelf.pictures(replace(request.batch, seed=request.batch.seed + step), token) if step else first
        for learner in learners:
            if not learner.diverged:
                learner.record(step, fit_batch(pictures, learner.card), token, last=step == request.steps)
        pace(step / request.steps, answer)
        if all(learner.diverged for learner in learners):
            break
    return answer()


class _Learner:
    """One net in training, and what was recorded of it."""

    def __init__(self, title: str, net: nn.Module, card: ModelCard, request: TrainSteps, config: TrainConfig) -> None:
        self.title, self.card, self.diverged = title, card, False
        self._net = copy.deepcopy(net).train()
        self._parameters = [one for one in self._net.parameters() if one.is_floating_point()]
        for parameter in self._parameters:
            parameter.requires_grad_()
        self._optimizer: Any = make_optimizer(config, self._parameters, fused=False)
        self._seed, self._weights = request.seed, request.weights
        self._steps: list[int] = []
        self._loss: list[float] = []
        self._coherence: list[float] = []
        self._weight_norms: list[list[float]] = []
        self._act_norms: list[list[float]] = []

    def record(self, step: int, batch: Batch, token: CancelToken, *, last: bool) -> None:
        """Record the gradients of a batch and, unless it is the last, step along them."""
        if not self._steps:
            self._blocks = blocks_of(self._net, batch.images)
            self._tensors = block_tensors(self._net, self._blocks)
        looks = last or step % COHERENCE_EVERY == 0 or step & (step - 1) == 0
        leaf = batch.images.clone().requires_grad_(looks)
        with dice(self._net) as draws, torch.enable_grad(), np.errstate(all="ignore"):
            if draws:
                torch.default_generator.manual_seed(self._seed + step)  # of dropout
            near = self._near(step, batch, token) if looks else None
            if draws:
                torch.default_generator.manual_seed(self._seed + step)
            self._optimizer.zero_grad(set_to_none=True)
            with watch_blocks(self._net, blocks=self._blocks, token=token) as watched:
                loss = self._loss_of(leaf, batch.labels)
                loss.backward()  # type: ignore[no-untyped-call]
            value = float(loss.detach())
            self._steps.append(step)
            self._loss.append(value)
            cosine = mean_cosine(leaf.grad, near)
            self._coherence.append(math.nan if cosine is None else cosine)
            self._act_norms.append(watched.act_norms())
            self._weight_norms.append(
                weight_norms([[weight.grad for weight in block.weights(self._weights)] for block in self._tensors])
            )
            self.diverged = not math.isfinite(value)
            if not last and not self.diverged:
                token.check()
                self._optimizer.step()

    def _near(self, step: int, batch: Batch, token: CancelToken) -> Tensor:
        """Return the gradient at the pictures with 1 % noise, (N, C, H, W); the net is left as it is."""
        shift = torch.randn(batch.images.shape, generator=torch.Generator().manual_seed(self._seed + step))
        leaf = (batch.images + shift * (NOISE * batch.images.std())).requires_grad_()
        with borrow(self._net), watch_blocks(self._net, blocks=self._blocks, token=token):
            return torch.autograd.grad(self._loss_of(leaf, batch.labels), leaf)[0]

    def _loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        try:
            logits = first_tensor(self._net(images.clone()))  # a copy: a net may write into its input
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UserError("Batch norm cannot train on one picture. Take a larger batch.") from error
        if logits is None or logits.ndim != 2 or len(logits) != len(labels):
            raise UserError("The net does not answer with one row of logits for each picture. Choose a classifier.")
        return nn.functional.cross_entropy(logits.float(), labels)

    def recording(self) -> Recording:
        """Return what was recorded so far."""
        return Recording(
            title=self.title,
            plain=not any(block.skip for block in self.card.blocks),
            blocks=tuple(block.name for block in self._tensors),
            labels=tuple(block.title for block in self._tensors),
            steps=np.array(self._steps, np.float64),
            loss=np.array(self._loss),
            weight_norm=np.array(self._weight_norms),
            act_norm=np.array(self._act_norms),
            coherence=np.array(self._coherence),
            core=core_blocks([block.kind for block in self._tensors]),
            diverged=self.diverged,
        )
