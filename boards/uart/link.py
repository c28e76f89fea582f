"""From the bytes of the serial line to the core's three ports; the contract is `protocol`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.interface import ADDRESS_BITS
from boards.uart.protocol import CLEAR, DECERR, FETCH, IGNORED, OKAY, READ, SEND, SLVERR, WRITE
from hdl.axi import Axi4Lite, Axi4Stream

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Link"]

ARGUMENTS = {READ: 2, WRITE: 6, SEND: 2, FETCH: 2}
"""Bytes that follow a command before anything is done."""
LONGEST = max(ARGUMENTS.values())


class Link(wiring.Component):
    """Obey one command after another.

    Parameters
    ----------
    silence : int
        Clock cycles after which a command without its next byte is forgotten.

    Members
    -------
    octet, heard : In(8), In(1)
        From the host; nothing can hold it up.
    o : Out(stream.Signature(8))
        To the host.
    bus : Out(Axi4Lite)
        The core's registers.
    images : Out(Axi4Stream)
        Never held back for long: a beat that is not taken at once is lost, and told.
    packets : In(Axi4Stream)
    clear : Out(1)
        The queue is to be emptied.
    """

    octet: Signal
    heard: Signal
    o: stream.Interface
    bus: Any
    images: Any
    packets: Any
    clear: Signal

    def __init__(self, silence: int) -> None:
        self.silence = silence
        super().__init__(
            {
                "octet": In(8),
                "heard": In(1),
                "o": Out(stream.Signature(8)),
                "bus": Out(Axi4Lite(ADDRESS_BITS)),
                "images": Out(Axi4Stream()),
                "packets": In(Axi4Stream()),
                "clear": Out(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        octet, heard, bus = self.octet, self.heard, self.bus
        command = Signal(8)
        arguments = Signal(8 * LONGEST)
        address, data = arguments[:16], arguments[16:]
        words = Signal(16)
        left = Signal(range(LONGEST + 1))
        word = Signal(32)
        response = Signal(2)
        address_due, data_due = Signal(), Signal()
        ended = Signal()

        quiet = Signal(range(self.silence + 1))
        forgotten = Signal()
        m.d.comb += forgotten.eq(quiet == self.silence)
        m.d.sync += quiet.eq(Mux(heard, 0, quiet + ~forgotten))

        m.d.comb += [
            bus.araddr.eq(address),
            bus.awaddr.eq(address),
            bus.wdata.eq(data),
            bus.wstrb.eq(0b1111),
            bus.awvalid.eq(address_due),
            bus.wvalid.eq(data_due),
            self.images.tdata.eq(Cat(word[8:], octet)),
            self.images.tlast.eq(words == 1),
        ]
        with m.FSM():
            with m.State("COMMAND"):
                m.d.sync += [command.eq(octet), response.eq(OKAY)]
                with m.If(heard), m.Switch(octet):
                    for known, count in ARGUMENTS.items():
                        with m.Case(known):
                            # The last byte of the arguments is to be the highest of these.
                            m.d.sync += left.eq(count)
                            m.next = "ARGUMENTS"
                    with m.Case(CLEAR):
                        m.next = "CLEAR"
                    with m.Case(IGNORED):
                        pass
                    with m.Default():
                        m.d.sync += response.eq(DECERR)
                        m.next = "RESPONSE"
            with m.State("ARGUMENTS"):
                with m.If(heard):
                    m.d.sync += left.eq(left - 1)
                    with m.If(command == WRITE):
                        m.d.sync += arguments.eq(Cat(arguments[8:], octet))
                    with m.Else():
                        m.d.sync += address.eq(Cat(address[8:], octet))
                    with m.If(left == 1):
                        m.next = "BEGIN"
                with m.Elif(forgotten):
                    m.next = "COMMAND"
            with m.State("BEGIN"):
                m.d.sync += [words.eq(address), left.eq(4), ended.eq(0)]
                with m.Switch(command):
                    with m.Case(SEND):
                        m.next = "SEND"
                    with m.Case(FETCH):
                        m.next = "FETCH"
                    with m.Default():
                        with m.If(address[ADDRESS_BITS:].any()):
                            m.d.sync += response.eq(DECERR)
                            m.next = "RESPONSE"
                        with m.Elif(command == READ):
                            m.next = "READ"
                        with m.Else():
                            m.d.sync += [address_due.eq(1), data_due.eq(1)]
                            m.next = "WRITE"
            with m.State("READ"):
                m.d.comb += bus.arvalid.eq(1)
                with m.If(bus.arready):
                    m.next = "READ ANSWER"
            with m.State("READ ANSWER"):
                m.d.comb += bus.rready.eq(1)
                m.d.sync += [word.eq(bus.rdata), response.eq(bus.rresp), words.eq(0)]
                with m.If(bus.rvalid):
                    m.next = "WORD"
            with m.State("WRITE"):
                m.d.comb += bus.bready.eq(1)
                with m.If(bus.awready):
                    m.d.sync += address_due.eq(0)
                with m.If(bus.wready):
                    m.d.sync += data_due.eq(0)
                with m.If(bus.bvalid):
                    m.d.sync += response.eq(bus.bresp)
                    m.next = "RESPONSE"
            with m.State("SEND"):
                with m.If(words == 0):
                    m.next = "RESPONSE"
                with m.Elif(heard):
                    m.d.sync += [word.eq(self.images.tdata), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.d.comb += self.images.tvalid.eq(1)
                        m.d.sync += [words.eq(words - 1), left.eq(4)]
                        with m.If(~self.images.tready):
                            m.d.sync += response.eq(SLVERR)
                with m.Elif(forgotten):
                    m.next = "COMMAND"
            with m.State("FETCH"):
                with m.If(heard | ended):
                    m.next = "COMMAND"
                with m.Elif(words == 0):
                    m.next = "RESPONSE"
                with m.Else():
                    m.d.comb += self.packets.tready.eq(1)
                    with m.If(self.packets.tvalid):
                        m.d.sync += [word.eq(self.packets.tdata), words.eq(words - 1)]
                        with m.If(self.packets.tlast != (words == 1)):
                            m.d.sync += response.eq(SLVERR)
                        m.next = "WORD"
            with m.State("WORD"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(word[:8])]
                with m.If(heard):
                    # What is offered stays; the fetch ends behind this word.
                    m.d.sync += ended.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [word.eq(word[8:]), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.d.sync += left.eq(4)
                        m.next = "FETCH"
            with m.State("CLEAR"):
                # What the core offers after a stop is one beat.
                m.d.comb += [self.clear.eq(1), self.packets.tready.eq(1)]
                m.next = "RESPONSE"
            with m.State("RESPONSE"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(response)]
                with m.If(self.o.ready):
                    m.next = "COMMAND"
        return m
