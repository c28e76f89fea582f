"""Which row groups of a crossbar are read: all of them, or those alone that drive something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["RowWalk"]


class RowWalk(wiring.Component):
    """Walk through row groups, one a step, over and over.

    With `parts` there are two walks, through the groups before it and through those from it on.
    With `skips` a walk has only the live groups, which are found without a cycle for those between
    them; one group where none is, so that a plane without anything can still double the sums.

    Parameters
    ----------
    row_groups : int
    skips : bool
    parts : int or None
        First group of the second walk; not together with `skips`.

    Members
    -------
    go : In(1)
        A step: `row_group` is read in this cycle.
    live : In(row_groups)
        Groups of which some row is driven; stays during a walk. Absent unless it skips.
    second : In(1)
        Take the second walk; stays during a walk. Absent without parts.
    row_group : Out(range(row_groups))
    first, last : Out(1)
        It is the walk's first, or its last.
    """

    go: Signal
    live: Signal
    second: Signal
    row_group: Signal
    first: Signal
    last: Signal

    def __init__(self, row_groups: int, *, skips: bool, parts: int | None = None) -> None:
        self.row_groups = row_groups
        self.skips = skips
        self.parts = parts
        super().__init__(
            {
                "go": In(1),
                **({"live": In(row_groups)} if skips else {}),
                **({"second": In(1)} if parts else {}),
                "row_group": Out(index_bits(row_groups)),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        if not self.skips:
            step, start, end = Signal.like(self.row_group), Const(0), Const(self.row_groups - 1)
            if self.parts:
                start = Mux(self.second, self.parts, 0)
                end = Mux(self.second, self.row_groups - self.parts - 1, self.parts - 1)
            m.d.comb += [
                self.row_group.eq(step + start),
                self.first.eq(step == 0),
                self.last.eq(step == end),
            ]
            with m.If(self.go):
                m.d.sync += step.eq(Mux(self.last, 0, step + 1))
            return m

        ahead = Signal(self.row_groups, init=-1)
        found = Signal(self.row_groups)
        lowest = Signal(self.row_groups)
        others = Signal(self.row_groups)
        m.d.comb += [
            found.eq(self.live & ahead),
            others.eq(found & (found - 1)),
            lowest.eq(found & ~others),
            self.first.eq(ahead.all()),
            self.last.eq(others == 0),
        ]
        for k in range(len(self.row_group)):
            numbered = Cat(lowest[n] for n in range(self.row_groups) if n >> k & 1)
            m.d.comb += self.row_group[k].eq(numbered.any())
        with m.If(self.go):
            m.d.sync += ahead.eq(Mux(self.last, ~0, ahead & ~lowest))
        return m
