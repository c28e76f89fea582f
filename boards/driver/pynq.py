"""Registers and memory through PYNQ, which also loads the bitstream.

Beside a ``.hwh`` file (Vivado's) it is an `Overlay`, which knows where the IP lies; without one
(the open flow's) it is a `Bitstream`, and the address is the description's. Clock and port are set
here either way: PYNQ sets no port of a Zynq-7000 (its ``pl_server/embedded_device.py``).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from boards.driver.backend import Buffer, MemoryBackend
from boards.driver.description import Description
from boards.driver.errors import DriverError, require

__all__ = ["Pynq"]

# It belongs to the board's image, not to this project's dependencies.
PACKAGE = "pynq"
AFI = 0xF800_8000
"""Registers of HP0's FIFO (Xilinx UG585, AXI_HP)."""
CHANNELS = (0x00, 0x14)
"""Its control registers for reading and writing: bit 0 makes the port 32 bits wide."""
TOLERANCE = 0.01
"""Of the clock, which is an integer fraction of a PLL's."""


class Allocated(Buffer):
    """A buffer of PYNQ's."""

    array: Any

    def __init__(self, array: Any) -> None:
        self.array = array
        self.address = int(array.physical_address)

    def flush(self) -> None:
        self.array.flush()

    def invalidate(self) -> None:
        self.array.invalidate()

    def free(self) -> None:
        self.array.freebuffer()


class Pynq(MemoryBackend):
    """A board under PYNQ.

    Parameters
    ----------
    bitstream : path of the ``.bit`` file.
    description : of the network.
    """

    def __init__(self, bitstream: str, description: Description) -> None:
        require(Path(bitstream).is_file(), bitstream, "a bitstream", "missing")
        try:
            self._pynq = importlib.import_module(PACKAGE)
        except ImportError:
            raise DriverError(
                f"{PACKAGE} must be installed to load {bitstream}, not missing"
            ) from None
        path = str(Path(bitstream).resolve())
        handoff = Path(path).with_suffix(".hwh")
        base = description.base
        if handoff.is_file():
            self._loaded = self._pynq.Overlay(path)
            base = _address(self._loaded.ip_dict, description.name, handoff.name)
        else:
            self._loaded = self._pynq.Bitstream(path)
            self._loaded.download()
        self._widen()
        if description.clock_mhz is not None:
            self._set_clock(description.clock_mhz)
        self._registers = self._pynq.MMIO(base, description.span)

    def _widen(self) -> None:
        """Make HP0 64 bits wide, whatever the boot loader left."""
        control = self._pynq.MMIO(AFI, 0x1000)
        for offset in CHANNELS:
            control.write(offset, control.read(offset) & ~1)

    def _set_clock(self, wanted: float) -> None:
        clocks = self._pynq.Clocks
        clocks.fclk0_mhz = wanted
        found = clocks.fclk0_mhz
        # Slower is safe; faster than it was made for is not.
        fits = found <= wanted * (1 + TOLERANCE)
        require(fits, "FCLK0", f"at most {wanted} MHz", f"{found} MHz")

    def read(self, offset: int) -> int:
        return int(self._registers.read(offset))

    def write(self, offset: int, value: int) -> None:
        self._registers.write(offset, value)

    def buffer(self, size: int) -> Buffer:
        return Allocated(self._pynq.allocate(shape=(size,), dtype="u1"))

    def close(self) -> None:
        """Keep the bitstream: there is nothing to let go of."""


def _address(blocks: dict[str, Any], name: str, handoff: str) -> int:
    """Return where the only IP called `name` lies; whoever drew the block design chose its place.

    blocks : PYNQ's table of what the processor reaches; "type" is vendor:library:name:version.
    """
    found = [
        int(block["phys_addr"])
        for block in blocks.values()
        if "phys_addr" in block and block["type"].split(":")[2:3] == [name]
    ]
    require(len(found) == 1, f"{handoff}: IPs called {name}", "one", len(found))
    return found[0]
