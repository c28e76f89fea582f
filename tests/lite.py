"""An AXI4-Lite manager for simulations in Amaranth."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Value
from amaranth.sim._async import SimulatorContext

from blocks import channel
from simtools import Stall, stalls

OKAY, SLVERR = 0, 2


class Manager:
    """Reads and writes through `bus`, one access at a time; `stall` delays every handshake.

    Every answer must come one cycle after its request.
    """

    def __init__(self, bus: Any, stall: Stall | None = None) -> None:
        self.bus = bus
        self.stall = stall or stalls(0)
        self.answers = (
            channel(bus.bvalid, bus.bready, bus.bresp),
            channel(bus.rvalid, bus.rready, Cat(bus.rdata, bus.rresp)),
        )
        """The answering channels, for `simtools.run` to watch."""

    async def write(
        self, ctx: SimulatorContext, address: int, data: int, strobe: int = 0b1111
    ) -> int:
        """Return the response. Address and data set out independently."""
        bus = self.bus
        requests = [
            (bus.awvalid, bus.awready, [(bus.awaddr, address)]),
            (bus.wvalid, bus.wready, [(bus.wdata, data), (bus.wstrb, strobe)]),
        ]
        return await self._access(ctx, requests, *self.answers[:1])

    async def read(self, ctx: SimulatorContext, address: int) -> tuple[int, int]:
        """Return (data, response)."""
        bus = self.bus
        requests = [(bus.arvalid, bus.arready, [(bus.araddr, address)])]
        answer = await self._access(ctx, requests, *self.answers[1:])
        return answer % 2**32, answer >> 32

    async def _access(
        self,
        ctx: SimulatorContext,
        requests: list[tuple[Value, Value, list[tuple[Value, int]]]],
        answer: Any,
    ) -> int:
        starts = [self.stall() for _ in requests]
        pending = set(range(len(requests)))
        patience = self.stall()
        cycle = waited = 0
        while True:
            for index, (valid, _, payload) in enumerate(requests):
                ctx.set(valid, index in pending and cycle >= starts[index])
                # Whatever is on the bus, nothing may happen before it is valid, or twice.
                for signal, value in payload:
                    ctx.set(signal, value)
            assert ctx.get(answer.valid) == (not pending), "one cycle after the request"
            waited += not pending
            ctx.set(answer.ready, patience == 0 or waited > patience)
            result = ctx.get(answer.payload)
            over = ctx.get(answer.valid & answer.ready)
            pending -= {i for i, (valid, ready, _) in enumerate(requests) if ctx.get(valid & ready)}
            await ctx.tick()
            cycle += 1
            if over:
                ctx.set(answer.ready, 0)
                return result
