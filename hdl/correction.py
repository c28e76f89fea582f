"""Scale and offset of every class, where they are registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from amaranth.hdl import Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Layer, Logits
from hdl.constants import table
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Constants", "Correction", "constant_shapes"]


def constant_shapes(layer: Layer, steps: int) -> dict[str, Shape]:
    """Return the shapes of a scale and an offset."""
    assert isinstance(layer.neuron, Logits)
    scale_bits, offset_bits = layer.neuron.register_bits(layer.reach * steps)
    return {"scale": unsigned(scale_bits), "offset": signed(offset_bits)}


class Constants(wiring.Signature):
    """The constants of one class, seen from who asks; they answer within the cycle."""

    def __init__(self, layer: Layer, steps: int) -> None:
        shapes = constant_shapes(layer, steps)
        members = {name: In(shape) for name, shape in shapes.items()}
        super().__init__({"column": Out(index_bits(layer.columns)), **members})


class Correction(wiring.Component):
    """Hold scale and offset of every class of `layer`; after reset they are the model's.

    A memory has what was written since, a bit for each word says whether anything was. So a reset
    needs no cycle a word, and what the memory holds before does not matter.

    Parameters
    ----------
    layer : Layer
        With a `Logits` neuron whose constants are registers.
    steps : int
        Time steps of a member.

    Members
    -------
    column : In(range(columns))
    scale_written, offset_written : In(1)
        Take `data` as the constant of `column`.
    data : In(32)
    read_back, neuron : Out(Constants(layer, steps)), flipped
        Two readers.
    """

    column: Signal
    scale_written: Signal
    offset_written: Signal
    data: Signal
    read_back: Any
    neuron: Any

    def __init__(self, layer: Layer, *, steps: int = 1) -> None:
        assert isinstance(layer.neuron, Logits)
        self.layer = layer
        self.steps = steps
        self._entries = {"scale": layer.neuron.scale, "offset": layer.neuron.offset}
        super().__init__(
            {
                "column": In(index_bits(layer.columns)),
                "scale_written": In(1),
                "offset_written": In(1),
                "data": In(32),
                "read_back": In(Constants(layer, steps)),
                "neuron": In(Constants(layer, steps)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        columns = self.layer.columns
        writes = {"scale": self.scale_written, "offset": self.offset_written}
        for name, shape in constant_shapes(self.layer, self.steps).items():
            store = memory.Memory(shape=shape, depth=max(2, columns), init=[])
            m.submodules[name] = store
            write = store.write_port()
            written = Signal(columns, name=f"{name}s_written")
            m.d.comb += [
                write.addr.eq(self.column),
                write.data.eq(self.data),
                write.en.eq(writes[name]),
            ]
            with m.If(writes[name]):
                m.d.sync += written.bit_select(self.column, 1).eq(1)
            entries = self._entries[name].astype(np.int64).tolist()
            for reader in (self.read_back, self.neuron):
                read = store.read_port(domain="comb")
                given = table(reader.column, entries, shape)
                chosen = Mux(written.bit_select(reader.column, 1), read.data, given)
                m.d.comb += [read.addr.eq(reader.column), getattr(reader, name).eq(chosen)]
        return m
