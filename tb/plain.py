"""The bench that a person would write first: cocotb drives clock and streams, cycle by cycle.

`bbnn bench simulate` times it as the baseline of `bench.v`; it runs inside the simulator.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from tb.bench import CYCLE_NS, OKAY, job


@cocotb.test()
async def images(dut: Any) -> None:
    """Send the job's beats, collect the packets' words and time it."""
    task = job()
    for port in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
        getattr(dut, f"s_axi_{port}").value = 0
    dut.s_axis_tvalid.value = 0
    dut.m_axis_tready.value = 1
    Clock(dut.aclk, CYCLE_NS, unit="ns").start()
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 20)
    dut.aresetn.value = 1
    for address, value in task["writes"]:
        await write(dut, address, value)

    started = perf_counter()
    words: list[int] = []
    sender = cocotb.start_soon(send(dut, np.fromfile(task["input"], np.uint32).reshape(-1, 2)))
    cycles = 0
    while len(words) < task["words"]:
        await RisingEdge(dut.aclk)
        cycles += 1
        if int(dut.m_axis_tvalid.value):
            words.append(int(dut.m_axis_tdata.value))
    await sender
    seconds = perf_counter() - started
    np.array(words, np.uint32).tofile(task["output"])
    Path(task["result"]).write_text(json.dumps({"cycles": cycles, "seconds": seconds}))


async def send(dut: Any, beats: np.ndarray[Any, Any]) -> None:
    """Offer beats, (TLAST, TDATA) each, one after another."""
    for last, data in beats.tolist():
        dut.s_axis_tlast.value = last
        dut.s_axis_tdata.value = data
        dut.s_axis_tvalid.value = 1
        await RisingEdge(dut.aclk)
        while not int(dut.s_axis_tready.value):
            await RisingEdge(dut.aclk)
    dut.s_axis_tvalid.value = 0


async def write(dut: Any, address: int, value: int) -> None:
    """Write a register over AXI4-Lite."""
    dut.s_axi_awaddr.value = address
    dut.s_axi_wdata.value = value
    dut.s_axi_wstrb.value = 0b1111
    dut.s_axi_awvalid.value = 1
    dut.s_axi_wvalid.value = 1
    dut.s_axi_bready.value = 1
    await RisingEdge(dut.aclk)
    while not int(dut.s_axi_awready.value):
        await RisingEdge(dut.aclk)
    dut.s_axi_awvalid.value = 0
    dut.s_axi_wvalid.value = 0
    await RisingEdge(dut.aclk)
    while not int(dut.s_axi_bvalid.value):
        await RisingEdge(dut.aclk)
    assert int(dut.s_axi_bresp.value) == OKAY
    dut.s_axi_bready.value = 0
