"""Widths and counts that several blocks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Const
from amaranth.utils import bits_for, ceil_log2

from bbnn.description import MAX_MEMBERS

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["index_bits", "times", "train_bits", "within"]


def index_bits(count: int) -> int:
    """Return the bits that count 0..count-1: at least one, as Verilog has no vectors of none."""
    return max(1, ceil_log2(count))


def train_bits(steps: int) -> int:
    """Return the bits of a count of all steps of all members."""
    return bits_for(MAX_MEMBERS * steps)


def times(value: Value, factor: int) -> Value:
    """Return ``value * factor`` for a constant of at least 1, without a multiplier."""
    return sum((value << k for k in range(factor.bit_length()) if factor >> k & 1), start=value[:0])


def within(value: Value, possible: range, wanted: range) -> Value:
    """Say whether `value`, which is in `possible`, is in `wanted`, with no comparison too many."""
    result: Value = Const(1, 1)
    if possible.start < wanted.start:
        result &= value >= wanted.start
    if possible.stop > wanted.stop:
        result &= value < wanted.stop
    return result
