"""The core at its AXI ports: packets, counters, and what stopping and starting again does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat

from bbnn.description import Network
from bbnn.interface import PIXELS_PER_BEAT, pack_pixels, registers
from blocks import Recording, channel, play
from hdl.core import Core
from lite import OKAY, SLVERR, Manager
from networks import packets, random_images, random_network
from simtools import Stall, Testbench, stalls

NETWORK = random_network(5, sizes=(10, 5, 3), probability_bits=(1, 1), members=2)
BEATS = -(-NETWORK.pixels // PIXELS_PER_BEAT)
IDLE, FRAMING, REFUSED = 1, 2, 4


class Bench:
    """A core, its registers by name, its two streams."""

    def __init__(self, network: Network = NETWORK, stall: Stall | None = None) -> None:
        self.dut = Core(network)
        self.stall = stall or stalls(0)
        self.manager = Manager(self.dut.s_axi, self.stall)
        self.addresses = {register.name: register.address for register in registers(network)}
        i, o = self.dut.s_axis, self.dut.m_axis
        self.i = channel(i.tvalid, i.tready, Cat(i.tdata, i.tlast))
        self.o = channel(o.tvalid, o.tready, Cat(o.tdata, o.tlast))

    def run(self, steps: Testbench, *, watched: bool = True) -> Recording:
        async def testbench(ctx: Any) -> None:
            ctx.set(self.dut.aresetn, 1)
            await steps(ctx)

        ports = [self.o, *self.manager.answers] if watched else []
        return play(self.dut, testbench, watched=ports)

    async def write(self, ctx: Any, name: str, value: int) -> int:
        return await self.manager.write(ctx, self.addresses[name], value)

    async def read(self, ctx: Any, name: str) -> int:
        value, response = await self.manager.read(ctx, self.addresses[name])
        assert response == OKAY
        return value

    async def stream(
        self, ctx: Any, beats: list[int], wanted: int, patience: int = 5000
    ) -> list[int]:
        """Offer `beats` and take `wanted` words, both with stalls; return the words."""
        taken: list[int] = []
        offered, pause_in, pause_out = 0, self.stall(), self.stall()
        for _ in range(patience):
            if len(taken) == wanted and offered == len(beats):
                break
            ctx.set(self.i.valid, offered < len(beats) and not pause_in)
            ctx.set(self.i.payload, beats[offered] if offered < len(beats) else 0)
            ctx.set(self.o.ready, len(taken) < wanted and not pause_out)
            gives, takes = (
                ctx.get(self.i.valid & self.i.ready),
                ctx.get(self.o.valid & self.o.ready),
            )
            word = ctx.get(self.o.payload)
            # An offered beat stays; pauses come between offers.
            waits = ctx.get(self.i.valid) and not gives
            await ctx.tick()
            if gives:
                offered += 1
            if takes:
                taken.append(word)
            pause_in = 0 if waits else pause_in - 1 if pause_in else self.stall()
            pause_out = pause_out - 1 if pause_out else self.stall()
        ctx.set(self.i.valid, 0)
        ctx.set(self.o.ready, 0)
        assert len(taken) == wanted, f"{len(taken)} words of {wanted} in {patience} cycles"
        return taken


def beats_of(images: np.ndarray[Any, Any], last: bool = True) -> list[int]:
    """Return the input beats, TLAST above TDATA, set with the last beat of each image or never."""
    beats = pack_pixels(images).astype(object)
    if last:
        beats[:, -1] += 1 << 32
    return beats.ravel().tolist()


def words_of(
    network: Network, images: np.ndarray[Any, Any], members: int, wanted: bool = False
) -> list[int]:
    """Return the words of the packets that golden expects, TLAST above TDATA."""
    result = []
    for packet in packets(network, images, members, wanted):
        result += [*packet[:-1], packet[-1] + 2**32]
    return result


def core(network: Network = NETWORK, stall: int = 3, last: bool = True) -> Recording:
    """Run images three times, with other settings each time, and look at every counter."""
    bench = Bench(network, stalls(stall))
    images = random_images(network, 3)
    default = network.ensemble.members

    async def steps(ctx: Any) -> None:
        for members, wanted in ((default, False), (default + 1, True), (1, False)):
            assert await bench.write(ctx, "MEMBERS", members) == OKAY
            assert await bench.write(ctx, "CONTROL", 1 | wanted << 1) == OKAY
            expected = words_of(network, images, members, wanted)
            assert await bench.stream(ctx, beats_of(images, last), len(expected)) == expected
            assert await bench.read(ctx, "STATUS") == IDLE
            assert await bench.read(ctx, "IMAGES_IN") == len(images)
            assert await bench.read(ctx, "IMAGES_OUT") == len(images)
            assert await bench.write(ctx, "CONTROL", 0) == OKAY

    return bench.run(steps)


CORES = {
    "three-layers": NETWORK,
    "one-beat-an-image": random_network(6, sizes=(4, 3), probability_bits=(1,), members=2),
    "one-pixel": random_network(7, sizes=(1, 1, 1), probability_bits=(0, 1), members=3),
    "wide-seeds": random_network(8, sizes=(5, 4, 3), probability_bits=(2, 1), lfsr_width=64),
    "no-seeds": random_network(9, sizes=(5, 4, 3), probability_bits=(0, 0)),
    "runs-on": random_network(10, sizes=(5, 4, 3), probability_bits=(1, 1), reseed="never"),
}


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", CORES)
def test_packets_and_counters(case: str, stall: int) -> None:
    core(CORES[case], stall)


def test_a_layer_may_be_called_like_a_block() -> None:
    first, *others = NETWORK.layers
    core(replace(NETWORK, layers=(replace(first, name="ensemble"), *others)), stall=0)


def test_tlast_may_be_missing() -> None:
    core(stall=0, last=False)


@pytest.mark.parametrize("place", range(BEATS - 1))
def test_tlast_inside_an_image_is_told(place: int) -> None:
    bench = Bench()
    images = random_images(NETWORK, 1)
    beats = beats_of(images, last=False)
    expected = words_of(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        await bench.stream(ctx, beats, len(expected))
        assert await bench.read(ctx, "STATUS") == IDLE
        wrong = [beat + (index == place) * 2**32 for index, beat in enumerate(beats)]
        await bench.stream(ctx, wrong, len(expected))
        assert await bench.read(ctx, "STATUS") == IDLE | FRAMING
        # It is remembered until the next start.
        assert await bench.write(ctx, "CONTROL", 0) == OKAY
        assert await bench.read(ctx, "STATUS") == IDLE | FRAMING
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert await bench.read(ctx, "STATUS") == IDLE

    bench.run(steps)


def stopped(beats: int, words: int) -> Recording:
    """Stop after `beats` of the second image went in, or after `words` came out; start again."""
    bench = Bench()
    images = random_images(NETWORK, 3)
    expected = words_of(NETWORK, images, 2)
    length = len(expected) // len(images)

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert not ctx.get(bench.o.valid)
        await bench.stream(ctx, beats_of(images)[: BEATS + beats], words)
        # Let the core fill up against a reader that does not read.
        await ctx.tick().repeat(200)
        offers = words < 2 * length and ctx.get(bench.o.valid)
        assert offers == (words < length or (beats == BEATS and words < 2 * length))
        offered = ctx.get(bench.o.payload)
        assert await bench.write(ctx, "CONTROL", 0) == OKAY
        # What goes in now is not taken.
        ctx.set(bench.i.valid, 1)
        for _ in range(20):
            assert ctx.get(bench.o.valid) == offers
            assert not ctx.get(bench.i.ready)
            await ctx.tick()
        ctx.set(bench.i.valid, 0)
        if offers:
            assert ctx.get(bench.o.payload) == offered == expected[words]
            assert await bench.read(ctx, "STATUS") == 0
            assert await bench.write(ctx, "CONTROL", 1) == SLVERR
            assert await bench.read(ctx, "STATUS") == REFUSED
            assert await bench.stream(ctx, [], 1) == [offered]
            assert await bench.read(ctx, "STATUS") == IDLE | REFUSED
        else:
            assert await bench.read(ctx, "STATUS") == IDLE
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert await bench.stream(ctx, beats_of(images), len(expected)) == expected
        assert await bench.read(ctx, "IMAGES_IN") == len(images)
        assert await bench.read(ctx, "IMAGES_OUT") == len(images)

    return bench.run(steps)


LENGTH = len(words_of(NETWORK, random_images(NETWORK, 1), 2))
STOPS = {
    "within-an-image": (BEATS // 2, LENGTH),
    "before-a-packet": (BEATS, 0),
    "in-image-and-packet": (1, 2),
    "in-the-sums": (BEATS, LENGTH + 3),
    "before-the-last-word": (0, LENGTH - 1),
    "between-images": (0, LENGTH),
    "when-all-is-done": (BEATS, 2 * LENGTH),
}


@pytest.mark.parametrize("case", STOPS)
def test_stop_and_start_again(case: str) -> None:
    stopped(*STOPS[case])


def test_a_stop_offers_nothing_new() -> None:
    """No beat follows the one on offer at the stop, wherever in the packets that is."""
    bench = Bench()
    bus = bench.dut.s_axi
    images = random_images(NETWORK, 2)
    beats, expected = beats_of(images), words_of(NETWORK, images, 2)
    offered = set()

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        for last_word in range(1, LENGTH + 1):
            # A reader that takes everything at once, in the middle of a stream of images.
            ctx.set(bench.o.ready, 1)
            ctx.set(bench.i.valid, 1)
            sent = taken = 0
            while taken < last_word:
                ctx.set(bench.i.payload, beats[sent % len(beats)])
                sent += ctx.get(bench.i.ready)
                taken += ctx.get(bench.o.valid)
                await ctx.tick()
            # Stop and start in two cycles: nobody waits for the answers in between.
            ctx.set(bench.i.valid, 0)
            ctx.set(bus.awaddr, bench.addresses["CONTROL"])
            ctx.set(bus.wstrb, 15)
            for signal in (bus.bready, bus.awvalid, bus.wvalid):
                ctx.set(signal, 1)
            ctx.set(bus.wdata, 0)
            await ctx.tick()
            assert ctx.get(bus.bresp) == OKAY
            offered.add(offers := ctx.get(bench.o.valid))
            ctx.set(bus.wdata, 1)
            await ctx.tick()
            ctx.set(bus.awvalid, 0)
            ctx.set(bus.wvalid, 0)
            # The start is refused only while that one beat is on offer.
            assert ctx.get(bus.bresp) == (SLVERR if offers else OKAY)
            for _ in range(10):
                assert not ctx.get(bench.o.valid)
                await ctx.tick()
            ctx.set(bench.o.ready, 0)
            assert await bench.write(ctx, "CONTROL", 1) == OKAY
            assert await bench.stream(ctx, beats, len(expected)) == expected
            assert await bench.write(ctx, "CONTROL", 0) == OKAY
            assert await bench.write(ctx, "CONTROL", 1) == OKAY

    bench.run(steps)
    assert offered == {0, 1}


def test_an_image_may_come_in_while_another_goes_out() -> None:
    """In one cycle, the last beat of an image is taken and so is the last word of a packet."""
    bench = Bench()
    images = random_images(NETWORK, 2)
    beats, expected = beats_of(images), words_of(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        taken = await bench.stream(ctx, beats[:-1], LENGTH - 1)
        await ctx.tick().repeat(50)
        ctx.set(bench.i.payload, beats[-1])
        ctx.set(bench.i.valid, 1)
        ctx.set(bench.o.ready, 1)
        assert ctx.get(bench.i.ready & bench.o.valid)
        taken.append(ctx.get(bench.o.payload))
        await ctx.tick()
        ctx.set(bench.i.valid, 0)
        ctx.set(bench.o.ready, 0)
        assert await bench.read(ctx, "STATUS") == 0
        assert taken + await bench.stream(ctx, [], LENGTH) == expected
        assert await bench.read(ctx, "STATUS") == IDLE

    bench.run(steps)


def test_cycles_with_an_image_in_the_core() -> None:
    """They begin with its first beat and end with the last word of its packet."""
    bench = Bench()
    images = random_images(NETWORK, 1)
    expected = words_of(NETWORK, images, 2)
    busy = 0

    async def steps(ctx: Any) -> None:
        nonlocal busy
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        await ctx.tick().repeat(10)
        ctx.set(bench.i.valid, 1)
        ctx.set(bench.o.ready, 1)
        taken = 0
        while taken < len(expected):
            sent = ctx.get(bench.i.valid & bench.i.ready)
            taken += ctx.get(bench.o.valid & bench.o.ready)
            await ctx.tick()
            busy += 1
            beats.extend([1] * sent)
            ctx.set(bench.i.valid, len(beats) < BEATS)
        await ctx.tick().repeat(10)
        # The cycle of the first beat itself does not count yet.
        assert await bench.read(ctx, "CYCLES_LOW") == busy - 1

    beats: list[int] = []
    bench.run(steps)


def test_reset_forgets_everything() -> None:
    """The reset of the whole core may take back an offer; registers read their reset values."""
    bench = Bench()
    images = random_images(NETWORK, 1)
    expected = words_of(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "MEMBERS", 1) == OKAY
        assert await bench.write(ctx, "CONTROL", 3) == OKAY
        await bench.stream(ctx, beats_of(images), 3)
        ctx.set(bench.dut.aresetn, 0)
        await ctx.tick()
        ctx.set(bench.dut.aresetn, 1)
        assert not ctx.get(bench.o.valid)
        for register in registers(NETWORK):
            assert await bench.read(ctx, register.name) == register.reset, register.name
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert await bench.stream(ctx, beats_of(images), len(expected)) == expected

    bench.run(steps, watched=False)
