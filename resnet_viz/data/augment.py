"""Augmentation of whole batches: every picture gets draws of its own, all from one generator.

torchvision's v2 transforms draw one crop for a whole batch, and work sample by sample
otherwise. Here the draws come first, as one table of numbers per batch; applying them is a
pure function. So several processes can draw the same table, each apply its own rows, and
together make the very batch that one process would have made.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .batches import constant

DRAWS = 10
"""Numbers drawn per picture."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to a training picture.

    Attributes:
        pad: pixels added on each side before a random crop of the old size (He et al. 2015,
            sec. 4.2). The padding is black before normalising; the paper pads after
            subtracting the mean, that is, with the mean colour.
        flip: mirror with probability 1/2.
        crop_scale: smallest share of the area of a random resized crop, aspect 3/4 to 4/3
            (Szegedy et al. 2014, sec. 6); 0 for none. It takes the place of ``pad``.
        jitter: brightness, contrast and saturation are multiplied by 1 - jitter to 1 + jitter.
    """

    pad: int = 0
    flip: bool = False
    crop_scale: float = 0.0
    jitter: float = 0.0

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw for ``count`` pictures: float32 (count, DRAWS) in 0-1, the same numbers whatever is switched on."""
        return torch.rand(count, DRAWS, generator=generator)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Change a batch as the draws say.

        Args:
            images: uint8 (N, C, H, W), best channels last in memory.
            draws: (N, DRAWS) of :meth:`draw`, on any device.

        Returns:
            (N, C, H, W), uint8, or float32 on the scale 0-255 where colours or sizes changed.
        """
        draws = draws.to(images.device, non_blocking=True)
        if self.crop_scale:
            images = _resized_crop(images, draws, self.crop_scale, self.flip)
        elif self.pad or self.flip:
            images = _pad_crop_flip(images, draws, self.pad, self.flip)
        return _jitter(images, draws, self.jitter) if self.jitter else images


def _pad_crop_flip(images: Tensor, draws: Tensor, pad: int, flip: bool) -> Tensor:
    count, channels, height, width = images.shape
    device = images.device
    offsets = (draws[:, :2] * (2 * pad + 1)).long()  # (N, 2)
    mirrored = (draws[:, 2] < 0.5) & flip
    padded = nn.functional.pad(images, (pad, pad, pad, pad)) if pad else images
    across = torch.arange(width, device=device)
    columns = torch.where(mirrored[:, None], across.flip(0)[None], across[None]) + offsets[:, 1:2]  # (N, W)
    rows = torch.arange(height, device=device)[None] + offsets[:, :1]  # (N, H)
    first = torch.arange(count, device=device)[:, None] * padded.shape[2]  # (N, 1), of each picture's rows
    # whole pixels by their number in the batch: one index each, and the layout that convolutions want
    numbers = (first + rows)[:, :, None] * padded.shape[3] + columns[:, None, :]  # (N, H, W)
    pixels = padded.permute(0, 2, 3, 1).reshape(-1, channels)
    return pixels.index_select(0, numbers.flatten()).view(count, height, width, channels).permute(0, 3, 1, 2)


def _resized_crop(images: Tensor, draws: Tensor, least: float, flip: bool) -> Tensor:
    area = least + (1 - least) * draws[:, 3]
    ratio = torch.exp((draws[:, 4] * 2 - 1) * torch.log(torch.tensor(4 / 3)))
    # width and height as shares of the picture's; a crop never leaves it
    width = (area * ratio).sqrt().clamp(max=1.0)
    height = (area / ratio).sqrt().clamp(max=1.0)
    left, top = draws[:, 0] * (1 - width), draws[:, 1] * (1 - height)
    sign = torch.where((draws[:, 2] < 0.5) & flip, -1.0, 1.0)
    theta = torch.zeros(len(images), 2, 3, device=images.device)  # (N, 2, 3) maps output to input, both -1..1
    theta[:, 0, 0], theta[:, 0, 2] = sign * width, 2 * left + width - 1
    theta[:, 1, 1], theta[:, 1, 2] = height, 2 * top + height - 1
    grid = nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)


def _jitter(images: Tensor, draws: Tensor, amount: float) -> Tensor:
    factors = 1 + amount * (2 * draws[:, 5:8] - 1)  # (N, 3)
    brightness, contrast, saturation = (factors[:, i].view(-1, 1, 1, 1) for i in range(3))
    changed = (images.float() * brightness).clamp(0, 255)
    weights = constant((0.299, 0.587, 0.114), images.device).view(1, 3, 1, 1)  # ITU-R BT.601 luma
    grey = (changed * weights).sum(1, keepdim=True) if images.shape[1] == 3 else changed
    mean = grey.mean((2, 3), keepdim=True)
    changed = (mean + contrast * (changed - mean)).clamp(0, 255)
    if images.shape[1] == 3:
        grey = (changed * weights).sum(1, keepdim=True)
        changed = (grey + saturation * (changed - grey)).clamp(0, 255)
    return changed
