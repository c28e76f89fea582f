"""From chunks of one width to words of another, vector by vector."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Repack", "piece_size"]


def piece_size(chunk: int, word: int, length: int) -> int:
    """Return the elements that move in one cycle: the largest number that divides all three."""
    return gcd(chunk, word, length)


class Repack(wiring.Component):
    """Take a vector in chunks, give it in words; every vector begins with a fresh chunk and word.

    Elements keep their order. What a vector's last chunk holds beyond its length is dropped, and
    what its last word lacks is `pad`. A piece of ``gcd(chunk, word, length)`` elements moves per
    cycle, so a vector takes ``length / piece`` cycles; a word is offered one cycle after its last
    piece came.

    Parameters
    ----------
    element_bits, chunk, word, length : int
        Bits of an element; elements of a chunk, of a word and of a vector.
    pad : int
        Element that fills a vector's last word.

    Members
    -------
    i : In(stream.Signature(chunk * element_bits))
    o : Out(stream.Signature(word * element_bits))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(
        self, *, element_bits: int, chunk: int, word: int, length: int, pad: int = 0
    ) -> None:
        self.element_bits = element_bits
        self.chunk = chunk
        self.word = word
        self.length = length
        self.pad = pad
        super().__init__(
            {
                "i": In(stream.Signature(chunk * element_bits)),
                "o": Out(stream.Signature(word * element_bits)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        piece = piece_size(self.chunk, self.word, self.length)
        bits = piece * self.element_bits
        last_piece = self.length // piece - 1
        # Position of the next piece in its vector, in its chunk and in its word.
        position = Signal(index_bits(last_piece + 1))
        source = Signal(index_bits(self.chunk // piece))
        slot = Signal(index_bits(self.word // piece))
        ends_vector = Signal()
        ends_chunk = Signal()
        ends_word = Signal()
        moves = Signal()
        m.d.comb += [
            ends_vector.eq(position == last_piece),
            ends_chunk.eq(ends_vector | (source == self.chunk // piece - 1)),
            ends_word.eq(ends_vector | (slot == self.word // piece - 1)),
            moves.eq(self.i.valid & (~self.o.valid | self.o.ready)),
            self.i.ready.eq(moves & ends_chunk),
        ]

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(moves):
            m.d.sync += [
                position.eq(position + 1),
                source.eq(source + 1),
                slot.eq(slot + 1),
                self.o.valid.eq(ends_word),
            ]
            with m.If(slot == 0):
                padding = sum(self.pad << i * self.element_bits for i in range(self.word))
                m.d.sync += self.o.payload.eq(Const(padding, self.word * self.element_bits))
            m.d.sync += self.o.payload.word_select(slot, bits).eq(
                self.i.payload.word_select(source, bits)
            )
            with m.If(ends_chunk):
                m.d.sync += source.eq(0)
            with m.If(ends_word):
                m.d.sync += slot.eq(0)
            with m.If(ends_vector):
                m.d.sync += position.eq(0)
        return m
