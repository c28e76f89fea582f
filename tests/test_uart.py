"""The serial line: bits to bytes, bytes to commands, and images to packets that golden expects."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from blocks import Recording
from boards.uart.serial import LEAST_DIVISOR
from hdl.verilog import verilog_of
from replays import Played, replay
from serial_line import accesses, receiver, shell, transfers, transmitter


@pytest.mark.parametrize("drift", [0.97, 1, 1.03])
@pytest.mark.parametrize("divisor", [LEAST_DIVISOR, 8])
def test_receiver(divisor: int, drift: float) -> None:
    """Also where the host's clock is three in a hundred faster or slower."""
    receiver(divisor, divisor * drift)


@pytest.mark.parametrize("divisor", [LEAST_DIVISOR, 8])
def test_transmitter(divisor: int) -> None:
    transmitter(divisor)


@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
def test_registers(stall: bool) -> None:
    accesses(stall=stall)


@pytest.mark.parametrize("stall", [False, True], ids=["full-rate", "stalls"])
def test_images_and_packets(stall: bool) -> None:
    transfers(stall=stall)


@pytest.mark.slow
def test_shell() -> None:
    """In Amaranth's simulator; the fast tests have it in Icarus (`test_driver_uart.py`)."""
    shell()


# Block: its recordings, a pattern in its text, what replaces the first match in a broken copy.
BLOCKS: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "receiver": (
        lambda: [receiver(8, 8 * drift) for drift in (0.97, 1.03)],
        r"heard = (.*)line",
        r"heard = \1~line",
    ),
    "transmitter": (lambda: [transmitter(5)], r"4'h9", "4'h8"),
    "link": (
        lambda: [each(stall=True) for each in (accesses, transfers)],
        r"images__tlast = ",
        "images__tlast = ~",
    ),
}
# With a core in it, it takes long to compile; `test_driver_uart.py` simulates it, too.
SHELL: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "uart_shell": (lambda: [shell()], r"8'h46", "8'h47"),
}


@cache
def played(whole: bool) -> dict[str, Played]:
    """Return every block's recordings, with its text and a broken copy of it."""
    blocks = {}
    for name, (record, pattern, replacement) in (SHELL if whole else BLOCKS).items():
        recordings = record()
        text = verilog_of(recordings[0].block, name)
        broken, count = re.subn(pattern, replacement, text, count=1)
        assert count, f"{name} has no {pattern}"
        blocks[name] = Played(recordings=recordings, texts=[text, broken])
    return blocks


@pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["blocks", "shell"]
)
@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("verilator", marks=pytest.mark.slow),
        pytest.param("icarus", marks=pytest.mark.icarus),
    ],
)
def test_verilog_plays_what_amaranth_played(simulator: str, whole: bool, tmp_path: Path) -> None:
    """In either simulator, and broken copies do not."""
    blocks = played(whole)
    results = replay(blocks, simulator, tmp_path)
    assert not {name: right for name, (right, _) in results.items() if right.wrong}
    assert not [name for name, (_, broken) in results.items() if not broken.wrong]
    for name, (right, _) in results.items():
        recorded = sum(len(recording.rows) for recording in blocks[name].recordings)
        assert right.rows > recorded > 0
