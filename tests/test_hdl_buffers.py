"""Repacking and the replay buffer against lists of Python."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbnn.schedule import load_cycles
from blocks import Recording, dense, groups, packed, play
from hdl.repack import Repack, piece_size
from hdl.replay import ReplayBuffer
from simtools import reader, run, stalls, writer


def repack(
    element_bits: int, chunk: int, word: int, length: int, pad: int, stall: int = 3
) -> Recording:
    """Send vectors; what fills their last chunks is arbitrary and must not come out."""
    dut = Repack(element_bits=element_bits, chunk=chunk, word=word, length=length, pad=pad)
    rng = np.random.default_rng(4)
    chunks, words = [], []
    for _ in range(3 + 100 // length if stall else 3):
        vector = rng.integers(0, 2**element_bits, length)
        beyond = rng.integers(0, 2**element_bits, -length % chunk)
        chunks += groups(np.append(vector, beyond), chunk, 0)
        words += groups(vector, word, pad)
    return play(
        dut,
        writer(dut.i, [packed(elements, element_bits) for elements in chunks], stall),
        reader(dut.o, [packed(elements, element_bits) for elements in words], stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


REPACKS = {
    "pixels-to-rows": (8, 4, 6, 10, 0),
    "same-width": (1, 3, 3, 9, 1),
    "one-element": (2, 1, 1, 1, 0),
    "narrower": (1, 6, 2, 9, 0),
    "wider": (3, 2, 12, 20, 5),
    "no-common-factor": (2, 3, 5, 7, 2),
    "chunk-beyond-vector": (1, 8, 2, 5, 1),
    "word-beyond-vector": (1, 2, 9, 5, 1),
    "both-beyond-vector": (4, 4, 7, 3, 9),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", REPACKS)
def test_repack(case: str, stall: int) -> None:
    repack(*REPACKS[case], stall)


@settings(max_examples=25)
@given(*[st.integers(1, 9)] * 3, st.integers(1, 3), st.integers(0, 7))
def test_repack_of_any_sizes(chunk: int, word: int, length: int, bits: int, pad: int) -> None:
    repack(bits, chunk, word, length, pad % 2**bits, 0)


@pytest.mark.parametrize("case", REPACKS)
def test_repack_takes_the_stated_cycles(case: str) -> None:
    element_bits, chunk, word, length, _ = REPACKS[case]
    dut = Repack(element_bits=element_bits, chunk=chunk, word=word, length=length)
    piece = piece_size(chunk, word, length)
    offered: list[int] = []

    async def watch(ctx: Any) -> None:
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(3 * length // piece + 1):
            if ctx.get(dut.o.valid):
                offered.append(cycle)
            await ctx.tick()

    run(dut, watch)
    # A word is offered in the cycle after its last piece, and vectors follow without a gap.
    ends = [*range(word // piece, length // piece, word // piece), length // piece]
    assert offered == [n * length // piece + end for n in range(3) for end in ends]


def replay(
    bits: int,
    chunk: int,
    length: int,
    word: int,
    passes: int,
    pad: int = 0,
    stall: int = 2,
    tells: bool = False,
    held: int = 1,
) -> Recording:
    """Read each of five vectors `passes` times, holding some words, while the next ones come.

    held : vectors of a set; then there are five sets.
    """
    dut = ReplayBuffer(
        element_bits=bits,
        chunk=chunk,
        length=length,
        word=word,
        pad=pad,
        tells=tells,
        # There may be room for more.
        vectors=held if held == 1 else held + 2,
    )
    rng = np.random.default_rng(7)
    vectors = rng.integers(0, 2**bits, (5 * held, length))
    if tells:
        vectors *= rng.random(vectors.shape) < 0.3
    chunks = [packed(part, bits) for vector in vectors for part in groups(vector, chunk, 1)]
    jitter, wait = Random(11), stalls(stall)

    async def read(ctx: Any) -> None:
        ctx.set(dut.passes, passes)
        if held > 1:
            ctx.set(dut.count, held)
        sets = vectors.reshape(5, held, length)
        for vector in sets.repeat(passes, axis=0).reshape(-1, length):
            want = [
                packed(np.array(elements) >> plane & 1, 1)
                for plane in reversed(range(bits))
                for elements in groups(vector, word, pad)
            ]
            assert len(want) == dut.words
            while not ctx.get(dut.valid):
                await ctx.tick()
            for plane in range(bits if tells else 0):
                ctx.set(dut.plane, plane)
                live = [word > 0 for word in want[plane * dut.groups :][: dut.groups]]
                assert ctx.get(dut.live) == packed(live, 1)
            for address in range(dut.words):
                for _ in range(wait()):
                    ctx.set(dut.address, jitter.getrandbits(len(dut.address)))
                    await ctx.tick()
                    assert ctx.get(dut.valid)
                    if address:
                        assert ctx.get(dut.word_data) == want[address - 1], "it must stay"
                ctx.set(dut.address, address)
                ctx.set(dut.enable, 1)
                ctx.set(dut.done, address == dut.words - 1)
                await ctx.tick()
                ctx.set(dut.enable, 0)
                ctx.set(dut.done, 0)
                assert ctx.get(dut.word_data) == want[address], f"word {address}"

    return play(dut, writer(dut.i, chunks, stall), read)


REPLAYS = {
    "one-plane": (1, 3, 10, 4, 3, 1),
    "pixels": (8, 4, 10, 3, 2, 0),
    "one-pass": (2, 4, 9, 2, 1, 0),
    "one-word": (1, 2, 5, 5, 2, 0),
    "one-word-of-planes": (3, 2, 4, 4, 2, 0),
    "one-element": (1, 4, 1, 1, 3, 0),
    "word-a-cycle": (1, 5, 10, 5, 1, 0),
    "many-passes": (1, 2, 4, 2, 300, 0),
}


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", REPLAYS)
def test_replay(case: str, stall: int) -> None:
    replay(*REPLAYS[case], stall)


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", ["pixels", "one-pass", "one-word-of-planes"])
def test_replay_tells_of_zeros(case: str, stall: int) -> None:
    replay(*REPLAYS[case], stall, tells=True)


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", ["pixels", "one-pass", "one-word", "one-element"])
def test_replay_of_sets(case: str, stall: int) -> None:
    replay(*REPLAYS[case], stall, held=3)


@pytest.mark.parametrize("bits", [1, 2, 8])
@pytest.mark.parametrize(
    ("rows", "lanes_in", "chunk"), [(12, 4, 4), (10, 4, 3), (7, 7, 4), (9, 2, 9), (1, 1, 4)]
)
def test_loading_takes_the_stated_cycles(bits: int, rows: int, lanes_in: int, chunk: int) -> None:
    layer = dense(rows, 2, lanes_in, 1, bits=bits)
    dut = ReplayBuffer(element_bits=bits, chunk=chunk, length=rows, word=lanes_in)
    cycles = load_cycles(layer, chunk)
    loaded = []

    async def drop_at_once(ctx: Any) -> None:
        ctx.set(dut.passes, 1)
        ctx.set(dut.i.valid, 1)
        for cycle in range(4 * cycles + 2):
            ctx.set(dut.done, ctx.get(dut.valid))
            if ctx.get(dut.valid):
                loaded.append(cycle)
            await ctx.tick()

    run(dut, drop_at_once)
    # One cycle more for the first vector, whose first word is not written while it is gathered.
    assert loaded == [1 + cycles * n for n in range(1, 5)]


def test_two_vectors_are_held() -> None:
    dut = ReplayBuffer(element_bits=1, chunk=2, length=6, word=2)
    taken = 0

    async def fill(ctx: Any) -> None:
        nonlocal taken
        ctx.set(dut.passes, 1)
        ctx.set(dut.i.valid, 1)
        for _ in range(40):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken += ready
        # Two vectors of three words, and the third one's first word waits before the memory.
        assert taken == 7
        assert ctx.get(dut.valid)
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.done, 0)
        assert ctx.get(dut.valid), "the second vector waits already"
        for _ in range(40):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken += ready
        assert taken == 10

    run(dut, fill)
