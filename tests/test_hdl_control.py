"""The control registers over AXI4-Lite: the whole table, and everything that is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from amaranth.hdl import Signal

import hdl.control
from bbnn.description import Network
from bbnn.interface import ADDRESS_BITS, registers
from bbnn.schedule import stream_bits
from blocks import Recording, packed, play
from hdl.control import Control
from lite import OKAY, SLVERR, Manager
from networks import random_network
from simtools import Stall, stalls

NARROW = random_network(1, members=9)
WIDE = random_network(2, lfsr_width=64)
PLAIN = random_network(3, probability_bits=(0, 0, 0))
NETWORKS = {"32-bit-seeds": NARROW, "64-bit-seeds": WIDE, "no-seeds": PLAIN}


class Bench:
    """A control block whose core is empty, and its registers by name."""

    def __init__(self, network: Network, stall: Stall | None = None) -> None:
        self.dut = Control(network)
        self.manager = Manager(self.dut.bus, stall)
        self.table = {register.name: register for register in registers(network)}

    def run(self, steps: Callable[[Any], Awaitable[None]]) -> Recording:
        async def testbench(ctx: Any) -> None:
            ctx.set(self.dut.empty, 1)
            await steps(ctx)

        return play(self.dut, testbench, watched=self.manager.answers)

    async def write(self, ctx: Any, name: str, value: int) -> int:
        return await self.manager.write(ctx, self.table[name].address, value)

    async def read(self, ctx: Any, name: str) -> int:
        value, response = await self.manager.read(ctx, self.table[name].address)
        assert response == OKAY
        return value


def state(network: Network) -> dict[str, int]:
    """Return what every register reads after reset."""
    return {register.name: register.reset for register in registers(network)}


@pytest.mark.parametrize("stall", [0, 5], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_register_reads_its_reset_value(network: Network, stall: int) -> None:
    bench = Bench(network, stalls(stall))

    async def steps(ctx: Any) -> None:
        for name, value in state(network).items():
            assert await bench.read(ctx, name) == value, name

    bench.run(steps)


@pytest.mark.parametrize("stall", [0, 5], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_writable_register_keeps_what_is_written(network: Network, stall: int) -> None:
    bench = Bench(network, stalls(stall))
    names = [register.name for register in registers(network) if register.access == "rw"]
    values = {name: 0xA5000000 + 17 * index for index, name in enumerate(names)}
    values |= {"CONTROL": 0b10, "MEMBERS": 5, "TEST_STREAM": len(stream_bits(network))}

    async def steps(ctx: Any) -> None:
        for name, value in values.items():
            assert await bench.write(ctx, name, value) == OKAY
        for name, value in {**state(network), **values}.items():
            assert await bench.read(ctx, name) == value, name
        assert ctx.get(bench.dut.members) == 5
        assert ctx.get(bench.dut.test_stream) == values["TEST_STREAM"]
        assert ctx.get(bench.dut.member_logits)
        assert not ctx.get(bench.dut.run)
        seeds = packed([values[name] for name in names if name.startswith("SEED")], 32)
        assert ctx.get(bench.dut.seeds) == seeds

    bench.run(steps)


MEMBERS, CONTROL, STREAM, SEED = 0x14, 0x0C, 0x2C, 0x40
# Case: (what CONTROL is before, address, data, strobe).
REFUSED = {
    **{
        f"read-only-{register.name}": (0, register.address, register.reset ^ 1, 0b1111)
        for register in registers(NARROW)
        if register.access == "ro"
    },
    "no-members": (0, MEMBERS, 0, 0b1111),
    "too-many-members": (0, MEMBERS, NARROW.max_members + 1, 0b1111),
    "members-of-17-bits": (0, MEMBERS, 2**16 + 1, 0b1111),
    "negative-members": (0, MEMBERS, 2**32 - 1, 0b1111),
    "members-while-running": (1, MEMBERS, 2, 0b1111),
    "unknown-stream": (0, STREAM, len(stream_bits(NARROW)) + 1, 0b1111),
    "stream-of-17-bits": (0, STREAM, 2**16 + 1, 0b1111),
    "stream-while-running": (1, STREAM, 1, 0b1111),
    "seed-while-running": (1, SEED, 2, 0b1111),
    "seed-zero-while-running": (1, SEED, 0, 0b1111),
    "unknown-control-bit": (0, CONTROL, 0b100, 0b1111),
    "highest-control-bit": (0, CONTROL, 1 << 31, 0b1111),
    "start-with-unknown-bit": (0, CONTROL, 0b101, 0b1111),
    "logits-on-while-running": (1, CONTROL, 0b11, 0b1111),
    "logits-off-while-running": (3, CONTROL, 0b01, 0b1111),
    **{
        f"strobe-{strobe:04b}": (0, address, 2, strobe)
        for address, strobe in [(MEMBERS, 0b0111), (MEMBERS, 0b0001), (SEED, 0), (CONTROL, 0b1110)]
    },
    **{
        f"address-{address:#x}": (0, address, 1, 0b1111)
        for address in (MEMBERS + 1, MEMBERS + 2, CONTROL + 3, 0x34, 0x4C, 0x800 + MEMBERS, 0xFFC)
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_writes_change_nothing(case: str) -> None:
    control, address, data, strobe = REFUSED[case]
    bench = Bench(NARROW, stalls(3))

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", control) == OKAY
        assert await bench.manager.write(ctx, address, data, strobe) == SLVERR
        found = {name: await bench.read(ctx, name) for name in bench.table}
        assert found == {**state(NARROW), "CONTROL": control, "STATUS": 0b101}
        # Whatever CONTROL accepts clears the mark.
        assert await bench.write(ctx, "CONTROL", control) == OKAY
        assert await bench.read(ctx, "STATUS") == 0b001

    bench.run(steps)


@pytest.mark.parametrize("members", [1, NARROW.max_members])
def test_extreme_members_are_taken(members: int) -> None:
    bench = Bench(NARROW)

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "MEMBERS", members) == OKAY
        assert await bench.read(ctx, "MEMBERS") == members

    bench.run(steps)


def test_every_address_without_a_register_is_refused() -> None:
    bench = Bench(NARROW)
    known = {register.address for register in registers(NARROW)}
    addresses = [*range(0x58), *range(0x58, 1 << ADDRESS_BITS, 37), 0xFFC, 0xFFF]

    async def steps(ctx: Any) -> None:
        for address in addresses:
            _, response = await bench.manager.read(ctx, address)
            assert response == (OKAY if address in known else SLVERR), hex(address)
        # Refused reads are no refused writes.
        assert await bench.read(ctx, "STATUS") == 0b001

    bench.run(steps)


@pytest.mark.parametrize("zero", range(3))
@pytest.mark.parametrize("network", [NARROW, WIDE], ids=["32-bit", "64-bit"])
def test_no_start_with_a_seed_of_zero(network: Network, zero: int) -> None:
    bench = Bench(network)
    layer = network.layers[zero]
    names = [name for name in bench.table if name.startswith(f"SEED_{layer.name.upper()}")]

    async def steps(ctx: Any) -> None:
        for name in names:
            assert await bench.write(ctx, name, 0) == OKAY
        assert await bench.write(ctx, "CONTROL", 1) == SLVERR
        assert not ctx.get(bench.dut.run)
        # Without a start, zero is as good as anything; and one bit is enough.
        assert await bench.write(ctx, "CONTROL", 0b10) == OKAY
        assert await bench.write(ctx, names[-1], 1 << 31) == OKAY
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert ctx.get(bench.dut.run)

    bench.run(steps)


def test_no_start_before_the_core_is_empty() -> None:
    bench = Bench(NARROW)

    async def steps(ctx: Any) -> None:
        ctx.set(bench.dut.empty, 0)
        assert await bench.write(ctx, "CONTROL", 1) == SLVERR
        assert await bench.read(ctx, "STATUS") == 0b100
        ctx.set(bench.dut.empty, 1)
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        # What runs may be told to run, however full it is, and to stop.
        ctx.set(bench.dut.empty, 0)
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert await bench.write(ctx, "CONTROL", 0b10) == OKAY

    bench.run(steps)


def counting(stall: int = 2) -> Recording:
    """Count random events, but only between start and stop, and from zero after each start."""
    bench = Bench(NARROW, stalls(stall))
    dut, jitter = bench.dut, Random(41)
    nothing = {"IMAGES_IN": 0, "IMAGES_OUT": 0, "CYCLES_LOW": 0, "CYCLES_HIGH": 0}

    async def events(ctx: Any) -> dict[str, int]:
        counts = dict(nothing)
        for _ in range(50):
            image_in, image_out, empty, framing = (jitter.getrandbits(1) for _ in range(4))
            ctx.set(dut.image_in, image_in)
            ctx.set(dut.image_out, image_out)
            ctx.set(dut.empty, empty)
            ctx.set(dut.framing, framing)
            counts["IMAGES_IN"] += image_in
            counts["IMAGES_OUT"] += image_out
            counts["CYCLES_LOW"] += not empty
            await ctx.tick()
        for signal in (dut.image_in, dut.image_out, dut.framing):
            ctx.set(signal, 0)
        ctx.set(dut.empty, 1)
        return counts

    async def expect(ctx: Any, counts: dict[str, int], status: int) -> None:
        for name, value in {**counts, "STATUS": status}.items():
            assert await bench.read(ctx, name) == value, name

    async def steps(ctx: Any) -> None:
        await events(ctx)
        await expect(ctx, nothing, 0b001)
        for _ in range(2):
            assert await bench.write(ctx, "CONTROL", 1) == OKAY
            await expect(ctx, nothing, 0b001)
            counts = await events(ctx)
            await expect(ctx, counts, 0b011)
            # To say again that it runs is no start.
            assert await bench.write(ctx, "CONTROL", 1) == OKAY
            await expect(ctx, counts, 0b011)
            assert await bench.write(ctx, "CONTROL", 0) == OKAY
            await events(ctx)
            await expect(ctx, counts, 0b011)

    return bench.run(steps)


def test_counting() -> None:
    counting()


def test_the_upper_half_is_that_of_the_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading CYCLES_LOW holds CYCLES_HIGH, even where the one overflows into the other."""
    made: list[Signal] = []

    def spy(*args: Any, **options: Any) -> Signal:
        made.append(Signal(*args, **options))
        return made[-1]

    monkeypatch.setattr(hdl.control, "Signal", spy)
    bench = Bench(NARROW)

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        ctx.set(bench.dut.empty, 0)
        (cycles,) = (signal for signal in made if len(signal) == 64)
        ctx.set(cycles, 2**32 - 2)
        assert await bench.read(ctx, "CYCLES_LOW") == 2**32 - 2
        await ctx.tick().repeat(20)
        assert await bench.read(ctx, "CYCLES_HIGH") == 0
        assert 20 < await bench.read(ctx, "CYCLES_LOW") < 30
        assert await bench.read(ctx, "CYCLES_HIGH") == 1

    bench.run(steps)
