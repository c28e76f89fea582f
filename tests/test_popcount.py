"""The compressor tree counts every column of a stack of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hdl.popcount import add_triples, column_counts

Stack = list[np.ndarray[Any, Any]]


class Counter(Elaboratable):
    """Registerless: `vectors` by rank in, `counts` by column out."""

    def __init__(self, heights: list[int], columns: int, *, triples: bool) -> None:
        self.vectors = [
            [Signal(columns, name=f"in_{rank}_{i}") for i in range(height)]
            for rank, height in enumerate(heights)
        ]
        self.triples = triples
        self.counts: list[Signal] = []

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vectors = add_triples(m, self.vectors[0]) if self.triples else self.vectors
        for p, value in enumerate(column_counts(m, vectors)):
            count = Signal(len(value), name=f"count_{p}")
            m.d.comb += count.eq(value)
            self.counts.append(count)
        return m


def counts(stacks: list[Stack], *, triples: bool = False) -> tuple[list[list[int]], set[int]]:
    """Return counts by column for stacks of one shape, and the widths of the counts.

    A stack has an array of bits (height, columns) for each rank.
    """
    dut = Counter([len(bits) for bits in stacks[0]], stacks[0][0].shape[1], triples=triples)
    results: list[list[int]] = []

    async def testbench(ctx: Any) -> None:
        for stack in stacks:
            for signals, bits in zip(dut.vectors, stack, strict=True):
                for signal, row in zip(signals, bits.tolist(), strict=True):
                    ctx.set(signal, sum(bit << p for p, bit in enumerate(row)))
            results.append([ctx.get(count) for count in dut.counts])

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()
    assert len(results) == len(stacks)
    return results, {len(count) for count in dut.counts}


@pytest.mark.parametrize("triples", [False, True])
@pytest.mark.parametrize("height", range(1, 10))
def test_every_pattern_of_up_to_nine_bits(height: int, triples: bool) -> None:
    # Column p is the pattern p, so that one step tries all of them.
    patterns = np.arange(2**height)
    bits = patterns >> np.arange(height)[:, None] & 1
    (got,), widths = counts([[bits]], triples=triples)
    assert got == [pattern.bit_count() for pattern in patterns.tolist()]
    assert widths == {height.bit_length()}


@pytest.mark.parametrize("height", [15, 16, 31, 33, 64, 97, 128])
def test_tall_stacks(height: int, rng: np.random.Generator) -> None:
    shares = (0.0, 0.1, 0.5, 0.9, 1.0)
    stacks = [[(rng.random((height, 5)) < share).astype(int)] for share in shares]
    got, widths = counts(stacks)
    assert got == [bits.sum(axis=0).tolist() for (bits,) in stacks]
    assert got[-1] == [height] * 5
    assert widths == {height.bit_length()}


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any), st.integers(1, 2**32))
def test_vectors_of_several_ranks(heights: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    full = [np.ones((height, 3), int) for height in heights]
    stacks = [full, *([rng.integers(0, 2, bits.shape) for bits in full] for _ in range(8))]
    got, _ = counts(stacks)
    worth = 2 ** np.arange(len(heights))
    want = [worth @ np.array([bits.sum(axis=0) for bits in stack]) for stack in stacks]
    assert got == [sums.tolist() for sums in want]
