"""Pooling: one value for each square of a map, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits
from hdl.write_back import WriteBack

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Pooling"]


class Pooling(wiring.Component):
    """Take a map in raster order, give the largest value or the sum of each square of it.

    One chunk a cycle; a square's result is offered two cycles after its last chunk was taken. A
    memory holds the partial results of the squares beside each other, each `chunk` elements a word;
    rows and columns of the map that fill no square are taken and dropped.

    Parameters
    ----------
    kind : "max" or "sum"
        The largest of unsigned elements (an OR of +-1 bits, 1 for +1), or their sum.
    size : int
        Elements of a square's side, 2..8.
    element_bits, chunk : int
        Bits of an unsigned element; elements of a chunk, a divisor of `channels`.
    height, width, channels : int
        Of the input map.

    Members
    -------
    i : In(stream.Signature(chunk * element_bits))
    o : Out(stream.Signature(chunk * out_bits))
        Chunks of the smaller map; ``out_bits`` is `element_bits`, or what holds the largest sum.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(
        self,
        *,
        kind: Literal["max", "sum"],
        size: int,
        element_bits: int,
        chunk: int,
        height: int,
        width: int,
        channels: int,
    ) -> None:
        self.kind = kind
        self.size = size
        self.element_bits = element_bits
        self.chunk = chunk
        self.height = height
        self.width = width
        self.channels = channels
        largest = (2**element_bits - 1) * (size**2 if kind == "sum" else 1)
        self.out_bits = largest.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(chunk * element_bits)),
                "o": Out(stream.Signature(chunk * self.out_bits)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        size, chunks = self.size, self.channels // self.chunk
        squares = self.width // size

        moves = Signal()
        taken = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves),
            taken.eq(moves & self.i.valid),
        ]

        # Where in the map a chunk is, where in its square, and where that one's results lie.
        chunk = Signal(index_bits(chunks))
        x = Signal(index_bits(self.width))
        y = Signal(index_bits(self.height))
        inner_x = Signal(index_bits(size))
        inner_y = Signal(index_bits(size))
        address = Signal(index_bits(squares * chunks))
        with m.If(taken):
            m.d.sync += [chunk.eq(chunk + 1), address.eq(address + 1)]
            with m.If(chunk == chunks - 1):
                m.d.sync += [chunk.eq(0), x.eq(x + 1), inner_x.eq(inner_x + 1)]
                with m.If(inner_x == size - 1):
                    m.d.sync += inner_x.eq(0)
                with m.Else():
                    m.d.sync += address.eq(address - (chunks - 1))
                with m.If(x == self.width - 1):
                    m.d.sync += [x.eq(0), inner_x.eq(0), address.eq(0)]
                    m.d.sync += [y.eq(y + 1), inner_y.eq(inner_y + 1)]
                    with m.If(inner_y == size - 1):
                        m.d.sync += inner_y.eq(0)
                    with m.If(y == self.height - 1):
                        m.d.sync += [y.eq(0), inner_y.eq(0)]

        elements = Signal(data.ArrayLayout(self.element_bits, self.chunk))
        first = Signal()
        last = Signal()
        inside = Signal()
        with m.If(moves):
            m.d.sync += [
                elements.eq(self.i.payload),
                first.eq((inner_x == 0) & (inner_y == 0)),
                last.eq((inner_x == size - 1) & (inner_y == size - 1)),
                inside.eq(self.i.valid & (x < squares * size)),
            ]

        shape = unsigned(self.out_bits)
        m.submodules.partial = partial = WriteBack(
            data.ArrayLayout(shape, self.chunk), depth=squares * chunks, repeats=chunks == 1
        )
        m.d.comb += [
            partial.enable.eq(moves),
            partial.address.eq(address),
            partial.write.eq(inside),
        ]
        for lane in range(self.chunk):
            element, after = elements[lane], partial.changed[lane]
            so_far = Signal(shape, name=f"so_far_{lane}")
            m.d.comb += so_far.eq(Mux(first, 0, partial.value[lane]))
            if self.kind == "sum":
                m.d.comb += after.eq(so_far + element)
            else:
                m.d.comb += after.eq(Mux(element > so_far, element, so_far))
        with m.If(moves):
            m.d.sync += [self.o.payload.eq(partial.changed), self.o.valid.eq(inside & last)]
        return m
