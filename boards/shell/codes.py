"""Codes from memory to the core: one layer's, read ahead, over and over; and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.schedule import code_beat_count
from boards.shell.axi3 import Axi3Half
from boards.shell.burst import BURST, BYTES
from boards.shell.read_ahead import read_ahead
from hdl.axi import Axi4Stream
from hdl.codes import code_beats

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["CodeFetch", "code_bytes", "code_places"]

DEPTH = 4 * BURST
"""Beats of the buffer: some bursts are under way while one goes out of it."""


def code_places(network: Network) -> dict[str, tuple[int, int]]:
    """Return by layer the first beat and the beats of its codes, which begin whole bursts."""
    places, first = {}, 0
    for layer in network.layers:
        if layer.streamed:
            beats = code_beat_count(layer)
            places[layer.name] = first, beats
            first += -(-beats // BURST) * BURST
    return places


def code_bytes(network: Network) -> bytes:
    """Return the codes of all streamed layers as they lie in memory."""
    content = bytearray()
    for layer in network.layers:
        if layer.streamed:
            content += b"".join(beat.to_bytes(BYTES, "little") for beat in code_beats(layer))
            content += bytes(-len(content) % (BURST * BYTES))
    return bytes(content)


class CodeFetch(wiring.Component):
    """Read the same beats of memory in bursts, over and over, and hand them on.

    Like ``boards.shell.fetch.Fetch``, but that there is no end: it asks as long as its buffer has
    room for a burst.

    Parameters
    ----------
    first, beats : int
        The first beat from the address on, and how many there are.
    number : int
        Its id on the bus.

    Members
    -------
    start : In(1)
        Begin at the first beat, and forget errors; not while busy.
    go : In(1)
        Move data. Rises after `start`.
    address : In(32)
        A multiple of 8.
    busy : Out(1)
        A burst is under way.
    slverr, decerr : Out(1)
        Such an answer has come since `start`.
    bus : Out(Axi3Half)
        To memory.
    o : Out(Axi4Stream)
        To the core.
    """

    start: Signal
    go: Signal
    address: Signal
    busy: Signal
    slverr: Signal
    decerr: Signal
    bus: Any
    o: Any

    def __init__(self, *, first: int, beats: int, number: int) -> None:
        self.first = first
        self.beats = beats
        self.number = number
        super().__init__(
            {
                "start": In(1),
                "go": In(1),
                "address": In(32),
                "busy": Out(1),
                "slverr": Out(1),
                "decerr": Out(1),
                "bus": Out(Axi3Half("r", 8 * BYTES, 6)),
                "o": Out(Axi4Stream(8 * BYTES, last=False)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        place, beats = Signal(29), Signal(range(self.beats + 1))
        leaves = Signal()
        buffer, asks, length, under_way = read_ahead(m, self, DEPTH, place, beats, leaves)
        m.d.comb += [
            self.bus.arid.eq(self.number),
            self.busy.eq(under_way != 0),
            self.o.tvalid.eq(self.go & buffer.r_rdy),
            self.o.tdata.eq(buffer.r_data),
            leaves.eq(self.o.tvalid & self.o.tready),
            buffer.r_en.eq(leaves),
        ]
        with m.If(self.start | (asks & (beats == length))):
            m.d.sync += [place.eq(self.address[3:] + self.first), beats.eq(self.beats)]
        return m
