"""From outputs that come column group by column group to outputs vector by vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hdl.widths import index_bits, times

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Transpose"]


class Transpose(wiring.Component):
    """Take all vectors' chunks of one column group, then those of the next; give whole vectors.

    Two sets of vectors fit, so that one is written while the other is read: a chunk a cycle each.
    The first is offered two cycles after the last of its set was taken.

    Parameters
    ----------
    width : int
        Bits of a chunk.
    chunks : int
        Chunks of one column group in a vector.
    column_groups, vectors : int
        Column groups of a vector; the most vectors of a set.

    Members
    -------
    count : In(range(vectors + 1))
        Vectors of a set, at least 1; constant out of reset.
    i : In(stream.Signature(width))
    o : Out(stream.Signature(width))
    """

    count: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, width: int, chunks: int, column_groups: int, vectors: int) -> None:
        self.width = width
        self.chunks = chunks
        self.column_groups = column_groups
        self.vectors = vectors
        super().__init__(
            {
                "count": In(bits_for(vectors)),
                "i": In(stream.Signature(width)),
                "o": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        of_vector = self.chunks * self.column_groups
        places = index_bits(self.vectors * of_vector)
        m.submodules.memory = store = memory.Memory(
            shape=self.width, depth=2 ** (places + 1), init=[]
        )
        write, read = store.write_port(), store.read_port()
        write_half = Signal()
        read_half = Signal()
        full = Signal(2)

        # Writing: where a chunk is in its column group, and where this one is in its vector.
        target = Signal(places)
        first = Signal(index_bits(of_vector))
        chunk = Signal(index_bits(self.chunks))
        vector = Signal(index_bits(self.vectors))
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(write_half, 1)),
            taken.eq(self.i.valid & self.i.ready),
            write.addr.eq(Cat(target, write_half)),
            write.data.eq(self.i.payload),
            write.en.eq(taken),
        ]
        with m.If(taken):
            m.d.sync += [chunk.eq(chunk + 1), target.eq(target + 1)]
            with m.If(chunk == self.chunks - 1):
                m.d.sync += [chunk.eq(0), vector.eq(vector + 1)]
                m.d.sync += target.eq(target + (of_vector - self.chunks + 1))
                with m.If(vector == self.count - 1):
                    m.d.sync += [vector.eq(0), target.eq(first + self.chunks)]
                    m.d.sync += first.eq(first + self.chunks)
                    with m.If(first == of_vector - self.chunks):
                        m.d.sync += [first.eq(0), target.eq(0), write_half.eq(~write_half)]
                        m.d.sync += full.bit_select(write_half, 1).eq(1)

        # Reading: from the first place to the last, which a register holds before it is reached.
        source = Signal(places)
        last = Signal(places)
        moves = Signal()
        reads = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            reads.eq(moves & full.bit_select(read_half, 1)),
            read.addr.eq(Cat(source, read_half)),
            read.en.eq(moves),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += last.eq(times(self.count, of_vector) - 1)
        with m.If(moves):
            m.d.sync += self.o.valid.eq(reads)
        with m.If(reads):
            m.d.sync += source.eq(source + 1)
            with m.If(source == last):
                m.d.sync += [source.eq(0), read_half.eq(~read_half)]
                m.d.sync += full.bit_select(read_half, 1).eq(0)
        return m
