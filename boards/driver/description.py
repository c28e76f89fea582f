"""The JSON file that describes a network behind its shell: registers, packet, seeds, self-test."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

from boards.driver.errors import DriverError, require

__all__ = ["FILE", "Description", "Register"]

FILE = "accelerator.json"
"""Its name in a deploy folder."""
FORMAT_VERSION = 1


class Register(NamedTuple):
    """One register: its offset from the shell's base, and its single-bit fields."""

    name: str
    offset: int
    reset: int
    bits: dict[str, int]

    def fields(self, value: int) -> list[str]:
        """Return the names of the fields that are set in `value`."""
        return [name for name, bit in self.bits.items() if value >> bit & 1]


class Description:
    """What the file says.

    Parameters
    ----------
    source : path of the file, or its content.
    """

    def __init__(self, source: str | Path | dict[str, Any]) -> None:
        where = "the description"
        if isinstance(source, dict):
            content = source
        else:
            where = str(source)
            try:
                content = json.loads(Path(source).read_text())
            except OSError as error:
                raise DriverError(f"{where} must be readable, not this: {error.strerror}") from None
            except ValueError as error:
                raise DriverError(f"{where} must be JSON, not this: {error}") from None
        version = content.get("format_version")
        require(version == FORMAT_VERSION, f"{where}: format_version", str(FORMAT_VERSION), version)
        try:
            self.name = str(content["name"])
            self.digest = str(content["model_digest"])
            self.input_shape = tuple(content["input_shape"])
            self.classes = tuple(content["classes"])
            self.fraction_bits = int(content["fraction_bits"])
            self.max_members = int(content["max_members"])
            self.cycles_per_member = float(content["cycles_per_member"])
            self.clock_mhz = content["clock_mhz"]
            self.baud: int | None = content.get("baud")
            self.base = int(content["base"])
            self.seeds: dict[str, int] = content["seeds"]
            self.packet: list[dict[str, Any]] = content["packet"]
            self.registers = {
                f"{block}.{row['name']}": Register(
                    row["name"], row["address"], row["reset"], row["bits"]
                )
                for block, rows in content["registers"].items()
                for row in rows
            }
        except KeyError as error:
            raise DriverError(f"{where} must have an entry {error}, not lack it") from None
        self.random_words: list[list[int]] = content.get("random_words", [])
        self.self_test = content.get("self_test")
        self.codes = base64.b64decode(content.get("codes", ""))
        self.constants: dict[str, list[int]] = content.get("constants", {})
        self.correction: dict[str, list[int]] = content.get("correction", {})

    @property
    def pixels(self) -> int:
        """Bytes of an image."""
        height, width, channels = self.input_shape
        return int(height * width * channels)

    @property
    def image_bytes(self) -> int:
        """Bytes of an image in memory, whole beats of four."""
        return -(-self.pixels // 4) * 4

    @property
    def span(self) -> int:
        """Bytes of address space from the base to behind the last register, in whole pages."""
        last = max(register.offset for register in self.registers.values())
        return (last // 4096 + 1) * 4096

    def packet_words(self, members: int) -> int:
        """Return the words of a packet with all members' logits."""
        return sum(
            part["words"] * (members if part["words_per_member"] else 1) for part in self.packet
        )
