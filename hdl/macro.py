"""The crossbar as an analog macro: cells that sample themselves, behind a border of plain bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Layer, Network
from bbnn.errors import require
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["ARRAYS", "Array", "Macro", "macro_text", "require_macros"]

Array = Literal["lanes", "macro"]
"""What samples the weights: lanes from codes and a noise plane, or the cells of a macro."""
ARRAYS: tuple[Array, ...] = ("lanes", "macro")
MODULE = "crossbar_macro"


def macro_text() -> str:
    """Return the Verilog of the macro: a black box to synthesis, a model to simulators."""
    return Path(__file__).with_name(f"{MODULE}.v").read_text()


def require_macros(network: Network) -> None:
    """Raise `InputError` where no layer is sampled, or only some rows of one are."""
    sampled = any(layer.probability_bits for layer in network.layers)
    require(sampled, "--array macro", "used for a network with sampled weights", network.name)
    # What an early exit leaves in the pipeline would have to be emptied from macros, too.
    exits = network.ensemble.early_exit
    require(not exits, "ensemble.early_exit", "false with --array macro", exits)
    for layer in network.layers:
        # A macro samples all its rows; rows that are kept apart would need one of their own.
        wanted = "absent with --array macro"
        require(layer.sampled is None, f"sampled ({layer.name})", wanted, "set")


class Macro(wiring.Component):
    """The sampled cells of one layer, and what tells them when a member is over.

    The border of a Bayes2IMC array: word lines are opened one a bank, a comparator a column says
    the sign of what its cell and the noise conduct. So weights leave as bits; drives, counting and
    accumulation are digital and outside. ``hdl/crossbar_macro.v`` states the contract of the black
    box. Here are the cells that it lacks, in the last row group: they read 0, as their codes would.

    Parameters
    ----------
    layer : Layer
        With sampled weights.
    vectors : int
        How often a member reads the crossbar.

    Members
    -------
    ready : Out(1)
        The cells have been sampled and may be read.
    read : In(1)
        Read `row_group` and `column_group` in this cycle; without it, `weights` stay.
    done : In(1)
        This read is the last one of a vector.
    row_group : In(range(row_groups))
    column_group : In(range(column_groups))
    weights : Out(lanes_in * lanes_out)
        One cycle later, 1 for +1: row s's columns at ``s*lanes_out``.
    """

    ready: Signal
    read: Signal
    done: Signal
    row_group: Signal
    column_group: Signal
    weights: Signal

    def __init__(self, layer: Layer, vectors: int) -> None:
        self.layer = layer
        self.vectors = vectors
        super().__init__(
            {
                "ready": Out(1),
                "read": In(1),
                "done": In(1),
                "row_group": In(index_bits(layer.row_groups)),
                "column_group": In(index_bits(layer.column_groups)),
                "weights": Out(layer.folding.lanes_in * layer.folding.lanes_out),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        lanes_in, lanes_out = layer.folding.lanes_in, layer.folding.lanes_out
        on = Signal()
        ends_member = Signal()
        vector = Signal(index_bits(self.vectors))
        last = vector == self.vectors - 1
        m.d.sync += on.eq(1)
        m.d.comb += ends_member.eq(self.done & last)
        with m.If(self.done):
            m.d.sync += vector.eq(Mux(last, 0, vector + 1))

        seen = Signal.like(self.weights)
        m.submodules.cells = Instance(
            MODULE,
            p_LAYER=layer.name,
            p_ROWS=layer.rows,
            p_COLUMNS=layer.columns,
            p_LANES_IN=lanes_in,
            p_LANES_OUT=lanes_out,
            p_ROW_GROUP_BITS=len(self.row_group),
            p_COLUMN_GROUP_BITS=len(self.column_group),
            i_clk=ClockSignal(),
            i_on=on,
            i_read=self.read,
            i_sample=ends_member,
            i_row_group=self.row_group,
            i_column_group=self.column_group,
            o_ready=self.ready,
            o_weights=seen,
        )
        lacking = layer.row_groups * lanes_in - layer.rows
        m.d.comb += self.weights.eq(seen)
        if lacking:
            in_last_group = Signal()
            with m.If(self.read):
                m.d.sync += in_last_group.eq(self.row_group == layer.row_groups - 1)
            with m.If(in_last_group):
                m.d.comb += self.weights[(lanes_in - lacking) * lanes_out :].eq(0)
        return m
