"""The cocotb half of the bench: it runs inside the simulator and gives orders to `bench.v`.

A job (JSON, its path in the environment variable `BBNN_JOB`) says what to check and to write before
the start; what the core's registers and the bench's counters say afterwards goes beside it.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer, ValueChange

OKAY, SLVERR = 0, 2
IDLE = 0b001
"""Bit of STATUS."""
CYCLE_NS = 10
COUNTERS = ("first_beat", "first_packet", "last_packet")
"""What `bench.v` counts, in cycles since the start."""
SURPLUS_CYCLES = 300
"""How long the bench listens for words that should not come after the last packet."""


class Core:
    """The core behind `bench.v`: its reset and, by name, its registers.

    addresses : name of a register -> byte address.
    """

    def __init__(self, bench: Any, addresses: dict[str, int]) -> None:
        self.bench = bench
        self.addresses = addresses

    async def reset(self) -> None:
        """Hold aresetn low for 20 cycles, with the streams stopped."""
        self.bench.go.value = 0
        self.bench.aresetn.value = 0
        await cycles(20)
        self.bench.aresetn.value = 1
        await cycles(2)

    async def write(self, name: str, value: int, strobe: int = 0b1111) -> int:
        """Write a register; return the response, `OKAY` or `SLVERR`."""
        self.bench.data.value = value
        self.bench.strobe.value = strobe
        await self._order(self.addresses[name], write=True)
        return int(self.bench.response.value)

    async def read(self, name: str) -> int:
        """Return what a register reads; fail unless the core accepts the read."""
        assert await self.read_response(self.addresses[name]) == OKAY, f"reading {name} is refused"
        return int(self.bench.result.value)

    async def read_response(self, address: int) -> int:
        """Read any address; return the response."""
        await self._order(address, write=False)
        return int(self.bench.response.value)

    async def expect(self, values: dict[str, int]) -> None:
        """Fail where a register reads another value."""
        for name, value in values.items():
            got = await self.read(name)
            assert got == value, f"{name} must read {value:#x}, not {got:#x}"

    async def configure(self, writes: dict[str, int]) -> None:
        """Write registers; fail where one is refused or reads back otherwise."""
        for name, value in writes.items():
            assert await self.write(name, value) == OKAY, f"writing {value} to {name} is refused"
        await self.expect(values=writes)

    async def _order(self, address: int, write: bool) -> None:
        self.bench.address.value = address
        self.bench.write.value = write
        self.bench.order.value = 1 - int(self.bench.answered.value)
        await ValueChange(self.bench.answered)


async def cycles(count: int) -> None:
    """Wait for `count` clock cycles."""
    await Timer(count * CYCLE_NS, unit="ns")


def job() -> dict[str, Any]:
    """Return the job that this simulation was started for."""
    content: dict[str, Any] = json.loads(Path(os.environ["BBNN_JOB"]).read_text())
    return content


@cocotb.test()
async def images(bench: Any) -> None:
    """Play the input file through the core; `tb.run` compares what comes out."""
    # Python sleeps while the images run: let an interrupt end the simulator all the same.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    task = job()
    core = Core(bench, task["addresses"])
    await core.reset()
    await core.expect(task["before"])
    await core.configure(task["writes"])
    await start(core, task["control"])
    if task["restart_after"]:
        await cycles(task["restart_after"])
        await stop(core)
        await start(core, task["control"])
    await busy(core)
    if not int(bench.done.value):
        await ValueChange(bench.done)
    await cycles(SURPLUS_CYCLES)
    await core.expect({**task["writes"], "CONTROL": task["control"], **task["after"]})
    found = {name: await core.read(name) for name in task["addresses"]}
    found |= {name: int(getattr(bench, name).value) for name in COUNTERS}
    Path(task["result"]).write_text(json.dumps(found))


async def start(core: Core, control: int) -> None:
    """Set CONTROL.run among `control` and let the streams move."""
    assert await core.write("CONTROL", control) == OKAY, "CONTROL refuses to start"
    core.bench.go.value = 1


async def busy(core: Core) -> None:
    """Fail if STATUS says idle while an image is inside; look for a while, or until the last."""
    for _ in range(40):
        if int(core.bench.done.value):
            return
        taken = await core.read("IMAGES_IN")
        status = await core.read("STATUS")
        if await core.read("IMAGES_OUT") < taken:
            assert not status & IDLE, "STATUS must not say idle while an image is in the core"


async def stop(core: Core) -> None:
    """Stop the streams at once, clear CONTROL and wait until the last offered word is gone."""
    core.bench.go.value = 0
    assert await core.write("CONTROL", 0) == OKAY, "CONTROL refuses to stop"
    for _ in range(100):
        if await core.read("STATUS") & IDLE:
            return
    raise AssertionError("STATUS does not become idle")
