"""From the words of a noise plane's memories to the bits that the lanes take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Signal

from bbnn.description import Layer, SpatialDropout

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["by_plane", "kept_maps", "rotated"]


def rotated(m: Module, layer: Layer, data: Value, column_group: Signal, enable: Signal) -> Value:
    """Turn each row's K bits so that lane 0 of the column group finds its first bit lowest.

    data : what was read for `column_group` in the last cycle with `enable`.
    """
    assert layer.noise is not None
    k, lanes_in, lanes_out = layer.noise.row_bits, layer.folding.lanes_in, layer.folding.lanes_out
    turns = [group * lanes_out * layer.probability_bits % k for group in range(layer.column_groups)]
    if not any(turns):
        return data
    turned = Signal.like(data)
    group = Signal.like(column_group)
    with m.If(enable):
        m.d.sync += group.eq(column_group)
    with m.Switch(group):
        for number, turn in enumerate(turns):
            with m.Case(number):
                words = (data.word_select(i, k) for i in range(lanes_in))
                m.d.comb += turned.eq(Cat(word.rotate_right(turn) for word in words))
    return turned


def by_plane(m: Module, layer: Layer, data: Value, stratum: Value | None, enable: Signal) -> Value:
    """Sort the columns' bits by plane, and put a stratified member's reversed number into them.

    stratum : the b low bits of the member that reads, None if members are not stratified.
    """
    b, lanes_out = layer.probability_bits, layer.folding.lanes_out
    planes = [Cat(data[lane * b + bit] for lane in range(lanes_out)) for bit in range(b)]
    if stratum is None:
        return Cat(planes)
    number = Signal(b)
    with m.If(enable):
        m.d.sync += number.eq(stratum)
    return Cat(plane ^ number[b - 1 - t].replicate(lanes_out) for t, plane in enumerate(planes))


def kept_maps(dropout: SpatialDropout, data: Value) -> Value:
    """Say of every map whose word is in `data` whether it stays; a word of 0 never does."""
    words = (data.word_select(number, dropout.bits) for number in range(len(data) // dropout.bits))
    return Cat(word >= dropout.code for word in words)
