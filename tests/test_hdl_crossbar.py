"""The crossbar between model memories: its sums are golden's weights times the drives."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbnn.description import Layer, SpatialDropout
from bbnn.schedule import crossbar_cycles
from blocks import Recording, any_layer, dense, groups, packed, play
from golden.noise import weights, words
from hdl.codes import code_words
from hdl.crossbar import Crossbar
from simtools import reader, run, stalls

Bits = np.ndarray[Any, Any]


class Memories:
    """What surrounds a crossbar: a vector and a filling of noise, in words as the memories give.

    Of a masked layer's rows, many carry 0; of one that skips zeros, almost all, and everything in
    one vector. Words hold rows in the layer's order; of certain rows, too, noise is random.
    """

    def __init__(self, layer: Layer, rng: np.random.Generator) -> None:
        self.layer = layer
        lanes_in, b = layer.folding.lanes_in, layer.probability_bits
        signs = layer.drive.kind == "sign"
        elements = rng.integers(0, 2**layer.drive.bits, layer.rows)
        self.drives = elements * 2 - 1 if signs else elements
        if layer.masked:
            self.drives *= rng.integers(0, 2, layer.rows)
        elif layer.folding.skip_zeros:
            elements *= rng.random(layer.rows) < rng.choice([0, 0.2])
        order = layer.row_order
        elements = np.where(order >= 0, elements[order], int(signs))
        self.drives = np.where(order >= 0, self.drives[order], 0)
        self.driven = [packed(group, 1) for group in groups(self.drives != 0, lanes_in, 0)]
        self.words = [
            packed(np.array(group) >> plane & 1, 1)
            for plane in reversed(range(layer.drive.bits))
            for group in groups(elements, lanes_in, int(signs))
        ]
        # Now and then a group is read that would not need to be.
        live = [word > 0 or rng.random() < 0.2 for word in self.words]
        self.live = [packed(plane, 1) for plane in groups(np.array(live), layer.row_groups, 0)]
        k = layer.noise.row_bits if layer.noise else 0
        self.row_bits: Bits = rng.integers(0, 2, (layer.row_groups * lanes_in, k), np.uint8)
        columns = layer.column_groups * layer.folding.lanes_out
        self.column_bits: Bits = rng.integers(0, 2, (columns, b), np.uint8)

    def row_noise(self, row_group: int, column_group: int) -> int:
        lanes_in, lanes_out = self.layer.folding.lanes_in, self.layer.folding.lanes_out
        rows = self.row_bits[row_group * lanes_in : (row_group + 1) * lanes_in]
        turn = column_group * lanes_out * self.layer.probability_bits
        return packed(np.roll(rows, -turn, axis=1).ravel(), 1)

    def column_noise(self, column_group: int) -> int:
        lanes_out = self.layer.folding.lanes_out
        columns = self.column_bits[column_group * lanes_out : (column_group + 1) * lanes_out]
        return packed(columns.T.ravel(), 1)

    def sums(self, certain: bool | None) -> list[dict[str, Any]]:
        """Return what the crossbar must offer; columns beyond the layer's have weight -1.

        certain : where sums are reused, which rows are read.
        """
        layer = self.layer
        columns, order = len(self.column_bits), layer.row_order
        codes = np.zeros((len(order), columns), int)
        codes[order >= 0, : layer.columns] = layer.codes[order[order >= 0]]
        u = words(self.row_bits, self.column_bits) if layer.probability_bits else 0
        drives = self.drives
        if certain is not None:
            behind = np.arange(len(order)) >= layer.sampled_groups * layer.folding.lanes_in
            drives = np.where(behind == certain, drives, 0)
        y = drives @ weights(codes, u).astype(int)
        counted = layer.drive.kind == "unsigned" or layer.masked
        driven = int(np.abs(drives).sum())
        agreeing = groups((y + driven) // 2, layer.folding.lanes_out, 0)
        extra = {"driven": driven} if counted else {}
        if certain is not None:
            extra["certain"] = int(certain)
        return [{"agreeing": group, **extra} for group in agreeing]


def crossbar(layer: Layer, stall: int = 3, *, must_stall: bool = True) -> Recording:
    """Run some vectors with pauses between them and a reader that makes the crossbar wait."""
    dut = Crossbar(layer)
    rng = np.random.default_rng(12)
    memories = [Memories(layer, rng) for _ in range(12 if stall else 3)]
    # Where sums are reused, those of the certain rows are read first, and the others twice.
    passes = [True, False, False] if layer.folding.reuse else [None]
    passed = [*product(memories, passes)]
    jitter, wait = Random(13), stalls(stall)

    async def answer(ctx: Any) -> None:
        for memory, certain in passed:
            for _ in range(wait()):
                ctx.set(dut.valid, 0)
                _, _, enable = await ctx.tick().sample(dut.enable)
                if enable:
                    # Whatever is read now must count for nothing.
                    ctx.set(dut.drive, jitter.getrandbits(len(dut.drive)))
                    if layer.masked:
                        ctx.set(dut.driven, jitter.getrandbits(len(dut.driven)))
            ctx.set(dut.valid, 1)
            if certain is not None:
                ctx.set(dut.certain, certain)
            over = 0
            while not over:
                if layer.folding.skip_zeros:
                    ctx.set(dut.live, memory.live[ctx.get(dut.plane)])
                # The sampled values are those of the cycle that ends with this clock edge.
                _, _, enable, vector, row, column, over = await ctx.tick().sample(
                    dut.enable, dut.vector_address, dut.row_group, dut.column_group, dut.done
                )
                if enable:
                    ctx.set(dut.drive, memory.words[vector])
                    if layer.masked:
                        ctx.set(dut.driven, memory.driven[row])
                    if layer.probability_bits:
                        ctx.set(dut.row_noise, memory.row_noise(row, column))
                        ctx.set(dut.column_noise, memory.column_noise(column))
        ctx.set(dut.valid, 0)

    async def stand_still(ctx: Any) -> None:
        """Check that nothing is asked for while sums wait."""
        expected, before = len(passed) * layer.column_groups, None
        while expected:
            _, _, valid, ready, asked, *outputs = await ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.valid, dut.vector_address, dut.row_group,
                dut.column_group, dut.enable, dut.done,
            )  # fmt: skip
            waits = valid and not ready
            assert outputs[-2] == (not waits)
            assert not (waits and outputs[-1])
            assert before in (None, outputs[:3])
            before = outputs[:3] if waits and asked else None
            expected -= valid and ready

    sums = [item for memory, certain in passed for item in memory.sums(certain)]
    return play(
        dut,
        answer,
        stand_still,
        reader(dut.o, sums, stall),
        watched=[dut.o],
        must_stall=must_stall and stall > 0,
    )


HALF = SpatialDropout(code=1, bits=1)
CROSSBARS = {
    "coins": dense(10, 7, 4, 3),
    "binary": dense(9, 5, 4, 2, b=0),
    "pixels": dense(10, 5, 4, 2, bits=8),
    "binary-pixels": dense(7, 5, 3, 5, bits=8, b=0),
    "three-planes": dense(11, 4, 3, 4, bits=3, b=2, k=5),
    "one-plane": dense(9, 5, 4, 2, bits=1),
    "eight-bits": dense(6, 5, 4, 3, b=8, k=13),
    "rotated": dense(6, 11, 3, 2, b=3, k=7),
    "one-cycle": dense(5, 4, 5, 4),
    "one-row": dense(1, 5, 1, 2, bits=2),
    "one-column": dense(7, 1, 2, 1),
    "one-weight": dense(1, 1, 1, 1, b=0),
    "serial": dense(5, 3, 1, 1, b=2, k=3),
    "masked-coins": dense(10, 7, 4, 3, dropout=HALF),
    "masked-binary": dense(9, 5, 9, 2, b=0, dropout=HALF),
    "masked-eight-bits": dense(6, 5, 4, 3, b=8, k=13, dropout=HALF),
}

SPLIT = {
    "first-rows": dense(11, 7, 3, 3, b=2, k=3, sampled=range(4)),
    "scattered": dense(11, 7, 3, 3, b=2, k=5, sampled=(1, 4, 7, 8)),
    "scattered-planes": dense(10, 5, 4, 2, bits=3, sampled=(9,)),
    "eight-bits-split": dense(6, 5, 2, 3, b=8, k=13, sampled=(0, 3)),
    "masked-split": dense(9, 5, 2, 2, sampled=range(3), dropout=HALF),
    "one-group": dense(5, 4, 5, 4, sampled=(0, 1)),
}
REUSED = {
    "reused": dense(11, 7, 3, 3, b=2, k=3, sampled=(1, 4, 7, 8), reuse=True),
    "reused-planes": dense(10, 5, 4, 2, bits=3, sampled=(0,), reuse=True),
    "reused-first-rows": dense(12, 4, 4, 4, sampled=range(5), reuse=True),
}
SKIPPING = {
    "skipped-spikes": dense(18, 7, 4, 3, bits=1, skips=True),
    "skipped-planes": dense(18, 5, 4, 2, bits=4, b=2, k=5, skips=True),
    "skipped-split": dense(18, 7, 4, 3, bits=2, b=2, skips=True, sampled=range(6)),
    "skipped-single-group": dense(4, 5, 4, 2, bits=2, skips=True),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", CROSSBARS | SKIPPING | SPLIT | REUSED)
def test_sums(case: str, stall: int) -> None:
    crossbar((CROSSBARS | SKIPPING | SPLIT | REUSED)[case], stall)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data())
def test_sums_of_any_geometry(data: st.DataObject) -> None:
    crossbar(any_layer(data), data.draw(st.integers(0, 3)), must_stall=False)


@pytest.mark.parametrize("extreme", [0, 1], ids=["all-low", "all-high"])
@pytest.mark.parametrize(("bits", "b"), [(0, 0), (0, 2), (8, 0), (8, 8)])
def test_extreme_sums(bits: int, b: int, extreme: int) -> None:
    """The largest sums fit: every weight +1 (or -1) and every element of the vector largest."""
    # 16 is the least number of five bits; the last row group has one row.
    layer = dense(16, 3, 5, 2, bits=bits, b=b)
    layer.codes[:] = extreme << b
    dut = Crossbar(layer)
    drive = 2**layer.folding.lanes_in - 1
    # A sign drive's rows beyond the layer are +1 and meet -1; an unsigned drive's are 0.
    last = drive if bits == 0 else 1

    async def answer(ctx: Any) -> None:
        ctx.set(dut.valid, 1)
        while True:
            _, _, vector, done = await ctx.tick().sample(dut.vector_address, dut.done)
            ctx.set(dut.drive, last if vector % layer.row_groups == layer.row_groups - 1 else drive)
            if done:
                ctx.set(dut.valid, 0)
                return

    total = layer.reach * extreme
    extra = {"driven": layer.reach} if bits else {}
    agreeing = [[total, total], [total, 0]]
    run(dut, answer, reader(dut.o, [{"agreeing": a, **extra} for a in agreeing], 0))


@pytest.mark.parametrize("case", CROSSBARS | SPLIT | REUSED)
def test_sums_come_at_the_stated_cycles(case: str) -> None:
    layer = (CROSSBARS | SPLIT | REUSED)[case]
    dut = Crossbar(layer)
    offered, done = [], []
    cycles = crossbar_cycles(layer)

    async def watch(ctx: Any) -> None:
        ctx.set(dut.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(2 * layer.column_groups * cycles + 4):
            if ctx.get(dut.o.valid):
                offered.append(cycle)
            if ctx.get(dut.done):
                done.append(cycle)
            await ctx.tick()

    run(dut, watch)
    last_addresses = [cycles * n - 1 for n in range(1, 2 * layer.column_groups + 1)]
    assert offered == [cycle + 4 for cycle in last_addresses]
    assert done[:2] == last_addresses[layer.column_groups - 1 :: layer.column_groups]


def test_code_words() -> None:
    """Three rows by two columns in lanes of two by two: the second row group has one row."""
    layer = dense(3, 2, 2, 2)
    layer.codes[:] = [[1, 2], [0, 1], [2, 0]]
    # Code bits of lanes 0, 1, then the next code bit, then the next row.
    assert code_words(layer) == [0b00_10_10_01, 0b00_00_01_00]
