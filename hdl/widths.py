"""Widths that several blocks share."""

from __future__ import annotations

from amaranth.utils import ceil_log2

__all__ = ["index_bits"]


def index_bits(count: int) -> int:
    """Return the bits that count 0..count-1: at least one, as Verilog has no vectors of none."""
    return max(1, ceil_log2(count))
