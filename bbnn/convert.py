"""Quantised ReLUs turned into spikes (Bu et al., Optimal ANN-SNN Conversion, ICLR 2022).

A quantised neuron of L = 2**bits - 1 levels answers with ``q = clip(floor(L * z + 1/2), 0, L)``, z
being its relative input. An integrate-and-fire neuron with ``v(0) = theta / 2`` that receives
``theta * z`` in each of S steps fires ``clip(floor(S * z + 1/2), 0, S)`` times, if z is the same in
all steps: with S = L the same number. Behind the first layer, spikes come unevenly and it is close.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import (
    LOGIT_LIMIT,
    Layer,
    Logits,
    Network,
    Pool,
    Quantised,
    Spiking,
    output_drive,
    source_of,
)
from bbnn.description.neurons import POTENTIAL_LIMIT, SCALE_LIMIT
from bbnn.errors import InputError, require

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Line:
    """The level of a neuron, ``floor((slope * y + offset) / one)``, 0..levels; of each column."""

    slope: Integers
    offset: Integers
    one: Integers
    levels: int

    def crossings(self, reach: int) -> NDArray[Any]:
        """Return the least sum y that gives each level, shape (levels, columns)."""
        levels = np.arange(1, self.levels + 1)[:, None]
        return np.clip(-((self.offset - levels * self.one) // self.slope), -reach, reach + 1)


def convert(network: Network, steps: int, average_pools: bool = False) -> Network:
    """Return the spiking network of `steps` time steps that stands for a quantised one.

    Weights, noise and dropout stay; every sum takes one step's spikes instead of a level. OR pools
    stay OR pools, in each step, or become average pools if `average_pools`. With `steps` equal to
    the levels of the first layer, its spikes add up to the levels exactly.
    Raise `InputError` on layers that are not quantised, on a scale of 0, and on scales that the
    fixed point of the membrane cannot hold.
    """
    require(len(network.layers) > 1, "layers", "at least two, one of them quantised", 1)
    layers: list[Layer] = []
    # What a spike, as rate 1, is worth in the levels that the layer's own weights were made for.
    worth = Fraction(1)
    worths: list[Fraction] = []
    for index, layer in enumerate(network.layers):
        where = f"layers[{index}].neuron ({layer.name})"
        if layers:
            layer = replace(layer, drive=output_drive(layers))
        if isinstance(layer.neuron, Logits):
            # Their sum over the steps must stay in its word for all members.
            room = LOGIT_LIMIT // (steps * network.ensemble.members)
            layers.append(replace(layer, neuron=_logits(layer, layer.neuron, worth / steps, room)))
            continue
        require(
            isinstance(layer.neuron, Quantised), where, "Quantised", type(layer.neuron).__name__
        )
        assert isinstance(layer.neuron, Quantised)
        require(bool((layer.neuron.scale > 0).all()), f"{where}.scale", "at least 1", 0)
        try:
            neuron = _spiking(layer.neuron, worth, layer.reach, exactly=index == 0)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        worth, pool = Fraction(2**layer.neuron.bits - 1), layer.pool
        if average_pools and pool is not None and pool.kind == "max":
            pool = Pool(kind="sum", size=pool.size)
            worth /= pool.size**2
        layers.append(replace(layer, neuron=neuron, pool=pool))
        worths.append(worth)
        source = source_of(layers)
        if source is not None:
            same = f"a layer whose spikes are worth {worth} levels, like this one's"
            adds = f"layers[{index}].adds ({layer.name})"
            require(worths[source] == worth, adds, same, str(worths[source]))
    figures = {"converted": {"from": network.name, "steps": steps, "average_pools": average_pools}}
    name = f"{network.name}_spiking"
    return replace(network, name=name, layers=tuple(layers), steps=steps, figures=figures)


def _spiking(neuron: Quantised, worth: Fraction, reach: int, exactly: bool) -> Spiking:
    """Return the neuron with the fewest fraction bits that reaches each level at the same sum.

    exactly : raise if there is none; otherwise the most that fit will do.
    """
    line = _Line(
        slope=neuron.scale.astype(np.int64) * worth.numerator,
        offset=neuron.offset.astype(np.int64) * worth.denominator,
        one=np.full(neuron.scale.shape, 2**neuron.shift * worth.denominator),
        levels=2**neuron.bits - 1,
    )
    found = None
    for bits in range(17):
        candidate = _rounded(line, bits)
        if candidate is None:
            continue
        found = candidate
        membrane = _Line(
            slope=np.full_like(line.slope, line.levels * 2**bits),
            offset=candidate.start + line.levels * candidate.bias,
            one=candidate.thresholds.astype(np.int64),
            levels=line.levels,
        )
        if np.array_equal(membrane.crossings(reach), line.crossings(reach)):
            return candidate
    wanted = "one that 32 bits of membrane hold"
    require(found is not None and not exactly, "scale", wanted, int(neuron.scale.max()))
    assert found is not None
    return found


def _rounded(line: _Line, fraction_bits: int) -> Spiking | None:
    """Return the neuron in integers, None where start or an integer is out of range.

    In units of 2**-fraction_bits of a sum, ``theta = L * one / slope`` and the sum of start and
    L biases is ``L * offset / slope``. Half a unit of `offset` more, so that rounding has room on
    both sides of a level. What the biases cannot hold is left to start, which is thus within L / 2
    of theta / 2.
    """
    # Python's integers, as these products may be long.
    slope, offset, one = (each.astype(object) for each in (line.slope, line.offset, line.one))
    unit = line.levels * 2**fraction_bits
    theta = _nearest(unit * one, slope)
    total = _nearest(unit * (2 * offset + 1), 2 * slope)
    bias = _nearest(2 * total - theta, 2 * line.levels)
    start = total - line.levels * bias
    fits = (start >= 0) & (start < theta) & (theta <= POTENTIAL_LIMIT)
    if not (fits & (abs(bias) <= POTENTIAL_LIMIT)).all():
        return None
    theta, start, bias = (each.astype(np.int64) for each in (theta, start, bias))
    return Spiking(thresholds=theta, start=start, bias=bias, fraction_bits=fraction_bits)


def _logits(layer: Layer, neuron: Logits, worth: Fraction, room: int) -> Logits:
    """Return the neuron for sums over all steps, whose unit is worth so many of the old ones.

    It has more fraction bits if its scales need them, and while every logit stays below `room`.
    """
    scales = [int(scale) * worth for scale in neuron.scale]
    offset = neuron.offset.astype(np.int64)
    most = max(scales)

    def fits(bits: int) -> bool:
        factor = 2**bits
        largest = factor * (most * layer.reach + int(np.abs(offset).max()) + 1)
        return most * factor <= SCALE_LIMIT and neuron.fraction_bits + bits <= 24 and largest < room

    bits = 0
    while any((scale * 2**bits).denominator > 1 for scale in scales) and fits(bits + 1):
        bits += 1
    return Logits(
        scale=np.array([round(scale * 2**bits) for scale in scales], np.int64),
        offset=offset * 2**bits,
        fraction_bits=neuron.fraction_bits + bits,
    )


def _nearest(dividend: Any, divisor: Any) -> Any:
    """Return the nearest integers to the quotients."""
    return (2 * dividend + divisor) // (2 * divisor)
