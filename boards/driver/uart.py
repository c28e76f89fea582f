"""The core behind a serial line, command for command (docs/driver.md)."""

from __future__ import annotations

import importlib
import os
import select
import time
from abc import ABC, abstractmethod
from typing import Any

from boards.driver.backend import StreamBackend
from boards.driver.errors import DriverError, require

__all__ = ["Port", "SerialPort", "Uart"]

READ, WRITE, SEND, FETCH, CLEAR, IGNORED = b"RWSFC\0"
OKAY = 0
SILENCE = 0.2
"""Seconds after which the other side has forgotten what was begun; it waits half as long."""
EVERYTHING = 1 << 20
"""More bytes than can be on their way."""


class Port(ABC):
    """A serial line of 8 data bits, no parity and 1 stop bit.

    baud : bits a second. latency : most seconds for which bytes lie somewhere on their way.
    silence : seconds after which the hardware surely has forgotten what was begun.
    """

    baud: float
    latency = 1.0
    silence = SILENCE

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send bytes, now or soon."""

    @abstractmethod
    def read(self, count: int, seconds: float) -> bytes:
        """Return the next `count` bytes, or those that have come when the time is over."""

    def now(self) -> float:
        """Return a time in seconds; only differences count."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    @abstractmethod
    def close(self) -> None:
        """Let go of it; again does nothing."""


class Uart(StreamBackend):
    """Registers and streams behind a serial port.

    Parameters
    ----------
    port : the way there.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self._begin()

    def read(self, offset: int) -> int:
        answer = self._ask(READ, offset, what=f"reading {offset:#06x}", size=4)
        return int.from_bytes(answer, "little")

    def write(self, offset: int, value: int) -> None:
        self._ask(WRITE, offset, value.to_bytes(4, "little"), what=f"writing {offset:#06x}")

    def send(self, image: bytes) -> None:
        self._ask(SEND, len(image) // 4, image, what=f"an image of {len(image)} bytes")

    def fetch(self, size: int, seconds: float) -> bytes:
        what = f"a packet of {size} bytes"
        return self._ask(FETCH, size // 4, what=what, size=size, seconds=seconds)

    def clear(self) -> None:
        self._ask(CLEAR, what="clearing")

    def now(self) -> float:
        return self.port.now()

    def wait(self, seconds: float) -> None:
        self.port.wait(seconds)

    def close(self) -> None:
        self.port.close()

    def _ask(
        self,
        command: int,
        number: int | None = None,
        data: bytes = b"",
        *,
        what: str,
        size: int = 0,
        seconds: float = 0,
    ) -> bytes:
        """Give a command; return the `size` bytes of its answer, whose response must be OKAY."""
        said = bytes([command])
        if number is not None:
            require(number < 1 << 16, what, "at most 65535 words or an address as small", number)
            said += number.to_bytes(2, "little")
        said += data
        self.port.write(said)
        moving = 10 * (len(said) + size + 1) / self.port.baud
        answer = self.port.read(size + 1, moving + seconds + self.port.latency)
        if len(answer) != size + 1:
            self._begin()
            require(False, what, f"answered with {size + 1} bytes", f"with {len(answer)}")
        require(answer[-1] == OKAY, what, "accepted", f"refused ({answer[-1]:02x})")
        return answer[:-1]

    def _begin(self) -> None:
        """End what was begun, and drop what is under way."""
        self.port.write(bytes([IGNORED]))
        self.port.wait(self.port.silence)
        self.port.read(EVERYTHING, 0)


class SerialPort(Port):
    """A serial port of Linux, by the standard library alone.

    Parameters
    ----------
    path : such as "/dev/ttyUSB0".
    baud : bits a second, one that Linux has a constant for.
    """

    def __init__(self, path: str, baud: int) -> None:
        self.baud = baud
        try:
            # Not every system has it.
            termios: Any = importlib.import_module("termios")
            speed = getattr(termios, f"B{baud}")
        except (ImportError, AttributeError):
            raise DriverError(f"{baud} baud must be known to this system, not unknown") from None
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY)
            mode = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed, speed, [0] * 32]
            termios.tcsetattr(self._file, termios.TCSANOW, mode)
        except (OSError, termios.error) as error:
            reason = getattr(error, "strerror", None) or error.args[-1]
            raise DriverError(f"{path} must be a serial port, not refused: {reason}") from None

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def read(self, count: int, seconds: float) -> bytes:
        deadline = self.now() + seconds
        got = b""
        while len(got) < count:
            left = max(0, deadline - self.now())
            if not select.select([self._file], [], [], left)[0]:
                break
            piece = os.read(self._file, count - len(got))
            if not piece:
                break
            got += piece
        return got

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
