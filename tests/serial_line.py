"""Recordings of the serial line's blocks, each checked while it is made."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from bbnn.interface import pack_pixels, registers
from blocks import Recording, play
from boards.uart import UartShell
from boards.uart.link import Link
from boards.uart.protocol import (
    CLEAR,
    DECERR,
    FETCH,
    IGNORED,
    OKAY,
    READ,
    SEND,
    SLVERR,
    WRITE,
)
from boards.uart.serial import Receiver, Transmitter
from networks import packets, random_images, random_network
from test_shell_bridge import Page

NETWORK = random_network(5, sizes=(10, 5, 3), probability_bits=(1, 1), members=2)
TABLE = {register.name: register for register in registers(NETWORK)}
SEED = 20261125
DIVISOR = 5
SILENCE = 150


def levels(byte: int, stop: int = 1) -> list[int]:
    """Return the levels of a byte on the line, bit for bit."""
    return [0, *(byte >> i & 1 for i in range(8)), stop]


def spoken(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


def framed(command: int, number: int, data: bytes = b"") -> bytes:
    return bytes([command]) + number.to_bytes(2, "little") + data


def receiver(divisor: int, bit: float) -> Recording:
    """Hear random bytes of bits that are `bit` cycles long, gaps, a glitch and a break."""
    random = Random(SEED)
    said = [0x00, 0xFF, 0x55, *(random.randrange(256) for _ in range(9))]
    dut = Receiver(divisor)
    heard: list[int] = []

    async def host(ctx: Any) -> None:
        cycle, place = 0, 0.0

        async def hold(level: int, length: float) -> None:
            nonlocal cycle, place
            ctx.set(dut.line, level)
            place += length
            while cycle < round(place):
                cycle += 1
                await ctx.tick()

        await hold(1, bit)
        for index, byte in enumerate(said):
            for level in levels(byte):
                await hold(level, bit)
            if index == 7:
                # A start bit that is over before its middle; a byte that lacks its stop bit.
                await hold(1, bit)
                await hold(0, divisor // 2 - 1 or 1)
                await hold(1, 2 * bit)
                for level in levels(0x0F, stop=0):
                    await hold(level, bit)
                await hold(0, 25 * bit)
                await hold(1, bit)
            await hold(1, random.choice((0, 0, random.randrange(40))))
        await hold(1, bit)

    async def listen(ctx: Any) -> None:
        while len(heard) < len(said):
            _, _, valid, byte = await ctx.tick().sample(dut.heard, dut.octet)
            if valid:
                heard.append(int(byte))

    recording = play(dut, host, listen)
    assert heard == said
    return recording


def transmitter(divisor: int) -> Recording:
    """Every level lasts exactly `divisor` cycles, and bytes follow each other without a gap."""
    random = Random(SEED)
    said = [0x00, 0xFF, 0xA5, *(random.randrange(256) for _ in range(10))]
    dut = Transmitter(divisor)
    line: list[int] = []
    over = False

    async def host(ctx: Any) -> None:
        nonlocal over
        for index, byte in enumerate(said):
            if index == 5:
                await ctx.tick().repeat(15 * divisor)
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(12 * divisor)
        over = True

    async def listen(ctx: Any) -> None:
        while not over:
            line.append(int((await ctx.tick().sample(dut.line))[2]))

    recording = play(dut, host, listen, watched=[dut.i])
    expected = [level for byte in said for level in levels(byte) for _ in range(divisor)]
    first = [level for byte in said[:5] for level in levels(byte) for _ in range(divisor)]
    start = line.index(0)
    assert line[start : start + len(first)] == first
    resumed = line.index(0, start + len(first))
    assert set(line[start + len(first) : resumed]) == {1}
    rest = expected[len(first) :]
    assert line[resumed : resumed + len(rest)] == rest
    assert set(line[resumed + len(rest) :]) == {1}
    return recording


class LinkBench:
    """A link between a host that speaks bytes, a page of registers, a queue and packets."""

    def __init__(self, *, stall: bool, room: int = 6) -> None:
        self.dut = Link(SILENCE)
        self.random = Random(SEED)
        self.stall = stall
        self.page = Page(self.dut.bus, stall=stall, seed=4)
        self.room = room
        self.images: list[tuple[int, int]] = []
        self.packets: list[tuple[int, int]] = []
        self.cleared = 0
        self.over = False

    def goes(self) -> bool:
        return not self.stall or self.random.random() < 0.4

    async def say(self, ctx: Any, said: bytes) -> None:
        for byte in said:
            # On a line, ten bits pass between two bytes.
            await ctx.tick().repeat(self.random.randrange(3, 9))
            ctx.set(self.dut.octet, byte)
            ctx.set(self.dut.heard, 1)
            await ctx.tick()
            ctx.set(self.dut.heard, 0)

    async def hear(self, ctx: Any, count: int) -> bytes:
        heard = []
        while len(heard) < count:
            ready = self.goes()
            ctx.set(self.dut.o.ready, ready)
            _, _, valid, byte = await ctx.tick().sample(self.dut.o.valid, self.dut.o.payload)
            if valid and ready:
                heard.append(int(byte))
        ctx.set(self.dut.o.ready, 0)
        return bytes(heard)

    async def ask(self, ctx: Any, said: bytes, count: int = 1) -> bytes:
        await self.say(ctx, said)
        return await self.hear(ctx, count)

    async def queue(self, ctx: Any) -> None:
        port = self.dut.images
        while not self.over:
            ctx.set(port.tready, len(self.images) < self.room)
            _, _, valid, ready, word, last, clear = await ctx.tick().sample(
                port.tvalid, port.tready, port.tdata, port.tlast, self.dut.clear
            )
            if valid and ready:
                self.images.append((int(word), int(last)))
            if clear:
                self.images.clear()
                self.cleared += 1

    async def core(self, ctx: Any) -> None:
        port = self.dut.packets
        while not self.over:
            if not self.packets or not self.goes():
                await ctx.tick()
                continue
            word, last = self.packets[0]
            ctx.set(port.tdata, word)
            ctx.set(port.tlast, last)
            ctx.set(port.tvalid, 1)
            while not self.over:
                *_, ready = await ctx.tick().sample(port.tready)
                if ready:
                    self.packets.pop(0)
                    break
            ctx.set(port.tvalid, 0)

    def run(self, steps: Callable[[Any], Any]) -> Recording:
        async def testbench(ctx: Any) -> None:
            await steps(ctx)
            self.over = self.page.over = True

        ports = (self.page.reads, self.page.writes, self.queue, self.core)
        return play(self.dut, testbench, *ports, watched=[self.dut.o])


def accesses(*, stall: bool) -> Recording:
    """Registers, also ones that refuse or cannot be; commands that are none; silences."""
    bench = LinkBench(stall=stall)
    page, random = bench.page, bench.random

    async def steps(ctx: Any) -> None:
        answers = set()
        for _ in range(14):
            address = 4 * random.randrange(1024)
            got = await bench.ask(ctx, framed(READ, address), 5)
            assert got == spoken([page.words[address // 4]]) + bytes([page.response(address)])
            word = random.randrange(1 << 32)
            before = page.words[address // 4]
            (response,) = await bench.ask(ctx, framed(WRITE, address, spoken([word])))
            assert response == page.response(address)
            assert page.words[address // 4] == (word if response == OKAY else before)
            answers.add(response)
        assert answers == {OKAY, SLVERR}
        done = len(page.accesses)
        assert await bench.ask(ctx, framed(READ, 0x1000)) == bytes([DECERR])
        assert await bench.ask(ctx, framed(WRITE, 0x8000, bytes(4))) == bytes([DECERR])
        assert await bench.ask(ctx, b"?") == bytes([DECERR])
        assert await bench.ask(ctx, bytes([IGNORED]) * 9 + b"r") == bytes([DECERR])
        # Cut off anywhere, a command is forgotten after the silence, and not before.
        for cut in (1, 2, 3, 6):
            await bench.say(ctx, framed(WRITE, 8, bytes(4))[:cut])
            await ctx.tick().repeat(SILENCE + 20)
        await bench.say(ctx, framed(READ, 12)[:2])
        await ctx.tick().repeat(SILENCE - 60)
        assert len(page.accesses) == done
        assert await bench.ask(ctx, b"\x00", 5) == spoken([page.words[3]]) + bytes([OKAY])

    return bench.run(steps)


def transfers(*, stall: bool) -> Recording:
    """Images to a queue, packets from the core, and what goes wrong with either."""
    bench = LinkBench(stall=stall)
    random = bench.random

    async def steps(ctx: Any) -> None:
        words = [random.randrange(1 << 32) for _ in range(6)]
        assert await bench.ask(ctx, framed(SEND, 0)) == bytes([OKAY])
        assert await bench.ask(ctx, framed(SEND, 6, spoken(words))) == bytes([OKAY])
        assert bench.images == [(word, i == 5) for i, word in enumerate(words)]
        # No room: told, and nothing hangs.
        assert await bench.ask(ctx, framed(SEND, 2, spoken([1, 2]))) == bytes([SLVERR])
        assert await bench.ask(ctx, bytes([CLEAR])) == bytes([OKAY])
        assert (bench.images, bench.cleared) == ([], 1)
        await bench.say(ctx, framed(SEND, 3, spoken([7])))
        await ctx.tick().repeat(SILENCE + 20)
        assert bench.images == [(7, 0)]

        for lasts, response in (([4], OKAY), ([], SLVERR), ([1, 4], SLVERR)):
            words = [random.randrange(1 << 32) for _ in range(5)]
            await bench.say(ctx, framed(FETCH, 5))
            bench.packets += [(word, i in lasts) for i, word in enumerate(words)]
            assert await bench.hear(ctx, 21) == spoken(words) + bytes([response])
        assert await bench.ask(ctx, framed(FETCH, 0)) == bytes([OKAY])

        # A fetch is ended before its first word, and within another.
        await bench.say(ctx, framed(FETCH, 5))
        await ctx.tick().repeat(2 * SILENCE)
        await bench.say(ctx, b"W")
        bench.packets += [(9, 0), (10, 0)]
        await ctx.tick().repeat(50)
        assert bench.packets[-1] == (10, 0)
        assert await bench.ask(ctx, b"?") == bytes([DECERR])
        await bench.say(ctx, framed(FETCH, 5))
        assert await bench.hear(ctx, 2) == spoken([9])[:2]
        await bench.say(ctx, b"\x00")
        assert await bench.hear(ctx, 2) == spoken([9])[2:]
        assert await bench.ask(ctx, b"?") == bytes([DECERR])
        # What the core still offers after a stop.
        assert await bench.ask(ctx, bytes([CLEAR])) == bytes([OKAY])
        assert bench.packets == []

    return bench.run(steps)


def shell() -> Recording:
    """Two images by the pins alone: equal to golden; stopped in a packet, and equal again."""
    dut = UartShell(NETWORK, DIVISOR, SILENCE)
    heard: list[int] = []
    over = False
    images = random_images(NETWORK, 2)
    length = len(packets(NETWORK, images, 2, True)[0])

    async def listen(ctx: Any) -> None:
        while not over:
            *_, line = await ctx.tick().sample(dut.tx)
            if line:
                continue
            await ctx.tick().repeat(DIVISOR // 2)
            byte = [await sampled(ctx) for _ in range(9)]
            assert byte[8] == 1, "a stop bit"
            heard.append(sum(bit << i for i, bit in enumerate(byte[:8])))

    async def sampled(ctx: Any) -> int:
        await ctx.tick().repeat(DIVISOR - 1)
        return int((await ctx.tick().sample(dut.tx))[2])

    async def say(ctx: Any, said: bytes) -> None:
        for byte in said:
            for level in levels(byte):
                ctx.set(dut.rx, level)
                await ctx.tick().repeat(DIVISOR)

    async def ask(ctx: Any, said: bytes, count: int = 1) -> bytes:
        await say(ctx, said)
        while len(heard) < count:
            await ctx.tick()
        got = bytes(heard)
        heard.clear()
        return got

    async def write(ctx: Any, name: str, value: int) -> None:
        said = framed(WRITE, TABLE[name].address, spoken([value]))
        assert await ask(ctx, said) == bytes([OKAY])

    async def steps(ctx: Any) -> None:
        nonlocal over
        for name in ("ID", "BUILD"):
            got = await ask(ctx, framed(READ, TABLE[name].address), 5)
            assert got == spoken([TABLE[name].reset]) + bytes([OKAY])
        for count in (1, length):
            await write(ctx, "CONTROL", 3)
            for beats, expected in zip(
                pack_pixels(images).tolist(), packets(NETWORK, images, 2, True), strict=True
            ):
                assert await ask(ctx, framed(SEND, len(beats), spoken(beats))) == bytes([OKAY])
                got = await ask(ctx, framed(FETCH, count), 4 * count + 1)
                assert got == spoken(expected[:count]) + bytes([OKAY if count > 1 else SLVERR])
                if count == 1:
                    break
            await write(ctx, "CONTROL", 0)
            assert await ask(ctx, bytes([CLEAR])) == bytes([OKAY])
            got = await ask(ctx, framed(READ, TABLE["STATUS"].address), 5)
            assert got[0] & 1, "idle"
        over = True

    return play(dut, steps, listen)
