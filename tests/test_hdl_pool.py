"""Pooling against NumPy: every size, maps that leave something over, any stall."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from blocks import Recording, packed, play
from hdl.pool import Pooling
from simtools import reader, writer
from timing import moved

Maps = np.ndarray[Any, Any]


def pooled(maps: Maps, kind: str, size: int) -> Maps:
    """Return the pooled maps; shapes (maps, height, width, channels)."""
    height, width = (side // size for side in maps.shape[1:3])
    squares = maps[:, : height * size, : width * size].reshape(
        len(maps), height, size, width, size, -1
    )
    return squares.max(axis=(2, 4)) if kind == "max" else squares.sum(axis=(2, 4))


def pool(options: dict[str, Any], stall: int = 3, maps: int = 3) -> Recording:
    """Send random maps, some with the largest elements alone."""
    dut = Pooling(**options)
    rng = np.random.default_rng(31)
    shape = (maps, options["height"], options["width"], options["channels"])
    largest = 2 ** options["element_bits"] - 1
    # Seldom set bits are ORed to both values.
    sent = rng.integers(0, largest + 1, shape) * rng.integers(0, 3, shape).clip(0, 1)
    sent[1] = largest
    expected = pooled(sent, options["kind"], options["size"])

    def chunks(values: Maps, bits: int) -> list[int]:
        return [packed(chunk, bits) for chunk in values.reshape(-1, options["chunk"])]

    return play(
        dut,
        writer(dut.i, chunks(sent, options["element_bits"]), stall),
        reader(dut.o, chunks(expected, dut.out_bits), stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


def case(
    kind: str, size: int, bits: int, chunk: int, height: int, width: int, channels: int
) -> dict[str, Any]:
    """Return the parameters of a `Pooling`."""
    return {
        "kind": kind,
        "size": size,
        "element_bits": bits,
        "chunk": chunk,
        "height": height,
        "width": width,
        "channels": channels,
    }


POOLS = {
    "signs": case("max", 2, 1, 2, 4, 6, 4),
    "leftovers": case("max", 2, 3, 1, 5, 7, 3),
    "one-chunk": case("max", 3, 2, 2, 7, 8, 2),
    "one-chunk-sum": case("sum", 2, 2, 3, 5, 4, 3),
    "spike-counts": case("sum", 2, 1, 1, 6, 5, 4),
    "one-square": case("sum", 8, 8, 1, 8, 8, 1),
    "two-chunks": case("sum", 3, 4, 2, 3, 11, 4),
    "eights": case("max", 8, 1, 4, 17, 23, 8),
    "sevens": case("sum", 7, 2, 1, 8, 20, 2),
    "column-of-squares": case("max", 4, 2, 1, 9, 5, 2),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("name", POOLS)
def test_pool(name: str, stall: int) -> None:
    pool(POOLS[name], stall, maps=3 if stall else 2)


@pytest.mark.parametrize("name", ["leftovers", "one-chunk"])
def test_pool_takes_a_chunk_a_cycle_and_answers_two_later(name: str) -> None:
    options = POOLS[name]
    recording = pool(options, stall=0, maps=2)
    height, width = options["height"], options["width"]
    size, chunks = options["size"], options["channels"] // options["chunk"]
    taken = moved(recording, "i")
    assert taken == list(range(len(taken)))
    order = np.arange(2 * height * width * chunks).reshape(2, height, width, chunks)
    assert moved(recording, "o") == [last + 2 for last in pooled(order, "max", size).ravel()]


BLOCKS = {
    "pool": (lambda: [pool(POOLS["leftovers"])], r" x == 3'h6", " x == 3'h5"),
    "one_chunk_pool": (
        lambda: [pool(POOLS["one-chunk-sum"], stall) for stall in (3, 0)],
        r" y == 3'h4",
        " y == 3'h3",
    ),
}
"""For the test of the generated Verilog: recordings, a pattern, and what breaks it."""
