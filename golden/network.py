"""The golden evaluation of a network: raw pixels to integer logits, every member.

Sums are carried in float32 (float64 where a sum could reach 2**24), because only these have fast
matrix products; every value is an integer within their exact range, so the result is the integer
one. `tests/test_golden.py` holds it against int64 arithmetic, weight by weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network, Threshold
from bbnn.errors import require, require_int
from golden.noise import member_weights, plus_or_minus, weights

Reals = NDArray[np.floating[Any]]
Progress = Callable[[int], None]

BLOCK = 2048
"""Images per matrix product: enough for its full speed, few enough that sums stay in the cache."""


def logits(
    network: Network,
    images: NDArray[np.uint8],
    members: int | None = None,
    progress: Progress = lambda done: None,
) -> NDArray[np.int64]:
    """Return every member's logits, int64, shape (images, T, classes).

    images : uint8, shape (N, *input_shape) or (N, pixels). members : T, the network's own if None.
    progress : called with the number of image-members done since its last call.
    Raise `InputError` on images of the wrong size or type and on a T out of range.
    """
    members = checked_members(network, members)
    front = _front(network, pixels(network, images))
    result = np.empty((len(front), members, len(network.classes)), np.int64)
    for rows, member, matrices in _schedule(network, len(front), members):
        vector = front[rows]
        for layer, matrix in zip(network.layers[-len(matrices) :], matrices, strict=True):
            vector = neuron(layer, crossbar(layer, vector, matrix))
        result[rows, member] = vector
        progress(len(vector))
    return result


def trace(
    network: Network, images: NDArray[np.uint8], image: int, member: int, members: int
) -> list[NDArray[np.int64]]:
    """Return what every layer puts out for one (image, member): the place to look at a difference.

    `image` counts from the start of the stream, as it matters where streams run on between images.
    Hidden outputs are +-1, the last are logits; each has shape (columns,).
    """
    require_int("image", image, 0, len(images) - 1)
    require_int("member", member, 0, checked_members(network, members) - 1)
    vector = pixels(network, images[image : image + 1])
    before = image if network.ensemble.reseed == "never" else 0
    outputs = []
    for index, layer in enumerate(network.layers):
        stream = member_weights(network, index, before + 1, members)
        matrix = next(islice(stream, before * members + member, None))
        vector = neuron(layer, crossbar(layer, vector, matrix))
        outputs.append(vector[0].astype(np.int64))
    return outputs


def pixels(network: Network, images: NDArray[np.uint8]) -> Reals:
    """Return the drives of the first layer, shape (N, pixels); raise on a wrong type or size."""
    require(images.dtype == np.uint8, "images", "of type uint8", images.dtype)
    shape = images.shape[1:]
    fits = shape in (network.input_shape, network.input_shape[:2], (network.pixels,))
    fits = fits and int(np.prod(shape)) == network.pixels
    require(fits, "images", f"of shape (N, {network.pixels}) or (N, *{network.input_shape})", shape)
    require(len(images) > 0, "images", "at least one", len(images))
    return images.reshape(len(images), -1).astype(np.float32)


def checked_members(network: Network, members: int | None) -> int:
    """Return T, the network's own if `members` is None; raise if it is out of range."""
    if members is None:
        return network.ensemble.members
    return require_int("members", members, 1, network.max_members)


def crossbar(layer: Layer, drives: Reals, matrix: Reals) -> Reals:
    """Return the column sums y, shape (N, columns), exact integers in a float type."""
    if layer.reach >= 2**24:
        return drives.astype(np.float64) @ matrix.astype(np.float64)
    return drives @ matrix


def neuron(layer: Layer, sums: Reals) -> Reals:
    """Return the layer's output: +-1, +1 where y >= threshold, or scale * y + offset, exact."""
    if isinstance(layer.neuron, Threshold):
        # A threshold is at most reach + 1, so the sums' own type holds it exactly.
        return plus_or_minus(sums >= layer.neuron.thresholds.astype(sums.dtype))
    return sums.astype(np.float64) * layer.neuron.scale + layer.neuron.offset


def _front(network: Network, drives: Reals) -> Reals:
    """Run the layers before the first ensembling one, once per image."""
    for layer in network.layers[: network.first_ensembling]:
        matrix = weights(layer.codes, 0)
        sums = (crossbar(layer, drives[rows], matrix) for rows in _blocks(len(drives)))
        drives = np.concatenate([neuron(layer, part) for part in sums])
    return drives


def _schedule(
    network: Network, images: int, members: int
) -> Iterator[tuple[slice, int, tuple[Reals, ...]]]:
    """Yield (images, member, weights of each ensembling layer): all that see the same weights."""
    layers = range(network.first_ensembling, len(network.layers))
    fresh = network.ensemble.reseed == "never"
    draws = images if fresh else 1
    streams = [member_weights(network, index, draws, members) for index in layers]
    for draw, matrices in enumerate(zip(*streams, strict=True)):
        image, member = divmod(draw, members)
        for rows in [slice(image, image + 1)] if fresh else _blocks(images):
            yield rows, member, matrices


def _blocks(images: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, images, BLOCK)]
