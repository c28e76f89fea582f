"""Several that read memory, by one port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.shell.axi3 import Axi3Half
from boards.shell.burst import BYTES
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["ReadShare"]

HALF = Axi3Half("r", 8 * BYTES, 6)


class ReadShare(wiring.Component):
    """Let readers' addresses through in turn, and give each the data of its own id.

    Reader n asks with the id n and always takes what comes.

    Parameters
    ----------
    count : int
        Readers, at least 2 and at most 64.

    Members
    -------
    readers : Array of In(Axi3Half)
    bus : Out(Axi3Half)
        To memory.
    """

    readers: Any
    bus: Any

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__({"readers": In(HALF).array(count), "bus": Out(HALF)})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        bus, readers = self.bus, self.readers
        turn = Signal(index_bits(self.count))
        m.d.comb += bus.rready.eq(1)
        for number, reader in enumerate(readers):
            m.d.comb += [
                reader.rvalid.eq(bus.rvalid & (bus.rid == number)),
                *(
                    getattr(reader, name).eq(getattr(bus, name))
                    for name in ("rid", "rdata", "rresp", "rlast")
                ),
            ]
        with m.Switch(turn):
            for number, reader in enumerate(readers):
                with m.Case(number):
                    m.d.comb += [
                        *(
                            getattr(bus, name).eq(getattr(reader, name))
                            for name, member in HALF.members.items()
                            if member.flow == Out and name != "rready"
                        ),
                        reader.arready.eq(bus.arready),
                    ]
                    # An offer stays until it is taken; then it is the turn of the next that asks.
                    with m.If(~bus.arvalid | bus.arready):
                        for later in reversed(range(1, self.count)):
                            other = (number + later) % self.count
                            with m.If(readers[other].arvalid):
                                m.d.sync += turn.eq(other)
        return m
