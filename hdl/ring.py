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

    def following(self, slot: Signal) -> Value:
        """Return the address of the slot after the one at address `slot`."""
        last = (self.lines // self.banks - 1) * self.line_words
        return Mux(slot == last, 0, slot + self.line_words)[: self.address_bits]

    def later(self, bank: Signal, slot: Signal, lines: int) -> tuple[Value, Value]:
        """Return the bank and the slot that are `lines` <= K lines on."""
        if lines == self.banks:
            return bank, self.following(slot)
        wraps = bank >= self.banks - lines
        on = Mux(wraps, bank + (lines - self.banks), bank + lines)[: len(bank)]
        return on, Mux(wraps, self.following(slot), slot)
