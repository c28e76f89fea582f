"""`bbnn flash`: nothing is touched unless file, tool, cable and part are what they must be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bbnn.cli import flash
from bbnn.errors import InputError
from boards.platforms import board_named
from boards.shell import loader
from boards.shell.bit_header import read_header, require_part

BOARD = board_named("pynq-z2")
OTHER = board_named("zybo-z7-10")
PAYLOAD = bytes(range(256)) * 4
LOADER = """\
#!/bin/sh
echo "$*" >> {log}
case "$*" in
  --Version) echo "openFPGALoader v1.1.1" ;;
  *--detect) {detect} ;;
  *) {load} ;;
esac
"""
CHAIN = 'printf "index 0:\\n\\tidcode   0x4ba00477\\nindex 1:\\n\\tidcode {code}\\n"'


def bit_bytes(part: str, payload: bytes = PAYLOAD, length: int | None = None) -> bytes:
    """Return a .bit file with a header as Vivado and xc7frames2bit write it."""
    head = b"\x00\x09" + b"\x0f\xf0" * 4 + b"\x00" + b"\x00\x01"
    fields = {"a": "net;UserID=0xFFFFFFFF", "b": part, "c": "2026/11/21", "d": "14:00:00"}
    for key, text in fields.items():
        data = text.encode() + b"\x00"
        head += key.encode() + len(data).to_bytes(2, "big") + data
    size = len(payload) if length is None else length
    return head + b"e" + size.to_bytes(4, "big") + payload


@pytest.fixture
def bit(tmp_path: Path) -> Path:
    path = tmp_path / "net.bit"
    path.write_bytes(bit_bytes("7z020clg400"))
    return path


class Tool:
    """A program called openFPGALoader that does as it is told, and writes down its arguments."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "openFPGALoader"
        self.log = folder / "log"
        self.behaves()

    def behaves(self, detect: str = "", load: str = "true") -> None:
        detect = detect or CHAIN.format(code=f"{BOARD.idcode | 0x2000_0000:#x}")
        self.program.write_text(LOADER.format(log=self.log, detect=detect, load=load))
        self.program.chmod(0o755)

    @property
    def called(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.is_file() else []


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(loader, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(loader, "environment", lambda: os.environ)
    return Tool(folder)


def run(bit: Path, *options: str) -> Result:
    result: Result = CliRunner().invoke(flash.command, [str(bit), *options])
    return result


def refused(bit: Path, told: str, *options: str) -> None:
    """Expect one line, and that nothing else happened."""
    result = run(bit, *options)
    assert isinstance(result.exception, InputError), result.output
    assert str(result.exception) == told


def test_dry_run(bit: Path, tool: Tool) -> None:
    result = run(bit, "--dry-run")
    assert result.exit_code == 0, result.output
    for told in ("0x03727093", "jumper JP1", "SRAM only, lost at power-off", "v1.1.1", "dry run"):
        assert told in result.output
    assert f"-b pynq_z2 --write-sram {bit}" in result.output
    assert tool.called == ["--Version"]


def test_loads(bit: Path, tool: Tool) -> None:
    """The part is looked for first; its revision does not matter."""
    result = run(bit)
    assert result.exit_code == 0, result.output
    load = f"-b pynq_z2 --write-sram {bit}"
    assert tool.called == ["--Version", "-b pynq_z2 --detect", load]
    assert "loaded; SRAM only" in result.output


def test_json(bit: Path, tool: Tool) -> None:
    told = json.loads(run(bit, "--json", "--dry-run").stdout)
    assert told["idcode"] == "0x03727093"
    assert (told["design"], told["part"]) == ("net", "7z020clg400")
    assert (told["bytes"], told["dry_run"]) == (1024, True)
    assert told["command"] == [
        str(tool.program),
        *("-b", "pynq_z2", "--write-sram"),
        str(bit),
    ]


def test_a_board_that_the_loader_does_not_know(tmp_path: Path, tool: Tool) -> None:
    path = tmp_path / "net.bit"
    path.write_bytes(bit_bytes("xc7z010clg400-1"))
    told = "--cable must be given for EBAZ4205, which openFPGALoader does not know, not None"
    refused(path, told, "--board", "ebaz4205")
    tool.behaves(CHAIN.format(code="0x13722093"))
    result = run(path, "--board", "ebaz4205", "--cable", "digilent")
    assert result.exit_code == 0, result.output
    assert tool.called[1] == "-c digilent --detect"


def test_another_part_is_refused(bit: Path, tool: Tool) -> None:
    told = f"{bit}: part must be xc7z010clg400-1, that of Zybo Z7-10, not '7z020clg400'"
    refused(bit, told, "--board", "zybo-z7-10")
    assert not tool.called


def test_another_part_on_the_cable_is_refused(bit: Path, tool: Tool) -> None:
    tool.behaves(CHAIN.format(code=f"{OTHER.idcode:#x}"))
    told = "the IDCODE of PYNQ-Z2 must be 0x03727093, not '0x4ba00477, 0x03722093'"
    refused(bit, told)
    assert len(tool.called) == 2


def test_no_cable(bit: Path, tool: Tool) -> None:
    """In the words of the loader, which are these where nothing is plugged in."""
    said = 'echo empty; echo "unable to open ftdi device: -3 (device not found)" >&2; exit 1'
    tool.behaves(said)
    refused(
        bit,
        "the cable of PYNQ-Z2 must be plugged in, not absent: "
        "unable to open ftdi device: -3 (device not found)",
    )
    assert len(tool.called) == 2


def test_a_load_that_fails(bit: Path, tool: Tool) -> None:
    tool.behaves(load='echo "Error: Failed to program FPGA" >&2; exit 1')
    told = f"openFPGALoader must load {bit}, not stop: Error: Failed to program FPGA"
    refused(bit, told)


def test_no_tool(bit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(loader, "environment", lambda: {"PATH": "/nowhere"})
    result = run(bit)
    assert isinstance(result.exception, InputError)
    assert "openFPGALoader must be installed, not missing: try `python -m pip" in str(
        result.exception
    )


def test_a_tool_that_does_not_start(bit: Path, tool: Tool) -> None:
    """As the wheel's does without the system's libusb and libftdi."""
    said = "error while loading shared libraries: libusb-1.0.so.0"
    tool.program.write_text(f'#!/bin/sh\necho "{said}" >&2; exit 127\n')
    refused(bit, f"{tool.program} must start, not stop: {said}")


def test_the_wheel_wins(bit: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own command would start an older one of the system."""
    package = tool.program.parent / "some_wheel"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    inside = package / "bin/openFPGALoader"
    inside.write_text("#!/bin/sh\necho v9.9.9\n")
    inside.chmod(0o755)
    monkeypatch.syspath_prepend(tool.program.parent)
    monkeypatch.setattr(loader, "WHEEL", "some_wheel")
    assert "v9.9.9" in run(bit, "--dry-run").output


@pytest.mark.parametrize("part", ["7z020clg400", "xc7z020clg400-1", "XC7Z020CLG400-1"])
def test_spellings_of_a_part(tmp_path: Path, part: str) -> None:
    path = tmp_path / "x.bit"
    path.write_bytes(bit_bytes(part))
    header = require_part(path, "xc7z020clg400-1", "a board")
    assert (header.date, header.time, header.length) == ("2026/11/21", "14:00:00", 1024)


@pytest.mark.parametrize("part", ["7z020clg484", "7z010clg400", "7z02clg400", ""])
def test_other_parts(tmp_path: Path, part: str) -> None:
    path = tmp_path / "x.bit"
    path.write_bytes(bit_bytes(part))
    with pytest.raises(InputError, match=r"part must be xc7z020clg400-1, that of a board"):
        require_part(path, "xc7z020clg400-1", "a board")


WHOLE = bit_bytes("7z020clg400")


@pytest.mark.parametrize("cut", [*range(0, 90, 7), len(WHOLE) - 1])
def test_files_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.bit"
    path.write_bytes(WHOLE[:cut])
    with pytest.raises(InputError, match=r"x\.bit must be (a whole .bit file|1024 bytes of conf)"):
        read_header(path)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "x.bit"
    path.write_bytes(b"\x7fELF" + bytes(1000))
    with pytest.raises(InputError, match=r"must be a whole \.bit file, not something else"):
        read_header(path)
    path.write_bytes(bit_bytes("7z020clg400", length=1000))
    with pytest.raises(InputError, match="must be 1000 bytes of configuration, as it says"):
        read_header(path)
    with pytest.raises(InputError, match=r"must be a \.bit file, not 'missing'"):
        read_header(tmp_path / "y.bit")
