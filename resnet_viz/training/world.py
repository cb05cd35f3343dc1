"""One process or many: torch.distributed under torchrun, nothing at all otherwise."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class World:
    """The processes that train one net together.

    Attributes:
        rank: number of this process, from 0; rank 0 alone writes files and validates.
        size: number of processes.
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def hardware(self) -> str:
        """Return what computes, for a run's card."""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
            return name if self.size == 1 else f"{self.size} x {name}"
        several = f", {self.size} processes" if self.size > 1 else ""
        return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s){several}"

    def shard(self, count: int) -> slice:
        """Return this process's rows of a batch of ``count``, sizes differing by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sums(self, values: Tensor) -> Tensor:
        """Return the sums of float64 values over all processes, on the CPU."""
        if self.size == 1:
            return values.cpu()
        total = values.to(self.device)
        torch.distributed.all_reduce(total)
        return total.cpu()

    def agree(self, mine: bool) -> bool:
        """Return rank 0's answer to a question that all must answer alike."""
        if self.size == 1:
            return mine
        flag = torch.tensor([mine], dtype=torch.uint8, device=self.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())

    def any(self, mine: bool) -> bool:
        """Return whether any process says yes."""
        if self.size == 1:
            return mine
        flag = torch.tensor([mine], dtype=torch.uint8, device=self.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag.item())

    def wrap(self, net: nn.Module) -> nn.Module:
        """Return the net so that its gradients become means over all processes.

        Batch norm sees each process's own part of the batch, as usual under DDP; its running
        statistics are rank 0's. On GPUs it is turned into SyncBatchNorm, which sees the whole batch.
        """
        if self.size == 1:
            return net
        if self.device.type == "cuda":
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
        from torch.nn.parallel import DistributedDataParallel

        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=devices)


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started, and leave them at the end; alone without torchrun."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = torch.cuda.is_available()
    if size == 1:
        yield World(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(rank, size, device)
        torch.distributed.barrier()  # nobody leaves while another still talks
    finally:
        torch.distributed.destroy_process_group()
