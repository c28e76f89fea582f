"""A cocotb bench of the control registers: what they read, take and refuse.

It knows the table of `bbnn.interface` (the job's "table") and what the random streams begin with
(its "random_words"), and of the core only that.
"""

from __future__ import annotations

import random
from typing import Any

import cocotb

from tb.bench import IDLE, OKAY, SLVERR, Core, job

REFUSED = 0b100
RUN, MEMBER_LOGITS = 0b01, 0b10
SETTINGS = ("MEMBERS", "TEST_STREAM", "SEED", "SCALE", "OFFSET", "EXIT", "MARGIN")
"""What is written only while the core does not run, by the beginning of its name."""


async def started(bench: Any) -> tuple[Core, dict[str, dict[str, Any]]]:
    """Return the core, just out of reset, and its registers by name."""
    table = {register["name"]: register for register in job()["table"]}
    core = Core(bench, {name: register["address"] for name, register in table.items()})
    await core.reset()
    return core, table


def values(table: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return what all registers but STATUS read after reset."""
    return {name: register["reset"] for name, register in table.items() if name != "STATUS"}


async def refuses(core: Core, name: str, value: int, strobe: int = 0b1111) -> None:
    """Check that a write is refused, STATUS says so, and only a write of CONTROL clears that."""
    running = await core.read("CONTROL")
    before = await core.read(name)
    response = await core.write(name, value, strobe)
    assert response == SLVERR, f"writing {value:#x} to {name} must be refused"
    status = await core.read("STATUS")
    assert status == IDLE | REFUSED, f"STATUS must say refused and idle, not {status:#b}"
    if name != "STATUS":
        await core.expect({name: before})
    await core.configure({"CONTROL": running})
    await core.expect({"STATUS": IDLE})


@cocotb.test()
async def reset_values(bench: Any) -> None:
    """Reset puts every register to the value in the table, whatever it held."""
    core, table = await started(bench)
    writable = [name for name in table if name.startswith(SETTINGS)]
    for _ in range(2):
        await core.expect({**values(table), "STATUS": IDLE})
        await core.configure({name: 1 for name in writable})
        await core.configure({"CONTROL": RUN | MEMBER_LOGITS})
        await core.reset()


@cocotb.test()
async def accesses(bench: Any) -> None:
    """Read-only registers, other addresses, part of a word: refused, and nothing changes."""
    core, table = await started(bench)
    for name, register in table.items():
        if register["access"] == "ro":
            await refuses(core, name, register["reset"] ^ 1)
        else:
            for strobe in (0b0000, 0b0111, 0b1110):
                await refuses(core, name, 1, strobe)
    taken = {register["address"] for register in table.values()}
    free = [address for address in range(0, 0x1000, 4) if address not in taken]
    for address in [max(taken) + 4, 0xFFC, *random.sample(free, 20)]:
        core.addresses["NONE"] = address
        assert await core.write("NONE", 1) == SLVERR, f"a write to {address:#x} must be refused"
        assert await core.read_response(address) == SLVERR, f"{address:#x} must not be readable"
    await core.expect(values(table))


@cocotb.test()
async def members(bench: Any) -> None:
    """MEMBERS takes 1..MAX_MEMBERS."""
    core, _ = await started(bench)
    most = await core.read("MAX_MEMBERS")
    for value in (1, most, most // 2 + 1):
        await core.configure({"MEMBERS": value})
    for value in (0, most + 1, 1 << 16 | 1, 1 << 31):
        await refuses(core, "MEMBERS", value)


@cocotb.test()
async def seeds(bench: Any) -> None:
    """A seed takes any word; the core does not start while all words of one seed are 0."""
    core, table = await started(bench)
    layers: dict[str, list[str]] = {}
    for name in table:
        if name.startswith("SEED"):
            layers.setdefault(name.removesuffix("_LOW").removesuffix("_HIGH"), []).append(name)
    for words in layers.values():
        kept = {word: table[word]["reset"] for word in words}
        await core.configure(dict.fromkeys(words, 0))
        await refuses(core, "CONTROL", RUN)
        for word in words:
            for value in (1, 1 << 31, 0xDEADBEEF):
                await core.configure({word: value})
            await core.configure({"CONTROL": RUN})
            await core.configure({"CONTROL": 0})
            await core.configure({word: 0})
        await core.configure(kept)
    await core.configure({"CONTROL": RUN})


@cocotb.test()
async def running(bench: Any) -> None:
    """While the core runs, only CONTROL.run can be written."""
    core, table = await started(bench)
    for control in (RUN, RUN | MEMBER_LOGITS):
        await core.configure({"CONTROL": control})
        for name in table:
            if name.startswith(SETTINGS):
                await refuses(core, name, 1)
        await refuses(core, "CONTROL", control ^ MEMBER_LOGITS)
        await core.configure({"CONTROL": control})
        await core.configure({"CONTROL": 0})
    for bit in range(2, 32):
        await refuses(core, "CONTROL", 1 << bit)
    assert await core.write("CONTROL", MEMBER_LOGITS) == OKAY


@cocotb.test()
async def streams(bench: Any) -> None:
    """Each random stream under test begins anew with every run and says what golden says.

    Reading another register takes no word.
    """
    core, _ = await started(bench)
    words = job()["random_words"]
    for number, golden in enumerate(words, start=1):
        await core.configure({"TEST_STREAM": number})
        for some in (golden[:1], golden):
            await core.configure({"CONTROL": RUN})
            for place, word in enumerate(some):
                await core.read("MEMBERS")
                got = await core.read("RANDOM")
                assert got == word, (
                    f"word {place} of random stream {number} must be {word:#x}, not {got:#x}"
                )
            await core.configure({"CONTROL": 0})
    await refuses(core, "TEST_STREAM", len(words) + 1)
