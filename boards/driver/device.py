"""The shell as the driver handles it: registers by name, stops, transfers."""

from __future__ import annotations

import numpy as np

from boards.driver.backend import Backend
from boards.driver.description import Description
from boards.driver.errors import DriverError, require
from boards.driver.prediction import unpack

__all__ = ["Device"]

MARGIN = 10
"""How many times as long as the cycle model says a transfer may take."""
GRACE = 0.02
"""And so many seconds more."""


class Device:
    """Core and DMA behind a backend.

    Parameters
    ----------
    backend : the way to them.
    description : of the network and of the registers.
    """

    def __init__(self, backend: Backend, description: Description) -> None:
        self.backend = backend
        self.description = description

    def stop(self) -> None:
        """Stop the core, then the DMA, which takes what the core still offers."""
        self.write("core.CONTROL", 0)
        self.write("dma.CONTROL", 0)
        self._idle("dma.STATUS", "busy", False)
        self._idle("core.STATUS", "idle", True)

    def _idle(self, name: str, field: str, value: bool) -> None:
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
        size = 4 * length * len(beats)
        source, target = self.backend.buffer(beats.size), self.backend.buffer(size)
        try:
            source.array[:] = beats.ravel()
            source.flush()
            target.array[:] = 0
            target.flush()
            settings = {
                "SOURCE": source.address,
                "SOURCE_BYTES": beats.size,
                "DESTINATION": target.address,
                "DESTINATION_BYTES": size,
            }
            for name, value in settings.items():
                self.write(f"dma.{name}", value)
            self.write("dma.CONTROL", self.bits("dma.CONTROL", "run"))
            self._await(settings, len(beats) * members)
        except BaseException:
            # If this fails, too, something may still write there: then the memory is not freed.
            self.stop()
            source.free()
            target.free()
            raise
        self.write("dma.CONTROL", 0)
        target.invalidate()
        content = np.array(target.array)  # a plain array, whatever kind the buffer's is
        source.free()
        target.free()
        fields = unpack(content.view("<u4").reshape(-1, length), told.packet, members)
        numbers = fields["image"][:, 0]
        right = np.array_equal(numbers, np.arange(first, first + len(beats)))
        expected = f"{first} to {first + len(beats) - 1}"
        require(right, "the packets' image numbers", expected, f"{numbers[0]} to {numbers[-1]}")
        return fields

    def _await(self, settings: dict[str, int], image_members: int) -> None:
        """Wait until the transfer is done; raise if it fails or takes too long."""
        told = self.description
        expected = image_members * told.cycles_per_member / (1e6 * (told.clock_mhz or 100))
        deadline = self.backend.now() + MARGIN * expected + GRACE
        pause = min(max(expected / 10, 1e-5), 1e-2)
        register = told.registers["dma.STATUS"]
        while True:
            late = self.backend.now() > deadline
            found = register.fields(self.read("dma.STATUS"))
            if found == ["done"]:
                return
            if late or "busy" not in found:
                break
            self.backend.wait(pause)
        state = [f"dma {', '.join(found) or 'idle'}"]
        state += [f"core {name}" for name in self.fields("core.STATUS")]
        state += [f"{name} {self.read('dma.' + name)}" for name in ("BYTES_IN", "BYTES_OUT")]
        what = "{SOURCE_BYTES} bytes from {SOURCE:#x} and {DESTINATION_BYTES} to {DESTINATION:#x}"
        require(False, f"the transfer of {what.format(**settings)}", "done", "; ".join(state))
