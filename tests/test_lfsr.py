"""The golden random stream: maximal length, and equal to its recurrence step by step."""

from __future__ import annotations

from itertools import islice
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbnn.lfsr import TAPS
from golden.lfsr import bits, runs

PRIME_FACTORS = {
    32: (3, 5, 17, 257, 65537),
    64: (3, 5, 17, 257, 641, 65537, 6700417),
}
"""Of 2**width - 1; all but 641 * 6700417 = 2**32 + 1 are Fermat primes."""


def recurrence(seed: int, width: int, count: int) -> list[int]:
    """Return the stream as `bbnn.lfsr` defines it, one bit at a time."""
    a = [seed >> i & 1 for i in range(width)]
    while len(a) < count:
        a.append(sum(a[-tap] for tap in TAPS[width]) % 2)
    return a[:count]


def power(matrix: np.ndarray, exponent: int) -> np.ndarray:
    """Return a power of a matrix over GF(2)."""
    result = np.eye(len(matrix), dtype=np.int64)
    while exponent:
        if exponent & 1:
            result = result @ matrix % 2
        matrix = matrix @ matrix % 2
        exponent >>= 1
    return result


@pytest.mark.parametrize("width", TAPS)
def test_order_is_maximal(width: int) -> None:
    """One step of the state has order 2**width - 1, so every state but 0 is on one cycle."""
    step = np.zeros((width, width), np.int64)
    for i in range(width):
        step[:, i] = recurrence(1 << i, width, width + 1)[1:]
    period = 2**width - 1
    assert prod(PRIME_FACTORS[width]) == period
    identity = np.eye(width)
    assert np.array_equal(power(step, period), identity)
    for factor in PRIME_FACTORS[width]:
        assert not np.array_equal(power(step, period // factor), identity), factor


@given(
    width=st.sampled_from(sorted(TAPS)),
    seed=st.integers(1, 2**32 - 1),
    high=st.integers(0, 2**32 - 1),
    count=st.integers(1, 4000),
)
def test_bulk_is_the_recurrence(width: int, seed: int, high: int, count: int) -> None:
    seed |= high << 32 if width == 64 else 0
    assert bits(seed, width, count).tolist() == recurrence(seed, width, count)


@pytest.mark.parametrize("width", TAPS)
@pytest.mark.parametrize("count", [1, 31, 64, 100, 1041])
def test_runs_continue_each_other(width: int, count: int) -> None:
    pieces = list(islice(runs(0xC0FFEE, width, count), 7))
    assert all(len(piece) == count and piece.dtype == np.uint8 for piece in pieces)
    assert np.concatenate(pieces).tolist() == recurrence(0xC0FFEE, width, 7 * count)


def test_long_stream_is_balanced() -> None:
    """Ones of 10**6 bits: half, within five standard deviations."""
    ones = int(bits(1, 32, 10**6).sum())
    assert abs(ones - 500_000) < 5 * 500
