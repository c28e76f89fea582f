"""One layer: replay buffer, noise plane, crossbar and neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Layer, Ensemble, Threshold
from hdl.columns import Columns
from hdl.crossbar import Crossbar
from hdl.neuron import LogitNeuron, ThresholdNeurons
from hdl.noise_plane import NoisePlane
from hdl.replay import ReplayBuffer

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["LayerCore"]


class LayerCore(wiring.Component):
    """Take vectors in chunks, run each `passes` times, give the neurons' outputs.

    An idle layer whose noise is drawn gives its first hidden output ``load_cycles +
    crossbar_cycles + 7`` cycles (``bbnn.schedule``) after a vector was offered, the first logit one
    later. Seven: the queue, the word on its way into the buffer, the crossbar's three, the column
    register and the neuron's two, less the cycle that the last address shares with the sum.

    Parameters
    ----------
    layer : Layer
    ensemble : Ensemble
    lfsr_width : int
    chunk : int
        Elements per transfer at the input.

    Members
    -------
    i : In(stream.Signature(chunk * drive bits))
    o : Out(stream)
        Chunks of hidden outputs, or logits one by one (``hdl.neuron``).
    passes : In(16)
        How often each vector is run: T in the first ensembling layer, 1 in the others.
    members : In(16)
        T.
    seed : In(lfsr_width)
        Absent where b is 0, like `members`.
    """

    i: stream.Interface
    o: stream.Interface
    passes: Signal
    members: Signal
    seed: Signal

    def __init__(self, layer: Layer, ensemble: Ensemble, *, lfsr_width: int, chunk: int) -> None:
        self.layer = layer
        self.ensemble = ensemble
        self.lfsr_width = lfsr_width
        self.chunk = chunk
        neurons = ThresholdNeurons if isinstance(layer.neuron, Threshold) else LogitNeuron
        self._neurons = neurons(layer)
        noise = {"members": In(16), "seed": In(lfsr_width)} if layer.noise else {}
        super().__init__(
            {
                "i": In(stream.Signature(chunk * layer.drive.bits)),
                "o": Out(self._neurons.o.signature),
                "passes": In(16),
                **noise,
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        m.submodules.replay = replay = ReplayBuffer(
            element_bits=layer.drive.bits,
            chunk=self.chunk,
            length=layer.rows,
            word=layer.folding.lanes_in,
            pad=1 if layer.drive.kind == "sign" else 0,
        )
        m.submodules.crossbar = crossbar = Crossbar(layer)
        m.submodules.columns = columns = Columns(layer)
        m.submodules.neurons = neurons = self._neurons
        # Two registers between the layers: no ready signal runs through more than one of them.
        m.submodules.slack = slack = fifo.SyncFIFO(width=len(self.i.payload), depth=2)
        wiring.connect(m, wiring.flipped(self.i), slack.w_stream)  # type: ignore[arg-type]
        wiring.connect(m, slack.r_stream, replay.i)  # type: ignore[arg-type]
        wiring.connect(m, crossbar.o, columns.i)
        wiring.connect(m, columns.o, neurons.i)
        wiring.connect(m, neurons.o, wiring.flipped(self.o))
        m.d.comb += [
            replay.passes.eq(self.passes),
            replay.done.eq(crossbar.done),
            replay.enable.eq(crossbar.enable),
            replay.address.eq(crossbar.vector_address),
            crossbar.drive.eq(replay.word_data),
            crossbar.valid.eq(replay.valid),
        ]
        if layer.noise is not None:
            m.submodules.noise = noise = NoisePlane(layer, self.ensemble, self.lfsr_width)
            m.d.comb += [
                noise.seed.eq(self.seed),
                noise.members.eq(self.members),
                noise.done.eq(crossbar.done),
                noise.enable.eq(crossbar.enable),
                noise.row_group.eq(crossbar.row_group),
                noise.column_group.eq(crossbar.column_group),
                crossbar.row_noise.eq(noise.row_noise),
                crossbar.column_noise.eq(noise.column_noise),
                crossbar.valid.eq(replay.valid & noise.valid),
            ]
        return m
