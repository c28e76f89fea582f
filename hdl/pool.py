"""Pooling: one value for each square of a map, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits
from hdl.write_back import WriteBack

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Pooling"]


class Pooling(wiring.Component):
    """Take a map in raster order, give the largest value or the sum of each square of it.

    One chunk a cycle; a square's result is offered two cycles after its last chunk was taken. A
    memory holds the partial results of the squares beside each other, each `chunk` elements a word;
    rows and columns of the map that fill no square are taken and dropped.

    Parameters
    ----------
    kind : "max" or "sum"
        The largest of unsigned elements (an OR of +-1 bits, 1 for +1), or their sum.
    size : int
        Elements of a square's side, 2..8.
    element_bits, chunk : int
        Bits of an unsigned element; elements of a chunk, a divisor of `channels`.
    height, width, channels : int
        Of the input map.

    Members
    -------
    i : In(stream.Signature(chunk * element_bits))
    o : Out(stream.Signature(chunk * out_bits))
        Chunks of the smaller map; ``out_bits`` is `element_bits`, or what holds the largest sum.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(
        self,
        *,
        kind: Literal["max", "sum"],
        size: int,
        element_bits: int,
        chunk: int,
        height: int,
        width: int,
        channels: int,
    ) -> None:
        self.kind = kind
        self.size = size
        self.element_bits = element_bits
        self.chunk = chunk
        self.height = height
        self.width = width
        self.channels = channels
        largest = (2**element_bits - 1) * (size**2 if kind == "sum" else 1)
        self.out_bits = largest.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(chunk * element_bits)),
                "o": Out(stream.Signature(chunk * self.out_bits)),
            }
        )
