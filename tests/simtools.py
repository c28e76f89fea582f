"""Stream drivers and a watchdog, shared by every simulation in Amaranth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from amaranth.lib import data, stream
from amaranth.sim import Simulator
from amaranth.sim._async import SimulatorContext

Stall = Callable[[], int]
Testbench = Callable[[SimulatorContext], Any]


def stalls(longest: int, seed: int = 7) -> Stall:
    """Return a source of waiting times 0..longest, half of them 0."""
    jitter = Random(seed)
    return lambda: jitter.choice((0, jitter.randint(0, longest)))


def plain(value: Any) -> Any:
    """Return a payload as numbers, lists and dictionaries.

    Compared with these, a `data.Const` cuts what does not fit off the numbers first.
    """
    if not isinstance(value, data.Const):
        return value
    layout = value.shape()
    items = {key: plain(value[key]) for key, _ in layout}
    return items if isinstance(layout, data.StructLayout) else list(items.values())


def pace(stall: int, seed: int) -> Callable[[], bool]:
    """Return what says in each cycle whether to go on: always, if `stall` is 0.

    Otherwise always, in one cycle of ``stall + 1`` and never take turns, for so long that slow
    blocks notice, too.
    """
    jitter = Random(seed)
    chance, left = 1.0, 0

    def goes() -> bool:
        nonlocal chance, left
        if stall and not left:
            chance, left = jitter.choice((1, 1 / (stall + 1), 0)), jitter.randint(1, 30)
        left -= 1
        return jitter.random() < chance

    return goes


def writer(port: Any, payloads: Iterable[Any], stall: int) -> Testbench:
    """Send `payloads`."""
    goes = pace(stall, 15)

    async def testbench(ctx: SimulatorContext) -> None:
        for payload in payloads:
            while not goes():
                await ctx.tick()
            ctx.set(port.payload, payload)
            ctx.set(port.valid, 1)
            await ctx.tick().until(port.ready)
            ctx.set(port.valid, 0)

    return testbench


def reader(port: Any, expected: Iterable[Any], stall: int) -> Testbench:
    """Compare what `port` delivers with `expected`, in order."""
    goes = pace(stall, 16)

    async def testbench(ctx: SimulatorContext) -> None:
        compared = 0
        for want in expected:
            while True:
                ready = goes()
                ctx.set(port.ready, ready)
                _, _, valid, got = await ctx.tick().sample(port.valid, port.payload)
                if valid and ready:
                    break
            assert plain(got) == want, f"item {compared}: got {plain(got)!r}, want {want!r}"
            compared += 1
        ctx.set(port.ready, 0)
        assert compared

    return testbench


def run(
    dut: Any, *testbenches: Testbench, watched: Iterable[Any] = (), cycles: int = 50_000
) -> None:
    """Simulate `dut` until all `testbenches` end; raise if they take more than `cycles`.

    The ports in `watched` are held to the stream rules: an offered payload stays until it is taken.
    """
    active = len(testbenches)

    def counted(testbench: Testbench) -> Testbench:
        async def wrapper(ctx: SimulatorContext) -> None:
            nonlocal active
            await testbench(ctx)
            active -= 1

        return wrapper

    async def watchdog(ctx: SimulatorContext) -> None:
        for _ in range(cycles):
            if not active:
                return
            await ctx.tick()
        raise AssertionError(f"nothing ended within {cycles} cycles")

    def rules(port: stream.Interface) -> Testbench:
        async def testbench(ctx: SimulatorContext) -> None:
            held = None
            while active:
                _, _, valid, ready, payload = await ctx.tick().sample(
                    port.valid, port.ready, port.payload
                )
                if held is not None:
                    assert valid, "valid dropped before a transfer"
                    assert payload == held, "payload changed before a transfer"
                held = payload if valid and not ready else None

        return testbench

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in map(counted, testbenches):
        simulator.add_testbench(testbench)
    for port in watched:
        simulator.add_testbench(rules(port))
    simulator.add_testbench(watchdog)
    simulator.run()
