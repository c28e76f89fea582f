"""The random bit stream, in bulk.

Source of the taps and the order of bits: `bbnn.lfsr`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bbnn.lfsr import TAPS

Bits = NDArray[np.uint8]


def bits(seed: int, width: int, count: int) -> Bits:
    """Return the first `count` bits of the stream that starts in state `seed`, as uint8."""
    return next(runs(seed, width, count))


def runs(seed: int, width: int, count: int) -> Iterator[Bits]:
    """Yield the endless stream from state `seed` in consecutive runs of `count` bits, as uint8."""
    state = seed
    while True:
        stream = _continued(state, width, count + width)
        state = stream >> count
        run = (stream ^ state << count).to_bytes(-(-count // 8), "little")
        yield np.unpackbits(np.frombuffer(run, np.uint8), count=count, bitorder="little")


def _continued(state: int, width: int, length: int) -> int:
    """Return the stream's first `length` bits as one integer, bit n being a[n].

    Squaring a polynomial over GF(2) doubles its exponents, so the recurrence also holds with all
    taps times 2**k. Each round takes the largest such k, and gives 2**k bits for every unit of the
    smallest tap with one exclusive-or per tap.
    """
    stream, known = state, width
    while known < length:
        scale = 1 << (known // width).bit_length() - 1
        size = min(scale * min(TAPS[width]), length - known)
        block = 0
        for tap in TAPS[width]:
            block ^= stream >> known - tap * scale
        stream |= (block & (1 << size) - 1) << known
        known += size
    return stream
