"""Integrate-and-fire neurons: membranes in a memory, a few of them changed per cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer, Spiking
from bbnn.schedule import neurons
from hdl.columns import ColumnSums

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["SpikingNeurons", "largest_potential"]


class SpikingNeurons(wiring.Component):
    """Integrate, compare, and subtract the threshold where it is reached: a spike.

    One chunk a cycle, whatever the layer's size; three cycles of latency. The chunks of a member
    are counted: `steps` times a map, of which each chunk has a word of membranes of its own. In the
    first step these begin at `start`. What the last chunk of a vector holds beyond it is 0.

    Parameters
    ----------
    layer : Layer
        With a `Spiking` neuron.
    steps : int
        Time steps of a member.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(neurons(layer)))
        Bit n is the spike of column n of the chunk.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layer: Layer, *, steps: int) -> None:
        self.layer = layer
        self.steps = steps
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(neurons(layer))),
            }
        )
