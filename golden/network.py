"""The golden evaluation of a network: raw pixels to integer logits, every member.

Sums are carried in float32 (float64 where one could reach 2**24), because only these have fast
matrix products; every value is an integer within their exact range, so the result is the integer
one. `tests/test_golden.py` holds it against plain integers, weight by weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network, source_of
from bbnn.errors import require, require_int
from golden.layer import Reals, Stage, Train, crossbar
from golden.neurons import neuron
from golden.noise import matrices_per_member
from golden.source import STREAMS, Source
from golden.threads import PROCESSORS, side_by_side

__all__ = ["Progress", "checked_members", "crossbar", "logits", "neuron", "pixels", "trace"]

Progress = Callable[[int], None]
Seen = tuple[Sequence[Reals], bool]
"""What a member sees in a layer: its weights, for all steps or for each; if it drops the scale."""
Watch = Callable[[slice, Sequence[Seen], Train, Sequence[Train]], None]
"""Called with the images, what a member sees, what drives the first layer that it runs, and what
each of its layers puts out."""

BLOCK = 2048
"""Images per matrix product: enough for its full speed, few enough that sums stay in the cache."""
LEAST = 32
"""Images that are not worth a thread of their own."""
HELD = 1 << 23
"""Outputs of a layer that a block may have in all steps: maps and steps make blocks smaller."""


def logits(
    network: Network,
    images: NDArray[np.uint8],
    members: int | None = None,
    progress: Progress = lambda done: None,
    watch: Watch | None = None,
    source: Source = STREAMS,
) -> NDArray[np.int64]:
    """Return every member's logits, int64, shape (images, T, classes).

    images : uint8, shape (N, *input_shape) or (N, pixels). members : T, the network's own if None.
    progress : called with the number of image-members done since its last call.
    watch : called once for every member and block of images, from several threads.
    source : of weights and decisions, the hardware's own streams unless told.
    Raise `InputError` on images of the wrong size or type and on a T out of range.
    """
    members = checked_members(network, members)
    front = pixels(network, images)
    blocks = blocks_of(network, len(front))
    first = network.first_ensembling
    result = np.empty((len(front), members, len(network.classes)), np.int64)
    reporting = Lock()

    def before(sees: Sequence[Seen], stages: list[Stage], rows: slice) -> NDArray[Any]:
        output: NDArray[Any] = run(stages, sees, front[rows][None])[-1][0]
        return output

    def member(number: int, sees: Sequence[Seen], stages: list[Stage], rows: slice) -> None:
        train = encoded(network, front[rows])
        outputs = run(stages[first:], sees, train)
        if watch is not None:
            watch(rows, sees, train, outputs)
        result[rows, number] = outputs[-1][0]
        with reporting:
            progress(train.shape[1])

    def stages() -> list[Stage]:
        return [Stage(layer, network.steps, blocks[0].stop) for layer in network.layers]

    with side_by_side(stages, len(blocks)) as each:
        if first:
            sees = next(seen(network, range(first), 1, 1, source))
            front = np.concatenate(each(partial(before, sees), blocks))
        if network.layers[first].window is None and network.encoding == "constant":
            # Once, not for every member; windows convert as they copy.
            front = front.astype(np.float32)
        fresh = network.ensemble.reseed == "never"
        draws = len(front) if fresh else 1
        drawn = seen(network, range(first, len(network.layers)), draws, members, source)
        for count, sees in enumerate(drawn):
            image, number = divmod(count, members)
            each(partial(member, number, sees), [slice(image, image + 1)] if fresh else blocks)
    return result


def trace(
    network: Network,
    images: NDArray[np.uint8],
    image: int,
    member: int,
    members: int,
    source: Source = STREAMS,
) -> list[NDArray[np.int64]]:
    """Return what every layer puts out for one (image, member): the place to look at a difference.

    Each is a flat stream, in the order in which it leaves the layer: time step after time step; in
    a step position after position, line by line, of the map that is left after pooling; at a
    position channel after channel. +-1, 0..2**bits-1 or spikes; the last are the logits, once.
    `image` counts from the start of the stream, as it matters where streams run on between images.
    """
    require_int("image", image, 0, len(images) - 1)
    require_int("member", member, 0, checked_members(network, members) - 1)
    before = image if network.ensemble.reseed == "never" else 0
    layers = range(len(network.layers))
    drawn = seen(network, layers, before + 1, members, source)
    sees = next(islice(drawn, before * members + member, None))
    stages = [Stage(layer, network.steps, 1) for layer in network.layers]
    train = encoded(network, pixels(network, images[image : image + 1]))
    return [output.ravel().astype(np.int64) for output in run(stages, sees, train)]


def pixels(network: Network, images: NDArray[np.uint8]) -> NDArray[Any]:
    """Return what is read of the images, uint8 (N, pixels); raise on a wrong type or size.

    That is the upper `pixel_bits` of each connected pixel, as a number.
    """
    require(images.dtype == np.uint8, "images", "of type uint8", images.dtype)
    shape = images.shape[1:]
    fits = shape in (network.input_shape, network.input_shape[:2], (network.pixels,))
    fits = fits and int(np.prod(shape)) == network.pixels
    require(fits, "images", f"of shape (N, {network.pixels}) or (N, *{network.input_shape})", shape)
    require(len(images) > 0, "images", "at least one", len(images))
    vectors = images.reshape(len(images), -1)
    if network.input_rows is not None:
        vectors = vectors[:, list(network.input_rows)]
    return network.read(vectors)


def encoded(network: Network, inputs: NDArray[Any]) -> Train:
    """Return what drives the first layer that every member runs, for N inputs (N, size).

    With "rate" these are spikes in every step, of all steps up to s ``floor((s*p + 128) / 256)``.
    """
    if network.encoding == "constant":
        return inputs[None]
    steps = np.arange(network.steps + 1, dtype=np.int32)[:, None, None]
    spikes: Train = np.diff((steps * inputs + 128) >> 8, axis=0).astype(np.uint8)
    return spikes


def checked_members(network: Network, members: int | None) -> int:
    """Return T, the network's own if `members` is None; raise if it is out of range."""
    if members is None:
        return network.ensemble.members
    return require_int("members", members, 1, network.max_members)


def seen(
    network: Network, layers: Sequence[int], images: int, members: int, source: Source = STREAMS
) -> Iterator[list[Seen]]:
    """Yield what members 0..T-1 of image 0, then of image 1, ... see in each of `layers`."""
    streams = []
    for index in layers:
        each = source.weights(network, index, images, members)
        # So many in a row belong to one member.
        streams.append(zip(*[each] * matrices_per_member(network, index), strict=True))
    dropped = source.dropped_scales(network, images, members)[:, layers]
    for matrices, banks in zip(zip(*streams, strict=True), dropped.tolist(), strict=True):
        yield list(zip(matrices, banks, strict=True))


def run(stages: Sequence[Stage], sees: Sequence[Seen], train: Train) -> list[Train]:
    """Return what every one of the first layers puts out, as many as the member is shown."""
    outputs: list[Train] = []
    layers = [stage.layer for stage in stages]
    for number, (stage, saw) in enumerate(zip(stages, sees, strict=False)):
        outputs.append(following(stage, saw, train, outputs, layers[:number]))
    return outputs


def following(
    stage: Stage, saw: Seen, train: Train, outputs: Sequence[Train], before: Sequence[Layer]
) -> Train:
    """Return what a layer puts out, with what is added to it.

    train : the network's input. outputs : of the layers `before`.
    """
    output = stage(outputs[-1] if outputs else train, *saw)
    source = source_of([*before, stage.layer])
    return output if source is None else np.add(output, outputs[source], dtype=np.uint16)


def blocks_of(network: Network, images: int) -> list[slice]:
    """Return the blocks in which a network runs `images` images."""
    largest = max(int(np.prod(layer.output_shape)) for layer in network.layers)
    # Half a block for each of two processors; but a product of few rows is a slow one.
    share = max(-(-images // PROCESSORS), LEAST)
    size = min(BLOCK, share, images, max(1, HELD // (largest * network.steps)))
    return [slice(start, start + size) for start in range(0, images, size)]
