"""A bitstream is what its design says, down to each bit and each word of memory."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from click.testing import CliRunner

from bbnn.cli import bitstream
from bbnn.description import Folding
from bbnn.errors import InputError
from bbnn.folding import estimate
from bbnn.model_file import digest, load, to_bytes
from boards import open_flow
from boards.built import Result, Use
from boards.fit import TooLargeError, nearest_that_fits, require_fit
from boards.parts import PARTS
from boards.plan import write_plan
from boards.platforms import board_named
from boards.shell.axi3 import GP
from boards.toolchain.database import Database
from boards.toolchain.memory import memories
from boards.toolchain.programs import Toolchain
from boards.toolchain.readback import read_back
from code_memories import code_memory, code_words_in
from hdl.codes import code_words
from networks import random_network
from opentools import toolchain

SHIPPED = Path(__file__).parents[1] / "models/fashion-mlp.safetensors"
NETWORK = random_network(sizes=(64, 32, 4), probability_bits=(1, 1), lanes=((2, 2), (2, 2)))
LANES = ((49, 4), (64, 1), (1, 1))
"""Of the shipped network that is placed and routed: few, and no code memory so deep that Yosys puts
parts of several words side by side in a block RAM."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(NETWORK))
    return path


def result(fmax: float | None) -> Result:
    return Result(
        bitstream=Path("a.bit"),
        part="xc7z020clg484-1",
        clock_mhz=50,
        fmax_mhz=fmax,
        use=(Use("FF", 532, 106_400),),
        bits=1234,
        block_rams=7,
        tools={"yosys": "1"},
    )


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put a flow in place that reaches 50 MHz in no time; return what it is told."""
    told: list[Any] = []

    def build(*arguments: Any) -> Result:
        *told[:], progress = arguments
        progress(1, "place and route")
        return result(fmax=50)

    monkeypatch.setattr(open_flow, "build", build)
    monkeypatch.setattr(Toolchain, "at", lambda: Toolchain(Path("tools")))
    return told


def run(*arguments: object) -> str:
    told = [str(argument) for argument in arguments]
    return CliRunner().invoke(bitstream.command, told, catch_exceptions=False).stdout


def test_command(model: Path, built: list[Any], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    options = [model, "--board", "zedboard", "--clock", 50, "-o", folder]
    about = json.loads(run(*options, "--json"))
    assert built == [NETWORK.name, "xc7z020clg484-1", 50, folder, Toolchain(Path("tools")), None]
    assert about["model_digest"] == digest(NETWORK)
    assert (about["board"], about["idcode"]) == ("zedboard", "0x03727093")
    assert (about["fmax_mhz"], about["fmax_is"]) == (50, "estimated by nextpnr")
    assert about["resources"] == [{"name": "FF", "used": 532, "available": 106_400}]
    assert json.loads((folder / "bitstream.json").read_text()) == about
    verilog = (folder / f"{NETWORK.name}.v").read_text()
    assert re.search(r"^module random_network\(led_0__io\);$", verilog, re.MULTILINE)
    # What Vivado says of another bitstream is not said of this one.
    handoff = folder / f"{NETWORK.name}.hwh"
    handoff.touch()
    said = run(*options, "--seed", 3)
    assert built[-1] == 3
    assert json.loads((folder / "bitstream.json").read_text())["seed"] == 3
    assert not handoff.exists()
    assert "50 MHz, estimated by nextpnr" in said
    assert "0.5%" in said
    assert "7 of 7 block RAMs" in said


@pytest.mark.usefixtures("built")
def test_a_clock_that_is_not_reached_is_refused(model: Path, tmp_path: Path) -> None:
    message = r"^--clock must be at most 50 MHz, nextpnr's estimate, not 50\.5$"
    with pytest.raises(InputError, match=message):
        run(model, "--clock", 50.5, "-o", tmp_path / "out")
    assert (tmp_path / "out/bitstream.json").is_file()


def test_bad_input_writes_nothing(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for options, message in (
        (["--board", "pynq-z9"], r"^board must be one of pynq-z2, .+, not 'pynq-z9'$"),
        (["--clock", "300"], r"^--clock must be 1 to 250 MHz, .+, not 300\.0$"),
        ([], r"^build/toolchain must hold the open toolchain, not nothing: try `bbnn toolchain"),
    ):
        with pytest.raises(InputError, match=message):
            run(model, *options)
        assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("part", "cells", "message"),
    [
        ("xc7z010clg400-1", {"LUT6": 17_600, "PS7": 1, "RAMB36E1": 59, "RAMB18E1": 2}, ""),
        (
            "xc7z010clg400-1",
            {"LUT6": 17_599, "INV": 2},
            "LUT of a .+ 17,600 .+, not 17,601, 1 ",
        ),
        (
            "xc7z020clg484-1",
            {"FDRE": 106_401},
            "FF of a .+ 106,400 on xc7z020clg484-1, .+, 1 ",
        ),
        (
            "xc7z010clg400-1",
            {"RAMB36E1": 59, "RAMB18E1": 3},
            "BRAM18 of a .+ 120 on .+ 121, 1 ",
        ),
    ],
)
def test_what_does_not_fit_is_named(part: str, cells: dict[str, int], message: str) -> None:
    stat = {"design": {"num_cells_by_type": cells}}
    if message:
        with pytest.raises(InputError, match=rf"^{message}"):
            require_fit("a", part, stat)
    else:
        require_fit("a", part, stat)


def test_the_nearest_folding_that_fits_is_named() -> None:
    """What synthesis counted corrects the estimate: four times as much leaves a quarter."""
    network = load(SHIPPED)
    part = PARTS["xc7z010clg400-1"]
    guessed = estimate(network).lut
    said = [
        nearest_that_fits(
            network, part, TooLargeError("LUT", "a", part.name, factor * guessed, part.lut)
        )
        for factor in (1, 4)
    ]
    pattern = r"^nearest .+: hidden_0 \d+ x \d+, hidden_1 .+ \(([\d,]+) cycles an image\)$"
    fast, slow = (int(re.findall(pattern, text)[0].replace(",", "")) for text in said)
    assert slow > 1.5 * fast
    nothing = TooLargeError("LUT", "a", "b", 10**6 * guessed, part.lut)
    assert nearest_that_fits(network, part, nothing) == "no folding fits, by estimate"


NEXTPNR_SEED = 0x3141592653589793
"""Its own."""
WORDS = [77777 * i & 0x3FFFF for i in range(2048)]


class Lookup(wiring.Component):
    """A memory of 2048 words of 18 bits: the last word written to GP0 is the address to read."""

    gp0: Any

    def __init__(self) -> None:
        super().__init__({"gp0": In(GP)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.words = words = Memory(shape=18, depth=2048, init=WORDS)
        port = words.read_port()
        m.d.comb += [port.addr.eq(self.gp0.wdata), self.gp0.rdata.eq(port.data)]
        m.d.comb += [self.gp0.wready.eq(1), self.gp0.rvalid.eq(1), self.gp0.rlast.eq(1)]
        return m


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["ebaz4205", "zedboard"])
def test_words_of_a_memory_are_in_the_file(name: str, tmp_path: Path) -> None:
    tools, board = toolchain(), board_named(name)
    write_plan(Lookup(), board, 100e6, "lookup", tmp_path)
    told: list[str] = []
    made = open_flow.build(
        "lookup", board.part, 100, tmp_path, tools, 7, lambda done, what: told.append(what)
    )
    assert set(open_flow.STEPS) < set(told)
    assert made.fmax_mhz
    assert made.fmax_mhz > 50
    assert {use.name: use.used for use in made.use if "RAM" in use.name} == {
        "BRAM36": 1,
        "BRAM18": 0,
    }
    # An output at 3.3 V has its strength.
    assert "LVCMOS33_LVTTL.DRIVE" in (tmp_path / "lookup.fasm").read_text()

    database = Database(tools.database, board.part)
    bits = read_back(tools, database, tmp_path / "lookup.bit")
    assert len(bits) == made.bits
    assert len(bits) > 5000
    routed = json.loads((tmp_path / "lookup.routed.json").read_text())
    (placed,) = routed["modules"].values()
    assert placed["settings"]["seed"] != f"{NEXTPNR_SEED:064b}"
    (memory,) = memories(database, bits, routed)
    # A word of 18 bits is two bytes with a parity bit each (Xilinx UG473, table 1-9).
    nines = [
        memory.data >> 8 * i & 255 | (memory.parity >> i & 1) << 8 for i in range(2 * len(WORDS))
    ]
    assert [nines[2 * i] | nines[2 * i + 1] << 9 for i in range(len(WORDS))] == WORDS

    # Nothing is done again; without the frames, only what follows from them is.
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert open_flow.build("lookup", board.part, 100, tmp_path, tools, 7) == made
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    (tmp_path / "lookup.frames").unlink()
    assert open_flow.build("lookup", board.part, 100, tmp_path, tools, 7) == made
    changed = {path.name for path in times if path.stat().st_mtime_ns != times[path]}
    assert changed == {"lookup.frames", "steps.json"}

    # A file for another part is refused.
    other = "xc7z010clg400-1" if board.part.startswith("xc7z020") else "xc7z020clg400-1"
    with pytest.raises(InputError, match=rf"lookup\.bit must be a bitstream for {other}"):
        read_back(tools, Database(tools.database, other), tmp_path / "lookup.bit")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_weights_of_a_shipped_network_are_in_the_file(tmp_path: Path) -> None:
    """Folded small, so that routing is short; all weights lie in block RAM then."""
    tools = toolchain()
    shipped = load(SHIPPED)
    layers = [
        replace(layer, folding=Folding(lanes_in=lanes_in, lanes_out=lanes_out))
        for layer, (lanes_in, lanes_out) in zip(shipped.layers, LANES, strict=True)
    ]
    network = replace(shipped, layers=tuple(layers))
    path, folder = tmp_path / "model.safetensors", tmp_path / "out"
    path.write_bytes(to_bytes(network))
    options = ["--board", "pynq-z2", "--clock", 50, "-o", folder, "--json"]
    about = json.loads(run(path, *options))
    print(about["fmax_mhz"], about["resources"], about["bits"], about["block_rams"])
    assert about["fmax_mhz"] >= 50
    database = Database(tools.database, about["part"])
    bits = read_back(tools, database, Path(about["bitstream"]))
    assert len(bits) == about["bits"]
    module = json.loads((folder / f"{network.name}.json").read_text())["modules"][network.name]
    routed = json.loads((folder / f"{network.name}.routed.json").read_text())
    found = list(memories(database, bits, routed))
    assert len(found) == about["block_rams"] > 0
    for layer in network.layers:
        words, width = code_words_in(layer, module, found)
        lanes = layer.folding
        assert width == lanes.lanes_in * (layer.probability_bits + 1) * lanes.lanes_out
        assert words == code_words(layer)
    # A bit of the file that is another is noticed.
    layer = network.layers[-1]
    place = next(i for i, memory in enumerate(found) if code_memory(layer) in memory.name)
    found[place] = found[place]._replace(data=found[place].data ^ 1)
    assert code_words_in(layer, module, found)[0] != code_words(layer)
