"""The shell as the driver handles it: registers by name, stops, transfers."""

from __future__ import annotations

import numpy as np

from boards.driver.backend import Backend
from boards.driver.description import Description
from boards.driver.errors import DriverError, require
from boards.driver.movers import mover_for
from boards.driver.prediction import unpack

__all__ = ["Device"]


class Device:
    """The core behind a backend, and what moves its data.

    Parameters
    ----------
    backend : the way to them.
    description : of the network and of the registers.
    """

    def __init__(self, backend: Backend, description: Description) -> None:
        self.backend = backend
        self.description = description
        self.mover = mover_for(self, backend)

    def stop(self) -> None:
        """Stop the core, then what moves its data, which takes what the core still offers."""
        self.write("core.CONTROL", 0)
        self.mover.stop()
        self.idle("core.STATUS", "idle", True)

    def idle(self, name: str, field: str, value: bool) -> None:
        """Wait until a field has this value; raise if it does not take it soon."""
        for _ in range(1000):
            if (field in self.fields(name)) == value:
                return
            self.backend.wait(1e-6)
        raise DriverError(f"{name} must come to rest after a stop, not stay {self.fields(name)}")

    def read(self, name: str) -> int:
        """Return what a register reads, named "core.STATUS" say."""
        return self.backend.read(self.description.registers[name].offset)

    def fields(self, name: str) -> list[str]:
        """Return the names of the fields that are set in a register."""
        return self.description.registers[name].fields(self.read(name))

    def write(self, name: str, value: int) -> None:
        """Write a register."""
        self.backend.write(self.description.registers[name].offset, value)

    def bits(self, name: str, *fields: str) -> int:
        """Return the value of a register with these fields set."""
        return sum(1 << self.description.registers[name].bits[field] for field in fields)

    def transfer(self, first: int, beats: np.ndarray, members: int) -> dict[str, np.ndarray]:
        """Move images in and packets out; return the packets' fields."""
        told = self.description
        length = told.packet_words(members)
        content = self.mover.move(beats, 4 * length * len(beats), members)
        fields = unpack(content.view("<u4").reshape(-1, length), told.packet, members)
        numbers = fields["image"][:, 0]
        right = np.array_equal(numbers, np.arange(first, first + len(beats)))
        expected = f"{first} to {first + len(beats) - 1}"
        require(right, "the packets' image numbers", expected, f"{numbers[0]} to {numbers[-1]}")
        return fields
