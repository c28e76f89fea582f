"""Feedback taps of the random source, the one constant that golden and hardware share.

A register of `width` bits holds the next `width` bits of the sequence

    a[n] = a[n - t1] ^ a[n - t2] ^ a[n - t3] ^ a[n - t4]        (t1..t4) = TAPS[width]

and the seed is its first `width` bits, least significant first. With these taps the sequence is
maximal, of period 2**width - 1, as `tests/test_lfsr.py` proves.
"""

from __future__ import annotations

TAPS: dict[int, tuple[int, ...]] = {32: (32, 22, 2, 1), 64: (64, 63, 61, 60)}
