"""A simulated shell's registers and memory, or its serial line: a program spoken to line by line.

The commands are in ``boards/shell/bench/bench.v`` and ``uart.v``. The processor's copy of a buffer
and that in the simulated memory meet only where the driver says so, so a missing flush is noticed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import numpy as np

from boards.driver.backend import Buffer, MemoryBackend, Region
from boards.driver.errors import DriverError, require
from boards.driver.uart import Port

__all__ = ["SimulatedLine", "Simulation"]

CLOCK_MHZ = 100
OKAY = 0


class Program:
    """A simulator that is spoken to line by line; its time is the hardware's.

    Parameters
    ----------
    command : starts it.
    clock_mhz : of the hardware.
    """

    def __init__(self, command: Sequence[str], clock_mhz: float) -> None:
        self.clock_mhz = clock_mhz
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def cycles(self, pause: int = 0) -> int:
        """Return the clock cycles since reset, after `pause` more."""
        self._send(f"i 0 {pause:x}\n")
        return int(self._answer()[0], 16)

    def now(self) -> float:
        return self.cycles() / (1e6 * self.clock_mhz)

    def wait(self, seconds: float) -> None:
        self.cycles(max(1, round(seconds * 1e6 * self.clock_mhz)))

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _send(self, lines: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(lines)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise DriverError(f"the simulation must run, not have ended: {self._rest()}") from None

    def _answer(self) -> list[str]:
        """Return what follows the "=" of the next answer; nothing if there is none."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("="):
                return line[1:].split()
            if line.startswith(("-", ".")):
                return []
            if line.startswith("bench:"):
                raise DriverError(f"the simulation must go on, not stop: {line.strip()}")
        raise DriverError("the simulation must run, not have ended")

    def _rest(self) -> str:
        assert self._process.stdout is not None
        return " ".join(self._process.stdout.read().split())[:200]


class Simulated(Buffer):
    """A buffer in the simulated memory."""

    def __init__(self, simulation: Simulation, size: int) -> None:
        self.simulation = simulation
        self.address = simulation.region.address + simulation.region.take(size)
        self._words = np.full(-(-size // 8), 0x5A5A5A5A5A5A5A5A, np.uint64)
        self.array = self._words.view(np.uint8)[:size]

    def flush(self) -> None:
        self.simulation.store(self.address, self._words.tolist())

    def invalidate(self) -> None:
        self._words[:] = self.simulation.load(self.address, len(self._words))

    def free(self) -> None:
        region = self.simulation.region
        region.give(self.address - region.address)


class Simulation(Program, MemoryBackend):
    """A shell in a simulator.

    Parameters
    ----------
    command : starts the simulator, as ``boards.shell.simulator.build`` returns it.
    base : what the offsets of registers count from.
    plusargs : of the bench, such as "+rate=50".
    region : the buffers' place in the simulated memory.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        base: int = 0x4000_0000,
        plusargs: Sequence[str] = (),
        region: Region | None = None,
    ) -> None:
        self.base = base
        self.region = region or Region(0x1000_0000, 1 << 21)
        super().__init__([*command, *plusargs], CLOCK_MHZ)

    def read(self, offset: int) -> int:
        response, data = self._access("r", offset, 0)
        self._accepted("reading", offset, response)
        return int(data, 16)

    def write(self, offset: int, value: int) -> None:
        (response,) = self._access("w", offset, value)
        self._accepted("writing", offset, response)

    def buffer(self, size: int) -> Buffer:
        return Simulated(self, size)

    def store(self, address: int, words: list[int]) -> None:
        """Put words of 8 bytes into memory."""
        self._send("".join(f"s {address + 8 * i:x} {word:x}\n" for i, word in enumerate(words)))

    def load(self, address: int, count: int) -> list[int]:
        """Return words of 8 bytes out of memory."""
        self._send(f"l {address:x} {count:x}\n")
        return [int(self._answer()[0], 16) for _ in range(count)]

    def _access(self, op: str, offset: int, value: int) -> list[str]:
        self._send(f"{op} {self.base + offset:x} {value:x}\n")
        answer = self._answer()
        where = f"the bus at {self.base + offset:#010x}"
        require(bool(answer), where, "answering", "silent")
        return answer

    def _accepted(self, what: str, offset: int, response: str) -> None:
        okay = int(response, 16) == OKAY
        require(okay, f"{what} {self.base + offset:#010x}", "accepted", f"refused ({response})")


class SimulatedLine(Program, Port):
    """The serial line to a shell in a simulator (``boards/shell/bench/uart.v``).

    Parameters
    ----------
    command : starts the simulator, as ``boards.shell.simulator.build`` returns it.
    divisor : clock cycles of a bit.
    silence_cycles : after which the shell has forgotten what was begun.
    plusargs : of the bench.
    """

    CLOCK_MHZ = 25.0

    def __init__(
        self,
        command: Sequence[str],
        *,
        divisor: int,
        silence_cycles: int,
        plusargs: Sequence[str] = (),
    ) -> None:
        super().__init__([*command, *plusargs], self.CLOCK_MHZ)
        self.baud = 1e6 * self.clock_mhz / divisor
        self.latency = 100 / self.baud
        self.silence = 2 * silence_cycles / (1e6 * self.clock_mhz)

    def write(self, data: bytes) -> None:
        self._send("".join(f"t {byte:x} 0\n" for byte in data))

    def read(self, count: int, seconds: float) -> bytes:
        self._send(f"g {count:x} {round(seconds * 1e6 * self.clock_mhz):x}\n")
        got = []
        while answer := self._answer():
            got.append(int(answer[0], 16))
        return bytes(got)
