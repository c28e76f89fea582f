"""What stands before a crossbar: from a layer's input stream to the vectors that it reads."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any, Literal

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import MAX_MEMBERS, PIXEL_BITS, Layer, Window
from hdl.lines import LineBuffer
from hdl.rate import RateEncoder
from hdl.repack import Repack
from hdl.replay import ReplayBuffer
from hdl.sift import Sift
from hdl.widths import index_bits, times

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Feed", "Pixels"]

Pixels = Literal["constant", "rate"]


class Feed(wiring.Component):
    """Hold a layer's input and offer it, vector by vector, as often as it is to be read.

    Two registers at the input, so that no ready signal runs through more than one layer. A dense
    layer's vector waits in the replay buffer, which sorts it where sampled rows lie between others.
    A convolution's map waits in the line buffer, and the replay buffer holds the window of one
    position; beats of pixels are cut before it, as they may hold parts of two. A dense layer whose
    pixels become spikes holds them as a map of one position.

    Parameters
    ----------
    layer : Layer
    chunk : int
        Elements per transfer at the input.
    steps : int
        Time steps of a member.
    replays : bool
        Whether the input is held for all members and steps, as in the first ensembling layer.
    exits : bool
        Whether an input that is replayed may be given up before its last pass.
    pixels : "constant", "rate" or None
        The encoding of the pixels that come in, if they are pixels: of all bits where they become
        spikes, else of those that are read.
    sift : Sift or None
        What lets through those that are connected, if not all are.

    Where codes are streamed, all inputs that are held are read anew for each column group. If they
    are those of all members, they are the same for all in the first ensembling layer.

    Members
    -------
    i : In(stream.Signature(chunk * element bits))
    passes : In(16)
        How often the input is read in every step; 1 unless it is replayed. Where sums are reused,
        it is read once more.
    members : In(16)
        T; absent unless the inputs of all members are held.
    valid, done, enable, address
        As in ``hdl.replay.ReplayBuffer``.
    drive : Out(lanes_in)
        The word at `address`, one cycle later.
    driven : Out(lanes_in)
        Its rows that lie inside the map; absent unless the layer is masked.
    plane, live
        As in ``hdl.replay.ReplayBuffer``; absent unless zeros of unsigned drives are skipped.
    certain : Out(1)
        The vector is read for the rows that are not sampled, before the members; absent unless
        their sums are reused.
    flush : In(1)
        Give up the input that is being read, in all its passes.
    issued : Out(1)
        The last pass of an input has been read, in this cycle. Both absent unless it exits.
    """

    i: stream.Interface
    passes: Signal
    members: Signal
    valid: Signal
    done: Signal
    enable: Signal
    address: Signal
    drive: Signal
    driven: Signal
    plane: Signal
    live: Signal
    certain: Signal
    flush: Signal
    issued: Signal

    def __init__(
        self,
        layer: Layer,
        *,
        chunk: int,
        steps: int = 1,
        replays: bool = False,
        exits: bool = False,
        pixels: Pixels | None = None,
        sift: Sift | None = None,
    ) -> None:
        self.layer = layer
        self.chunk = chunk
        self.steps = steps
        self.replays = replays
        self.exits = exits
        self.pixels = pixels
        self.sift = sift
        self.element_bits = PIXEL_BITS if pixels == "rate" else layer.drive.bits
        lanes = layer.folding.lanes_in
        self.holds = layer.folding.held > 1 and not replays
        self.tells = layer.folding.skip_zeros and layer.drive.kind == "unsigned"
        asked = {"plane": In(index_bits(layer.drive.bits)), "live": Out(layer.row_groups)}
        super().__init__(
            {
                "i": In(stream.Signature(chunk * self.element_bits)),
                "passes": In(16),
                **({"members": In(16)} if self.holds else {}),
                "valid": Out(1),
                "done": In(1),
                "enable": In(1),
                "address": In(index_bits(layer.drive.bits * layer.row_groups)),
                "drive": Out(lanes),
                **({"driven": Out(lanes)} if layer.masked else {}),
                **(asked if self.tells else {}),
                **({"certain": Out(1)} if layer.folding.reuse else {}),
                **({"flush": In(1), "issued": Out(1)} if exits else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer, lanes = self.layer, self.layer.folding.lanes_in
        window = self._window()
        carries_masks = window is not None and layer.masked
        pad = 1 if layer.drive.kind == "sign" and not carries_masks else 0
        # One more where sums are reused: those of the certain rows come before all members'.
        rounds = layer.column_groups if layer.streamed else 1
        pass_bits = bits_for(rounds * MAX_MEMBERS * self.steps + layer.folding.reuse)
        word = lanes * (2 if carries_masks else 1)
        replay = ReplayBuffer(
            element_bits=layer.drive.bits,
            chunk=word if window else self.chunk,
            length=word * layer.row_groups if window else layer.rows,
            word=word,
            pad=pad,
            pass_bits=pass_bits,
            tells=self.tells,
            first=layer.sampled if layer.sorts else None,
            exits=self.exits and window is None,
            vectors=layer.folding.held if self.holds else 1,
        )
        m.submodules.replay = replay if window is None else self._flushed(replay)
        m.submodules.slack = slack = fifo.SyncFIFO(width=len(self.i.payload), depth=2)
        wiring.connect(m, wiring.flipped(self.i), slack.w_stream)  # type: ignore[arg-type]
        passes = Signal(pass_bits)
        reads = times(self.passes, self.steps) if self.replays else self.passes
        if layer.streamed:
            reads = times(reads, rounds)
        if self.holds:
            m.d.comb += replay.count.eq(self.members)
        m.d.comb += [
            passes.eq(reads + 1 if layer.folding.reuse else reads),
            self.valid.eq(replay.valid),
            replay.done.eq(self.done),
            replay.enable.eq(self.enable),
            replay.address.eq(self.address),
            self.drive.eq(replay.word_data),
        ]
        if carries_masks:
            m.d.comb += self.driven.eq(replay.word_data[lanes:])
        elif layer.masked:
            m.d.comb += self.driven.eq(~0)
        if layer.folding.reuse:
            m.d.comb += self.certain.eq(replay.first_pass)
        if self.tells:
            m.d.comb += [replay.plane.eq(self.plane), self.live.eq(replay.live)]
        source: Any = slack.r_stream
        if self.sift is not None:
            m.submodules.sift = self.sift
            wiring.connect(m, source, self.sift.i)
            source = self.sift.o
        if window is None:
            wiring.connect(m, source, replay.i)
            m.d.comb += replay.passes.eq(passes)
            if self.exits:
                m.d.comb += [replay.flush.eq(self.flush), self.issued.eq(replay.issued)]
        else:
            self._cut(m, window, source, passes, replay)
        return m

    def _flushed(self, block: Any) -> Any:
        return ResetInserter(self.flush)(block) if self.exits else block

    def _window(self) -> Window | None:
        """Return the window to be cut; all rows at once where pixels are only held."""
        if self.layer.window is None and self.pixels == "rate":
            return Window(height=1, width=1, channels=self.layer.rows, kernel=1)
        return self.layer.window

    def _cut(
        self, m: Module, window: Window, source: Any, passes: Signal, replay: ReplayBuffer
    ) -> None:
        """Cut windows out of maps."""
        layer, chunk, bits = self.layer, self.chunk, self.element_bits
        replays = self.replays or layer.streamed
        if self.pixels and layer.window:
            m.submodules.pixels = pixels = Repack(
                element_bits=bits,
                chunk=chunk,
                word=gcd(chunk, window.channels),
                length=window.height * window.width * window.channels,
            )
            wiring.connect(m, source, pixels.i)
            source, chunk = pixels.o, pixels.word
        m.submodules.lines = lines = LineBuffer(
            window,
            element_bits=bits,
            chunk=chunk,
            together=layer.folding.lanes_in // window.taps,
            pad=replay.pad,
            masked=layer.masked,
            replays=replays,
            exits=self.exits,
            pass_bits=len(passes),
        )
        wiring.connect(m, source, lines.i)
        m.d.comb += replay.passes.eq(1)
        if replays:
            m.d.comb += lines.passes.eq(passes)
        if self.exits:
            m.d.comb += [lines.flush.eq(self.flush), self.issued.eq(lines.issued)]
        sink = replay.i
        if self.pixels == "rate":
            rate = RateEncoder(
                together=layer.folding.lanes_in,
                words=layer.positions * layer.row_groups,
                steps=self.steps,
            )
            m.submodules.rate = self._flushed(rate)
            wiring.connect(m, rate.o, sink)
            sink = rate.i
        m.d.comb += [
            sink.valid.eq(lines.o.valid),
            sink.payload.eq(lines.o.payload),
            lines.o.ready.eq(sink.ready),
        ]
