"""A network of binary layers, from pixels to logits.

It reads pixels as they are, 0..255, or their upper bits: batch norm takes out any scale, so that
every sum is the integer that the hardware will see, exact in float32, and no pixel scale is left to
fold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.block import Block
from training.layer import BinaryLayer, Draw

Shape = tuple[int, int, int]


class Model(nn.Module):
    """Layers of `blocks`; all but the last end in an activation.

    shape : height, width and channels of the images. spread : of the layers' natural parameters.
    gain : of the last layer's normalised sums.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        shape: Shape,
        spread: float,
        gain: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape = shape
        height, width, channels = shape
        self.layers = []
        for index, block in enumerate(blocks):
            window = block.window
            rows = channels * window.taps if window else height * width * channels
            own = gain if index == len(blocks) - 1 else 1.0
            self.layers.append(BinaryLayer(block, rows, spread, own, generator))
            size = block.pool.size if block.pool else 1
            height = window.out_height // size if window else 1
            width = window.out_width // size if window else 1
            channels = block.columns
        self.registered = nn.ModuleList(self.layers)

    def sample(self, generator: torch.Generator) -> list[Draw]:
        """Return what one member sees of each layer."""
        return [layer.draw(generator) for layer in self.layers]

    def forward(self, pixels: Tensor, draws: Sequence[Draw]) -> Tensor:
        """Return logits (count, classes) of pixels (count, pixels), seen by one member."""
        last = len(self.layers) - 1
        return self.layers[last](self.hidden(pixels, draws, last), draws[last])

    def hidden(self, pixels: Tensor, draws: Sequence[Draw], depth: int) -> Tensor:
        """Return what drives layer `depth`: pixels, +-1 or levels; flat, or channels first."""
        height, width, channels = self.shape
        drive = pixels
        if self.layers[0].block.window is not None:
            drive = pixels.reshape(-1, height, width, channels).movedim(-1, 1)
        for index in range(depth):
            layer = self.layers[index]
            drive = layer.activate(layer(drive, draws[index]))
            ends = index + 1 < len(self.layers) and self.layers[index + 1].block.window is None
            if drive.dim() == 4 and ends:
                # Channels last, as the hardware streams them.
                drive = drive.movedim(1, -1).flatten(1)
        return drive

    @torch.no_grad()
    def calibrate(self, pixels: Tensor, members: int, generator: torch.Generator) -> None:
        """Set the statistics of every batch norm to those over `pixels` and over members.

        Layer by layer, each behind the final thresholds of those before it: the statistics that
        training leaves are averages over batches of a network that was still moving.
        """
        self.eval()
        draws = [self.sample(generator) for _ in range(members)]
        for index, layer in enumerate(self.layers):
            moments = torch.zeros((2, layer.lam.shape[1]), dtype=torch.float64)
            for draw in draws:
                count, total = 0, torch.zeros_like(moments)
                for part in pixels.split(CALIBRATION_BATCH):
                    drive = self.hidden(part, draw, index)
                    sums = layer.scaled_sums(drive, draw[index])
                    flat = sums.movedim(1, -1).flatten(0, -2).double()
                    total += torch.stack([flat.sum(0), (flat**2).sum(0)])
                    count += len(flat)
                moments += total / count / members
            mean, square = moments
            layer.set_statistics(mean, square - mean**2)


CALIBRATION_BATCH = 1_000
"""Images at once: maps of more would not fit into the cache."""
