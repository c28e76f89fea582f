"""Where the lines of maps lie: in a ring of banks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amaranth.hdl import Mux, Signal

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["Ring"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """Where lines lie: one after the other in bank 0, 1 .. K-1, then in the next slot of each.

    banks : K. lines : places in all, a multiple of K. line_words : words of a line.
    """

    banks: int
    lines: int
    line_words: int

    @property
    def depth(self) -> int:
        """Words of a bank."""
        return max(2, self.lines // self.banks * self.line_words)

    @property
    def address_bits(self) -> int:
        """Bits of a bank's address."""
        return index_bits(self.depth)

    def following(self, slot: Signal, slots: int = 1) -> Value:
        """Return the address of the slot that is `slots` after the one at address `slot`."""
        wraps = (self.lines // self.banks - slots) * self.line_words
        on = slot + slots * self.line_words
        if slots == 1:
            return Mux(slot == wraps, 0, on)[: self.address_bits]
        return Mux(slot >= wraps, slot - wraps, on)[: self.address_bits]

    def later(self, bank: Signal, slot: Signal, lines: int) -> tuple[Value, Value]:
        """Return the bank and the slot that are `lines` on, less than all of the ring."""
        slots, lines = divmod(lines, self.banks)
        if not lines:
            return bank, self.following(slot, slots)
        wraps = bank >= self.banks - lines
        on = Mux(wraps, bank + (lines - self.banks), bank + lines)[: len(bank)]
        near = self.following(slot, slots) if slots else slot
        return on, Mux(wraps, self.following(slot, slots + 1), near)
