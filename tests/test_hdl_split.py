"""Hardware of layers that sample some rows: sorted words, kept sums, fewer bits drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bbnn.description import Layer
from bbnn.schedule import load_cycles, neurons
from blocks import Recording, dense, groups, packed, play
from hdl.columns import Columns
from hdl.replay import ReplayBuffer
from hdl.sorter import Sorter
from simtools import reader, run, stalls, writer
from systems import CASES, split_network
from test_data_path import compare
from test_hdl_crossbar import REUSED, SPLIT, crossbar
from test_hdl_neurons import layer
from test_hdl_noise import noise_plane
from timing import moved


def sorter(
    bits: int, chunk: int, word: int, first: tuple[int, ...], pad: int, stall: int = 3
) -> Recording:
    """Send vectors, and check words and their places; beyond a vector a chunk is arbitrary."""
    flags = np.array(first, np.uint8)
    dut = Sorter(element_bits=bits, chunk=chunk, word=word, first=flags, pad=pad)
    rng, wait = np.random.default_rng(31), stalls(stall)
    chunks: list[int] = []
    expected: list[tuple[int, int]] = []
    for _ in range(6):
        vector = rng.integers(0, 2**bits, len(first))
        beyond = rng.integers(0, 2**bits, -len(first) % chunk)
        chunks += [packed(part, bits) for part in groups(np.append(vector, beyond), chunk, 0)]
        places = [*np.flatnonzero(flags), *np.flatnonzero(flags == 0)]
        words: list[tuple[int, int, int]] = []
        for sort in (1, 0):
            own = [place for place in places if flags[place] == sort]
            for part in range(0, len(own), word):
                rows = own[part : part + word]
                elements = [*vector[rows], *[pad] * (word - len(rows))]
                # Words whose last element is missing come when the vector is over.
                ends = rows[-1] if len(rows) == word else len(first) + (1 - sort)
                words.append((int(ends), len(words), packed(elements, bits)))
        expected += [(target, value) for _, target, value in sorted(words)]

    async def read(ctx: Any) -> None:
        for number, want in enumerate(expected):
            for _ in range(wait()):
                ctx.set(dut.o.ready, 0)
                await ctx.tick()
            ctx.set(dut.o.ready, 1)
            valid = target = value = 0
            while not valid:
                _, _, valid, target, value = await ctx.tick().sample(
                    dut.o.valid, dut.target, dut.o.payload
                )
            assert (target, value) == want, f"word {number}"
        ctx.set(dut.o.ready, 0)

    return play(dut, writer(dut.i, chunks, stall), read)


SORTERS: dict[str, tuple[int, int, int, tuple[int, ...], int]] = {
    "signs": (1, 3, 4, (0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0), 1),
    "levels": (3, 2, 3, (1, 0, 0, 0, 0, 1), 0),
    "exact": (2, 4, 2, (0, 0, 1, 1), 3),
    "one-of-each": (1, 1, 5, (0, 1), 1),
    "one-lane": (8, 4, 1, (0, 1, 1, 0, 0), 0),
}


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", SORTERS)
def test_sorter(case: str, stall: int) -> None:
    sorter(*SORTERS[case], stall)


@pytest.mark.parametrize("case", SORTERS)
def test_sorting_takes_the_stated_cycles(case: str) -> None:
    recording = sorter(*SORTERS[case], stall=0)
    dut, taken = recording.block, moved(recording, "o")
    assert isinstance(dut, Sorter)
    per_vector = dut.words * dut.word
    assert [after - before for before, after in zip(taken, taken[dut.words :], strict=False)] == [
        per_vector
    ] * (5 * dut.words)


def replay(described: Layer, chunk: int, stall: int = 2) -> Recording:
    """Read vectors as the layer's row groups hold them, and whether the first pass is told."""
    bits, word = described.drive.bits, described.folding.lanes_in
    pad = int(described.drive.kind == "sign")
    dut = ReplayBuffer(
        element_bits=bits,
        chunk=chunk,
        length=described.rows,
        word=word,
        pad=pad,
        first=described.sampled,
    )
    assert dut.groups == described.row_groups
    rng, wait = np.random.default_rng(7), stalls(stall)
    vectors = rng.integers(0, 2**bits, (4, described.rows))
    chunks = [packed(part, bits) for vector in vectors for part in groups(vector, chunk, 1)]
    order = described.row_order

    async def read(ctx: Any) -> None:
        ctx.set(dut.passes, 3)
        for vector in vectors:
            sorted_ = np.where(order >= 0, vector[order], pad)
            for passed in range(3):
                while not ctx.get(dut.valid):
                    await ctx.tick()
                assert ctx.get(dut.first_pass) == (passed == 0)
                for address in range(dut.words):
                    plane, group = divmod(address, dut.groups)
                    for _ in range(wait()):
                        await ctx.tick()
                    ctx.set(dut.address, address)
                    ctx.set(dut.enable, 1)
                    ctx.set(dut.done, address == dut.words - 1)
                    await ctx.tick()
                    ctx.set(dut.enable, 0)
                    ctx.set(dut.done, 0)
                    elements = sorted_[group * word : (group + 1) * word]
                    want = packed(elements >> (bits - 1 - plane) & 1, 1)
                    assert ctx.get(dut.word_data) == want, f"word {address}"

    return play(dut, writer(dut.i, chunks, stall), read)


SORTED = {
    "signs": (dense(11, 3, 3, 3, sampled=(1, 4, 7, 8)), 2),
    "levels": (dense(10, 3, 4, 3, bits=3, sampled=(9, 0, 2)), 4),
    "pixels": (dense(7, 3, 2, 3, bits=8, sampled=(3,)), 4),
}


@pytest.mark.parametrize("case", SORTED)
def test_sorted_replay(case: str) -> None:
    replay(*SORTED[case])


@pytest.mark.parametrize("case", SORTED)
def test_a_sorted_vector_loads_in_the_stated_cycles(case: str) -> None:
    described, chunk = SORTED[case]
    dut = ReplayBuffer(
        element_bits=described.drive.bits,
        chunk=chunk,
        length=described.rows,
        word=described.folding.lanes_in,
        first=described.sampled,
    )
    filled: list[int] = []

    async def watch(ctx: Any) -> None:
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.passes, 1)
        cycle = 0
        while len(filled) < 5:
            valid = ctx.get(dut.valid)
            if valid:
                filled.append(cycle)
            ctx.set(dut.done, valid)
            await ctx.tick()
            cycle += 1

    run(dut, watch)
    gaps = np.diff(filled)[1:]
    assert (gaps == load_cycles(described, chunk)).all(), gaps


def columns(described: Layer, stall: int = 3) -> Recording:
    """Send sums of certain rows and of others; they come out added, for several members each."""
    dut = Columns(described)
    rng = np.random.default_rng(41)
    together, counted = neurons(described), described.drive.kind == "unsigned"
    width = described.column_groups * described.folding.lanes_out
    sums: list[dict[str, Any]] = []
    chunks: list[dict[str, Any]] = []
    part = described.drive.maximum * (described.rows // 2)
    for _ in range(4):
        kept = np.zeros(width, int)
        for member in range(4):
            certain = member == 0
            driven = int(rng.integers(0, part + 1))
            agreeing = rng.integers(0, (driven if counted else part) + 1, width)
            extra = {"driven": driven} if counted else {}
            for group in groups(agreeing, described.folding.lanes_out, 0):
                sums.append({"agreeing": group, **extra, "certain": int(certain)})
            if certain:
                # Signs: B is the number of all rows, and is in what is kept.
                kept = 2 * agreeing - (driven if counted else described.rows)
                continue
            y = 2 * agreeing - (driven if counted else 0) + kept
            whole = -(-described.columns // together) * together
            for index, values in enumerate(groups(y[:whole], together, 0)):
                chunks.append({"y": values, "chunk": index})
    return play(
        dut,
        writer(dut.i, sums, stall),
        reader(dut.o, chunks, stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


KEPT = {
    "signs": dense(12, 7, 3, 4, sampled=(0, 5, 7, 8), reuse=True),
    "pixels": dense(10, 9, 2, 4, bits=8, sampled=(1, 2), reuse=True),
    "one-column": dense(10, 1, 2, 1, bits=2, sampled=(1, 2), reuse=True),
}


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", KEPT)
def test_kept_sums(case: str, stall: int) -> None:
    columns(KEPT[case], stall)


PLANES: dict[str, tuple[Layer, dict[str, Any]]] = {
    "first-rows": (dense(11, 7, 3, 3, b=2, k=3, sampled=range(4)), {"members": 3}),
    "scattered": (dense(11, 7, 3, 3, b=2, k=5, sampled=(1, 4, 7)), {"members": 3}),
    "antithetic": (
        dense(9, 5, 2, 2, sampled=(8,)), {"members": 4, "stratified": True, "reseed": "never"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PLANES)
def test_noise_of_sampled_rows(case: str) -> None:
    described, options = PLANES[case]
    noise_plane(described, **options)


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("index", [1, 2, 3])
def test_layers(index: int, stall: int) -> None:
    layer(split_network(), index, 2, stall)


@pytest.mark.parametrize("name", ["split", "split-pixels"])
def test_data_paths(name: str) -> None:
    compare(CASES[name](), stall=2, wanted=True, count=2)


BLOCKS: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "sorter": (
        lambda: [sorter(*SORTERS["signs"], stall) for stall in (3, 0)],
        r"pads = (\S+) >= ",
        r"pads = \1 > ",
    ),
    "sorted_replay": (
        lambda: [replay(*SORTED["levels"])],
        r"write_address \+ target",
        "write_address",
    ),
    "split_crossbar": (
        lambda: [crossbar(SPLIT["scattered"], stall) for stall in (3, 0)],
        r"row_group < 2'h2",
        "row_group < 2'h3",
    ),
    "reused_crossbar": (
        lambda: [crossbar(REUSED["reused-planes"], stall) for stall in (3, 0)],
        r"\.second\(certain\)",
        ".second(~certain)",
    ),
    "kept_columns": (
        lambda: [columns(KEPT["pixels"], stall) for stall in (3, 0)],
        r"= held\[60\] \?",
        "= ~held[60] ?",
    ),
    "split_layer": (
        lambda: [layer(split_network(), 1, 2, stall) for stall in (3, 0)],
        r"= ~ certain;",
        "= 1'h1;",
    ),
}
"""For the test of the generated Verilog: recordings, a pattern, and what breaks it."""
