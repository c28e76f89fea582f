"""Random and dense accesses to the control registers, held against a model of the table."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bbnn.description import Network
from bbnn.interface import registers
from bbnn.schedule import stream_bits
from blocks import Recording
from lite import OKAY, SLVERR
from simtools import run, stalls
from test_hdl_control import CONTROL, MEMBERS, NARROW, NETWORKS, SEED, Bench, state


class Model:
    """What the control block must do, access by access, with nothing in the core but `empty`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.values = state(network)
        self.table = {register.address: register for register in registers(network)}
        self.empty = self.refused = self.framing = 0
        self.counts = {"IMAGES_IN": 0, "IMAGES_OUT": 0}

    @property
    def run(self) -> int:
        return self.values["CONTROL"] & 1

    def read(self, address: int) -> tuple[int, int]:
        if address not in self.table:
            return 0, SLVERR
        status = {"STATUS": self.empty | self.framing << 1 | self.refused << 2}
        return {**self.values, **self.counts, **status}[self.table[address].name], OKAY

    def write(self, address: int, data: int, strobe: int) -> int:
        name = self.table[address].name if address in self.table else ""
        if strobe != 15 or not self._takes(name, data):
            self.refused = 1
            return SLVERR
        if name == "CONTROL":
            self.refused = 0
            if data & 1 and not self.run:
                self.framing = 0
                self.counts = dict.fromkeys(self.counts, 0)
        self.values[name] = data
        return OKAY

    def _takes(self, name: str, data: int) -> bool:
        if name == "MEMBERS":
            return not self.run and 1 <= data <= self.network.max_members
        if name.startswith("SEED"):
            return not self.run
        if name == "TEST_STREAM":
            return not self.run and data <= len(stream_bits(self.network))
        if name != "CONTROL" or data > 3:
            return False
        seeds = [value for key, value in self.values.items() if key.startswith("SEED")]
        words = self.network.lfsr_width // 32
        seeded = all(any(seeds[i : i + words]) for i in range(0, len(seeds), words))
        same = data >> 1 == self.values["CONTROL"] >> 1
        return not data & 1 or (seeded and (same if self.run else bool(self.empty)))

    def event(self, image_in: int, image_out: int, framing: int) -> None:
        if self.run:
            self.counts["IMAGES_IN"] += image_in
            self.counts["IMAGES_OUT"] += image_out
            self.framing |= framing


def accesses(network: Network, stall: int = 3, count: int = 400) -> Recording:
    """Write and read all kinds of addresses and data, with events between; compare with a model."""
    bench = Bench(network, stalls(stall))
    dut, jitter, model = bench.dut, Random(42), Model(network)
    cycles = ("CYCLES_LOW", "CYCLES_HIGH")

    async def steps(ctx: Any) -> None:
        responses = []
        for _ in range(count):
            model.empty = jitter.getrandbits(1)
            ctx.set(dut.empty, model.empty)
            event = [jitter.getrandbits(1) for _ in range(3)]
            for signal, value in zip(
                (dut.image_in, dut.image_out, dut.framing), event, strict=True
            ):
                ctx.set(signal, value)
            await ctx.tick()
            model.event(*event)
            for signal in (dut.image_in, dut.image_out, dut.framing):
                ctx.set(signal, 0)
            often = [CONTROL] * 4 + [MEMBERS, MEMBERS, SEED]
            address = jitter.choice([*model.table, *often, 0x51, 0x80C])
            if jitter.getrandbits(1):
                value, response = await bench.manager.read(ctx, address)
                want = model.read(address)
                assert response == want[1]
                if address not in model.table or model.table[address].name not in cycles:
                    assert value == want[0], hex(address)
            else:
                data = jitter.choice([0, 1, 2, 3, 4, 1 << 31, jitter.getrandbits(32)])
                strobe = jitter.choice([15, 15, 15, jitter.getrandbits(4)])
                response = await bench.manager.write(ctx, address, data, strobe)
                assert response == model.write(address, data, strobe), (hex(address), data)
                assert ctx.get(dut.run) == model.run
                responses.append(response)
        assert {OKAY, SLVERR} == set(responses)

    return bench.run(steps)


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_random_accesses(network: Network, stall: int) -> None:
    accesses(network, stall)


def test_an_access_every_cycle() -> None:
    """With nobody waiting, both ways answer once a cycle, and neither disturbs the other."""
    bench = Bench(NARROW)
    bus = bench.dut.bus
    answers = []

    async def steps(ctx: Any) -> None:
        for signal in (bus.awvalid, bus.wvalid, bus.arvalid, bus.bready, bus.rready):
            ctx.set(signal, 1)
        ctx.set(bus.wstrb, 15)
        ctx.set(bus.awaddr, SEED)
        ctx.set(bus.araddr, SEED)
        for value in range(1, 20):
            ctx.set(bus.wdata, value)
            assert ctx.get(bus.awready & bus.wready & bus.arready)
            await ctx.tick()
            assert ctx.get(bus.bvalid & bus.rvalid)
            assert ctx.get(bus.bresp) == ctx.get(bus.rresp) == OKAY
            answers.append(ctx.get(bus.rdata))

    run(bench.dut, steps)
    # A read sees what was written in the cycle before.
    assert answers[1:] == list(range(1, 19))


@pytest.mark.parametrize("slow", [0, 2])
def test_a_random_word_is_read_once(slow: int) -> None:
    """Reads of RANDOM, offered in every cycle, get every word; other reads take none."""
    bench = Bench(NARROW)
    bus, jitter = bench.dut.bus, Random(44)
    addresses = {register.name: register.address for register in registers(NARROW)}
    words: list[int] = []
    word = 0

    async def steps(ctx: Any) -> None:
        nonlocal word
        ctx.set(bus.arvalid, 1)
        address = addresses["RANDOM"]
        asked: list[int] = []
        for _ in range(100):
            ctx.set(bus.araddr, address)
            ctx.set(bus.rready, jitter.randint(0, slow) == 0)
            ctx.set(bench.dut.random, word)
            if ctx.get(bus.rvalid & bus.rready) and asked.pop() == addresses["RANDOM"]:
                words.append(ctx.get(bus.rdata))
            taken, takes_read = ctx.get(bench.dut.random_taken), ctx.get(bus.arready)
            await ctx.tick()
            word += taken
            if takes_read:
                asked.append(address)
                address = jitter.choice([addresses["RANDOM"], addresses["RANDOM"], 4])

    run(bench.dut, steps)
    assert words == list(range(len(words)))
    assert word - len(words) in (0, 1)
    assert len(words) > 10


@pytest.mark.parametrize("slow", [0, 1, 3])
def test_requests_wait_for_answers_to_be_taken(slow: int) -> None:
    """Offer requests in every cycle and take answers now and then: none is lost or doubled."""
    bench = Bench(NARROW)
    bus, jitter = bench.dut.bus, Random(43)
    asked: list[int] = []
    read: list[tuple[int, int]] = []
    written = 0

    async def steps(ctx: Any) -> None:
        nonlocal written
        for signal in (bus.awvalid, bus.wvalid, bus.arvalid):
            ctx.set(signal, 1)
        ctx.set(bus.wstrb, 15)
        ctx.set(bus.awaddr, SEED)
        value, address = 1, 0
        for _ in range(200):
            ctx.set(bus.wdata, value)
            ctx.set(bus.araddr, address)
            ctx.set(bus.bready, jitter.randint(0, slow) == 0)
            ctx.set(bus.rready, jitter.randint(0, slow) == 0)
            if ctx.get(bus.bvalid & bus.bready):
                written += 1
            if ctx.get(bus.rvalid & bus.rready):
                read.append((ctx.get(bus.rdata), ctx.get(bus.rresp)))
            takes_write, takes_read = ctx.get(bus.awready), ctx.get(bus.arready)
            await ctx.tick()
            value += takes_write
            if takes_read:
                asked.append(address)
                address = jitter.choice([0, 4, 0x18, 0xFFC])
        # One answer of each kind may still be on its way.
        assert value - 1 - written in (0, 1)

    run(bench.dut, steps, watched=bench.manager.answers)
    fixed = {register.address: (register.reset, OKAY) for register in registers(NARROW)}
    assert len(asked) - len(read) in (0, 1)
    assert read == [fixed.get(address, (0, SLVERR)) for address in asked[: len(read)]]
    assert len(read) > 30
