"""Training images moved and mirrored, so that a network does not learn them by heart."""

from __future__ import annotations

import torch
from torch import Tensor

from training.settings import Settings


def augmented(
    pixels: Tensor, shape: tuple[int, int, int], settings: Settings, generator: torch.Generator
) -> Tensor:
    """Return images (count, pixels) of `shape` (height, width, channels) as `settings` say."""
    if settings.shift or settings.flip:
        pixels = _moved(pixels.view(-1, *shape), settings, generator).flatten(1)
    if settings.pixel_dropout:
        kept = torch.rand(pixels.shape, generator=generator) >= settings.pixel_dropout
        pixels = pixels * kept
    return pixels


def _moved(images: Tensor, settings: Settings, generator: torch.Generator) -> Tensor:
    count, height, width, _ = images.shape
    edge = settings.shift

    def places(size: int) -> Tensor:
        start = torch.randint(2 * edge + 1, (count, 1), generator=generator)
        return start + torch.arange(size)

    rows, columns = places(height), places(width)
    if settings.flip:
        mirrored = torch.rand((count, 1), generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = torch.nn.functional.pad(images, (0, 0, edge, edge, edge, edge))
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
