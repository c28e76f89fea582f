"""The random source: LFSR, noise memory and noise plane against golden."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbnn.description import Ensemble, Layer, SpatialDropout, Window
from bbnn.schedule import filling_cycles
from blocks import Recording, any_layer, dense, groups, packed, play
from golden.lfsr import bits
from golden.noise import drops, members_per_filling, planes, stratum, words
from hdl.lfsr import LFSR, leap_masks
from hdl.noise_memory import NoiseMemory
from hdl.noise_plane import NoisePlane
from simtools import run, stalls

SEED = {32: 0x9E3779B9, 64: 0x9E3779B97F4A7C15}


@given(width=st.sampled_from([32, 64]), seed=st.integers(1, 2**32 - 1), count=st.integers(1, 200))
def test_masks_tell_the_sequence(width: int, seed: int, count: int) -> None:
    leapt = [(seed & mask).bit_count() % 2 for mask in leap_masks(width, count)]
    assert leapt == bits(seed, width, count).tolist()


def lfsr(width: int, step: int) -> Recording:
    """Let an LFSR run with pauses, load it again on the way, and compare every cycle."""
    dut = LFSR(width=width, step=step)
    stream = bits(SEED[width], width, 120 * step + width)
    jitter = Random(5)

    async def check(ctx: Any) -> None:
        ctx.set(dut.seed, SEED[width])
        for _ in range(2):
            # Loading wins over advancing.
            ctx.set(dut.load, 1)
            ctx.set(dut.advance, jitter.getrandbits(1))
            await ctx.tick()
            ctx.set(dut.load, 0)
            position = 0
            while position < 100:
                want = packed(stream[position * step : (position + 1) * step], 1)
                assert ctx.get(dut.bits) == want, f"step {position}"
                advance = jitter.getrandbits(1)
                ctx.set(dut.advance, advance)
                await ctx.tick()
                position += advance

    return play(dut, check)


@pytest.mark.parametrize(("width", "step"), [(32, 1), (32, 5), (32, 32), (64, 33), (64, 64)])
def test_lfsr(width: int, step: int) -> None:
    lfsr(width, step)


def noise_memory(step: int, word: int, length: int, stall: int) -> Recording:
    """Fill both halves in turn, and meanwhile read the other one in any order."""
    dut = NoiseMemory(step=step, word=word, length=length)
    fillings = np.random.default_rng(6).integers(0, 2, (5, length))
    jitter, wait = Random(8), stalls(stall)
    written = 0

    async def write(ctx: Any) -> None:
        nonlocal written
        for filling in fillings:
            ctx.set(dut.write_half, written % 2)
            draws = groups(filling, step, 0)
            for number, draw in enumerate(draws, 1):
                for _ in range(wait()):
                    ctx.set(dut.bits, jitter.getrandbits(step))
                    await ctx.tick()
                    assert not ctx.get(dut.filled)
                ctx.set(dut.bits, packed(draw, 1))
                ctx.set(dut.draw, 1)
                await ctx.tick()
                ctx.set(dut.draw, 0)
                assert ctx.get(dut.filled) == (number == len(draws)), "one cycle after the last"
            await ctx.tick()
            written += 1

    async def read(ctx: Any) -> None:
        compared = 0
        while written < len(fillings):
            if not written:
                await ctx.tick()
                continue
            want = groups(fillings[written - 1], word, 0)
            group = jitter.randrange(dut.words)
            ctx.set(dut.read_half, (written - 1) % 2)
            ctx.set(dut.group, group)
            ctx.set(dut.enable, 1)
            await ctx.tick()
            ctx.set(dut.enable, 0)
            ctx.set(dut.group, jitter.getrandbits(len(dut.group)))
            for _ in range(1 + wait()):
                assert ctx.get(dut.data) == packed(want[group], 1)
                compared += 1
                await ctx.tick()
        assert compared

    return play(dut, write, read)


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize(
    ("step", "word", "length"),
    [(1, 1, 3), (1, 7, 15), (4, 4, 8), (4, 12, 20), (3, 9, 9), (5, 15, 10)],
    ids=["bits", "odd", "step-is-word", "short-last", "one-word", "word-beyond-length"],
)
def test_noise_memory(step: int, word: int, length: int, stall: int) -> None:
    noise_memory(step, word, length, stall)


def noise_plane(
    layer: Layer,
    *,
    members: int,
    images: int = 3,
    stall: int = 2,
    width: int = 32,
    stratified: bool = False,
    reseed: Any = "image",
    vectors: int = 1,
) -> Recording:
    """Read every pair of groups once a vector, in any order, and compare what all lanes get."""
    noise = layer.noise
    assert noise is not None
    ensemble = Ensemble(members=members, stratified=stratified, reseed=reseed)
    dut = NoisePlane(layer, ensemble, width, vectors=vectors)
    held = members_per_filling(layer, ensemble)
    per_image = -(-members // held)
    rows, columns = planes(layer, width, per_image * images)
    dropped = drops(layer, width, per_image * images)
    jitter, wait = Random(9), stalls(stall)

    async def read(ctx: Any) -> None:
        ctx.set(dut.seed, noise.seed)
        ctx.set(dut.members, members)
        for image, member, _ in product(range(images), range(members), range(vectors)):
            filling = member // held + (image * per_image if reseed == "never" else 0)
            u = words(rows[filling], columns[filling])
            u = u ^ stratum(member % held, layer.probability_bits)
            places = list(product(range(layer.row_groups), range(layer.column_groups)))
            jitter.shuffle(places)
            while not ctx.get(dut.valid):
                await ctx.tick()
            if layer.folding.skip_zeros:
                together = len(dut.kept)
                kept = groups(~dropped[filling], together, 0)
                assert ctx.get(dut.live) == packed([any(group) for group in kept], 1)
            for place in places:
                ctx.set(dut.enable, 1)
                ctx.set(dut.row_group, place[0])
                ctx.set(dut.column_group, place[1])
                ctx.set(dut.done, place == places[-1])
                await ctx.tick()
                ctx.set(dut.enable, 0)
                ctx.set(dut.done, 0)
                ctx.set(dut.row_group, jitter.getrandbits(len(dut.row_group)))
                ctx.set(dut.column_group, jitter.getrandbits(len(dut.column_group)))
                for _ in range(waited := wait()):
                    await ctx.tick()
                where = f"image {image}, member {member}, groups {place}, {waited} waits"
                if layer.dropout:
                    together = len(dut.kept)
                    kept = ~dropped[filling][place[0] * together :][:together]
                    assert ctx.get(dut.kept) == packed(kept, 1), where
                if not layer.probability_bits:
                    continue
                got = lane_words(layer, ctx.get(dut.row_noise), ctx.get(dut.column_noise))
                top, left = np.multiply(place, (layer.folding.lanes_in, layer.folding.lanes_out))
                lanes, numbers = sampled_lanes(layer, top)
                want = u[numbers, left : left + len(got[0])]
                seen = got[lanes, : want.shape[1]]
                assert (seen == want).all(), where

    return play(dut, read)


def sampled_lanes(layer: Layer, top: int) -> tuple[list[int], list[int]]:
    """Return which lanes of the row group from `top` on hold sampled rows, and which rows."""
    held = layer.row_order[top : top + layer.folding.lanes_in].tolist()
    sampled = np.ones(layer.rows) if layer.sampled is None else layer.sampled
    found = [(lane, row) for lane, row in enumerate(held) if row >= 0 and sampled[row]]
    return [lane for lane, _ in found], [row for _, row in found]


def lane_words(layer: Layer, row_noise: int, column_noise: int) -> np.ndarray[Any, Any]:
    """Return the words (S, P) that the lanes make of what a noise plane gives."""
    assert layer.noise is not None
    s_count, p_count = layer.folding.lanes_in, layer.folding.lanes_out
    b, k = layer.probability_bits, layer.noise.row_bits
    result = np.zeros((s_count, p_count), int)
    for s, p, t in product(range(s_count), range(p_count), range(b)):
        of_row = row_noise >> (s * k + (p * b + t) % k)
        of_column = column_noise >> (t * p_count + p)
        result[s, p] |= ((of_row ^ of_column) & 1) << t
    return result


CONV = Window(height=4, width=5, channels=5, kernel=2)
PLANES: dict[str, tuple[Layer, dict[str, Any]]] = {
    "coins": (dense(5, 7, 2, 3), {"members": 3}),
    "one-member": (dense(4, 4, 2, 2), {"members": 1}),
    "one-group": (dense(3, 2, 3, 2), {"members": 2}),
    "one-row": (dense(1, 5, 1, 2), {"members": 2}),
    "one-column": (dense(5, 1, 2, 1), {"members": 2}),
    "one-weight": (dense(1, 1, 1, 1, b=3, k=5), {"members": 3}),
    "eight-bits": (dense(4, 3, 3, 2, b=8, k=13), {"members": 2}),
    "rotated": (dense(3, 11, 2, 2, b=3, k=7), {"members": 2}),
    "rotated-within-lanes": (dense(3, 10, 3, 5, b=2, k=3), {"members": 2}),
    "independent": (dense(2, 5, 1, 2, b=2, k=10), {"members": 2}),
    "wide-source": (dense(8, 8, 4, 4, b=4, k=8), {"members": 3, "width": 64}),
    "runs-on": (dense(5, 7, 2, 3), {"members": 3, "reseed": "never"}),
    "antithetic": (dense(5, 4, 2, 3), {"members": 4, "stratified": True}),
    "part-of-a-group": (dense(3, 4, 3, 2, b=2, k=3), {"members": 6, "stratified": True}),
    "less-than-a-group": (dense(3, 4, 3, 2, b=3), {"members": 5, "stratified": True}),
    "stratified-one-member": (dense(3, 4, 3, 2, b=2), {"members": 1, "stratified": True}),
    "stratified-runs-on": (
        dense(3, 4, 3, 2, b=2),
        {"members": 5, "stratified": True, "reseed": "never"},
    ),
    "positions": (dense(20, 6, 8, 3, b=2, k=3, window=CONV), {"members": 3, "vectors": 12}),
    "antithetic-positions": (
        dense(20, 6, 8, 3, window=CONV),
        {"members": 4, "stratified": True, "vectors": 3},
    ),
    "dropped-rows": (
        dense(7, 5, 3, 2, b=0, dropout=SpatialDropout(code=1, bits=1)),
        {"members": 5},
    ),
    "dropped-maps": (
        dense(20, 6, 8, 3, b=0, window=CONV, dropout=SpatialDropout(code=3, bits=3)),
        {"members": 5, "vectors": 2},
    ),
    "live-maps": (
        dense(*(20, 6, 4, 3), b=0, window=CONV, dropout=SpatialDropout(code=5, bits=3), skips=True),
        {"members": 5, "vectors": 2},
    ),
    "dropped-and-random": (
        dense(20, 6, 8, 3, b=2, k=4, window=CONV, dropout=SpatialDropout(code=200, bits=8)),
        {"members": 3, "vectors": 2, "reseed": "never"},
    ),
}


@pytest.mark.parametrize("case", PLANES)
def test_noise_plane(case: str) -> None:
    layer, options = PLANES[case]
    noise_plane(layer, **options)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data())
def test_noise_plane_of_any_geometry(data: st.DataObject) -> None:
    noise_plane(
        any_layer(data, least_b=1),
        members=data.draw(st.integers(1, 6)),
        width=data.draw(st.sampled_from([32, 64])),
        stratified=data.draw(st.booleans()),
        reseed=data.draw(st.sampled_from(["image", "never"])),
    )


@pytest.mark.parametrize("case", PLANES)
def test_a_filling_takes_the_stated_cycles(case: str) -> None:
    layer, options = PLANES[case]
    noise = layer.noise
    assert noise is not None
    width, members = options.get("width", 32), options["members"]
    dut = NoisePlane(layer, Ensemble(members=members), width)
    cycles = filling_cycles(layer, width)
    used = []

    async def use_at_once(ctx: Any) -> None:
        ctx.set(dut.seed, noise.seed)
        ctx.set(dut.members, members)
        for cycle in range(6 * cycles):
            ctx.set(dut.done, ctx.get(dut.valid))
            if ctx.get(dut.valid):
                used.append(cycle)
            await ctx.tick()

    run(dut, use_at_once)
    # The first filling waits one cycle for the seed.
    assert used[:4] == [1 + cycles * n for n in range(1, 5)]


def test_two_fillings_are_held() -> None:
    layer = dense(5, 7, 2, 3)
    dut = NoisePlane(layer, Ensemble(members=3), 32)
    cycles = filling_cycles(layer, 32)

    async def use_late(ctx: Any) -> None:
        ctx.set(dut.seed, 1)
        ctx.set(dut.members, 3)
        await ctx.tick().repeat(5 * cycles)
        valid = []
        for cycle in range(3 + cycles):
            valid.append(ctx.get(dut.valid))
            ctx.set(dut.done, cycle < 2)
            await ctx.tick()
        # Both were there; the third is drawn from the moment that the first half is free.
        assert valid == [1, 1] + [0] * (cycles - 1) + [1, 1]

    run(dut, use_late)
