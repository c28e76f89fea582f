"""FASM, the FPGA assembly of Project X-Ray: which features of which tiles a design turns on.

A line names a feature, perhaps with some of its bits and their value: ``TILE.SITE.ENABLED``,
``TILE.SITE.MODE[2]`` or ``TILE.SITE.INIT[63:0] = 64'h8000``. ``#`` starts a comment, and braces
hold annotations, which set nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bbnn.errors import InputError, describe

__all__ = ["Setting", "settings"]

LINE = re.compile(
    r"(?P<feature>\w+(?:\.\w+)+)"
    r"(?:\[(?P<high>\d+)(?::(?P<low>\d+))?\])?"
    r"(?:\s*=\s*(?:(?P<width>\d*)'(?P<base>[hbod])(?P<digits>[0-9a-fA-F_]+)|(?P<plain>\d+)))?"
)
BASES = {"h": 16, "b": 2, "o": 8, "d": 10}


class Setting(NamedTuple):
    """What one line sets: bit `low` + i of `feature` is bit i of `value`.

    A feature without bits is its bit 0.
    """

    line: int
    feature: str
    low: int
    value: int


def settings(lines: Iterable[str], name: str) -> Iterator[Setting]:
    """Yield what `lines` of the file called `name` set; raise `InputError` at the first bad one."""
    for number, text in enumerate(lines, 1):
        bare = re.sub(r"\{.*?\}", "", text.split("#", 1)[0]).strip()
        if not bare:
            continue
        match = LINE.fullmatch(bare)
        value = None if match is None else _value(match)
        if match is None or value is None:
            raise InputError(f"{name}:{number} must be a line of FASM, not {describe(bare)}")
        yield Setting(number, match["feature"], int(match["low"] or match["high"] or 0), value)


def _value(match: re.Match[str]) -> int | None:
    """Return the value of a line, or None if its digits are not its base's or do not fit."""
    high = int(match["high"] or 0)
    width = high - int(match["low"] or high) + 1
    if match["plain"]:
        value = int(match["plain"])
    elif match["digits"]:
        width = min(width, int(match["width"] or width))
        try:
            value = int(match["digits"], BASES[match["base"]])
        except ValueError:
            return None
    else:
        value = 1
    return value if value < 1 << max(width, 0) else None
