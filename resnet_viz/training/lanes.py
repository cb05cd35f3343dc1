"""Lanes: parts of a batch that go through the net side by side, each on cores of its own.

PyTorch spreads every single operation over the cores, which wait for each other after each.
Halves of a batch on cores of their own wait once a step. Batch norm then sees one lane's
pictures, as in the paper, whose batches of 128 lay on two GPUs (He et al. 2015, sec. 4.2;
Hoffer et al. 2017 call it ghost batch norm); gradients are those of the whole batch's loss,
running statistics the mean of the lanes'.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import torch
from torch import nn

from resnet_viz.core.errors import UserError
from resnet_viz.hooks.state import has_dropout

from .config import TrainConfig
from .world import World

Result = TypeVar("Result")

AUTO = 2
"""Lanes of a run on a processor that does not say how many it wants."""

SMALLEST = 16
"""Pictures of a lane below which batch norm's statistics would be poor: such a batch goes through one lane."""


def lanes_of(config: TrainConfig, net: nn.Module, world: World) -> int:
    """Return how many lanes a new run has.

    One number for every processor, so that a seed means the same on all of them.

    Raises:
        UserError: if the run asks for several and cannot have them.
    """
    why = ""
    if world.size > 1:
        why = "the run has several processes already"
    elif world.device.type != "cpu":
        why = "a GPU needs none"
    elif has_dropout(net):
        why = "dropout draws its numbers one after another"
    elif config.compile:
        why = "a compiled net takes whole batches"
    if config.lanes > 1 and 2 * config.lanes > config.batch:
        why = f"a batch of {config.batch} leaves some of them fewer than two pictures"
    if config.lanes > 1 and why:
        raise UserError(f"lanes is {config.lanes}, but {why}. Leave lanes at 0.")
    if config.lanes:
        return config.lanes
    return 1 if why or config.batch < AUTO * SMALLEST else AUTO


class Lanes:
    """A net and its replicas, which share its weights and have gradients and buffers of their own.

    Where there are as many threads as lanes they run at the same time, else one after another:
    with the same result, to the last bit where each has as many threads.

    Args:
        net: on the CPU where ``count`` is above 1.
        count: lanes.
        batch: pictures of a full batch; one that has fewer than its share for each lane, and
            than :data:`SMALLEST`, goes through the first lane alone.

    Attributes:
        least: pictures of a batch from which on all lanes have work.
    """

    def __init__(self, net: nn.Module, count: int, batch: int) -> None:
        self.nets = [net, *(_replica(net) for _ in range(count - 1))]
        self._busy = count
        self.least = count * max(2, min(SMALLEST, batch // count))
        self._threads = torch.get_num_threads()
        self._share = max(1, self._threads // count)
        self._pool: ThreadPoolExecutor | None = None
        if 1 < count <= self._threads:
            self._pool = ThreadPoolExecutor(count - 1, "lane", torch.set_num_threads, (self._share,))
        self._weights = [list(one.parameters()) for one in self.nets]
        # statistics are means; counters of batches go alike in all lanes that have work
        self._statistics = [[b for b in one.buffers() if b.is_floating_point()] for one in self.nets]
        self._counters = [[b for b in one.buffers() if not b.is_floating_point()] for one in self.nets]

    def align_modes(self) -> None:
        """Put every layer of the replicas into the mode that it has in the net."""
        modes = [module.training for module in self.nets[0].modules()]
        for replica in self.nets[1:]:
            for module, mode in zip(replica.modules(), modes, strict=True):
                module.training = mode

    def narrowed(self) -> AbstractContextManager[None]:
        """Leave the caller its own lane's share of the cores: its operations then wait for no other lane."""
        return self._with_threads(self._share)

    def widened(self) -> AbstractContextManager[None]:
        """Give the caller all cores while the other lanes rest."""
        return self._with_threads(self._threads)

    @contextmanager
    def _with_threads(self, count: int) -> Iterator[None]:
        if self._pool is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def run(self, work: Callable[[nn.Module, slice], Result], count: int) -> list[Result]:
        """Do work for each lane's rows of a batch of ``count``.

        Args:
            work: gets the lane's net and rows; in a thread of its own for all lanes but the first.
            count: pictures.

        Returns:
            The result of each lane that had work, in the order of the rows.
        """
        self._busy = lanes = len(self.nets) if count >= self.least else 1
        rows = [slice(count * lane // lanes, count * (lane + 1) // lanes) for lane in range(lanes)]
        if self._pool is None or lanes == 1:  # alone on its share of the cores too: more threads give other bits
            return [work(net, mine) for net, mine in zip(self.nets, rows, strict=False)]
        others = [self._pool.submit(work, net, mine) for net, mine in zip(self.nets[1:], rows[1:], strict=True)]
        try:
            first = work(self.nets[0], rows[0])
        finally:
            wait(others)  # nobody touches the weights while a lane still reads them
        return [first, *(other.result() for other in others)]

    def gather(self) -> None:
        """Add up the lanes' gradients in the net, and bring its and their statistics to the mean of the last run."""
        if len(self.nets) == 1:
            return
        for weights in self._weights[1 : self._busy]:
            pairs = list(zip(self._weights[0], weights, strict=True))
            found = [(one.grad, other.grad) for one, other in pairs if one.grad is not None and other.grad is not None]
            for one, other in pairs:
                if one.grad is None:
                    one.grad = other.grad
            if found:
                torch._foreach_add_([one for one, _ in found], [other for _, other in found])
            for other in weights:
                other.grad = None
        own, rest = self._statistics[0], self._statistics[1:]
        if own:
            # by differences: statistics that no lane changes stay the same to the last bit
            for apart in [torch._foreach_sub(values, own) for values in rest[: self._busy - 1]]:
                torch._foreach_add_(own, apart, alpha=1 / self._busy)
            for values in rest:
                torch._foreach_copy_(values, own)
        if self._busy < len(self.nets) and self._counters[0]:
            for counters in self._counters[1:]:
                torch._foreach_copy_(counters, self._counters[0])

    def close(self) -> None:
        """End the lanes' threads."""
        if self._pool is not None:
            self._pool.shutdown()


def _replica(net: nn.Module) -> nn.Module:
    """Return a copy of a net whose weights lie in the same memory and have gradients of their own."""
    weights = {id(one): nn.Parameter(one.detach(), one.requires_grad) for one in net.parameters()}
    return copy.deepcopy(net, dict(weights))
