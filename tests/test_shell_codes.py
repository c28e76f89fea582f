"""Codes by the shell: read ahead from memory beside images, round after round, started anew."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.errors import InputError
from blocks import channel
from boards.driver import Accelerator, DriverError
from boards.driver.backend import Region
from boards.shell.axi3 import DECERR, OKAY, SLVERR, Axi3Half
from boards.shell.burst import BURST
from boards.shell.codes import CodeFetch, code_bytes, code_places
from boards.shell.describe import describe
from boards.shell.interface import dma_registers
from boards.shell.registers import Registers
from boards.shell.share import ReadShare
from boards.shell.simulator import shell_verilog
from golden.network import logits
from hdl.codes import code_beats
from lite import Manager
from networks import random_images
from simtools import run
from test_driver import simulation
from test_shell_dma import BASE, HP, Memory
from test_streams import dense_streams, small_streams

PLACES = ((0, 5), (16, 70), (96, 16))
"""First beat and beats of three layers' codes."""


class Readers(wiring.Component):
    """Three readers of codes on one port."""

    bus: Any
    start: Signal
    go: Signal
    address: Signal

    def __init__(self, surplus: int = 0) -> None:
        super().__init__({"bus": Out(HP), "start": In(1), "go": In(1), "address": In(32)})
        self.engines = [
            CodeFetch(first=first, beats=beats + surplus, number=number)
            for number, (first, beats) in enumerate(PLACES)
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.share = share = ReadShare(len(PLACES))
        for name, member in Axi3Half("r", 64, 6).members.items():
            ours, theirs = getattr(share.bus, name), getattr(self.bus, name)
            m.d.comb += theirs.eq(ours) if member.flow == Out else ours.eq(theirs)
        for number, engine in enumerate(self.engines):
            m.submodules[f"engine_{number}"] = engine
            wiring.connect(m, engine.bus, share.readers[number])
            m.d.comb += [
                engine.start.eq(self.start),
                engine.go.eq(self.go),
                engine.address.eq(self.address),
            ]
        return m

    def outputs(self) -> list[Any]:
        return [channel(e.o.tvalid, e.o.tready, e.o.tdata) for e in self.engines]


def rounds(stall: bool, latency: int, surplus: int = 0, count: int = 150) -> Memory:
    """Read so many beats of each, stop with bursts under way, and read them again elsewhere.

    surplus : beats by which a round is too long.
    """
    dut, address = Readers(surplus), BASE + 0x128
    memory = Memory(dut.bus, stall=stall, latency=latency)
    outputs = dut.outputs()

    async def steps(ctx: Any) -> None:
        for place in (address, address + 0x800):
            ctx.set(dut.address, place)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.go, 1)
            got: list[list[int]] = [[] for _ in outputs]
            while min(map(len, got)) < count:
                # One reader after another has nobody who takes its beats.
                ready = [memory.random.random() < 0.7 or not stall for _ in outputs]
                for port, goes in zip(outputs, ready, strict=True):
                    ctx.set(port.ready, goes)
                seen = await ctx.tick().sample(*(s for p in outputs for s in (p.valid, p.payload)))
                for number, goes in enumerate(ready):
                    valid, payload = seen[2 + 2 * number : 4 + 2 * number]
                    if valid and goes:
                        got[number].append(payload)
            ctx.set(dut.go, 0)
            while any([ctx.get(engine.busy) for engine in dut.engines]):
                await ctx.tick()
            for mine, (first, beats) in zip(got, PLACES, strict=True):
                start = place - BASE + 8 * first
                words = np.frombuffer(bytes(memory.content), "<u8", beats, start).tolist()
                assert mine == (words * (len(mine) // beats + 1))[: len(mine)]
        assert not any([ctx.get(e.slverr | e.decerr) for e in dut.engines])
        memory.over = True

    run(dut, steps, memory.serve, watched=memory.channels[:1])
    return memory


@pytest.mark.parametrize("latency", [0, 31])
@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
def test_rounds(stall: bool, latency: int) -> None:
    memory = rounds(stall, latency)
    asked = [address for _, address, _ in memory.bursts]
    # Bursts of all three, in turn, from the beginning.
    assert asked[:3] == [BASE + 0x128 + 8 * first for first, _ in PLACES]
    assert {beats for _, _, beats in memory.bursts} <= set(range(1, BURST + 1))


def test_a_round_that_is_too_long_is_noticed() -> None:
    with pytest.raises(AssertionError, match="At index 5 diff"):
        rounds(stall=False, latency=0, surplus=1)


def test_one_port_is_kept_busy() -> None:
    """Nearly a beat a cycle, with a latency of 20 cycles."""
    dut = Readers()
    memory = Memory(dut.bus, latency=20)
    taken = 0

    async def steps(ctx: Any) -> None:
        nonlocal taken
        ctx.set(dut.address, BASE)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.go, 1)
        for port in dut.outputs():
            ctx.set(port.ready, 1)
        await ctx.tick().repeat(100)
        for _ in range(1000):
            _, _, valid = await ctx.tick().sample(dut.bus.rvalid)
            taken += valid
        memory.over = True

    run(dut, steps, memory.serve)
    assert taken > 850


def test_errors_are_told() -> None:
    dut = CodeFetch(first=0, beats=4, number=0)

    async def steps(ctx: Any) -> None:
        ctx.set(dut.bus.arready, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.go, 1)
        await ctx.tick().repeat(8)
        ctx.set(dut.bus.rvalid, 1)
        ctx.set(dut.bus.rresp, DECERR)
        await ctx.tick()
        assert ctx.get(dut.decerr)
        assert not ctx.get(dut.slverr)

    run(dut, steps)


def test_registers() -> None:
    """An address that is a multiple of 8, which stays while codes are read."""
    dut = Registers(streamed=True)
    manager = Manager(dut.bus)
    place = {register.name: register.address for register in dma_registers(streamed=True)}

    async def steps(ctx: Any) -> None:
        for name, value, response in (
            ("CODES", BASE + 4, SLVERR),
            ("CODES", BASE + 8, OKAY),
            ("CONTROL", 0b1000, SLVERR),
            ("CONTROL", 0b100, OKAY),
            ("CODES", BASE, SLVERR),
            ("CONTROL", 0b101, OKAY),
            ("CONTROL", 0, OKAY),
        ):
            assert await manager.write(ctx, place[name], value) == response, (name, value)
        assert await manager.read(ctx, place["CODES"]) == (BASE + 8, OKAY)
        # What is under way must have come before codes are read again.
        ctx.set(dut.busy, 1)
        assert await manager.write(ctx, place["CONTROL"], 0b100) == SLVERR
        ctx.set(dut.busy, 0)
        assert await manager.write(ctx, place["CONTROL"], 0b100) == OKAY
        assert await manager.read(ctx, place["CONTROL"]) == (0b100, OKAY)

    run(dut, steps, watched=manager.answers)


def test_where_codes_lie() -> None:
    network = dense_streams()
    content, places = code_bytes(network), code_places(network)
    assert list(places) == ["dense_0", "dense_1", "dense_2"]
    for layer in network.layers[:3]:
        first, beats = places[layer.name]
        assert first % BURST == 0
        words = np.frombuffer(content, "<u8", beats, 8 * first).tolist()
        assert words == code_beats(layer)
    assert dma_registers(streamed=True)[:-1] != dma_registers()
    assert dma_registers(streamed=True)[-1].name == "CODES"


def check(network: Network, simulator: Any, *plusargs: str) -> None:
    """Let the unmodified driver load the codes and predict, twice, in several transfers."""
    images = random_images(network, 5)
    # There is room for codes and two batches, and not for what would not be given back.
    region = Region(0x1000_0000, len(code_bytes(network)) + 1024)
    backend = simulation(*plusargs, network=network, simulator=simulator, region=region)
    with Accelerator(backend, describe(network), batch=2) as made:
        for members in (2, 1):
            got = made.predict(images, members).integers
            golden = logits(network, images, members).transpose(1, 0, 2)
            np.testing.assert_array_equal(got, golden)


@pytest.mark.icarus
@pytest.mark.parametrize("make", [small_streams, dense_streams])
def test_driver_equals_golden(make: Any) -> None:
    check(make(), "icarus", "+rate=40", "+latency=30")


@pytest.mark.slow
@pytest.mark.parametrize("make", [small_streams, partial(dense_streams, members=4)])
def test_driver_equals_golden_verilated(make: Any) -> None:
    check(make(), "verilator", "+rate=20")


@pytest.mark.icarus
def test_wrong_codes_are_noticed() -> None:
    """Codes of other weights in memory fail the self-test."""
    network = small_streams()
    images = random_images(network, 2, seed=9)
    told = describe(network, test_images=images, test_logits=logits(network, images, 2))
    layer = network.layers[2]
    other = replace(layer, codes=2 - layer.codes)
    layers = (*network.layers[:2], other, network.layers[3])
    told["codes"] = describe(replace(network, layers=layers))["codes"]
    with pytest.raises(DriverError, match="self-test"):
        Accelerator(simulation(network=network), told)


def test_serial_line_refuses_them() -> None:
    with pytest.raises(
        InputError, match=r"^folding\.held \(conv_0\) must be 0 behind a serial line"
    ):
        shell_verilog(small_streams(), "ecp5")
