"""How often a crossbar is read that skips row groups without a drive: cycles that data decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network, Window
from bbnn.schedule import crossbar_cycles as row_reads
from bbnn.schedule import pass_cycles, vector_cycles
from golden.layer import Stage, Train
from golden.network import Progress, Seen, blocks_of, checked_members, encoded, pixels, run, seen

Flags = NDArray[np.bool_]


def crossbar_cycles(
    network: Network,
    images: NDArray[np.uint8],
    members: int | None = None,
    progress: Progress = lambda done: None,
) -> NDArray[np.int64]:
    """Return the cycles of every layer's crossbar, int64, shape (images, T, layers).

    Arguments as for `golden.network.logits`. All positions and steps of a member are in; layers
    that run once an image have all their cycles in member 0, and so has the pass of sums that are
    reused. The most that they can be is
    `bbnn.schedule.stage_cycles`, and they are that where nothing is skipped.
    """
    members = checked_members(network, members)
    result = np.zeros((len(images), members, len(network.layers)), np.int64)
    for rows, member, sees, trains in _passes(network, images, members):
        for index, layer in enumerate(network.layers):
            if member and index < network.first_ensembling:
                continue
            for step in range(network.steps):
                matrices, train = sees[index][0], trains[index]
                kept = matrices[step % len(matrices)][:: layer.taps, 0] != 0
                read = reads(layer, train[step % len(train)], kept)
                result[rows, member, index] += vector_cycles(layer, read).sum(axis=1)
            if layer.folding.reuse and member == 0:
                result[rows, 0, index] += pass_cycles(layer, certain=True)
        progress(trains[-1].shape[1])
    return result


def _passes(
    network: Network, images: NDArray[np.uint8], members: int
) -> Iterator[tuple[slice, int, list[Seen], list[Train]]]:
    """Yield image-members: which images and member, what it sees and what all layers are fed with.

    The last train is the logits. Layers before the first ensembling one are run every time.
    """
    inputs = pixels(network, images)
    blocks = blocks_of(network, len(inputs))
    stages = [Stage(layer, network.steps, blocks[0].stop) for layer in network.layers]
    fresh = network.ensemble.reseed == "never"
    drawn = seen(network, range(len(stages)), len(inputs) if fresh else 1, members)
    for number, sees in enumerate(drawn):
        image, member = divmod(number, members)
        for rows in [slice(image, image + 1)] if fresh else blocks:
            train = encoded(network, inputs[rows])
            yield rows, member, sees, [train, *run(stages, sees, train)]


def reads(layer: Layer, drives: NDArray[Any], kept: Flags) -> NDArray[np.int64]:
    """Return how often one column group is read for every vector, shape (N, positions).

    drives : of N vectors or maps, shape (N, size). kept : maps that are not dropped, shape (maps,).
    A group of rows is read in a plane if some row of it has a bit there (signs: always), and if
    some map of it is kept; in a plane without such a group, one is.
    """
    full = row_reads(layer)
    if not layer.folding.skip_zeros:
        return np.full((len(drives), layer.positions), full, np.int64)
    window = layer.window or Window(height=1, width=1, channels=layer.rows, kernel=1)
    together = layer.folding.lanes_in // layer.taps
    # Whole groups of maps: those that the last one lacks drive nothing.
    lacking = (0, -layer.maps % together)
    alive = np.pad(kept, lacking).reshape(-1, together).any(axis=1)
    planes = [np.ones_like(drives, np.bool_)]
    if layer.drive.kind == "unsigned":
        bits = (drives.astype(np.int64) >> plane & 1 for plane in range(layer.drive.bits))
        planes = [each.astype(np.bool_) for each in bits]
    result = np.zeros((len(drives), layer.positions), np.int64)
    for plane in planes:
        maps = np.pad(plane.reshape(-1, *window.shape), ((0, 0), (0, 0), (0, 0), lacking))
        groups = np.logical_or.reduce(maps.reshape(*maps.shape[:3], -1, together), axis=4)
        live = _seen(window, groups) & alive
        result += np.maximum(live.sum(axis=3), 1).reshape(result.shape)
    return result


def _seen(window: Window, maps: Flags) -> Flags:
    """Return whether a position's window holds anything, from (N, H, W, groups) to positions."""
    pad, stride = window.padding, window.stride
    padded = np.pad(maps, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    result = np.zeros((len(maps), window.out_height, window.out_width, maps.shape[3]), np.bool_)
    for ky in range(window.kernel):
        for kx in range(window.kernel):
            lines = padded[:, ky : ky + window.out_height * stride : stride]
            part = lines[:, : window.out_height, kx : kx + window.out_width * stride : stride]
            result |= part[:, :, : window.out_width]
    return result
