"""What stands at the head of a .bit file, and whether it is meant for a part.

A .bit file is a length-prefixed run of bytes, the number 1, and then fields: a letter, a length of
two bytes and text that ends in a zero byte: "a" the design's name, "b" the part, "c" and "d" date
and time; at last "e" with a length of four bytes and the configuration itself. All lengths are
big-endian.

That of Lattice's ECP5 begins with the bytes FF 00, has a line of text that ends in a zero byte,
"Part: LFE5U-85F-6CABGA381", and then the configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bbnn.errors import InputError, require

__all__ = ["BitHeader", "read_header", "require_part"]

LATTICE = b"\xff\x00Part: "
LIMIT = 4096
"""More than any header has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BitHeader:
    """design : name and options of the tool. part : as that tool spells it. length : in bytes."""

    design: str
    part: str
    length: int
    date: str = ""
    time: str = ""


def read_header(path: Path) -> BitHeader:
    """Return the header of the .bit file `path`; raise `InputError` if it is not one, or cut."""
    require(path.is_file(), str(path), "a .bit file", "missing")
    with path.open("rb") as file:
        head = file.read(LIMIT)
    refusal = InputError(f"{path} must be a whole .bit file, not something else")
    if head.startswith(LATTICE):
        text, end, _ = head.removeprefix(LATTICE).partition(b"\x00")
        # Where a file was cut off, it does not say.
        if not end:
            raise refusal
        length = path.stat().st_size - len(LATTICE) - len(text) - 1
        return BitHeader(
            design=path.stem, part=text.decode("ascii", errors="replace"), length=length
        )
    place = 2 + int.from_bytes(head[:2], "big")
    if head[place : place + 2] != b"\x00\x01":
        raise refusal
    place += 2
    fields: dict[str, str] = {}
    while (key := head[place : place + 1]) in (b"a", b"b", b"c", b"d"):
        size = int.from_bytes(head[place + 1 : place + 3], "big")
        text = head[place + 3 : place + 3 + size]
        fields[key.decode()] = text.rstrip(b"\x00").decode("ascii", errors="replace")
        place += 3 + size
    if key != b"e" or set(fields) != set("abcd"):
        raise refusal
    length = int.from_bytes(head[place + 1 : place + 5], "big")
    whole = path.stat().st_size - place - 5
    require(length == whole, f"{path}", f"{length} bytes of configuration, as it says", whole)
    return BitHeader(
        design=fields["a"], part=fields["b"], date=fields["c"], time=fields["d"], length=length
    )


def require_part(path: Path, part: str, board: str) -> BitHeader:
    """Return the header of `path`; raise `InputError` unless it is for `part`, which `board` has.

    Vivado leaves "xc" and the speed grade out: "7z020clg400" is "xc7z020clg400-1".
    """
    header = read_header(path)
    same = _plain(header.part) == _plain(part)
    require(same, f"{path}: part", f"{part}, that of {board}", header.part)
    return header


def _plain(part: str) -> str:
    return re.sub(r"^xc|-[0-9]+[a-z]*$", "", part.lower())
