"""One layer at work: sums of its columns, neurons and pooling, for blocks of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Logits
from golden.neurons import drives, exact, fire, type_of
from golden.windows import Windows, pooled

Reals = NDArray[np.floating[Any]]
Train = NDArray[Any]
"""Drives in every time step, integers, shape (steps, N, size); one step if all are alike."""

CACHED = 1 << 18
"""Drives and sums of a convolution at once: what a processor's second cache holds."""


def crossbar(layer: Layer, inputs: NDArray[Any], matrix: Reals) -> Reals:
    """Return the column sums y, shape (N * positions, columns), exact integers in a float type.

    inputs : drives of N vectors or maps, shape (N, size). matrix : weights, (rows, columns), with 0
    in the rows of dropped maps.
    """
    stage = Stage(layer, 1, len(inputs))
    weights = stage.weights([matrix])
    blocks = stage.blocks(len(inputs))
    return np.concatenate([next(stage.sums(inputs[None, rows], weights)) for rows in blocks])


class Stage:
    """A layer, with buffers for a block of up to `images` images. steps : of time."""

    def __init__(self, layer: Layer, steps: int, images: int) -> None:
        self.layer, self.steps = layer, steps
        self._block, self._windows = images, None
        if layer.window is not None:
            size = layer.positions * (layer.rows + layer.columns)
            self._block = max(1, min(images, CACHED // size))
            self._windows = Windows(layer.window, self._block, CACHED)
        self._real = exact(layer.reach)

    def __call__(self, train: Train, matrices: Sequence[Reals], dropped: bool) -> Train:
        """Return what the layer puts out, pooled, in every step; logits once, int64.

        matrices : the weights that this member sees, one for all steps or one for each.
        dropped : whether it compares with the dropped bank of thresholds.
        """
        layer, images = self.layer, train.shape[1]
        steps = 1 if isinstance(layer.neuron, Logits) else self.steps
        output = np.empty((steps, images, int(np.prod(layer.output_shape))), type_of(layer))
        matrices = self.weights(matrices)
        for rows in self.blocks(images):
            answers = fire(layer, self.sums(train[:, rows], matrices), self.steps, dropped)
            for step, values in enumerate(answers):
                if layer.pool is not None:
                    values = pooled(layer.pool, values, layer.sum_shape)
                part = output[step, rows]
                part[...] = drives(layer, values).reshape(part.shape)
        return output

    def blocks(self, images: int) -> list[slice]:
        """Return the blocks in which `images` images are worked on."""
        return [slice(start, start + self._block) for start in range(0, images, self._block)]

    def sums(self, train: Train, matrices: Sequence[Reals]) -> Iterator[Reals]:
        """Yield the column sums of one block in every step, of weights as `weights` returns them.

        Where inputs and weights stay the same, so do the sums.
        """
        if len(train) == len(matrices) == 1:
            yield from repeat(self._product(train[0], matrices[0]), self.steps)
            return
        for step in range(self.steps):
            yield self._product(train[step % len(train)], matrices[step % len(matrices)])

    def _product(self, inputs: NDArray[Any], matrix: Reals) -> Reals:
        if self._windows is not None:
            return self._windows.sums(inputs, matrix)
        product: Reals = inputs.astype(self._real, copy=False) @ matrix
        return product

    def weights(self, matrices: Sequence[Reals]) -> list[Reals]:
        """Return `matrices` ready for the products."""
        exact_ones = [matrix.astype(self._real, copy=False) for matrix in matrices]
        return [self._windows.ordered(each) if self._windows else each for each in exact_ones]
