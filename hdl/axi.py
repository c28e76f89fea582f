"""The AXI ports of the core."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Axi4Lite", "Axi4Stream"]


class Axi4Stream(wiring.Signature):
    """AXI4-Stream, 32 bits, all bytes of a beat in use; seen from the sender."""

    def __init__(self) -> None:
        super().__init__({"tdata": Out(32), "tvalid": Out(1), "tready": In(1), "tlast": Out(1)})


class Axi4Lite(wiring.Signature):
    """AXI4-Lite, 32 bits, seen from the manager.

    Parameters
    ----------
    address_bits : int
        Bits of a byte address.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__(
            {
                "awaddr": Out(address_bits),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_bits),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )
