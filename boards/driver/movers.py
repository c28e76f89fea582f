"""How images get to the core and packets back: through memory by the DMA, or over a serial line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from boards.driver.backend import Backend, Buffer, MemoryBackend, StreamBackend
from boards.driver.errors import DriverError, require

if TYPE_CHECKING:
    from boards.driver.device import Device

__all__ = ["Mover", "mover_for"]

MARGIN = 10
"""How many times as long as the cycle model says a transfer may take."""
GRACE = 0.02
"""And so many seconds more."""


def mover_for(device: Device, backend: Backend) -> Mover:
    """Return what moves data on this kind of backend."""
    if isinstance(backend, MemoryBackend):
        return Dma(device, backend)
    if isinstance(backend, StreamBackend):
        return Line(device, backend)
    raise DriverError(f"a backend must reach memory or streams, not be {type(backend).__name__}")


class Mover(ABC):
    """A way for the data of a device.

    blocks : whose registers there are.
    """

    blocks: tuple[str, ...]

    def __init__(self, device: Device) -> None:
        self.device = device

    @abstractmethod
    def stop(self) -> None:
        """Move nothing any more; take what the core, which has been stopped, still offers."""

    def begin(self) -> None:
        """Make ready, before the core runs."""
        return

    @abstractmethod
    def move(self, beats: np.ndarray, size: int, members: int) -> np.ndarray:
        """Move images, uint8 (N, bytes), in and `size` bytes of packets out; return these.

        Raise `DriverError` if that fails or takes too long.
        """

    def patience(self, image_members: int) -> float:
        """Return after how many seconds so many members are late."""
        told = self.device.description
        expected = image_members * told.cycles_per_member / (1e6 * (told.clock_mhz or 100))
        return MARGIN * expected + GRACE


class Dma(Mover):
    """The shell's DMA moves whole batches, from memory and to it."""

    blocks = ("core", "dma")

    def __init__(self, device: Device, backend: MemoryBackend) -> None:
        super().__init__(device)
        self.backend = backend
        self._codes: Buffer | None = None
        self._control = 0

    def begin(self) -> None:
        """Let codes that are not on the part come from memory, where they stay."""
        device, codes = self.device, self.device.description.codes
        if not codes:
            return
        if self._codes is None:
            self._codes = self.backend.buffer(len(codes))
            self._codes.array[:] = np.frombuffer(codes, np.uint8)
            self._codes.flush()
        device.write("dma.CODES", self._codes.address)
        self._control = device.bits("dma.CONTROL", "codes")
        device.write("dma.CONTROL", self._control)

    def stop(self) -> None:
        self._control = 0
        self.device.write("dma.CONTROL", 0)
        self.device.idle("dma.STATUS", "busy", False)

    def move(self, beats: np.ndarray, size: int, members: int) -> np.ndarray:
        device = self.device
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
                device.write(f"dma.{name}", value)
            device.write("dma.CONTROL", device.bits("dma.CONTROL", "run") | self._control)
            self._await(settings, len(beats) * members)
        except BaseException:
            # If this fails, too, something may still write there: then the memory is not freed.
            device.stop()
            source.free()
            target.free()
            raise
        device.write("dma.CONTROL", self._control)
        target.invalidate()
        content = np.array(target.array)  # a plain array, whatever kind the buffer's is
        source.free()
        target.free()
        return content

    def _await(self, settings: dict[str, int], image_members: int) -> None:
        """Wait until the transfer is done; raise if it fails or takes too long."""
        device, patience = self.device, self.patience(image_members)
        deadline = self.backend.now() + patience
        pause = min(max((patience - GRACE) / MARGIN / 10, 1e-5), 1e-2)
        register = device.description.registers["dma.STATUS"]
        while True:
            late = self.backend.now() > deadline
            found = register.fields(device.read("dma.STATUS"))
            if found == ["done"]:
                return
            if late or "busy" not in found:
                break
            self.backend.wait(pause)
        state = [f"dma {', '.join(found) or 'idle'}"]
        state += [f"core {name}" for name in device.fields("core.STATUS")]
        state += [f"{name} {device.read('dma.' + name)}" for name in ("BYTES_IN", "BYTES_OUT")]
        what = "{SOURCE_BYTES} bytes from {SOURCE:#x} and {DESTINATION_BYTES} to {DESTINATION:#x}"
        require(False, f"the transfer of {what.format(**settings)}", "done", "; ".join(state))


class Line(Mover):
    """One image after another, and each one's packet before the next: the line is the slowest."""

    blocks = ("core",)

    def __init__(self, device: Device, backend: StreamBackend) -> None:
        super().__init__(device)
        self.backend = backend

    def stop(self) -> None:
        self.backend.clear()

    def move(self, beats: np.ndarray, size: int, members: int) -> np.ndarray:
        each = size // len(beats)
        packets = []
        for image in beats:
            self.backend.send(image.tobytes())
            packets.append(self.backend.fetch(each, self.patience(members)))
        return np.frombuffer(b"".join(packets), np.uint8)
