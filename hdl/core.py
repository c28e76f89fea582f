"""The whole core: AXI4-Stream in and out, AXI4-Lite control, one clock, no vendor's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetInserter, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.interface import ADDRESS_BITS, PIXELS_PER_BEAT, code_port, streamed
from bbnn.schedule import CODE_BEAT
from hdl.axi import Axi4Lite, Axi4Stream
from hdl.control import Control
from hdl.data_path import DataPath
from hdl.macro import Array
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Core"]


class Core(wiring.Component):
    """The core as it is generated; the description of its ports is in ``docs/interface.md``.

    Parameters
    ----------
    network : Network
    array : Array

    Members
    -------
    aclk : In(1)
    aresetn : In(1)
        Active low, synchronous.
    s_axi : In(Axi4Lite)
        Control registers.
    s_axis : In(Axi4Stream)
        Images, ``ceil(pixels / 4)`` beats each. TLAST is optional and checked: it may come with an
        image's last beat alone.
    s_axis_codes_NAME : In(Axi4Stream)
        Codes of every layer NAME whose codes are streamed, 64 bits a beat, without TLAST:
        ``hdl.codes.code_beats``, over and over, from the start whenever `run` is set.
    m_axis : Out(Axi4Stream)
        Result packets. A beat that is offered stays until it is taken, also when `run` is cleared.
    """

    aclk: Signal
    aresetn: Signal
    s_axi: Any
    s_axis: Any
    m_axis: Any

    def __init__(self, network: Network, array: Array = "lanes") -> None:
        self.network = network
        self.array: Array = array
        codes = Axi4Stream(CODE_BEAT, last=False)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axi": In(Axi4Lite(ADDRESS_BITS)),
                "s_axis": In(Axi4Stream()),
                **{code_port(name): In(codes) for name in streamed(network)},
                "m_axis": Out(Axi4Stream()),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.control = control = Control(self.network)
        wiring.connect(m, wiring.flipped(self.s_axi), control.bus)

        halted = Signal()
        data_path = DataPath(self.network, self.array)
        assert len(control.seeds) == len(data_path.seeds), "a random stream without a register"
        m.submodules.data_path = ResetInserter(halted)(data_path)
        m.d.comb += [
            halted.eq(~control.run),
            data_path.members.eq(control.members),
            data_path.member_logits.eq(control.member_logits),
            data_path.seeds.eq(control.seeds),
            data_path.test_stream.eq(control.test_stream),
            data_path.random_taken.eq(control.random_taken),
            control.random.eq(data_path.random),
        ]

        if self.network.ensemble.early_exit:
            m.d.comb += [data_path.rule.eq(control.rule), data_path.margin.eq(control.margin)]
        if self.network.output.registers:
            wiring.connect(m, data_path.constants, control.constants)

        for name in streamed(self.network):
            port, codes = getattr(self, code_port(name)), getattr(data_path, f"codes_{name}")
            m.d.comb += [
                codes.payload.eq(port.tdata),
                codes.valid.eq(port.tvalid),
                port.tready.eq(codes.ready & control.run),
            ]

        # Images in.
        beats = -(-self.network.pixels // PIXELS_PER_BEAT)
        beat = Signal(index_bits(beats))
        begun = Signal()  # whether `beat` is not 0, known beforehand
        taken = Signal()
        last_beat = Signal()
        m.d.comb += [
            data_path.i.payload.eq(self.s_axis.tdata),
            data_path.i.valid.eq(self.s_axis.tvalid),
            self.s_axis.tready.eq(data_path.i.ready & control.run),
            taken.eq(self.s_axis.tvalid & self.s_axis.tready),
            last_beat.eq(beat == beats - 1),
            control.image_in.eq(taken & last_beat),
            control.framing.eq(taken & self.s_axis.tlast & ~last_beat),
        ]
        with m.If(taken):
            m.d.sync += [beat.eq(beat + 1), begun.eq(~last_beat)]
            with m.If(last_beat):
                m.d.sync += beat.eq(0)

        # Packets out, through a register that outlives `run`.
        sent = Signal()
        inside = Signal(16)
        some = Signal()  # whether `inside` is not 0, known beforehand
        m.d.comb += [
            data_path.o.ready.eq(~self.m_axis.tvalid | self.m_axis.tready),
            sent.eq(self.m_axis.tvalid & self.m_axis.tready & self.m_axis.tlast),
            control.image_out.eq(sent),
            # What is dropped at a stop is gone at once, but for a beat on offer.
            control.empty.eq(~self.m_axis.tvalid & (~control.run | (~some & ~begun))),
        ]
        with m.If(data_path.o.ready):
            m.d.sync += [
                self.m_axis.tvalid.eq(data_path.o.valid & control.run),
                self.m_axis.tdata.eq(data_path.o.p.data),
                self.m_axis.tlast.eq(data_path.o.p.last),
            ]
        m.d.sync += inside.eq(inside + control.image_in - sent)
        with m.If(control.image_in ^ sent):
            m.d.sync += some.eq(control.image_in | (inside != 1))
        with m.If(~control.run):
            m.d.sync += [beat.eq(0), begun.eq(0), inside.eq(0), some.eq(0)]
        return m
