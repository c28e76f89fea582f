"""The AXI3 ports of the Zynq-7000's processor system, as its PS7 block has them.

AXI3 is AXI4 with bursts of 16 beats at most and an id on the write data. PS7 spells the ports in
capitals without underscores (``MAXIGP0ARADDR``) and has two bits of AxSIZE; what they are for is in
Xilinx UG585, "Zynq-7000 SoC Technical Reference Manual", chapter 5.
"""

from __future__ import annotations

from typing import Final

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DECERR", "FIXED", "GP", "HP", "INCR", "OKAY", "SLVERR", "WRAP", "Axi3", "Axi3Half"]

OKAY: Final = 0b00
SLVERR: Final = 0b10
DECERR: Final = 0b11
FIXED: Final = 0b00
INCR: Final = 0b01
WRAP: Final = 0b10
ADDRESS = {
    "id": None,
    "addr": 32,
    "len": 4,
    "size": 2,
    "burst": 2,
    "lock": 2,
    "cache": 4,
    "prot": 3,
    "qos": 4,
    "valid": 1,
}
"""What an address channel carries, and its bits."""


class Axi3Half(wiring.Signature):
    """The channels of AXI3 that read, or those that write, seen from the manager.

    Parameters
    ----------
    direction : str
        "r" or "w".
    data_bits : int
    id_bits : int
    """

    def __init__(self, direction: str, data_bits: int, id_bits: int) -> None:
        members = {
            f"a{direction}{name}": Out(id_bits if bits is None else bits)
            for name, bits in ADDRESS.items()
        }
        members[f"a{direction}ready"] = In(1)
        if direction == "r":
            members |= {
                "rid": In(id_bits),
                "rdata": In(data_bits),
                "rresp": In(2),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        else:
            members |= {
                "wid": Out(id_bits),
                "wdata": Out(data_bits),
                "wstrb": Out(data_bits // 8),
                "wlast": Out(1),
                "wvalid": Out(1),
                "wready": In(1),
                "bid": In(id_bits),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
            }
        super().__init__(members)


class Axi3(wiring.Signature):
    """AXI3, seen from the manager.

    Parameters
    ----------
    data_bits : int
        32 or 64.
    id_bits : int
    """

    def __init__(self, data_bits: int, id_bits: int) -> None:
        halves = [Axi3Half(direction, data_bits, id_bits) for direction in "wr"]
        super().__init__({name: member for half in halves for name, member in half.members.items()})


GP = Axi3(data_bits=32, id_bits=12)
"""M_AXI_GP0: the processor is the manager."""
HP = Axi3(data_bits=64, id_bits=6)
"""S_AXI_HP0: the shell is the manager, the memory the subordinate."""
