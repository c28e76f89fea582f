"""One simulation: beats in, words out, and what the registers say afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cocotb_tools.check_results import get_results
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.interface import as_json, pack_pixels
from golden.self_test import TESTED, random_words
from tb.build import TOP, Build
from tb.setup import Setup, job, packet_words, plusargs, rate


class SimulationError(RuntimeError):
    """The run was stopped, or did not leave the packets that it should; the message names the log.

    start : the image that the simulation began with. image : the first without a right packet.
    """

    def __init__(self, message: str, image: int = 0) -> None:
        super().__init__(message)
        self.start = 0
        self.image = image


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What a simulation left.

    words : uint32, shape (packets, words). found : register or counter of `bench.v` -> value.
    """

    words: NDArray[np.uint32]
    found: dict[str, int]


def beats(images: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the input of `stream_source.v`, shape (images, beats, 2): TLAST, then TDATA."""
    data = pack_pixels(images)
    records = np.zeros((*data.shape, 2), np.uint32)
    records[:, :, 1] = data
    records[:, -1, 0] = 1
    return records


def play(
    build: Build,
    network: Network,
    records: NDArray[np.uint32],
    setup: Setup,
    folder: Path,
    more: Sequence[str] = (),
) -> Played:
    """Run `build` in `folder` on `records` (see `beats`) until every image has its packet.

    more : plusargs besides those of every run.
    Raise `SimulationError` if a register, the protocol, a packet's length or the number of packets
    is wrong, or if nothing moves any more.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.bin").write_bytes(records.astype(">u4").tobytes())
    output, result = folder / "output.bin", folder / "result.json"
    for stale in (output, result):
        stale.unlink(missing_ok=True)
    task = {**job(network, setup, len(records)), "result": str(result)}
    (folder / "job.json").write_text(json.dumps(task, indent=2))
    length = packet_words(network, setup)
    given = [f"+input={folder / 'input.bin'}", f"+output={output}", f"+codes={build.codes}"]
    try:
        run(build, folder, [*given, *plusargs(network, setup, len(records)), *more])
    except SimulationError as error:
        error.image = int(_stream(output)[1].sum())
        raise
    words, last = _stream(output)
    wanted = np.tile(np.arange(length) == length - 1, len(records))
    if not np.array_equal(last, wanted):
        shorter = min(len(last), len(wanted))
        wrong = np.flatnonzero(last[:shorter] != wanted[:shorter])
        raise SimulationError(
            f"{len(records)} packets of {length} words must come, not {last.sum()} in {len(last)}"
            f" words ({output})",
            image=int(wrong[0] if len(wrong) else shorter) // length,
        )
    return Played(words=words.reshape(-1, length), found=json.loads(result.read_text()))


def run(build: Build, folder: Path, plusargs: Sequence[str], module: str = "tb.bench") -> None:
    """Run the cocotb tests of `module` in `folder`; raise `SimulationError` unless all pass."""
    log, results = folder / "simulation.log", folder / "results.xml"
    try:
        build.runner().test(
            test_module=module,
            hdl_toplevel_lang="verilog",
            hdl_toplevel=TOP,
            build_dir=build.folder,
            test_dir=folder,
            results_xml=str(results),
            plusargs=plusargs,
            extra_env={"BBNN_JOB": str(folder / "job.json")},
            waves=build.waves,
            seed=1,
            log_file=log,
        )
        tests, failed = get_results(results)
    except (RuntimeError, SystemExit):
        # The runner says so by either, depending on who started it.
        tests, failed = 0, 1
    if failed or not tests:
        said = re.findall(r".*(?:bench|AssertionError): (.*)", log.read_text(errors="replace"))
        reason = said[0] if said else "no test ran"
        raise SimulationError(f"{reason} ({log})")


def check_registers(build: Build, network: Network, folder: Path, stalls: float = 0) -> None:
    """Run the bench `tb.registers`; raise `SimulationError` where a register is wrong."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    words = random_words(network, TESTED).tolist()
    task = {"table": as_json(network)["registers"], "random_words": words}
    (folder / "job.json").write_text(json.dumps(task))
    run(build, folder, [f"+rate={rate(stalls)}"], module="tb.registers")


def _stream(path: Path) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the words and the TLASTs that `stream_sink.v` wrote; a half record does not count."""
    content = np.fromfile(path, np.uint32) if path.is_file() else np.zeros(0, np.uint32)
    pairs = content[: len(content) // 2 * 2].reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
