"""The core behind a serial line, and nothing of any vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Module,
    ResetInserter,
    ResetSignal,
    Signal,
)
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.errors import require
from bbnn.interface import PIXELS_PER_BEAT
from boards.uart.link import Link
from boards.uart.serial import Receiver, Transmitter
from hdl.core import Core

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["UartShell"]


class UartShell(wiring.Component):
    """The core behind a serial line, in one clock domain.

    Parameters
    ----------
    network : Network
    divisor : int
        Clock cycles of a bit.
    silence : int
        Clock cycles after which a command without its next byte is forgotten.

    Members
    -------
    rx : In(1)
        From the host, in no clock domain.
    tx : Out(1)
        To the host.
    """

    rx: Signal
    tx: Signal

    def __init__(self, network: Network, divisor: int, silence: int) -> None:
        self.network = network
        self.divisor = divisor
        self.silence = silence
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})  # type: ignore[call-arg]

    def elaborate(self, platform: Platform | None) -> Module:
        for layer in self.network.layers:
            held, where = layer.folding.held, f"folding.held ({layer.name})"
            require(held == 0, where, "0 behind a serial line", held)
        m = Module()
        core, link = Core(self.network), Link(self.silence)
        receiver, transmitter = Receiver(self.divisor), Transmitter(self.divisor)
        beats = -(-self.network.pixels // PIXELS_PER_BEAT)
        queue = SyncFIFOBuffered(width=33, depth=beats)
        # The core has its clock among its ports. The rest hangs on the same wire, so that both see
        # an edge at the same moment of a simulation, too.
        m.domains.shell = ClockDomain(local=True)
        m.d.comb += [
            core.aclk.eq(ClockSignal()),
            core.aresetn.eq(~ResetSignal(allow_reset_less=True)),
            ClockSignal("shell").eq(core.aclk),
            ResetSignal("shell").eq(~core.aresetn),
        ]
        m.submodules.core = DomainRenamer("core")(core)
        m.submodules.line = FFSynchronizer(self.rx, receiver.line, init=1, o_domain="shell")
        m.submodules.receiver = DomainRenamer("shell")(receiver)
        m.submodules.transmitter = DomainRenamer("shell")(transmitter)
        m.submodules.link = DomainRenamer("shell")(link)
        m.submodules.queue = DomainRenamer("shell")(ResetInserter(link.clear)(queue))

        wiring.connect(m, link.o, transmitter.i)
        wiring.connect(m, link.bus, core.s_axi)
        wiring.connect(m, core.m_axis, link.packets)
        m.d.comb += [
            link.octet.eq(receiver.octet),
            link.heard.eq(receiver.heard),
            self.tx.eq(transmitter.line),
            queue.w_data.eq(Cat(link.images.tdata, link.images.tlast)),
            queue.w_en.eq(link.images.tvalid),
            link.images.tready.eq(queue.w_rdy),
            Cat(core.s_axis.tdata, core.s_axis.tlast).eq(queue.r_data),
            core.s_axis.tvalid.eq(queue.r_rdy & ~link.clear),
            queue.r_en.eq(core.s_axis.tready),
        ]
        return m
