"""From pixels to result packets: the layers in a row, and the ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network, output_drive
from bbnn.interface import PIXELS_PER_BEAT
from bbnn.schedule import neurons, shortcut_depth, shortcut_source, stream_bits
from hdl.correction import Constants
from hdl.ensemble import Beat, Ensemble
from hdl.layer import LayerCore
from hdl.neuron import logit_width
from hdl.scale_unit import ScaleUnit
from hdl.shortcut import Fork, Shortcut
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["DataPath"]


class DataPath(wiring.Component):
    """The layers and the ensemble; what `CONTROL.run` holds in reset.

    Parameters
    ----------
    network : Network

    Members
    -------
    i : In(stream.Signature(32))
        Pixels, four a beat.
    o : Out(stream.Signature(Beat()))
        Result packets.
    members, member_logits, seeds, test_stream, random_taken : In
        As in ``hdl.control.Control``: the seeds of the layers, then of the scale unit.
    constants : Out(Constants(layer, steps))
        As in ``hdl.logits.LogitNeuron``, and like it absent unless they are registers.
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

    def __init__(self, network: Network) -> None:
        self.network = network
        streams = len(stream_bits(network))
        constants = {"constants": Out(Constants(network.layers[-1], network.steps))}
        super().__init__(
            {
                "i": In(stream.Signature(8 * PIXELS_PER_BEAT)),
                "o": Out(stream.Signature(Beat())),
                "members": In(16),
                "member_logits": In(1),
                "seeds": In(max(1, network.lfsr_width * streams)),
                "test_stream": In(index_bits(streams + 1)),
                "random_taken": In(1),
                "random": Out(32),
                **(constants if network.output.registers else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        network, width = self.network, self.network.lfsr_width
        seeds = [self.seeds[start : start + width] for start in range(0, len(self.seeds), width)]
        source, chunk = wiring.flipped(self.i), PIXELS_PER_BEAT
        decided: list[LayerCore] = []
        waiting: dict[int, Any] = {}
        random: list[LayerCore | ScaleUnit] = []
        for index, layer in enumerate(network.layers):
            ensembles = index == network.first_ensembling
            block = LayerCore(
                layer,
                network.ensemble,
                lfsr_width=width,
                chunk=chunk,
                steps=network.steps,
                replays=ensembles,
                pixels=None if index else network.encoding,
            )
            m.submodules[layer.name] = block
            wiring.connect(m, source, block.i)
            m.d.comb += block.passes.eq(self.members if ensembles else 1)
            if layer.noise is not None:
                random.append(block)
            if block.corrected:
                wiring.connect(m, block.constants, wiring.flipped(self.constants))
            if block.banked:
                decided.append(block)
            source, chunk = self._joined(m, index, block.o, waiting), neurons(layer)
        if network.scale_dropout is not None:
            m.submodules["scale$"] = unit = ScaleUnit(
                network.scale_dropout, network.ensemble, lfsr_width=width, layers=len(decided)
            )
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
        m.submodules["slack$"] = slack
        m.submodules["ensemble$"] = ensemble = Ensemble(
            classes=len(network.classes), width=logit_width(network.layers[-1], network.steps)
        )
        wiring.connect(m, source, slack.w_stream)  # type: ignore[arg-type]
        wiring.connect(m, slack.r_stream, ensemble.i)  # type: ignore[arg-type]
        wiring.connect(m, ensemble.o, wiring.flipped(self.o))
        m.d.comb += [
            ensemble.members.eq(self.members),
            ensemble.member_logits.eq(self.member_logits),
        ]
        return m

    def _joined(self, m: Module, index: int, source: Any, waiting: dict[int, Any]) -> Any:
        """Return the outputs of layer `index` with what is added; fork them if they are, later.

        waiting : by a later layer's index, what will be added to its outputs.
        """
        layers = self.network.layers
        layer, joins = layers[index], shortcut_source(self.network, index)
        if joins is not None:
            early, bits = layers[: joins + 1], output_drive(layers[: index + 1]).bits
            m.submodules[f"{layer.name}$sum"] = shortcut = Shortcut(
                early_bits=output_drive(early).bits,
                late_bits=layer.largest.bit_length(),
                bits=bits,
                early_chunk=neurons(layers[joins]),
                late_chunk=neurons(layer),
                channels=layer.output_shape[2],
                depth=shortcut_depth(self.network, index),
            )
            wiring.connect(m, source, shortcut.late)
            wiring.connect(m, waiting.pop(index), shortcut.early)
            source = shortcut.o
        sums = [n for n in range(len(layers)) if shortcut_source(self.network, n) == index]
        if sums:
            m.submodules[f"{layer.name}$fork"] = fork = Fork(len(source.payload), 1 + len(sums))
            wiring.connect(m, source, fork.i)
            source, *others = fork.o
            waiting.update(zip(sums, others, strict=True))
        return source
