"""The driver's ways to a board: PYNQ, carried to the simulated shell, and Linux, to plain files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from boards.driver import Accelerator, DriverError
from boards.driver.backend import Region
from boards.driver.description import Description
from boards.driver.linux import Linux
from boards.driver.pynq import Pynq
from boards.driver.simulation import Simulated, Simulation
from boards.shell.describe import describe
from golden.network import logits
from networks import random_images
from test_driver import NETWORK, simulation

AFI = 0xF800_8000
PS7 = "xilinx.com:ip:processing_system7:5.5"


class Array(np.ndarray):
    """A buffer as PYNQ's: an array that knows its address."""

    buffer: Simulated
    physical_address: int

    def flush(self) -> None:
        self.buffer.flush()

    def invalidate(self) -> None:
        self.buffer.invalidate()

    def freebuffer(self) -> None:
        self.buffer.free()


class FakePynq(ModuleType):
    """PYNQ, as far as the driver uses it; its buses end in a simulation.

    done : what the driver had it do, in order. blocks : what an overlay's .hwh file describes.
    """

    def __init__(self, backend: Simulation) -> None:
        super().__init__("pynq")
        self.done: list[str] = []
        self.blocks: dict[str, Any] = {"processing_system7_0": {"type": PS7}}
        self.blocks["net_0"] = {"type": f"bbnn:user:{NETWORK.name}:1.0", "phys_addr": 0x43C0_0000}
        self.mapped: list[int] = []
        self.afi = {0x00: 0xF03, 0x14: 0xF01}
        done, afi, blocks, mapped = self.done, self.afi, self.blocks, self.mapped

        class Bitstream:
            def __init__(self, path: str) -> None:
                self.path = path

            def download(self) -> None:
                done.append(f"bitstream {Path(self.path).name}")

        class Overlay:
            def __init__(self, path: str) -> None:
                done.append(f"overlay {Path(path).name}")
                self.ip_dict = blocks

        class MMIO:
            def __init__(self, address: int, length: int) -> None:
                self.address = address
                mapped.append(address)
                assert length == (0x1000 if address == AFI else 0x2000)

            def read(self, offset: int) -> int:
                return afi[offset] if self.address == AFI else backend.read(offset)

            def write(self, offset: int, value: int) -> None:
                if self.address == AFI:
                    afi[offset] = value
                else:
                    backend.write(offset, value)

        class Clocks:
            def __init__(self) -> None:
                self.rate, self.error = 50.0, 1.0

            @property
            def fclk0_mhz(self) -> float:
                return self.rate

            @fclk0_mhz.setter
            def fclk0_mhz(self, value: float) -> None:
                done.append(f"clock {value}")
                self.rate = value * self.error

        def allocate(shape: tuple[int], dtype: str) -> Array:
            assert dtype == "u1"
            buffer = Simulated(backend, shape[0])
            array = buffer.array.view(Array)
            array.buffer, array.physical_address = buffer, buffer.address
            return array

        self.Bitstream, self.Overlay, self.MMIO = Bitstream, Overlay, MMIO
        self.Clocks, self.allocate = Clocks(), allocate


@pytest.fixture
def pynq(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePynq]:
    with closing(simulation()) as backend:
        fake = FakePynq(backend)
        monkeypatch.setitem(sys.modules, "pynq", fake)
        # Time passes in the simulation.
        monkeypatch.setattr(Pynq, "now", lambda self: backend.now())
        monkeypatch.setattr(Pynq, "wait", lambda self, seconds: backend.wait(seconds))
        yield fake


@pytest.fixture
def bit(tmp_path: Path) -> Path:
    path = tmp_path / "net.bit"
    path.touch()
    return path


@pytest.mark.icarus
def test_pynq(bit: Path, pynq: FakePynq) -> None:
    """Without a .hwh, the driver sets the clock and makes HP0 64 bits wide."""
    images = random_images(NETWORK, 5)
    with Accelerator(bit, describe(NETWORK, clock_mhz=80.0), batch=2) as made:
        got = made.predict(images, 3).integers
    assert np.array_equal(got, logits(NETWORK, images, 3).transpose(1, 0, 2))
    assert pynq.done == ["bitstream net.bit", "clock 80.0"]
    assert pynq.afi == {0x00: 0xF02, 0x14: 0xF00}
    assert pynq.mapped == [AFI, 0x4000_0000]


@pytest.mark.icarus
def test_pynq_overlay(bit: Path, pynq: FakePynq) -> None:
    """With a .hwh, the IP lies where that says; PYNQ leaves HP0 of a Zynq-7000 as it was."""
    bit.with_suffix(".hwh").touch()
    Accelerator(bit, describe(NETWORK, clock_mhz=80.0)).close()
    assert pynq.done == ["overlay net.bit", "clock 80.0"]
    assert pynq.afi == {0x00: 0xF02, 0x14: 0xF00}
    assert pynq.mapped == [AFI, 0x43C0_0000]


@pytest.mark.icarus
def test_an_overlay_without_the_ip_is_refused(bit: Path, pynq: FakePynq) -> None:
    bit.with_suffix(".hwh").touch()
    message = rf"^net\.hwh: IPs called {NETWORK.name} must be one, not "
    pynq.blocks["net_1"] = pynq.blocks["net_0"]
    with pytest.raises(DriverError, match=message + "2$"):
        Accelerator(bit, describe(NETWORK))
    del pynq.blocks["net_0"], pynq.blocks["net_1"]
    with pytest.raises(DriverError, match=message + "0$"):
        Accelerator(bit, describe(NETWORK))
    assert pynq.mapped == []


@pytest.mark.icarus
def test_too_fast_a_clock_is_refused(bit: Path, pynq: FakePynq) -> None:
    pynq.Clocks.error = 1.2
    with pytest.raises(DriverError, match=r"^FCLK0 must be at most 80.0 MHz, not 96.0 MHz$"):
        Accelerator(bit, describe(NETWORK, clock_mhz=80.0))


def test_pynq_missing(bit: Path) -> None:
    with pytest.raises(DriverError, match=r"^pynq must be installed to load .*, not missing$"):
        Accelerator(bit, describe(NETWORK))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Return plain files in place of the registers and of a u-dma-buf device of 4096 bytes."""
    registers, memory = tmp_path / "uio0", tmp_path / "udmabuf0"
    registers.write_bytes(bytes(0x3000))
    memory.write_bytes(bytes(4096))
    described = tmp_path / "class/udmabuf0"
    described.mkdir(parents=True)
    (described / "phys_addr").write_text("0x000000001fc00000\n")
    (described / "size").write_text("4096\n")
    return {
        "device": str(registers),
        "span": 0x2000,
        "memory": str(memory),
        "system": str(tmp_path / "class"),
    }


def test_linux(files: dict[str, Any]) -> None:
    """Registers are words of the file; buffers are pieces of the memory, at their addresses."""
    backend = Linux(**files, offset=0x1000)
    backend.write(0x1004, 0xDEADBEEF)
    assert backend.read(0x1004) == 0xDEADBEEF
    content = Path(files["device"]).read_bytes()
    assert content[0x2004:0x2008] == b"\xef\xbe\xad\xde"
    first, second = backend.buffer(100), backend.buffer(8)
    assert (first.address, second.address) == (0x1FC0_0000, 0x1FC0_0080)
    second.array[:] = 7
    second.flush()
    assert Path(files["memory"]).read_bytes()[0x80:0x88] == bytes([7] * 8)
    with pytest.raises(DriverError, match=r"^the buffer must be at most 3840 bytes, of 4096 in"):
        backend.buffer(4000)
    first.free()
    second.free()
    assert backend.buffer(4000).address == 0x1FC0_0000


def test_linux_without_a_device(files: dict[str, Any]) -> None:
    files["memory"] = files["memory"][:-1] + "1"
    with pytest.raises(DriverError, match=r"udmabuf1/phys_addr must be usable, not refused: No su"):
        Linux(**files)
    with pytest.raises(DriverError, match="must be usable, not refused"):
        Accelerator("/dev/uio9", describe(NETWORK))


def test_logic_that_is_not_configured_is_not_touched(
    files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    state.write_text("unknown\n")
    monkeypatch.setattr("boards.driver.linux.MANAGER", state)
    told = r"^the programmable logic must be configured, not unknown$"
    with pytest.raises(DriverError, match=told):
        Linux(**files)
    state.write_text("operating\n")
    Linux(**files)


def test_region() -> None:
    region = Region(0, 300)
    assert [region.take(1), region.take(128)] == [0, 128]
    # The place of a piece is free again as soon as no later one is in use.
    region.give(0)
    with pytest.raises(DriverError, match="at most 44 bytes, of 300 in all, not 45"):
        region.take(45)
    region.give(128)
    assert region.take(130) == 0
    assert region.take(44) == 256
    region.give(256)
    assert region.take(1) == 256


def test_description_of_the_address_space() -> None:
    told = Description(describe(NETWORK))
    assert told.span == 0x2000
    assert told.packet_words(2) == 2 + 2 * 3 + 3 + 3
    assert (told.pixels, told.image_bytes) == (10, 12)
