"""Augmentation against the same thing done picture by picture."""

from __future__ import annotations

import numpy as np
import torch

from resnet_viz.data.augment import Augmentation


def batch(count: int = 40, side: int = 12, channels: int = 3) -> torch.Tensor:
    values = torch.randint(0, 256, (count, side, side, channels), generator=torch.Generator().manual_seed(1))
    return values.to(torch.uint8).permute(0, 3, 1, 2)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_nothing_switched_on_changes_nothing() -> None:
    images = batch()
    made = Augmentation()
    assert torch.equal(made.apply(images, made.draw(len(images), generator())), images)


def test_crop_and_flip_are_a_crop_and_a_flip_of_each_picture() -> None:
    images, made = batch(), Augmentation(pad=2, flip=True)
    draws = made.draw(len(images), generator())
    found = made.apply(images, draws).numpy()
    offsets, flips = set(), 0
    for picture, draw, result in zip(images.numpy(), draws, found, strict=True):
        top, left = int(draw[0] * 5), int(draw[1] * 5)
        wide = np.pad(picture, ((0, 0), (2, 2), (2, 2)))[:, top : top + 12, left : left + 12]
        mirrored = bool(draw[2] < 0.5)
        assert np.array_equal(result, wide[:, :, ::-1] if mirrored else wide)
        offsets.add((top, left))
        flips += mirrored
    assert len(offsets) > 10 and 8 < flips < 32  # each picture has draws of its own


def test_every_offset_is_drawn_alike() -> None:
    draws = Augmentation(pad=4).draw(20_000, generator())
    counts = torch.bincount((draws[:, 0] * 9).long(), minlength=9)
    assert len(counts) == 9 and int(counts.min()) > 0.9 * 20_000 / 9


def test_processes_that_share_a_batch_make_the_same_batch() -> None:
    images = batch(10)
    made = Augmentation(pad=3, flip=True, jitter=0.4)
    draws = made.draw(10, generator())
    whole = made.apply(images, draws)
    parts = [made.apply(images[rows], draws[rows]) for rows in (slice(0, 4), slice(4, 10))]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_resized_crops_stay_inside_and_keep_their_share() -> None:
    made = Augmentation(crop_scale=0.25)
    ramp = torch.arange(64, dtype=torch.float32).view(1, 1, 1, 64).expand(200, 3, 64, 64)
    found = made.apply(ramp, made.draw(200, generator()))
    assert found.shape == ramp.shape and float(found.min()) >= 0 and float(found.max()) <= 63
    width = (found[:, 0, 0, -1] - found[:, 0, 0, 0]) / 63  # share of the width that is seen
    assert float(width.min()) > 0.4 and float(width.max()) <= 1.0 and float(width.std()) > 0.1


def test_a_whole_crop_is_the_picture_itself() -> None:
    made, images = Augmentation(crop_scale=1.0), batch(6).float()
    draws = made.draw(6, generator())
    draws[:, 4] = 0.5  # aspect 1
    torch.testing.assert_close(made.apply(images, draws), images, atol=1e-2, rtol=0)


def test_jitter_is_torchvisions() -> None:
    """Brightness, contrast and saturation, each alone and in this order."""
    from torchvision.transforms.v2 import functional

    images, made = batch(5), Augmentation(jitter=0.5)
    draws = made.draw(5, generator())
    found = made.apply(images, draws)
    for index in range(5):
        brightness, contrast, saturation = (float(1 + 0.5 * (2 * draws[index, 5 + i] - 1)) for i in range(3))
        expected = images[index].float() / 255
        expected = functional.adjust_brightness(expected, brightness)
        expected = functional.adjust_contrast(expected, contrast)
        expected = functional.adjust_saturation(expected, saturation)
        # torchvision's luma has four digits
        torch.testing.assert_close(found[index] / 255, expected, atol=2e-3, rtol=0)


def test_grey_pictures_work_too() -> None:
    made = Augmentation(pad=2, flip=True, jitter=0.3)
    assert made.apply(batch(channels=1), made.draw(40, generator())).shape == (40, 1, 12, 12)
