"""The whole core: AXI4-Stream in and out, AXI4-Lite control, one clock, no vendor's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetInserter, ResetSignal, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.interface import ADDRESS_BITS, PIXELS_PER_BEAT
from bbnn.schedule import neurons
from hdl.axi import Axi4Lite, Axi4Stream
from hdl.control import Control
from hdl.ensemble import Beat, Ensemble
from hdl.layer import LayerCore
from hdl.neuron import logit_width
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Core", "DataPath"]


class DataPath(wiring.Component):
    """The layers and the ensemble; what `CONTROL.run` holds in reset.

    Parameters
    ----------
    network : Network

    Members
    -------
    i : In(stream.Signature(32))
        Pixels, four a beat.
    o : Out(stream.Signature(Beat()))
        Result packets.
    members, member_logits, seeds : In
        As in ``hdl.control.Control``.
    """

    i: stream.Interface
    o: stream.Interface
    members: Signal
    member_logits: Signal
    seeds: Signal

    def __init__(self, network: Network) -> None:
        self.network = network
        stochastic = sum(layer.noise is not None for layer in network.layers)
        super().__init__(
            {
                "i": In(stream.Signature(8 * PIXELS_PER_BEAT)),
                "o": Out(stream.Signature(Beat())),
                "members": In(16),
                "member_logits": In(1),
                "seeds": In(max(1, network.lfsr_width * stochastic)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        network = self.network
        source, chunk = wiring.flipped(self.i), PIXELS_PER_BEAT
        seed_start = 0
        for index, layer in enumerate(network.layers):
            block = LayerCore(layer, network.ensemble, lfsr_width=network.lfsr_width, chunk=chunk)
            m.submodules[layer.name] = block
            wiring.connect(m, source, block.i)
            ensembles = index == network.first_ensembling
            m.d.comb += block.passes.eq(self.members if ensembles else 1)
            if layer.noise is not None:
                seed = self.seeds[seed_start : seed_start + network.lfsr_width]
                seed_start += network.lfsr_width
                m.d.comb += [block.members.eq(self.members), block.seed.eq(seed)]
            source, chunk = block.o, neurons(layer)

        # No layer can have these names. Two registers, so that the host's ready ends before it runs
        # back into the last layer.
        slack = fifo.SyncFIFO(width=len(source.payload), depth=2)
        m.submodules["slack$"] = slack
        m.submodules["ensemble$"] = ensemble = Ensemble(
            classes=len(network.classes), width=logit_width(network.layers[-1])
        )
        wiring.connect(m, source, slack.w_stream)  # type: ignore[arg-type]
        wiring.connect(m, slack.r_stream, ensemble.i)  # type: ignore[arg-type]
        wiring.connect(m, ensemble.o, wiring.flipped(self.o))
        m.d.comb += [
            ensemble.members.eq(self.members),
            ensemble.member_logits.eq(self.member_logits),
        ]
        return m


class Core(wiring.Component):
    """The core as it is generated; the description of its ports is in ``docs/interface.md``.

    Parameters
    ----------
    network : Network

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
    m_axis : Out(Axi4Stream)
        Result packets. A beat that is offered stays until it is taken, also when `run` is cleared.
    """

    aclk: Signal
    aresetn: Signal
    s_axi: Any
    s_axis: Any
    m_axis: Any

    def __init__(self, network: Network) -> None:
        self.network = network
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axi": In(Axi4Lite(ADDRESS_BITS)),
                "s_axis": In(Axi4Stream()),
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
        data_path = DataPath(self.network)
        m.submodules.data_path = ResetInserter(halted)(data_path)
        m.d.comb += [
            halted.eq(~control.run),
            data_path.members.eq(control.members),
            data_path.member_logits.eq(control.member_logits),
            data_path.seeds.eq(control.seeds),
        ]

        # Images in.
        beats = -(-self.network.pixels // PIXELS_PER_BEAT)
        beat = Signal(index_bits(beats))
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
            m.d.sync += beat.eq(beat + 1)
            with m.If(last_beat):
                m.d.sync += beat.eq(0)

        # Packets out, through a register that outlives `run`.
        sent = Signal()
        inside = Signal(16)
        m.d.comb += [
            data_path.o.ready.eq(~self.m_axis.tvalid | self.m_axis.tready),
            sent.eq(self.m_axis.tvalid & self.m_axis.tready & self.m_axis.tlast),
            control.image_out.eq(sent),
            # What is dropped at a stop is gone at once, but for a beat on offer.
            control.empty.eq(~self.m_axis.tvalid & (~control.run | ((inside == 0) & (beat == 0)))),
        ]
        with m.If(data_path.o.ready):
            m.d.sync += [
                self.m_axis.tvalid.eq(data_path.o.valid & control.run),
                self.m_axis.tdata.eq(data_path.o.p.data),
                self.m_axis.tlast.eq(data_path.o.p.last),
            ]
        m.d.sync += inside.eq(inside + control.image_in - sent)
        with m.If(~control.run):
            m.d.sync += [beat.eq(0), inside.eq(0)]
        return m
