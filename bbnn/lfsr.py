"""Feedback taps of the random source, the one constant that golden and hardware share.

A register of `width` bits holds the next `width` bits of the sequence

    a[n] = a[n - t1] ^ a[n - t2] ^ a[n - t3] ^ a[n - t4]        (t1..t4) = TAPS[width]

and the seed is its first `width` bits, least significant first. The taps make the sequence
maximal (period 2**width - 1): for 32 bits reference XAPP052's style with taps 32, 22, 2, 1; for
64 bits 64, 63, 61, 60. `tests/test_lfsr.py` proves the order of both by matrix powers.
"""

from __future__ import annotations

TAPS: dict[int, tuple[int, ...]] = {32: (32, 22, 2, 1), 64: (64, 63, 61, 60)}
