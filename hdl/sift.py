"""The sift: lets the connected pixels of an image through, close together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Sift"]


class Sift(wiring.Component):
    """Take a vector in chunks, give those elements that are kept, in chunks.

    Every vector begins with a fresh chunk on both sides; what its last chunk holds beyond its
    elements is arbitrary. A chunk is taken a cycle, and one is offered in the cycle after its last
    element came; so the sift is as fast as its input, unless a vector's last elements fill one
    chunk and begin another: that takes a cycle more.

    Parameters
    ----------
    element_bits, chunk, length : int
        Bits of an element; elements of a chunk and of a vector.
    kept : sequence of int
        Places of the elements that are kept, ascending; at least one.

    Members
    -------
    i, o : stream.Signature(chunk * element_bits)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, element_bits: int, chunk: int, length: int, kept: Sequence[int]) -> None:
        self.element_bits = element_bits
        self.chunk = chunk
        self.length = length
        self.kept = tuple(kept)
        width = chunk * element_bits
        super().__init__({"i": In(stream.Signature(width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        chunk, bits = self.chunk, self.element_bits
        beats = -(-self.length // chunk)
        masks = [0] * beats
        for place in self.kept:
            masks[place // chunk] |= 1 << place % chunk
        beat = Signal(index_bits(beats))
        mask = Signal(chunk)
        with m.Switch(beat):
            for number, each in enumerate(masks):
                with m.Case(number):
                    m.d.comb += mask.eq(each)

        # The chunk's kept elements, close together behind those that wait.
        waiting = Signal(range(chunk))
        held = Signal((chunk - 1) * bits)
        count = Signal(range(2 * chunk))
        merged = Signal((2 * chunk - 1) * bits)
        places: list[Value] = [waiting]
        for i in range(chunk):
            place = Signal(range(2 * chunk), name=f"place_{i}")
            m.d.comb += place.eq(places[-1] + mask[i])
            places.append(place)
        elements = [self.i.payload.word_select(i, bits) for i in range(chunk)]
        for slot in range(2 * chunk - 1):
            value: Value = Const(0, bits)
            if slot < chunk - 1:  # All that can wait.
                value = Mux(waiting > slot, held.word_select(slot, bits), 0)
            for i in range(chunk):
                value = Mux(mask[i] & (places[i] == slot), elements[i], value)
            m.d.comb += merged.word_select(slot, bits).eq(value)
        m.d.comb += count.eq(places[-1])

        # A vector's rest leaves alone.
        rest = Signal()
        free = Signal()
        full = Signal()
        last = Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            full.eq(count >= chunk),
            last.eq(beat == beats - 1),
            self.i.ready.eq(free & ~rest),
        ]
        with m.If(free):
            m.d.sync += self.o.valid.eq(0)
            with m.If(rest):
                m.d.sync += [
                    self.o.payload.eq(held),
                    self.o.valid.eq(1),
                    waiting.eq(0),
                    rest.eq(0),
                ]
            with m.Elif(self.i.valid):
                m.d.sync += [
                    self.o.payload.eq(merged),
                    self.o.valid.eq(full | (last & (count > 0))),
                    held.eq(Mux(full, merged[chunk * bits :], merged)),
                    waiting.eq(Mux(full, count - chunk, count)),
                    beat.eq(Mux(last, 0, beat + 1)),
                ]
                with m.If(last):
                    m.d.sync += rest.eq(count > chunk)
                    with m.If(count <= chunk):
                        m.d.sync += waiting.eq(0)
        return m
