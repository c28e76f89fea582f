"""Blocks of layers whose codes are streamed: the code memory, the transposition, whole layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

import test_hdl_buffers as buffers
import test_hdl_neurons as neurons
from bbnn.description import Network
from bbnn.schedule import CODE_BEAT, code_cycles
from blocks import Recording, dense, play
from hdl.code_stream import CodeStream
from hdl.codes import code_beats, code_words
from hdl.transpose import Transpose
from networks import random_network
from simtools import reader, run, stalls, writer


def streamed(network: Network, held: dict[int, int]) -> Network:
    """Return `network` with the codes of some layers streamed; held : by the layer's index."""
    layers = list(network.layers)
    for index, number in held.items():
        layers[index] = replace(layers[index], folding=replace(layers[index].folding, held=number))
    return replace(network, layers=tuple(layers))


def code_stream(rows: int, columns: int, lanes: tuple[int, int], stall: int = 2) -> Recording:
    """Let the codes of a layer through three times, reading each half twice, in any order."""
    layer = dense(rows, columns, *lanes, b=2, k=3)
    words = code_words(layer)
    dut = CodeStream(
        word=lanes[0] * lanes[1] * 3,
        row_groups=layer.row_groups,
        column_groups=layer.column_groups,
    )
    jitter, wait = Random(17), stalls(stall)

    async def read(ctx: Any) -> None:
        for number in range(3 * layer.column_groups):
            while not ctx.get(dut.ready):
                await ctx.tick()
            first = number % layer.column_groups * layer.row_groups
            addresses = [*range(layer.row_groups)] * 2
            jitter.shuffle(addresses)
            for place, address in enumerate(addresses):
                for _ in range(wait()):
                    ctx.set(dut.row_group, jitter.randrange(layer.row_groups))
                    await ctx.tick()
                    assert ctx.get(dut.ready)
                ctx.set(dut.row_group, address)
                ctx.set(dut.enable, 1)
                ctx.set(dut.swap, place == len(addresses) - 1)
                await ctx.tick()
                ctx.set(dut.enable, 0)
                ctx.set(dut.swap, 0)
                assert ctx.get(dut.data) == words[first + address], (number, address)

    return play(dut, writer(dut.i, code_beats(layer) * 3, stall), read)


CODES = {
    # Words of 24 bits, of 64, of 192; of a single bit a piece; halves of one word.
    "pieces-of-8": (11, 6, (4, 2)),
    "odd": (7, 6, (3, 3)),
    "whole-beats": (64, 6, (32, 2)),
    "one-word": (4, 4, (4, 2)),
    "one-group": (9, 2, (4, 2)),
}


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", CODES)
def test_code_stream(case: str, stall: int) -> None:
    code_stream(*CODES[case], stall)


def test_code_beats() -> None:
    """Three words of 24 bits: the first 16 bits of the last one are in the first beat."""
    layer = dense(12, 2, 4, 2, b=2, k=3)
    words = code_words(layer)
    assert code_beats(layer) == [
        words[0] | words[1] << 24 | (words[2] & 0xFFFF) << 48,
        words[2] >> 16,
    ]
    assert len(code_beats(dense(64, 2, 32, 2))) == 2 * 32 * 2 * 2 // CODE_BEAT


@pytest.mark.parametrize("case", CODES)
def test_codes_come_in_the_stated_cycles(case: str) -> None:
    rows, columns, lanes = CODES[case]
    layer = dense(rows, columns, *lanes, b=2, k=3)
    dut = CodeStream(
        word=lanes[0] * lanes[1] * 3,
        row_groups=layer.row_groups,
        column_groups=layer.column_groups,
    )
    swaps = []

    async def swap_at_once(ctx: Any) -> None:
        ctx.set(dut.i.valid, 1)
        for cycle in range(4 * code_cycles(layer) + 3):
            ctx.set(dut.swap, ctx.get(dut.ready))
            if ctx.get(dut.ready):
                swaps.append(cycle)
            await ctx.tick()

    run(dut, swap_at_once)
    group = code_cycles(layer) // layer.column_groups
    # A cycle more for the first, whose first piece is not written while it is cut.
    assert swaps == [1 + group * n for n in range(1, len(swaps) + 1)]
    assert len(swaps) == 4 * layer.column_groups


def transpose(chunks: int, column_groups: int, vectors: int, count: int, stall: int) -> Recording:
    """Turn four sets of `count` vectors round; there is room for `vectors`."""
    dut = Transpose(width=5, chunks=chunks, column_groups=column_groups, vectors=vectors)
    rng = np.random.default_rng(18)
    sets = rng.integers(0, 2**5, (4, column_groups, count, chunks))

    async def settings(ctx: Any) -> None:
        ctx.set(dut.count, count)

    return play(
        dut,
        settings,
        writer(dut.i, sets.ravel().tolist(), stall),
        reader(dut.o, sets.transpose(0, 2, 1, 3).ravel().tolist(), stall),
        watched=[dut.o],
    )


TRANSPOSES = {
    "full": (3, 4, 5, 5),
    "short": (3, 4, 5, 2),
    "one-chunk": (1, 5, 6, 3),
    "one-vector": (2, 3, 4, 1),
}


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", TRANSPOSES)
def test_transpose(case: str, stall: int) -> None:
    transpose(*TRANSPOSES[case], stall)


@pytest.mark.parametrize("case", TRANSPOSES)
def test_transpose_keeps_a_chunk_a_cycle(case: str) -> None:
    chunks, column_groups, _, count = TRANSPOSES[case]
    recording = transpose(*TRANSPOSES[case], stall=0)
    assert neurons.moved(recording, "i") == list(range(4 * chunks * column_groups * count))
    start = chunks * column_groups * count
    assert neurons.moved(recording, "o") == [start + 1 + n for n in range(4 * start)]


LAYERS = {
    "each-member": (streamed(random_network(31, sizes=(12, 9, 6, 4)), {1: 1}), 1, 3),
    "members-together": (streamed(random_network(32, sizes=(12, 9, 6, 4)), {1: 4}), 1, 3),
    "certain": (
        streamed(
            random_network(33, sizes=(12, 9, 6, 4), probability_bits=(1, 0, 1)), {1: 3}
        ), 1, 3
    ),
    "stratified": (
        streamed(
            random_network(
                34,
                sizes=(12, 9, 6, 4),
                probability_bits=(1, 2, 1),
                stratified=True,
                members=5,
            ),
            {1: 5},
        ), 1, 3
    ),
}  # fmt: skip


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", LAYERS)
def test_layer(case: str, stall: int) -> None:
    neurons.layer(*LAYERS[case], stall)


# Block: its recordings, a pattern in its text, what replaces the first match in a broken copy.
BLOCKS: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "code_stream": (
        lambda: [code_stream(*CODES["pieces-of-8"], stall) for stall in (2, 0)],
        r"= ~ read_half",
        "= read_half",
    ),
    "transpose": (
        lambda: [transpose(*TRANSPOSES["short"], stall) for stall in (3, 0)],
        r"= ~ write_half",
        "= write_half",
    ),
    "replay_of_sets": (
        lambda: [buffers.replay(*buffers.REPLAYS["pixels"], held=3)],
        r"= ~ read_half",
        "= read_half",
    ),
    "streamed_layer": (
        lambda: [neurons.layer(*LAYERS["members-together"], stall) for stall in (3, 0)],
        r"swap = done & last;",
        "swap = done & ~ last;",
    ),
}
