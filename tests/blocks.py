"""What the tests of single blocks share: small layers, and simulations that remember every port."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from amaranth.hdl import ClockSignal, DomainRenamer, Elaboratable, Module, Value
from amaranth.lib import wiring
from amaranth.sim._async import SimulatorContext
from hypothesis import strategies as st

from bbnn.description import (
    Drive,
    Folding,
    Layer,
    Logits,
    Neuron,
    NoisePlane,
    SpatialDropout,
    Threshold,
    Window,
)
from hdl.core import Core
from simtools import Testbench, run


def dense(
    rows: int,
    columns: int,
    lanes_in: int,
    lanes_out: int,
    *,
    bits: int = 0,
    b: int = 1,
    k: int | None = None,
    neuron: Neuron | None = None,
    dropout: SpatialDropout | None = None,
    window: Window | None = None,
    skips: bool = False,
    sampled: Iterable[int] | None = None,
    reuse: bool = False,
    seed: int = 3,
) -> Layer:
    """Return a layer of random codes.

    bits : planes of an unsigned drive, 0 for a sign drive. b, k : probability bits and row bits.
    skips : whether zeros are skipped. sampled : rows that are sampled, all if None. reuse : the
    others' sums.
    neuron : random thresholds that fire about as often as not, if None.
    """
    rng = np.random.default_rng(seed)
    drive = Drive(kind="unsigned", bits=bits) if bits else Drive(kind="sign")
    reach = rows * drive.maximum
    thresholds = rng.integers(-reach // 3, reach // 3 + 2, columns)
    codes = rng.integers(0, 2**b + 1, (rows, columns))
    flags = None
    if sampled is not None:
        flags = np.isin(np.arange(rows), list(sampled)).astype(np.uint8)
        certain = rng.integers(0, 2, codes.shape) << b
        codes = np.where(flags[:, None], codes, certain)
    return Layer(
        name="layer",
        drive=drive,
        codes=codes,
        probability_bits=b,
        neuron=neuron or Threshold(thresholds=thresholds),
        folding=Folding(lanes_in=lanes_in, lanes_out=lanes_out, skip_zeros=skips, reuse=reuse),
        noise=NoisePlane(row_bits=k or b, seed=int(rng.integers(1, 2**32)))
        if b or dropout
        else None,
        window=window,
        dropout=dropout,
        sampled=flags,
    )


def any_layer(data: st.DataObject, least_b: int = 0) -> Layer:
    """Draw a small layer of any geometry and of at least `least_b` probability bits."""
    rows, columns = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    lanes_in = data.draw(st.integers(1, rows))
    lanes_out = data.draw(st.integers(1, columns))
    b = data.draw(st.integers(least_b, 8))
    k = data.draw(st.integers(b, 40)) if b else None
    bits, seed = data.draw(st.integers(0, 8)), data.draw(st.integers(0, 99))
    return dense(rows, columns, lanes_in, lanes_out, bits=bits, b=b, k=k, seed=seed)


def logits_of(scale: Iterable[int], offset: Iterable[int]) -> Logits:
    """Return an output neuron."""
    return Logits(scale=np.array(scale), offset=np.array(offset), fraction_bits=0)


def groups(vector: np.ndarray[Any, Any], size: int, fill: int) -> list[list[int]]:
    """Cut `vector` into lists of `size` elements, the last one completed with `fill`."""
    padded = np.append(vector, [fill] * (-len(vector) % size))
    return padded.reshape(-1, size).astype(int).tolist()


def packed(elements: Iterable[int], bits: int) -> int:
    """Return the elements side by side, `bits` each, the first one lowest."""
    return sum(int(element) % (1 << bits) << bits * i for i, element in enumerate(elements))


def channel(valid: Value, ready: Value, payload: Any) -> Any:
    """Return loose signals as a port that `simtools` can drive, read and watch."""
    return SimpleNamespace(valid=valid, ready=ready, payload=payload)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What the ports of a block carried, cycle by cycle.

    inputs, outputs : the ports' widths by their names in Verilog, the clock aside. rows : (inputs,
    outputs) as they stood before each clock edge.
    """

    block: wiring.Component
    inputs: dict[str, int]
    outputs: dict[str, int]
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]]

    def stalls(self) -> bool:
        """Say whether all output streams waited for their readers, and these for them."""
        names = [name for name in self.outputs if name.endswith(("__valid", "__tvalid"))]
        for name in names:
            valid = list(self.outputs).index(name)
            ready = list(self.inputs).index(name[: -len("valid")] + "ready")
            seen = {(outputs[valid], inputs[ready]) for inputs, outputs in self.rows}
            if not {(0, 1), (1, 0)} <= seen:
                return False
        return bool(names)


def play(
    block: wiring.Component,
    *testbenches: Testbench,
    watched: Iterable[Any] = (),
    must_stall: bool = False,
    cycles: int = 50_000,
) -> Recording:
    """Simulate as `simtools.run` does and return the recording.

    must_stall : fail unless both sides of the output stream had to wait.
    """
    flat = {
        "__".join(map(str, path)): (member.flow == wiring.In, Value.cast(value))
        for path, member, value in block.signature.flatten(block)
        if path != ("aclk",)
    }
    inputs = {name: value for name, (is_input, value) in flat.items() if is_input}
    outputs = {name: value for name, (is_input, value) in flat.items() if not is_input}
    widths = [len(value) for value in (*inputs.values(), *outputs.values())]
    rows = []
    playing = len(testbenches)

    def counted(testbench: Testbench) -> Testbench:
        async def wrapper(ctx: SimulatorContext) -> None:
            nonlocal playing
            await testbench(ctx)
            playing -= 1

        return wrapper

    async def record(ctx: SimulatorContext) -> None:
        while playing:
            sampled = await ctx.tick().sample(*inputs.values(), *outputs.values())
            row = [int(v) % (1 << width) for v, width in zip(sampled[2:], widths, strict=True)]
            rows.append((tuple(row[: len(inputs)]), tuple(row[len(inputs) :])))

    design = InDomain(block) if isinstance(block, Core) else block
    run(design, *map(counted, testbenches), record, watched=watched, cycles=cycles)
    recording = Recording(
        block=block,
        inputs={name: len(value) for name, value in inputs.items()},
        outputs={name: len(value) for name, value in outputs.items()},
        rows=rows,
    )
    assert recording.stalls() or not must_stall, "nobody had to wait"
    return recording


class InDomain(Elaboratable):
    """A core, which has clock and reset among its ports, in the simulation's clock domain."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = DomainRenamer("core")(self.core)
        m.d.comb += self.core.aclk.eq(ClockSignal())
        return m
