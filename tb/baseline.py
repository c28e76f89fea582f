"""Time the bench that a person would write first (`tb.plain`), built as cocotb builds it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Verilator
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.interface import registers, unpack
from bbnn.tools import environment, find
from golden.network import logits
from tb.build import TOOLS
from tb.compare import packets
from tb.play import SimulationError, beats
from tb.setup import Setup, packet_words


def time_plain(
    network: Network, verilog: Path, images: NDArray[np.uint8], members: int, folder: Path
) -> tuple[int, float]:
    """Return the cycles and the seconds in which `tb.plain` gets the packets of `images`.

    It is built anew in `folder`. Raise `SimulationError` unless all packets are golden's.
    """
    for tool in TOOLS["verilator"]:
        find(tool)
    os.environ.update(environment())
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    runner = Verilator()
    runner.build(
        sources=[verilog.absolute()],
        hdl_toplevel=network.name,
        build_dir=folder / "build",
        # In several files it needs precompiled headers, which the wheel includes wrongly.
        build_args=["--output-split", "0"],
        timescale=("1ns", "1ps"),
        clean=True,
        log_file=folder / "build.log",
    )
    setup = Setup(members=members)
    table = {register.name: register for register in registers(network)}
    words = len(images) * packet_words(network, setup)
    beats(images).tofile(folder / "input.bin")
    job = {
        "writes": [(table["MEMBERS"].address, members), (table["CONTROL"].address, 0b11)],
        "words": words,
        **{name: str(folder / f"{name}.bin") for name in ("input", "output", "result")},
    }
    (folder / "job.json").write_text(json.dumps(job))
    results = runner.test(
        test_module="tb.plain",
        hdl_toplevel=network.name,
        hdl_toplevel_lang="verilog",
        build_dir=folder / "build",
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        extra_env={"BBNN_JOB": str(folder / "job.json")},
        seed=1,
        log_file=folder / "simulation.log",
    )
    if get_results(results) != (1, 0):
        raise SimulationError(f"the plain bench fails ({folder / 'simulation.log'})")
    got = np.fromfile(folder / "output.bin", np.uint32).reshape(len(images), -1)
    expected = packets(logits(network, images, members), member_logits=True)
    if any(
        not np.array_equal(values, expected[name])
        for name, values in unpack(network, got, members, True).items()
    ):
        raise SimulationError(f"the plain bench got other packets ({folder})")
    timed = json.loads((folder / "result.bin").read_text())
    return timed["cycles"], timed["seconds"]
