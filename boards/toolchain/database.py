"""Project X-Ray's database: which bits of the configuration each feature of a tile sets.

A bit of the configuration is one number here: ``frame address << 12 | place in the frame``, a frame
being 101 words of 32 bits. So a feature of a tile is a few numbers, and where the tile lies is one
more to add to them.

``FABRIC/tilegrid.json`` says where the bits of every tile lie, ``segbits_TYPE.db`` which bits each
feature of a type of tile sets, ``ppips_TYPE.db`` which features need none. A feature there is a
name, then ``FF_BB`` for bit BB of frame FF, with ``!`` before it if the bit must stay zero.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bbnn.errors import require

__all__ = ["FRAME_SHIFT", "WORDS", "WORD_BITS", "Bits", "Database", "Tile"]

WORDS = 101
"""Words in a frame."""
WORD_BITS = 32
FRAME_SHIFT = 12
"""The place of a bit in its frame has so many bits."""
FILES = {"CLB_IO_CLK": "segbits_{}.db", "BLOCK_RAM": "segbits_{}.block_ram.db"}
"""The file of each bus on which configuration is written."""
PART = re.compile(r"(?P<device>\w+?)(?P<package>[a-z]{3}\d+)-\w+")
INDEX = re.compile(r"\[0*(\d+)\]$")


class Bits(NamedTuple):
    """What a feature does: bits that it sets, and bits that it needs to be zero."""

    ones: tuple[int, ...]
    zeros: tuple[int, ...]

    def at(self, base: int) -> Bits:
        """Return the same bits, moved by `base`."""
        return Bits(*(tuple(base + bit for bit in bits) for bits in self))


class Database:
    """The database of one part.

    folder : of the family, such as ``zynq7``. part : such as "xc7z020clg400-1". Raises `InputError`
    if the family has no such part.
    """

    def __init__(self, folder: Path, part: str) -> None:
        self.folder = folder
        self.part = part
        named = PART.fullmatch(part)
        require(named is not None and (folder / part).is_dir(), "part", f"one in {folder}", part)
        assert named
        devices = folder / "mapping/devices.yaml"
        pattern = rf'^"?{named["device"]}"?:\s+fabric: "?(\w+)"?$'
        fabric = re.search(pattern, devices.read_text(), re.MULTILINE)
        require(fabric is not None, str(devices), "a list with the device", named["device"])
        assert fabric
        self.device = named["device"]
        self.grid = json.loads((folder / fabric[1] / "tilegrid.json").read_text())

    @property
    def part_file(self) -> Path:
        """The frames of the part, as Project X-Ray's own tools want to know them."""
        return self.folder / self.part / "part.yaml"

    @property
    def idcode(self) -> int:
        """What the part answers over JTAG, without its revision (the upper four bits)."""
        found = re.search(r"^idcode: (0x[0-9a-f]+)$", self.part_file.read_text(), re.MULTILINE)
        assert found
        return int(found[1], 16) & 0x0FFF_FFFF

    @property
    def required(self) -> Path:
        """The FASM of what every design for this part sets.

        It depends on the device alone, so where the part has none, one in another package will do.
        Raise `InputError` if there is none either.
        """
        name = "required_features.fasm"
        own = self.folder / self.part / name
        others = sorted(self.folder.glob(f"{self.device}*/{name}"))
        found = own if own.is_file() else next(iter(others), own)
        require(found.is_file(), str(found), "a file of the database", "missing")
        return found

    @cache  # noqa: B019 - a database lives as long as the program needs it
    def tile(self, name: str) -> Tile:
        """Return the tile called `name`; raise `KeyError` if there is none."""
        return Tile(self, self.grid[name])

    @cache  # noqa: B019
    def segbits(self, bus: str, kind: str) -> dict[str, Bits]:
        """Return the features of tiles of type `kind` on one bus: name without type -> bits."""
        return {name: _bits(fields) for name, fields in self._lines(FILES[bus], kind)}

    @cache  # noqa: B019
    def ppips(self, kind: str) -> frozenset[str]:
        """Return the features of tiles of type `kind` that need no bit, without the type."""
        return frozenset(name for name, _ in self._lines("ppips_{}.db", kind))

    def _lines(self, pattern: str, kind: str) -> list[tuple[str, list[str]]]:
        path = self.folder / pattern.format(kind.lower())
        if not path.is_file():
            return []
        fields = (line.split() for line in path.read_text().splitlines() if line)
        return [(canonical(name.split(".", 1)[1]), rest) for name, *rest in fields]


class Tile:
    """One tile: what its features set."""

    def __init__(self, database: Database, entry: dict) -> None:
        self.parts: list[tuple[dict[str, Bits], int, dict[str, str]]] = []
        self.ppips = database.ppips(entry["type"])
        for bus, where in entry["bits"].items():
            alias = where.get("alias", {"type": entry["type"], "start_offset": 0, "sites": {}})
            self.ppips |= database.ppips(alias["type"])
            offset = WORD_BITS * (where["offset"] - alias["start_offset"])
            base = (int(where["baseaddr"], 16) << FRAME_SHIFT) + offset
            self.parts.append((database.segbits(bus, alias["type"]), base, alias["sites"]))

    def bits(self, feature: str, index: int) -> Bits | None:
        """Return the bits of bit `index` of `feature`; None if the tile has no such feature."""
        name = f"{feature}[{index}]" if index else feature
        for segbits, base, sites in self.parts:
            site, _, rest = name.partition(".")
            found = segbits.get(f"{sites[site]}.{rest}" if site in sites else name)
            if found is not None:
                return found.at(base)
        return Bits((), ()) if name in self.ppips else None


def canonical(name: str) -> str:
    """Return the name of a feature's bit without leading zeros, and bit 0 as the feature itself."""
    match = INDEX.search(name)
    if match is None:
        return name
    return name[: match.start()] + (f"[{match[1]}]" if int(match[1]) else "")


def _bits(fields: list[str]) -> Bits:
    ones, zeros = [], []
    for field in fields:
        frame, _, bit = field.lstrip("!").partition("_")
        (zeros if field.startswith("!") else ones).append(int(frame) << FRAME_SHIFT | int(bit))
    return Bits(tuple(ones), tuple(zeros))
