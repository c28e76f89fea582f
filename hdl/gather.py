"""Columns of a window, one a cycle, gathered to a row group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Column", "Gather", "WindowWord"]


class WindowWord(data.StructLayout):
    """A row group: `elements` of neighbouring rows, and which of these are `driven`, if masked."""

    def __init__(self, rows: int, element_bits: int, *, masked: bool) -> None:
        fields = {"elements": rows * element_bits}
        super().__init__({**fields, "driven": rows} if masked else fields)


class Column(data.StructLayout):
    """What is known of a column that the banks are asked for.

    ends : it is the last of a word. short : the word is of the last channels. bank : where its
    first line lies. inside : which of its elements lie in the map.
    """

    def __init__(self, kernel: int) -> None:
        fields = {"valid": 1, "ends": 1, "short": 1, "bank": index_bits(kernel), "inside": kernel}
        super().__init__(fields)


class Gather(wiring.Component):
    """Shift columns into a window and offer it when it is whole, two cycles after the last address.

    Columns stay until others push them out, so that the next word may begin with some of them.

    Parameters
    ----------
    kernel : int
        K, lines and columns of a window.
    element_bits, together : int
        Bits of an element; channels of a word, G.
    missing : int
        Channels that a short word lacks.
    masked : bool
        Say of every row whether it is driven.

    Members
    -------
    column : In(Column(kernel))
        What is read from the banks in this cycle.
    enable : Out(1)
        The banks answer in the next cycle; otherwise nothing moves.
    words : In(ArrayLayout(G * element_bits, K))
        The banks' answers.
    o : Out(stream.Signature(WindowWord))
    """

    column: data.View
    enable: Signal
    words: data.View
    o: stream.Interface

    def __init__(
        self, *, kernel: int, element_bits: int, together: int, missing: int, masked: bool
    ) -> None:
        self.kernel = kernel
        self.element_bits = element_bits
        self.together = together
        self.missing = missing
        self.masked = masked
        word = WindowWord(kernel**2 * together, element_bits, masked=masked)
        super().__init__(
            {
                "column": In(Column(kernel)),
                "enable": Out(1),
                "words": In(data.ArrayLayout(together * element_bits, kernel)),
                "o": Out(stream.Signature(word)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        kernel, together = self.kernel, self.together
        given = Signal.like(self.column)
        short = Signal()
        m.d.comb += self.enable.eq(~self.o.valid | self.o.ready)
        with m.If(self.enable):
            m.d.sync += [given.eq(self.column), self.o.valid.eq(given.valid & given.ends)]

        lines = Signal(self.words.shape())
        with m.Switch(given.bank):
            for first in range(kernel):
                with m.Case(first):
                    for ky in range(kernel):
                        word = self.words[(first + ky) % kernel]
                        m.d.comb += lines[ky].eq(Mux(given.inside[ky], word, 0))
        columns = Signal(data.ArrayLayout(lines.shape(), kernel))
        inside = Signal(data.ArrayLayout(kernel, kernel))
        with m.If(self.enable & given.valid):
            m.d.sync += [
                short.eq(given.short),
                columns[kernel - 1].eq(lines),
                inside[kernel - 1].eq(given.inside),
            ]
            for x in range(kernel - 1):
                m.d.sync += [columns[x].eq(columns[x + 1]), inside[x].eq(inside[x + 1])]
        rows = [(c, y, x) for c in range(together) for y in range(kernel) for x in range(kernel)]
        bits = self.element_bits
        elements = Cat(columns[x][y].word_select(c, bits) for c, y, x in rows)
        m.d.comb += self.o.p.elements.eq(elements)
        if self.masked:
            there = [1] * (together - self.missing) + [~short] * self.missing
            m.d.comb += self.o.p.driven.eq(Cat(inside[x][y] & there[c] for c, y, x in rows))
        return m
