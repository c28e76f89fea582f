"""The whole shell: registers, images from memory, packets to memory, errors that are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.description import Network
from bbnn.interface import Register, pack_pixels, registers
from boards.shell import Shell
from boards.shell.axi3 import DECERR, OKAY, SLVERR
from boards.shell.interface import BASE, CORE, DMA, dma_registers, markdown
from golden.network import logits
from networks import random_images, random_network
from simtools import Testbench, run
from test_shell_bridge import Processor
from test_shell_dma import BASE as MEMORY
from test_shell_dma import Memory

NETWORK = random_network(5, sizes=(10, 5, 3), probability_bits=(1, 1), members=2)
SOURCE, TARGET = MEMORY + 0x40, MEMORY + 0x2018
TABLE = {
    **{f"core.{register.name}": (BASE + CORE, register) for register in registers(NETWORK)},
    **{f"dma.{register.name}": (BASE + DMA, register) for register in dma_registers()},
}
STATUS = {name: 1 << bit for name, (bit, _) in TABLE["dma.STATUS"][1].bits.items()}
IDLE = 1


def packets(network: Network, images: np.ndarray[Any, Any], members: int) -> bytes:
    """Return the bytes of the packets, without members' logits, that golden expects."""
    result = []
    for number, of_image in enumerate(logits(network, images, members)):
        votes = np.bincount(of_image.argmax(axis=1), minlength=of_image.shape[1])
        result += [number, *of_image.sum(axis=0).tolist(), *votes.tolist(), members]
    return np.array(result, "<i4").tobytes()


class Bench:
    """A shell between a processor and a memory; registers by their names in `TABLE`."""

    def __init__(self, *, stall: bool = False, latency: int = 9) -> None:
        self.dut = Shell(NETWORK)
        self.processor = Processor(self.dut.gp0, stall=stall)
        self.memory = Memory(self.dut.hp0, stall=stall, latency=latency)

    def run(self, steps: Testbench) -> None:
        async def testbench(ctx: Any) -> None:
            await steps(ctx)
            self.memory.over = True

        watched = [*self.processor.answers, *self.memory.channels]
        run(self.dut, testbench, self.memory.serve, watched=watched)

    @staticmethod
    def address(name: str) -> int:
        base, register = TABLE[name]
        return base + register.address

    async def write(self, ctx: Any, name: str, value: int) -> int:
        return await self.processor.write(ctx, self.address(name), [value])

    async def read(self, ctx: Any, name: str) -> int:
        ((value, response),) = await self.processor.read(ctx, self.address(name))
        assert response == OKAY
        return value

    async def begin(self, ctx: Any, images: Any, expected: bytes, **changed: int) -> None:
        """Put the images into memory and start; changed : registers of the DMA."""
        source = pack_pixels(images).tobytes()
        self.memory.content[SOURCE - MEMORY : SOURCE - MEMORY + len(source)] = source
        settings = {
            "SOURCE": SOURCE,
            "SOURCE_BYTES": len(source),
            "DESTINATION": TARGET,
            "DESTINATION_BYTES": len(expected),
        }
        for name, value in {**settings, **changed}.items():
            assert await self.write(ctx, f"dma.{name}", value) == OKAY
            assert await self.read(ctx, f"dma.{name}") == value
        assert await self.write(ctx, "core.CONTROL", 1) == OKAY
        assert await self.write(ctx, "dma.CONTROL", 1) == OKAY

    async def end(self, ctx: Any) -> int:
        """Wait until the DMA is not busy; return its status."""
        while (status := await self.read(ctx, "dma.STATUS")) & STATUS["busy"]:
            pass
        return status

    async def stop(self, ctx: Any) -> None:
        """Stop the core, then the DMA, as a driver must; nothing is left in them."""
        assert await self.write(ctx, "core.CONTROL", 0) == OKAY
        assert await self.write(ctx, "dma.CONTROL", 0) == OKAY
        assert await self.end(ctx) == 0 or await self.read(ctx, "dma.STATUS") > STATUS["done"]
        assert await self.read(ctx, "core.STATUS") & IDLE

    def written(self, expected: bytes) -> bytes:
        place = TARGET - MEMORY
        return bytes(self.memory.content[place : place + len(expected)])


def test_every_register_reads_its_reset_value() -> None:
    bench = Bench()

    async def steps(ctx: Any) -> None:
        for name, (_, register) in TABLE.items():
            assert await bench.read(ctx, name) == register.reset, name
        # A burst over the whole table, and what is behind it.
        got = await bench.processor.read(ctx, BASE + DMA, 11)
        assert [response for _, response in got] == [OKAY] * 10 + [SLVERR]
        assert await bench.processor.read(ctx, BASE + 2 * DMA) == [(0, DECERR)]

    bench.run(steps)


@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("count", [1, 5])
def test_images_to_packets(count: int, stall: bool) -> None:
    """Twice in a row, and nothing else in memory changes."""
    bench = Bench(stall=stall)

    async def steps(ctx: Any) -> None:
        for seed in (2, 3):
            images = random_images(NETWORK, count, seed)
            expected = packets(NETWORK, images, 2)
            before = bytes(bench.memory.content)
            await bench.begin(ctx, images, expected)
            assert await bench.end(ctx) == STATUS["done"]
            assert await bench.read(ctx, "dma.BYTES_IN") == pack_pixels(images).nbytes
            assert await bench.read(ctx, "dma.BYTES_OUT") == len(expected)
            assert await bench.read(ctx, "core.IMAGES_OUT") == count
            assert bench.written(expected) == expected
            after = bytes(bench.memory.content)
            assert after[0x2018 + len(expected) :] == before[0x2018 + len(expected) :]
            assert after[0x1000:0x2018] == before[0x1000:0x2018]
            await bench.stop(ctx)

    bench.run(steps)


def test_interrupt() -> None:
    """It rises when the transfer has ended, and falls with run."""
    bench = Bench()
    images = random_images(NETWORK, 1)
    expected = packets(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        await bench.begin(ctx, images, expected)
        assert not ctx.get(bench.dut.irq)
        await ctx.tick().repeat(500)
        assert not ctx.get(bench.dut.irq)
        await bench.stop(ctx)
        await bench.begin(ctx, images, expected)
        assert await bench.write(ctx, "dma.CONTROL", 3) == OKAY
        assert not ctx.get(bench.dut.irq)
        await ctx.tick().until(bench.dut.irq)
        assert await bench.end(ctx) == STATUS["done"]
        assert await bench.write(ctx, "dma.CONTROL", 2) == OKAY
        assert not ctx.get(bench.dut.irq)

    bench.run(steps)


ERRORS = {
    "first-read-slverr": ({}, [SOURCE], "read_slverr", 0),
    "read-slverr": ({}, [SOURCE + 16], "read_slverr", 16),
    "read-decerr": ({"SOURCE": MEMORY + 0x3FF0}, [], "read_decerr", 16),
    "write-slverr": ({}, [TARGET], "write_slverr", 192),
    "write-decerr": ({"DESTINATION": MEMORY - 64}, [], "write_decerr", 192),
    "framing": ({"DESTINATION_BYTES": 60}, [], "framing", 192),
}
"""Registers that differ, bad words, the bit of STATUS, and the most bytes that the core takes."""


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_told(case: str) -> None:
    """The interrupt comes, too, and after a stop all works."""
    changed, bad, told, good = ERRORS[case]
    bench = Bench()
    images = random_images(NETWORK, 3)
    expected = packets(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        bench.memory.bad.update(bad)
        await bench.begin(ctx, images, expected, **changed)
        assert await bench.write(ctx, "dma.CONTROL", 3) == OKAY
        await ctx.tick().until(bench.dut.irq)
        assert await bench.end(ctx) == STATUS[told]
        assert await bench.read(ctx, "dma.BYTES_IN") <= good
        await bench.stop(ctx)
        bench.memory.bad.clear()
        await bench.begin(ctx, images, expected)
        assert await bench.end(ctx) == STATUS["done"]
        assert bench.written(expected) == expected

    bench.run(steps)


def test_images_cut_off_are_told() -> None:
    """Half an image ends with TLAST inside it, which the core reports."""
    bench = Bench()
    images = random_images(NETWORK, 2)
    expected = packets(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        await bench.begin(ctx, images, expected, SOURCE_BYTES=20)
        await ctx.tick().repeat(500)
        assert await bench.read(ctx, "dma.STATUS") == STATUS["busy"]
        assert await bench.read(ctx, "core.STATUS") & 2
        await bench.stop(ctx)
        await bench.begin(ctx, images, expected)
        assert await bench.end(ctx) == STATUS["done"]
        assert bench.written(expected) == expected

    bench.run(steps)


@pytest.mark.parametrize("cycles", [20, 100, 300])
def test_stop_and_start_again(cycles: int) -> None:
    bench = Bench(stall=True)
    images = random_images(NETWORK, 3)
    expected = packets(NETWORK, images, 2)

    async def steps(ctx: Any) -> None:
        await bench.begin(ctx, images, expected)
        await ctx.tick().repeat(cycles)
        await bench.stop(ctx)
        await bench.begin(ctx, images, expected)
        assert await bench.end(ctx) == STATUS["done"]
        assert bench.written(expected) == expected

    bench.run(steps)


def refusals() -> list[tuple[str, int]]:
    """Return writes that the DMA must refuse while it rests."""
    wrong = [("CONTROL", 4), ("CONTROL", 1 << 31)]
    wrong += [(name, 4) for name in ("SOURCE", "DESTINATION")]
    wrong += [(name, 2) for name in ("SOURCE_BYTES", "DESTINATION_BYTES")]
    wrong += [(r.name, 0) for r in dma_registers() if r.access == "ro"]
    return wrong


def test_refused_writes_change_nothing() -> None:
    bench = Bench()
    settings = ("SOURCE", "SOURCE_BYTES", "DESTINATION", "DESTINATION_BYTES")

    def visible(register: Register) -> bool:
        return register.name not in ("STATUS", "BYTES_IN", "BYTES_OUT")

    async def state(ctx: Any) -> list[int]:
        return [await bench.read(ctx, f"dma.{r.name}") for r in dma_registers() if visible(r)]

    async def steps(ctx: Any) -> None:
        for index, name in enumerate(settings):
            assert await bench.write(ctx, f"dma.{name}", 0x100 * (index + 1)) == OKAY
        before = await state(ctx)
        for name, value in refusals():
            assert await bench.write(ctx, f"dma.{name}", value) == SLVERR, name
            assert await bench.read(ctx, "dma.STATUS") == STATUS["refused"]
            assert await state(ctx) == before
            assert await bench.write(ctx, "dma.CONTROL", 0) == OKAY
            assert await bench.read(ctx, "dma.STATUS") == 0
        address = bench.address("dma.SOURCE")
        assert await bench.processor.write(ctx, address, [0], strobe=7) == SLVERR
        # While it runs, nothing but CONTROL can be written.
        assert await bench.write(ctx, "dma.SOURCE", MEMORY) == OKAY
        assert await bench.write(ctx, "dma.CONTROL", 1) == OKAY
        for name in settings:
            assert await bench.write(ctx, f"dma.{name}", 0) == SLVERR, name
        assert await bench.read(ctx, "dma.SOURCE") == MEMORY

    bench.run(steps)


def test_the_document_has_the_table() -> None:
    document = Path(__file__).parents[1] / "docs/driver.md"
    assert markdown() in document.read_text()
    offsets = [register.address for register in dma_registers()]
    assert offsets == list(range(0, 4 * len(offsets), 4))
