"""FASM becomes the right bits: on a database made by hand, and on Project X-Ray's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbnn.errors import InputError
from boards.toolchain.database import FRAME_SHIFT, Database, canonical
from boards.toolchain.fasm import Setting, settings
from boards.toolchain.frames import assemble, bits_read, frames_text

PART = "xc7z020clg400-1"
TILES = {
    "CLB_X1Y2": {
        "type": "CLB",
        "bits": {"CLB_IO_CLK": {"baseaddr": "0x00420100", "offset": 3}},
    },
    "BRAM_X0Y0": {
        "type": "BRAM",
        "bits": {
            "CLB_IO_CLK": {"baseaddr": "0x00000200", "offset": 10},
            "BLOCK_RAM": {"baseaddr": "0x00C20000", "offset": 10},
        },
    },
    # One site alone, with the bits of half a tile that has two.
    "IOB_SING_X0Y0": {
        "type": "IOB_SING",
        "bits": {
            "CLB_IO_CLK": {
                "baseaddr": "0x00420000",
                "offset": 99,
                "alias": {"type": "IOB", "start_offset": 2, "sites": {"IOB33_Y0": "IOB33_Y1"}},
            }
        },
    },
    "PSS_X0Y0": {"type": "PSS", "bits": {}},
}
FILES = {
    "mapping/devices.yaml": '# device to fabric\n"xc7z020":\n  fabric: "xc7z020"\n',
    "xc7z020/tilegrid.json": json.dumps(TILES),
    f"{PART}/part.yaml": "!<xilinx/part>\nidcode: 0x13727093\n",
    f"{PART}/required_features.fasm": "CLB_X1Y2.ALWAYS\n",
    "segbits_clb.db": "CLB.ALWAYS 05_63\n"
    "CLB.LUT.INIT[00] 00_00\nCLB.LUT.INIT[01] 00_33\nCLB.LUT.INIT[10] 35_01\n"
    "CLB.MUX.A 01_02 !01_03\nCLB.MUX.B 01_03\nCLB.MUX.NONE !01_02 !01_03\n",
    "segbits_bram.db": "BRAM.RAMB18_Y0.ZERO 02_00\n",
    "segbits_bram.block_ram.db": "BRAM.RAMB18_Y0.INIT_00[000] 00_00\n"
    "BRAM.RAMB18_Y0.INIT_00[008] 01_00\nBRAM.RAMB18_Y0.INIT_00[255] 127_319\n",
    "segbits_iob.db": "IOB.IOB33_Y0.DRIVE 04_00\nIOB.IOB33_Y1.DRIVE 04_64\n",
    "ppips_clb.db": "CLB.IN.OUT always\n",
    "ppips_iob_sing.db": "IOB_SING.WIRE.WIRE default\n",
    "ppips_pss.db": "PSS.FCLK.OUT always\n",
}


def bit(address: int, word: int, place: int) -> int:
    return address << FRAME_SHIFT | 32 * word + place


@pytest.fixture
def database(tmp_path: Path) -> Database:
    for name, text in FILES.items():
        path = tmp_path / "zynq7" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Database(tmp_path / "zynq7", PART)


ALWAYS = {bit(0x420105, 4, 31)}


def test_another_package_has_what_every_design_sets(database: Database, tmp_path: Path) -> None:
    """The same silicon; but not what another device sets."""
    packed = database.folder / "xc7z020clg484-1"
    packed.mkdir()
    other = Database(database.folder, packed.name)
    assert other.required == database.required
    assert assemble(other, _empty(tmp_path)) == ALWAYS
    own = packed / "required_features.fasm"
    own.write_text("")
    assert other.required == own
    own.rename(database.folder / "elsewhere.fasm")
    database.required.rename(database.folder / "xc7z010clg400-1.fasm")
    message = (
        r"xc7z020clg484-1/required_features\.fasm must be a file of the database, not 'missing'$"
    )
    with pytest.raises(InputError, match=message):
        _ = other.required


def _empty(folder: Path) -> Path:
    path = folder / "empty.fasm"
    path.write_text("")
    return path


def bits_of(text: str, database: Database, tmp_path: Path) -> set[int]:
    """Return the bits that the lines of `text` add to what every design needs."""
    path = tmp_path / "design.fasm"
    path.write_text(text)
    found = assemble(database, path)
    assert found >= ALWAYS
    return found - ALWAYS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        ('# nothing\n\n{ .comment = "no" }\n', set()),
        # Word and bit follow from the offset of the tile and from the place in the database.
        ("CLB_X1Y2.LUT.INIT[1]", {bit(0x420100, 4, 1)}),
        ("CLB_X1Y2.LUT.INIT[0]", {bit(0x420100, 3, 0)}),
        ("CLB_X1Y2.LUT.INIT", {bit(0x420100, 3, 0)}),
        ("CLB_X1Y2.LUT.INIT[010]  # leading zero", {bit(0x420123, 3, 1)}),
        ("CLB_X1Y2.LUT.INIT[1:0] = 2'b10", {bit(0x420100, 4, 1)}),
        ("CLB_X1Y2.LUT.INIT[10:1] = 10'h201", {bit(0x420100, 4, 1), bit(0x420123, 3, 1)}),
        ("CLB_X1Y2.LUT.INIT[1:0] = 3", {bit(0x420100, 3, 0), bit(0x420100, 4, 1)}),
        ("CLB_X1Y2.LUT.INIT[1:0] = 0", set()),
        ("CLB_X1Y2.LUT.NO_SUCH[7:0] = 8'h00", set()),
        ("CLB_X1Y2.MUX.A", {bit(0x420101, 3, 2)}),
        ('CLB_X1Y2.MUX.A { .by = "a tool" }', {bit(0x420101, 3, 2)}),
        ("CLB_X1Y2.MUX.NONE", set()),
        # Routing that is always there.
        ("CLB_X1Y2.IN.OUT\nPSS_X0Y0.FCLK.OUT\nIOB_SING_X0Y0.WIRE.WIRE", set()),
        # Two buses, whose bits lie in different frames.
        (
            "BRAM_X0Y0.RAMB18_Y0.ZERO\nBRAM_X0Y0.RAMB18_Y0.INIT_00[255:0] = 256'h8000_"
            + "0" * 56
            + "_0101",
            {
                bit(0x202, 10, 0),
                bit(0xC20000, 10, 0),
                bit(0xC20001, 10, 0),
                bit(0xC2007F, 19, 31),
            },
        ),
        # The other type's bits, of its other site, two words lower.
        ("IOB_SING_X0Y0.IOB33_Y0.DRIVE", {bit(0x420004, 99, 0)}),
    ],
)
def test_bits(text: str, expected: set[int], database: Database, tmp_path: Path) -> None:
    assert bits_of(text, database, tmp_path) == expected


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("CLB_X1Y2.LUT.INIT[2]", "CLB_X1Y2.LUT.INIT[2]"),
        ("CLB_X1Y2.LUT.INIT[2:0] = 3'b111", "CLB_X1Y2.LUT.INIT[2]"),
        ("CLB_X1Y2.NO.SUCH", "CLB_X1Y2.NO.SUCH[0]"),
        ("CLB_X9Y9.MUX.A", "CLB_X9Y9.MUX.A[0]"),
        ("PSS_X0Y0.FCLK.IN", "PSS_X0Y0.FCLK.IN[0]"),
        # The name of the alias's own site, which this tile does not have.
        ("IOB_SING_X0Y0.IOB_Y1.DRIVE", "IOB_SING_X0Y0.IOB_Y1.DRIVE[0]"),
    ],
)
def test_unknown_features_are_refused(
    line: str, named: str, database: Database, tmp_path: Path
) -> None:
    message = rf"design\.fasm:2 must name a feature of {PART}, not {re.escape(named)}, which"
    with pytest.raises(InputError, match=message):
        bits_of(f"CLB_X1Y2.MUX.A\n{line}\n", database, tmp_path)


@pytest.mark.parametrize("lines", ["A B", "B A", "NONE A", "A NONE"])
def test_contradictions_are_refused(lines: str, database: Database, tmp_path: Path) -> None:
    text = "".join(f"CLB_X1Y2.MUX.{name}\n" for name in lines.split())
    with pytest.raises(InputError, match=r"design\.fasm:\d: CLB_X1Y2\.MUX\.\w+ needs a bit to be"):
        bits_of(text, database, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "CLB",
        "CLB.A = ",
        "CLB.A B",
        "CLB..A",
        "CLB.A[x]",
        "CLB.A = 2",
        "CLB.A[1:0] = 4",
        "CLB.A[1:0] = 1'b10",
        "CLB.A[3:0] = 2'b100",
        "CLB.A[1:0] = 2'b12",
        "CLB.A[0:1] = 1",
    ],
)
def test_bad_lines_are_refused(line: str) -> None:
    with pytest.raises(InputError, match=r"^x\.fasm:2 must be a line of FASM, not [^\n]+$"):
        list(settings(["CLB.A", line], "x.fasm"))


def test_wide_values() -> None:
    value = 0x123456789ABCDEF << 192
    lines = [f"T.I[255:0] = 256'h{value:064x}", f"T.I[255:0] = 256'b{value:0256b}", "T.I[7:4] = 9"]
    assert list(settings(lines, "x")) == [
        Setting(1, "T.I", 0, value),
        Setting(2, "T.I", 0, value),
        Setting(3, "T.I", 4, 9),
    ]


def test_names_without_leading_zeros() -> None:
    names = {"A.B[000]": "A.B", "A.B[010]": "A.B[10]", "A.B_00[007]": "A.B_00[7]", "A.B": "A.B"}
    assert {name: canonical(name) for name in names} == names


def test_part_is_checked(database: Database) -> None:
    assert database.idcode == 0x3727093
    assert database.device == "xc7z020"
    for part in ("xc7z020clg484-1", "xc7z020", ""):
        with pytest.raises(InputError, match=rf"^part must be one in \S+zynq7, not '{part}'$"):
            Database(database.folder, part)


@given(st.sets(st.tuples(st.integers(0, 2**24), st.integers(0, 100), st.integers(0, 31))))
def test_frames_hold_every_bit(places: set[tuple[int, int, int]]) -> None:
    text = frames_text(bit(*place) for place in places)
    found = set()
    for line in text.splitlines():
        address, words = line.split(" ")
        values = [int(word, 16) for word in words.split(",")]
        assert len(values) == 101
        found |= {
            (int(address, 16), index, place)
            for index, word in enumerate(values)
            for place in range(32)
            if word >> place & 1
        }
    assert found == places
    addresses = [line.split()[0] for line in text.splitlines()]
    assert addresses == sorted(set(addresses))
    said = "".join(f"bit_{a:08x}_{w:03d}_{b:02d}\n" for a, w, b in places)
    assert bits_read(said) == {bit(*place) for place in places}
