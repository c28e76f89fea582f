"""The sorter: a vector's elements in two sorts of words, sampled rows and certain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description.checks import Integers
from hdl.repack import Repack
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Sorter"]


class Sorter(wiring.Component):
    """Take a vector in chunks, give it in words that hold elements of one sort each.

    An element a cycle goes to the end of its sort's word; which one is known for every place. When
    the vector is over, the last word of either sort is filled with `pad`. A word is offered one
    cycle after its last element came, and until it is taken everything stands still: a vector takes
    `word` cycles a word. The first element is there one cycle after its chunk was offered.

    Parameters
    ----------
    element_bits, chunk, word : int
        Bits of an element; elements of a chunk and of a word.
    first : integers, shape (length,)
        1 for an element of the sort whose words come first in `target`, else 0; both are there.
    pad : int
        Element that fills a last word.

    Members
    -------
    i : In(stream.Signature(chunk * element_bits))
    o : Out(stream.Signature(word * element_bits))
        Words, as they become full.
    target : Out(range(words))
        The place of the word among those of its sort, behind all of the other for the second one.
    """

    i: stream.Interface
    o: stream.Interface
    target: Signal

    def __init__(
        self, *, element_bits: int, chunk: int, word: int, first: Integers, pad: int = 0
    ) -> None:
        self.element_bits = element_bits
        self.chunk = chunk
        self.word = word
        self.pad = pad
        self.length = len(first)
        counts = int(np.count_nonzero(first)), int(np.count_nonzero(first == 0))
        lacking = [-count % word for count in counts]
        self.sorts = [*first.tolist(), *[1] * lacking[0], *[0] * lacking[1]]
        self.words_of_first = -(-counts[0] // word)
        self.words = len(self.sorts) // word
        super().__init__(
            {
                "i": In(stream.Signature(chunk * element_bits)),
                "o": Out(stream.Signature(word * element_bits)),
                "target": Out(index_bits(self.words)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        bits = self.element_bits
        m.submodules.elements = elements = Repack(
            element_bits=bits, chunk=self.chunk, word=1, length=self.length
        )
        wiring.connect(m, wiring.flipped(self.i), elements.i)

        position = Signal(index_bits(len(self.sorts)))
        is_first = Signal()
        pads = Signal()
        ends_vector = Signal()
        moves = Signal()
        element = Signal(bits)
        sorts = Const(sum(sort << place for place, sort in enumerate(self.sorts)), len(self.sorts))
        m.d.comb += [
            is_first.eq(sorts.bit_select(position, 1)),
            pads.eq(position >= self.length),
            ends_vector.eq(position == len(self.sorts) - 1),
            moves.eq((pads | elements.o.valid) & (~self.o.valid | self.o.ready)),
            elements.o.ready.eq(moves & ~pads),
            element.eq(Mux(pads, self.pad, elements.o.payload)),
        ]
        offers_first = Signal()
        words, groups = [], []
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        for sort, start in ((1, 0), (0, self.words_of_first)):
            word = Signal(self.word * bits, name=f"word_{sort}")
            slot = Signal(index_bits(self.word), name=f"slot_{sort}")
            group = Signal(index_bits(self.words), name=f"group_{sort}", init=start)
            with m.If(moves & (is_first == sort)):
                m.d.sync += [word.eq(Cat(word, element)[bits:]), slot.eq(slot + 1)]
                with m.If(slot == self.word - 1):
                    m.d.sync += [
                        slot.eq(0),
                        self.o.valid.eq(1),
                        offers_first.eq(sort),
                        self.target.eq(group),
                        group.eq(group + 1),
                    ]
            words.append(word)
            groups.append(group)
        with m.If(moves):
            m.d.sync += position.eq(position + 1)
            with m.If(ends_vector):
                m.d.sync += [position.eq(0), *(group.eq(group.init) for group in groups)]
        m.d.comb += self.o.payload.eq(Mux(offers_first, *words))
        return m
