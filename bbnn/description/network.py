"""A whole network: a chain of layers from raw pixels to logits, and its ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.description.checks import require_identifier
from bbnn.description.layer import Drive, Layer, Shape
from bbnn.description.neurons import LOGIT_LIMIT, Logits, Spiking, Threshold
from bbnn.description.shortcuts import output_drive, require_shortcuts
from bbnn.description.streamed import require_streams
from bbnn.errors import require, require_int
from bbnn.lfsr import TAPS

MAX_MEMBERS = 65535
"""Largest member count of the 16-bit register; a network's own limit may be lower."""
MAX_STEPS = 255
PIXEL_BITS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Ensemble:
    """How members are drawn.

    members : T, the default of the run-time register.
    stratified : keep a noise plane for 2**b members and xor the bit-reversed member counter into
        every word, so that each weight takes each word exactly once in such a group.
    reseed : "image" restarts every random stream with each image; "never" lets them run on.
    early_exit : whether the hardware can stop an image's members at run time (`bbnn.early_exit`).
    resample : "member" keeps a member's weights through its time steps; "step" draws them anew.
    """

    members: int
    stratified: bool = False
    reseed: Literal["image", "never"] = "image"
    resample: Literal["member", "step"] = "member"
    early_exit: bool = False

    def __post_init__(self) -> None:
        require_int("ensemble.members", self.members, 1, MAX_MEMBERS)
        is_bool = isinstance(self.stratified, bool)
        require(is_bool, "ensemble.stratified", "true or false", self.stratified)
        known = self.reseed in ("image", "never")
        require(known, "ensemble.reseed", '"image" or "never"', self.reseed)
        is_bool = isinstance(self.early_exit, bool)
        require(is_bool, "ensemble.early_exit", "true or false", self.early_exit)
        restarts = not self.early_exit or self.reseed == "image"
        where = 'false where reseed is "never"'
        require(restarts, "ensemble.early_exit", where, self.early_exit)
        known = self.resample in ("member", "step")
        require(known, "ensemble.resample", '"member" or "step"', self.resample)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleDropout:
    """The one stochastic unit of MC Scale-Dropout: a bit per member and layer with a dropped bank.

    The scale is dropped with probability ``code / 2**bits``; bits : 1..8, code : 1..2**bits-1.
    seed : first state of the unit's LFSR, not 0.
    """

    code: int
    bits: int
    seed: int

    def __post_init__(self) -> None:
        require_int("scale_dropout.bits", self.bits, 1, 8)
        require_int("scale_dropout.code", self.code, 1, 2**self.bits - 1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Network:
    """A whole network.

    name : a Verilog identifier.
    input_shape : (height, width, channels) of the uint8 images.
    layers : at least one; the last has `Logits`, no other has. The first is driven with the upper
        bits of each pixel, as many as its drive has, 1..8, or with spikes. Maps are flattened in C
        order. Where a layer adds another's outputs, both are unsigned, of one shape, and run
        equally often.
    classes : a name per logit.
    lfsr_width : 32 or 64.
    steps : T_s, time steps of a spiking network; 1 for all others.
    encoding : what a spiking network's first layer is fed with in a step: "constant", the pixels;
        "rate", spikes, as many of 256 steps as the grey value says, evenly spaced.
    scale_dropout : set exactly if a layer has a dropped bank.
    input_rows : places of the pixels that are connected, ascending, each a row of the first layer,
        which is dense then; the other pixels have no word line. None: all are.
    figures : what is known of the network (data set, accuracy, recipe); JSON, never interpreted.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    ensemble: Ensemble
    classes: tuple[str, ...]
    lfsr_width: int = 32
    steps: int = 1
    encoding: Literal["constant", "rate"] = "constant"
    scale_dropout: ScaleDropout | None = None
    input_rows: tuple[int, ...] | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Bytes of one image."""
        height, width, channels = self.input_shape
        return height * width * channels

    @property
    def pixel_bits(self) -> int:
        """Upper bits of each pixel that are read; all eight where spikes are made of it."""
        return self.layers[0].drive.bits if self.encoding == "constant" else PIXEL_BITS

    def read(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what is read of the images' pixels, their upper bits as numbers."""
        return images >> np.uint8(PIXEL_BITS - self.pixel_bits)

    @property
    def output(self) -> Logits:
        """The neuron of the last layer."""
        neuron = self.layers[-1].neuron
        assert isinstance(neuron, Logits)
        return neuron

    @property
    def spiking(self) -> bool:
        """Whether hidden neurons integrate and fire."""
        return any(isinstance(layer.neuron, Spiking) for layer in self.layers)

    @property
    def first_ensembling(self) -> int:
        """Index of the first layer that is run for every member; those before it run once.

        A spiking network runs as a whole, since its members are trains of steps.
        """
        varying = (i for i, layer in enumerate(self.layers) if layer.varies)
        return 0 if self.spiking else next(varying, len(self.layers) - 1)

    @property
    def max_logit(self) -> int:
        """Largest absolute value that a member's logit can take."""
        return self.output.largest(self.layers[-1].reach * self.steps)

    @property
    def max_members(self) -> int:
        """Largest T for which no sum of logits leaves its 32-bit word, and no member its place."""
        places = [layer.folding.held for layer in self.layers if layer.folding.held > 1]
        return min(MAX_MEMBERS, (LOGIT_LIMIT - 1) // max(1, self.max_logit), *places)

    def __post_init__(self) -> None:
        require_identifier("name", self.name)
        require(len(self.input_shape) == 3, "input_shape", "three sizes", self.input_shape)
        for size in self.input_shape:
            require_int("input_shape", size, 1, 65535)
        known = isinstance(self.lfsr_width, int) and self.lfsr_width in TAPS
        require(known, "lfsr_width", f"one of {sorted(TAPS)}", self.lfsr_width)
        require(len(self.layers) > 0, "layers", "at least one layer", self.layers)
        self._require_names_and_seeds()
        self._require_neurons()
        self._require_ensemble()
        require_shortcuts(self.layers, self.first_ensembling)
        require_streams(self)
        self._require_layers_join()
        self._require_rows()
        columns = self.layers[-1].columns
        require(len(self.classes) == columns, "classes", f"{columns} names", self.classes)
        for index, text in enumerate(self.classes):
            printable = isinstance(text, str) and text != "" and text.isprintable()
            require(printable, f"classes[{index}]", "a printable name", text)
        require(isinstance(self.figures, Mapping), "figures", "a JSON object", self.figures)
        small = self.max_logit < LOGIT_LIMIT
        require(small, "the largest logit", f"at most {LOGIT_LIMIT - 1}", self.max_logit)
        require_int("ensemble.members", self.ensemble.members, 1, self.max_members)

    def _require_names_and_seeds(self) -> None:
        names = [layer.name for layer in self.layers]
        if self.scale_dropout is not None:
            names.append("scale_dropout")
        # The registers spell them in capitals.
        different = len({name.upper() for name in names}) == len(names)
        require(different, "layers", "named differently, capitals aside", names)
        streams = [
            (f"layers[{index}].noise.seed", layer.noise.seed)
            for index, layer in enumerate(self.layers)
            if layer.noise is not None
        ]
        if self.scale_dropout is not None:
            streams.append(("scale_dropout.seed", self.scale_dropout.seed))
        seeds: set[int] = set()
        for where, seed in streams:
            require_int(where, seed, 1, 2**self.lfsr_width - 1)
            # Equal seeds would give two streams the same bits.
            require(seed not in seeds, where, "a seed of its own", seed)
            seeds.add(seed)

    def _require_layers_join(self) -> None:
        shape, source = self._connected()
        drive = self._first_drive()
        for index, layer in enumerate(self.layers):
            where = f"layers[{index}]"
            size = int(np.prod(shape))
            if layer.window is None:
                fits = layer.rows == size
                require(fits, f"{where}.rows", f"{size}, {source}", layer.rows)
            else:
                same = layer.window.shape == tuple(shape)
                require(same, f"{where}.window", f"{shape}, {source}", layer.window.shape)
            fits = layer.drive == drive
            require(fits, f"{where}.drive", f"{drive}, like {source}", str(layer.drive))
            if layer.dropout is not None:
                require(index > 0, f"{where}.dropout", "None for pixels", layer.dropout)
            shape, drive = layer.output_shape, output_drive(self.layers[: index + 1])
            source = f"the columns of {where}" if layer.window is None else f"the maps of {where}"

    def _first_drive(self) -> Drive:
        """Return the first layer's drive; raise if neither pixels nor spikes of them give it."""
        drive = self.layers[0].drive
        most = PIXEL_BITS if self.encoding == "constant" else 1
        fits = drive.kind == "unsigned" and drive.bits <= most
        wanted = f"unsigned of {f'1 to {most} bits' if most > 1 else '1 bit'}, like pixels"
        require(fits, "layers[0].drive", wanted, str(drive))
        return drive

    def _connected(self) -> tuple[Shape, str]:
        """Return the shape of what drives the first layer and what it is called."""
        rows = self.input_rows
        if rows is None:
            return self.input_shape, "the pixels of input_shape"
        require(isinstance(rows, tuple), "input_rows", "a list of places", rows)
        for place in rows:
            require_int("input_rows", place, 0, self.pixels - 1)
        require(len(rows) > 0, "input_rows", "at least one place", rows)
        require(list(rows) == sorted(set(rows)), "input_rows", "ascending", rows)
        dense = self.layers[0].window is None
        require(dense, "input_rows", "absent where the first layer is a convolution", rows)
        return (1, len(rows), 1), "the places of input_rows"

    def _require_rows(self) -> None:
        """Raise `InputError` where sums cannot be reused, or inputs not be sorted."""
        rated = self.encoding == "rate"
        for index, layer in enumerate(self.layers):
            held = index == self.first_ensembling and not rated
            where = f"layers[{index}].folding.reuse ({layer.name})"
            wanted = "false but for the first ensembling layer, its inputs the same in all steps"
            require(held or not layer.folding.reuse, where, wanted, True)
            sorts = rated and index == 0 and layer.sorts
            where = f"layers[{index}].sampled"
            require(not sorts, where, "the first rows where pixels become spikes", "others")

    def _require_neurons(self) -> None:
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            fits = isinstance(layer.neuron, Logits) == (index == last)
            kinds = "Logits in the last layer and no other"
            require(fits, f"layers[{index}].neuron", kinds, type(layer.neuron).__name__)
            if self.spiking and index < last:
                spikes = isinstance(layer.neuron, Spiking)
                where = f"layers[{index}].neuron ({layer.name})"
                kinds = "Spiking like all hidden neurons"
                require(spikes, where, kinds, type(layer.neuron).__name__)

    def _require_ensemble(self) -> None:
        require_int("steps", self.steps, 1, MAX_STEPS if self.spiking else 1)
        known = self.encoding in ("constant", "rate")
        require(known, "encoding", '"constant" or "rate"', self.encoding)
        rated = self.spiking or self.encoding == "constant"
        require(rated, "encoding", '"constant" where no neuron spikes', self.encoding)
        banked = [
            layer.name
            for layer in self.layers
            if isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None
        ]
        scaled = (self.scale_dropout is not None) == bool(banked)
        wanted = "set exactly if a layer has dropped thresholds"
        require(scaled, "scale_dropout", wanted, self.scale_dropout)
        if self.ensemble.stratified:
            plain = all(layer.dropout is None for layer in self.layers)
            plain = plain and self.ensemble.resample == "member"
            where = "false with dropout or with weights drawn in every step"
            require(plain, "ensemble.stratified", where, True)
        several = not self.ensemble.early_exit or len(self.classes) > 1
        require(several, "ensemble.early_exit", "false for a single class", True)
        spikes = self.spiking or self.ensemble.resample == "member"
        where = '"member" where no neuron spikes'
        require(spikes, "ensemble.resample", where, self.ensemble.resample)
