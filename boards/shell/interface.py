"""The addresses behind GP0 and the registers of the DMA: one table, as `bbnn.interface` has it."""

from __future__ import annotations

from typing import Literal

from bbnn.interface import ADDRESS_BITS, Register

__all__ = ["BASE", "CORE", "DMA", "ID", "VERSION", "dma_registers", "markdown"]

BASE = 0x4000_0000
"""Where the processor sees GP0."""
CORE = 0
"""Offset of the core's registers."""
DMA = 1 << ADDRESS_BITS
"""Offset of the DMA's."""
ID = 0x42424E53
"""ASCII "BBNS"."""
VERSION = 1
"""Raised whenever a register of the DMA changes."""

CONTROL = {
    "run": (0, "Move data. 0 stops after the bursts under way and drops what the core offers."),
    "interrupt": (1, "Raise the interrupt while run is set and the DMA is not busy."),
}
STATUS = {
    "busy": (0, "Data moves, or the answer of a burst is awaited."),
    "done": (1, "All bytes have been read and written; cleared with run."),
    "read_slverr": (2, "Memory answered a read with SLVERR."),
    "read_decerr": (3, "Memory answered a read with DECERR: no memory at that address."),
    "write_slverr": (4, "Memory answered a write with SLVERR."),
    "write_decerr": (5, "Memory answered a write with DECERR."),
    "framing": (6, "The last byte to write was not the last of a packet."),
    "refused": (7, "A write to a register was refused; cleared by an accepted one to CONTROL."),
}
"""Bits 2 to 6 stop both directions and stay until the next start."""


STREAMED = {
    "codes": (2, "Read codes ahead. Set before the core's run, and cleared after it."),
}
"""Of CONTROL, where codes are streamed."""


def dma_registers(*, streamed: bool = False) -> tuple[Register, ...]:
    """Return the registers of the DMA by address, from the start of its page.

    SOURCE to DESTINATION_BYTES are written only while not run. streamed : whether there are codes
    to be read; their address is written only while they are not.
    """
    control = {**CONTROL, **(STREAMED if streamed else {})}
    rows: list[tuple[str, Literal["ro", "rw"], int, str, dict[str, tuple[int, str]]]] = [
        ("ID", "ro", ID, 'ASCII "BBNS".', {}),
        ("VERSION", "ro", VERSION, "Version of this register map.", {}),
        ("CONTROL", "rw", 0, "Setting run is refused while busy.", control),
        ("STATUS", "ro", 0, "State of the DMA.", STATUS),
        ("SOURCE", "rw", 0, "Address of the first image, a multiple of 8.", {}),
        ("SOURCE_BYTES", "rw", 0, "Bytes of all images, a multiple of 4.", {}),
        ("DESTINATION", "rw", 0, "Address of the first packet, a multiple of 8.", {}),
        ("DESTINATION_BYTES", "rw", 0, "Bytes of all packets, a multiple of 4.", {}),
        ("BYTES_IN", "ro", 0, "Bytes that the core has taken since start.", {}),
        ("BYTES_OUT", "ro", 0, "Bytes that memory has acknowledged since start.", {}),
    ]
    if streamed:
        rows.append(("CODES", "rw", 0, "Address of the codes, a multiple of 8.", {}))
    return tuple(
        Register(name=name, address=4 * i, access=access, reset=reset, meaning=text, bits=bits)
        for i, (name, access, reset, text, bits) in enumerate(rows)
    )


def markdown() -> str:
    """Return the table of the DMA's registers as it stands in ``docs/driver.md``."""
    lines = ["| offset | name | access | after reset | meaning |", "|---|---|---|---|---|"]
    for register in dma_registers():
        lines.append(
            f"| `0x{DMA + register.address:04X}` | `{register.name}` | {register.access} "
            f"| `0x{register.reset:08X}` | {register.meaning} |"
        )
        for name, (bit, meaning) in register.bits.items():
            lines.append(f"| | bit {bit} `{name}` | | | {meaning} |")
    return "\n".join(lines) + "\n"
