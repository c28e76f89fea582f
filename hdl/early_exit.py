"""Whether an image's members so far are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.early_exit import RULES

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["EarlyExit"]


class EarlyExit(wiring.Component):
    """Compare the two largest of the classes' votes, or of their sums, with what must part them.

    Values come class by class; three cycles after the last one `enough` says what they come to.

    Members
    -------
    rule : In(2)
        A number of ``bbnn.early_exit.RULES``.
    margin : In(32)
    members, counted : In(16)
        T, and the members that have been counted.
    valid, first : In(1)
        `value` is a class's; it is the first one's.
    value : In(signed(32))
        Votes with the rule "vote", else the sum of logits.
    enough : Out(1)
    """

    rule: Signal
    margin: Signal
    members: Signal
    counted: Signal
    valid: Signal
    first: Signal
    value: Signal
    enough: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "rule": In(2),
                "margin": In(32),
                "members": In(16),
                "counted": In(16),
                "valid": In(1),
                "first": In(1),
                "value": In(signed(32)),
                "enough": Out(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        # The largest value, its rival, and whether the rival's class comes behind: then it must
        # get ahead, while one before wins a tie.
        best, second = Signal(signed(32)), Signal(signed(32))
        behind = Signal()
        with m.If(self.valid):
            with m.If(self.first):
                m.d.sync += [best.eq(self.value), second.eq(-(2**31)), behind.eq(0)]
            with m.Elif(self.value > best):
                m.d.sync += [best.eq(self.value), second.eq(best), behind.eq(0)]
            with m.Elif(self.value > second):
                m.d.sync += [second.eq(self.value), behind.eq(1)]
        lead, needed = Signal(32), Signal(32)
        votes = self.rule == RULES["vote"]
        left = (self.members - self.counted)[:16]
        m.d.sync += [
            lead.eq(best - second),
            needed.eq(Mux(votes, left + ~behind, self.margin)),
            self.enough.eq((lead >= needed) & (votes | (self.counted > 1))),
        ]
        return m
