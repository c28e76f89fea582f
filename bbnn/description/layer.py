"""A layer: one crossbar with its drive, codes, noise and neuron."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bbnn.description.checks import (
    Integers,
    require_identifier,
    require_integers,
    require_range,
)
from bbnn.description.neurons import Logits, Neuron, Quantised, Spiking, Threshold
from bbnn.description.rows import require_rows
from bbnn.description.streamed import require_streamed
from bbnn.errors import require, require_int

MAX_PROBABILITY_BITS = 8
MAX_DRIVE_BITS = 16
Shape = tuple[int, int, int]
"""Height, width and channels of a map; a vector is a map of one position."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """What the word lines of a layer carry.

    kind : "sign" for +-1, one plane; "unsigned" for 0..2**bits-1, fed plane by plane, most
        significant first. A spike is unsigned, of one bit.
    bits : number of bit planes, 1..16 (1 for "sign").
    """

    kind: Literal["sign", "unsigned"]
    bits: int = 1

    def __post_init__(self) -> None:
        require(self.kind in ("sign", "unsigned"), "drive.kind", '"sign" or "unsigned"', self.kind)
        require_int("drive.bits", self.bits, 1, 1 if self.kind == "sign" else MAX_DRIVE_BITS)

    def __str__(self) -> str:
        return self.kind if self.kind == "sign" else f"unsigned of {self.bits} bits"

    @property
    def maximum(self) -> int:
        """Largest absolute value of one drive."""
        return 1 if self.kind == "sign" else 2**self.bits - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """How a convolution cuts the rows of its crossbar out of a map, position by position.

    height, width, channels : of the input map. kernel : K; the window is K x K. stride : 1..K.
    padding : pixels of zero drive around the map, below K.
    mapping : "tall", one crossbar whose row ``c*K*K + ky*K + kx`` is channel c at (ky, kx) of the
        window (M1); "split", K*K crossbars of a row per channel whose sums are added (M2). The
        numbers are the same; only "tall" is built.
    """

    height: int
    width: int
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    mapping: Literal["tall", "split"] = "tall"

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels"):
            require_int(f"window.{name}", getattr(self, name), 1, 65535)
        padded = min(self.height, self.width) + 2 * self._int("padding", 0, 254)
        require_int("window.kernel", self.kernel, 1, min(255, padded))
        require_int("window.padding", self.padding, 0, self.kernel - 1)
        require_int("window.stride", self.stride, 1, self.kernel)
        known = self.mapping in ("tall", "split")
        require(known, "window.mapping", '"tall" or "split"', self.mapping)

    def _int(self, name: str, low: int, high: int) -> int:
        return require_int(f"window.{name}", getattr(self, name), low, high)

    @property
    def shape(self) -> Shape:
        """Height, width and channels of the input map."""
        return self.height, self.width, self.channels

    @property
    def taps(self) -> int:
        """Rows per channel, K * K."""
        return self.kernel**2

    @property
    def out_height(self) -> int:
        """Rows of positions."""
        return (self.height + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Positions in a row."""
        return (self.width + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """What is left of a map: one value for each `size` x `size` square, its channels apart.

    kind : "max" (for +-1 an OR) or "sum" (average pooling, whose divisor the next layer's neurons
        take up). size : 2..8; rows and columns of the map that fill no square are dropped.
    """

    kind: Literal["max", "sum"]
    size: int

    def __post_init__(self) -> None:
        require(self.kind in ("max", "sum"), "pool.kind", '"max" or "sum"', self.kind)
        require_int("pool.size", self.size, 2, 8)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpatialDropout:
    """Each input map is driven with 0, with probability ``code / 2**bits``, drawn once a member.

    A convolution's map is an input channel, K*K neighbouring rows; a dense layer's is a row.
    bits : 1..8. code : 1..2**bits-1.
    """

    code: int
    bits: int

    def __post_init__(self) -> None:
        require_int("dropout.bits", self.bits, 1, 8)
        require_int("dropout.code", self.code, 1, 2**self.bits - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Folding:
    """How much of the crossbar one clock cycle reads.

    lanes_in : rows a cycle (S), 1..rows; a convolution's is a multiple of K*K. lanes_out : columns
    a cycle (P), 1..columns; a convolution's divides its columns.
    skip_zeros : spend no cycle on a row group that drives nothing in a bit plane (docs/design.md).
        Results are the same. Of unsigned drives, or where maps are dropped; a window of signs
        always meets the map, padding or not.
    reuse : sum the rows that are not sampled once an input, for all members. Results are the same.
        Of a fully connected first ensembling layer, without dropout and without skipped zeros.
    held : with 0 all codes are on the part. Otherwise they come from memory (docs/streaming.md),
        and those of one column group serve so many inputs before the next one's take their place:
        1, or of a fully connected layer that is run for every member those of all members of an
        image, of which there are no more than so many then. Results are the same.
    """

    lanes_in: int
    lanes_out: int
    skip_zeros: bool = False
    reuse: bool = False
    held: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NoisePlane:
    """Random bits of one stochastic layer (docs/numbers.md).

    row_bits : bits drawn per row (K), from the layer's probability bits up to 64; 0 where these are
        0 and only dropout is random.
    seed : first state of the layer's LFSR, not 0.
    """

    row_bits: int
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layer:
    """A crossbar layer: fully connected, or a convolution where it has a window.

    name : a Verilog identifier, unique in the network.
    drive : what its rows carry.
    codes : integers 0..2**b, shape (rows, columns); a weight is +1 with probability code / 2**b.
    probability_bits : b, 0..8. 0 is a plain binary layer: code 0 is -1, code 1 is +1.
    neuron : what its columns do. folding : lanes.
    noise : None exactly if b is 0 and there is no dropout.
    window : cuts the rows out of a map. pool : of the neurons' outputs. dropout : of input maps.
    adds : name of an earlier layer; its outputs are added to this one's, which have the same shape.
    sampled : which rows are sampled, 0 or 1 each, shape (rows,), some but not all; None for all.
        The others are certain, code 0 or 2**b: no random bits are drawn for them, and a single bit
        of their codes is stored. Anywhere in a plain fully connected layer, which then sorts its
        inputs; of a convolution, or with dropout or skipped zeros, the first maps.
    """

    name: str
    drive: Drive
    codes: Integers
    probability_bits: int
    neuron: Neuron
    folding: Folding
    noise: NoisePlane | None
    window: Window | None = None
    pool: Pool | None = None
    dropout: SpatialDropout | None = None
    adds: str | None = None
    sampled: Integers | None = None

    @property
    def rows(self) -> int:
        """Inputs, the word lines of the crossbar."""
        return int(self.codes.shape[0])

    @property
    def columns(self) -> int:
        """Outputs, the bit lines of the crossbar."""
        return int(self.codes.shape[1])

    @property
    def sampled_rows(self) -> int:
        """Rows for which random bits are drawn, if there are any."""
        return self.rows if self.sampled is None else int(np.count_nonzero(self.sampled))

    def all_sampled(self) -> Layer:
        """Return the layer with all rows sampled: the same probabilities, other draws."""
        return replace(self, sampled=None, folding=replace(self.folding, reuse=False))

    @property
    def sorts(self) -> bool:
        """Whether sampled rows have others before them, so that its inputs must be sorted."""
        return self.sampled is not None and not self.sampled[: self.sampled_rows].all()

    @property
    def row_order(self) -> Integers:
        """The rows as row groups hold them, sampled ones first; -1 where a group holds none.

        Where inputs are sorted, the two kinds share no group; else certain rows fill the last
        group of the sampled ones.
        """
        parts = [np.arange(self.rows)]
        if self.sampled is not None and self.sorts:
            parts = [np.flatnonzero(self.sampled), np.flatnonzero(self.sampled == 0)]
        lanes = self.folding.lanes_in
        filled = [np.pad(part, (0, -len(part) % lanes), constant_values=-1) for part in parts]
        return np.concatenate(filled)

    @property
    def sampled_groups(self) -> int:
        """Row groups that hold sampled rows: the first ones."""
        return -(-self.sampled_rows // self.folding.lanes_in)

    @property
    def row_groups(self) -> int:
        """Cycles to read every row once."""
        lanes = self.folding.lanes_in
        if self.sorts:
            return self.sampled_groups - (self.sampled_rows - self.rows) // lanes
        return -(-self.rows // lanes)

    @property
    def column_groups(self) -> int:
        """Cycles to reach every column once."""
        return -(-self.columns // self.folding.lanes_out)

    @property
    def streamed(self) -> bool:
        """Whether its codes come from memory."""
        return self.folding.held > 0

    @property
    def positions(self) -> int:
        """Vectors in one map: how often the crossbar is read for it."""
        return self.window.out_height * self.window.out_width if self.window else 1

    @property
    def taps(self) -> int:
        """Rows of an input map: K*K of a convolution, else 1."""
        return self.window.taps if self.window else 1

    @property
    def maps(self) -> int:
        """Input maps, which dropout drops whole."""
        return self.rows // self.taps

    @property
    def masked(self) -> bool:
        """Whether a row that carries signs can also carry 0: in padding, or dropped."""
        padded = self.window is not None and self.window.padding > 0
        return self.drive.kind == "sign" and (padded or self.dropout is not None)

    @property
    def reach(self) -> int:
        """Largest absolute value that the sum of a column can take."""
        return self.rows * self.drive.maximum

    @property
    def sum_shape(self) -> Shape:
        """Positions and columns: the shape of the sums, before pooling."""
        if self.window is None:
            return 1, 1, self.columns
        return self.window.out_height, self.window.out_width, self.columns

    @property
    def output_shape(self) -> Shape:
        """Height, width and channels of what the layer puts out."""
        height, width, channels = self.sum_shape
        size = self.pool.size if self.pool else 1
        return height // size, width // size, channels

    @property
    def largest(self) -> int:
        """Largest of its own outputs, pooled; 1 for signs. Logits have none."""
        largest = 2**self.neuron.bits - 1 if isinstance(self.neuron, Quantised) else 1
        pool = self.pool
        return largest * pool.size**2 if pool is not None and pool.kind == "sum" else largest

    @property
    def varies(self) -> bool:
        """Whether its output depends on the member even where its input does not."""
        scaled = isinstance(self.neuron, Threshold) and self.neuron.dropped is not None
        return self.noise is not None or scaled

    @property
    def stochastic_weights(self) -> int:
        """Number of weights whose code is neither 0 nor 2**b."""
        full = 2**self.probability_bits
        return int(np.count_nonzero((self.codes > 0) & (self.codes < full)))

    @property
    def weight_bits(self) -> int:
        """Bits of the code memory."""
        return (self.rows + self.sampled_rows * self.probability_bits) * self.columns

    @property
    def noise_bits(self) -> int:
        """Random bits that one filling of the noise plane draws."""
        if self.noise is None:
            return 0
        dropping = self.maps * self.dropout.bits if self.dropout else 0
        weighing = self.sampled_rows * self.noise.row_bits + self.columns * self.probability_bits
        return weighing + dropping

    def __post_init__(self) -> None:
        require_identifier("name", self.name)
        if self.adds is not None:
            require_identifier(f"adds ({self.name})", self.adds)
        require_int("probability_bits", self.probability_bits, 0, MAX_PROBABILITY_BITS)
        require_integers("codes", self.codes, 2)
        require(min(self.codes.shape) > 0, "codes", "a non-empty matrix", self.codes.shape)
        require_range("codes", self.codes, 0, 2**self.probability_bits)
        if self.window is not None:
            rows = self.window.channels * self.window.taps
            require(self.rows == rows, "codes", f"of {rows} rows, channels * kernel**2", self.rows)
        require_int("folding.lanes_in", self.folding.lanes_in, 1, self.rows)
        require_int("folding.lanes_out", self.folding.lanes_out, 1, self.columns)
        skips = self.folding.skip_zeros
        where = f"folding.skip_zeros ({self.name})"
        require(isinstance(skips, bool), where, "true or false", skips)
        zeros = self.drive.kind == "unsigned" or self.dropout is not None
        wanted = "false where no row group can be without drive"
        require(zeros or not skips, where, wanted, skips)
        self._require_noise()
        self._require_window()
        require_rows(self)
        require_streamed(self)
        self.neuron.check(self.columns, self.reach)

    def _require_noise(self) -> None:
        if self.probability_bits == 0 and self.dropout is None:
            require(self.noise is None, "noise", "None where nothing is random", self.noise)
        else:
            where = "set where probability_bits > 0 or dropout is"
            require(self.noise is not None, "noise", where, self.noise)
        if self.noise is not None:
            most = 64 if self.probability_bits else 0
            require_int("noise.row_bits", self.noise.row_bits, self.probability_bits, most)

    def _require_window(self) -> None:
        if self.window is None:
            require(self.pool is None, "pool", "None without a window", self.pool)
            return
        lanes, taps = self.folding, self.window.taps
        whole = lanes.lanes_in % taps == 0
        require(whole, "folding.lanes_in", f"a multiple of kernel**2 = {taps}", lanes.lanes_in)
        divides = self.columns % lanes.lanes_out == 0
        wanted = f"a divisor of the {self.columns} columns"
        require(divides, "folding.lanes_out", wanted, lanes.lanes_out)
        if self.pool is not None:
            smaller = min(self.sum_shape[:2])
            require_int("pool.size", self.pool.size, 2, smaller)
            sums = not isinstance(self.neuron, Threshold) or self.pool.kind == "max"
            require(sums, "pool.kind", '"max" for +-1', self.pool.kind)
        hidden = isinstance(self.neuron, Threshold | Quantised | Spiking)
        require(hidden, "window", "None in the layer with logits", self.window)
        assert not isinstance(self.neuron, Logits)
