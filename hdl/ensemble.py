"""The ensemble: adds up the members' logits, counts their votes, writes the result packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Beat", "Ensemble"]


class Beat(data.StructLayout):
    """One 32-bit word of the result packet and the mark of its last word."""

    def __init__(self) -> None:
        super().__init__({"data": 32, "last": 1})


class State(enum.Enum):
    """Which field of the packet is written; MEMBERS also adds up."""

    IMAGE = 0
    COUNT = 1
    MEMBERS = 2
    SUMS = 3
    VOTES = 4


class Ensemble(wiring.Component):
    """Turn T members' logits into one packet (``bbnn.interface.packet``).

    A packet begins when the first logit of its image waits. Logits are taken one a cycle, without
    a pause between members; while the other fields are written, none is. So a packet takes
    ``members * classes + 2 + 2 * classes`` cycles.

    Parameters
    ----------
    classes : int
        Logits of a member.
    width : int
        Bits of a signed logit, at most 32.

    Members
    -------
    i : In(stream.Signature(signed(width)))
    o : Out(stream.Signature(Beat()))
    members : In(16)
        T; constant within an image, at least 1.
    member_logits : In(1)
        Put every logit into the packet; constant within an image.
    """

    i: stream.Interface
    o: stream.Interface
    members: Signal
    member_logits: Signal

    def __init__(self, *, classes: int, width: int) -> None:
        self.classes = classes
        self.width = width
        super().__init__(
            {
                "i": In(stream.Signature(signed(width))),
                "o": Out(stream.Signature(Beat())),
                "members": In(16),
                "member_logits": In(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        state = Signal(State)
        image = Signal(32)
        member = Signal(16)
        label = Signal(index_bits(self.classes))
        last_label = Signal()
        m.d.comb += last_label.eq(label == self.classes - 1)

        depth = max(2, self.classes)
        m.submodules.sums = sums = memory.Memory(shape=signed(32), depth=depth, init=[])
        m.submodules.votes = votes = memory.Memory(shape=16, depth=depth, init=[])
        read_sum, write_sum = sums.read_port(domain="comb"), sums.write_port()
        read_vote, write_vote = votes.read_port(domain="comb"), votes.write_port()

        # The largest logit of a member so far; its vote is counted in the cycle after the last.
        best = Signal(signed(self.width))
        winner = Signal(index_bits(self.classes))
        leads = Signal()
        counts_vote = Signal()
        takes = Signal()
        m.d.comb += [
            leads.eq((label == 0) | (self.i.payload > best)),
            takes.eq(self.i.valid & self.i.ready),
            read_sum.addr.eq(label),
            write_sum.addr.eq(label),
            write_sum.data.eq(Mux(member == 0, 0, read_sum.data) + self.i.payload),
            write_sum.en.eq(takes),
            read_vote.addr.eq(Mux(counts_vote, winner, label)),
            write_vote.addr.eq(Mux(counts_vote, winner, label)),
            write_vote.data.eq(Mux(counts_vote, read_vote.data + 1, 0)),
            # The first member clears the votes of the image before; none is counted meanwhile.
            write_vote.en.eq(counts_vote | (takes & (member == 0))),
        ]
        m.d.sync += counts_vote.eq(takes & last_label)
        with m.If(takes & leads):
            m.d.sync += [best.eq(self.i.payload), winner.eq(label)]

        sent = Signal()
        steps = Signal()
        m.d.comb += [
            sent.eq(self.o.valid & self.o.ready),
            steps.eq(Mux(state == State.MEMBERS, takes, sent)),
        ]
        with m.Switch(state):
            with m.Case(State.IMAGE):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.p.data.eq(image)]
                with m.If(sent):
                    m.d.sync += [state.eq(State.COUNT), image.eq(image + 1)]
            with m.Case(State.COUNT):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(self.members)]
                with m.If(sent):
                    m.d.sync += state.eq(State.MEMBERS)
            with m.Case(State.MEMBERS):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid & self.member_logits),
                    self.o.p.data.eq(self.i.payload),
                    self.i.ready.eq(~self.member_logits | self.o.ready),
                ]
            with m.Case(State.SUMS):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(read_sum.data)]
            with m.Case(State.VOTES):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(read_vote.data),
                    self.o.p.last.eq(last_label),
                ]
        with m.If(steps & (state != State.IMAGE) & (state != State.COUNT)):
            m.d.sync += label.eq(Mux(last_label, 0, label + 1))
            with m.If(last_label), m.Switch(state):
                with m.Case(State.MEMBERS):
                    m.d.sync += member.eq(member + 1)
                    with m.If(member == self.members - 1):
                        m.d.sync += [member.eq(0), state.eq(State.SUMS)]
                with m.Case(State.SUMS):
                    m.d.sync += state.eq(State.VOTES)
                with m.Case(State.VOTES):
                    m.d.sync += state.eq(State.IMAGE)
        return m
