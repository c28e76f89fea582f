"""From pixels to result packets: the layers in a row, and the ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import PIXEL_BITS, Network, output_drive
from bbnn.interface import PIXELS_PER_BEAT
from bbnn.schedule import CODE_BEAT, neurons, shortcut_depth, shortcut_source, stream_bits
from hdl.correction import Constants
from hdl.ensemble import Beat, Ensemble
from hdl.layer import LayerCore
from hdl.macro import Array
from hdl.neuron import logit_width
from hdl.scale_unit import ScaleUnit
from hdl.shortcut import Fork, Shortcut
from hdl.sift import Sift
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["DataPath"]


class DataPath(wiring.Component):
    """The layers and the ensemble; what `CONTROL.run` holds in reset.

    Parameters
    ----------
    network : Network
    array : Array

    Members
    -------
    i : In(stream.Signature(32))
        Pixels, four a beat.
    o : Out(stream.Signature(Beat()))
        Result packets.
    members, member_logits, seeds, test_stream, random_taken : In
        As in ``hdl.control.Control``: the seeds of the layers, then of the scale unit.
    rule, margin : In
        As in ``hdl.control.Control``; absent without early exit.
    constants : Out(Constants(layer, steps))
        As in ``hdl.logits.LogitNeuron``, and like it absent unless they are registers.
    codes_NAME : In(stream.Signature(64))
        Of every layer NAME whose codes are streamed, as in ``hdl.code_stream.CodeStream``.
    random : Out(32)
        The next bits of the stream under test; one cycle after `random_taken` the ones after these.
    """

    i: stream.Interface
    o: stream.Interface
    members: Signal
    member_logits: Signal
    seeds: Signal
    test_stream: Signal
    random_taken: Signal
    random: Signal
    constants: Any
    rule: Signal
    margin: Signal

    def __init__(self, network: Network, array: Array = "lanes") -> None:
        self.network = network
        self.array: Array = array
        streams = len(stream_bits(network))
        constants = {"constants": Out(Constants(network.layers[-1], network.steps))}
        super().__init__(
            {
                "i": In(stream.Signature(PIXEL_BITS * PIXELS_PER_BEAT)),
                "o": Out(stream.Signature(Beat())),
                "members": In(16),
                "member_logits": In(1),
                "seeds": In(max(1, network.lfsr_width * streams)),
                "test_stream": In(index_bits(streams + 1)),
                "random_taken": In(1),
                "random": Out(32),
                **({"rule": In(2), "margin": In(32)} if network.ensemble.early_exit else {}),
                **(constants if network.output.registers else {}),
                **{
                    f"codes_{layer.name}": In(stream.Signature(CODE_BEAT))
                    for layer in network.layers
                    if layer.streamed
                },
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        network, width = self.network, self.network.lfsr_width
        seeds = [self.seeds[start : start + width] for start in range(0, len(self.seeds), width)]
        exits, first = network.ensemble.early_exit, network.first_ensembling
        flush, issued = Signal(), Signal()

        def flushed(block: Any, index: int) -> Any:
            """Return `block`, to be forgotten at an early exit if it is behind the buffer."""
            return ResetInserter(flush)(block) if exits and index > first else block

        source, chunk = self._read(m), PIXELS_PER_BEAT
        decided: list[LayerCore] = []
        waiting: dict[int, Any] = {}
        random: list[LayerCore | ScaleUnit] = []
        for index, layer in enumerate(network.layers):
            ensembles = index == first
            block = LayerCore(
                layer,
                network.ensemble,
                lfsr_width=width,
                chunk=chunk,
                steps=network.steps,
                replays=ensembles,
                exits=exits and ensembles,
                pixels=None if index else network.encoding,
                sift=None if index else self._sift(),
                array=self.array,
            )
            m.submodules[layer.name] = flushed(block, index)
            wiring.connect(m, source, block.i)
            m.d.comb += block.passes.eq(self.members if ensembles else 1)
            if block.exits:
                m.d.comb += [block.flush.eq(flush), issued.eq(block.issued)]
            if layer.noise is not None:
                random.append(block)
            elif block.holds:
                m.d.comb += block.members.eq(self.members)
            if layer.streamed:
                codes = getattr(self, f"codes_{layer.name}")
                wiring.connect(m, wiring.flipped(codes), block.codes)
            if block.corrected:
                wiring.connect(m, block.constants, wiring.flipped(self.constants))
            if block.banked:
                decided.append(block)
            source, chunk = self._joined(m, index, block.o, waiting, flushed), neurons(layer)
        if network.scale_dropout is not None:
            unit = ScaleUnit(
                network.scale_dropout, network.ensemble, lfsr_width=width, layers=len(decided)
            )
            m.submodules["scale$"] = flushed(unit, len(network.layers))
            random.append(unit)
            for decisions, block in zip(unit.o, decided, strict=True):
                wiring.connect(m, decisions, block.dropped)

        for number, (each, seed) in enumerate(zip(random, seeds, strict=False), start=1):
            m.d.comb += [
                each.members.eq(self.members),
                each.seed.eq(seed),
                each.test.eq(self.test_stream != 0),
                each.take.eq(self.random_taken),
            ]
            with m.If(self.test_stream == number):
                m.d.comb += self.random.eq(each.bits)

        # No layer can have these names, nor those of the shortcuts. Two registers, so that the
        # host's ready ends before it runs back into the last layer.
        slack = fifo.SyncFIFO(width=len(source.payload), depth=2)
        m.submodules["slack$"] = flushed(slack, len(network.layers))
        m.submodules["ensemble$"] = ensemble = Ensemble(
            classes=len(network.classes),
            width=logit_width(network.layers[-1], network.steps),
            exits=exits,
        )
        wiring.connect(m, source, slack.w_stream)  # type: ignore[arg-type]
        wiring.connect(m, slack.r_stream, ensemble.i)  # type: ignore[arg-type]
        wiring.connect(m, ensemble.o, wiring.flipped(self.o))
        m.d.comb += [
            ensemble.members.eq(self.members),
            ensemble.member_logits.eq(self.member_logits),
        ]
        if exits:
            m.d.comb += [
                ensemble.rule.eq(self.rule),
                ensemble.margin.eq(self.margin),
                ensemble.issued.eq(issued),
                flush.eq(ensemble.flush),
            ]
        return m

    def _read(self, m: Module) -> Any:
        """Return the pixels as they come, without the lower bits that are not read."""
        bits = self.network.pixel_bits
        if bits == PIXEL_BITS:
            return wiring.flipped(self.i)
        read = stream.Signature(bits * PIXELS_PER_BEAT).create(path=("pixels",))
        pixels = [self.i.payload.word_select(i, PIXEL_BITS) for i in range(PIXELS_PER_BEAT)]
        m.d.comb += [
            read.valid.eq(self.i.valid),
            read.payload.eq(Cat(pixel[PIXEL_BITS - bits :] for pixel in pixels)),
            self.i.ready.eq(read.ready),
        ]
        return read

    def _sift(self) -> Sift | None:
        """Return what leaves out pixels that are not connected, if there are any."""
        kept = self.network.input_rows
        if kept is None:
            return None
        return Sift(
            element_bits=self.network.pixel_bits,
            chunk=PIXELS_PER_BEAT,
            length=self.network.pixels,
            kept=kept,
        )

    def _joined(
        self, m: Module, index: int, source: Any, waiting: dict[int, Any], flushed: Any
    ) -> Any:
        """Return the outputs of layer `index` with what is added; fork them if they are, later.

        waiting : by a later layer's index, what will be added to its outputs. flushed : makes
        blocks that an early exit empties.
        """
        layers = self.network.layers
        layer, joins = layers[index], shortcut_source(self.network, index)
        if joins is not None:
            early, bits = layers[: joins + 1], output_drive(layers[: index + 1]).bits
            shortcut = Shortcut(
                early_bits=output_drive(early).bits,
                late_bits=layer.largest.bit_length(),
                bits=bits,
                early_chunk=neurons(layers[joins]),
                late_chunk=neurons(layer),
                channels=layer.output_shape[2],
                depth=shortcut_depth(self.network, index),
            )
            # What the first ensembling layer puts out is a member's, too.
            m.submodules[f"{layer.name}$sum"] = flushed(shortcut, index + 1)
            wiring.connect(m, source, shortcut.late)
            wiring.connect(m, waiting.pop(index), shortcut.early)
            source = shortcut.o
        sums = [n for n in range(len(layers)) if shortcut_source(self.network, n) == index]
        if sums:
            fork = Fork(len(source.payload), 1 + len(sums))
            m.submodules[f"{layer.name}$fork"] = flushed(fork, index + 1)
            wiring.connect(m, source, fork.i)
            source, *others = fork.o
            waiting.update(zip(sums, others, strict=True))
        return source
