"""Registers and memory through Linux alone: UIO or /dev/mem, and a u-dma-buf device.

The bitstream must have been loaded, and its clock set. `u-dma-buf` is a kernel module that hands
out contiguous memory (github.com/ikwzm/udmabuf); opened with O_SYNC, its pages are not cached.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from boards.driver.backend import Buffer, MemoryBackend, Region
from boards.driver.errors import DriverError, require

__all__ = ["Linux"]

MANAGER = Path("/sys/class/fpga_manager/fpga0/state")
"""Says "operating" when the logic is configured; an access to logic that is not hangs the board."""


class Mapped(Buffer):
    """A piece of mapped, uncached memory."""

    def __init__(self, region: Region, memory: np.ndarray, size: int) -> None:
        offset = region.take(size)
        self.region = region
        self.address = region.address + offset
        self.array = memory[offset : offset + size]

    def flush(self) -> None:
        """Do nothing: the memory is not cached."""

    def invalidate(self) -> None:
        """Do nothing: the memory is not cached."""

    def free(self) -> None:
        self.region.give(self.address - self.region.address)


class Linux(MemoryBackend):
    """Registers behind a device file, buffers in a u-dma-buf.

    Parameters
    ----------
    device : "/dev/mem", or a UIO device such as "/dev/uio0".
    span : bytes of registers.
    offset : their place in the file: the physical address in /dev/mem, 0 in a UIO device.
    memory : the u-dma-buf device.
    system : folder of the kernel's description of such devices.
    """

    def __init__(
        self,
        device: str,
        span: int,
        *,
        offset: int = 0,
        memory: str = "/dev/udmabuf0",
        system: str = "/sys/class/u-dma-buf",
    ) -> None:
        if MANAGER.exists():
            state = MANAGER.read_text().strip()
            require(state == "operating", "the programmable logic", "configured", state)
        described = Path(system) / Path(memory).name
        try:
            address = int((described / "phys_addr").read_text(), 0)
            size = int((described / "size").read_text(), 0)
            self._files = [_map(device, span, offset)]
            self._files.append(_map(memory, size, 0))
        except OSError as error:
            raise DriverError(
                f"{error.filename or device} must be usable, not refused: {error.strerror}"
            ) from None
        self._registers = np.frombuffer(self._files[0], np.uint32)
        self._memory = np.frombuffer(self._files[1], np.uint8)
        self._region = Region(address, size)

    def read(self, offset: int) -> int:
        return int(self._registers[offset // 4])

    def write(self, offset: int, value: int) -> None:
        self._registers[offset // 4] = value

    def buffer(self, size: int) -> Buffer:
        return Mapped(self._region, self._memory, size)

    def close(self) -> None:
        """Leave the mappings to the garbage collector: arrays may still look into them."""


def _map(path: str, size: int, offset: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_SYNC)
    try:
        return mmap.mmap(descriptor, size, offset=offset)
    finally:
        os.close(descriptor)
