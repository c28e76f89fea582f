"""One simulation: beats in, words out, and what the registers say afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from cocotb_tools.check_results import get_results
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.interface import as_json, pack_pixels, packet, registers
from tb.build import TOP, Build


class SimulationError(RuntimeError):
    """The run was stopped, or did not leave the packets that it should; the message names the log.

    start : the image that the simulation began with. image : the first without a right packet.
    """

    def __init__(self, message: str, image: int = 0) -> None:
        super().__init__(message)
        self.start = 0
        self.image = image


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How the bench treats the core.

    members : T. member_logits : whether packets hold them. seeds : layer name -> first LFSR state,
    where it is not the model's. stalls : percent of the cycles in which each handshake waits.
    seed : of the stalls. restart_after : cycles after which the run is cut off and started anew.
    status : what STATUS must read afterwards: idle, no framing error, nothing refused.
    """

    members: int
    member_logits: bool = True
    seeds: Mapping[str, int] = field(default_factory=dict)
    stalls: float = 0
    seed: int = 1
    restart_after: int = 0
    status: int = 0b001


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


def packet_words(network: Network, setup: Setup) -> int:
    """Return the words of one packet."""
    return sum(part.words for part in packet(network, setup.members, setup.member_logits))


def play(
    build: Build,
    network: Network,
    records: NDArray[np.uint32],
    setup: Setup,
    folder: Path,
    plusargs: Sequence[str] = (),
) -> Played:
    """Run `build` in `folder` on `records` (see `beats`) until every image has its packet.

    Raise `SimulationError` if a register, the protocol, a packet's length or the number of packets
    is wrong, or if nothing moves any more.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.bin").write_bytes(records.astype(">u4").tobytes())
    output, result = folder / "output.bin", folder / "result.json"
    for stale in (output, result):
        stale.unlink(missing_ok=True)
    task = {**_job(network, setup, len(records)), "result": str(result)}
    (folder / "job.json").write_text(json.dumps(task, indent=2))
    length = packet_words(network, setup)
    given = [
        f"+input={folder / 'input.bin'}",
        f"+output={output}",
        f"+packets={len(records)}",
        f"+words={len(records) * length}",
        f"+patience={patience(network, setup)}",
        f"+rate={_rate(setup.stalls)}",
        f"+seed={setup.seed}",
    ]
    try:
        run(build, folder, plusargs=[*given, *plusargs])
    except SimulationError as error:
        error.image = int(_stream(output)[1].sum())
        raise
    words, last = _stream(output)
    wanted = np.zeros((len(records), length), np.uint32)
    wanted[:, -1] = 1
    if not np.array_equal(last, wanted.ravel()):
        differs = np.append(last, 2)[: wanted.size] != wanted.ravel()[: len(last) + 1]
        raise SimulationError(
            f"{len(records)} packets of {length} words must come, not {last.sum()} in {len(last)}"
            f" words ({output})",
            image=int(differs.argmax()) // length,
        )
    return Played(words=words.reshape(wanted.shape), found=json.loads(result.read_text()))


def run(
    build: Build,
    folder: Path,
    *,
    module: str = "tb.bench",
    plusargs: Sequence[str] = (),
) -> None:
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
    (folder / "job.json").write_text(json.dumps({"table": as_json(network)["registers"]}))
    given = ["+input=none", "+output=none", "+packets=1", "+words=1", "+patience=1000000"]
    run(build, folder, module="tb.registers", plusargs=[*given, f"+rate={_rate(stalls)}"])


def patience(network: Network, setup: Setup) -> int:
    """Return the cycles in which something must move: what T members take one after another, twice.

    A layer alone takes at most its crossbar's cycles, a cycle a random bit and a cycle a column.
    """
    member = sum(
        layer.drive.bits * layer.row_groups * layer.column_groups
        + layer.noise_bits
        + layer.rows
        + layer.columns
        for layer in network.layers
    )
    return int(2 * (1000 + setup.members * member) / (1 - setup.stalls / 100) ** 2)


def reseeded(network: Network, seeds: Mapping[str, int]) -> Network:
    """Return `network` with the noise seeds that `seeds` gives by the layer's name."""
    layers = [
        replace(layer, noise=replace(layer.noise, seed=seeds[layer.name]))
        if layer.noise and layer.name in seeds
        else layer
        for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))


def _job(network: Network, setup: Setup, images: int) -> dict[str, object]:
    table = {register.name: register for register in registers(network)}
    control = {name: 1 << bit for name, (bit, _) in table["CONTROL"].bits.items()}
    writes = {"MEMBERS": setup.members}
    for layer, seed in setup.seeds.items():
        names = [name for name in table if name.startswith(f"SEED_{layer.upper()}")]
        writes |= {name: seed >> 32 * word & 0xFFFFFFFF for word, name in enumerate(names)}
    return {
        "addresses": {name: register.address for name, register in table.items()},
        "before": {name: register.reset for name, register in table.items()},
        "writes": writes,
        "control": control["run"] | control["member_logits"] * setup.member_logits,
        "restart_after": setup.restart_after,
        "after": {"IMAGES_IN": images, "IMAGES_OUT": images, "STATUS": setup.status},
    }


def _stream(path: Path) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the words and the TLASTs that `stream_sink.v` wrote; a half record does not count."""
    content = np.fromfile(path, np.uint32) if path.is_file() else np.zeros(0, np.uint32)
    pairs = content[: len(content) // 2 * 2].reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _rate(percent: float) -> int:
    return round(percent * 256 / 100)
