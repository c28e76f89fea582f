"""A memory whose words are read in one cycle and replaced in the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["WriteBack"]


class WriteBack(wiring.Component):
    """Keep values that a pipeline takes out, changes and puts back: two stages of it, no pause.

    Parameters
    ----------
    shape : ShapeLike
        Of a value.
    depth : int
    repeats : bool
        Whether an address may come in two cycles running; the second then reads what the first
        writes, which takes a comparator and a multiplexer.

    Members
    -------
    enable : In(1)
        The pipeline moves: `address` is read. Otherwise everything stays.
    address : In(range(depth))
    value : Out(shape)
        What lies at `address`, one cycle later.
    write : In(1)
        In an enabled cycle: put `changed` in the place of `value`.
    changed : In(shape)
    """

    enable: Signal
    address: Signal
    value: Any
    write: Signal
    changed: Any

    def __init__(self, shape: Any, *, depth: int, repeats: bool) -> None:
        self.shape = shape
        self.depth = depth
        self.repeats = repeats
        super().__init__(
            {
                "enable": In(1),
                "address": In(index_bits(depth)),
                "value": Out(shape),
                "write": In(1),
                "changed": In(shape),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(
            shape=self.shape, depth=max(2, self.depth), init=[]
        )
        write = store.write_port()
        read = store.read_port(transparent_for=[write] if self.repeats else [])
        place = Signal.like(self.address)
        with m.If(self.enable):
            m.d.sync += place.eq(self.address)
        m.d.comb += [
            read.en.eq(self.enable),
            read.addr.eq(self.address),
            self.value.eq(read.data),
            write.en.eq(self.enable & self.write),
            write.addr.eq(place),
            write.data.eq(self.changed),
        ]
        return m
