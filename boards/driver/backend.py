"""What the driver needs of a machine: registers, a clock, and memory that the hardware sees or a
way for streams.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np

from boards.driver.errors import require

__all__ = ["Backend", "Buffer", "MemoryBackend", "Region", "StreamBackend"]


class Buffer(ABC):
    """Memory that the hardware reads or writes.

    array : uint8, its content as the processor sees it. address : where the hardware sees it.
    """

    array: np.ndarray
    address: int

    @abstractmethod
    def flush(self) -> None:
        """Let the hardware see what the processor wrote."""

    @abstractmethod
    def invalidate(self) -> None:
        """Let the processor see what the hardware wrote."""

    @abstractmethod
    def free(self) -> None:
        """Give the memory back."""


class Backend(ABC):
    """A way to the registers, by their offset from the shell's base.

    Whatever goes wrong raises `DriverError`.
    """

    @abstractmethod
    def read(self, offset: int) -> int:
        """Return a register's 32 bits."""

    @abstractmethod
    def write(self, offset: int, value: int) -> None:
        """Write a register's 32 bits."""

    def now(self) -> float:
        """Return a time in seconds; only differences count."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    @abstractmethod
    def close(self) -> None:
        """Let go of the machine; again does nothing."""


class MemoryBackend(Backend):
    """One whose hardware has a DMA."""

    @abstractmethod
    def buffer(self, size: int) -> Buffer:
        """Return a buffer of `size` bytes at a multiple of 8."""


class StreamBackend(Backend):
    """One that carries images and packets itself."""

    @abstractmethod
    def send(self, image: bytes) -> None:
        """Give an image, whole words, to the core."""

    @abstractmethod
    def fetch(self, size: int, seconds: float) -> bytes:
        """Return a packet of `size` bytes, which the core has ready after `seconds` at the most."""

    @abstractmethod
    def clear(self) -> None:
        """Drop what is on its way to the core, which has been stopped, and what it offers."""


class Region:
    """A piece of physical memory, handed out from the last piece in use on.

    Parameters
    ----------
    address : physical address of its first byte.
    size : in bytes.
    """

    ALIGNMENT = 128

    def __init__(self, address: int, size: int) -> None:
        self.address = address
        self.size = size
        self._ends: dict[int, int] = {}

    def take(self, size: int) -> int:
        """Return the offset of `size` free bytes, a multiple of `ALIGNMENT`."""
        offset = max(self._ends.values(), default=0)
        left = self.size - offset
        require(size <= left, "the buffer", f"at most {left} bytes, of {self.size} in all", size)
        self._ends[offset] = offset + max(1, -(-size // self.ALIGNMENT)) * self.ALIGNMENT
        return offset

    def give(self, offset: int) -> None:
        """Take the piece at `offset` back."""
        del self._ends[offset]
