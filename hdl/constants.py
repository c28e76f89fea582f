"""What neurons do with the constants of their columns: look them up, multiply by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from amaranth.hdl import Array, Const, Module, Mux, Shape, Signal, signed
from amaranth.utils import bits_for

from bbnn.description.checks import Integers

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["affine", "by_lane", "largest_result", "later", "looked_up", "scaled", "table"]


def by_lane(values: Integers, lanes: int, beyond: int) -> list[list[int]]:
    """Return for each lane the values of its columns, chunk by chunk.

    values : shape (columns,). beyond : stands in for columns that the last chunk does not have.
    """
    chunks = -(-len(values) // lanes)
    padded = np.full(chunks * lanes, beyond)
    padded[: len(values)] = values
    return [padded[lane::lanes].tolist() for lane in range(lanes)]


def table(index: Value, entries: list[int], shape: Any) -> Value:
    """A table of constants, read without a clock."""
    return Array(Const(entry, shape) for entry in entries)[index]  # type: ignore[arg-type]


def looked_up(
    m: Module, moves: Value, index: Value, entries: list[int], shape: Shape, name: str
) -> Value:
    """Return the entry of `index` one cycle later, from a register, or a constant if all agree."""
    if len(set(entries)) == 1:
        return Const(entries[0], shape)
    return later(m, moves, table(index, entries, shape), shape, name)


def later(m: Module, moves: Value, value: Value, shape: Shape, name: str) -> Value:
    """Return `value` one cycle later, from a register, unless it is a constant."""
    if isinstance(value, Const):
        return value
    register = Signal(shape, name=name)
    with m.If(moves):
        m.d.sync += register.eq(value)
    return register


def affine(
    m: Module,
    moves: Value,
    y: Value,
    chunk: Value,
    scales: list[int],
    offsets: list[int],
    reach: int,
    suffix: str = "",
) -> Signal:
    """Add registers that make ``scales[chunk] * y + offsets[chunk]``; return the last of them.

    It has the result three cycles in which `moves` is 1 after `y` and `chunk`. reach : of y.
    suffix : of the registers' names.
    """
    offset_shape = signed(max(map(bits_for, offsets)) + 1)
    scale_shape = Shape(bits_for(max(scales)))
    scale = looked_up(m, moves, chunk, scales, scale_shape, f"scale{suffix}")
    offset = looked_up(m, moves, chunk, offsets, offset_shape, f"first_offset{suffix}")
    limit = largest_result(np.array(scales), np.array(offsets), reach)
    return scaled(m, moves, y, scale, offset, limit, suffix)


def scaled(
    m: Module, moves: Value, y: Value, scale: Value, offset: Value, limit: int, suffix: str = ""
) -> Signal:
    """Add registers that make ``scale * y + offset``; return the last of them, as `affine` does.

    `scale` and `offset` come one cycle after `y`. limit : of the result's absolute value.
    """
    offset = later(m, moves, offset, offset.shape(), f"offset{suffix}")
    held = Signal.like(y, name=f"y{suffix}")
    product = Signal(signed(len(held) + len(scale)), name=f"product{suffix}")
    result = Signal(signed(bits_for(limit) + 1), name=f"result{suffix}")
    with m.If(moves):
        m.d.sync += [
            held.eq(y),
            product.eq(_product(held, scale)),
            result.eq(product + offset),
        ]
    return result


def largest_result(scale: Integers, offset: Integers, reach: int) -> int:
    """Return the largest absolute value of ``scale * y + offset`` with y in -reach..reach."""
    return int((scale.astype(np.int64) * reach + np.abs(offset.astype(np.int64))).max())


def _product(y: Value, scale: Value) -> Value:
    """``y * scale`` as a sum of shifted copies, which no tool turns into a DSP block."""
    terms: list[Value] = [Mux(scale[bit], y, 0) << bit for bit in range(len(scale))]
    while len(terms) > 1:
        unpaired = terms[-1:] if len(terms) % 2 else []
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + unpaired
    return terms[0]
