"""Count the ones in every column of a stack of bit vectors, all columns at once.

Vectors are P bits wide, and bit p belongs to column p. They are held by rank: a one in a vector of
rank k is worth ``2**k``. Counters replace up to six vectors by three, each of which is one function
of six inputs: a LUT6 a column for every vector they remove. Where two vectors a rank are left, an
adder per column ends it.

Until there the logic knows no columns, so that a simulator handles all of them in a few machine
words; and technology mapping finds every counter output as one LUT, see `_parity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise, zip_longest
from operator import xor

from amaranth.hdl import Cat, Const, Module, Signal, Value

__all__ = ["add_triples", "column_counts", "named"]


def named(m: Module, name: str, value: Value) -> Signal:
    """Return a signal called `name` that carries `value`, so that slices do not repeat it."""
    signal = Signal(len(value), name=name)
    m.d.comb += signal.eq(value)
    return signal


def add_triples(m: Module, vectors: Sequence[Value]) -> list[list[Value]]:
    """Add the vectors by threes, and leave the one or two that remain.

    To begin with vectors that are functions of two inputs each: three of them fill a LUT6.
    """
    whole = len(vectors) - len(vectors) % 3
    sums = [_full_adder(m, f"triple{i // 3}", *vectors[i : i + 3]) for i in range(0, whole, 3)]
    return [[*vectors[whole:], *(one for one, _ in sums)], [two for _, two in sums]]


def column_counts(m: Module, vectors: Sequence[Sequence[Value]]) -> list[Value]:
    """Return the sum of every column: P unsigned values, as wide as the largest sum needs.

    vectors : by rank.
    """
    width = sum(len(rank) << k for k, rank in enumerate(vectors)).bit_length()
    ranks = [list(rank) for rank in vectors] + [[] for _ in range(width - len(vectors))]
    number = 0
    while max(map(len, ranks)) > 2:
        k, inputs, above = _next_counter([len(rank) for rank in ranks])
        # The oldest vectors first: that keeps the tree flat.
        taken = [ranks[k].pop(0) for _ in range(inputs)]
        taken += [ranks[k + 1].pop(0) for _ in range(above)]
        outputs = _COUNTERS[inputs, above](m, f"counter{number}", *taken)
        # Past the highest rank an output is always 0, and dropped.
        for output, rank in zip(outputs, ranks[k:], strict=False):
            rank.append(output)
        number += 1
    columns = max(len(vector) for rank in ranks for vector in rank)
    none = Const(0, columns)
    pairs = [[*rank, none, none][:2] for rank in ranks]
    return [
        (Cat(v[p] for v, _ in pairs) + Cat(v[p] for _, v in pairs))[:width] for p in range(columns)
    ]


def _next_counter(heights: Sequence[int]) -> tuple[int, int, int]:
    """Return where to count next and with what: the first counter that fits, the lowest rank."""
    for inputs, above in _COUNTERS:
        for rank, (height, higher) in enumerate(pairwise([*heights, 0])):
            if height >= inputs and higher >= above:
                return rank, inputs, above
    raise AssertionError("no rank holds three vectors")


def _full_adder(m: Module, name: str, x: Value, y: Value, z: Value) -> list[Value]:
    one = named(m, f"{name}_one", x ^ y ^ z)
    return [one, named(m, f"{name}_two", (x & y) | ((x | y) & z))]


def _six(m: Module, name: str, *v: Value) -> list[Value]:
    """Sum of six vectors of one rank."""
    (a1, a2, a3), (b1, b2, b3) = _sorted(m, f"{name}_a", *v[:3]), _sorted(m, f"{name}_b", *v[3:])
    one = named(m, f"{name}_one", _parity(*v))
    four = named(m, f"{name}_four", (a3 & b1) | (a2 & b2) | (a1 & b3))
    two = named(m, f"{name}_two", ((a2 | b2 | (a1 & b1)) & ~four) | (a3 & b3))
    return [one, two, four]


def _five_and_one(m: Module, name: str, *v: Value) -> list[Value]:
    """Sum of five vectors of one rank and one of the next."""
    *ones, twice = v
    (a1, a2, a3), (b1, b2) = _sorted(m, f"{name}_a", *ones[:3]), _pair(m, f"{name}_b", *ones[3:])
    one = named(m, f"{name}_one", _parity(*ones))
    some = named(m, f"{name}_some", a2 | b2 | (a1 & b1))
    most = named(m, f"{name}_most", (a3 & b1) | (a2 & b2))
    two = named(m, f"{name}_two", (some & ~most) ^ twice)
    return [one, two, named(m, f"{name}_four", most | (some & twice))]


_COUNTERS = {(6, 0): _six, (5, 1): _five_and_one, (3, 0): _full_adder}
"""Counters by their inputs of one rank and of the next; those of the highest yield first."""


def _pair(m: Module, name: str, x: Value, y: Value) -> list[Value]:
    """At least one and both of two vectors."""
    return [named(m, f"{name}_either", x | y), named(m, f"{name}_both", x & y)]


def _sorted(m: Module, name: str, x: Value, y: Value, z: Value) -> list[Value]:
    """At least one, at least two and all of three vectors: their bits sorted, ones first."""
    either, both = _pair(m, name, x, y)
    any_, all_ = named(m, f"{name}_any", either | z), named(m, f"{name}_all", both & z)
    return [any_, named(m, f"{name}_majority", both | (either & z)), all_]


def _parity(*v: Value) -> Value:
    """Exclusive or, vectors of the two halves in turn.

    In any other order the exclusive or of a pair would share gates with `_pair`, and technology
    mapping would then cut there and spend a LUT more.
    """
    pairs = zip_longest(v[:3], v[3:])
    return reduce(xor, (vector for pair in pairs for vector in pair if vector is not None))
