"""Scales and offsets of the logits as registers: files, bounds, blocks, and the whole core."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from click.testing import CliRunner

import tb.setup
from bbnn.cli import group
from bbnn.correction import (
    Correction,
    corrected,
    load_correction,
    register_writes,
    save_correction,
)
from bbnn.description import LOGIT_LIMIT, Layer, Network
from bbnn.errors import InputError
from bbnn.interface import registers
from bbnn.model_file import digest, load, save_network
from blocks import Recording, dense, logits_of, play
from golden.network import logits
from hdl.control import Control
from hdl.correction import Correction as Block
from hdl.generate import generate
from hdl.logits import LogitNeuron, logit_width
from lite import OKAY, SLVERR, Manager
from networks import random_images, random_network
from simtools import reader, stalls, writer
from tb.build import Simulator, build
from tb.play import check_registers
from tb.setup import Setup
from tb.verify import verify


def adjustable(network: Network) -> Network:
    """Return `network` with constants that are registers."""
    last = network.layers[-1]
    neuron = replace(network.output, registers=True)
    return replace(network, layers=(*network.layers[:-1], replace(last, neuron=neuron)))


NETWORK = adjustable(random_network(5, members=2))
REACH = NETWORK.layers[-1].reach
SCALE_BITS, OFFSET_BITS = NETWORK.output.register_bits(REACH)
EXTREME = 2 ** (OFFSET_BITS - 1)
LARGEST = Correction(
    scale=(2**SCALE_BITS - 1, 0, 1, 2**SCALE_BITS - 1),
    offset=(EXTREME - 1, -EXTREME, -1, -EXTREME),
)


@pytest.mark.parametrize(
    ("scale", "offset", "reach", "bits"),
    [
        ([1], [0], 7, (2, 6)),
        ([3, 200], [-5, 9], 7, (9, 13)),
        ([0], [0], 5, (1, 4)),
        ([4], [-4096], 3, (4, 14)),
        ([65535], [0], 2, (16, 18)),
    ],
)
def test_bits_of_registers(
    scale: list[int], offset: list[int], reach: int, bits: tuple[int, int]
) -> None:
    """A bit more than the largest scale, at most 16; offsets as far as products with it reach."""
    neuron = replace(logits_of(scale, offset), registers=True)
    assert neuron.register_bits(reach) == bits
    most = 2 ** bits[0] - 1
    assert max(scale) <= most
    assert -(2 ** (bits[1] - 1)) <= min(*offset, 0)
    assert neuron.largest(reach) == most * reach + 2 ** (bits[1] - 1)


def test_bounds_are_those_of_the_registers() -> None:
    """T and the widths of logits bear whatever the registers take."""
    extreme = corrected(NETWORK, LARGEST)
    assert extreme.max_logit == NETWORK.max_logit
    assert NETWORK.max_members == min(65535, (LOGIT_LIMIT - 1) // NETWORK.max_logit)
    assert NETWORK.max_logit > random_network(5).max_logit
    assert 2 ** (logit_width(NETWORK.layers[-1]) - 1) > NETWORK.max_logit


def test_registers_without_room_are_refused() -> None:
    network = random_network(5)
    last, huge = network.layers[-1], np.full(4, 2**30)
    wide = replace(last, neuron=replace(network.output, offset=huge, registers=True))
    with pytest.raises(InputError, match="the largest logit must be at most"):
        replace(network, layers=(*network.layers[:-1], wide))
    with pytest.raises(InputError, match="registers must be true or false, not 1"):
        replace(last, neuron=replace(network.output, registers=1))
    many: Any = dense(3, 257, 1, 1, neuron=logits_of([1] * 257, [0] * 257))
    with pytest.raises(InputError, match="registers must be false for more than 256 classes"):
        replace(many, neuron=replace(many.neuron, registers=True))


def test_model_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(NETWORK, path)
    assert load(path).output.registers
    assert digest(load(path)) == digest(NETWORK) != digest(random_network(5))
    save_network(random_network(5), path)
    assert not load(path).output.registers
    assert b"registers" not in path.read_bytes()


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "correction.json"
    save_correction(NETWORK, LARGEST, path)
    assert load_correction(NETWORK, path) == LARGEST
    with pytest.raises(InputError, match="registers must be true"):
        load_correction(random_network(5), path)
    good = json.loads(path.read_text())
    scale = good["scale"]
    for change, message in (
        ({"format_version": 9}, "format_version must be 1, not 9"),
        ({"name": "other"}, "name must be random_network, not 'other'"),
        ({"scale": 3}, "scale must be a list of integers, not 3"),
        ({"scale": scale[:3]}, "scale must be 4 integers, one a class, not 3"),
        ({"scale": [2**SCALE_BITS, *scale[1:]]}, r"scale\[0\] must be an integer in 0"),
        ({"scale": [*scale[:3], -1]}, r"scale\[3\] must be an integer in 0"),
        ({"scale": [*scale[:3], 1.5]}, r"scale\[3\] must be an integer in 0"),
        ({"offset": [0, EXTREME, 0, 0]}, rf"offset\[1\] must be an integer in -{EXTREME}"),
        ({"offset": [0, 0, -EXTREME - 1, 0]}, rf"offset\[2\] must be an integer in -{EXTREME}"),
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(InputError, match=message):
            load_correction(NETWORK, path)
    for text in ("{", "[]"):
        path.write_text(text)
        with pytest.raises(InputError, match="must be"):
            load_correction(NETWORK, path)
    with pytest.raises(InputError, match="must be an existing file"):
        load_correction(NETWORK, tmp_path / "none.json")


def test_golden_is_the_formula() -> None:
    """Corrected logits are the sums, under the other constants."""
    images = random_images(NETWORK, 6)
    before, after = logits(NETWORK, images), logits(corrected(NETWORK, LARGEST), images)
    sums = (before - NETWORK.output.offset) // NETWORK.output.scale
    assert (sums * np.array(LARGEST.scale) + np.array(LARGEST.offset) == after).all()
    assert (before != after).any()


class Joined(wiring.Component):
    """A logit neuron and its constants."""

    i: Any
    o: Any
    column: Signal
    scale_written: Signal
    offset_written: Signal
    data: Signal

    def __init__(self, layer: Layer, steps: int) -> None:
        self.neuron = LogitNeuron(layer, steps=steps)
        self.constants = Block(layer, steps=steps)
        own, written = self.neuron.signature.members, self.constants.signature.members
        names = ("column", "scale_written", "offset_written", "data")
        super().__init__({"i": own["i"], "o": own["o"], **{name: written[name] for name in names}})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.neuron, m.submodules.constants = neuron, constants = (
            self.neuron,
            self.constants,
        )
        wiring.connect(m, wiring.flipped(self.i), neuron.i)
        wiring.connect(m, neuron.o, wiring.flipped(self.o))
        wiring.connect(m, neuron.constants, constants.neuron)
        m.d.comb += [
            constants.column.eq(self.column),
            constants.scale_written.eq(self.scale_written),
            constants.offset_written.eq(self.offset_written),
            constants.data.eq(self.data),
        ]
        return m


def joined(steps: int = 1, stall: int = 3) -> Recording:
    """Write extreme constants for two of three columns, then send sums, the extreme ones first."""
    neuron = replace(logits_of([3, 200, 55], [-1000, 5, 999]), registers=True)
    layer = dense(5, 3, 1, 1, neuron=neuron)
    scale_bits, offset_bits = neuron.register_bits(layer.reach * steps)
    most, least = 2**scale_bits - 1, -(2 ** (offset_bits - 1))
    scales, offsets = [most, 200, 0], [least, -least - 1, 999]
    dut = Joined(layer, steps)
    rng = np.random.default_rng(4)
    sums = rng.integers(-layer.reach, layer.reach + 1, (11, steps, 3))
    sums[0], sums[1] = -layer.reach, layer.reach
    chunks = [
        {"y": [y], "chunk": k} for step in sums.reshape(-1, 3).tolist() for k, y in enumerate(step)
    ]
    expected = (sums.sum(axis=1) * scales + offsets).ravel().tolist()
    send = writer(dut.i, chunks, stall)

    async def write_and_send(ctx: Any) -> None:
        for name, column, value in (
            ("scale", 0, most),
            ("offset", 0, least),
            ("offset", 1, -least - 1),
            ("scale", 2, 0),
        ):
            ctx.set(dut.column, column)
            ctx.set(dut.data, value % 2**32)
            ctx.set(getattr(dut, f"{name}_written"), 1)
            await ctx.tick()
            ctx.set(getattr(dut, f"{name}_written"), 0)
        await send(ctx)

    return play(
        dut, write_and_send, reader(dut.o, expected, stall), watched=[dut.o], must_stall=stall > 0
    )


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
def test_written_constants_make_the_logits(stall: int, steps: int) -> None:
    joined(steps, stall)


class Registers:
    """A control block that is idle, and its registers by name."""

    def __init__(self, network: Network = NETWORK) -> None:
        self.dut = Control(network)
        self.manager = Manager(self.dut.bus, stalls(2))
        self.table = {register.name: register for register in registers(network)}

    def run(self, steps: Callable[[Any], Awaitable[None]]) -> Recording:
        async def testbench(ctx: Any) -> None:
            ctx.set(self.dut.empty, 1)
            await steps(ctx)

        return play(self.dut, testbench, watched=self.manager.answers)

    async def write(self, ctx: Any, name: str, value: int) -> int:
        return await self.manager.write(ctx, self.table[name].address, value % 2**32)

    async def read(self, ctx: Any, name: str) -> int:
        value, response = await self.manager.read(ctx, self.table[name].address)
        assert response == OKAY
        return value


def kept_and_delivered() -> Recording:
    bench = Registers()

    async def steps(ctx: Any) -> None:
        constants = bench.dut.constants
        for name, register in bench.table.items():
            assert await bench.read(ctx, name) == register.reset, name
        for name, value in register_writes(LARGEST).items():
            assert await bench.write(ctx, name, value) == OKAY, name
        for name, value in register_writes(LARGEST).items():
            assert await bench.read(ctx, name) == value, name
        for column, (scale, offset) in enumerate(zip(LARGEST.scale, LARGEST.offset, strict=True)):
            ctx.set(constants.column, column)
            assert ctx.get(constants.scale) == scale
            assert ctx.get(constants.offset) == offset

    return bench.run(steps)


def test_registers_keep_what_they_take() -> None:
    kept_and_delivered()


SCALE, OFFSET = 0x400, 0x800
REFUSED = {
    "scale-too-large": (0, SCALE, 2**SCALE_BITS, 15),
    "scale-negative": (0, SCALE, 2**32 - 1, 15),
    "offset-too-large": (0, OFFSET + 4, EXTREME, 15),
    "offset-too-small": (0, OFFSET + 4, 2**32 - EXTREME - 1, 15),
    "highest-bit-alone": (0, OFFSET, 2**31, 15),
    "no-such-class": (0, SCALE + 16, 1, 15),
    "no-such-offset": (0, OFFSET + 16, 1, 15),
    "last-of-the-bank": (0, OFFSET + 0x3FC, 1, 15),
    "beyond-the-banks": (0, 0xC00, 1, 15),
    "odd-address": (0, SCALE + 1, 1, 15),
    "half-a-word": (0, SCALE, 1, 3),
    "scale-while-running": (1, SCALE, 1, 15),
    "offset-while-running": (1, OFFSET, 1, 15),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_writes_change_nothing(case: str) -> None:
    control, address, data, strobe = REFUSED[case]
    bench = Registers()

    async def steps(ctx: Any) -> None:
        assert await bench.write(ctx, "CONTROL", control) == OKAY
        assert await bench.manager.write(ctx, address, data, strobe) == SLVERR
        found = {name: await bench.read(ctx, name) for name in bench.table}
        before = {name: register.reset for name, register in bench.table.items()}
        assert found == {**before, "CONTROL": control, "STATUS": 0b101}

    bench.run(steps)


CHANGED = Correction(scale=(2**SCALE_BITS - 1, 1, 0, 77), offset=(-EXTREME, 5, 9, EXTREME - 1))


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("icarus", marks=pytest.mark.icarus),
        pytest.param("verilator", marks=pytest.mark.slow),
    ],
)
def test_whole_core(simulator: Simulator, tmp_path: Path) -> None:
    """One generated core, several corrections: every logit equals golden's of that network."""
    images = random_images(NETWORK, 6)
    verilog = generate(NETWORK, tmp_path / "design")
    setups = (
        Setup(members=3),
        Setup(members=3, correction=CHANGED, stalls=20),
        Setup(members=2, correction=LARGEST, seeds={"hidden_1": 0xC0FFEE}, restart_after=150),
    )
    compared = 0
    for number, setup in enumerate(setups):
        verdict = verify(
            NETWORK,
            verilog,
            images,
            setup,
            simulator,
            tmp_path / str(number),
            builds=tmp_path / "builds",
            processes=1,
            level="-O0",
        )
        assert verdict.equal, verdict
        assert verdict.comparison is not None
        compared += verdict.comparison.members
    assert compared == 6 * (3 + 3 + 2)
    built = build(NETWORK.name, verilog, simulator, tmp_path / "builds", level="-O0")
    check_registers(built, NETWORK, tmp_path / "registers", stalls=30)


def test_a_correction_that_is_not_loaded_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tb.setup, "register_writes", lambda correction: {})
    verdict = verify(
        NETWORK,
        generate(NETWORK, tmp_path / "design"),
        random_images(NETWORK, 2),
        Setup(members=2, correction=CHANGED),
        "icarus",
        tmp_path,
        processes=1,
    )
    assert not verdict.equal
    assert verdict.difference is not None
    assert verdict.difference.layer == "output"


def test_commands(tmp_path: Path) -> None:
    """A model gets registers; without them a correction is refused."""
    plain, path, file = (tmp_path / name for name in ("plain", "model", "correction.json"))
    save_network(random_network(5, members=2), plain)
    save_correction(NETWORK, CHANGED, file)
    run = CliRunner().invoke(group, ["registers", str(plain), "--correction", "-o", str(path)])
    assert run.exit_code == 0, run.output
    assert digest(load(path)) == digest(NETWORK)
    refused = CliRunner().invoke(group, ["registers", str(plain), "-o", str(path)])
    assert str(refused.exception) == "options must be at least one, --correction say, not 'none'"
    with pytest.raises(InputError, match="must be true for a correction at run time"):
        load_correction(load(plain), file)
