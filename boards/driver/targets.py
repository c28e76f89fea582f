"""From what a person names to the way there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boards.driver.backend import Backend
from boards.driver.description import Description
from boards.driver.errors import DriverError, require
from boards.driver.linux import Linux
from boards.driver.pynq import Pynq
from boards.driver.uart import SerialPort, Uart

__all__ = ["open_target"]


def open_target(target: Any, description: Description) -> Backend:
    """Return the backend for a bitstream, an address, a device, or a `Backend` itself."""
    if isinstance(target, Backend):
        return target
    if isinstance(target, int):
        return Linux("/dev/mem", description.span, offset=target)
    if isinstance(target, (str, Path)):
        path = str(target)
        if path.endswith(".bit"):
            return Pynq(path, description)
        if path.startswith("/dev/uio"):
            return Linux(path, description.span)
        if path.startswith(("/dev/tty", "/dev/serial/", "/dev/pts/")):
            baud = description.baud or 0
            require(baud > 0, f"the board at {path}", "one with a serial line", "another")
            return Uart(SerialPort(path, baud))
    raise DriverError(
        "the target must be a .bit file, an address, a /dev/uio or /dev/tty device or a backend, "
        f"not {target}"
    )
