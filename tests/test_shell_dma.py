"""The DMA against a memory with stalls: it copies bytes, within bursts that AXI3 allows.

Here, `Fetch` feeds `Store`, so what a copy leaves in memory is known without a core.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from blocks import channel
from boards.shell.axi3 import DECERR, HP, INCR, OKAY, SLVERR
from boards.shell.fetch import Fetch
from boards.shell.store import Store
from simtools import Testbench, run

SEED = 20261121
BASE = 0x1000_0000


class Memory:
    """A subordinate with `size` bytes from `BASE` on, and DECERR elsewhere.

    stall : whether handshakes wait, at random. latency : cycles from a read's address to its data.
    bad : the words of 8 bytes, by address, that are answered with SLVERR.
    """

    def __init__(
        self, bus: Any, size: int = 0x4000, *, stall: bool = False, latency: int = 0, seed: int = 1
    ) -> None:
        self.bus = bus
        self.random = Random(SEED + seed)
        self.content = bytearray(self.random.randbytes(size))
        self.stall = stall
        self.latency = latency
        self.bad: set[int] = set()
        self.bursts: list[tuple[str, int, int]] = []
        self.over = False
        self.now = 0
        self.reads: deque[tuple[int, int, int, int]] = deque()  # cycle, address, last, id
        self.writes: deque[tuple[int, int, int, int]] = deque()  # address, left, id, worst
        self.answers: deque[tuple[int, int]] = deque()  # response, id

    @property
    def channels(self) -> list[Any]:
        """What the shell offers, for `simtools.run` to watch."""
        bus = self.bus
        offers = [
            channel(
                getattr(bus, f"a{way}valid"),
                getattr(bus, f"a{way}ready"),
                Cat(getattr(bus, f"a{way}{field}") for field in ("addr", "len", "size", "id")),
            )
            for way in "rw"
        ]
        return [*offers, channel(bus.wvalid, bus.wready, Cat(bus.wdata, bus.wstrb, bus.wlast))]

    async def serve(self, ctx: Any) -> None:
        """Answer until `over`."""
        bus = self.bus
        inputs = [f"a{way}{f}" for way in "rw" for f in ("addr", "len", "size", "burst", "id")]
        names = [*inputs, "wdata", "wstrb", "wlast", "wid"]
        names += [f"{c}{f}" for c in ("ar", "aw", "w", "r", "b") for f in ("valid", "ready")]
        while not self.over:
            sampled = await ctx.tick().sample(*(getattr(bus, name) for name in names))
            saw = dict(zip(names, sampled[2:], strict=True))
            self.now += 1
            self._take(saw)
            if saw["rready"] or not saw["rvalid"]:
                self._read(ctx, saw["rvalid"])
            if saw["bready"] or not saw["bvalid"]:
                if saw["bvalid"]:
                    self.answers.popleft()
                offers = bool(self.answers) and self._goes()
                ctx.set(bus.bvalid, offers)
                if offers:
                    ctx.set(bus.bresp, self.answers[0][0])
                    ctx.set(bus.bid, self.answers[0][1])
            for name in ("arready", "awready"):
                ctx.set(getattr(bus, name), self._goes())
            ctx.set(bus.wready, bool(self.writes) and self._goes())

    def _goes(self) -> bool:
        return not self.stall or self.random.random() < 0.5

    def _read(self, ctx: Any, taken: int) -> None:
        bus = self.bus
        if taken:
            self.reads.popleft()
        offers = bool(self.reads) and self.reads[0][0] <= self.now and self._goes()
        ctx.set(bus.rvalid, offers)
        if offers:
            _, address, last, id_ = self.reads[0]
            place = address - BASE
            ctx.set(bus.rdata, int.from_bytes(self.content[place : place + 8], "little"))
            ctx.set(bus.rresp, self._response(address))
            ctx.set(bus.rlast, last)
            ctx.set(bus.rid, id_)

    def _response(self, address: int) -> int:
        if not 0 <= address - BASE <= len(self.content) - 8:
            return DECERR
        return SLVERR if address in self.bad else OKAY

    def _take(self, saw: dict[str, int]) -> None:
        for way in "rw":
            if saw[f"a{way}valid"] and saw[f"a{way}ready"]:
                address, beats = saw[f"a{way}addr"], saw[f"a{way}len"] + 1
                assert saw[f"a{way}burst"] == INCR
                assert saw[f"a{way}size"] == 3
                assert address % 8 == 0
                assert address // 4096 == (address + 8 * beats - 1) // 4096, "crosses 4 KB"
                self.bursts.append((way, address, beats))
                id_ = saw[f"a{way}id"]
                if way == "r":
                    ready = self.now + self.latency
                    self.reads.extend(
                        (ready, address + 8 * i, i == beats - 1, id_) for i in range(beats)
                    )
                else:
                    self.writes.append((address, beats, id_, OKAY))
        if saw["wvalid"] and saw["wready"]:
            address, left, id_, worst = self.writes.popleft()
            assert saw["wlast"] == (left == 1)
            assert saw["wid"] == id_
            worst |= self._response(address)
            if self._response(address) == OKAY:
                for i, byte in enumerate(saw["wdata"].to_bytes(8, "little")):
                    if saw["wstrb"] >> i & 1:
                        self.content[address - BASE + i] = byte
            if left > 1:
                self.writes.appendleft((address + 8, left - 1, id_, worst))
            else:
                self.answers.append((worst, id_))


class Copy(wiring.Component):
    """`Fetch` into `Store`, both started at once."""

    start: Any
    run: Any
    bus: Any

    def __init__(self) -> None:
        self.fetch, self.store = Fetch(), Store()
        super().__init__({"start": In(1), "run": In(1), "bus": Out(HP)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fetch, m.submodules.store = fetch, store = self.fetch, self.store
        wiring.connect(m, fetch.o, store.i)
        errors = Cat(fetch.slverr, fetch.decerr, store.slverr, store.decerr, store.framing)
        m.d.comb += store.drop.eq(~self.run)
        for engine in (fetch, store):
            m.d.comb += [engine.start.eq(self.start), engine.go.eq(self.run & ~errors.any())]
            for name, member in engine.bus.signature.members.items():
                ours, theirs = getattr(engine.bus, name), getattr(self.bus, name)
                m.d.comb += theirs.eq(ours) if member.flow == Out else ours.eq(theirs)
        return m


class Bench:
    """A copy machine and its memory."""

    def __init__(self, **memory: Any) -> None:
        self.dut = Copy()
        self.memory = Memory(self.dut.bus, **memory)

    def run(self, steps: Testbench) -> None:
        async def testbench(ctx: Any) -> None:
            await steps(ctx)
            self.memory.over = True

        run(self.dut, testbench, self.memory.serve, watched=self.memory.channels)

    async def begin(self, ctx: Any, source: int, destination: int, *sizes: int) -> None:
        """Start; sizes : bytes to read and to write, the same if there is one number."""
        for engine, address, size in zip(
            (self.dut.fetch, self.dut.store),
            (source, destination),
            (sizes[0], sizes[-1]),
            strict=True,
        ):
            ctx.set(engine.address, address)
            ctx.set(engine.bytes, size)
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)
        ctx.set(self.dut.run, 1)

    async def end(self, ctx: Any) -> None:
        """Wait until nothing is busy, then clear run."""
        while ctx.get(self.dut.fetch.busy | self.dut.store.busy):
            await ctx.tick()
        ctx.set(self.dut.run, 0)
        await ctx.tick()

    def errors(self, ctx: Any) -> list[str]:
        engines = {"fetch": self.dut.fetch, "store": self.dut.store}
        flags = ("slverr", "decerr", "framing")
        return [
            f"{name}.{flag}"
            for name, engine in engines.items()
            for flag in flags
            if hasattr(engine, flag) and ctx.get(getattr(engine, flag))
        ]


SIZES = (4, 8, 12, 60, 64, 124, 128, 132, 252, 1000, 1004, 1320)


@pytest.mark.parametrize("latency", [0, 30])
@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
def test_copies(stall: bool, latency: int) -> None:
    """Any size between any two addresses, one after another; nothing else in memory changes."""
    bench = Bench(stall=stall, latency=latency)
    memory, random = bench.memory, Random(SEED)

    async def steps(ctx: Any) -> None:
        for size in SIZES:
            source = 8 * random.randrange(0x2000 // 8 - size // 8)
            target = 0x2000 + 8 * random.randrange(0x2000 // 8 - size // 8)
            expected = bytearray(memory.content)
            expected[target : target + size] = expected[source : source + size]
            await bench.begin(ctx, BASE + source, BASE + target, size)
            await bench.end(ctx)
            assert memory.content == expected
            assert ctx.get(bench.dut.fetch.moved) == ctx.get(bench.dut.store.moved) == size
            assert not bench.errors(ctx)

    bench.run(steps)
    assert {way for way, _, _ in memory.bursts} == {"r", "w"}
    assert max(beats for _, _, beats in memory.bursts) == 16


def test_bursts_end_at_page_borders() -> None:
    """Across 4 KB: up to the next 128 bytes first, then whole bursts; `Memory` looks, too."""
    bench = Bench()

    async def steps(ctx: Any) -> None:
        await bench.begin(ctx, BASE + 0xFE8, BASE + 0x2FF8, 300)
        await bench.end(ctx)

    bench.run(steps)
    assert [burst[1:] for burst in bench.memory.bursts if burst[0] == "r"] == [
        (BASE + 0xFE8, 3),
        (BASE + 0x1000, 16),
        (BASE + 0x1080, 16),
        (BASE + 0x1100, 3),
    ]
    assert [burst[1:] for burst in bench.memory.bursts if burst[0] == "w"] == [
        (BASE + 0x2FF8, 1),
        (BASE + 0x3000, 16),
        (BASE + 0x3080, 16),
        (BASE + 0x3100, 5),
    ]


ERRORS = {
    "read-slverr": (0x100, 0x2000, 0x180, "fetch.slverr"),
    "read-slverr-last": (0x100, 0x2000, 0x4F8, "fetch.slverr"),
    "read-decerr": (0x3F00, 0x2000, None, "fetch.decerr"),
    "write-slverr": (0x100, 0x2000, 0x2008, "store.slverr"),
    "write-slverr-last": (0x100, 0x2000, 0x23F8, "store.slverr"),
    "write-decerr": (0x100, 0x3F00, None, "store.decerr"),
}


@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", ERRORS)
def test_errors_stop_it_and_are_told(case: str, stall: bool) -> None:
    """Wherever it happens; what was acknowledged is right, and the next transfer works."""
    source, target, bad, told = ERRORS[case]
    bench = Bench(stall=stall, latency=7)
    memory = bench.memory
    if bad is not None:
        memory.bad.add(BASE + bad)
    before = bytes(memory.content)

    async def steps(ctx: Any) -> None:
        await bench.begin(ctx, BASE + source, BASE + target, 1024)
        while not bench.errors(ctx):
            await ctx.tick()
        await bench.end(ctx)
        assert bench.errors(ctx) == [told]
        moved = ctx.get(bench.dut.store.moved)
        assert moved < 1024
        if told.startswith("fetch"):
            assert memory.content[target : target + moved] == before[source : source + moved]
            assert ctx.get(bench.dut.fetch.moved) < 1024
        # Errors are forgotten by the next start only.
        await ctx.tick().repeat(50)
        assert bench.errors(ctx) == [told]
        memory.bad.clear()
        await bench.begin(ctx, BASE + 0x100, BASE + 0x2000, 1024)
        await bench.end(ctx)
        assert not bench.errors(ctx)
        assert memory.content[0x2000:0x2400] == before[0x100:0x500]

    bench.run(steps)


def test_words_beyond_the_last_are_not_taken() -> None:
    """Store less than is fetched: the rest waits, and the cut packet is told and not written."""
    bench = Bench()

    async def steps(ctx: Any) -> None:
        before = bytes(bench.memory.content)
        await bench.begin(ctx, BASE, BASE + 0x2000, 64, 36)
        await ctx.tick().repeat(200)
        assert bench.errors(ctx) == ["store.framing"]
        assert ctx.get(bench.dut.store.moved) == 0
        assert ctx.get(bench.dut.fetch.moved) == 36
        assert bench.memory.content == before

    bench.run(steps)


@pytest.mark.parametrize("cycles", range(0, 120, 7))
def test_stops_anywhere(cycles: int) -> None:
    """A stop ends the bursts under way properly and leaves nothing for the next transfer."""
    bench = Bench(stall=True, latency=11, seed=cycles)
    memory = bench.memory
    before = bytes(memory.content)

    async def steps(ctx: Any) -> None:
        await bench.begin(ctx, BASE, BASE + 0x2000, 1024)
        if cycles:
            await ctx.tick().repeat(cycles)
        ctx.set(bench.dut.run, 0)
        await bench.end(ctx)
        assert not memory.reads
        assert not memory.writes
        assert not memory.answers
        await bench.begin(ctx, BASE + 0x1000, BASE + 0x3000, 260)
        await bench.end(ctx)
        assert not bench.errors(ctx)
        assert memory.content[0x3000:0x3104] == before[0x1000:0x1104]

    bench.run(steps)


def longest(m: Module, place: Any, beats: Any, changes: Any) -> tuple[Signal, Signal]:
    """Cut bursts as if no border mattered."""
    length, known = Signal(range(17)), Signal()
    m.d.sync += [length.eq(Mux(beats < 16, beats, 16)), known.eq((beats != 0) & ~changes)]
    return length, known


@pytest.mark.parametrize("module", ["read_ahead", "store"])
def test_a_burst_across_a_border_would_be_noticed(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"boards.shell.{module}.next_burst", longest)
    with pytest.raises(AssertionError, match="crosses 4 KB"):
        test_bursts_end_at_page_borders()


@pytest.mark.parametrize(("latency", "spare"), [(0, 60), (30, 90)])
def test_a_word_each_cycle(latency: int, spare: int) -> None:
    """Two bursts under way hide memory's latency; `spare` cycles begin and end the transfer."""
    bench = Bench(latency=latency)
    cycles = 0

    async def count(ctx: Any) -> None:
        nonlocal cycles
        await bench.begin(ctx, BASE, BASE + 0x2000, 0x1000)
        while ctx.get(bench.dut.fetch.busy | bench.dut.store.busy):
            await ctx.tick()
            cycles += 1

    bench.run(count)
    assert 1024 < cycles < 1024 + spare
    assert bench.memory.content[0x2000:0x3000] == bench.memory.content[:0x1000]
