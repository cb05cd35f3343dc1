"""A training step recorded once and replayed as a whole, for GPUs.

A step of ResNet-20 is some three hundred small kernels. Started one by one from Python they
take longer to start than to run; a CUDA graph starts them all at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

WARM = 3
"""Passes before the recording, in which kernels are chosen and memory is taken."""

Work = Callable[[Tensor, Tensor], tuple[Tensor, ...]]


class StepGraph:
    """The forward and backward pass of one batch size, as one CUDA graph.

    The net must keep its weights and buffers in place, as it does in training, and its modes;
    hooks do not run when the graph is replayed.

    Args:
        work: gets indices (n,) and draws (n, DRAWS), both on the GPU, returns tensors on the GPU
            and leaves gradients in the net; it must not wait for the GPU.
        net: on the GPU; its buffers and the GPU's random numbers are left as they were.
        indices: (n,), of a batch of the size to be recorded.
        draws: (n, DRAWS).

    Raises:
        RuntimeError: if something in ``work`` cannot be recorded, or the GPU's memory is too small
            for a recorded step beside others.
    """

    def __init__(self, work: Work, net: nn.Module, indices: Tensor, draws: Tensor) -> None:
        self._indices, self._draws = indices.clone(), draws.to(indices.device, copy=True)
        self._weights = [weight for weight in net.parameters() if weight.requires_grad]
        buffers = list(net.buffers())
        kept, random = [buffer.clone() for buffer in buffers], torch.cuda.get_rng_state(indices.device)
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        self._graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(aside):
                for _ in range(WARM):
                    self._forget()
                    work(self._indices, self._draws)
            here.wait_stream(aside)
            if 2 * torch.cuda.max_memory_allocated(indices.device) > _memory(indices.device):
                raise RuntimeError("what a recorded step keeps leaves no room for one that is not recorded")
            self._forget()  # the backward pass then makes gradients that belong to the graph
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._outputs = work(self._indices, self._draws)
            self._gradients = [weight.grad for weight in self._weights]
        finally:
            torch.cuda.synchronize()
            for buffer, value in zip(buffers, kept, strict=True):
                buffer.copy_(value)
            torch.cuda.set_rng_state(random, indices.device)

    def _forget(self) -> None:
        for weight in self._weights:
            weight.grad = None

    def run(self, indices: Tensor, draws: Tensor) -> tuple[Tensor, ...]:
        """Do the step; what is returned, like the gradients, is overwritten by the next one.

        Args:
            indices: (n,), on the GPU.
            draws: (n, DRAWS), on any device.
        """
        self._indices.copy_(indices)
        self._draws.copy_(draws, non_blocking=True)
        for weight, gradient in zip(self._weights, self._gradients, strict=True):
            weight.grad = gradient
        self._graph.replay()
        return self._outputs


def _memory(device: torch.device) -> int:
    """Return a GPU's memory in bytes."""
    return int(torch.cuda.get_device_properties(device).total_memory)
