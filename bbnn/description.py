"""What a network is: one frozen object that golden evaluates, hdl builds and the cycle model times.

    y[j] = sum over i of d[i] * w[i, j]      d: word-line drive      w: the weight this member sees

A layer is its drive (what the rows carry), its codes (how likely each weight is +1) and its neuron
(what the column does with the sum). The numbers are explained in `docs/numbers.md`, the file format
in `docs/model-file.md`. All classes check themselves and raise `InputError` with the field's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.errors import require, require_int
from bbnn.lfsr import TAPS

Integers = NDArray[np.integer[Any]]

MAX_PROBABILITY_BITS = 8
MAX_MEMBERS = 65535
"""Largest member count of the 16-bit register; a network's own limit may be lower."""
LOGIT_LIMIT = 2**31
"""Sums of logits leave the hardware in 32-bit words, so every sum stays below this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """What the word lines of a layer carry.

    kind : "sign" for +-1, one plane; "unsigned" for 0..2**bits-1, fed plane by plane, most
        significant first.
    bits : number of bit planes, 1..8 (1 for "sign").
    """

    kind: Literal["sign", "unsigned"]
    bits: int = 1

    def __post_init__(self) -> None:
        require(self.kind in ("sign", "unsigned"), "drive.kind", '"sign" or "unsigned"', self.kind)
        require_int("drive.bits", self.bits, 1, 1 if self.kind == "sign" else 8)

    @property
    def maximum(self) -> int:
        """Largest absolute value of one drive."""
        return 1 if self.kind == "sign" else 2**self.bits - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Folding:
    """How much of the crossbar one clock cycle reads.

    lanes_in : rows a cycle (S), 1..rows; lanes_out : columns a cycle (P), 1..columns.
    """

    lanes_in: int
    lanes_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoisePlane:
    """Random bits of one stochastic layer (docs/numbers.md).

    row_bits : bits drawn per row (K), from the layer's probability bits up to 64.
    seed : first state of the layer's LFSR, not 0.
    """

    row_bits: int
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Threshold:
    """Hidden neuron: +1 where ``y >= thresholds[j]``, else -1.

    thresholds : integers, shape (columns,), each within the reach of the sum or one above it.
    """

    thresholds: Integers


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Logits:
    """Output neuron: ``scale[j] * y + offset[j]``, fixed point with `fraction_bits` fraction bits.

    scale : integers 0..65535, shape (columns,); offset : integers, same shape.
    """

    scale: Integers
    offset: Integers
    fraction_bits: int


Neuron = Threshold | Logits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dense:
    """A fully connected crossbar layer.

    name : a Verilog identifier, unique in the network.
    drive : what its rows carry.
    codes : integers 0..2**b, shape (rows, columns); a weight is +1 with probability code / 2**b.
    probability_bits : b, 0..8. 0 is a plain binary layer: code 0 is -1, code 1 is +1.
    neuron : what its columns do. folding : lanes. noise : None exactly if b is 0.
    """

    name: str
    drive: Drive
    codes: Integers
    probability_bits: int
    neuron: Neuron
    folding: Folding
    noise: NoisePlane | None

    @property
    def rows(self) -> int:
        """Inputs, the word lines of the crossbar."""
        return int(self.codes.shape[0])

    @property
    def columns(self) -> int:
        """Outputs, the bit lines of the crossbar."""
        return int(self.codes.shape[1])

    @property
    def row_groups(self) -> int:
        """Cycles to read every row once."""
        return -(-self.rows // self.folding.lanes_in)

    @property
    def column_groups(self) -> int:
        """Cycles to reach every column once."""
        return -(-self.columns // self.folding.lanes_out)

    @property
    def reach(self) -> int:
        """Largest absolute value that the sum of a column can take."""
        return self.rows * self.drive.maximum

    @property
    def stochastic_weights(self) -> int:
        """Number of weights whose code is neither 0 nor 2**b."""
        full = 2**self.probability_bits
        return int(np.count_nonzero((self.codes > 0) & (self.codes < full)))

    @property
    def noise_bits(self) -> int:
        """Random bits that one filling of the noise plane draws."""
        if self.noise is None:
            return 0
        return self.rows * self.noise.row_bits + self.columns * self.probability_bits

    def __post_init__(self) -> None:
        identifier = isinstance(self.name, str) and self.name.isidentifier() and self.name.isascii()
        require(identifier, "name", "a Verilog identifier", self.name)
        require_int("probability_bits", self.probability_bits, 0, MAX_PROBABILITY_BITS)
        _require_integers("codes", self.codes, 2)
        require(min(self.codes.shape) > 0, "codes", "a non-empty matrix", self.codes.shape)
        _require_range("codes", self.codes, 0, 2**self.probability_bits)
        require_int("folding.lanes_in", self.folding.lanes_in, 1, self.rows)
        require_int("folding.lanes_out", self.folding.lanes_out, 1, self.columns)
        if self.probability_bits == 0:
            require(self.noise is None, "noise", "None where probability_bits is 0", self.noise)
        else:
            require(self.noise is not None, "noise", "set where probability_bits > 0", self.noise)
        if self.noise is not None:
            require_int("noise.row_bits", self.noise.row_bits, self.probability_bits, 64)
        shape = (self.columns,)
        if isinstance(self.neuron, Threshold):
            thresholds = self.neuron.thresholds
            _require_integers("thresholds", thresholds, 1)
            require(thresholds.shape == shape, "thresholds", f"of shape {shape}", thresholds.shape)
            _require_range("thresholds", thresholds, -self.reach, self.reach + 1)
        else:
            for label, values in (("scale", self.neuron.scale), ("offset", self.neuron.offset)):
                _require_integers(label, values, 1)
                require(values.shape == shape, label, f"of shape {shape}", values.shape)
            _require_range("scale", self.neuron.scale, 0, 65535)
            _require_range("offset", self.neuron.offset, -LOGIT_LIMIT, LOGIT_LIMIT - 1)
            require_int("fraction_bits", self.neuron.fraction_bits, 0, 24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ensemble:
    """How members are drawn.

    members : T, the default of the run-time register.
    stratified : keep a noise plane for 2**b members and xor the bit-reversed member counter into
        every word, so that each weight takes each word exactly once in such a group.
    reseed : "image" restarts every random stream with each image; "never" lets them run on.
    """

    members: int
    stratified: bool = False
    reseed: Literal["image", "never"] = "image"

    def __post_init__(self) -> None:
        require_int("ensemble.members", self.members, 1, MAX_MEMBERS)
        require(
            isinstance(self.stratified, bool),
            "ensemble.stratified",
            "true or false",
            self.stratified,
        )
        require(
            self.reseed in ("image", "never"), "ensemble.reseed", '"image" or "never"', self.reseed
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Network:
    """A whole network: a chain of layers from raw pixels to logits, and its ensemble.

    name : a Verilog identifier.
    input_shape : (height, width, channels) of the uint8 images; rows of the first layer in C order.
    layers : at least one; the last has `Logits`, all others `Threshold`.
    classes : a name per logit.
    lfsr_width : 32 or 64.
    figures : what is known of the network (data set, accuracy, recipe); JSON, never interpreted.
    """

    name: str
    input_shape: tuple[int, int, int]
    layers: tuple[Dense, ...]
    ensemble: Ensemble
    classes: tuple[str, ...]
    lfsr_width: int = 32
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Bytes of one image."""
        height, width, channels = self.input_shape
        return height * width * channels

    @property
    def output(self) -> Logits:
        """The neuron of the last layer."""
        neuron = self.layers[-1].neuron
        assert isinstance(neuron, Logits)
        return neuron

    @property
    def first_ensembling(self) -> int:
        """Index of the first layer that is run for every member; those before it run once."""
        sampled = (i for i, layer in enumerate(self.layers) if layer.probability_bits)
        return next(sampled, len(self.layers) - 1)

    @property
    def max_logit(self) -> int:
        """Largest absolute value that a member's logit can take."""
        scale = self.output.scale.astype(np.int64)
        offset = np.abs(self.output.offset.astype(np.int64))
        return int((scale * self.layers[-1].reach + offset).max())

    @property
    def max_members(self) -> int:
        """Largest T for which no sum of logits leaves its 32-bit word."""
        return min(MAX_MEMBERS, (LOGIT_LIMIT - 1) // max(1, self.max_logit))

    def __post_init__(self) -> None:
        identifier = isinstance(self.name, str) and self.name.isidentifier() and self.name.isascii()
        require(identifier, "name", "a Verilog identifier", self.name)
        require(len(self.input_shape) == 3, "input_shape", "three sizes", self.input_shape)
        for size in self.input_shape:
            require_int("input_shape", size, 1, 65535)
        known = isinstance(self.lfsr_width, int) and self.lfsr_width in TAPS
        require(known, "lfsr_width", f"one of {sorted(TAPS)}", self.lfsr_width)
        require(len(self.layers) > 0, "layers", "at least one layer", self.layers)
        self._require_layers_join()
        columns = self.layers[-1].columns
        require(len(self.classes) == columns, "classes", f"{columns} names", self.classes)
        for index, text in enumerate(self.classes):
            printable = isinstance(text, str) and text != "" and text.isprintable()
            require(printable, f"classes[{index}]", "a printable name", text)
        require(isinstance(self.figures, Mapping), "figures", "a JSON object", self.figures)
        small = self.max_logit < LOGIT_LIMIT
        require(small, "the largest logit", f"at most {LOGIT_LIMIT - 1}", self.max_logit)
        require_int("ensemble.members", self.ensemble.members, 1, self.max_members)

    def _require_layers_join(self) -> None:
        names = [layer.name for layer in self.layers]
        # The registers spell them in capitals.
        different = len({name.upper() for name in names}) == len(names)
        require(different, "layers", "named differently, capitals aside", names)
        seeds: set[int] = set()
        expected, source = self.pixels, "the pixels of input_shape"
        for index, layer in enumerate(self.layers):
            where = f"layers[{index}]"
            require(layer.rows == expected, f"{where}.rows", f"{expected}, {source}", layer.rows)
            expected, source = layer.columns, f"the columns of {where}"
            kind = "sign" if index else "unsigned"
            require(layer.drive.kind == kind, f"{where}.drive.kind", f'"{kind}"', layer.drive.kind)
            if not index:
                require(layer.drive.bits == 8, f"{where}.drive.bits", "8", layer.drive.bits)
            last = index == len(self.layers) - 1
            fits = isinstance(layer.neuron, Logits if last else Threshold)
            kinds = "Logits in the last layer, Threshold before it"
            require(fits, f"{where}.neuron", kinds, type(layer.neuron).__name__)
            if layer.noise is not None:
                seed = f"{where}.noise.seed"
                require_int(seed, layer.noise.seed, 1, 2**self.lfsr_width - 1)
                # Equal seeds would give two layers the same stream.
                require(layer.noise.seed not in seeds, seed, "a seed of its own", layer.noise.seed)
                seeds.add(layer.noise.seed)


def _require_integers(subject: str, values: Any, dimensions: int) -> None:
    is_array = isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.integer)
    kind = getattr(values, "dtype", type(values).__name__)
    require(is_array, subject, "an integer array", kind)
    require(values.ndim == dimensions, subject, f"of {dimensions} dimensions", values.ndim)


def _require_range(subject: str, values: Integers, low: int, high: int) -> None:
    bad = (values < low) | (values > high)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        index = ", ".join(map(str, place))
        require(False, f"{subject}[{index}]", f"in {low}..{high}", int(values[place]))
