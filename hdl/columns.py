"""The column register: holds one group's sums and hands them to the neurons, a few a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer
from bbnn.schedule import neurons
from hdl.crossbar import Sums
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["ColumnSums", "Columns"]


class ColumnSums(data.StructLayout):
    """The sums y of `neurons` columns; `chunk` counts the chunks of a vector from 0.

    steps : over how many vectors y is summed.
    """

    def __init__(self, layer: Layer, steps: int = 1) -> None:
        chunks = -(-layer.columns // neurons(layer))
        width = bits_for(layer.reach * steps) + 1
        super().__init__(
            {
                "y": data.ArrayLayout(signed(width), neurons(layer)),
                "chunk": max(1, bits_for(chunks - 1)),
            }
        )


class Columns(wiring.Component):
    """Take the sums of a column group and give ``y = 2 * A - B``, `neurons` columns a cycle.

    A group of P columns is away after P / neurons cycles, the last group of a vector earlier if it
    has fewer columns; the next is taken in the cycle in which the last chunk leaves. The first
    chunk is offered one cycle after its group was taken.

    Where sums are reused, those of the rows that are not sampled are not offered but kept, as long
    as they would take to leave, and added to all sums of the others that follow.

    Where codes are streamed, all vectors' sums of a column group come before those of the next.

    Parameters
    ----------
    layer : Layer

    Members
    -------
    i : In(stream.Signature(Sums(layer)))
    o : Out(stream.Signature(ColumnSums(layer)))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(Sums(layer))),
                "o": Out(stream.Signature(ColumnSums(layer))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        together = neurons(layer)
        held = Signal(Sums(layer))
        chunks_of_group = layer.folding.lanes_out // together
        chunks_of_vector = -(-layer.columns // together)
        in_group = Signal(index_bits(chunks_of_group))
        held_any = Signal()
        leaves = Signal()
        # Known a cycle before, since the crossbar stands still by them.
        ends_group = Signal(init=chunks_of_group == 1 or chunks_of_vector == 1)
        ends_vector = Signal(init=chunks_of_vector == 1)
        chunk, place = Signal.like(self.o.p.chunk), Signal.like(in_group)
        following = Mux(ends_vector, 0, self.o.p.chunk + 1)
        if layer.streamed:
            following = self._following(m, held, leaves & ends_group, ends_group)
        m.d.comb += [
            self.o.valid.eq(held_any),
            leaves.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~held_any | (leaves & ends_group)),
            chunk.eq(following),
            place.eq(Mux(ends_group, 0, in_group + 1)),
        ]
        constant = "driven" not in Sums(layer).members
        driven = layer.rows if constant else held.driven
        kept = self._kept(m, held, held_any, leaves) if layer.folding.reuse else None
        for lane in range(together):
            y = held.agreeing[lane] << 1
            if kept is None:
                y -= driven
            elif constant:
                # The B of all rows is in what is kept.
                y += Mux(held.certain, -driven, kept[lane])
            else:
                y += Mux(held.certain, 0, kept[lane]) - driven
            m.d.comb += self.o.p.y[lane].eq(y)

        with m.If(leaves):
            m.d.sync += [
                self.o.p.chunk.eq(chunk),
                in_group.eq(place),
                ends_vector.eq(chunk == chunks_of_vector - 1),
                ends_group.eq((chunk == chunks_of_vector - 1) | (place == chunks_of_group - 1)),
            ]
            for lane in range(layer.folding.lanes_out - together):
                m.d.sync += held.agreeing[lane].eq(held.agreeing[lane + together])
            with m.If(ends_group):
                m.d.sync += held_any.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(self.i.payload), held_any.eq(1)]
        return m

    def _following(self, m: Module, held: data.View, over: Value, ends_group: Value) -> Value:
        """Return the chunk after this one: back to the group's first until it turns to the next."""
        last = -(-self.layer.columns // neurons(self.layer)) - 1
        first = Signal.like(self.o.p.chunk)
        turned = Signal.like(self.o.p.chunk)
        m.d.comb += turned.eq(Mux(self.o.p.chunk == last, 0, self.o.p.chunk + 1))
        with m.If(over & held.turns):
            m.d.sync += first.eq(turned)
        return Mux(ends_group, Mux(held.turns, turned, first), self.o.p.chunk + 1)

    def _kept(self, m: Module, held: data.View, held_any: Signal, leaves: Signal) -> Any:
        """Keep the sums of the rows that are not sampled; return those of the chunk on its way."""
        shape = ColumnSums(self.layer).members["y"]
        depth = max(2, -(-self.layer.columns // neurons(self.layer)))
        m.submodules.kept = store = memory.Memory(shape=shape, depth=depth, init=[])
        read, write = store.read_port(domain="comb"), store.write_port()
        m.d.comb += [
            self.o.valid.eq(held_any & ~held.certain),
            leaves.eq(held_any & (held.certain | self.o.ready)),
            read.addr.eq(self.o.p.chunk),
            write.addr.eq(self.o.p.chunk),
            write.data.eq(self.o.p.y),
            write.en.eq(held_any & held.certain),
        ]
        return read.data
