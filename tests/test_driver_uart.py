"""The driver, unmodified, over a serial line: to the simulated shell, and to a pseudo-terminal."""

from __future__ import annotations

import json
import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn.cli import verify
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import save_network
from boards.driver import Accelerator, DriverError, uart
from boards.driver.backend import Backend
from boards.driver.uart import SerialPort, Uart
from boards.shell.describe import describe
from boards.shell.simulator import Simulator, build, connect
from boards.uart import protocol
from golden.network import logits
from golden.self_test import random_words
from networks import random_images
from test_driver import BUILDS, NETWORK
from test_driver_deploy import MODEL


def line(network: Network = NETWORK, *plusargs: str, simulator: Simulator = "icarus") -> Backend:
    """Start a simulated shell behind a serial line, built once for every content."""
    return connect(build(network, BUILDS, simulator, "ecp5"), "ecp5", *plusargs)


def told(network: Network = NETWORK, **options: Any) -> dict[str, Any]:
    return describe(network, "ecp5", clock_mhz=25, **options)


@pytest.fixture(scope="module")
def accelerator() -> Iterator[Accelerator]:
    with Accelerator(line(), told(test_words=random_words(NETWORK, 8))) as made:
        yield made


def test_both_sides_know_the_same_protocol() -> None:
    names = ("READ", "WRITE", "SEND", "FETCH", "CLEAR", "IGNORED", "OKAY")
    assert [getattr(uart, name) for name in names] == [getattr(protocol, name) for name in names]
    assert uart.SILENCE == 2 * protocol.SILENCE


@pytest.mark.icarus
@pytest.mark.parametrize("members", [1, 7])
def test_equal_to_golden(accelerator: Accelerator, members: int) -> None:
    """Every logit of every member, and the random streams before."""
    assert accelerator.words_equal == 16
    images = random_images(NETWORK, 3)
    got = accelerator.predict(images, members)
    assert got.integers.shape == (members, 3, 3)
    assert np.array_equal(got.integers, logits(NETWORK, images, members).transpose(1, 0, 2))


@pytest.mark.icarus
def test_a_fetch_without_an_image_is_told(accelerator: Accelerator) -> None:
    """It is ended, and then it works again."""
    backend: Any = accelerator.backend
    with pytest.raises(DriverError, match=r"^a packet of 8 bytes must be answered with 9 .+ 0$"):
        backend.fetch(8, 1e-4)
    images = random_images(NETWORK, 1)
    got = accelerator.predict(images, 2).integers
    assert np.array_equal(got, logits(NETWORK, images, 2).transpose(1, 0, 2))


@pytest.mark.icarus
def test_what_is_refused_is_told(accelerator: Accelerator) -> None:
    backend: Any = accelerator.backend
    for act, message in (
        (lambda: backend.read(0x800), r"^reading 0x0800 must be accepted, not refused \(02\)$"),
        (
            lambda: backend.read(0x1000),
            r"^reading 0x1000 must be answered with 5 bytes, not with 1",
        ),
        (lambda: backend.write(0, 1), r"^writing 0x0000 must be accepted, not refused \(02\)$"),
        (lambda: backend.send(bytes(400)), r"^an image of 400 bytes must be accepted, not refus"),
        (lambda: backend.fetch(1 << 20, 0), r"^a packet of .+ must be at most 65535 words or"),
    ):
        with pytest.raises(DriverError, match=message):
            act()
    # What was sent before must not become a part of the next image.
    images = random_images(NETWORK, 1)
    got = accelerator.predict(images, 2).integers
    assert np.array_equal(got, logits(NETWORK, images, 2).transpose(1, 0, 2))


@pytest.mark.icarus
def test_a_dead_line_is_told() -> None:
    message = r"^reading 0x0000 must be answered with 5 bytes, not with 0$"
    with pytest.raises(DriverError, match=message):
        Accelerator(line(NETWORK, "+held"), told())


@pytest.mark.slow
def test_command(tmp_path: Path) -> None:
    """`bbnn verify --simulate --board ulx3s`: N/N."""
    path = tmp_path / "model.safetensors"
    save_network(MODEL, path)
    options = ["--simulate", "--board", "ulx3s", "-o", str(tmp_path)]
    options += ["--images", "1", "--members", "2", "--json"]
    result = CliRunner().invoke(verify.command, [str(path), *options], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert (found["members_equal"], found["members_compared"]) == (2, 2)
    assert (found["random_words_equal"], found["clock_mhz"]) == (128, 25)
    assert found["images_a_second"] is None
    with pytest.raises(InputError, match=r"^--port must be given for ULX3S 85F, not None$"):
        CliRunner().invoke(verify.command, [str(path), "--board", "ulx3s"], catch_exceptions=False)


class Terminal:
    """The other end of a pseudo-terminal: it answers reads and writes of some registers."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        self.path = os.ttyname(theirs)
        self.theirs = theirs
        self.registers: dict[int, int] = {}
        self.heard = bytearray()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def take(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            got += os.read(self.ours, count - len(got))
        self.heard += got
        return got

    def serve(self) -> None:
        while True:
            try:
                (command,) = self.take(1)
                if command == protocol.READ:
                    value = self.registers.get(int.from_bytes(self.take(2), "little"), 0)
                    os.write(self.ours, value.to_bytes(4, "little") + b"\0")
                elif command == protocol.WRITE:
                    address, value = self.take(2), self.take(4)
                    key = int.from_bytes(address, "little")
                    self.registers[key] = int.from_bytes(value, "little")
                    os.write(self.ours, b"\0")
            except OSError:
                return


def test_serial_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte goes through as it is, those that terminals make something of, too."""
    monkeypatch.setattr(SerialPort, "silence", 0.05)
    terminal = Terminal()
    backend = Uart(SerialPort(terminal.path, protocol.BAUD))
    values = [0, 0x0A0D_0304, 0x1113_7F1A, 0xFFFF_FFFF]
    for index, value in enumerate(values):
        backend.write(4 * index, value)
    assert [backend.read(4 * index) for index in range(4)] == values
    assert list(terminal.registers.values()) == values
    assert terminal.heard[0] == protocol.IGNORED
    backend.close()
    backend.close()
    os.close(terminal.theirs)
    os.close(terminal.ours)


def test_ports_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"^\S+/none must be a serial port, not refused: No such"):
        SerialPort(str(tmp_path / "none"), protocol.BAUD)
    (tmp_path / "file").touch()
    with pytest.raises(DriverError, match=r"^\S+/file must be a serial port, not refused: "):
        SerialPort(str(tmp_path / "file"), protocol.BAUD)
    with pytest.raises(DriverError, match=r"^12345 baud must be known to this system, not unkn"):
        SerialPort(str(tmp_path / "none"), 12345)
    with pytest.raises(DriverError, match=r"^the board at /dev/ttyUSB0 must be one with a serial"):
        Accelerator("/dev/ttyUSB0", describe(NETWORK))
