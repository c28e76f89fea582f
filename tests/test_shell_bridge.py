"""The processor's bursts, cut into register accesses and answered as a whole."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from amaranth.hdl import Cat

from blocks import channel
from boards.shell.axi3 import DECERR, FIXED, INCR, OKAY, SLVERR, WRAP
from boards.shell.bridge import Bridge
from boards.shell.interface import BASE, CORE, DMA
from simtools import Testbench, run

SEED = 20261121
NOWHERE = BASE + 0x2000


class Processor:
    """The manager of GP0: one burst each way at a time. Every beat's answer is checked for its id.

    stall : whether handshakes wait, at random.
    """

    def __init__(self, bus: Any, *, stall: bool = False, seed: int = 1) -> None:
        self.bus = bus
        self.random = Random(SEED + seed)
        self.stall = stall
        self.answers = (
            channel(bus.bvalid, bus.bready, Cat(bus.bresp, bus.bid)),
            channel(bus.rvalid, bus.rready, Cat(bus.rdata, bus.rresp, bus.rid, bus.rlast)),
        )
        """For `simtools.run` to watch."""

    async def read(
        self, ctx: Any, address: int, beats: int = 1, burst: int = INCR, size: int = 2
    ) -> list[tuple[int, int]]:
        """Return (data, response) of every beat."""
        bus, id_ = self.bus, self.random.randrange(1 << 12)
        self._ask(ctx, "ar", address, beats, burst, size, id_)
        await self._pass(ctx, bus.arvalid, bus.arready)
        result: list[tuple[int, int]] = []
        while len(result) < beats:
            await self._pause(ctx)
            ctx.set(bus.rready, 1)
            values = (
                await ctx.tick().sample(bus.rdata, bus.rresp, bus.rid, bus.rlast).until(bus.rvalid)
            )
            ctx.set(bus.rready, 0)
            data, response, got, last = (int(value) for value in values)
            result.append((data, response))
            assert (got, last) == (id_, len(result) == beats)
        return result

    async def write(
        self, ctx: Any, address: int, data: list[int], burst: int = INCR, strobe: int = 15
    ) -> int:
        """Return the response."""
        bus, id_ = self.bus, self.random.randrange(1 << 12)
        self._ask(ctx, "aw", address, len(data), burst, 2, id_)
        ctx.set(bus.wid, id_)
        ctx.set(bus.wstrb, strobe)
        await self._pass(ctx, bus.awvalid, bus.awready)
        for index, word in enumerate(data):
            await self._pause(ctx)
            ctx.set(bus.wdata, word)
            ctx.set(bus.wlast, index == len(data) - 1)
            await self._pass(ctx, bus.wvalid, bus.wready)
        await self._pause(ctx)
        ctx.set(bus.bready, 1)
        response, got = await ctx.tick().sample(bus.bresp, bus.bid).until(bus.bvalid)
        ctx.set(bus.bready, 0)
        assert got == id_
        return int(response)

    def _ask(
        self, ctx: Any, way: str, address: int, beats: int, burst: int, size: int, id_: int
    ) -> None:
        fields = {"addr": address, "len": beats - 1, "burst": burst, "size": size, "id": id_}
        for field, value in fields.items():
            ctx.set(getattr(self.bus, way + field), value)

    async def _pass(self, ctx: Any, valid: Any, ready: Any) -> None:
        ctx.set(valid, 1)
        await ctx.tick().until(ready)
        ctx.set(valid, 0)

    async def _pause(self, ctx: Any) -> None:
        if self.stall and self.random.random() < 0.5:
            await ctx.tick().repeat(self.random.randint(1, 3))


class Page:
    """A page of memory behind AXI4-Lite: word i is at 4*i, and every seventh word gives SLVERR.

    It takes address and data of a write in either order.
    """

    def __init__(self, bus: Any, *, stall: bool, seed: int) -> None:
        self.bus = bus
        self.random = Random(SEED + seed)
        self.words = [self.random.randrange(1 << 32) for _ in range(1024)]
        self.stall = stall
        self.over = False
        self.accesses: list[tuple[str, int]] = []

    @staticmethod
    def response(address: int) -> int:
        return SLVERR if address // 4 % 7 == 6 else OKAY

    def _goes(self) -> bool:
        return not self.stall or self.random.random() < 0.5

    async def reads(self, ctx: Any) -> None:
        bus = self.bus
        while not self.over:
            ctx.set(bus.arready, self._goes())
            _, _, valid, ready, address = await ctx.tick().sample(
                bus.arvalid, bus.arready, bus.araddr
            )
            if not (valid and ready):
                continue
            ctx.set(bus.arready, 0)
            self.accesses.append(("r", address))
            while not self._goes():
                await ctx.tick()
            ctx.set(bus.rdata, self.words[address // 4])
            ctx.set(bus.rresp, self.response(address))
            ctx.set(bus.rvalid, 1)
            await ctx.tick().until(bus.rready)
            ctx.set(bus.rvalid, 0)

    async def writes(self, ctx: Any) -> None:
        bus = self.bus
        address = data = None
        while not self.over:
            ctx.set(bus.awready, address is None and self._goes())
            ctx.set(bus.wready, data is None and self._goes())
            names = ("awvalid", "awready", "awaddr", "wvalid", "wready", "wdata", "wstrb")
            sampled = await ctx.tick().sample(*(getattr(bus, name) for name in names))
            saw = dict(zip(names, sampled[2:], strict=True))
            assert address is None or not saw["awvalid"], "one address for each answer"
            assert data is None or not saw["wvalid"], "one word for each answer"
            if saw["awvalid"] and saw["awready"]:
                address = saw["awaddr"]
            if saw["wvalid"] and saw["wready"]:
                data = saw["wdata"], saw["wstrb"]
            if address is None or data is None:
                continue
            ctx.set(bus.awready, 0)
            ctx.set(bus.wready, 0)
            self.accesses.append(("w", address))
            response = self.response(address) if data[1] == 15 else SLVERR
            if response == OKAY:
                self.words[address // 4] = data[0]
            while not self._goes():
                await ctx.tick()
            ctx.set(bus.bresp, response)
            ctx.set(bus.bvalid, 1)
            await ctx.tick().until(bus.bready)
            ctx.set(bus.bvalid, 0)
            address = data = None


class Bench:
    """A bridge between a processor and two pages."""

    def __init__(self, *, stall: bool) -> None:
        self.dut = Bridge()
        self.processor = Processor(self.dut.bus, stall=stall)
        self.pages = {
            BASE + CORE: Page(self.dut.core, stall=stall, seed=2),
            BASE + DMA: Page(self.dut.dma, stall=stall, seed=3),
        }

    def run(self, *steps: Testbench) -> None:
        left = len(steps)

        def counted(each: Testbench) -> Testbench:
            async def testbench(ctx: Any) -> None:
                nonlocal left
                await each(ctx)
                left -= 1
                for page in self.pages.values():
                    page.over = not left

            return testbench

        pages = [side for page in self.pages.values() for side in (page.reads, page.writes)]
        run(self.dut, *map(counted, steps), *pages, watched=self.processor.answers)

    def page(self, address: int) -> Page | None:
        return self.pages.get(address & ~0xFFF)

    def expected(self, address: int) -> tuple[int, int]:
        """Return the answer to a read."""
        page = self.page(address)
        if page is None:
            return 0, DECERR
        return page.words[address % 4096 // 4], page.response(address % 4096)


def addresses(start: int, beats: int, burst: int, size: int = 2) -> list[int]:
    """Return the address of every beat, after the AXI specification's formulas."""
    step = 1 << size
    if burst == FIXED:
        return [start] * beats
    if burst == INCR:
        return [start + step * i for i in range(beats)]
    whole = step * beats
    lowest = start // whole * whole
    return [lowest + (start - lowest + step * i) % whole for i in range(beats)]


def bursts(random: Random, count: int) -> list[tuple[int, int, int]]:
    """Return (address, beats, kind) of random bursts in either page and in none."""
    result = []
    for _ in range(count):
        kind = random.choice((FIXED, INCR, WRAP))
        beats = random.choice((2, 4, 8, 16)) if kind == WRAP else random.randint(1, 16)
        base = random.choice((BASE, BASE + DMA, NOWHERE, 0))
        result.append((base + 4 * random.randrange(1024 - 16), beats, kind))
    return result


@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
def test_reads(stall: bool) -> None:
    bench = Bench(stall=stall)
    answers = set()

    async def steps(ctx: Any) -> None:
        for address, beats, kind in bursts(Random(SEED), 40):
            got = await bench.processor.read(ctx, address, beats, kind)
            at = addresses(address, beats, kind)
            for (data, response), (word, expected) in zip(
                got, map(bench.expected, at), strict=True
            ):
                assert response == expected
                assert data == word or response != OKAY
                answers.add(response)

    bench.run(steps)
    assert answers == {OKAY, SLVERR, DECERR}


@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
def test_writes(stall: bool) -> None:
    """The words that are accepted change, no others do, and the answer is the worst of all."""
    bench = Bench(stall=stall)
    random = Random(SEED)
    answers = set()

    async def steps(ctx: Any) -> None:
        for address, beats, kind in bursts(random, 40):
            data = [random.randrange(1 << 32) for _ in range(beats)]
            at = addresses(address, beats, kind)
            words = {base: list(page.words) for base, page in bench.pages.items()}
            responses = [bench.expected(each)[1] for each in at]
            for each, word, response in zip(at, data, responses, strict=True):
                if response == OKAY:
                    words[each & ~0xFFF][each % 4096 // 4] = word
            answers.add(got := await bench.processor.write(ctx, address, data, kind))
            assert got == max(responses)
            for base, page in bench.pages.items():
                assert page.words == words[base]

    bench.run(steps)
    assert answers == {OKAY, SLVERR, DECERR}


def test_narrow_accesses() -> None:
    """A narrow burst reads each word as often as it has beats in it; a narrow write is refused."""
    bench = Bench(stall=False)

    async def steps(ctx: Any) -> None:
        page = bench.pages[BASE]
        for size in (0, 1, 2):
            got = await bench.processor.read(ctx, BASE + 0x10, 8, INCR, size)
            at = addresses(BASE + 0x10, 8, INCR, size)
            assert got == [bench.expected(each) for each in at]
            got = await bench.processor.read(ctx, BASE + 0x14, 8, WRAP, size)
            at = addresses(BASE + 0x14, 8, WRAP, size)
            assert got == [bench.expected(each) for each in at]
        before = list(page.words)
        assert await bench.processor.write(ctx, BASE + 0x10, [1], strobe=1) == SLVERR
        assert page.words == before

    bench.run(steps)


def test_both_ways_at_once() -> None:
    """A long read does not hold up a write."""
    bench = Bench(stall=True)
    page = bench.pages[BASE]

    async def reads(ctx: Any) -> None:
        for _ in range(10):
            await bench.processor.read(ctx, BASE + 0x100, 16)

    async def writes(ctx: Any) -> None:
        for word in range(10):
            assert await bench.processor.write(ctx, BASE + 0x214, [word] * 5) == OKAY
            assert page.words[0x85:0x8A] == [word] * 5

    bench.run(reads, writes)
    ways = "".join(way for way, _ in page.accesses)
    assert "rw" in ways
    assert "wr" in ways
