"""Maps: the windows that a convolution cuts out of them, and pooling.

Maps are channels-last; N of them are an array of shape (N, H * W * C), in C order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from bbnn.description import Pool, Window
from bbnn.description.layer import Shape

Reals = NDArray[np.floating[Any]]
Maps = NDArray[Any]


class Windows:
    """Multiplies the windows of a convolution with its weights, for blocks of maps.

    Its buffers are kept from block to block: a fresh array would cost more than the copying. A
    window lies in them as in the maps, (ky, kx, c), so that a line of it is copied at once.
    """

    def __init__(self, window: Window, images: int, cached: int) -> None:
        """Prepare for blocks of up to `images` maps and about `cached` drives at once."""
        self.window = window
        height, width, channels = window.shape
        pad, kernel = window.padding, window.kernel
        # The border stays zero: a row that is not driven.
        self._padded = np.zeros((images, height + 2 * pad, width + 2 * pad, channels), np.float32)
        self._maps = self._padded[:, pad : pad + height, pad : pad + width]
        image, line, pixel, channel = self._padded.strides
        self._view = as_strided(
            self._padded,
            (images, window.out_height, window.out_width, kernel, kernel * channels),
            (image, line * window.stride, pixel * window.stride, line, channel),
            writeable=False,
        )
        rows = window.taps * channels
        fitting = max(1, cached // (window.out_width * rows))
        # A single map may be too large for the cache, and is done by lines.
        self._lines = window.out_height if images > 1 else min(fitting, window.out_height)
        self._drives = np.empty((images, self._lines, *self._view.shape[2:]), np.float32)

    def ordered(self, matrix: Reals) -> Reals:
        """Return the weights (rows, columns), rows channel-major, in the order of a window here."""
        by_channel = matrix.reshape(self.window.channels, self.window.taps, -1)
        return by_channel.swapaxes(0, 1).reshape(matrix.shape)

    def sums(self, maps: Maps, weights: Reals) -> Reals:
        """Return the sums, shape (N * positions, columns), of the type of `weights`.

        maps : drives, shape (N, H * W * C). weights : as `ordered` returns them.
        """
        window, count, columns = self.window, len(maps), weights.shape[1]
        np.copyto(self._maps[:count], maps.reshape(count, *window.shape), casting="unsafe")
        result = np.empty((count, window.out_height, window.out_width * columns), weights.dtype)
        for first in range(0, window.out_height, self._lines):
            lines = slice(first, first + self._lines)
            view, part = self._view[:count, lines], result[:, lines]
            drives = self._drives[:count, : view.shape[1]]
            np.copyto(drives, view)
            rows = drives.reshape(-1, len(weights)).astype(weights.dtype, copy=False)
            # Lines of one map or whole maps: contiguous, so that the product lands in the result.
            np.matmul(rows, weights, out=part.reshape(-1, columns))
        return result.reshape(-1, columns)


def fan_out(window: Window) -> NDArray[np.int64]:
    """Return at how many positions each pixel of a map is seen, shape (height, width)."""
    pad, stride = window.padding, window.stride
    counts = np.zeros((window.height + 2 * pad, window.width + 2 * pad), np.int64)
    for ky in range(window.kernel):
        for kx in range(window.kernel):
            rows = slice(ky, ky + window.out_height * stride, stride)
            counts[rows, kx : kx + window.out_width * stride : stride] += 1
    return counts[pad : pad + window.height, pad : pad + window.width]


def pooled(pool: Pool, values: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Return the largest value, or the sum, of each square; what fills no square is dropped.

    values : of N maps of height, width, channels `shape`; booleans are 0 and 1. The result is
    4-dimensional: unsigned integers for sums, else of the type of `values`.
    """
    size = pool.size
    maps = values.reshape(-1, *shape)
    if pool.kind == "sum":
        maps = maps.astype(np.uint16)
    join = np.add if pool.kind == "sum" else np.maximum
    height, width = (length // size * size for length in shape[:2])
    lines = maps[:, 0:height:size]
    for offset in range(1, size):
        lines = join(lines, maps[:, offset:height:size])
    squares = lines[:, :, 0:width:size]
    for offset in range(1, size):
        squares = join(squares, lines[:, :, offset:width:size])
    return squares
