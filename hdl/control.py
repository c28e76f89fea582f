"""The control registers behind AXI4-Lite; their table is ``bbnn.interface.registers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from bbnn.early_exit import RULES
from bbnn.interface import ADDRESS_BITS, OFFSETS, SCALES, Register, registers, seed_registers
from bbnn.schedule import stream_bits
from hdl.axi import Axi4Lite, answer_reads, answer_writes
from hdl.correction import Constants, Correction
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["Control"]


class Control(wiring.Component):
    """Answer AXI4-Lite accesses and count.

    A write needs all four strobes, a writable register, a value that it takes, and, except for
    CONTROL, a core that does not run; otherwise it changes nothing and is answered with SLVERR.
    Reads of addresses without a register give SLVERR. One access at a time each way: a read is
    answered one cycle after its address, a write one cycle after the later of address and data.

    Parameters
    ----------
    network : Network

    Members
    -------
    bus : In(Axi4Lite)
    run : Out(1)
        0 holds the data path in reset.
    member_logits : Out(1)
    members : Out(16)
    seeds : Out(lfsr_width * number of stochastic layers)
        In the order of the layers; 1 bit wide if there is none.
    test_stream : Out(range(streams + 1))
        The random stream under test, from 1; 0 for none.
    random : In(32)
        Its next bits.
    random_taken : Out(1)
        They were read in the cycle before. No read is taken now; in the next cycle `random` has the
        ones after them.
    image_in, image_out : In(1)
        An image has been taken, a packet has been finished, in this cycle.
    empty : In(1)
        Nothing of an image is in the core.
    framing : In(1)
        TLAST came inside an image, in this cycle.
    rule : Out(2)
    margin : Out(32)
        Of early exit; absent without it.
    constants : In(Constants(layer, steps))
        Scale and offset for the logits; absent unless they are registers.
    """

    bus: Any
    run: Signal
    member_logits: Signal
    members: Signal
    seeds: Signal
    test_stream: Signal
    random: Signal
    random_taken: Signal
    image_in: Signal
    image_out: Signal
    empty: Signal
    framing: Signal
    constants: Any
    rule: Signal
    margin: Signal

    def __init__(self, network: Network) -> None:
        self.network = network
        self.seed_words = len(seed_registers(network))
        self.streams = len(stream_bits(network))
        constants = {"constants": In(Constants(network.layers[-1], network.steps))}
        super().__init__(
            {
                "bus": In(Axi4Lite(ADDRESS_BITS)),
                "run": Out(1),
                "member_logits": Out(1),
                "members": Out(16, init=network.ensemble.members),  # type: ignore[call-arg]
                "seeds": Out(max(1, 32 * self.seed_words)),
                "test_stream": Out(index_bits(self.streams + 1)),
                "random": In(32),
                "random_taken": Out(1),
                "image_in": In(1),
                "image_out": In(1),
                "empty": In(1),
                "framing": In(1),
                **({"rule": Out(2), "margin": Out(32)} if network.ensemble.early_exit else {}),
                **(constants if network.output.registers else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        table = {register.name: register for register in registers(self.network)}
        seeds = {
            register.name: Signal(32, name=register.name.lower(), init=register.reset)
            for register in seed_registers(self.network)
        }
        # Whether a seed's word is not 0, known beforehand.
        lit = {
            name: Signal(name=f"{name.lower()}_lit", init=seed.init != 0)
            for name, seed in seeds.items()
        }
        framing = Signal()
        refused = Signal()
        counters = {name: Signal(32, name=name.lower()) for name in ("IMAGES_IN", "IMAGES_OUT")}
        cycles = Signal(64)
        cycles_high = Signal(32)
        m.d.comb += self.seeds.eq(Cat(seeds.values()))

        readable: dict[str, Value] = {
            "CONTROL": Cat(self.run, self.member_logits),
            "STATUS": Cat(self.empty, framing, refused),
            "MEMBERS": self.members,
            **counters,
            "CYCLES_LOW": cycles[:32],
            "CYCLES_HIGH": cycles_high,
            "TEST_STREAM": self.test_stream,
            "RANDOM": self.random,
            **seeds,
        }

        # Counting.
        with m.If(self.run):
            with m.If(~self.empty):
                m.d.sync += cycles.eq(cycles + 1)
            with m.If(self.framing):
                m.d.sync += framing.eq(1)
            for name, event in (("IMAGES_IN", self.image_in), ("IMAGES_OUT", self.image_out)):
                with m.If(event):
                    m.d.sync += counters[name].eq(counters[name] + 1)

        # Writing.
        bus = self.bus
        accepts = Signal()
        writes = answer_writes(m, bus, accepts, refused)

        def when_written(register: Register, condition: Value) -> Value:
            """Accept a write of `register` under `condition`; say whether it happens now."""
            hit = Signal(name=f"writes_{register.name.lower()}")
            addressed = bus.awaddr == register.address
            m.d.comb += hit.eq(writes & addressed & condition)
            with m.If(hit):
                m.d.comb += accepts.eq(1)
            return hit

        width = self.network.lfsr_width
        parts = _words(Cat(lit.values()), width // 32) if seeds else []
        seeded = Cat(part.any() for part in parts).all() if seeds else 1
        startable = ~bus.wdata[0] | ((self.run | self.empty) & seeded)
        only_known = bus.wdata[2:] == 0
        # What the packet holds may not change under an image.
        steady = ~self.run | ~bus.wdata[0] | (bus.wdata[1] == self.member_logits)
        with m.If(when_written(table["CONTROL"], startable & only_known & steady)):
            m.d.sync += [
                self.run.eq(bus.wdata[0]),
                self.member_logits.eq(bus.wdata[1]),
                refused.eq(0),
            ]
            with m.If(bus.wdata[0] & ~self.run):
                m.d.sync += [cycles.eq(0), framing.eq(0)]
                m.d.sync += [counter.eq(0) for counter in counters.values()]
        fits = (bus.wdata > 0) & (bus.wdata <= self.network.max_members)
        with m.If(when_written(table["MEMBERS"], ~self.run & fits)):
            m.d.sync += self.members.eq(bus.wdata)
        known = bus.wdata <= self.streams
        with m.If(when_written(table["TEST_STREAM"], ~self.run & known)):
            m.d.sync += self.test_stream.eq(bus.wdata)
        for name, seed in seeds.items():
            with m.If(when_written(table[name], ~self.run)):
                m.d.sync += [seed.eq(bus.wdata), lit[name].eq(bus.wdata.any())]

        if self.network.ensemble.early_exit:
            readable |= {"EXIT": self.rule, "MARGIN": self.margin}
            with m.If(when_written(table["EXIT"], ~self.run & (bus.wdata < len(RULES)))):
                m.d.sync += self.rule.eq(bus.wdata)
            with m.If(when_written(table["MARGIN"], ~self.run)):
                m.d.sync += self.margin.eq(bus.wdata)
        if self.network.output.registers:
            readable |= self._correct(m, writes & ~self.run, accepts)

        # Reading.
        # The random streams are all over the part, hence a register; the next word comes later.
        reads = answer_reads(m, bus, table.values(), readable, waits=self.random_taken)
        with m.If(reads & (bus.araddr == table["CYCLES_LOW"].address)):
            m.d.sync += cycles_high.eq(cycles[32:])
        m.d.sync += self.random_taken.eq(reads & (bus.araddr == table["RANDOM"].address))
        return m

    def _correct(self, m: Module, writes: Value, accepts: Signal) -> dict[str, Value]:
        """Add the constants of the logits, accept writes of them; return what they read."""
        bus, layer, steps = self.bus, self.network.layers[-1], self.network.steps
        m.submodules.correction = correction = Correction(layer, steps=steps)
        wiring.connect(m, correction.neuron, wiring.flipped(self.constants))
        # A whole word of a class that exists: the address is bank, class and two zeros.
        exists = (bus.awaddr[2:10] < layer.columns) & (bus.awaddr[:2] == 0)
        m.d.comb += [
            correction.column.eq(bus.awaddr[2:10]),
            correction.data.eq(bus.wdata),
            correction.read_back.column.eq(bus.araddr[2:10]),
        ]
        result: dict[str, Value] = {}
        for name, base, written in (
            ("scale", SCALES, correction.scale_written),
            ("offset", OFFSETS, correction.offset_written),
        ):
            value = getattr(correction.read_back, name)
            register = bus.wdata.as_signed() if value.shape().signed else bus.wdata
            # It fits if it comes back from the register's bits.
            kept = Signal(value.shape(), name=f"kept_{name}")
            m.d.comb += kept.eq(bus.wdata)
            addressed = bus.awaddr[10:] == base >> 10
            m.d.comb += written.eq(writes & addressed & exists & (kept == register))
            with m.If(written):
                m.d.comb += accepts.eq(1)
            result |= {f"{name.upper()}_{k}": value for k in range(layer.columns)}
        return result


def _words(value: Value, width: int) -> list[Value]:
    return [value[i : i + width] for i in range(0, len(value), width)]
