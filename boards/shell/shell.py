"""All that stands between the processor system and the core, around the unchanged core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.interface import code_port
from boards.shell.axi3 import GP, HP
from boards.shell.bridge import Bridge
from boards.shell.codes import CodeFetch, code_places
from boards.shell.fetch import Fetch
from boards.shell.registers import Registers
from boards.shell.share import ReadShare
from boards.shell.store import Store
from hdl.core import Core

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["Shell"]


class Shell(wiring.Component):
    """The core behind the processor's ports, in one clock domain.

    Parameters
    ----------
    network : Network

    Members
    -------
    gp0 : In(GP)
        Registers: the core's, then the DMA's (docs/driver.md).
    hp0 : Out(HP)
        Images from memory and packets to it, and codes that are streamed.
    irq : Out(1)
        The DMA has ended, well or not.
    """

    gp0: Any
    hp0: Any
    irq: Signal

    def __init__(self, network: Network) -> None:
        self.network = network
        super().__init__({"gp0": In(GP), "hp0": Out(HP), "irq": Out(1)})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        places = code_places(self.network)
        core, bridge = Core(self.network), Bridge()
        registers = Registers(streamed=bool(places))
        fetch, store = Fetch(), Store()
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
        m.submodules.bridge = DomainRenamer("shell")(bridge)
        m.submodules.registers = DomainRenamer("shell")(registers)
        m.submodules.fetch = DomainRenamer("shell")(fetch)
        m.submodules.store = DomainRenamer("shell")(store)

        wiring.connect(m, wiring.flipped(self.gp0), bridge.bus)
        wiring.connect(m, bridge.core, core.s_axi)
        wiring.connect(m, bridge.dma, registers.bus)
        wiring.connect(m, fetch.o, core.s_axis)
        wiring.connect(m, core.m_axis, store.i)
        reads, errors = fetch.bus, Cat(fetch.slverr, fetch.decerr)
        busy: Value = fetch.busy | store.busy
        if places:
            reads, errors, draining = self._add_codes(m, core, registers, fetch, places)
            busy |= draining
        for half in (reads, store.bus):
            for name, member in half.signature.members.items():
                ours, theirs = getattr(half, name), getattr(self.hp0, name)
                m.d.comb += theirs.eq(ours) if member.flow == Out else ours.eq(theirs)

        # A register, since data moves by it: it rises once all has been taken with `start`.
        go = Signal()
        errors = Cat(errors, store.slverr, store.decerr, store.framing)
        may_go = registers.run & ~errors.any()
        m.d.shell += go.eq(may_go & ~fetch.fails & ~store.fails)
        m.d.comb += [
            registers.errors.eq(errors),
            # Between `start` and `go` too, though the engines rest then.
            registers.busy.eq(busy | registers.start | (may_go & ~go)),
            registers.bytes_in.eq(fetch.moved),
            registers.bytes_out.eq(store.moved),
            self.irq.eq(registers.interrupt & registers.run & ~registers.busy),
            fetch.address.eq(registers.source),
            fetch.bytes.eq(registers.source_bytes),
            store.address.eq(registers.destination),
            store.bytes.eq(registers.destination_bytes),
            store.drop.eq(~registers.run & ~go),
        ]
        for engine in (fetch, store):
            m.d.comb += [engine.start.eq(registers.start), engine.go.eq(go)]
        return m

    def _add_codes(
        self,
        m: Module,
        core: Core,
        registers: Registers,
        fetch: Fetch,
        places: dict[str, tuple[int, int]],
    ) -> tuple[Any, Value, Value]:
        """Read codes by the same port, from one transfer of images to the next without a break.

        Return who reads, what read errors there are, and whether what was asked for is still to
        come after a stop.
        """
        share = ReadShare(1 + len(places))
        m.submodules.share = DomainRenamer("shell")(share)
        wiring.connect(m, fetch.bus, share.readers[0])
        slverr, decerr, busy = fetch.slverr, fetch.decerr, Const(0, 1)
        for number, (name, (first, beats)) in enumerate(places.items(), start=1):
            codes = CodeFetch(first=first, beats=beats, number=number)
            m.submodules[f"codes_{name}"] = DomainRenamer("shell")(codes)
            wiring.connect(m, codes.bus, share.readers[number])
            wiring.connect(m, codes.o, getattr(core, code_port(name)))
            m.d.comb += [
                codes.start.eq(registers.begin),
                codes.go.eq(registers.reads & ~registers.errors.any()),
                codes.address.eq(registers.codes),
            ]
            slverr, decerr, busy = slverr | codes.slverr, decerr | codes.decerr, busy | codes.busy
        return share.bus, Cat(slverr, decerr), busy & ~registers.reads
