"""What Vivado is given: Verilog of the IP, pins, scripts, and the settings that these read.

The scripts are the same for every network; all that differs is in ``settings.tcl``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amaranth.back import verilog

from bbnn.description import Network
from bbnn.model_file import digest
from boards.plan import SOURCE, write_changed
from boards.platforms import Board
from boards.shell import Shell
from boards.shell.axi3 import GP, HP
from boards.shell.burst import BURST
from boards.shell.interface import BASE, VERSION
from boards.vivado.ip import BUSES, SPAN, Ip

__all__ = ["SCRIPTS", "pins", "write_files"]

SCRIPTS = ("package", "design", "implement")
"""In the order in which they are run."""
VENDOR, LIBRARY = "bbnn", "user"
NARROW = {"s_axi": 1, "m_axi": 0}
"""Whether bursts of less than the bus's width come over it."""


def write_files(network: Network, board: Board, clock_mhz: float, folder: Path) -> None:
    """Write ``NAME.v``, ``NAME.xdc`` and the scripts to `folder`; what is the same is not touched.

    ``NAME.tcl`` runs the scripts one after another.
    """
    name, ip = network.name, Ip(Shell(network))
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    text = verilog.convert(ip, name=name, emit_src=False)
    folder.mkdir(parents=True, exist_ok=True)
    write_changed(folder / f"{name}.v", SOURCE.sub("", text))
    write_changed(folder / f"{name}.xdc", "".join(f"{line}\n" for line in pins(board)))
    settings = "".join(
        f"set {key} {{{value}}}\n" for key, value in _settings(network, board, clock_mhz, ip)
    )
    write_changed(folder / "settings.tcl", settings)
    for script in SCRIPTS:
        source = Path(__file__).with_name(f"{script}.tcl").read_text()
        write_changed(folder / f"{script}.tcl", source)
    write_changed(folder / f"{name}.tcl", "".join(f"source {each}.tcl\n" for each in SCRIPTS))


def pins(board: Board) -> Iterator[str]:
    """Yield the constraints of the LED; the clock's is the processor system's own."""
    platform: Any = board.platform(**{"toolchain": "Vivado"})
    led = platform.lookup("led", 0)
    (pin,) = led.ios[0].names
    for key, value in {"PACKAGE_PIN": pin, **led.attrs}.items():
        yield f"set_property {key} {value} [get_ports led]"


def _settings(
    network: Network, board: Board, clock_mhz: float, ip: Ip
) -> Iterator[tuple[str, object]]:
    yield "name", network.name
    yield "vendor", VENDOR
    yield "library", LIBRARY
    yield "version", f"{VERSION}.0"
    yield "description", f"Bayesian binary neural network {network.name}, {digest(network)[:8]}"
    yield "part", board.part
    yield "board", board.name
    yield "clock_mhz", f"{clock_mhz:g}"
    yield "base", f"{BASE:#010x}"
    yield "span", f"{SPAN:#x}"
    for prefix, bus in zip(BUSES, (GP, HP), strict=True):
        ports = {member.upper(): f"{prefix}_{member}" for member in bus.members}
        parameters = {
            "PROTOCOL": "AXI3",
            "DATA_WIDTH": len(getattr(ip, f"{prefix}_rdata")),
            "ADDR_WIDTH": len(getattr(ip, f"{prefix}_araddr")),
            "ID_WIDTH": len(getattr(ip, f"{prefix}_arid")),
            "MAX_BURST_LENGTH": BURST,
            "SUPPORTS_NARROW_BURST": NARROW[prefix],
        }
        for kind, table in (("ports", ports), ("parameters", parameters)):
            words = [str(word) for row in table.items() for word in row]
            yield f"{prefix}_{kind}", " ".join(words)
