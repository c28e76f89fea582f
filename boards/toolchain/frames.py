"""From FASM to the frames of the configuration, and back from a bitstream to the same bits.

This is the step between place and route and ``xc7frames2bit``. Bits are numbers as in
``boards.toolchain.database``. Frames that hold no bit are left out; they are zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bbnn.errors import InputError
from boards.toolchain.database import FRAME_SHIFT, WORD_BITS, WORDS, Database
from boards.toolchain.fasm import Setting, settings

__all__ = ["assemble", "bits_read", "frames_text"]

BIT = re.compile(r"^bit_([0-9a-f]{8})_(\d{3})_(\d{2})$", re.MULTILINE)
"""A line of ``bitread -y``: frame address, word, bit."""


def assemble(database: Database, fasm: Path) -> set[int]:
    """Return the bits that the design in `fasm` sets, with those that every design needs.

    Raise `InputError`, naming file and line, at a feature that the database does not have, or that
    needs a bit to be zero which another one sets.
    """
    ones: set[int] = set()
    zeros: dict[int, str] = {}
    for path in (database.required, fasm):
        with path.open() as lines:
            for setting in settings(lines, str(path)):
                _apply(database, setting, f"{path}:{setting.line}", ones, zeros)
    for bit in ones & zeros.keys():
        raise InputError(f"{zeros[bit]} needs a bit to be zero, which another feature sets")
    return ones


def _apply(
    database: Database, setting: Setting, where: str, ones: set[int], zeros: dict[int, str]
) -> None:
    name, _, feature = setting.feature.partition(".")
    value, index = setting.value, setting.low
    while value:
        # Go from one set bit to the next.
        step = (value & -value).bit_length() - 1
        index, value = index + step, value >> step + 1
        try:
            bits = database.tile(name).bits(feature, index)
        except KeyError:
            bits = None
        if bits is None:
            raise InputError(
                f"{where} must name a feature of {database.part}, not "
                f"{setting.feature}[{index}], which the database lacks"
            )
        ones.update(bits.ones)
        zeros.update(dict.fromkeys(bits.zeros, f"{where}: {setting.feature}"))
        index += 1


def frames_text(bits: Iterable[int]) -> str:
    """Return the file that ``xc7frames2bit`` reads: a frame a line, address and words in hex."""
    frames: dict[int, list[int]] = {}
    for bit in bits:
        address, place = bit >> FRAME_SHIFT, bit & (1 << FRAME_SHIFT) - 1
        words = frames.setdefault(address, [0] * WORDS)
        words[place // WORD_BITS] |= 1 << place % WORD_BITS
    lines = (
        f"0x{address:08x} " + ",".join(f"0x{word:08x}" for word in frames[address]) + "\n"
        for address in sorted(frames)
    )
    return "".join(lines)


def bits_read(text: str) -> set[int]:
    """Return the bits in what ``bitread -y`` says of a bitstream."""
    found = BIT.findall(text)
    return {
        int(address, 16) << FRAME_SHIFT | WORD_BITS * int(word) + int(bit)
        for address, word, bit in found
    }
