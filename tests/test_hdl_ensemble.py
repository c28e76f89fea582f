"""The ensemble against sums and votes in Python, field by field of the packet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbnn.description import MAX_MEMBERS
from blocks import Recording, play
from hdl.ensemble import Ensemble
from simtools import reader, run, writer

Members = list[list[int]]


def ensemble(images: list[Members], *, wanted: bool, width: int = 12, stall: int = 2) -> Recording:
    """Send every member's logits; the packets must hold `images` and what follows from them."""
    dut = Ensemble(classes=len(images[0][0]), width=width)
    members = len(images[0])

    async def configure(ctx: Any) -> None:
        ctx.set(dut.members, members)
        ctx.set(dut.member_logits, wanted)

    beats = []
    for number, image in enumerate(images):
        votes = [0] * len(image[0])
        for logits in image:
            votes[logits.index(max(logits))] += 1
        everything = [logit for logits in image for logit in logits] if wanted else []
        sums = [sum(column) for column in zip(*image, strict=True)]
        words = [number, *everything, *sums, *votes, members]
        beats += [{"data": word % 2**32, "last": 0} for word in words]
        beats[-1]["last"] = 1
    logits = [logit for image in images for member in image for logit in member]
    return play(
        dut,
        configure,
        writer(dut.i, logits, stall),
        reader(dut.o, beats, stall),
        watched=[dut.o],
        must_stall=stall == 9,
    )


def random_images(members: int, classes: int, width: int = 12) -> list[Members]:
    """Return four images' logits, full of ties."""
    rng = np.random.default_rng(31)
    high = 2 ** (width - 1)
    choice = [-high, -1, 0, 1, high - 1]
    return rng.choice(choice, (4, members, classes)).tolist()


ENSEMBLES: dict[str, tuple[list[Members], int]] = {
    "lowest-class-wins-a-tie": ([[[5, 5, 5], [-1, 7, 7], [-9, -9, -9]]], 12),
    "largest-comes-last": ([[[1, 2, 3], [-3, -2, -1]]], 12),
    "largest-comes-first": ([[[3, 2, 1], [-1, -2, -3]]], 12),
    "smallest-of-the-width": ([[[-2048, -2048], [-2048, -2047]]], 12),
    "votes-are-cleared": ([[[9, 1], [9, 1]], [[1, 9], [1, 9]], [[9, 1], [1, 9]]], 12),
    "sums-start-again": ([[[2047, -2048]], [[0, 0]], [[-1, 1]]], 12),
    "one-member": (random_images(1, 4), 12),
    "one-class": (random_images(3, 1), 12),
    "one-of-each": (random_images(1, 1), 12),
    "two-classes": (random_images(5, 2), 12),
    "odd": (random_images(7, 5), 12),
    "32-bit-logits": ([[[2**31 - 1, -(2**31), 0]], [[-1, 1, 0]]], 32),
    "sums-fill-their-word": ([[[2**30 - 1, -(2**30)], [2**30, -(2**30)]]], 32),
    "one-bit-logits": ([[[0, -1], [-1, 0], [-1, -1]]], 1),
}


@pytest.mark.parametrize("wanted", [False, True], ids=["summed", "member-logits"])
@pytest.mark.parametrize("case", ENSEMBLES)
def test_packets(case: str, wanted: bool) -> None:
    images, width = ENSEMBLES[case]
    ensemble(images, wanted=wanted, width=width)


@pytest.mark.parametrize("wanted", [False, True], ids=["summed", "member-logits"])
@pytest.mark.parametrize("stall", [0, 1, 9])
def test_every_field_can_wait(stall: int, wanted: bool) -> None:
    """With one ready cycle in ten, hardly a beat leaves at once."""
    ensemble(random_images(3, 3), wanted=wanted, stall=stall)


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(1, 5), st.booleans(), st.data())
def test_any_logits(members: int, classes: int, wanted: bool, data: st.DataObject) -> None:
    logits = st.lists(st.integers(-4, 3), min_size=classes, max_size=classes)
    image = st.lists(logits, min_size=members, max_size=members)
    ensemble(data.draw(st.lists(image, min_size=2, max_size=3)), wanted=wanted, width=3)


@pytest.mark.parametrize(("members", "classes"), [(1, 1), (1, 3), (4, 3), (3, 10)])
@pytest.mark.parametrize("wanted", [False, True], ids=["summed", "member-logits"])
def test_a_packet_takes_the_stated_cycles(members: int, classes: int, wanted: bool) -> None:
    dut = Ensemble(classes=classes, width=8)
    taken, ends = [], []
    cycles = 2 + members * classes + 2 * classes

    async def watch(ctx: Any) -> None:
        ctx.set(dut.members, members)
        ctx.set(dut.member_logits, wanted)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(2 * cycles):
            if ctx.get(dut.i.ready):
                taken.append(cycle)
            if ctx.get(dut.o.valid) and ctx.get(dut.o.p.last):
                ends.append(cycle)
            await ctx.tick()

    run(dut, watch)
    first = list(range(1, 1 + members * classes))
    assert taken == [*first, *(cycles + cycle for cycle in first)]
    assert ends == [cycles - 1, 2 * cycles - 1]


@pytest.mark.slow
def test_votes_count_to_the_largest_number_of_members() -> None:
    dut = Ensemble(classes=1, width=2)
    words = []

    async def watch(ctx: Any) -> None:
        ctx.set(dut.members, MAX_MEMBERS)
        ctx.set(dut.i.payload, -1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        while not words or not words[-1]["last"]:
            (beat,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            words.append(beat)

    run(dut, watch, cycles=MAX_MEMBERS + 100)
    assert [beat["data"] for beat in words] == [0, 2**32 - MAX_MEMBERS, MAX_MEMBERS, MAX_MEMBERS]
