"""Sample the weights, multiply them by the drive and count: S rows by P columns.

The word of row s and column p is ``u = row noise ^ column noise``, bit by bit, and the weight is
+1 exactly if ``u < code`` (docs/numbers.md). A code is larger than u exactly if ``code + ~u``
carries out of its b low bits, or if it is ``2**b``.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Literal, get_args

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import MAX_PROBABILITY_BITS
from bbnn.errors import require, require_int
from hdl.popcount import add_triples, column_counts, named

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["DriveKind", "Lanes"]

DriveKind = Literal["unsigned", "sign", "masked"]


class Lanes(wiring.Component):
    """The lanes of one crossbar layer, one lane for each row and column of a fold.

    A lane's bit is ``d & w`` for unsigned drives (d in {0, 1}), ``d == w`` for signs (1 is +1, 0 is
    -1) and ``driven & (d == w)`` for masked signs, whose rows can also carry 0. A caller that has
    fewer rows pads with code 0 and a drive of 0, or of 1 for signs, or with rows that are not
    driven: such a lane counts nothing.

    No latency, or one cycle: `registered` lanes put a register between what each lane says and the
    tree that counts it, since memories, lanes and tree in one cycle are the longest path by far.

    Parameters
    ----------
    lanes_in, lanes_out : S rows and P columns.
    probability_bits : b, 0..8; with 0 a code is the weight itself and there is no noise.
    row_bits : K, noise bits of a row, at least b. Bit t of column p is bit (p*b + t) mod K of them.
    drive_kind : "unsigned", "sign" or "masked".
    registered : whether there is that register.

    Members
    -------
    enable : In(1)
        The register takes what the lanes say; otherwise it stays. Absent without it.
    drive : In(S)
        Bit s drives row s.
    driven : In(S)
        Bit s is 0 where row s carries 0. Absent but for masked signs.
    codes : In(S*(b+1)*P)
        Column vectors: bit k of row s's P codes lies at ``(s*(b+1) + k)*P``, column 0 first.
    row_noise : In(S*K)
        Row s at ``s*K``. Absent if b is 0.
    column_noise : In(b*P)
        Bit t of all columns at ``t*P``. Absent if b is 0.
    counts : Out(ArrayLayout(unsigned(bits_for(S)), P))
        Lane bits that are 1, by column.
    """

    enable: Signal
    drive: Signal
    driven: Signal
    codes: Signal
    row_noise: Signal
    column_noise: Signal
    counts: data.View

    def __init__(
        self,
        *,
        lanes_in: int,
        lanes_out: int,
        probability_bits: int,
        row_bits: int = 0,
        drive_kind: DriveKind,
        registered: bool = False,
    ) -> None:
        require_int("lanes_in", lanes_in, 1, 65535)
        require_int("lanes_out", lanes_out, 1, 65535)
        require_int("probability_bits", probability_bits, 0, MAX_PROBABILITY_BITS)
        require_int("row_bits", row_bits, probability_bits, 65535)
        known = drive_kind in get_args(DriveKind)
        require(known, "drive_kind", '"unsigned", "sign" or "masked"', drive_kind)
        self.lanes_in = lanes_in
        self.lanes_out = lanes_out
        self.probability_bits = probability_bits
        self.row_bits = row_bits
        self.drive_kind = drive_kind
        self.registered = registered
        members = {
            "drive": In(lanes_in),
            "codes": In(lanes_in * (probability_bits + 1) * lanes_out),
            "counts": Out(data.ArrayLayout(unsigned(bits_for(lanes_in)), lanes_out)),
        }
        if drive_kind == "masked":
            members["driven"] = In(lanes_in)
        if probability_bits:
            members["row_noise"] = In(lanes_in * row_bits)
            members["column_noise"] = In(probability_bits * lanes_out)
        if registered:
            members["enable"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        # ~u is the row noise ^ the inverted column noise.
        inverted = [
            named(m, f"column_inverted_{t}", ~self.column_noise.word_select(t, self.lanes_out))
            for t in range(self.probability_bits)
        ]
        lanes: list[Value] = []
        for s in range(self.lanes_in):
            weight = self._weight(m, s, inverted)
            # A row's drive selects rather than masks: no need to repeat it for every column.
            off = 0 if self.drive_kind == "unsigned" else ~weight
            lane = Mux(self.drive[s], weight, off)
            if self.drive_kind == "masked":
                lane = Mux(self.driven[s], lane, 0)
            lanes.append(named(m, f"lane_{s}", lane))
        # Noise or a mask makes a LUT of each lane; without, three of them fill one.
        whole = self.probability_bits or self.drive_kind == "masked"
        ranks = [lanes] if whole else add_triples(m, lanes)
        if self.registered:
            # A register behind each LUT that there is anyway.
            ranks = [
                [self._held(m, f"held_{k}_{n}", vector) for n, vector in enumerate(rank)]
                for k, rank in enumerate(ranks)
            ]
        for p, count in enumerate(column_counts(m, ranks)):
            m.d.comb += self.counts[p].eq(count)
        return m

    def _held(self, m: Module, name: str, vector: Value) -> Signal:
        register = Signal(self.lanes_out, name=name)
        with m.If(self.enable):
            m.d.sync += register.eq(vector)
        return register

    def _weight(self, m: Module, s: int, inverted: list[Signal]) -> Value:
        """The weights of row s: bit p is 1 for +1."""
        b, columns = self.probability_bits, self.lanes_out
        row = self.codes.word_select(s, (b + 1) * columns)
        code = [named(m, f"code_{s}_{k}", row.word_select(k, columns)) for k in range(b + 1)]
        if not b:
            return code[0]
        carry: Value = Const(0, 1)
        for t in range(b):
            not_u = named(m, f"not_u_{s}_{t}", self._xor_row(m, s, t, inverted[t]))
            both, either = code[t] & not_u, code[t] | not_u
            carry = named(m, f"carry_{s}_{t}", both | (either & carry) if t else both)
        return named(m, f"weight_{s}", code[b] | carry)

    def _xor_row(self, m: Module, s: int, t: int, columns: Signal) -> Value:
        """Exclusive or of `columns` and of bit t of row s's noise for every column."""
        noise = self.row_noise.word_select(s, self.row_bits)
        period = self.row_bits // gcd(self.probability_bits, self.row_bits)
        if period == 1:  # the same bit for all columns
            return Mux(noise[t], ~columns, columns)
        places = [(p * self.probability_bits + t) % self.row_bits for p in range(period)]
        pattern = named(m, f"row_pattern_{s}_{t}", Cat(noise[place] for place in places))
        repeats = -(-self.lanes_out // period)
        return columns ^ Cat(pattern for _ in range(repeats))[: self.lanes_out]
