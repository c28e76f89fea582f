"""One layer: its input, noise plane, crossbar, neurons and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn import schedule
from bbnn.description import Ensemble, Layer, Logits, Quantised, Threshold
from hdl.columns import Columns
from hdl.correction import Constants
from hdl.crossbar import Crossbar
from hdl.feed import Feed, Pixels
from hdl.macro import Array
from hdl.neuron import LogitNeuron, ThresholdNeurons, neuron_block
from hdl.noise_plane import NoisePlane
from hdl.pool import Pooling
from hdl.sift import Sift
from hdl.transpose import Transpose
from hdl.widths import index_bits, times, train_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["LayerCore"]


class LayerCore(wiring.Component):
    """Take vectors or maps in chunks, run each `passes` times, give the neurons' outputs.

    An idle dense layer whose noise is drawn, and whose codes are all here, gives its first output
    ``load_cycles + crossbar_cycles + 6`` cycles (``bbnn.schedule``) and its neurons' latency after
    a vector was offered. Six: the queue, the word on its way into the buffer, the crossbar's four
    and the column register, less the cycle that the last address shares with the sum.

    Parameters
    ----------
    layer : Layer
    ensemble : Ensemble
    lfsr_width : int
    chunk : int
        Elements per transfer at the input.
    steps : int
        Time steps of a member.
    replays, exits, pixels, sift
        As in ``hdl.feed.Feed``.
    array : Array
        What samples the weights, if any are sampled.

    Members
    -------
    i : In(stream.Signature(chunk * element bits))
    o : Out(stream)
        Chunks of hidden outputs, pooled, or logits one by one (``hdl.neuron``).
    passes : In(16)
        How often each vector or map is run in every step: T in the first ensembling layer, 1 in the
        others.
    members : In(16)
        T. Absent where nothing is random and no inputs of all members are held.
    seed : In(lfsr_width)
        Absent where nothing is random.
    dropped : In(stream.Signature(1))
        Whether a member reads the second bank of thresholds. Absent without one.
    flush : In(1)
        Forget everything but what waits for its turn behind the input that is being read.
    issued : Out(1)
        As in ``hdl.feed.Feed``; both absent unless it exits.
    codes : In(stream.Signature(64))
        As in ``hdl.code_stream.CodeStream``; absent unless codes are streamed.
    constants : Out(Constants(layer, steps))
        As in ``hdl.logits.LogitNeuron``, and like it absent unless they are registers.
    """

    i: stream.Interface
    o: stream.Interface
    passes: Signal
    members: Signal
    seed: Signal
    test: Signal
    take: Signal
    bits: Signal
    codes: stream.Interface
    dropped: stream.Interface
    constants: Any
    flush: Signal
    issued: Signal

    def __init__(
        self,
        layer: Layer,
        ensemble: Ensemble,
        *,
        lfsr_width: int,
        chunk: int,
        steps: int = 1,
        replays: bool = False,
        exits: bool = False,
        pixels: Pixels | None = None,
        sift: Sift | None = None,
        array: Array = "lanes",
    ) -> None:
        self.layer = layer
        self.exits = exits
        self.ensemble = ensemble
        self.macro = array == "macro" and layer.probability_bits > 0
        self.lfsr_width = lfsr_width
        self.steps = steps
        self._each_step = ensemble.resample == "step"
        self._feed = Feed(
            layer,
            chunk=chunk,
            steps=steps,
            replays=replays,
            exits=exits,
            pixels=pixels,
            sift=sift,
        )
        self._neurons = neuron_block(layer, steps)
        self._pooling = pooling(layer)
        source = self._pooling or self._neurons
        self.banked = isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None
        self.corrected = isinstance(layer.neuron, Logits) and layer.neuron.registers
        self.holds = layer.folding.held > 1
        noise = {"seed": In(lfsr_width), "test": In(1), "take": In(1)}
        noise["bits"] = Out(schedule.noise_step(layer, lfsr_width))
        super().__init__(
            {
                "i": In(stream.Signature(len(self._feed.i.payload))),
                "o": Out(source.o.signature),
                "passes": In(16),
                **({"members": In(16)} if layer.noise or self.holds else {}),
                **(noise if layer.noise else {}),
                **({"codes": In(stream.Signature(schedule.CODE_BEAT))} if layer.streamed else {}),
                **({"dropped": In(stream.Signature(1))} if self.banked else {}),
                **({"flush": In(1), "issued": Out(1)} if exits else {}),
                **({"constants": Out(Constants(layer, steps))} if self.corrected else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        m.submodules.feed = feed = self._feed
        vectors = layer.positions * (1 if self._each_step else self.steps)
        crossbar = Crossbar(layer, vectors if self.macro else None)
        columns, neurons = Columns(layer), self._neurons
        m.submodules.crossbar = self._flushed(crossbar)
        m.submodules.columns = self._flushed(columns)
        m.submodules.neurons = self._flushed(neurons)
        wiring.connect(m, wiring.flipped(self.i), feed.i)
        wiring.connect(m, crossbar.o, columns.i)
        if self.banked:
            self._choose_bank(m, columns.o)
        else:
            wiring.connect(m, columns.o, neurons.i)
        if self.corrected:
            assert isinstance(neurons, LogitNeuron)
            wiring.connect(m, neurons.constants, wiring.flipped(self.constants))
        source: Any = neurons
        if self._pooling is not None:
            m.submodules.pool = self._flushed(self._pooling)
            wiring.connect(m, neurons.o, self._pooling.i)
            source = self._pooling
        if layer.streamed:
            source = self._add_stream(m, crossbar, source)
        wiring.connect(m, source.o, wiring.flipped(self.o))
        m.d.comb += [
            feed.passes.eq(self.passes),
            feed.done.eq(crossbar.done),
            feed.enable.eq(crossbar.enable),
            feed.address.eq(crossbar.vector_address),
            crossbar.drive.eq(feed.drive),
            crossbar.valid.eq(feed.valid),
        ]
        if self.exits:
            m.d.comb += [feed.flush.eq(self.flush), self.issued.eq(feed.issued)]
        if layer.masked:
            m.d.comb += crossbar.driven.eq(feed.driven)
        if layer.folding.reuse:
            m.d.comb += crossbar.certain.eq(feed.certain)
        if feed.tells:
            m.d.comb += [feed.plane.eq(crossbar.plane), crossbar.live.eq(feed.live)]
        # A macro's noise is its own; what drops maps is drawn as ever.
        if layer.noise is not None and (layer.dropout is not None or not self.macro):
            self._add_noise(m, crossbar, vectors)
        return m

    def _add_noise(self, m: Module, crossbar: Crossbar, vectors: int) -> None:
        """Let the crossbar wait for the noise plane and read it; keep dropped maps from driving."""
        layer, feed = self.layer, self._feed
        each_step = self._each_step
        # A member reads an input once, or for each column group before the next member does.
        vectors *= layer.column_groups if layer.folding.held == 1 else 1
        # Certain rows are read without noise.
        certain = feed.certain if layer.folding.reuse else 0
        noise = NoisePlane(
            layer,
            self.ensemble,
            self.lfsr_width,
            vectors=vectors,
            member_bits=train_bits(self.steps if each_step else 1),
        )
        m.submodules.noise = self._flushed(noise)
        m.d.comb += [
            noise.seed.eq(self.seed),
            noise.test.eq(self.test),
            noise.take.eq(self.take),
            self.bits.eq(noise.bits),
            noise.members.eq(times(self.members, self.steps) if each_step else self.members),
            noise.done.eq(crossbar.done & ~certain),
            noise.enable.eq(crossbar.enable),
            noise.row_group.eq(crossbar.row_group),
            noise.column_group.eq(crossbar.column_group),
            crossbar.valid.eq(feed.valid & (noise.valid | certain)),
        ]
        if crossbar.sampled_bits:
            m.d.comb += [
                crossbar.row_noise.eq(noise.row_noise),
                crossbar.column_noise.eq(noise.column_noise),
            ]
        if layer.dropout is not None:
            kept = Cat(kept.replicate(layer.taps) for kept in noise.kept)
            if layer.masked:
                m.d.comb += crossbar.driven.eq(feed.driven & kept)
            else:
                m.d.comb += crossbar.drive.eq(feed.drive & kept)
            if layer.folding.skip_zeros:
                m.d.comb += crossbar.live.eq(noise.live & (feed.live if feed.tells else ~0))

    def _add_stream(self, m: Module, crossbar: Crossbar, source: Any) -> Any:
        """Let codes in, and return what has the outputs vector by vector."""
        layer, height, width, _ = self.layer, *self.layer.output_shape
        wiring.connect(m, wiring.flipped(self.codes), crossbar.codes)
        m.d.comb += crossbar.vectors.eq(self.members if self.holds else layer.positions)
        if self.holds and self._feed.holds:
            m.d.comb += self._feed.members.eq(self.members)
        if not schedule.transposed(layer):
            return source
        m.submodules.transpose = transpose = Transpose(
            width=len(source.o.payload),
            chunks=layer.folding.lanes_out // schedule.neurons(layer),
            column_groups=layer.column_groups,
            vectors=layer.folding.held * height * width,
        )
        wiring.connect(m, source.o, transpose.i)
        m.d.comb += transpose.count.eq(self.members if self.holds else height * width)
        return transpose

    def _choose_bank(self, m: Module, sums: stream.Interface) -> None:
        """Hold a member's sums back until its bank of thresholds is decided."""
        neurons, dropped = self._neurons, self.dropped
        assert isinstance(neurons, ThresholdNeurons)
        position = Signal(index_bits(self.layer.positions))
        last_position = position == self.layer.positions - 1
        chunks = -(-self.layer.columns // schedule.neurons(self.layer))
        ends = Signal()
        m.d.comb += [
            neurons.i.payload.eq(sums.payload),
            neurons.i.valid.eq(sums.valid & dropped.valid),
            sums.ready.eq(neurons.i.ready & dropped.valid),
            neurons.dropped.eq(dropped.payload),
            ends.eq(sums.valid & sums.ready & (sums.p.chunk == chunks - 1)),
            dropped.ready.eq(ends & last_position),
        ]
        with m.If(ends):
            m.d.sync += position.eq(Mux(last_position, 0, position + 1))
        if self.exits:
            with m.If(self.flush):
                m.d.sync += position.eq(0)

    def _flushed(self, block: Any) -> Any:
        return ResetInserter(self.flush)(block) if self.exits else block


def pooling(layer: Layer) -> Pooling | None:
    """Return what pools the outputs of the neurons of `layer`, if anything does."""
    if layer.pool is None:
        return None
    height, width, channels = layer.sum_shape
    return Pooling(
        kind=layer.pool.kind,
        size=layer.pool.size,
        element_bits=layer.neuron.bits if isinstance(layer.neuron, Quantised) else 1,
        chunk=schedule.neurons(layer),
        height=height,
        width=width,
        # Of streamed codes, a map of every column group comes.
        channels=layer.folding.lanes_out if layer.streamed else channels,
    )
