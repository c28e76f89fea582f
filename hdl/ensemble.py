"""The ensemble: adds up the members' logits, counts their votes, writes the result packet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.early_exit import RULES
from hdl.early_exit import EarlyExit
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["Beat", "Ensemble"]


class Beat(data.StructLayout):
    """One 32-bit word of the result packet and the mark of its last word."""

    def __init__(self) -> None:
        super().__init__({"data": 32, "last": 1})


class State(enum.Enum):
    """Which field of the packet is written; MEMBERS also adds up.

    With early exit, DECIDE looks at what a member has left, REST drops members that are on their
    way and do not count, PADDING writes zeros in their place.
    """

    IMAGE = 0
    MEMBERS = 1
    SUMS = 2
    VOTES = 3
    COUNT = 4
    DECIDE = 5
    REST = 6


class Ensemble(wiring.Component):
    """Turn T members' logits into one packet (``bbnn.interface.packet``).

    A packet begins when the first logit of its image waits. Logits are taken one a cycle, without
    a pause between members; while the other fields are written, none is. So a packet takes
    ``members * classes + 2 + 2 * classes`` cycles.

    With a rule of early exit, ``classes + 4`` cycles follow each member but the last of T, in which
    none is taken. Then the next one is, or the image is over: what is on its way is thrown away,
    upstream by `flush`, or, where some of that belongs to the next image, here, as it comes. In
    the packet zeros stand for the logits of members that do not count.

    Parameters
    ----------
    classes : int
        Logits of a member.
    width : int
        Bits of a signed logit, at most 32.
    exits : bool
        Whether an image may be over before all of its members are.

    Members
    -------
    i : In(stream.Signature(signed(width)))
    o : Out(stream.Signature(Beat()))
    members : In(16)
        T; constant within an image, at least 1.
    member_logits : In(1)
        Put every logit into the packet; constant within an image.
    rule, margin : In
        As in ``hdl.early_exit.EarlyExit``, constant out of reset. This and the following are absent
        unless it exits.
    issued : In(1)
        The last member of an image has left the buffer in which images wait, in this cycle.
    flush : Out(1)
        Forget everything between that buffer and here, and let the buffer go to its next image.
    """

    i: stream.Interface
    o: stream.Interface
    members: Signal
    member_logits: Signal
    rule: Signal
    margin: Signal
    issued: Signal
    flush: Signal

    def __init__(self, *, classes: int, width: int, exits: bool = False) -> None:
        self.classes = classes
        self.width = width
        self.exits = exits
        early = {"rule": In(2), "margin": In(32), "issued": In(1), "flush": Out(1)}
        super().__init__(
            {
                "i": In(stream.Signature(signed(width))),
                "o": Out(stream.Signature(Beat())),
                "members": In(16),
                "member_logits": In(1),
                **(early if exits else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        state = Signal(State)
        image = Signal(32)
        member = Signal(16)
        label = Signal(index_bits(self.classes))
        last_label = Signal()
        last_member = Signal()
        m.d.comb += [
            last_label.eq(label == self.classes - 1),
            last_member.eq(member == self.members - 1),
        ]

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
            takes.eq((state == State.MEMBERS) & self.i.valid & self.i.ready),
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

        counted: Any = self.members
        decides: Any = 0
        steps = Signal()
        if self.exits:
            counted = Signal(16)
            decides = self.rule != RULES["off"]
            with m.If(takes & last_label):
                m.d.sync += counted.eq(member + 1)

        sent = Signal()
        m.d.comb += sent.eq(self.o.valid & self.o.ready)
        with m.Switch(state):
            with m.Case(State.IMAGE):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.p.data.eq(image)]
                with m.If(sent):
                    m.d.sync += [state.eq(State.MEMBERS), image.eq(image + 1)]
            with m.Case(State.MEMBERS):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid & self.member_logits),
                    self.o.p.data.eq(self.i.payload),
                    self.i.ready.eq(~self.member_logits | self.o.ready),
                    steps.eq(takes),
                ]
                with m.If(takes & last_label):
                    m.d.sync += member.eq(member + 1)
                    with m.If(last_member):
                        m.d.sync += [member.eq(0), state.eq(State.SUMS)]
                    with m.Elif(decides):
                        m.d.sync += state.eq(State.DECIDE)
            with m.Case(State.SUMS):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(read_sum.data),
                    steps.eq(sent),
                ]
                with m.If(sent & last_label):
                    m.d.sync += state.eq(State.VOTES)
            with m.Case(State.VOTES):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(read_vote.data),
                    steps.eq(sent),
                ]
                with m.If(sent & last_label):
                    m.d.sync += state.eq(State.COUNT)
            with m.Case(State.COUNT):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(counted),
                    self.o.p.last.eq(1),
                ]
                with m.If(sent):
                    m.d.sync += state.eq(State.IMAGE)
        if self.exits:
            values = Mux(self.rule == RULES["vote"], read_vote.data, read_sum.data)
            arrives = takes & last_label & last_member
            self._decide(m, state, member, label, counted, values, counts_vote, arrives, steps)
        with m.If(steps):
            m.d.sync += label.eq(Mux(last_label, 0, label + 1))
        return m

    def _decide(
        self,
        m: Module,
        state: Any,
        member: Signal,
        label: Signal,
        counted: Signal,
        values: Value,
        counts_vote: Signal,
        arrives: Value,
        steps: Signal,
    ) -> None:
        """Add the states of early exit. arrives : the last of all members is taken."""
        m.submodules.early_exit = early_exit = EarlyExit()
        last_label, last_member = label == self.classes - 1, member == self.members - 1
        looks = Signal()
        m.d.comb += [
            early_exit.rule.eq(self.rule),
            early_exit.margin.eq(self.margin),
            early_exit.members.eq(self.members),
            early_exit.counted.eq(counted),
            early_exit.valid.eq(looks),
            early_exit.first.eq(label == 0),
            early_exit.value.eq(values),
        ]
        # Images whose last member has been issued and has not come here. While there is one, what
        # is on its way may belong to the next image.
        ahead = Signal(16)
        flushed = Signal()
        waited = Signal(2)
        rests = Signal()
        with m.If(state == State.DECIDE):
            # The member's vote is counted first.
            m.d.comb += [looks.eq(~counts_vote & (waited == 0)), steps.eq(looks)]
            with m.If((looks & last_label) | (waited != 0)):
                m.d.sync += waited.eq(waited + 1)
            with m.If(waited == 3):
                m.d.comb += self.flush.eq(early_exit.enough & (ahead == 0))
                m.d.sync += [state.eq(State.MEMBERS), flushed.eq(self.flush)]
                with m.If(early_exit.enough):
                    m.d.sync += state.eq(State.REST)
                with m.If(self.flush & ~self.member_logits):
                    m.d.sync += [state.eq(State.SUMS), member.eq(0)]
        with m.If(state == State.REST):
            m.d.comb += [
                self.o.valid.eq((flushed | self.i.valid) & self.member_logits),
                self.i.ready.eq(~flushed & (~self.member_logits | self.o.ready)),
                steps.eq((flushed | self.i.valid) & (~self.member_logits | self.o.ready)),
                rests.eq(steps & last_label & last_member & ~flushed),
            ]
            with m.If(steps & last_label):
                m.d.sync += member.eq(member + 1)
                with m.If(last_member):
                    m.d.sync += [member.eq(0), state.eq(State.SUMS)]
        with m.If(~self.flush):
            m.d.sync += ahead.eq(ahead + self.issued - (arrives | rests))
