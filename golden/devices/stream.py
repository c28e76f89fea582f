"""Files of the samples that a chip's comparators read, for the macro that simulates it.

``hdl/crossbar_macro.v`` reads one a layer, LAYER.stream. Big-endian, numbers of 32 bits:

    header    "BBNN", rows, columns, records
    record    its number, the word lines of one sample in order of rows, their exclusive or

A word line is one bit a column, 1 for +1: column 0 is the lowest of ``ceil(columns / 8)`` bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from golden.devices.network import Reads
from golden.noise import matrices_per_member

__all__ = ["samples", "write_streams"]

Bits = NDArray[np.bool_]


def samples(
    network: Network, index: int, reads: Reads, images: int, members: int
) -> Iterator[Bits]:
    """Yield the weights of layer `index` that are +1, shape (rows, columns), read after read.

    In the order of `golden.network.logits`: those of every step of every member of every image;
    with ``reseed = image`` all images have the same ones.
    """
    each = members * matrices_per_member(network, index)
    never = network.ensemble.reseed == "never"
    drawn = reads.differences(network.layers[index], index)
    held = [np.asarray(read >= 0) for read in islice(drawn, 0 if never else each)]
    for _ in range(images):
        yield from held or (np.asarray(read >= 0) for read in islice(drawn, each))


def write_streams(
    network: Network,
    reads: Reads,
    images: int,
    members: int,
    folder: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Path]:
    """Write what `images` images will see of each sampled layer to `folder`; return the files.

    progress : called with the number of files written since its last call.
    """
    paths = []
    for index, layer in enumerate(network.layers):
        if not layer.probability_bits:
            continue
        path = folder / f"{layer.name}.stream"
        records = images * members * matrices_per_member(network, index)
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(b"BBNN" + np.array([layer.rows, layer.columns, records], ">u4").tobytes())
            for number, bits in enumerate(samples(network, index, reads, images, members)):
                file.write(number.to_bytes(4, "big") + record(bits))
        paths.append(path)
        progress(1)
    return paths


def record(bits: Bits) -> bytes:
    """Return a sample's word lines and their exclusive or."""
    columns = bits.shape[1]
    lines = np.packbits(np.pad(bits[:, ::-1], ((0, 0), (-columns % 8, 0))), axis=1)
    check: NDArray[np.uint8] = np.bitwise_xor.reduce(lines, axis=0)
    return lines.tobytes() + check.tobytes()
